"""A series on its daily grid, and what its windows hold.

Every window is one pass: sums of 7, 14 and 28 days are added up from lags, longer ones from sums of 28 days at
distances of 28. Nothing is ever subtracted, so that nothing cancels, whatever the sizes in a series are.

Expressions are SQL text: there are some hundred of them, and building each from Column calls takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from expectations.tables import LAST_YEAR_LAGS
from features.versions import EPOCH

REACH = 363  # days back from a day that its windows reach
MONTH = 28  # days of the short windows
_BY_EPOCH = f"PARTITION BY {', '.join(EPOCH)}"
_BLOCKS = range(MONTH, REACH + 1, MONTH)


def daily_grid(versions: DataFrame) -> DataFrame:
    """One row for each epoch of a series and each day that the windows of the epoch's days reach.

    `versions` are those of `by_epoch`. Columns: tenant, site, product, epoch_first, day, units (0 on a day without a
    row), unit_price and promotion (null there), and as of the day: first_day, last_sale_day, last_price.
    """
    so_far = f"OVER ({_BY_EPOCH} ORDER BY date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    rows = _within_reach(versions).selectExpr(
        "*",
        f"lead(date) OVER ({_BY_EPOCH} ORDER BY date) AS _next",
        f"first(_first) {so_far} AS first_day",
        f"max(_sale) {so_far} AS last_sale_day",
        f"last(unit_price, true) {so_far} AS last_price",
    )
    rows = rows.selectExpr(
        "*",
        f"greatest(date, date_add(epoch_first, -{REACH})) AS _from",
        "date_add(coalesce(_next, epoch_end), -1) AS _to",
    )
    return (
        rows.where("_from <= _to")
        .withColumn("day", F.expr("explode(sequence(_from, _to))"))
        .selectExpr(
            *EPOCH,
            "day",
            "IF(day = date, units, 0D) AS units",
            "IF(day = date, unit_price, NULL) AS unit_price",
            "IF(day = date, promotion, NULL) AS promotion",
            "first_day",
            "last_sale_day",
            "last_price",
        )
    )


def _within_reach(versions: DataFrame) -> DataFrame:
    """The versions that the windows of their epoch reach, and one row that sums up what is older of the series."""
    reach = f"date_add(epoch_first, -{REACH})"
    recent = versions.where(f"date >= {reach}").selectExpr(
        *EPOCH,
        "epoch_end",
        "date",
        "units",
        "unit_price",
        "CAST(promotion AS INT) AS promotion",
        "date AS _first",
        "IF(units > 0, date, NULL) AS _sale",
    )
    older = (
        versions.where(f"date < {reach}")
        .groupBy(*EPOCH, "epoch_end")
        .agg(
            F.expr("max(date) AS date"),
            F.expr("0D AS units"),
            F.expr("max_by(unit_price, IF(unit_price IS NULL, NULL, date)) AS unit_price"),
            F.expr("CAST(NULL AS INT) AS promotion"),
            F.expr("min(date) AS _first"),
            F.expr("max(IF(units > 0, date, NULL)) AS _sale"),
        )
    )
    return recent.union(older)


def _sum(terms: Iterable[str]) -> str:
    return "(" + " + ".join(terms) + ")"


def known_days(first: int, days: int) -> str:
    """SQL: how many of `days` days, from `first` days back on, lie in the series and were reported: 0 or more."""
    return f"greatest(0, least({first + days - 1}, _back) - greatest({first}, _gap) + 1)"


def with_short_windows(grid: DataFrame, days: DataFrame) -> DataFrame:
    """Add what the site had reported at the day's cut-off, lags, and sums and squares of up to 28 days.

    `days` are those of `SiteCalendar`; a day of the grid before the range has none. A lag is null before the series
    began, and 0 where the day's cut-off does not know it (`_gap` days).
    """
    month = f"OVER ({_BY_EPOCH} ORDER BY day ROWS BETWEEN {MONTH - 1} PRECEDING AND CURRENT ROW)"
    lagged = grid.selectExpr(
        *(c for c in grid.columns if c not in ("units", "unit_price", "promotion")),
        "units AS _lag_0",
        *(f"lag(units, {k}) OVER ({_BY_EPOCH} ORDER BY day) AS _lag_{k}" for k in range(1, MONTH)),
        f"avg(unit_price) {month} AS _price_mean",
        f"avg(promotion) {month} AS promotion_share_28",
    )
    return (
        lagged.join(F.broadcast(days), ["tenant", "site", "day"], "left")
        .selectExpr("*", "date_diff(day, site_last) AS _gap", "date_diff(day, first_day) AS _back")
        .selectExpr(
            "*",
            *(f"{known_days(0, w)} AS _days_{w}" for w in (7, MONTH)),
            *(_sum(f"coalesce(_lag_{k}, 0D)" for k in range(w)) + f" AS _sum_{w}" for w in (7, 14, MONTH)),
        )
        .selectExpr(
            "*",
            *(f"_sum_{w} / nullif(_days_{w}, 0) AS _mean_{w}" for w in (7, MONTH)),
            f"_sum_{MONTH} / least({MONTH}, _back + 1) AS _whole_mean",
        )
        .selectExpr(
            "*",
            _sum(_square(k, "_whole_mean") for k in range(MONTH)) + " AS _whole_squares",
            *(
                _sum(f"IF(_gap <= {k}, {_square(k, f'_mean_{w}')}, 0D)" for k in range(w)) + f" AS _squares_{w}"
                for w in (7, MONTH)
            ),
        )
    )


def _square(lag: int, mean: str) -> str:
    """SQL: squared distance of a day's units from a mean; 0 before the series began."""
    return f"coalesce((_lag_{lag} - {mean}) * (_lag_{lag} - {mean}), 0D)"


