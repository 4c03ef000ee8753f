"""Signing in: password and second factor, each failure the same answer after the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from serving.identity.audit import Audit, home_of
from serving.identity.lockout import Lockout
from serving.identity.passwords import Passwords, check_password
from serving.identity.roles import Caller, user_name
from serving.identity.sessions import Opened, Sessions
from serving.identity.totp import Enrolment, SecondFactor
from serving.state.database import State
from serving.state.tables import USERS


class SignInError(Exception):
    """Refused, without saying whether it is the name, the password or the code; the message is one line."""

    def __init__(self) -> None:
        super().__init__("name, password or code is wrong")


class CodeNeededError(Exception):
    """The password is right; the second factor is asked besides."""

    def __init__(self) -> None:
        super().__init__("a code of the second factor is needed: send it as `code`")


class NewPasswordNeededError(Exception):
    """The one-time password is right; it opens nothing but the choice of another."""

    def __init__(self) -> None:
        super().__init__("this password is for one time: choose your own, and send it as `new_password`")


class SignIn:
    """Opens sessions, and changes what one signs in with. Each try counts, as told in `lockout`."""

    def __init__(
        self,
        state: State,
        audit: Audit,
        lockout: Lockout,
        passwords: Passwords,
        sessions: Sessions,
        second: SecondFactor,
        now: Callable[[], datetime],
    ) -> None:
        self._state = state
        self._audit = audit
        self._lockout = lockout
        self._passwords = passwords
        self._sessions = sessions
        self._second = second
        self._now = now

    def by_password(self, caller: Caller, name: str, password: str, code: str = "", new: str = "") -> Opened:
        """A new session; after a one-time password by `new`, which is the password from now on.

        Raises SignInError, CodeNeededError, NewPasswordNeededError, LockedError, and ValueError where `new` will not do.
        """
        name = _name(name)
        user = self._check(name, password, caller)
        hashed = self._chosen(user, password, new) if user.password_ends_at else None
        by = "password"
        with self._state.write() as connection:
            user = _held(connection, user)
            if user.totp_confirmed_at:
                if not code:
                    raise CodeNeededError  # counted as a failure: else it would wipe out those of wrong codes
                by = self._second.check(connection, user.user_id, code) or ""
                if not by:
                    raise SignInError
            if hashed:
                self._choose(connection, caller, user, hashed)
            opened = self._sessions.open(connection, user.user_id)
            if not hashed and self._passwords.is_old(user.password_hash):
                values = {"password_hash": self._passwords.hash(password)}
                connection.execute(update(USERS).where(USERS.c.user_id == user.user_id).values(values))
            himself = replace(caller, actor=f"user:{name}")
            self._audit.note(connection, himself, "session.opened", f"user:{name}", by=by, session=opened.session_id)
        self._lockout.succeeded(name, caller.address)
        return opened

    def by_company(self, caller: Caller, user_id: str) -> Opened:
        """A new session for a user whom the company's own login vouches for."""
        with self._state.write() as connection:
            opened = self._sessions.open(connection, user_id)
            tenant = home_of(connection, USERS.c.user_id == user_id)
            name = connection.execute(select(USERS.c.name).where(USERS.c.user_id == user_id)).scalar_one()
            himself = replace(caller, actor=f"user:{name}")
            self._audit.note(
                connection, himself, "session.opened", himself.actor, tenant, by="own_login", session=opened.session_id
            )
        return opened

    def change_password(self, caller: Caller, name: str, old: str, new: str, session_id: str) -> None:
        """Every other session of the user ends. Raises SignInError, LockedError, ValueError."""
        check_password(new, name)
        user = self._check(name, old, caller)
        hashed = self._passwords.hash(new)
        with self._state.write() as connection:
            _held(connection, user)
            connection.execute(update(USERS).where(USERS.c.user_id == user.user_id).values(password_hash=hashed))
            self._sessions.end_all(connection, user.user_id, but=session_id)
            self._audit.note(connection, caller, "user.password_changed", caller.actor)
        self._lockout.succeeded(name, caller.address)

    def enrol(self, caller: Caller, name: str, password: str) -> Enrolment:
        """Begin with a second factor. Raises SignInError, LockedError, and ValueError where there is one already."""
        user = self._check(name, password, caller)
        with self._state.write() as connection:
            if _held(connection, user).totp_confirmed_at:
                raise ValueError("there is a second factor already: remove it first")
            enrolment = self._second.enrol(connection, user.user_id, name)
            self._audit.note(connection, caller, "second_factor.begun", caller.actor)
        self._lockout.succeeded(name, caller.address)
        return enrolment

    def confirm(self, caller: Caller, user_id: str, name: str, code: str) -> list[str]:
        """Take the factor into use by its first code; gives the recovery codes. Raises SignInError, LockedError."""
        self._lockout.begin(name, caller.address)
        with self._state.write() as connection:
            codes = self._second.confirm(connection, user_id, code)
            if codes is None:
                raise SignInError
            self._audit.note(connection, caller, "second_factor.confirmed", caller.actor)
        self._lockout.succeeded(name, caller.address)
        return codes

    def remove(self, caller: Caller, name: str, password: str, code: str) -> None:
        """Sign in without second factor from now on. Raises as `by_password`."""
        user = self._check(name, password, caller)
        with self._state.write() as connection:
            user = _held(connection, user)
            if user.totp_confirmed_at and not self._second.check(connection, user.user_id, code):
                raise SignInError
            self._second.remove(connection, user.user_id)
            self._audit.note(connection, caller, "second_factor.removed", caller.actor)
        self._lockout.succeeded(name, caller.address)

    def _chosen(self, user: Row[Any], once: str, new: str) -> str:
        """The hash of the password that is to be in place of the one for one time."""
        if not new:
            raise NewPasswordNeededError  # counted as a failure, as above
        if check_password(new, user.name) == once:
            raise ValueError("password: choose another than the one for one time")
        return self._passwords.hash(new)

    def _choose(self, connection: Connection, caller: Caller, user: Row[Any], hashed: str) -> None:
        query = update(USERS).where(USERS.c.user_id == user.user_id)
        connection.execute(query.values(password_hash=hashed, password_ends_at=None))
        himself = replace(caller, actor=f"user:{user.name}")
        self._audit.note(connection, himself, "user.password_changed", himself.actor)

    def _check(self, name: str, password: str, caller: Caller) -> Row[Any]:
        """The enabled user of that name and password."""
        self._lockout.begin(name, caller.address)
        with self._state.read() as connection:
            user = connection.execute(select(USERS).where(USERS.c.name == name)).first()
        is_right = self._passwords.is_right(user.password_hash if user else None, password)
        is_over = bool(user and user.password_ends_at and self._now() >= user.password_ends_at)
        if user is None or not is_right or user.disabled_at or is_over:
            raise SignInError
        return user


def _held(connection: Connection, user: Row[Any]) -> Row[Any]:
    """The user as he is now, whom nobody changes until the transaction ends. Raises SignInError.

    Judging a password takes a while: who was reset or disabled in it, or whose password was changed (as by another who
    brought the same one-time password), is refused.
    """
    query = select(USERS).where(USERS.c.user_id == user.user_id, USERS.c.password_hash == user.password_hash)
    found = connection.execute(query.where(USERS.c.disabled_at.is_(None)).with_for_update()).first()
    if found is None:
        raise SignInError
    return found


def _name(text: str) -> str:
    """The name as it is kept; one that cannot be anybody's counts and takes time like any other."""
    try:
        return user_name(text)
    except ValueError:
        return "?"
