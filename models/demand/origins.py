"""Feature rows as arrays: what was known of a series at the cut-off of a day. All that a member may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from expectations.tables import LAGS, LAST_YEAR_LAGS, ROLLING_MEANS, ROLLING_STDS
from models.demand.arrays import Bools, Floats, Ints, Strings, days, micros, nan_mean, strings
from models.demand.periods import DAY, Period

# Numbers in pieces: divided by the series' scale before a member sees them. Named after days; in weeks there are as many.
UNITS = (*(f"units_mean_{w}" for w in ROLLING_MEANS), *(f"units_std_{w}" for w in ROLLING_STDS))
YEAR = tuple(f"units_mean_7_lag_{k}" for k in LAST_YEAR_LAGS)
PURE = (  # numbers that have no size of the series in them
    "units_zero_share_28",
    "days_since_first",
    "days_since_last_sale",
    "unit_price_ratio_28",
    "promotion_share_28",
    "share_of_group_28",
)
RECENT, OLDER = slice(2, 4), slice(4, 6)  # of the means: one and two months, half a year and a year
SPARSE_SHARE = 0.5  # of days without units, from which a series counts as sparse
COLUMNS = ("site", "product", "date", "cut_off", *(f"units_lag_{k}" for k in LAGS), *UNITS, *YEAR, *PURE)
HIERARCHY = ("product_group", "product_sub_group")


def dead_after(period: Period) -> int:
    """Periods without a sale after which a series counts as dead: half a year."""
    return period.year // 2


@dataclass(frozen=True)
class Origins:
    """One row an origin: a series (`key`) at a `day`. `lags` is (n, 28): column k is k days back; NaN is unknown."""

    site: Strings
    product: Strings
    group: Strings
    sub_group: Strings
    day: Ints
    cut_off: Ints
    lags: Floats
    units: Floats  # (n, len(UNITS))
    year: Floats  # (n, seasons ahead): a season's mean a year before each of them
    pure: Floats  # (n, len(PURE))
    level: Strings  # of the hierarchy; "" for the series themselves
    period: Period = DAY

    @classmethod
    def from_features(cls, features: pd.DataFrame) -> Origins:
        """From a frame with the columns of DEMAND_FEATURES, of one tenant; sorted by day, site and product."""
        frame = features.sort_values(["date", "site", "product"], kind="stable")
        return cls(
            site=strings(frame["site"]),
            product=strings(frame["product"]),
            group=strings(frame["product_group"]),
            sub_group=strings(frame["product_sub_group"]),
            day=days(frame["date"]),
            cut_off=micros(frame["cut_off"]),
            lags=frame[[f"units_lag_{k}" for k in LAGS]].to_numpy(dtype=float),
            units=frame[list(UNITS)].to_numpy(dtype=float),
            year=frame[list(YEAR)].to_numpy(dtype=float),
            pure=frame[list(PURE)].to_numpy(dtype=float),
            level=np.full(len(frame), "", dtype=object),
        )

    @classmethod
    def concat(cls, parts: Sequence[Origins]) -> Origins:
        """All of some parts (at least one, of one period), sorted by day, site and product."""
        names = [n for n in cls.__dataclass_fields__ if n != "period"]
        whole = cls(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names}, period=parts[0].period)
        return whole.take(np.lexsort((whole.product.astype(str), whole.site.astype(str), whole.day)))

    def __len__(self) -> int:
        return len(self.day)

    def take(self, rows: Ints | Bools) -> Origins:
        """The origins at `rows` (positions or a mask), in that order."""
        arrays = {n: getattr(self, n)[rows] for n in self.__dataclass_fields__ if n != "period"}
        return Origins(**arrays, period=self.period)

    @cached_property
    def key(self) -> Strings:
        return np.asarray(self.site + "/" + self.product, dtype=object)

    @property
    def hierarchy(self) -> dict[str, Strings]:
        """Of which site, group, sub-group and product each is; "" where that is not known."""
        groups = {"product_group": self.group, "product_sub_group": self.sub_group}
        return {"site": self.site, **groups, "product": self.product}

    @cached_property
    def scale(self) -> Floats:
        """The series' size: what its members' inputs and outputs are divided by. Positive and finite.

        The larger of the means of 28 and 56 days, so that a plant holiday does not blow the rest up.
        """
        means = self.units[:, : len(self.period.means)]
        recent, older = (np.fmax(*means[:, part].T) for part in (RECENT, OLDER))
        size = np.where(np.nan_to_num(recent) > 0, recent, older)
        return np.where(np.nan_to_num(size) > 1e-9, np.nan_to_num(size), 1.0)

    def pure_column(self, name: str) -> Floats:
        return self.pure[:, PURE.index(name)]

    def units_column(self, name: str) -> Floats:
        return self.units[:, UNITS.index(name)]

    @cached_property
    def dead(self) -> Bools:
        """Nothing sold for half a year, or never in half a year."""
        long = dead_after(self.period)
        since = self.pure_column("days_since_last_sale")
        never = np.isnan(since) & (self.pure_column("days_since_first") >= long)
        return (since >= long) | never

    @cached_property
    def enough(self) -> Bools:
        """Whether the history suffices for a model: of days 28 since the first row, and half of them known."""
        old = np.nan_to_num(self.pure_column("days_since_first"), nan=-1) >= self.period.min_age - 1
        return np.asarray(old & ((~np.isnan(self.lags)).sum(axis=1) >= self.period.min_known), dtype=bool)

    @cached_property
    def sparse(self) -> Bools:
        return np.nan_to_num(self.pure_column("units_zero_share_28")) >= SPARSE_SHARE

    @cached_property
    def weekdays(self) -> Floats:
        """The last four values of each place in the season ahead, (n, season, 4).

        [:, j, w] is what lies j+1 periods ahead less w+1 seasons: for days the last four of each weekday.
        """
        season = self.period.season
        back = np.array([[(season - 1 - j) + season * w for w in range(4)] for j in range(season)])
        return self.lags[:, back]

    @cached_property
    def weekday_mean(self) -> Floats:
        """Mean of those four, (n, season); the series' own mean where there is no known value."""
        own = nan_mean(self.lags)
        mean = nan_mean(self.weekdays)
        return np.where(np.isnan(mean), np.nan_to_num(own)[:, None], mean)
