"""What people said of a plan, kept in every version: nothing is changed or deleted, a later version stands for the earlier ones."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, select, tuple_

from serving.identity.audit import Audit
from serving.identity.roles import Caller
from serving.plans.arithmetic import Change
from serving.problems import Problem
from serving.state.database import State, insert_or
from serving.state.tables import OVERRIDES, PLANS

BOOKS_KEPT = 300  # tenants whose overrides in force are held in memory
_CHANGE = tuple(Change.__dataclass_fields__)


@dataclass(frozen=True)
class Said:
    """What somebody says: a change, why, and until when it holds; and the forecast that he saw as he said it.

    `baseline` has the units of the whole node in each period that was forecast, by its first day.
    """

    change: Change
    reason: str
    expires_at: datetime
    night: date
    period: str
    baseline: Mapping[date, float]


@dataclass(frozen=True)
class Override(Said):
    """One version of an override, as it is kept. `plan_version` is the change of the plan by which it came."""

    override_id: str
    version: int
    plan_version: int
    position: int
    is_withdrawn: bool
    made_by: str
    made_at: datetime

    def is_in_force(self, now: datetime) -> bool:
        """Whether it has an effect on the plan."""
        return not self.is_withdrawn and now < self.expires_at


@dataclass(frozen=True)
class Book:
    """The overrides of a tenant that were in force when they were read, the earliest said first, at one version of its plan."""

    plan_version: int
    overrides: tuple[Override, ...]


class Overrides:
    """Makes, changes, withdraws and finds them."""

    def __init__(self, state: State, audit: Audit, now: Callable[[], datetime]) -> None:
        self._state = state
        self._audit = audit
        self._now = now
        self._books: OrderedDict[str, Book] = OrderedDict()
        self._lock = threading.Lock()

    def book(self, tenant: str) -> Book:
        """What is in force; only what was changed since the last time is read."""
        with self._state.read() as connection:
            version = connection.execute(select(PLANS.c.plan_version).where(PLANS.c.tenant == tenant)).scalar() or 0
            with self._lock:
                held = self._books.get(tenant)
            if held and held.plan_version == version:
                return held
            found = Book(version, tuple(self._in_force(connection, tenant, held)))
        with self._lock:
            self._books[tenant] = found
            self._books.move_to_end(tenant)
            while len(self._books) > BOOKS_KEPT:
                self._books.popitem(last=False)
        return found

    def _in_force(self, connection: Connection, tenant: str, held: Book | None) -> list[Override]:
        """The last versions in force: those `held` but for what has followed them, and the newer ones."""
        now = self._now()
        which = [_is_last()]
        if held:
            which.append(OVERRIDES.c.plan_version > held.plan_version)
        else:
            which += [OVERRIDES.c.is_withdrawn.is_(False), OVERRIDES.c.expires_at > now]
        newer = _read(connection, tenant, and_(*which))
        replaced = {o.override_id for o in newer}
        before = [o for o in held.overrides if o.override_id not in replaced] if held else []
        return [o for o in (*before, *newer) if o.is_in_force(now)]

    def history(self, tenant: str, override_id: str) -> list[Override]:
        """Every version of one, the first one first. Raises Problem."""
        with self._state.read() as connection:
            return _history(connection, tenant, override_id)

    def every_version(self, tenant: str) -> list[Override]:
        """Every version of all of them, in the order in which they were said."""
        with self._state.read() as connection:
            return _read(connection, tenant, OVERRIDES.c.tenant == tenant)

    def page(
        self,
        tenant: str,
        limit: int,
        before: tuple[int, int] | None,
        wanted: Mapping[str, Collection[str]],
        state: str | None,
    ) -> list[Override]:
        """At most `limit`, as they are now, the last said first, said before (plan_version, position) `before`.

        `wanted` has codes by column, `state` is `expired`, `withdrawn` or, for all, None.
        """
        which = [_is_last(), *(OVERRIDES.c[name].in_(codes) for name, codes in wanted.items())]
        if before:
            which.append(tuple_(OVERRIDES.c.plan_version, OVERRIDES.c.position) < before)
        if state:
            which.append(OVERRIDES.c.is_withdrawn.is_(state == "withdrawn"))
        if state == "expired":
            which.append(OVERRIDES.c.expires_at <= self._now())
        with self._state.read() as connection:
            return _read(connection, tenant, and_(*which), limit)

    def make(self, caller: Caller, tenant: str, said: Sequence[Said]) -> list[Override]:
        """New overrides, all of them or none."""
        with self._state.write() as connection:
            return self.make_in(connection, caller, tenant, said)

    def make_in(self, connection: Connection, caller: Caller, tenant: str, said: Sequence[Said]) -> list[Override]:
        """The same in a transaction that is open already."""
        plan_version = _next_version(connection, tenant)
        made = [
            self._version(caller, each, "made", secrets.token_hex(8), 1, plan_version, position)
            for position, each in enumerate(said)
        ]
        self._keep(connection, caller, tenant, "made", made)
        return made

    def change(self, caller: Caller, tenant: str, override_id: str, seen: Sequence[int] | None, said: Said) -> Override:
        """A new version in place of one of the versions `seen` (None: of whichever it is). Raises Problem."""
        with self._state.write() as connection:
            plan_version = _next_version(connection, tenant)
            last = self._last(connection, tenant, override_id, seen)
            kept = self._version(caller, said, "changed", override_id, last.version + 1, plan_version, 0)
            self._keep(connection, caller, tenant, "changed", [kept])
        return kept

    def withdraw(self, caller: Caller, tenant: str, override_id: str, seen: Sequence[int] | None) -> Override:
        """It has no effect any more; what was said stays. Raises Problem."""
        with self._state.write() as connection:
            plan_version = _next_version(connection, tenant)
            last = self._last(connection, tenant, override_id, seen)
            kept = self._version(caller, last, "withdrawn", override_id, last.version + 1, plan_version, 0)
            self._keep(connection, caller, tenant, "withdrawn", [kept])
        return kept

    def _last(self, connection: Connection, tenant: str, override_id: str, seen: Sequence[int] | None) -> Override:
        """The version that stands, if it may be followed by another. Raises Problem."""
        last = _history(connection, tenant, override_id)[-1]
        if seen is not None and last.version not in seen:
            by = f"{last.made_by} at {last.made_at:%Y-%m-%d %H:%M} UTC"
            why = f"override {override_id} is at version {last.version} by now, by {by}: read it again, then change it"
            raise Problem("version-changed", why)
        if not last.is_in_force(self._now()):
            what = "was withdrawn" if last.is_withdrawn else f"ended at {last.expires_at:%Y-%m-%d %H:%M} UTC"
            raise Problem("override-over", f"override {override_id} {what}: make a new one")
        return last

    def _version(
        self, caller: Caller, said: Said, what: str, override_id: str, version: int, plan_version: int, position: int
    ) -> Override:
        return Override(
            **{name: getattr(said, name) for name in Said.__dataclass_fields__},
            override_id=override_id,
            version=version,
            plan_version=plan_version,
            position=position,
            is_withdrawn=what == "withdrawn",
            made_by=caller.actor,
            made_at=self._now(),
        )

    def _keep(self, connection: Connection, caller: Caller, tenant: str, what: str, kept: Sequence[Override]) -> None:
        """Write versions down, all at once: a workbook brings thousands, and others wait for their turn to write."""
        connection.execute(insert(OVERRIDES), [_row(tenant, each) for each in kept])
        told = [(each.override_id, _noted(each)) for each in kept]
        self._audit.note_all(connection, caller, f"override.{what}", told, tenant)


def _noted(kept: Override) -> dict[str, Any]:
    """What the audit log tells of a version."""
    told = {name: value for name, value in asdict(kept.change).items() if value is not None}
    told |= {"first": kept.change.first.isoformat(), "last": kept.change.last.isoformat()}
    return told | {"reason": kept.reason, "expires_at": kept.expires_at.isoformat(), "version": kept.version}


def _next_version(connection: Connection, tenant: str) -> int:
    """The number of the next change of a tenant's plan. Who has it is alone until his transaction ends."""
    following = {"plan_version": PLANS.c.plan_version + 1}
    counted = (
        insert_or(connection, PLANS)
        .values(tenant=tenant, plan_version=1)
        .on_conflict_do_update(index_elements=[PLANS.c.tenant], set_=following)
        .returning(PLANS.c.plan_version)
    )
    return int(connection.execute(counted).scalar_one())


