"""The calendar features: what was known of a day, and since when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from demand_histories import at, frame, versions

import features.calendar
from expectations.contract import Zone
from expectations.tables import CALENDAR_EVENTS, CALENDAR_FEATURES, SITES
from features.calendar import ALWAYS
from features.days_off import calendar_days
from features.public_holidays import PublicHolidays

FIRST, LAST = date(2026, 3, 1), date(2026, 5, 31)
#   site     country   region   known
SITES_TOLD = """
    gebze    TR        -        2026-01-01
    munich   DE        BY       2026-01-01
    moved    DE        -        2026-01-01
    moved    TR        -        2026-04-10
"""
#   tenant  site     date         event      kind        known
EVENTS_TOLD = """
    a       *        2026-03-10   fair       fair        2026-02-01
    a       gebze    2026-03-10   stocktake  shutdown    2026-03-05
    a       gebze    2026-03-12   stocktake  shutdown    2026-03-05
    a       gebze    2026-03-12   stocktake  holiday     2026-03-09
    a       nowhere  2026-03-10   fair       fair        2026-02-01
    b       gebze    2026-03-20   fair       fair        2026-02-01
    a       gebze    2030-01-01   fair       fair        2026-02-01
    a       moved    2026-05-01   fair       fair        2026-04-20
"""


def told(text: str, *names: str) -> list[dict[str, Any]]:
    rows = [dict(zip(names, line.split(), strict=True)) for line in text.strip().splitlines()]
    return [{k: None if v == "-" else v for k, v in row.items()} for row in rows]


def site_rows() -> list[dict[str, Any]]:
    rows = told(SITES_TOLD, "site", "country", "region", "known")
    made = [{**r, "tenant": "a", "time_zone": "UTC", "available_at": at(r.pop("known"))} for r in rows]
    return versions(made, SITES.keys)


def event_rows() -> list[dict[str, Any]]:
    rows = told(EVENTS_TOLD, "tenant", "site", "date", "event", "kind", "known")
    made = [{**r, "date": date.fromisoformat(r["date"]), "available_at": at(r.pop("known"))} for r in rows]
    return versions(made, CALENDAR_EVENTS.keys)


def calendar(spark: Any, sites: list[dict[str, Any]], events: list[dict[str, Any]]) -> Any:
    reported = spark.createDataFrame([("a", "gebze"), ("a", "unknown"), ("b", "gebze")], "tenant string, site string")
    of_sites, of_events = frame(spark, SITES, sites), frame(spark, CALENDAR_EVENTS, events)
    return features.calendar.calendar_features(of_sites, of_events, reported, dict.fromkeys("ab", (FIRST, LAST)))


@pytest.fixture(scope="module")
def made(spark: Any) -> Any:
    return calendar(spark, site_rows(), event_rows())


@pytest.fixture(scope="module")
def rows(made: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = made.toArrow().to_pylist()
    return found


def of(rows: list[dict[str, Any]], tenant: str, site: str, day: str) -> list[dict[str, Any]]:
    """The versions of one day, in time."""
    mine = [r for r in rows if (r["tenant"], r["site"], str(r["date"])) == (tenant, site, day)]
    return sorted(mine, key=lambda r: r["available_at"])


def known_at(rows: list[dict[str, Any]], moment: datetime) -> dict[tuple[str, str, date], dict[str, Any]]:
    """What each day was known to be at `moment`, without the times of knowing."""
    return {
        (r["tenant"], r["site"], r["date"]): {k: v for k, v in r.items() if k not in ("available_at", "superseded_at")}
        for r in rows
        if r["available_at"] <= moment and (r["superseded_at"] is None or r["superseded_at"] > moment)
    }


def test_it_has_the_columns_of_the_contract(made: Any) -> None:
    from jobs.lake import spark_schema

    wanted = spark_schema(CALENDAR_FEATURES.schema_in(Zone.FEATURES))
    assert [(f.name, f.dataType) for f in made.schema] == [(f.name, f.dataType) for f in wanted]


def test_each_day_of_each_site_is_known_at_any_time_as_exactly_one_version(rows: list[dict[str, Any]]) -> None:
    sites = [("a", "gebze"), ("a", "munich"), ("a", "moved"), ("a", "unknown"), ("b", "gebze")]
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    for moment in (ALWAYS, at("2026-03-05"), at("2026-04-10"), at("2030-01-01")):
        assert sorted(known_at(rows, moment)) == sorted((*site, day) for site in sites for day in days)
        assert len(
            [r for r in rows if r["available_at"] <= moment < (r["superseded_at"] or at("9999-01-01"))]
        ) == 5 * len(days)


#   day          site      from         until        holiday             kinds               events
DRAWN = """
    2026-03-10   munich    always       2026-02-01   -                   -                   -
    2026-03-10   munich    2026-02-01   now          -                   fair                fair
    2026-03-10   gebze     always       2026-02-01   -                   -                   -
    2026-03-10   gebze     2026-02-01   2026-03-05   -                   fair                fair
    2026-03-10   gebze     2026-03-05   now          -                   fair,shutdown       fair,stocktake
    2026-03-12   gebze     always       2026-03-05   -                   -                   -
    2026-03-12   gebze     2026-03-05   2026-03-09   -                   shutdown            stocktake
    2026-03-12   gebze     2026-03-09   now          -                   holiday             stocktake
    2026-03-10   unknown   always       2026-02-01   -                   -                   -
    2026-03-10   unknown   2026-02-01   now          -                   fair                fair
    2026-03-20   gebze     always       now          Eid_al-Fitr         -                   -
    2026-03-20   unknown   always       now          -                   -                   -
    2026-04-23   moved     always       2026-04-10   -                   -                   -
    2026-04-23   moved     2026-04-10   now          National_Sovereignty_and_Children's_Day   -   -
    2026-05-01   moved     always       2026-04-10   Labor_Day           -                   -
    2026-05-01   moved     2026-04-10   2026-04-20   Labor_and_Solidarity_Day   -            -
    2026-05-01   moved     2026-04-20   now          Labor_and_Solidarity_Day   fair         fair
