"""The demand features: what was known of each series at the cut-off of each day."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from expectations.tables import DEMAND_FEATURES, LAGS, LAST_YEAR_LAGS, ROLLING_MEANS, ROLLING_STDS
from features.groups import GROUP, group_sums, known_groups
from features.series import MONTH, daily_grid, known_days, with_long_windows, with_short_windows
from features.sites import Ranges, site_calendar
from features.versions import by_epoch, epochs, seen_versions


def demand_features(sales: DataFrame, sites: DataFrame, products: DataFrame, ranges: Ranges) -> DataFrame:
    """The rows of DEMAND_FEATURES for each day of each tenant's range, each as known at the cut-off of its day.

    `sales`, `sites` and `products` are silver: every known version with available_at and superseded_at. A series has
    a row for each day from its first known row on. Raises ValueError for a range that ends before it begins.
    """
    calendar = site_calendar(sales, sites, ranges)
    seen = seen_versions(sales, calendar)
    nightly = all(first == last for first, last in ranges.values())  # a single day has no later news
    versions = by_epoch(seen, None if nightly else epochs(seen))
    rows = with_long_windows(with_short_windows(daily_grid(versions), calendar.days))
    groups = group_sums(seen, products, calendar)
    rows = known_groups(rows, products).join(F.broadcast(groups), [*GROUP, "day"], "left")
    return rows.selectExpr(*_columns())


def _columns() -> list[str]:
    made = {
        "date": "day",
        **{f"units_lag_{k}": f"IF(_gap <= {k}, _lag_{k}, NULL)" for k in LAGS},
        **{f"units_mean_{w}": _mean(f"_sum_{w}", 0, w) for w in ROLLING_MEANS},
        **{f"units_std_{w}": f"IF(_days_{w} > 1, sqrt(_squares_{w} / (_days_{w} - 1)), NULL)" for w in ROLLING_STDS},
        **{f"units_mean_7_lag_{k}": _mean(f"_week_{k}", k, 7) for k in LAST_YEAR_LAGS},
        "units_zero_share_28": _IDLE_SHARE,
        "days_since_first": "CAST(_back AS DOUBLE)",
        "days_since_last_sale": "CAST(date_diff(day, last_sale_day) AS DOUBLE)",
        "unit_price": "last_price",
        "unit_price_ratio_28": "last_price / nullif(_price_mean, 0D)",
        "group_units_mean_28": _GROUP_MEAN,
        "share_of_group_28": "_sum_28 / nullif(group_sum_28, 0D)",
        "year": "year(day)",
    }
    return [f"{made.get(c.name, c.name)} AS {c.name}" for c in DEMAND_FEATURES.columns]


def _mean(total: str, first: int, days: int) -> str:
    """SQL: `total` over the known days among the `days` days from `first` days back on; null where there are none."""
    return f"{total} / nullif({known_days(first, days)}, 0)"


# The group's units over the days that the site reported: the first day of a group is none of its own.
_REPORTED = f"(date_diff(site_last, greatest(site_first, date_add(day, -{MONTH - 1}))) + 1)"
_GROUP_MEAN = f"IF(product_group IS NOT NULL AND {_REPORTED} > 0, coalesce(group_sum_28, 0D) / {_REPORTED}, NULL)"
_IDLE_SHARE = f"({' + '.join(f'IF(_gap <= {k} AND _lag_{k} = 0, 1, 0)' for k in range(MONTH))}) / nullif(_days_28, 0)"
