"""Seasonal naive: a day is as its weekday was last. The floor that every model must beat, with honest bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.demand.arrays import Floats, Ints, nan_mean
from models.demand.origins import Origins
from models.demand.parameters import QUANTILES


def point(origins: Origins, horizon: int) -> Floats:
    """The value of the periods ahead, (n, horizon), in pieces: the season's last known value, else the mean of what is known."""
    last = origins.weekdays[:, :, 0].copy()
    for week in range(1, 4):
        last = np.where(np.isnan(last), origins.weekdays[:, :, week], last)
    last = np.where(np.isnan(last), np.nan_to_num(nan_mean(origins.lags))[:, None], last)
    return np.tile(last, (1, origins.period.seasons(horizon)))[:, :horizon]


@dataclass(frozen=True)
class SeasonalNaive:
    """`spread` is (seasons, 3): quantiles of (units - naive) / scale in each season ahead."""

    spread: Floats

    @classmethod
    def fit(cls, origins: Origins, targets: Floats) -> SeasonalNaive:
        """`targets` is (n, horizon) in pieces, NaN where unknown. Without a known target the bands are of no width."""
        season, horizon = origins.period.season, targets.shape[1]
        residual = (targets - point(origins, horizon)) / origins.scale[:, None]
        spread = np.zeros((origins.period.seasons(horizon), len(QUANTILES)))
        for week in range(len(spread)):
            of_week = residual[:, season * week : season * week + season]
            known = of_week[~np.isnan(of_week)]
            if len(known):
                spread[week] = np.quantile(known, QUANTILES)
        spread[:, 1] = 0.0  # the median stays what the method's name says
        return cls(np.stack([np.minimum(spread[:, 0], 0), spread[:, 1], np.maximum(spread[:, 2], 0)], axis=1))

    def predict(self, origins: Origins, horizon: int) -> Floats:
        """(n, horizon, 3) in pieces."""
        week = np.minimum(np.arange(horizon) // origins.period.season, len(self.spread) - 1)
        bands = self.spread[week][None, :, :] * origins.scale[:, None, None]
        return np.maximum(point(origins, horizon)[:, :, None] + bands, 0.0)

    def to_dict(self) -> dict[str, Any]:
        return {"spread": self.spread.tolist()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> SeasonalNaive:
        return cls(np.array(saved["spread"]))


def rows_with_target(targets: Floats) -> tuple[Ints, Ints]:
    """Positions (origin, horizon from 1) of all known targets of an (n, 28) array."""
    origin, column = np.nonzero(~np.isnan(targets))
    return origin.astype(np.int64), (column + 1).astype(np.int64)
