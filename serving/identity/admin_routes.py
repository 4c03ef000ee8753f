"""A tenant's API keys and audit log, and the audit log of all."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from expectations.contract import CODE
from serving import idempotency
from serving.identity import schemas
from serving.identity.access import Access, Where, caller_of, principal_of
from serving.identity.documents import told
from serving.identity.service import Identity
from serving.paging import fingerprint, pack, unpack, unreadable
from serving.problems import Problem
from serving.render import json_bytes

LIMIT, MOST = 100, 1000
Tenant = Annotated[str, Path(pattern=f"^(?:{CODE})$", description="Customer", examples=["acme"])]
Prefix = Annotated[str, Path(pattern="^urt_key_[0-9a-f]{8}$", description="Of the key, as it is listed")]
Word = Annotated[str | None, Query(max_length=110, pattern="^[^\\x00]*$", description="Only rows with this")]
Limit = Annotated[int, Query(ge=1, le=MOST, description=f"Rows of a page; {LIMIT} if left out")]
Cursor = Annotated[str | None, Query(max_length=200, description="From `next` of the page before")]


class AdminRoutes:
    """The addresses; `router` holds them."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.router = APIRouter()
        keys, audit = "/v1/tenants/{tenant}/keys", "/v1/tenants/{tenant}/audit"
        log = (schemas.AuditPage, schemas.AUDIT, "bad-cursor")
        self._add("GET", keys, self.keys, "keys:read", schemas.KeyList, schemas.KEYS)
        made = (schemas.KeyMade, schemas.KEY_MADE, *idempotency.KINDS)
        self._add("POST", keys, idempotency.once(self.add_key), "keys:write", *made)
        revoke = f"{keys}/{{prefix}}/revoke"
        self._add("POST", revoke, self.revoke, "keys:write", schemas.Key, schemas.KEY, "unknown-key")
        self._add("GET", audit, self.audit, "audit:read", *log)
        self._add("GET", "/v1/audit", self.whole_audit, "audit:read", *log, where=Where.PLATFORM)

    def _add(
        self,
        method: str,
        path: str,
        endpoint: Any,
        scope: str,
        model: type,
        example: object,
        *kinds: str,
        where: Where = Where.PATH,
    ) -> None:
        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            tags=[scope.partition(":")[0]],
            dependencies=[Depends(Access(scope, where))],
            response_model=model,
            responses=told(example, *kinds),
        )

    def keys(self, tenant: Tenant) -> dict[str, Any]:
        """The tenant's API keys, the newest first; ended ones too."""
        return {"keys": self._identity.keys.list(tenant)}

    def add_key(self, tenant: Tenant, request: Request, asked: schemas.NewKey) -> Response:
        """A new API key, shown this once; it can do no more than who makes it."""
        principal = principal_of(request)
        over = sorted(scope for scope in asked.scopes if not principal.may(scope, tenant))
        if over:
            raise Problem("forbidden", f"{principal.actor} may not give {', '.join(over)[:100]} at '{tenant}'")
        try:
            made = self._identity.keys.add(caller_of(request), tenant, asked.name, asked.scopes, asked.days)
        except ValueError as error:
            raise Problem("bad-request", str(error)) from error
        content = json_bytes(made.row | {"key": made.key})
        return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})

    def revoke(self, tenant: Tenant, prefix: Prefix, request: Request) -> dict[str, Any]:
        """End an API key; it is refused within two seconds."""
        if not self._identity.keys.revoke(caller_of(request), prefix, tenant):
            raise Problem("unknown-key", f"'{tenant}' has no API key {prefix} that could be revoked")
        return next(key for key in self._identity.keys.list(tenant) if key["prefix"] == prefix)

    def audit(
        self, tenant: Tenant, limit: Limit = LIMIT, cursor: Cursor = None, actor: Word = None, action: Word = None
    ) -> dict[str, Any]:
        """What was changed at the tenant, and whom it refused; newest first."""
        return self._page(f"/v1/tenants/{quote(tenant)}/audit", tenant, limit, cursor, actor, action)

    def whole_audit(
        self, limit: Limit = LIMIT, cursor: Cursor = None, actor: Word = None, action: Word = None
    ) -> dict[str, Any]:
        """The same for all tenants, and for what belongs to none."""
        return self._page("/v1/audit", None, limit, cursor, actor, action)

    def _page(
        self, path: str, tenant: str | None, limit: int, cursor: str | None, actor: str | None, action: str | None
    ) -> dict[str, Any]:
        asked = fingerprint("audit", tenant, actor, action)
        before = _decode(cursor, asked) if cursor else None
        rows = self._identity.audit.page(tenant, limit + 1, before, actor, action)
        query: dict[str, Any] = {name: v for name, v in (("actor", actor), ("action", action)) if v is not None}
        following = None
        if len(rows) > limit:
            query |= {"limit": limit, "cursor": pack(asked, rows[limit - 1]["audit_id"])}
            following = f"{path}?{urlencode(query)}"
        return {"next": following, "rows": rows[:limit]}


def _decode(text: str, asked: str) -> int:
    place = unpack(text, asked)
    if len(place) != 1 or not isinstance(place[0], int) or not 0 < place[0] < 2**62:
        raise unreadable()
    return place[0]
