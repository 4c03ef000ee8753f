"""A tenant's live links, and what they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from serving import idempotency
from serving.exchange import schemas
from serving.exchange.delimited import Language, pieces
from serving.exchange.links import Links
from serving.idempotency import once
from serving.identity.access import Access, caller_of, principal_of
from serving.identity.documents import told
from serving.identity.limits import Limits
from serving.identity.service import Identity
from serving.problems import Problem, responses
from serving.render import CSV, json_bytes
from serving.tenants import TENANT_KINDS, Tenant

RATE = 30  # requests of one link a minute; a spreadsheet asks a few times an hour
SCOPE_OF = {"plan": "plans:read", "forecasts": "forecasts:read"}
Source = Callable[[str, schemas.Filters], pa.Table]  # the rows of a tenant
LinkId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Of the link, as it is listed")]


class LinkRoutes:
    """The addresses; `router` holds them. `sources` gives the rows of each kind of link."""

    def __init__(self, links: Links, identity: Identity, sources: dict[str, Source], limits: Limits) -> None:
        self._links = links
        self._identity = identity
        self._sources = sources
        self._limits = limits
        self.router = APIRouter(tags=["links"])
        path = "/v1/tenants/{tenant}/links"
        self._add("GET", path, self.list, "plans:read", schemas.LinkList, schemas.LINKS)
        made = (schemas.LinkMade, schemas.LINK_MADE, "too-many-links", *idempotency.KINDS)
        self._add("POST", path, once(self.add), "plans:write", *made)
        self._add("DELETE", f"{path}/{{link_id}}", self.revoke, "plans:write", None, None, "unknown-link")
        live = {"text/csv": {"example": schemas.LIVE, "schema": {"type": "string"}}}
        answers = {200: {"content": live}, **responses("link-refused", "state-unavailable", *TENANT_KINDS)}
        self.router.add_api_route("/v1/live/{secret}", self.live, responses=answers, response_class=StreamingResponse)

    def _add(self, method: str, path: str, endpoint: Any, scope: str, model: Any, example: Any, *kinds: str) -> None:
        is_made = method == "POST"
        answers = told(example, *kinds) if example else responses(*kinds)
        if is_made:
            answers[201] = answers.pop(200)
        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=201 if is_made else 200 if example else 204,
            dependencies=[Depends(Access(scope))],
            response_model=model,
            responses=answers,
        )

    def list(self, tenant: Tenant) -> dict[str, Any]:
        """The tenant's live links, the newest first; ended ones too."""
        return {"links": self._links.list(tenant)}

    def add(self, tenant: Tenant, request: Request, asked: schemas.NewLink) -> Response:
        """A new live link, whose address is shown this once."""
        principal = principal_of(request)
        if not principal.may(SCOPE_OF[asked.what], tenant):
            raise Problem("forbidden", f"{principal.actor} may not give {SCOPE_OF[asked.what]} at '{tenant}'")
        if asked.what != "plan" and asked.filters.product_group:
            raise Problem("bad-request", "body filters product_group: forecasts know no groups: leave it out")
        filters = asked.filters.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        made = self._links.add(caller_of(request), tenant, asked.name, asked.what, filters, asked.expires_at)
        told = made.row | {"url": f"{request.base_url}v1/live/{made.secret}"}
        return Response(json_bytes(told), 201, {"Cache-Control": "no-store"}, "application/json")

    def revoke(self, tenant: Tenant, link_id: LinkId, request: Request) -> Response:
        """End a live link at once."""
        self._links.revoke(caller_of(request), tenant, link_id)
        return Response(status_code=204)

    async def live(
        self,
        secret: Annotated[str, Path(max_length=200, description="From the address of a link")],
        request: Request,
        language: Annotated[Language, Query(description="tr has ; between fields and , before decimals")] = "en",
        bom: Annotated[bool, Query(description="Begin with a byte order mark, by which Excel knows UTF-8")] = False,
    ) -> Response:
        """The rows of a live link as CSV, as they are now. Whoever has the address may read them, as long as its maker may."""
        link = await run_in_threadpool(self._links.find, secret)
        if link is None:
            raise Problem("link-refused", "the link is unknown, revoked or at its end: make another one")
        request.state.actor, request.state.tenant = f"link:{link['link_id']}", link["tenant"]
        may = await run_in_threadpool(self._identity.may, link["created_by"], SCOPE_OF[link["what"]], link["tenant"])
        if not may:
            why = "who made the link may not read this any more: somebody who may has to make another one"
            raise Problem("link-refused", why)
        wait = await self._limits.wait(request.state.actor, RATE)
        if wait:
            raise Problem("too-many-requests", f"more than {RATE} requests a minute of this link: wait {wait} s", wait)
        rows = await run_in_threadpool(
            self._sources[link["what"]], link["tenant"], schemas.Filters.model_validate(link["filters"])
        )
        headers = {"Cache-Control": "private, no-cache", "X-Robots-Tag": "noindex"}
        return StreamingResponse(pieces(rows, language, bom), media_type=CSV, headers=headers)