"""


@pytest.mark.parametrize("line", sorted({tuple(line.split()[:2]) for line in DRAWN.strip().splitlines()}))
def test_a_day_has_a_version_for_each_thing_that_became_known(
    line: tuple[str, str], rows: list[dict[str, Any]]
) -> None:
    day, site = line
    expected = [drawn.split()[2:] for drawn in DRAWN.strip().splitlines() if drawn.split()[:2] == [day, site]]
    found = [
        [
            "always" if r["available_at"] == ALWAYS else str(r["available_at"].date()),
            "now" if r["superseded_at"] is None else str(r["superseded_at"].date()),
            (r["holiday"] or "-").replace(" ", "_"),
            ",".join(r["event_kinds"]) or "-",
            ",".join(r["events"]) or "-",
        ]
        for r in of(rows, "a", site, day)
    ]
    assert found == expected


def test_a_tenant_does_not_see_the_events_of_another(rows: list[dict[str, Any]]) -> None:
    assert [r["events"] for r in of(rows, "b", "gebze", "2026-03-10")] == [[]]
    assert [r["events"] for r in of(rows, "b", "gebze", "2026-03-20")] == [[], ["fair"]]


LATE = {"tenant": "a", "site": "gebze", "date": date(2026, 3, 25), "event": "strike", "kind": "shutdown"}
LATE_SITE = {"tenant": "a", "site": "munich", "country": "TR", "region": None, "time_zone": "UTC"}


def moved_by_late_news(spark: Any, before: list[dict[str, Any]]) -> set[tuple[str, str, date]]:
    """Days that were known otherwise on 1 April once news of 2 April has landed."""
    known = datetime(2026, 4, 2, tzinfo=UTC)
    events = [*event_rows(), {**LATE, "available_at": known, "superseded_at": None}]
    sites = versions([*site_rows(), {**LATE_SITE, "available_at": known}], SITES.keys)
    after = calendar(spark, sites, events).toArrow().to_pylist()
    assert known_at(before, at("2026-04-03")) != known_at(after, at("2026-04-03"))
    then = at("2026-04-01")
    return {day for day, row in known_at(before, then).items() if known_at(after, then)[day] != row}


def test_late_news_moves_nothing_that_was_known_before(spark: Any, rows: list[dict[str, Any]]) -> None:
    assert moved_by_late_news(spark, rows) == set()


def test_a_leak_is_seen_by_the_test_above(
    spark: Any, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features.calendar.Span, "holds_at", lambda self, _: self.known_until is None)
    assert moved_by_late_news(spark, rows)


#    day          week  day  weekend  starts  ends   to  since
CALENDAR_DAYS = """
    2026-03-01    9     7    yes      yes     no     15  15
    2026-03-04    10    3    no       no      no     15  15
    2026-03-05    10    4    no       no      no     15  15
    2026-03-06    10    5    no       no      no     14  15
    2026-03-19    12    4    no       no      no     1   15
    2026-03-20    12    5    no       no      no     0   0
    2026-03-21    12    6    yes      no      no     0   0
    2026-03-24    13    2    no       no      no     15  2
    2026-03-31    14    2    no       no      yes    15  9
    2026-12-31    53    4    no       no      yes    1   15
"""


def test_a_day_tells_its_place_in_week_and_month_and_its_distance_to_holidays() -> None:
    found = {d["date"]: d for d in calendar_days(PublicHolidays("TR"), FIRST, date(2026, 12, 31))}
    for line in CALENDAR_DAYS.strip().splitlines():
        day, week, weekday, weekend, starts, ends, until, since = line.split()
        row = found[date.fromisoformat(day)]
        assert (row["week_of_year"], row["day_of_week"]) == (int(week), int(weekday)), day
        assert (row["is_weekend"], row["is_month_start"], row["is_month_end"]) == tuple(
            flag == "yes" for flag in (weekend, starts, ends)
        ), day
        assert (row["days_to_holiday"], row["days_since_holiday"]) == (int(until), int(since)), day
