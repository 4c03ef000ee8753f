"""Which change needs which version, drawn as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from expectations.compatibility import Change, Level, changes, gravest, raised
from expectations.contract import AtMost, Between, Column, Contract, Kvkk, Matches, OneOf, Rule, Severity, Zone
from expectations.odcs import terms

LANDED = Contract(
    name="shifts",
    zone=Zone.SILVER,
    meaning="Shifts worked.",
    version="1.0.0",
    owner="production",
    keys=("tenant", "worker", "day"),
    columns=(
        Column("tenant", pa.string(), "Customer"),
        Column("worker", pa.string(), "Who", kvkk=Kvkk.PERSONAL),
        Column("day", pa.date32(), "When"),
        Column("hours", pa.float64(), "How long", unit="h"),
        Column("overtime", pa.float64(), "Beyond the shift", unit="h", nullable=True),
        Column("available_at", pa.timestamp("us", tz="UTC"), "Known"),
    ),
    rules=(
        Between(name="hours_of_a_day", column="hours", low=0, high=24, reason="A day has 24 hours."),
        Between(name="overtime_low", column="overtime", low=0, reason="-", severity=Severity.WARNS),
        OneOf(name="known_worker", column="worker", values=("a", "b"), reason="-"),
        Matches(name="worker_code", column="worker", pattern="[a-z]", reason="-"),
        AtMost(name="in_order", lower="overtime", upper="hours", reason="-"),
    ),
    event_time="day",
    known_time="available_at",
    landed=True,
    retention_days=400,
    stale_after_days=14,
)
DERIVED = replace(LANDED, zone=Zone.FEATURES, landed=False, stale_after_days=None)
Edit = Callable[[Contract], Contract]


def column(name: str, **new: Any) -> Edit:
    return lambda c: replace(c, columns=tuple(replace(x, **new) if x.name == name else x for x in c.columns))


def rule(name: str, **new: Any) -> Edit:
    return lambda c: replace(c, rules=tuple(replace(x, **new) if x.name == name else x for x in c.rules))


def table(**new: Any) -> Edit:
    return lambda c: replace(c, **new)


def without(name: str) -> Edit:
    def edit(c: Contract) -> Contract:
        kept = tuple(r for r in c.rules if name not in (r.name, *r.columns))
        return replace(c, columns=tuple(x for x in c.columns if x.name != name), rules=kept)

    return edit


def more(*extra: Column | Rule) -> Edit:
    columns = tuple(x for x in extra if isinstance(x, Column))
    rules = tuple(x for x in extra if isinstance(x, Rule))
    return lambda c: replace(c, columns=c.columns + columns, rules=c.rules + rules)


GRADE = Column("grade", pa.string(), "-")
WEEK = Between(name="week", column="hours", low=0, high=168, reason="-")
MAJOR, MINOR, PATCH = Level.MAJOR, Level.MINOR, Level.PATCH

# change, where and what it is called, level in a landed table, level in a derived one (None: no such change there)
DRAWN: list[tuple[Edit, str, Level | None, Level | None]] = [
    (without("overtime"), "column overtime: removed", MAJOR, MAJOR),
    (column("hours", type=pa.int64()), "column hours: type changed from DOUBLE to BIGINT", MAJOR, MAJOR),
    (column("hours", type=pa.int64()), "column hours: type changed from DOUBLE to BIGINT", MAJOR, MAJOR),
    (column("overtime", nullable=False), "column overtime: nullable became required", MAJOR, MINOR),
    (column("hours", nullable=True), "column hours: required became nullable", MINOR, MAJOR),
    (column("hours", unit="min"), "column hours: unit changed from h to min", MAJOR, MAJOR),
    (column("hours", unit=None), "column hours: unit changed from h to none", MAJOR, MAJOR),
    (column("worker", kvkk=Kvkk.NONE), "column worker: KVKK class lowered from personal to none", MAJOR, MAJOR),
    (column("worker", kvkk=Kvkk.SPECIAL), "column worker: KVKK class raised from personal to special", MINOR, MINOR),
    (column("hours", meaning="Duration"), "column hours: meaning changed", PATCH, PATCH),
    (more(replace(GRADE, nullable=True)), "column grade: added", MINOR, MINOR),
    (more(GRADE), "column grade: required column added to what gateways send", MAJOR, None),
    (more(GRADE), "column grade: added", None, MINOR),
    (table(keys=("tenant", "worker")), "table: keys changed from tenant, worker, day to tenant, worker", MAJOR, MAJOR),
    (table(event_time=None), "table: event time changed from day to none", MAJOR, MAJOR),
    (table(known_time=None), "table: known time changed from available_at to none", MAJOR, MAJOR),
    (table(zone=Zone.GOLD), "table: zone changed", MAJOR, MAJOR),
    (table(partitioned_by=("tenant", "day")), "table: partitioning changed from tenant to tenant, day", None, MAJOR),
    (table(event_time=None), "table: partitioning changed from tenant, year to tenant", MAJOR, None),
    (table(landed=False), "table: way in changed from landed by gateways to derived", MAJOR, None),
    (table(retention_days=399), "table: retention changed from 400 days to 399 days", MAJOR, MAJOR),
    (table(retention_days=None), "table: retention changed from 400 days to for ever", MINOR, MINOR),
    (table(stale_after_days=7), "table: days until it is stale changed from 14 days to 7 days", MAJOR, None),
    (table(stale_after_days=21), "table: days until it is stale changed from 14 days to 21 days", MINOR, None),
    (table(owner="x"), "table: owner changed", PATCH, PATCH),
    (table(meaning="x"), "table: meaning changed", PATCH, PATCH),
    (rule("hours_of_a_day", high=12), "column hours: rule hours_of_a_day: became stricter", MAJOR, MINOR),
    (rule("hours_of_a_day", low=0.1), "column hours: rule hours_of_a_day: became stricter", MAJOR, MINOR),
    (rule("overtime_low", high=1), "column overtime: rule overtime_low: became stricter", MAJOR, MINOR),
    (rule("hours_of_a_day", high=25), "column hours: rule hours_of_a_day: became looser", MINOR, MAJOR),
    (rule("hours_of_a_day", low=None), "column hours: rule hours_of_a_day: became looser", MINOR, MAJOR),
    (rule("hours_of_a_day", low=1, high=25), "column hours: rule hours_of_a_day: became stricter", MAJOR, MINOR),
    (rule("known_worker", values=("a",)), "column worker: rule known_worker: became stricter", MAJOR, MINOR),
    (rule("known_worker", values=("a", "b", "c")), "column worker: rule known_worker: became looser", MINOR, MAJOR),
    (rule("worker_code", pattern="[a-z]+"), "column worker: rule worker_code: became stricter", MAJOR, MINOR),
    (rule("in_order", lower="hours", upper="overtime"), "rule in_order: became stricter", MAJOR, MINOR),
    (rule("overtime_low", severity=Severity.BLOCKS), "severity changed from warns to blocks", MAJOR, MINOR),
    (rule("hours_of_a_day", severity=Severity.WARNS), "severity changed from blocks to warns", MINOR, MAJOR),
    (without("hours_of_a_day"), "column hours: rule hours_of_a_day: removed", MINOR, MAJOR),
    (without("overtime_low"), "column overtime: rule overtime_low: removed", MINOR, MINOR),
    (more(WEEK), "column hours: rule week: blocking rule added", MAJOR, MINOR),
    (more(replace(WEEK, severity=Severity.WARNS)), "column hours: rule week: warning added", MINOR, MINOR),
    (rule("hours_of_a_day", reason="x"), "column hours: rule hours_of_a_day: reason changed", PATCH, PATCH),
    (lambda c: replace(c, columns=c.columns[::-1]), "table: order of the columns changed", PATCH, PATCH),
]  # fmt: skip


def told(change: Change) -> str:
    return f"{change.where}: {change.what}"


@pytest.mark.parametrize(("edit", "what", "landed", "derived"), DRAWN, ids=[row[1] for row in DRAWN])
def test_a_change_is_named_and_needs_its_level(
    edit: Edit, what: str, landed: Level | None, derived: Level | None
) -> None:
    for old, level in ((LANDED, landed), (DERIVED, derived)):
        if level is None:
            continue
        (found,) = [c for c in changes(terms(old), terms(edit(old))) if what in told(c)]
        assert found.level is level


def test_nothing_changed_needs_nothing() -> None:
    assert changes(terms(LANDED), terms(LANDED)) == []
    assert gravest([]) is None


def test_the_gravest_comes_first() -> None:
    edited = column("hours", meaning="x", unit="min", nullable=True)(LANDED)
    assert [c.level for c in changes(terms(LANDED), terms(edited))] == [MAJOR, MINOR, PATCH]


@pytest.mark.parametrize(
    ("version", "level", "needed"),
    [("1.2.3", MAJOR, "2.0.0"), ("1.2.3", MINOR, "1.3.0"), ("1.2.3", PATCH, "1.2.4"), ("0.9.0", MAJOR, "1.0.0")],
)
def test_the_version_that_a_level_needs(version: str, level: Level, needed: str) -> None:
    assert raised(version, level) == needed


@pytest.mark.parametrize("version", ["1", "1.0", "1.0.0.0", "1.a.0", "v1.0.0", "1.-1.0", "1..0"])
def test_a_version_is_three_numbers(version: str) -> None:
    with pytest.raises(ValueError, match="is not three numbers"):
        raised(version, MAJOR)
