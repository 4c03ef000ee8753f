"""The parts of identity put together in one place, for the API and for the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from serving.identity.audit import Audit
from serving.identity.keys import Keys
from serving.identity.lockout import Lockout
from serving.identity.members import Members
from serving.identity.passwords import Passwords
from serving.identity.secret import Secret
from serving.identity.sessions import Sessions
from serving.identity.signin import SignIn
from serving.identity.tokens import AccessTokens
from serving.identity.totp import SecondFactor
from serving.identity.users import Users
from serving.state.database import State


@dataclass(frozen=True)
class Identity:
    """All that knows about users and keys, over one state database."""

    audit: Audit
    users: Users
    keys: Keys
    sessions: Sessions
    sign_in: SignIn
    tokens: AccessTokens
    members: Members

    def may(self, actor: str, scope: str, tenant: str) -> bool:
        """Whether `user:NAME` or `key:PREFIX` may do that now, though it is not he who asks: what he made goes on only so long."""
        kind, _, name = actor.partition(":")
        principal = self.users.by_name(name) if kind == "user" else self.keys.by_prefix(name)
        return principal is not None and principal.may(scope, tenant)


def build(state: State, secret: Secret, now: Callable[[], datetime], passwords: Passwords | None = None) -> Identity:
    """The parts over `state`; `passwords` says how hard a password is hashed."""
    passwords = passwords or Passwords()
    audit = Audit(state, now)
    sessions, second = Sessions(state, audit, secret, now), SecondFactor(secret, now)
    users = Users(state, audit, passwords, sessions, second, now)
    return Identity(
        audit,
        users,
        Keys(state, audit, now),
        sessions,
        SignIn(state, audit, Lockout(state, now), passwords, sessions, second, now),
        AccessTokens(secret, now),
        Members(state, users, passwords, now),
    )
