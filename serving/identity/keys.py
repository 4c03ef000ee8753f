"""API keys for machines: a tenant, scopes and an end. The key is shown once; kept are its prefix and its hash."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update

from serving.identity.audit import Audit
from serving.identity.roles import Caller, Principal, check_scopes, check_tenant
from serving.identity.secret import fingerprint
from serving.state.database import State
from serving.state.tables import API_KEYS

MARK = "urt_key_"  # by which a scanner for leaked secrets finds them
DAYS, MOST_DAYS = 365, 1825
_SHOWN = ("prefix", "tenant", "name", "scopes", "created_by", "created_at", "expires_at", "revoked_at")


@dataclass(frozen=True)
class Made:
    """A new key, in full for this once, and its row."""

    key: str
    row: dict[str, Any]


class Keys:
    """Makes, lists, checks and revokes them."""

    def __init__(self, state: State, audit: Audit, now: Callable[[], datetime]) -> None:
        self._state = state
        self._audit = audit
        self._now = now

    def add(self, caller: Caller, tenant: str, name: str, scopes: Collection[str], days: int = DAYS) -> Made:
        """A key of `tenant`, good for `days`. Raises ValueError."""
        if not 1 <= days <= MOST_DAYS:
            raise ValueError(f"days {days}: use 1 to {MOST_DAYS}")
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise ValueError("name: use 1 to 100 printable characters")
        prefix = MARK + secrets.token_hex(4)
        key = f"{prefix}_{secrets.token_urlsafe(32)}"
        row = {
            "prefix": prefix,
            "tenant": check_tenant(tenant),
            "name": name,
            "scopes": check_scopes(scopes),
            "created_by": caller.actor,
            "created_at": self._now(),
            "expires_at": self._now() + timedelta(days=days),
            "revoked_at": None,
        }
        with self._state.write() as connection:
            connection.execute(insert(API_KEYS).values(row | {"key_hash": fingerprint(key)}))
            self._audit.note(connection, caller, "key.added", prefix, tenant, name=name, scopes=row["scopes"])
        return Made(key, row)

    def list(self, tenant: str | None = None) -> list[dict[str, Any]]:
        """The keys of one tenant, or all of them; the newest first."""
        query = select(*(API_KEYS.c[name] for name in _SHOWN)).order_by(API_KEYS.c.created_at.desc(), API_KEYS.c.prefix)
        if tenant is not None:
            query = query.where(API_KEYS.c.tenant == tenant)
        with self._state.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def revoke(self, caller: Caller, prefix: str, tenant: str | None = None) -> bool:
        """End a key, of `tenant` alone if that is given; whether there was one to end."""
        which = [API_KEYS.c.prefix == prefix, API_KEYS.c.revoked_at.is_(None)]
        if tenant is not None:
            which.append(API_KEYS.c.tenant == tenant)
        query = update(API_KEYS).where(*which).values(revoked_at=self._now()).returning(API_KEYS.c.tenant)
        with self._state.write() as connection:
            found = connection.execute(query).scalar()
            if found is not None:
                self._audit.note(connection, caller, "key.revoked", prefix, found)
        return found is not None

    def principal(self, key: str) -> Principal | None:
        """Whose key it is; None if it is unknown, revoked or at its end."""
        return self._principal(API_KEYS.c.key_hash == fingerprint(key))

    def by_prefix(self, prefix: str) -> Principal | None:
        """The same of a key that is not brought but named."""
        return self._principal(API_KEYS.c.prefix == prefix)

    def _principal(self, which: ColumnElement[bool]) -> Principal | None:
        query = select(API_KEYS).where(which)
        with self._state.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None or row["revoked_at"] or row["expires_at"] <= self._now():
            return None
        return Principal(f"key:{row['prefix']}", {row["tenant"]: frozenset(row["scopes"])})
