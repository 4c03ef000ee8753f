"""Who may use an address: a route declares its scope by `allow`, and nothing else decides."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from serving.identity import keys
from serving.identity.limits import Limits
from serving.identity.roles import EVERY, Caller, Principal
from serving.identity.secret import fingerprint
from serving.identity.tokens import AccessTokens, TokenError
from serving.problems import Problem

KNOWN_SECONDS = 2.0  # so long a revoked key or ended session may still read
KNOWN_MOST = 10_000


class Where(Enum):
    """Which tenant an address is about."""

    PATH = "path"  # the one in its path
    QUERY = "query"  # the one in its query; without it, all
    PLATFORM = "platform"  # all of them, or none


@dataclass(frozen=True)
class Access:
    """What an address asks of its caller: a scope at a tenant, or with None to be a user who signed in."""

    scope: str | None
    where: Where = Where.PATH

    async def __call__(self, request: Request) -> None:
        """Raises Problem."""
        guard: Guard = request.app.state.guard
        principal = await guard.principal(request)
        request.state.principal = principal
        request.state.actor = principal.actor
        tenant = self.tenant(request)
        # Who has no role at the tenant is not named in its log: he is another's user.
        request.state.tenant = tenant if tenant in principal.scopes and tenant != EVERY else _log_of(principal)
        await guard.limit(principal)
        if self.scope is None:
            if principal.user_id is None:
                raise Problem("forbidden", f"{principal.actor} is no user: sign in with name and password")
        elif not principal.may(self.scope, tenant):
            at = "for all tenants" if tenant == EVERY else f"at '{tenant}'"
            raise Problem("forbidden", f"{principal.actor} may not use {self.scope} {at}")

    def tenant(self, request: Request) -> str:
        """The tenant that the request is about."""
        if self.where is Where.PATH and self.scope:
            return str(request.path_params["tenant"])
        if self.where is Where.QUERY:
            return request.query_params.get("tenant") or EVERY
        return EVERY


class Guard:
    """Finds out who asks, and remembers it for KNOWN_SECONDS; of who changes something it is found out anew.

    Else an admin whose role was taken could give it back to himself.
    """

    def __init__(
        self,
        tokens: AccessTokens,
        of_session: Callable[[str, str], Principal | None],
        of_key: Callable[[str], Principal | None],
        limits: Limits,
        rate_user: int,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._of_session = of_session
        self._of_key = of_key
        self._limits = limits
        self._rate_user = rate_user
        self._seconds = seconds
        self._known: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    async def principal(self, request: Request) -> Principal:
        """Raises Problem."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Problem("unauthorized", "sign in at /v1/auth/token, or send an API key: Authorization: Bearer ...")
        if token.startswith(keys.MARK):
            request.state.actor = f"key:{token[: len(keys.MARK) + 8]}?"  # until it is known to be that key
            principal = await self._find(request, fingerprint(token), lambda: self._of_key(token))
        else:
            try:
                access = self._tokens.read(token)
            except TokenError as error:
                raise Problem("unauthorized", str(error), error="invalid_token") from error
            known = f"{access.user_id}:{access.session_id}"
            principal = await self._find(request, known, lambda: self._of_session(access.user_id, access.session_id))
        if principal is None:
            why = "the key or session is unknown, revoked or at its end: sign in again, or ask for another key"
            raise Problem("unauthorized", why, error="invalid_token")
        return principal

    async def limit(self, principal: Principal) -> None:
        """Count the request. Raises Problem."""
        wait = await self._limits.wait(principal.actor, self._rate_user)
        if wait:
            raise Problem("too-many-requests", f"more than {self._rate_user} requests a minute: wait {wait} s", wait)

    async def _find(self, request: Request, known: str, look: Callable[[], Principal | None]) -> Principal | None:
        at, principal = self._known.get(known, (float("-inf"), None))
        if principal and request.method == "GET" and self._seconds() - at < KNOWN_SECONDS:
            return principal
        principal = await run_in_threadpool(look)
        self._known.pop(known, None)
        if principal:
            self._known[known] = (self._seconds(), principal)
            while len(self._known) > KNOWN_MOST:
                self._known.popitem(last=False)
        return principal


def principal_of(request: Request) -> Principal:
    """Who asks, where `Access` let him in."""
    found: Principal = request.state.principal
    return found


def caller_of(request: Request) -> Caller:
    """Where a change comes from, for the audit log."""
    state = request.state
    actor, tenant = getattr(state, "actor", "anonymous"), getattr(state, "tenant", None)
    return Caller(actor, address_of(request), getattr(state, "request_id", ""), tenant)


def _log_of(principal: Principal) -> str | None:
    """The tenant whose log tells what he does of his own."""
    tenants = set(principal.scopes)
    return next(iter(tenants)) if len(tenants) == 1 and EVERY not in tenants else None


def address_of(request: Request) -> str:
    """The caller's address; behind a proxy that is trusted, the one that it tells."""
    return request.client.host if request.client else ""
