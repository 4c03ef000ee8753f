"""/plan/imports: an edited workbook comes in, is compared with the plan, and is taken or not."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from serving import idempotency
from serving.exchange import difference, edits, schemas
from serving.exchange.export import XLSX, alone
from serving.exchange.imports import Imports
from serving.exchange.origin import opened
from serving.exchange.reading import Sheets
from serving.idempotency import once
from serving.identity.access import Access, caller_of
from serving.identity.secret import Secret
from serving.plans.plan import Plans
from serving.plans.schemas import node
from serving.problems import responses
from serving.render import json_bytes
from serving.tenants import TENANT_KINDS, Tenant

ImportId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Of the import, from the answer that made it")]
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The workbook as it was given by /plan?format=xlsx, edited and saved; 16 MiB at most",
        "content": {XLSX: {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ImportRoutes:
    """The addresses; `router` holds them."""

    def __init__(self, plans: Plans, imports: Imports, secret: Secret) -> None:
        self._plans = plans
        self._imports = imports
        self._secret = secret
        self.router = APIRouter(prefix="/v1/tenants/{tenant}/plan/imports", tags=["plans"])
        one = (schemas.Import, schemas.IMPORT)
        bad = ("workbook-refused", "plan-changed", "busy", *TENANT_KINDS)
        self._add("POST", "", once(self.make), "write", 201, *one, *bad, *idempotency.KINDS, more=_BODY)
        self._add("GET", "/{import_id}", self.one, "read", 200, *one, "unknown-import")
        over = (
            "unknown-import",
            "import-over",
            "import-has-problems",
            "touches-nothing",
            "plan-changed",
            *TENANT_KINDS,
        )
        taken = (schemas.Taken, schemas.TAKEN, *over, *idempotency.KINDS)
        self._add("POST", "/{import_id}/take", once(self.take), "write", 201, *taken)

    def _add(
        self,
        method: str,
        path: str,
        endpoint: Any,
        scope: str,
        status: int,
        model: type,
        example: object,
        *kinds: str,
        more: dict[str, Any] | None = None,
    ) -> None:
        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=status,
            dependencies=[Depends(Access(f"plans:{scope}"))],
            response_model=model,
            responses={status: {"content": {"application/json": {"example": example}}}, **responses(*kinds)},
            openapi_extra=more,
        )

    async def make(self, tenant: Tenant, request: Request) -> Response:
        """Compare a workbook with the plan: what it would change, cell by cell, and what of it cannot be taken.

        Nothing is changed yet. The difference waits for a day to be taken.
        """
        body = await request.body()
        return await run_in_threadpool(self._make, tenant, request, body)

    def _make(self, tenant: str, request: Request, body: bytes) -> Response:
        with alone():
            sheets = Sheets(body)
            origin = opened(edits.hidden_rows(sheets), tenant, self._secret)
            found, bad = edits.find(sheets, origin)
        cells, gone = difference.compare(self._plans.current(tenant), origin.night, found)
        row = self._imports.keep(caller_of(request), tenant, origin.night, cells, [*bad, *gone])
        return self._told(tenant, row, 201)

    def one(self, tenant: Tenant, import_id: ImportId) -> Response:
        """The difference once more."""
        return self._told(tenant, self._imports.find(tenant, import_id), 200)

    def take(self, tenant: Tenant, import_id: ImportId, request: Request, asked: schemas.Take) -> Response:
        """Make overrides of the difference: of all of it, or of nothing if one cell of it has changed since."""
        made = self._imports.take(caller_of(request), tenant, import_id, asked.reason, asked.expires_at)
        told = [
            {
                "override_id": o.override_id,
                **node(o.change),
                **{name: getattr(o.change, name) for name in ("first", "last", "how", "value")},
                "expires_at": o.expires_at,
            }
            for o in made
        ]
        return _json({"import_id": import_id, "plan_version": made[0].plan_version, "overrides": told}, 201)

    @staticmethod
    def _told(tenant: str, row: dict[str, Any], status: int) -> Response:
        answer = _json(
            {name: row[name] for name in schemas.Import.model_fields if name != "total"}
            | {"total": len(row["changes"])},
            status,
        )
        if status == 201:
            answer.headers["Location"] = f"/v1/tenants/{quote(tenant)}/plan/imports/{row['import_id']}"
        return answer


def _json(content: dict[str, Any], status: int) -> Response:
    return Response(json_bytes(content), status, {"Cache-Control": "no-cache"}, "application/json")