def _is_last() -> ColumnElement[bool]:
    """Whether no later version of the override has been said."""
    later = OVERRIDES.alias("later")
    return ~(
        select(later.c.version)
        .where(
            later.c.tenant == OVERRIDES.c.tenant,
            later.c.override_id == OVERRIDES.c.override_id,
            later.c.version > OVERRIDES.c.version,
        )
        .exists()
    )


def _history(connection: Connection, tenant: str, override_id: str) -> list[Override]:
    found = _read(connection, tenant, OVERRIDES.c.override_id == override_id)
    if not found:
        raise Problem(
            "unknown-override",
            f"'{tenant}' has no override {override_id}: take the id from /v1/tenants/{tenant}/overrides",
        )
    return found


def _read(connection: Connection, tenant: str, which: ColumnElement[bool], limit: int | None = None) -> list[Override]:
    """Of one tenant: in the order in which they were said; with a limit the last said first."""
    order = (OVERRIDES.c.plan_version, OVERRIDES.c.position)
    query = select(OVERRIDES).where(OVERRIDES.c.tenant == tenant, which)
    query = query.order_by(*(c.desc() for c in order)).limit(limit) if limit else query.order_by(*order)
    return [_override(row) for row in connection.execute(query).mappings()]


def _row(tenant: str, kept: Override) -> dict[str, Any]:
    row = {name: getattr(kept, name) for name in Override.__dataclass_fields__}
    row |= {"tenant": tenant, "made_on_night": row.pop("night"), **asdict(row.pop("change"))}
    row["baseline"] = [[day.isoformat(), units] for day, units in kept.baseline.items()]
    return row


def _override(row: Mapping[Any, Any]) -> Override:
    plain = dict(row)
    plain.pop("tenant")
    change = Change(**{name: plain.pop(name) for name in _CHANGE})
    baseline = {date.fromisoformat(day): units for day, units in plain.pop("baseline")}
    return Override(change=change, baseline=baseline, night=plain.pop("made_on_night"), **plain)
