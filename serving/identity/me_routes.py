"""/v1/me: what a user sees and changes of himself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool

from serving.identity import schemas
from serving.identity.access import Access, caller_of, principal_of
from serving.identity.auth_routes import Door
from serving.identity.documents import told
from serving.identity.roles import EVERY, Principal
from serving.identity.service import Identity
from serving.schemas import Health

_KINDS = ("sign-in-refused", "locked")


class MeRoutes:
    """The addresses; `router` holds them. None is for API keys.

    `known` gives every tenant that there is, `currency` what a tenant's prices are in.
    """

    def __init__(
        self,
        identity: Identity,
        door: Door,
        known: Callable[[], Iterable[str]],
        currency: Callable[[str], str | None],
    ) -> None:
        self._known = known
        self._currency = currency
        self._identity = identity
        self._door = door
        self.router = APIRouter(prefix="/v1/me", tags=["me"], dependencies=[Depends(Access(None))])
        self.router.add_api_route("", self.me, response_model=schemas.Me, responses=told(schemas.ME))
        there = told(schemas.TENANTS, "unreadable")
        self.router.add_api_route("/tenants", self.tenants, response_model=schemas.OwnTenants, responses=there)
        self._add("/password", self.password, Health, schemas.OK, *_KINDS)
        self._add("/second-factor", self.enrol, schemas.Enrolment, schemas.ENROLMENT, *_KINDS)
        self._add("/second-factor/confirm", self.confirm, schemas.RecoveryCodes, schemas.RECOVERY, *_KINDS)
        self._add("/second-factor/remove", self.remove, Health, schemas.OK, *_KINDS)

    def _add(self, path: str, endpoint: Any, model: type, example: object, *kinds: str) -> None:
        self.router.add_api_route(
            path, endpoint, methods=["POST"], response_model=model, responses=told(example, *kinds)
        )

    async def me(self, request: Request) -> dict[str, Any]:
        """Name, roles, and whether there is a second factor."""
        return await run_in_threadpool(self._identity.users.one, _ids(principal_of(request))[0])

    def tenants(self, request: Request) -> dict[str, Any]:
        """The tenants that the user may see, with what he may do there; who has a role at all of them gets them all."""
        principal = principal_of(request)
        roles = self._identity.users.one(_ids(principal)[0])["roles"]
        names = set(principal.scopes) - {EVERY}
        if EVERY in principal.scopes:
            names.update(self._known())
        of_all = principal.scopes.get(EVERY, frozenset())
        rows = [
            {
                "tenant": name,
                "role": roles.get(name) or roles.get(EVERY),
                "scopes": sorted(of_all | principal.scopes.get(name, frozenset())),
                "currency": self._currency(name),
            }
            for name in sorted(names)
        ]
        return {"tenants": rows}

    async def password(self, request: Request, asked: schemas.PasswordChange) -> dict[str, str]:
        """Change the password; every other session of the user ends."""
        caller, name, (_, session) = caller_of(request), _name(request), _ids(principal_of(request))
        change = self._identity.sign_in.change_password
        await self._door.run(request, lambda: change(caller, name, asked.old, asked.new, session))
        return schemas.OK

    async def enrol(self, request: Request, asked: schemas.Password) -> dict[str, str]:
        """Begin with a second factor: the secret for the app. It counts once a code has confirmed it."""
        caller, name = caller_of(request), _name(request)
        made = await self._door.run(request, lambda: self._identity.sign_in.enrol(caller, name, asked.password))
        return {"secret": made.secret, "address": made.address, "qr": made.qr}

    async def confirm(self, request: Request, asked: schemas.Code) -> dict[str, list[str]]:
        """Take the second factor into use; gives ten recovery codes, once."""
        caller, name, (user, _) = caller_of(request), _name(request), _ids(principal_of(request))
        codes = await self._door.run(request, lambda: self._identity.sign_in.confirm(caller, user, name, asked.code))
        return {"recovery_codes": codes}

    async def remove(self, request: Request, asked: schemas.PasswordAndCode) -> dict[str, str]:
        """Sign in without second factor from now on."""
        caller, name = caller_of(request), _name(request)
        remove = self._identity.sign_in.remove
        await self._door.run(request, lambda: remove(caller, name, asked.password, asked.code))
        return schemas.OK


def _name(request: Request) -> str:
    return principal_of(request).actor.removeprefix("user:")


def _ids(principal: Principal) -> tuple[str, str]:
    """User and session, which `Access` has seen to be there."""
    return principal.user_id or "", principal.session_id or ""
