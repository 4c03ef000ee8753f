"""Live links: an address with a secret in it, for a spreadsheet that can send no headers.

The secret is shown once; its hash is kept. A link gives one kind of rows of one tenant, and ends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from serving.identity.audit import Audit
from serving.identity.roles import Caller
from serving.identity.secret import LINK_MARK, fingerprint
from serving.problems import Problem
from serving.state.database import State
from serving.state.tables import LINKS

DAYS, MOST_DAYS = 90, 366
MOST_LINKS = 200  # of a tenant that are good at a time
_SHOWN = tuple(column.name for column in LINKS.columns if column.name not in {"secret_hash", "tenant"})


@dataclass(frozen=True)
class Made:
    """A new link: its secret, for this once, and its row."""

    secret: str
    row: dict[str, Any]


class Links:
    """Makes, lists, finds and revokes them."""

    def __init__(self, state: State, audit: Audit, now: Callable[[], datetime]) -> None:
        self._state = state
        self._audit = audit
        self._now = now

    def add(
        self, caller: Caller, tenant: str, name: str, what: str, filters: dict[str, Any], expires_at: datetime | None
    ) -> Made:
        """A link to the tenant's `what`, good until `expires_at`, DAYS if that is None. Raises Problem."""
        now = self._now()
        until = expires_at or now + timedelta(days=DAYS)
        if not now < until <= now + timedelta(days=MOST_DAYS):
            raise Problem("bad-request", f"body expires_at: use a moment after now, at most {MOST_DAYS} days ahead")
        made = Made(
            LINK_MARK + secrets.token_urlsafe(32),
            {
                "link_id": secrets.token_hex(8),
                "name": name,
                "what": what,
                "filters": filters,
                "created_by": caller.actor,
                "created_at": now,
                "expires_at": until,
                "revoked_at": None,
            },
        )
        with self._state.write() as connection:
            good = [LINKS.c.tenant == tenant, LINKS.c.revoked_at.is_(None), LINKS.c.expires_at > now]
            if len(connection.execute(select(LINKS.c.link_id).where(*good)).all()) >= MOST_LINKS:
                raise Problem("too-many-links", f"'{tenant}' has {MOST_LINKS} links: revoke one that is not used")
            row = made.row | {"tenant": tenant, "secret_hash": fingerprint(made.secret)}
            connection.execute(insert(LINKS).values(row))
            self._audit.note(
                connection, caller, "link.added", made.row["link_id"], tenant, name=name, what=what, filters=filters
            )
        return made

    def list(self, tenant: str) -> list[dict[str, Any]]:
        """The links of a tenant, the newest first; ended ones too."""
        shown = select(*(LINKS.c[name] for name in _SHOWN)).where(LINKS.c.tenant == tenant)
        with self._state.read() as connection:
            found = connection.execute(shown.order_by(LINKS.c.created_at.desc(), LINKS.c.link_id))
            return [dict(row) for row in found.mappings()]

    def revoke(self, caller: Caller, tenant: str, link_id: str) -> None:
        """End a link of the tenant. Raises Problem where there is none to end."""
        which = [LINKS.c.tenant == tenant, LINKS.c.link_id == link_id, LINKS.c.revoked_at.is_(None)]
        with self._state.write() as connection:
            if not connection.execute(update(LINKS).where(*which).values(revoked_at=self._now())).rowcount:
                raise Problem("unknown-link", f"'{tenant}' has no link {link_id} that could be revoked")
            self._audit.note(connection, caller, "link.revoked", link_id, tenant)

    def find(self, secret: str) -> dict[str, Any] | None:
        """The row of a secret; None if it is unknown, revoked or at its end."""
        with self._state.read() as connection:
            row = connection.execute(select(LINKS).where(LINKS.c.secret_hash == fingerprint(secret))).mappings().first()
        if row is None or row["revoked_at"] or row["expires_at"] <= self._now():
            return None
        return dict(row)
