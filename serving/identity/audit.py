"""The audit log: every change, each denied access. It is added to and read; nothing here changes or deletes a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, insert, select

from serving.identity.roles import EVERY, Caller
from serving.identity.secret import masked
from serving.state.database import State
from serving.state.tables import AUDIT_LOG, GRANTS, NAME, USERS

_TARGET = 300


class Audit:
    """Writes and reads `audit_log`."""

    def __init__(self, state: State, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now

    def note(
        self,
        connection: Connection,
        caller: Caller,
        action: str,
        target: str = "",
        tenant: str | None = None,
        **detail: Any,
    ) -> None:
        """Write down what `caller` did to `target`, in the transaction of the change itself."""
        self.note_all(connection, caller, action, [(target, detail)], tenant)

    def note_all(
        self,
        connection: Connection,
        caller: Caller,
        action: str,
        done: Sequence[tuple[str, dict[str, Any]]],
        tenant: str | None = None,
    ) -> None:
        """The same of many targets, each with its detail, at once."""
        shared = {
            "at": self._now(),
            "actor": _plain(caller.actor, NAME + 10),
            "tenant": _plain(tenant or caller.tenant or "", NAME) or None,
            "action": action,
            "address": _plain(caller.address, NAME),
            "request_id": _plain(caller.request_id, NAME),
        }
        rows = [shared | {"target": _plain(target, _TARGET), "detail": detail} for target, detail in done]
        connection.execute(insert(AUDIT_LOG), rows)

    def denied(self, caller: Caller, target: str, kind: str, detail: str) -> None:
        """Write down a refused access."""
        with self._state.write() as connection:
            self.note(connection, caller, "denied", masked(target), kind=kind, why=_plain(masked(detail), _TARGET))

    def home_of(self, name: str) -> str | None:
        """The tenant whose log tells of a user's sign-ins; None for a name that nobody has."""
        with self._state.read() as connection:
            return home_of(connection, USERS.c.name == name)

    def page(
        self,
        tenant: str | None,
        limit: int,
        before: int | None = None,
        actor: str | None = None,
        action: str | None = None,
    ) -> list[dict[str, Any]]:
        """At most `limit` rows, newest first, older than row `before`; of one tenant, or of all and none if None."""
        query: Select[Any] = select(AUDIT_LOG).order_by(AUDIT_LOG.c.audit_id.desc()).limit(limit)
        for column, value in ((AUDIT_LOG.c.tenant, tenant), (AUDIT_LOG.c.actor, actor), (AUDIT_LOG.c.action, action)):
            if value is not None:
                query = query.where(column == value)
        if before is not None:
            query = query.where(AUDIT_LOG.c.audit_id < before)
        with self._state.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def home_of(connection: Connection, user: ColumnElement[bool]) -> str | None:
    """The tenant whose log tells what a user does of his own, as signing in: the one where he has a role, if it is one."""
    query = select(GRANTS.c.tenant).join(USERS, USERS.c.user_id == GRANTS.c.user_id).where(user).limit(2)
    found = connection.execute(query).scalars().all()
    return found[0] if len(found) == 1 and found[0] != EVERY else None


def _plain(text: str, most: int) -> str:
    """The text in one line of at most `most` characters; PostgreSQL takes no NUL."""
    return "".join(c if c.isprintable() else " " for c in text)[:most]
