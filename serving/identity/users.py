"""Users: their names, passwords and roles at each tenant."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from serving.identity.audit import Audit
from serving.identity.passwords import Passwords, check_password
from serving.identity.roles import Caller, Principal, check_grants, scopes_of, user_name
from serving.identity.sessions import Sessions
from serving.identity.totp import SecondFactor
from serving.state.database import State
from serving.state.tables import FAILURES, GRANTS, SESSIONS, USERS


class UnknownUserError(ValueError):
    """No user has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no user '{name}': `uretimiq-api user list` names them")


class NameTakenError(ValueError):
    """Somebody has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a user '{name}' already: choose another name, or reset that user")


class Users:
    """Adds, lists, disables and resets users."""

    def __init__(
        self,
        state: State,
        audit: Audit,
        passwords: Passwords,
        sessions: Sessions,
        second: SecondFactor,
        now: Callable[[], datetime],
    ) -> None:
        self._state = state
        self._audit = audit
        self._passwords = passwords
        self._sessions = sessions
        self._second = second
        self._now = now

    def add(
        self,
        caller: Caller,
        name: str,
        password: str | None,
        grants: Mapping[str, str],
        password_ends_at: datetime | None = None,
    ) -> str:
        """A new user with roles by tenant; without password he signs in by the company's login alone.

        With `password_ends_at` it is a one-time password, which lets him choose his own until then. Returns the user's id. Raises ValueError.
        """
        name = user_name(name)
        check_grants(grants)
        hashed = None if password is None else self._passwords.hash(check_password(password, name))
        user_id = secrets.token_hex(16)
        row = {"user_id": user_id, "name": name, "password_hash": hashed, "created_at": self._now()}
        row["password_ends_at"] = password_ends_at
        try:
            with self._state.write() as connection:
                connection.execute(insert(USERS).values(row))
                self._audit.note(connection, caller, "user.added", f"user:{name}")
                self.grant_in(connection, caller, user_id, name, grants)
        except IntegrityError as error:
            raise NameTakenError(name) from error
        return user_id

    def grant(self, caller: Caller, name: str, grants: Mapping[str, str]) -> None:
        """Roles of the user at the tenants named; those at others stay. Raises ValueError."""
        check_grants(grants)
        with self._state.write() as connection:
            self.grant_in(connection, caller, _row(connection, name).user_id, user_name(name), grants)

    def take(self, caller: Caller, name: str, tenant: str) -> None:
        """The user has no role at the tenant any more. Raises ValueError where he had none."""
        with self._state.write() as connection:
            if not self.take_in(connection, caller, _row(connection, name), tenant):
                raise ValueError(
                    f"user '{user_name(name)}' has no role at '{tenant}': `uretimiq-api user list` shows it"
                )

    def external(self, caller: Caller, issuer: str, subject: str, name: str, grants: Mapping[str, str]) -> str:
        """The user whom a company's own login vouches for: made at his first visit, his roles as it says at each.

        Returns the user's id. Raises ValueError where the name belongs to somebody else, or he is disabled.
        """
        name = user_name(name)
        with self._state.write() as connection:
            query = select(USERS).where(USERS.c.oidc_issuer == issuer, USERS.c.oidc_subject == subject)
            found = connection.execute(query).first()
            if found is None:
                if connection.execute(select(USERS.c.user_id).where(USERS.c.name == name)).first():
                    raise ValueError(f"the name '{name}' belongs to a user of this server")
                row = {"user_id": secrets.token_hex(16), "name": name, "created_at": self._now()}
                connection.execute(insert(USERS).values(row | {"oidc_issuer": issuer, "oidc_subject": subject}))
                self._audit.note(connection, caller, "user.added", f"user:{name}", issuer=issuer)
                found = _row(connection, name)
            if found.disabled_at:
                raise ValueError(f"the user '{found.name}' is disabled here")
            known = _grants(connection, found.user_id)
            for tenant in sorted(set(known) - set(grants)):
                self.take_in(connection, caller, found, tenant)
            changed = {tenant: role for tenant, role in grants.items() if known.get(tenant) != role}
            self.grant_in(connection, caller, found.user_id, found.name, changed)
            return str(found.user_id)

    def disable(self, caller: Caller, name: str) -> None:
        """The user signs in no more, and what he has signed in ends. Raises UnknownUserError."""
        with self._state.write() as connection:
            user = _row(connection, name)
            connection.execute(update(USERS).where(USERS.c.user_id == user.user_id).values(disabled_at=self._now()))
            self._sessions.end_all(connection, user.user_id)
            self._audit.note(connection, caller, "user.disabled", f"user:{user.name}")

    def reset(self, caller: Caller, name: str, password: str) -> None:
        """A new password and no second factor, for one who lost them; he is enabled again. Raises ValueError."""
        hashed = self._passwords.hash(check_password(password, user_name(name)))
        with self._state.write() as connection:
            self.reset_in(connection, caller, _row(connection, name), hashed, None)

    def reset_in(
        self, connection: Connection, caller: Caller, user: Row[Any], hashed: str, password_ends_at: datetime | None
    ) -> None:
        """The same by the password's hash, in the transaction that is given."""
        values = {"password_hash": hashed, "password_ends_at": password_ends_at, "disabled_at": None}
        connection.execute(update(USERS).where(USERS.c.user_id == user.user_id).values(values))
        self._second.remove(connection, user.user_id)
        connection.execute(delete(FAILURES).where(FAILURES.c.subject == f"user:{user.name}"))
        self._sessions.end_all(connection, user.user_id)
        self._audit.note(connection, caller, "user.reset", f"user:{user.name}")

    def list(self) -> list[dict[str, Any]]:
        """Every user by name, with roles by tenant; nothing secret."""
        with self._state.read() as connection:
            users = connection.execute(select(USERS).order_by(USERS.c.name)).all()
            return [_shown(user, _grants(connection, user.user_id)) for user in users]

    def one(self, user_id: str) -> dict[str, Any]:
        """One user as `list` shows him."""
        with self._state.read() as connection:
            user = connection.execute(select(USERS).where(USERS.c.user_id == user_id)).one()
            return _shown(user, _grants(connection, user_id))

    def principal(self, user_id: str, session_id: str) -> Principal | None:
        """Who he is while the session lasts; None once it ended or he is disabled."""
        query = (
            select(USERS.c.name)
            .join(SESSIONS, SESSIONS.c.user_id == USERS.c.user_id)
            .where(SESSIONS.c.session_id == session_id, USERS.c.user_id == user_id)
            .where(SESSIONS.c.revoked_at.is_(None), USERS.c.disabled_at.is_(None), SESSIONS.c.expires_at > self._now())
        )
        with self._state.read() as connection:
            name = connection.execute(query).scalar()
            if name is None:
                return None
            return Principal(f"user:{name}", scopes_of(_grants(connection, user_id)), user_id, session_id)

    def by_name(self, name: str) -> Principal | None:
        """Who that is, without a session; None if nobody has the name or he is disabled."""
        query = select(USERS.c.user_id).where(USERS.c.name == name, USERS.c.disabled_at.is_(None))
        with self._state.read() as connection:
            user_id = connection.execute(query).scalar()
            return Principal(f"user:{name}", scopes_of(_grants(connection, user_id))) if user_id else None

    def grant_in(
        self, connection: Connection, caller: Caller, user_id: str, name: str, grants: Mapping[str, str]
    ) -> None:
        """Give the roles, in place of those at the same tenants."""
        for tenant, role in grants.items():
            connection.execute(delete(GRANTS).where(GRANTS.c.user_id == user_id, GRANTS.c.tenant == tenant))
            connection.execute(insert(GRANTS).values(user_id=user_id, tenant=tenant, role=role))
            self._audit.note(connection, caller, "user.role_given", f"user:{name}", tenant, role=role)

    def take_in(self, connection: Connection, caller: Caller, user: Row[Any], tenant: str) -> bool:
        """Take the role at the tenant away; whether there was one."""
        query = delete(GRANTS).where(GRANTS.c.user_id == user.user_id, GRANTS.c.tenant == tenant)
        was_there = connection.execute(query).rowcount > 0
        if was_there:
            self._audit.note(connection, caller, "user.role_taken", f"user:{user.name}", tenant)
        return was_there


def _row(connection: Connection, name: str) -> Row[Any]:
    found = connection.execute(select(USERS).where(USERS.c.name == user_name(name))).first()
    if found is None:
        raise UnknownUserError(user_name(name))
    return found


def _grants(connection: Connection, user_id: str) -> dict[str, str]:
    query = select(GRANTS.c.tenant, GRANTS.c.role).where(GRANTS.c.user_id == user_id).order_by(GRANTS.c.tenant)
    return {tenant: role for tenant, role in connection.execute(query)}  # noqa: C416 - a row is no pair to the checker


def _shown(user: Row[Any], grants: dict[str, str]) -> dict[str, Any]:
    return {
        "name": user.name,
        "roles": grants,
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
        "second_factor": user.totp_confirmed_at is not None,
        "own_login": user.oidc_issuer,
    }
