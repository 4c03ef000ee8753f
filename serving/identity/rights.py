"""What somebody may do at this moment, though it is not he who asks: what he made goes on only as long as he might."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, select

from serving.identity.roles import Principal, scopes_of
from serving.state.database import State
from serving.state.tables import API_KEYS, GRANTS, USERS


class Rights:
    """Looks them up."""

    def __init__(self, state: State, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now

    def may(self, actor: str, scope: str, tenant: str) -> bool:
        """Whether `user:NAME` is enabled, or `key:PREFIX` good, and has the scope at the tenant."""
        kind, _, name = actor.partition(":")
        with self._state.read() as connection:
            found = _of_user(connection, name) if kind == "user" else self._of_key(connection, name)
        return Principal(actor, found).may(scope, tenant)

    def _of_key(self, connection: Connection, prefix: str) -> dict[str, frozenset[str]]:
        keys = API_KEYS.c
        query = select(keys.tenant, keys.scopes).where(
            keys.prefix == prefix, keys.revoked_at.is_(None), keys.expires_at > self._now()
        )
        return {tenant: frozenset(scopes) for tenant, scopes in connection.execute(query)}


def _of_user(connection: Connection, name: str) -> dict[str, frozenset[str]]:
    query = select(GRANTS.c.tenant, GRANTS.c.role).join(USERS, USERS.c.user_id == GRANTS.c.user_id)
    found = connection.execute(query.where(USERS.c.name == name, USERS.c.disabled_at.is_(None)))
    return scopes_of({row.tenant: row.role for row in found})
