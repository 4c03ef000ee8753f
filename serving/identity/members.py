"""The users of one tenant, as its admin manages them: those with a role there, and nothing of what they have elsewhere.

A new one gets a one-time password: it opens no session, but lets him choose his own at his first sign-in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from serving.identity.passwords import Passwords
from serving.identity.roles import ROLES, Caller, Principal, user_name
from serving.identity.secret import readable_code
from serving.identity.users import NameTakenError, Users
from serving.problems import Problem
from serving.state.database import State
from serving.state.tables import GRANTS, USERS

GOOD_FOR = timedelta(days=7)


class Members:
    """Lists, adds and changes the users of a tenant."""

    def __init__(self, state: State, users: Users, passwords: Passwords, now: Callable[[], datetime]) -> None:
        self._state = state
        self._users = users
        self._passwords = passwords
        self._now = now

    def list(self, tenant: str) -> list[dict[str, Any]]:
        """Those who have a role at the tenant, by name; who has one at every tenant is none of its own."""
        with self._state.read() as connection:
            found = connection.execute(_members(tenant).order_by(USERS.c.name)).all()
            elsewhere = _elsewhere(connection, tenant)
            return [_shown(row, row.user_id not in elsewhere) for row in found]

    def one(self, tenant: str, name: str) -> dict[str, Any]:
        """One of them. Raises Problem."""
        with self._state.read() as connection:
            row = _member(connection, tenant, name)
            return _shown(row, row.user_id not in _elsewhere(connection, tenant))

    def add(self, caller: Caller, by: Principal, tenant: str, name: str, role: str) -> str:
        """A new user with a role at the tenant; gives his one-time password. Raises Problem, ValueError."""
        _check_role(by, tenant, role)
        password = readable_code()
        try:
            self._users.add(_of(caller, tenant), name, password, {tenant: role}, self._now() + GOOD_FOR)
        except NameTakenError as taken:
            why = f"the user name '{user_name(name)}' is taken: choose another, or ask who runs the server for a role here"
            raise Problem("name-taken", why) from taken
        return password

    def change(self, caller: Caller, by: Principal, tenant: str, name: str, role: str) -> None:
        """Another role at the tenant. Raises Problem."""
        _check_role(by, tenant, role)
        with self._state.write() as connection:
            user = self._his(connection, by, tenant, name)
            if user.role != role:
                if role != "admin":
                    _keep_an_admin(connection, tenant, user)
                self._users.grant_in(connection, _of(caller, tenant), user.user_id, user.name, {tenant: role})

    def take(self, caller: Caller, by: Principal, tenant: str, name: str) -> None:
        """He has no role at the tenant any more. Raises Problem."""
        with self._state.write() as connection:
            user = self._his(connection, by, tenant, name)
            _keep_an_admin(connection, tenant, user)
            self._users.take_in(connection, _of(caller, tenant), user, tenant)

    def reset(self, caller: Caller, by: Principal, tenant: str, name: str) -> str:
        """A new one-time password, no second factor, no lock, no session. Raises Problem."""
        password = readable_code()
        hashed = self._passwords.hash(password)
        with self._state.write() as connection:
            user = self._his(connection, by, tenant, name)
            if user.user_id == by.user_id:
                raise _not_yours(name, "is you: change your own password and second factor under your account")
            if user.user_id in _elsewhere(connection, tenant):
                raise _not_yours(name, "has a role at another tenant too: who runs the server resets him")
            if user.disabled_at:
                raise _not_yours(name, "was disabled by who runs the server: ask there")
            self._users.reset_in(connection, _of(caller, tenant), user, hashed, self._now() + GOOD_FOR)
        return password

    @staticmethod
    def _his(connection: Connection, by: Principal, tenant: str, name: str) -> Row[Any]:
        """The member, if `by` may do all that he may, and his roles are this server's to change.

        On PostgreSQL nobody else changes the tenant's roles until this transaction ends: of two admins who take each
        other's role away one comes first. SQLite has one writer.
        """
        roles = select(GRANTS.c.user_id).where(GRANTS.c.tenant == tenant).order_by(GRANTS.c.user_id)
        connection.execute(roles.with_for_update())
        user = _member(connection, tenant, name)
        if user.oidc_issuer:
            raise _not_yours(name, "comes by the company's own login: change his roles there")
        _check_role(by, tenant, user.role)
        return user


def _members(tenant: str) -> Any:
    return (
        select(USERS, GRANTS.c.role).join(GRANTS, GRANTS.c.user_id == USERS.c.user_id).where(GRANTS.c.tenant == tenant)
    )


def _member(connection: Connection, tenant: str, name: str) -> Row[Any]:
    """Somebody who has no role here is answered like one whom there is not."""
    found = connection.execute(_members(tenant).where(USERS.c.name == name.lower())).first()
    if found is None:
        why = f"'{tenant}' has no user '{name[:100]}': take the name from /v1/tenants/{tenant}/users"
        raise Problem("unknown-user", why)
    return found


def _elsewhere(connection: Connection, tenant: str) -> Collection[str]:
    """The users who have a role beyond the tenant."""
    here = select(GRANTS.c.user_id).where(GRANTS.c.tenant == tenant)
    query = select(GRANTS.c.user_id).where(GRANTS.c.user_id.in_(here), GRANTS.c.tenant != tenant)
    return set(connection.execute(query).scalars())


def _keep_an_admin(connection: Connection, tenant: str, user: Row[Any]) -> None:
    """Refuse what would leave the tenant without admin."""
    query = (
        select(USERS.c.user_id)
        .join(GRANTS, GRANTS.c.user_id == USERS.c.user_id)
        .where(GRANTS.c.tenant == tenant, GRANTS.c.role == "admin", USERS.c.disabled_at.is_(None))
    )
    if user.role == "admin" and set(connection.execute(query).scalars()) <= {user.user_id}:
        raise Problem("last-admin", f"'{user.name}' is the last admin of '{tenant}': make another one first")


def _check_role(by: Principal, tenant: str, role: str) -> None:
    """Nobody gives, or has power over, a role that may do more than he may himself."""
    over = sorted(scope for scope in ROLES.get(role, ()) if not by.may(scope, tenant))
    if over:
        raise Problem("forbidden", f"{by.actor} may not manage the role {role} at '{tenant}' without {', '.join(over)}")


def _of(caller: Caller, tenant: str) -> Caller:
    """The tenant's own log tells of it, whoever did it."""
    return replace(caller, tenant=tenant)


def _not_yours(name: str, why: str) -> Problem:
    return Problem("user-not-yours", f"user '{name[:100]}' {why}")


def _shown(row: Row[Any], is_only_here: bool) -> dict[str, Any]:
    return {
        "name": row.name,
        "role": row.role,
        "created_at": row.created_at,
        "disabled_at": row.disabled_at,
        "second_factor": row.totp_confirmed_at is not None,
        "own_login": row.oidc_issuer is not None,
        "password_ends_at": row.password_ends_at,
        "is_only_here": is_only_here,
    }
