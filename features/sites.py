"""The sites by day: the cut-off, and what each had reported by then. Small tables, made on the driver."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from expectations.contract import UTC_TIME
from features.cutoff import UNKNOWN_ZONE, cut_off, earliest_cut_off

# From the first to the last day for which a tenant's features are asked.
Ranges = Mapping[str, tuple[date, date]]
SiteKey = tuple[str, str]  # tenant, site
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """What was known of a site from `known_from` (None: ever) until `known_until` (None: now)."""

    known_from: datetime | None
    known_until: datetime | None
    country: str | None = None
    region: str | None = None
    time_zone: str = UNKNOWN_ZONE

    def holds_at(self, moment: datetime) -> bool:
        begun = self.known_from is None or self.known_from <= moment
        return begun and (self.known_until is None or self.known_until > moment)


NOTHING_KNOWN = (Span(None, None),)


def site_spans(versions: Iterable[Mapping[str, Any]]) -> dict[SiteKey, tuple[Span, ...]]:
    """What was known of each site, in time, from the known versions of the contract sites.

    Before its first known version a site has that version's attributes: where it stands was no news.
    """
    spans: dict[SiteKey, list[Span]] = defaultdict(list)
    for row in sorted(versions, key=lambda r: r["available_at"]):
        of_site = spans[row["tenant"], row["site"]]
        since = row["available_at"] if of_site else None
        of_site.append(Span(since, row["superseded_at"], row["country"], row["region"], row["time_zone"]))
    return {site: tuple(of_site) for site, of_site in spans.items()}


def site_cut_off(spans: Iterable[Span], day: date) -> datetime:
    """The cut-off of `day` by the time zone known when the first place on earth has it."""
    moment = earliest_cut_off(day)
    return cut_off(day, next((s.time_zone for s in spans if s.holds_at(moment)), UNKNOWN_ZONE))


@dataclass(frozen=True)
class SiteCalendar:
    """Two small frames.

    `sites`, a row a site: tenant, site, range_first, range_last, and `cut_offs` of the day before the range to the day
    after it. `days`, a row a site and day of the range at whose cut-off it had reported anything: tenant, site, day,
    cut_off, and the earliest and latest day that it had reported by then, site_first and site_last.
    """

    sites: DataFrame
    days: DataFrame


def site_calendar(sales: DataFrame, sites: DataFrame, ranges: Ranges) -> SiteCalendar:
    """The calendar of every site with a row in `sales`; both frames are silver. Raises ValueError for a bad range."""
    for tenant, (first, last) in ranges.items():
        if last < first:
            raise ValueError(f"tenant {tenant}: the range ends on {last}, before it begins on {first}")
    known = site_spans(_of(sites, ranges).toArrow().to_pylist())
    reported = _of(sales, ranges).groupBy("tenant", "site", "date").agg(F.min("available_at").alias("known_at"))
    by_site: dict[SiteKey, list[tuple[date, datetime]]] = defaultdict(list)
    for row in reported.toArrow().to_pylist():
        by_site[row["tenant"], row["site"]].append((row["date"], row["known_at"]))
    arrays, days = [], []
    for site, arrivals in sorted(by_site.items()):
        first, last = ranges[site[0]]
        moments = [
            site_cut_off(known.get(site, NOTHING_KNOWN), first + n * DAY) for n in range(-1, (last - first).days + 2)
        ]
        arrays.append((*site, first, last, moments))
        days += [(*site, *day) for day in _reported_days(first, moments[1:-1], arrivals)]
    spark = sales.sparkSession
    return SiteCalendar(_frame(spark, _SITES, arrays), _frame(spark, _DAYS, days))


def _reported_days(
    first: date, cut_offs: list[datetime], arrivals: list[tuple[date, datetime]]
) -> list[tuple[date, datetime, date, date]]:
    """(day, cut-off, earliest, latest day reported by then) of each day with anything reported."""
    news = defaultdict(list)
    for day, known_at in arrivals:
        news[max(bisect_left(cut_offs, known_at), (day - first).days)].append(day)
    found = []
    so_far: list[date] = []
    for n, moment in enumerate(cut_offs):
        so_far = [min(so_far + news[n]), max(so_far + news[n])] if so_far or news[n] else []
        if so_far:
            found.append((first + n * DAY, moment, so_far[0], so_far[1]))
    return found


def _of(frame: DataFrame, ranges: Ranges) -> DataFrame:
    return frame.where(F.col("tenant").isin(sorted(ranges)))


_KEY = [("tenant", pa.string()), ("site", pa.string())]
_SITES = pa.schema([*_KEY, ("range_first", pa.date32()), ("range_last", pa.date32()), ("cut_offs", pa.list_(UTC_TIME))])
_DAYS = pa.schema(
    [*_KEY, ("day", pa.date32()), ("cut_off", UTC_TIME), ("site_first", pa.date32()), ("site_last", pa.date32())]
)


def _frame(spark: SparkSession, schema: pa.Schema, rows: list[tuple[Any, ...]]) -> DataFrame:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return spark.createDataFrame(
        pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
    )
