"""What may be done, and who may do it: a route declares its scope, a role is a set of scopes at a tenant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from expectations.contract import CODE

EVERY = "*"  # in place of a tenant: all of them, and what belongs to none
READS = {
    "forecasts:read": "Forecasts, series and why they are as they are",
    "status:read": "State of tables, jobs and models",
    "plans:read": "Plans, overrides and scenarios",
    "keys:read": "Which API keys there are",
    "users:read": "Who has a role here",
    "audit:read": "The audit log",
    "evidence:read": "Runs of jobs, results of checks, what is in quarantine",
}
WRITES = {
    "plans:write": "Change plans: overrides and scenarios",
    "keys:write": "Make and revoke API keys",
    "users:write": "Add users, change their roles, reset them",
}
SCOPES = READS | WRITES
_VIEWS = frozenset({"forecasts:read", "status:read", "plans:read"})
ROLES: dict[str, frozenset[str]] = {
    "viewer": _VIEWS,
    "operator": _VIEWS | {"plans:write", "keys:read", "evidence:read"},
    "auditor": frozenset(READS),  # reads all evidence, changes nothing
    "admin": frozenset(SCOPES),
}
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,98}[a-z0-9])?")


@dataclass(frozen=True)
class Principal:
    """Who asks: `actor` as the audit log names him, and his scopes by tenant. A user has a session, a key has none."""

    actor: str
    scopes: Mapping[str, frozenset[str]]
    user_id: str | None = None
    session_id: str | None = None

    def may(self, scope: str, tenant: str) -> bool:
        """Whether the scope holds at the tenant; at EVERY only who has it there."""
        return scope in self.scopes.get(tenant, ()) or scope in self.scopes.get(EVERY, ())


@dataclass(frozen=True)
class Caller:
    """Where a change comes from: who asks, from which address, in which request, and whose log is to tell of it."""

    actor: str
    address: str = ""
    request_id: str = ""
    tenant: str | None = None


def scopes_of(grants: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Scopes by tenant, from roles by tenant. A role that is not known any more grants nothing."""
    return {tenant: ROLES.get(role, frozenset()) for tenant, role in grants.items()}


def user_name(text: str) -> str:
    """The name as it is kept: in lower case, of letters that look like no others. Raises ValueError."""
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise ValueError(f"user name '{text[:100]}': use 1 to 100 letters a-z, digits and . _ @ + -, not at the ends")
    return name


def check_tenant(tenant: str) -> str:
    """The tenant's code, if it can be one, or EVERY. Raises ValueError."""
    if tenant != EVERY and not re.fullmatch(CODE, tenant):
        raise ValueError(f"tenant '{tenant[:100]}': give the code of its landing prefix, or {EVERY} for all")
    return tenant


def check_grants(grants: Mapping[str, str]) -> None:
    """Raises ValueError for a role or tenant that there cannot be."""
    for tenant, role in grants.items():
        check_tenant(tenant)
        if role not in ROLES:
            raise ValueError(f"role '{role[:100]}': use one of {', '.join(ROLES)}")


def check_scopes(scopes: Iterable[str]) -> list[str]:
    """The scopes in order, if they are. Raises ValueError."""
    asked = sorted(set(scopes))
    wrong = [scope for scope in asked if scope not in SCOPES]
    if wrong or not asked:
        raise ValueError(f"scope '{', '.join(wrong)}': use one or more of {', '.join(SCOPES)}")
    return asked
