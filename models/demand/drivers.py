"""What a forecast is explained by: the drivers, and which of them each column of the frame tells of."""

from __future__ import annotations

from collections.abc import Sequence

from models.demand.arrays import Floats
from models.demand.calendar import DISTANCES, FLAGS
from models.demand.factors import factor_of
from models.demand.frame import CATEGORIES, DAY_COLUMNS, ORIGIN_COLUMNS, WEEKDAY_COLUMNS, YEAR_COLUMNS
from models.demand.periods import DAY, Period

LEVEL, SEASON, TREND, PRICE, HOLIDAY, FACTOR, HIERARCHY, OTHER = DRIVERS = (
    "level",
    "season",
    "trend",
    "price",
    "holiday",
    "factor",
    "hierarchy",  # what forecasts of sums add: `models.demand.reconcile`
    "other",
)

_ORDINARY_FLAGS = ("is_weekend", "is_month_start", "is_month_end")
_DRIVER_OF: dict[str, str] = {
    **dict.fromkeys(ORIGIN_COLUMNS, TREND),
    **dict.fromkeys(("unit_price_ratio_28", "promotion_share_28"), PRICE),
    **dict.fromkeys(("days_since_first", "share_of_group_28", "log_scale"), OTHER),
    **dict.fromkeys((*WEEKDAY_COLUMNS, *YEAR_COLUMNS, *DAY_COLUMNS), SEASON),
    **dict.fromkeys((*FLAGS, *DISTANCES, "holidays_in_same_weekdays"), HOLIDAY),
    **dict.fromkeys(_ORDINARY_FLAGS, SEASON),
    **dict.fromkeys(CATEGORIES, OTHER),
    "horizon": OTHER,
    "weekday": SEASON,
    **dict.fromkeys(("occasion", "occasion_week_before"), HOLIDAY),
}


def driver_of(column: str, counts: Period = DAY) -> str:
    """The driver that a column of the frame tells of; of weeks the last same weekdays are the latest weeks. Raises KeyError."""
    if factor_of(column):
        return FACTOR
    recent = counts.season == 1 and column in WEEKDAY_COLUMNS
    return TREND if recent else HOLIDAY if column.startswith("kind_") else _DRIVER_OF[column]


def positions(columns: Sequence[str], counts: Period) -> tuple[list[int], int]:
    """Where each column's driver stands among DRIVERS and, behind them, the factors by name; and how many they are."""
    factors = list(dict.fromkeys(filter(None, map(factor_of, columns))))
    each = [
        len(DRIVERS) + factors.index(f) if (f := factor_of(c)) else DRIVERS.index(driver_of(c, counts)) for c in columns
    ]
    return each, len(DRIVERS) + len(factors)


def by_factor(pieces: Floats, factors: tuple[str, ...]) -> tuple[Floats, dict[str, Floats]]:
    """(..., DRIVERS), with the factors added up, and each factor's own pieces (...), as `attribution.medians` gives them."""
    known, own = pieces[..., : len(DRIVERS)].copy(), pieces[..., len(DRIVERS) :]
    known[..., DRIVERS.index(FACTOR)] += own.sum(axis=-1)
    return known, {name: own[..., i] for i, name in enumerate(factors)}
