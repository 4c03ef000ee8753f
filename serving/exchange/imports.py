"""Workbooks that were read and compared: kept until somebody takes what they change, or for a day."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, update

from serving.exchange import difference
from serving.exchange.difference import Cell
from serving.exchange.edits import Bad
from serving.exchange.origin import rounded
from serving.identity.audit import Audit
from serving.identity.roles import Caller
from serving.plans.arithmetic import PERIOD_DAYS
from serving.plans.overrides import Override, Said
from serving.plans.plan import Plan, Plans
from serving.plans.staleness import natural_end
from serving.problems import Problem
from serving.state.database import State
from serving.state.tables import PLAN_IMPORTS as IMPORTS

GOOD_FOR = timedelta(days=1)
MOST_WAITING = 20  # of a tenant; the oldest give way
TRIES = 3


class Imports:
    """Keeps them, and makes overrides of one."""

    def __init__(self, state: State, audit: Audit, plans: Plans, now: Callable[[], datetime]) -> None:
        self._state = state
        self._audit = audit
        self._plans = plans
        self._now = now

    def keep(
        self, caller: Caller, tenant: str, night: date, cells: Sequence[Cell], problems: Sequence[Bad]
    ) -> dict[str, Any]:
        """Keep what a workbook of `night` would change."""
        now = self._now()
        row: dict[str, Any] = {
            "import_id": secrets.token_hex(8),
            "tenant": tenant,
            "night": night,
            "changes": [cell.row for cell in cells],
            "problems": [asdict(problem) for problem in problems],
            "made_by": caller.actor,
            "made_at": now,
            "expires_at": now + GOOD_FOR,
            "taken_at": None,
        }
        newest = (
            select(IMPORTS.c.import_id)
            .where(IMPORTS.c.tenant == tenant)
            .order_by(IMPORTS.c.made_at.desc(), IMPORTS.c.import_id)
            .limit(MOST_WAITING - 1)
        )
        too_many = and_(IMPORTS.c.tenant == tenant, IMPORTS.c.import_id.not_in(newest))
        with self._state.write() as connection:
            connection.execute(delete(IMPORTS).where(or_(IMPORTS.c.expires_at <= now, too_many)))
            connection.execute(insert(IMPORTS).values(row))
            told = {"night": night.isoformat(), "changes": len(cells), "problems": len(problems)}
            self._audit.note(connection, caller, "import.made", row["import_id"], tenant, **told)
        return row

    def find(self, tenant: str, import_id: str) -> dict[str, Any]:
        """An import of the tenant. Raises Problem where there is none, or none any more."""
        query = select(IMPORTS).where(IMPORTS.c.tenant == tenant, IMPORTS.c.import_id == import_id)
        with self._state.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None or row["expires_at"] <= self._now():
            hours = int(GOOD_FOR.total_seconds() // 3600)
            why = f"'{tenant}' has no import {import_id}: it is kept for {hours} hours, import the workbook again"
            raise Problem("unknown-import", why)
        return dict(row)

    def take(
        self, caller: Caller, tenant: str, import_id: str, reason: str, expires_at: datetime | None
    ) -> list[Override]:
        """Make overrides of all that an import changes, or of nothing of it. Raises Problem."""
        row = self.find(tenant, import_id)
        cells = _takeable(row)
        for _ in range(TRIES):
            plan = self._plans.current(tenant)
            self._check(plan, row["night"], cells)
            said = self._said(plan, cells, reason, expires_at)
            made = self._make(caller, tenant, import_id, plan, said)
            if made:
                return made
        raise Problem("plan-changed", "others are changing the plan at this moment: try again")

    def _make(
        self, caller: Caller, tenant: str, import_id: str, plan: Plan, said: Sequence[Said]
    ) -> list[Override] | None:
        """The overrides; None, and nothing is changed, where the plan was changed since it was looked at."""
        with self._state.engine.connect() as connection, connection.begin() as transaction:
            made = self._plans.overrides.make_in(connection, caller, tenant, said)
            which = and_(IMPORTS.c.tenant == tenant, IMPORTS.c.import_id == import_id, IMPORTS.c.taken_at.is_(None))
            if not connection.execute(update(IMPORTS).where(which).values(taken_at=self._now())).rowcount:
                raise _taken(import_id)
            if made[0].plan_version != plan.plan_version + 1:
                transaction.rollback()
                return None
            self._audit.note(connection, caller, "import.taken", import_id, tenant, overrides=len(made))
        return made

    @staticmethod
    def _check(plan: Plan, night: date, cells: Sequence[Cell]) -> None:
        """Raises Problem where the plan says otherwise by now of a cell than it did in the difference that was shown."""
        now = difference.numbers(plan, {(cell.site, cell.product) for cell in cells})
        moved: list[tuple[str, float, float | None]] = []
        for cell in cells:
            _, final = now.get((cell.site, cell.product, cell.date), (None, None))
            if final is None or rounded(final) != rounded(cell.before):
                moved.append((cell.cell, cell.before, final))
        if moved:
            raise difference.changed(plan, night, moved)

    def _said(self, plan: Plan, cells: Sequence[Cell], reason: str, expires_at: datetime | None) -> list[Said]:
        days = PERIOD_DAYS[plan.found.night.summary.period]
        said = []
        for change in difference.as_changes(cells, days):
            until = expires_at or natural_end(change.last, days)
            if until <= self._now():
                what = "body expires_at" if expires_at else f"the units of {change.last}"
                raise Problem("bad-request", f"{what}: it would have ended at {until:%Y-%m-%d %H:%M} UTC already")
            said.append(self._plans.say(plan, change, reason, until))
        return said


def _takeable(row: dict[str, Any]) -> list[Cell]:
    """What an import changes, if it may be taken. Raises Problem."""
    if row["taken_at"]:
        raise _taken(row["import_id"])
    if row["problems"]:
        named = ", ".join(problem["cell"] for problem in row["problems"][:10])
        why = f"{len(row['problems'])} cells cannot be taken ({named}): mend them and import the workbook again"
        raise Problem("import-has-problems", why)
    if not row["changes"]:
        raise Problem("touches-nothing", "the workbook changes nothing: edit units on its sheet of the plan first")
    return [difference.of_row(change) for change in row["changes"]]


def _taken(import_id: str) -> Problem:
    return Problem("import-over", f"import {import_id} was taken already: its overrides are at /overrides")
