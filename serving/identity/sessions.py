"""Sessions: a family of refresh tokens, each good for one use. One used twice was stolen: the whole family ends (RFC 9700, 4.14).

But for a page that was reloaded as it asked: its browser has lost the answer, and asks by the same cookie again. Within
GRACE it is given the same successor as before, if it asks from the same address and nobody has used the successor. There is
never a second successor, so that a thief who is as quick gains one that ends the family as soon as both have used it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, delete, exists, insert, select, update

from serving.identity.audit import Audit, home_of
from serving.identity.roles import Caller
from serving.identity.secret import Secret, fingerprint
from serving.state.database import State
from serving.state.tables import REFRESH_TOKENS, SESSIONS, USERS

REFRESH_GOOD_FOR = timedelta(days=7)
GRACE = timedelta(seconds=10)
LONGEST = timedelta(days=90)  # then the user signs in again, however often the session was refreshed
PREFIX = "urt_refresh_"


@dataclass(frozen=True)
class Opened:
    """A session and its one refresh token that is still unused."""

    user_id: str
    session_id: str
    refresh_token: str


class RefreshError(Exception):
    """The refresh token gives nothing; the message is one line for the caller."""

    def __init__(self, why: str = "the refresh token is unknown, used or expired: sign in again") -> None:
        super().__init__(why)


class Sessions:
    """Opens, continues and ends sessions."""

    def __init__(self, state: State, audit: Audit, secret: Secret, now: Callable[[], datetime]) -> None:
        self._state = state
        self._audit = audit
        self._secret = secret
        self._now = now

    def open(self, connection: Connection, user_id: str) -> Opened:
        """A new session, in the transaction of the sign-in."""
        now = self._now()
        session_id, ends = secrets.token_hex(16), now + LONGEST
        is_alive = exists().where(
            REFRESH_TOKENS.c.session_id == SESSIONS.c.session_id, REFRESH_TOKENS.c.expires_at > now
        )
        connection.execute(delete(SESSIONS).where(SESSIONS.c.user_id == user_id, ~is_alive))  # nothing opens them again
        row = {"session_id": session_id, "user_id": user_id, "created_at": now, "expires_at": ends}
        connection.execute(insert(SESSIONS).values(row))
        return self._next(connection, Opened(user_id, session_id, PREFIX + secrets.token_urlsafe(32)), ends)

    def refresh(self, token: str, caller: Caller, is_page: bool = False) -> Opened:
        """The next refresh token for this one; `is_page` has the grace of a page that is reloaded.

        Raises RefreshError; a token used before ends its session.
        """
        with self._state.write() as connection:
            found = self._find(connection, token)
            if found is None:
                raise RefreshError
            following = PREFIX + self._secret.successor(token, caller.address)
            opened = Opened(found["user_id"], found["session_id"], following)
            is_over = self._is_over(found)
            if found["used_at"] is None and not is_over and self._use(connection, token):
                return self._next(connection, opened, found["expires_at"])
            whose, session = f"user:{found['name']}", found["session_id"]
            tenant = home_of(connection, USERS.c.user_id == found["user_id"])
            used_at = found["used_at"] or self._now()  # by somebody else at this moment
            is_near = abs(self._now() - used_at) < GRACE  # a clock that was set back gives no longer grace
            if is_page and not is_over and is_near and self._is_unused(connection, opened):
                self._audit.note(connection, caller, "session.refresh_repeated", whose, tenant, session=session)
                return opened
            was_used = found["used_at"] is not None or not is_over
            if was_used and self._end(connection, SESSIONS.c.session_id == session):
                self._audit.note(connection, caller, "session.refresh_reused", whose, tenant, session=session)
        raise RefreshError

    def revoke(self, token: str, caller: Caller) -> bool:
        """End the session that a refresh token belongs to, used or not; whether there was one."""
        with self._state.write() as connection:
            found = self._find(connection, token)
            if found is None or not self._end(connection, SESSIONS.c.session_id == found["session_id"]):
                return False
            whose, session = f"user:{found['name']}", found["session_id"]
            tenant = home_of(connection, USERS.c.user_id == found["user_id"])
            self._audit.note(connection, caller, "session.ended", whose, tenant, session=session)
            return True

    def end(self, session_id: str, caller: Caller) -> None:
        """End a session by its id."""
        with self._state.write() as connection:
            if self._end(connection, SESSIONS.c.session_id == session_id):
                self._audit.note(connection, caller, "session.ended", caller.actor, session=session_id)

    def end_all(self, connection: Connection, user_id: str, but: str | None = None) -> None:
        """End every session of a user, except the one that asks for it."""
        self._end(connection, (SESSIONS.c.user_id == user_id) & (SESSIONS.c.session_id != (but or "")))

    def _find(self, connection: Connection, token: str) -> RowMapping | None:
        """The token, with its session and whose that is."""
        tokens = REFRESH_TOKENS.c
        query = (
            select(
                SESSIONS, tokens.expires_at.label("token_expires_at"), tokens.used_at, USERS.c.name, USERS.c.disabled_at
            )
            .join(REFRESH_TOKENS, tokens.session_id == SESSIONS.c.session_id)
            .join(USERS, USERS.c.user_id == SESSIONS.c.user_id)
            .where(tokens.token_hash == fingerprint(token))
        )
        return connection.execute(query).mappings().first()

    def _is_over(self, found: RowMapping) -> bool:
        ends = min(found["expires_at"], found["token_expires_at"])
        return bool(found["revoked_at"] or found["disabled_at"]) or self._now() >= ends

    def _use(self, connection: Connection, token: str) -> bool:
        """Mark the token as used; False if somebody else did. Of two at once one alone gets True."""
        query = update(REFRESH_TOKENS).where(
            REFRESH_TOKENS.c.token_hash == fingerprint(token), REFRESH_TOKENS.c.used_at.is_(None)
        )
        return connection.execute(query.values(used_at=self._now())).rowcount == 1

    def _is_unused(self, connection: Connection, opened: Opened) -> bool:
        """Whether a session's token is there and has not been used."""
        tokens = REFRESH_TOKENS.c
        query = select(tokens.token_hash).where(
            tokens.token_hash == fingerprint(opened.refresh_token),
            tokens.session_id == opened.session_id,
            tokens.used_at.is_(None),
        )
        return connection.execute(query).first() is not None

    def _end(self, connection: Connection, which: object) -> bool:
        query = update(SESSIONS).where(which, SESSIONS.c.revoked_at.is_(None))  # type: ignore[arg-type]
        return connection.execute(query.values(revoked_at=self._now())).rowcount > 0

    def _next(self, connection: Connection, opened: Opened, ends: datetime) -> Opened:
        """Keep the session's next token."""
        session_id, now = opened.session_id, self._now()
        ended = (REFRESH_TOKENS.c.session_id == session_id) & (REFRESH_TOKENS.c.expires_at <= now)
        connection.execute(delete(REFRESH_TOKENS).where(ended))
        row = {"token_hash": fingerprint(opened.refresh_token), "session_id": session_id, "issued_at": now}
        connection.execute(insert(REFRESH_TOKENS).values(row | {"expires_at": min(now + REFRESH_GOOD_FOR, ends)}))
        return opened
