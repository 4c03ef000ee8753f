"""/v1/tenants/{tenant}/users: who has a role at a tenant, for its admin to add, change and reset."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from serving import idempotency
from serving.identity import member_schemas as schemas
from serving.identity.access import Access, caller_of, principal_of
from serving.identity.admin_routes import Tenant
from serving.identity.auth_routes import Door
from serving.identity.members import Members
from serving.problems import responses
from serving.render import json_bytes

User = Annotated[str, Path(max_length=100, pattern="^[^\\x00]+$", description="Name of the user", examples=["mehmet"])]
OF_ONE = ("unknown-user", "user-not-yours")


class MemberRoutes:
    """The addresses; `router` holds them."""

    def __init__(self, members: Members, door: Door) -> None:
        self._members = members
        self._door = door
        self.router = APIRouter(prefix="/v1/tenants/{tenant}/users", tags=["users"])
        made = (schemas.OneTime, schemas.ONE_TIME)
        self._add("GET", "", self.list, schemas.UserList, schemas.USERS)
        self._add("POST", "", idempotency.once(self.add), *made, "name-taken", *idempotency.KINDS, status=201)
        self._add("PUT", "/{user}", self.change, schemas.TenantUser, schemas.USER, *OF_ONE, "last-admin")
        self._add("DELETE", "/{user}", self.take, None, None, *OF_ONE, "last-admin", status=204)
        self._add("POST", "/{user}/reset", idempotency.once(self.reset), *made, *OF_ONE, *idempotency.KINDS)

    def _add(
        self,
        method: str,
        path: str,
        endpoint: Any,
        model: type | None,
        example: object,
        *kinds: str,
        status: int = 200,
    ) -> None:
        content = {"content": {"application/json": {"example": example}}} if model else {}
        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=status,
            dependencies=[Depends(Access("users:read" if method == "GET" else "users:write"))],
            response_model=model,
            responses={status: content, **responses(*kinds)},
        )

    def list(self, tenant: Tenant) -> dict[str, Any]:
        """Who has a role at the tenant."""
        return {"users": self._members.list(tenant)}

    async def add(self, tenant: Tenant, request: Request, asked: schemas.NewUser) -> Response:
        """A new user; his one-time password is shown this once, and lets him choose his own within 7 days."""
        who = caller_of(request), principal_of(request)
        password = await self._door.run(request, lambda: self._members.add(*who, tenant, asked.name, asked.role))
        name = asked.name.strip().lower()
        answer = self._told(tenant, name, password, 201)
        answer.headers["Location"] = f"/v1/tenants/{quote(tenant)}/users/{quote(name)}"
        return answer

    def change(self, tenant: Tenant, user: User, request: Request, asked: schemas.RoleAsked) -> dict[str, Any]:
        """Another role at the tenant; it holds within two seconds."""
        self._members.change(caller_of(request), principal_of(request), tenant, user, asked.role)
        return self._members.one(tenant, user)

    def take(self, tenant: Tenant, user: User, request: Request) -> Response:
        """Take the user's role at the tenant away; what he has elsewhere stays."""
        self._members.take(caller_of(request), principal_of(request), tenant, user)
        return Response(status_code=204)

    async def reset(self, tenant: Tenant, user: User, request: Request) -> Response:
        """For one who lost password or phone: a new one-time password, no second factor, no lock; his sessions end."""
        who = caller_of(request), principal_of(request)
        password = await self._door.run(request, lambda: self._members.reset(*who, tenant, user))
        return self._told(tenant, user, password)

    def _told(self, tenant: str, name: str, password: str, status: int = 200) -> Response:
        content = json_bytes(self._members.one(tenant, name) | {"password": password})
        return Response(content, status, {"Cache-Control": "no-store"}, "application/json")