def with_long_windows(short: DataFrame) -> DataFrame:
    """Add the sums of 56, 182 and 364 days and of the weeks a year ago; only days of the epoch itself are kept."""

    def before(name: str, days: int) -> str:
        return f"coalesce(lag({name}, {days}) OVER ({_BY_EPOCH} ORDER BY day), 0D)"

    lagged = short.selectExpr(
        "*",
        *(f"{before('_sum_28', k)} AS _month_{k}" for k in _BLOCKS),
        f"{before('_sum_14', 168)} AS _half_month_168",
        *(f"{before('_sum_7', k)} AS _week_{k}" for k in LAST_YEAR_LAGS),
        f"{before('_whole_squares', MONTH)} AS _squares_28_before",
    ).where("day >= epoch_first AND site_last IS NOT NULL")
    months = {days: ["_sum_28", *(f"_month_{k}" for k in _BLOCKS if k < days)] for days in (56, 168, 364)}
    return lagged.selectExpr(
        *short.columns,
        f"{_sum(months[56])} AS _sum_56",
        f"{_sum([*months[168], '_half_month_168'])} AS _sum_182",
        f"{_sum(months[364])} AS _sum_364",
        *(f"_week_{k}" for k in LAST_YEAR_LAGS),
        f"{known_days(MONTH, MONTH)} AS _days_before",
        f"_month_28 / nullif({known_days(MONTH, MONTH)}, 0) AS _mean_before",
        "_squares_28_before",
    ).selectExpr("*", f"{_SQUARES_56} AS _squares_56", "_days_28 + _days_before AS _days_56")


# Two months' squares together, each about its own mean, and the distance of the means (Chan, Golub and LeVeque, 1983).
# Without a known day in the last month the month before is not whole either: then there is none.
_SQUARES_56 = """IF(_days_28 = 0, NULL, _squares_28 + _squares_28_before + coalesce((_mean_28 - _mean_before)
    * (_mean_28 - _mean_before) * _days_28 * _days_before / (_days_28 + _days_before), 0D))"""
