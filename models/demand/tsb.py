"""Intermittent demand: how likely a sale is now, from a share that forgets, and how large one is, from the past year.

Source: Teunter, Syntetos, Babai 2011, "Intermittent demand: Linking forecasting to inventory obsolescence", European
Journal of Operational Research 214: unlike Croston's, its chance of a sale falls while nothing is sold. The method gives
a mean; quantiles are those of a day that has no sale, or one of the sizes that were seen. Poisson and negative binomial
days about the same mean lose 2 to 25 % more, and Croston's, ADIDA's and IMAPA's rates no less (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from models.demand.arrays import Floats, Strings, codes, divide
from models.demand.history import of_the_year
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import QUANTILES
from models.demand.periods import DAY, WEEK, Period

SPEED: Mapping[str, float] = {DAY.name: 0.02, WEEK.name: 0.05}  # what a period weighs beside all before it
SIZES = tuple((k + 0.5) / 40 for k in range(40))  # quantiles of a sale's size that are kept


@dataclass(frozen=True)
class Tsb:
    """`sold` and `known` (series,): weights of the periods with a sale, and of all known ones, up to `last_day`.

    `sizes` (series, len(SIZES)) in pieces, NaN where nothing was sold in the year. `keys` are sorted.
    """

    keys: Strings
    last_day: int
    sold: Floats
    known: Floats
    sizes: Floats

    @classmethod
    def fit(cls, panel: Panel, period: Period) -> Tsb:
        """From all that the panel knows; the weights of the periods fall by SPEED, so no start has to be guessed."""
        sold, known = _onward(np.zeros((2, len(panel.keys))), panel.units, SPEED[period.name])
        sales = np.where(panel.units > 0, panel.units, np.nan)
        return cls(panel.keys, panel.last_day, sold, known, of_the_year(sales, period, SIZES))

    def predict(self, origins: Origins, horizon: int) -> Floats:
        """(n, horizon, 3) in pieces, the same for every period ahead; NaN for a series that it does not have."""
        row = codes(origins.key, self.keys)
        chance = self._chance(origins)
        found = np.full((len(origins), len(QUANTILES)), np.nan)
        sizes = np.nan_to_num(self.sizes)
        for column, level in enumerate(QUANTILES):
            of_size = np.nan_to_num(divide(level - (1 - chance), chance))  # the quantile among sales alone
            at = np.clip((of_size * len(SIZES)).astype(np.int64), 0, len(SIZES) - 1)
            found[:, column] = np.where(of_size > 0, sizes[row, at], 0.0)
        found[np.isnan(chance)] = np.nan
        return np.repeat(found[:, None, :], horizon, axis=1)

    def _chance(self, origins: Origins) -> Floats:
        """Of a sale in a period, (n,): gone on from the last fit with the periods since, as far as the lags reach."""
        row = codes(origins.key, self.keys)
        since = np.clip(origins.day - self.last_day, 0, origins.lags.shape[1])
        new = np.where(np.arange(origins.lags.shape[1])[None, :] < since[:, None], origins.lags, np.nan)
        state = np.where(row >= 0, np.stack([self.sold[row], self.known[row]]), 0.0)
        sold, known = _onward(state, new[:, ::-1], SPEED[origins.period.name])
        return np.where(row >= 0, divide(sold, known), np.nan)

    def save(self, file: Path) -> None:
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        np.savez(file, **arrays | {"keys": np.array(self.keys, dtype=str)})

    @classmethod
    def load(cls, file: Path) -> Tsb:
        with np.load(file) as saved:
            keys = saved["keys"].astype(object)
            return cls(keys, int(saved["last_day"]), saved["sold"], saved["known"], saved["sizes"])


def _onward(state: Floats, units: Floats, speed: float) -> Floats:
    """`state` (2, n) after the periods of `units` (n, periods), the oldest first; an unknown one changes nothing."""
    sold, known = state
    for column in units.T:
        there = ~np.isnan(column)
        sold = np.where(there, (1 - speed) * sold + speed * (column > 0), sold)
        known = np.where(there, (1 - speed) * known + speed, known)
    return np.stack([sold, known])
