"""Plans beside the plan: a night's forecast and a list of changes, under a name. Whoever changes one says which version he saw."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from serving.identity.audit import Audit
from serving.identity.roles import Caller
from serving.plans.arithmetic import Change
from serving.problems import Problem
from serving.state.database import State
from serving.state.tables import SCENARIOS

MOST_SCENARIOS = 500


@dataclass(frozen=True)
class Scenario:
    """`changes` are laid on the forecast of `night`; the later ones win."""

    scenario_id: str
    version: int
    name: str
    night: date
    changes: tuple[Change, ...]
    made_by: str
    made_at: datetime
    changed_by: str
    changed_at: datetime


class Scenarios:
    """Makes, finds, changes and deletes them."""

    def __init__(self, state: State, audit: Audit, now: Callable[[], datetime]) -> None:
        self._state = state
        self._audit = audit
        self._now = now

    def make(self, caller: Caller, tenant: str, name: str, night: date, changes: Sequence[Change]) -> Scenario:
        """A new one. Raises Problem where there are too many."""
        now, actor = self._now(), caller.actor
        made = Scenario(secrets.token_hex(8), 1, name, night, tuple(changes), actor, now, actor, now)
        with self._state.write() as connection:
            count = select(func.count()).select_from(SCENARIOS).where(SCENARIOS.c.tenant == tenant)
            if connection.execute(count).scalar_one() >= MOST_SCENARIOS:
                raise Problem(
                    "too-many-scenarios", f"'{tenant}' has {MOST_SCENARIOS} scenarios: delete one that is not needed"
                )
            connection.execute(insert(SCENARIOS).values(_row(tenant, made)))
            self._note(connection, caller, tenant, "made", made)
        return made

    def one(self, tenant: str, scenario_id: str) -> Scenario:
        """Raises Problem where there is none."""
        with self._state.read() as connection:
            return _one(connection, tenant, scenario_id)

    def page(self, tenant: str, limit: int, before: tuple[datetime, str] | None) -> list[Scenario]:
        """At most `limit`, the last made first, made before (made_at, scenario_id) `before`."""
        order = (SCENARIOS.c.made_at, SCENARIOS.c.scenario_id)
        query = select(SCENARIOS).where(SCENARIOS.c.tenant == tenant).order_by(*(c.desc() for c in order)).limit(limit)
        if before:
            query = query.where(tuple_(*order) < before)
        with self._state.read() as connection:
            return [_scenario(row) for row in connection.execute(query).mappings()]

    def change(
        self, caller: Caller, tenant: str, scenario_id: str, seen: Sequence[int] | None, what: str, **more: Any
    ) -> Scenario:
        """`more` in place of one of the versions `seen` (None: of whichever it is). Raises Problem."""
        with self._state.write() as connection:
            old = self._seen(connection, tenant, scenario_id, seen)
            new = replace(old, **more, version=old.version + 1, changed_by=caller.actor, changed_at=self._now())
            connection.execute(update(SCENARIOS).where(*_which(tenant, scenario_id)).values(_row(tenant, new)))
            self._note(connection, caller, tenant, what, new)
        return new

    def delete(self, caller: Caller, tenant: str, scenario_id: str, seen: Sequence[int] | None) -> None:
        """It is gone; the audit log still tells of it. Raises Problem."""
        with self._state.write() as connection:
            old = self._seen(connection, tenant, scenario_id, seen)
            connection.execute(delete(SCENARIOS).where(*_which(tenant, scenario_id)))
            self._note(connection, caller, tenant, "deleted", old)

    @staticmethod
    def _seen(connection: Connection, tenant: str, scenario_id: str, seen: Sequence[int] | None) -> Scenario:
        found = _one(connection, tenant, scenario_id, is_to_be_changed=True)
        if seen is not None and found.version not in seen:
            by = f"{found.changed_by} at {found.changed_at:%Y-%m-%d %H:%M} UTC"
            raise Problem(
                "version-changed",
                f"scenario {scenario_id} is at version {found.version} by now, by {by}: read it again, then change it",
            )
        return found

    def _note(self, connection: Connection, caller: Caller, tenant: str, what: str, scenario: Scenario) -> None:
        told = {"name": scenario.name, "version": scenario.version, "night": scenario.night.isoformat()}
        told["changes"] = [_plain(change) for change in scenario.changes]
        self._audit.note(connection, caller, f"scenario.{what}", scenario.scenario_id, tenant, **told)


def _which(tenant: str, scenario_id: str) -> tuple[Any, ...]:
    return SCENARIOS.c.tenant == tenant, SCENARIOS.c.scenario_id == scenario_id


def _one(connection: Connection, tenant: str, scenario_id: str, is_to_be_changed: bool = False) -> Scenario:
    query = select(SCENARIOS).where(*_which(tenant, scenario_id))
    if is_to_be_changed:  # PostgreSQL lets nobody else change it until this transaction ends; SQLite has one writer
        query = query.with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise Problem(
            "unknown-scenario",
            f"'{tenant}' has no scenario {scenario_id}: take the id from /v1/tenants/{tenant}/scenarios",
        )
    return _scenario(row)


def _row(tenant: str, scenario: Scenario) -> dict[str, Any]:
    row = {name: getattr(scenario, name) for name in Scenario.__dataclass_fields__}
    return row | {"tenant": tenant, "changes": [_plain(change) for change in scenario.changes]}


def _plain(change: Change) -> dict[str, Any]:
    return asdict(change) | {"first": change.first.isoformat(), "last": change.last.isoformat()}


def _scenario(row: Mapping[Any, Any]) -> Scenario:
    plain = {name: row[name] for name in Scenario.__dataclass_fields__}
    days = ("first", "last")
    changes = (Change(**{**of, **{day: date.fromisoformat(of[day]) for day in days}}) for of in row["changes"])
    return Scenario(**{**plain, "changes": tuple(changes)})
