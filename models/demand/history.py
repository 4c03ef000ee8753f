"""The distribution of a series' past year, the same for every period ahead: all that is to be said without a signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.demand.arrays import Bools, Floats, Strings, codes
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import QUANTILES
from models.demand.periods import Period


@dataclass(frozen=True)
class History:
    """`quantiles` (series, 3) in pieces; NaN for a series of which nothing is known. `keys` are sorted."""

    keys: Strings
    quantiles: Floats

    @classmethod
    def fit(cls, panel: Panel, period: Period) -> History:
        """The quantiles of `of_the_year`."""
        return cls(panel.keys, of_the_year(panel.units, period, QUANTILES))

    def predict(self, origins: Origins, horizon: int) -> Floats:
        """(n, horizon, 3) in pieces; NaN for a series that it does not have."""
        row = codes(origins.key, self.keys)
        said = np.where((row >= 0)[:, None], self.quantiles[row], np.nan)
        return np.repeat(said[:, None, :], horizon, axis=1)

    def knows(self, origins: Origins) -> Bools:
        """Of which series it has something to say, (n,)."""
        return np.asarray(~np.isnan(self.predict(origins, 1)).any(axis=(1, 2)))

    def save(self, file: Path) -> None:
        np.savez(file, keys=np.array(self.keys, dtype=str), quantiles=self.quantiles)

    @classmethod
    def load(cls, file: Path) -> History:
        with np.load(file) as saved:
            return cls(saved["keys"].astype(object), saved["quantiles"])


def of_the_year(units: Floats, period: Period, levels: Sequence[float]) -> Floats:
    """Quantiles of a year, in which a period counts half as much as one a quarter of a year later, (series, levels).

    `units` is (series, periods), NaN where unknown. Weighted quantiles are those of the weighted empirical distribution
    (its generalised inverse): always a value that was seen, so that a series sold by the dozen is forecast in dozens. NaN
    for a series of which nothing is known.
    """
    recent = units[:, -period.year :]
    age = np.arange(recent.shape[1])[::-1]
    weight = np.where(np.isnan(recent), 0.0, 0.5 ** (4 * age / period.year))
    order = np.argsort(np.where(np.isnan(recent), np.inf, recent), axis=1, kind="stable")
    values = np.take_along_axis(recent, order, axis=1)
    share = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    total = share[:, -1:]
    found = np.full((len(recent), len(levels)), np.nan)
    known = total[:, 0] > 0
    for column, level in enumerate(levels):
        at = (share < level * total).sum(axis=1)
        found[known, column] = values[known, np.minimum(at, values.shape[1] - 1)[known]]
    return found
