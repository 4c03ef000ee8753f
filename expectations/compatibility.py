"""What a change of a contract means for those who rely on it, and which version it therefore needs.

A landed table's contract binds those who send: it may ask less of them, not more. A derived table's contract
binds us to those who read: it may promise more, not less. What both sides read, like a unit, may not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from expectations.contract import AtMost, Between, Column, Kvkk, Matches, NotNull, OneOf, Rule, Severity
from expectations.odcs import Terms, physical_type

_KVKK_ORDER = (Kvkk.NONE, Kvkk.PERSONAL, Kvkk.SPECIAL)


class Level(IntEnum):
    """The part of the version that must rise."""

    PATCH = 1  # words alone
    MINOR = 2  # nobody who relies on it notices
    MAJOR = 3  # somebody's data or query stops working


@dataclass(frozen=True)
class Change:
    """One difference between two versions: where (a column, a rule, the table), what, and how grave."""

    where: str
    what: str
    level: Level


def parts(version: str) -> tuple[int, int, int]:
    """Major, minor and patch. Raises ValueError unless `version` is three numbers."""
    numbers = version.split(".")
    if len(numbers) != 3 or not all(n.isdecimal() for n in numbers):
        raise ValueError(f"version {version!r} is not three numbers as in 1.2.0")
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def raised(version: str, level: Level) -> str:
    """The lowest version after `version` that a change of `level` may have."""
    major, minor, patch = parts(version)
    return {
        Level.MAJOR: f"{major + 1}.0.0",
        Level.MINOR: f"{major}.{minor + 1}.0",
        Level.PATCH: f"{major}.{minor}.{patch + 1}",
    }[level]


def changes(old: Terms, new: Terms) -> list[Change]:
    """Every difference from `old` to `new`, the gravest first."""
    found = [*_table(old, new), *_columns(old, new), *_rules(old, new)]
    return sorted(found, key=lambda change: -change.level)


def _table(old: Terms, new: Terms) -> Iterator[Change]:
    was, now = old.contract, new.contract
    fixed = {
        "keys": (was.keys, now.keys),
        "partitioning": (old.partitions, new.partitions),
        "event time": (was.event_time, now.event_time),
        "known time": (was.known_time, now.known_time),
        "zone": (str(was.zone), str(now.zone)),
        "way in": (_way_in(was.landed), _way_in(now.landed)),
    }
    for what, (a, b) in fixed.items():
        if a != b:
            yield Change("table", f"{what} changed from {_told(a)} to {_told(b)}", Level.MAJOR)
    yield from _days("retention", was.retention_days, now.retention_days)
    yield from _days("days until it is stale", was.stale_after_days, now.stale_after_days)
    for what, words in {"owner": (was.owner, now.owner), "meaning": (was.meaning, now.meaning)}.items():
        if words[0] != words[1]:
            yield Change("table", f"{what} changed", Level.PATCH)


def _way_in(landed: bool) -> str:
    return "landed by gateways" if landed else "derived"


def _told(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value or "none")


def _days(what: str, was: int | None, now: int | None) -> Iterator[Change]:
    """Fewer days take something away (None is for ever)."""
    if was == now:
        return
    fewer = now is not None and (was is None or now < was)
    shown = [f"{days} days" if days is not None else "for ever" for days in (was, now)]
    yield Change("table", f"{what} changed from {shown[0]} to {shown[1]}", Level.MAJOR if fewer else Level.MINOR)


# ---------------------------------------------------------------------------- columns
def _columns(old: Terms, new: Terms) -> Iterator[Change]:
    was, now = {c.name: c for c in old.stored}, {c.name: c for c in new.stored}
    landed = new.contract.landed
    sent = {c.name for c in new.contract.landing_columns} if landed else set()
    for name in was.keys() - now.keys():
        yield Change(f"column {name}", "removed", Level.MAJOR)
    for name in now.keys() - was.keys():
        asked = name in sent and not now[name].nullable
        what = "required column added to what gateways send" if asked else "added"
        yield Change(f"column {name}", what, Level.MAJOR if asked else Level.MINOR)
    for name in was.keys() & now.keys():
        yield from _column(was[name], now[name], landed)
    if list(was) != list(now) and was.keys() == now.keys():
        yield Change("table", "order of the columns changed", Level.PATCH)


def _column(was: Column, now: Column, landed: bool) -> Iterator[Change]:
    where = f"column {was.name}"
    if was.type != now.type:
        told = f"type changed from {physical_type(was.type)} to {physical_type(now.type)}"
        yield Change(where, told, Level.MAJOR)
    if was.unit != now.unit:
        yield Change(where, f"unit changed from {_told(was.unit)} to {_told(now.unit)}", Level.MAJOR)
    if was.nullable and not now.nullable:
        yield Change(where, "nullable became required", _tighter(landed))
    if not was.nullable and now.nullable:
        yield Change(where, "required became nullable", _looser(landed))
    if was.kvkk != now.kvkk:
        lower = _KVKK_ORDER.index(now.kvkk) < _KVKK_ORDER.index(was.kvkk)
        told = f"KVKK class {'lowered' if lower else 'raised'} from {was.kvkk} to {now.kvkk}"
        yield Change(where, told, Level.MAJOR if lower else Level.MINOR)
    if was.meaning != now.meaning:
        yield Change(where, "meaning changed", Level.PATCH)


def _tighter(landed: bool) -> Level:
    return Level.MAJOR if landed else Level.MINOR


def _looser(landed: bool) -> Level:
    return Level.MINOR if landed else Level.MAJOR


# ---------------------------------------------------------------------------- rules
def _rules(old: Terms, new: Terms) -> Iterator[Change]:
    was, now = {r.name: r for r in old.contract.rules}, {r.name: r for r in new.contract.rules}
    landed = new.contract.landed
    for name in was.keys() - now.keys():
        blocked = was[name].severity is Severity.BLOCKS
        yield Change(_at(was[name]), "removed", _looser(landed) if blocked else Level.MINOR)
    for name in now.keys() - was.keys():
        blocks = now[name].severity is Severity.BLOCKS
        what = "blocking rule added" if blocks else "warning added"
        yield Change(_at(now[name]), what, _tighter(landed) if blocks else Level.MINOR)
    for name in was.keys() & now.keys():
        yield from _rule(was[name], now[name], landed)


def _at(rule: Rule) -> str:
    return f"column {', '.join(rule.columns)}: rule {rule.name}"


def _rule(was: Rule, now: Rule, landed: bool) -> Iterator[Change]:
    stricter, looser = _strictness(was, now)
    if stricter:
        yield Change(_at(now), "became stricter", _tighter(landed))
    if looser:
        yield Change(_at(now), "became looser", _looser(landed))
    if was.severity is not now.severity:
        blocks = now.severity is Severity.BLOCKS
        told = f"severity changed from {was.severity} to {now.severity}"
        yield Change(_at(now), told, _tighter(landed) if blocks else _looser(landed))
    if was.reason != now.reason:
        yield Change(_at(now), "reason changed", Level.PATCH)


def _strictness(was: Rule, now: Rule) -> tuple[bool, bool]:
    """Whether `now` fails rows that passed, and whether it passes rows that failed; both where nobody can tell."""
    if type(was) is not type(now) or was.columns != now.columns:
        return True, True
    match was, now:
        case Between(), Between():
            return _narrower(was, now), _narrower(now, was)
        case OneOf(), OneOf():
            return not set(was.values) <= set(now.values), not set(now.values) <= set(was.values)
        case Matches(), Matches():
            return was.pattern != now.pattern, was.pattern != now.pattern
        case (NotNull(), NotNull()) | (AtMost(), AtMost()):
            return False, False
    return was != now, was != now


def _narrower(was: Between, now: Between) -> bool:
    """Whether a bound of `now` cuts off what `was` let through."""
    low = now.low is not None and (was.low is None or _less(was.low, now.low))
    high = now.high is not None and (was.high is None or _less(now.high, was.high))
    return low or high


def _less(a: float | str, b: float | str) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return a < b
    if isinstance(a, str) or isinstance(b, str):
        return True  # a number and a day cannot be compared: the worse is assumed
    return a < b


def gravest(found: Iterable[Change]) -> Level | None:
    """The level that the changes need together; None where there are none."""
    return max((change.level for change in found), default=None)
