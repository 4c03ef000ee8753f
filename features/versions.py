"""Which version of a record is seen on which day, and the stretches of days in which no late news changes a series.

Late news is a row or a correction that was not known at the cut-off of its own day. Between two days on which
such news of a series became known, everything that its features see is one unchanging set of versions: an epoch.
Windows over an epoch are exact for each of its days, so features of years cost one pass over the series and one
over a year of it for each piece of late news, instead of one over a year for every day.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.sites import SiteCalendar

SERIES = ["tenant", "site", "product"]
EPOCH = [*SERIES, "epoch_first"]


def _day_that_sees(moment: str) -> str:
    """SQL: first day of the range whose cut-off is not before the timestamp `moment`; null if none is.

    A cut-off of a day lies between 16:00 of it and 18:00 of the next in UTC, so that what becomes known on the UTC
    day U is first seen on U - 1, U or U + 1: two cut-offs decide which.
    """
    utc_day = f"date_from_unix_date(CAST(floor(unix_micros({moment}) / 86400000000) AS INT))"
    place = f"date_diff({utc_day}, range_first)"  # of U - 1 in cut_offs, which begins the day before the range
    day = f"""CASE WHEN {utc_day} < date_add(range_first, -1) THEN range_first
        WHEN {moment} <= get(cut_offs, {place}) THEN date_add({utc_day}, -1)
        WHEN {moment} <= get(cut_offs, {place} + 1) THEN {utc_day}
        ELSE date_add({utc_day}, 1) END"""
    return f"IF({day} <= range_last, greatest({day}, range_first), NULL)"


def seen_versions(sales: DataFrame, calendar: SiteCalendar) -> DataFrame:
    """The versions that some day of the tenant's range sees, with the days of the range from and until which it does.

    `sales` are all known versions of the contract sales. Columns: tenant, site, product, date, units, unit_price,
    promotion, range_first, range_last, seen_from and seen_until (exclusive; null: until the end). A version is seen
    from its own day on at the earliest.
    """
    return (
        sales.join(F.broadcast(calendar.sites), ["tenant", "site"], "inner")
        .where("date <= range_last")
        .selectExpr(
            *SERIES,
            "date",
            "units",
            "unit_price",
            "promotion",
            "range_first",
            "range_last",
            f"greatest(date, {_day_that_sees('available_at')}) AS seen_from",
            f"{_day_that_sees('available_at')} AS _known",
            f"{_day_that_sees('superseded_at')} AS _superseded",
        )
        .where("_known IS NOT NULL")
        .withColumn("seen_until", F.expr("IF(_superseded IS NULL, NULL, greatest(date, _superseded))"))
        .where("seen_until IS NULL OR seen_until > seen_from")
        .drop("_known", "_superseded")
    )


def epochs(seen: DataFrame) -> DataFrame:
    """Rows (tenant, site, product, epoch_first, epoch_end) of the series with late news; `epoch_end` is exclusive.

    A series that is not here has one epoch, the whole range.
    """
    late = seen.where("seen_from > greatest(date, range_first) OR seen_until IS NOT NULL")
    days_of_news = "array_compact(array(range_first, IF(seen_from > date, seen_from, NULL), seen_until))"
    return (
        late.selectExpr(*SERIES, "range_last", f"explode({days_of_news}) AS epoch_first")
        .distinct()
        .selectExpr(
            *EPOCH,
            f"lead(epoch_first, 1, date_add(range_last, 1)) OVER (PARTITION BY {', '.join(SERIES)} ORDER BY epoch_first)"
            " AS epoch_end",
        )
    )


def by_epoch(seen: DataFrame, of_series: DataFrame | None) -> DataFrame:
    """Each version in each epoch that sees it: `seen` with epoch_first and epoch_end.

    `of_series` is the result of `epochs`, or None where no series has late news.
    """
    columns = [*SERIES, "date", "units", "unit_price", "promotion"]
    if of_series is None:
        return seen.selectExpr(*columns, "range_first AS epoch_first", "date_add(range_last, 1) AS epoch_end")
    split = seen.join(of_series, SERIES, "left").selectExpr(
        *columns,
        "seen_from",
        "seen_until",
        "coalesce(epoch_first, range_first) AS epoch_first",
        "coalesce(epoch_end, date_add(range_last, 1)) AS epoch_end",
    )
    on = "greatest(epoch_first, date)"
    return split.where(f"date < epoch_end AND seen_from <= {on} AND (seen_until IS NULL OR seen_until > {on})").select(
        *columns, "epoch_first", "epoch_end"
    )
