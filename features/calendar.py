"""The calendar features: what is known beforehand of each day at each site, a version a row.

The calendars of the countries and the versions of the days with events are small and made on the driver; Spark
brings them together with the sites.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from expectations.tables import CALENDAR_FEATURES
from features.days_off import calendar_days
from features.public_holidays import PublicHolidays
from features.sites import NOTHING_KNOWN, Ranges, SiteKey, Span, site_spans

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)  # known time of what was never news
ALL_SITES = "*"
Spans = Mapping[SiteKey, tuple[Span, ...]]
Row = Mapping[str, Any]


class Event(NamedTuple):
    name: str
    kind: str
    span: Span  # when it was known so


def calendar_features(sites: DataFrame, events: DataFrame, reported: DataFrame, ranges: Ranges) -> DataFrame:
    """The rows of CALENDAR_FEATURES for each day of each tenant's range.

    `sites` and `events` are silver: every known version with available_at and superseded_at. `reported` has the rows
    (tenant, site) that have records: a site among them that `sites` does not tell has no holidays.
    """
    tenants = F.col("tenant").isin(sorted(ranges))
    selling = _rows(reported.where(tenants).select("tenant", "site").distinct())
    told = site_spans(_rows(sites.where(tenants)))
    spans = {**{(r["tenant"], r["site"]): NOTHING_KNOWN for r in selling}, **told}
    planned = _by_site_and_day(_rows(events.where(tenants)), spans, ranges)
    eventful = _frame(
        sites, _EVENTFUL, [v for site, days in planned.items() for v in _versions(site, spans[site], days)]
    )
    plain = _frame(sites, _PLAIN, [row for site, of_site in spans.items() for row in _plain(site, of_site, ranges)])
    days = F.broadcast(_frame(sites, _DAYS, list(_days(spans, ranges))))
    quiet = (
        plain.join(days, "calendar", "inner")
        .where("date BETWEEN range_first AND range_last")
        .join(
            F.broadcast(eventful.select("tenant", "site", "date").distinct()), ["tenant", "site", "date"], "left_anti"
        )
    )
    columns = [c.name for c in CALENDAR_FEATURES.columns]
    return quiet.select(*columns).union(eventful.join(days, ["calendar", "date"], "inner").select(*columns))


def _rows(frame: DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = frame.toArrow().to_pylist()
    return found


def _by_site_and_day(rows: Iterable[Row], spans: Spans, ranges: Ranges) -> dict[SiteKey, dict[date, list[Event]]]:
    """The versions of the events of each day in range; one for all sites counts at each that there is."""
    of_tenant: dict[str, list[str]] = defaultdict(list)
    for tenant, site in spans:
        of_tenant[tenant].append(site)
    planned: dict[SiteKey, dict[date, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        first, last = ranges[row["tenant"]]
        if first <= row["date"] <= last:
            known = Span(row["available_at"], row["superseded_at"])
            for site in of_tenant[row["tenant"]] if row["site"] == ALL_SITES else [row["site"]]:
                if (row["tenant"], site) in spans:
                    planned[row["tenant"], site][row["date"]].append(Event(row["event"], row["kind"], known))
    return planned


def _versions(site: SiteKey, spans: Iterable[Span], days: Mapping[date, list[Event]]) -> Iterator[Row]:
    """What was known of each day with events, from when until when; a moment that changes nothing makes no version."""
    for day, events in days.items():
        every = [*spans, *(e.span for e in events)]
        moments = {m for s in every for m in (s.known_from, s.known_until) if m is not None and m > ALWAYS}
        versions: list[dict[str, Any]] = []
        for moment in [ALWAYS, *sorted(moments)]:
            then = [e for e in events if e.span.holds_at(moment)]
            known = {
                "calendar": next(_calendar(s) for s in spans if s.holds_at(moment)),
                "event_kinds": sorted({e.kind for e in then}),
                "events": sorted({e.name for e in then}),
            }
            if versions and all(versions[-1][k] == v for k, v in known.items()):
                continue
            if versions:
                versions[-1]["superseded_at"] = moment
            versions.append({**_key(site), "date": day, "available_at": moment, "superseded_at": None, **known})
        yield from versions


def _plain(site: SiteKey, spans: Iterable[Span], ranges: Ranges) -> Iterator[Row]:
    """A row for each version of the site's country: what is known of each of its days without events."""
    first, last = ranges[site[0]]
    for span in spans:
        yield {
            **_key(site),
            "range_first": first,
            "range_last": last,
            "calendar": _calendar(span),
            "available_at": span.known_from or ALWAYS,
            "superseded_at": span.known_until,
            "event_kinds": [],
            "events": [],
        }


def _days(spans: Spans, ranges: Ranges) -> Iterator[Row]:
    first, last = min(r[0] for r in ranges.values()), max(r[1] for r in ranges.values())
    for country, region in sorted({(s.country, s.region) for of_site in spans.values() for s in of_site}, key=str):
        key = {"calendar": _calendar(Span(None, None, country, region))}
        yield from ({**key, **day} for day in calendar_days(PublicHolidays(country, region), first, last))


def _key(site: SiteKey) -> dict[str, str]:
    return dict(zip(("tenant", "site"), site, strict=True))


def _calendar(span: Span) -> str:
    return f"{span.country or ''}/{span.region or ''}"


def _frame(like: DataFrame, schema: pa.Schema, rows: list[Row]) -> DataFrame:
    return like.sparkSession.createDataFrame(pa.Table.from_pylist(rows, schema=schema))


_FIELDS = {c.name: c.field.with_nullable(True) for c in CALENDAR_FEATURES.columns}
_CALENDAR = pa.field("calendar", pa.string())
_VERSION = [_FIELDS[n] for n in ("tenant", "site", "available_at", "superseded_at", "event_kinds", "events")]
_EVENTFUL = pa.schema([*_VERSION, _CALENDAR, _FIELDS["date"]])
_PLAIN = pa.schema([*_VERSION, _CALENDAR, pa.field("range_first", pa.date32()), pa.field("range_last", pa.date32())])
_DAYS = pa.schema([_CALENDAR, *(f for n, f in _FIELDS.items() if f not in _VERSION)])
