"""Seasonal naive: a day is as its weekday was last. The floor that every model must beat, with honest bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.demand.arrays import Floats, Ints, nan_mean
from models.demand.origins import Origins
from models.demand.parameters import QUANTILES

WEEKS = 4


def point(origins: Origins) -> Floats:
    """The value of 28 days ahead, (n, 28), in pieces: the weekday's last known value, else the mean of what is known."""
    last = origins.weekdays[:, :, 0].copy()
    for week in range(1, 4):
        last = np.where(np.isnan(last), origins.weekdays[:, :, week], last)
    last = np.where(np.isnan(last), np.nan_to_num(nan_mean(origins.lags))[:, None], last)
    return np.tile(last, (1, WEEKS))


@dataclass(frozen=True)
class SeasonalNaive:
    """`spread` is (4, 3): quantiles of (units - naive) / scale in each week ahead."""

    spread: Floats

    @classmethod
    def fit(cls, origins: Origins, targets: Floats) -> SeasonalNaive:
        """`targets` is (n, 28) in pieces, NaN where unknown. Without a single known target the bands are of no width."""
        residual = (targets - point(origins)) / origins.scale[:, None]
        spread = np.zeros((WEEKS, len(QUANTILES)))
        for week in range(WEEKS):
            of_week = residual[:, 7 * week : 7 * week + 7]
            known = of_week[~np.isnan(of_week)]
            if len(known):
                spread[week] = np.quantile(known, QUANTILES)
        spread[:, 1] = 0.0  # the median stays what the method's name says
        return cls(np.stack([np.minimum(spread[:, 0], 0), spread[:, 1], np.maximum(spread[:, 2], 0)], axis=1))

    def predict(self, origins: Origins) -> Floats:
        """(n, 28, 3) in pieces."""
        week = np.repeat(np.arange(WEEKS), 7)
        bands = self.spread[week][None, :, :] * origins.scale[:, None, None]
        return np.maximum(point(origins)[:, :, None] + bands, 0.0)

    def to_dict(self) -> dict[str, Any]:
        return {"spread": self.spread.tolist()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> SeasonalNaive:
        return cls(np.array(saved["spread"]))


def rows_with_target(targets: Floats) -> tuple[Ints, Ints]:
    """Positions (origin, horizon from 1) of all known targets of an (n, 28) array."""
    origin, column = np.nonzero(~np.isnan(targets))
    return origin.astype(np.int64), (column + 1).astype(np.int64)
