"""/plan: baseline, override and final of each series and period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from serving.exchange import export
from serving.forecasts import Forecasts
from serving.heads import head_of, headers_of
from serving.identity.access import Access
from serving.identity.secret import Secret
from serving.paging import Cursor, decode, encode, fingerprint
from serving.plans import schemas
from serving.plans.arithmetic import Ints
from serving.plans.plan import Plan, Plans, check_groups
from serving.problems import Problem, responses
from serving.queries import LIMIT, parameters, read
from serving.render import CSV, csv_pieces, json_lines, json_page, wants_csv
from serving.tenants import TENANT_KINDS, Tenant


class PlanRoutes:
    """The address; `router` holds it."""

    def __init__(self, plans: Plans, forecasts: Forecasts, secret: Secret, now: Callable[[], datetime]) -> None:
        self._plans = plans
        self._forecasts = forecasts
        self._secret = secret
        self._now = now
        self.router = APIRouter(prefix="/v1/tenants/{tenant}", tags=["plans"])
        content: dict[str, Any] = {
            "application/json": {"example": schemas.PLAN},
            "text/csv": {"example": schemas.CSV, "schema": {"type": "string"}},
            export.XLSX: {"example": "(a workbook)", "schema": {"type": "string", "format": "binary"}},
        }
        self.router.add_api_route(
            "/plan",
            self.plan,
            dependencies=[Depends(Access("plans:read"))],
            response_model=schemas.PlanPage,
            responses={
                200: {"content": content},
                **responses(*TENANT_KINDS, "bad-cursor", "cursor-gone", "no-groups", "busy"),
            },
            openapi_extra=parameters(schemas.PlanQuery),
        )

    def plan(self, tenant: Tenant, request: Request) -> Response:
        """The plan over the last good night: its forecast, and what overrides make of it; by site, product and date."""
        query = read(schemas.PlanQuery, request)
        if query.first and query.last and query.first > query.last:
            raise Problem("bad-request", f"query from: {query.first} is after to={query.last}")
        as_csv = wants_csv(query.format, request.headers.get("accept", ""))
        as_workbook = query.format == "xlsx"
        if (as_csv or as_workbook) and (query.limit or query.cursor):
            raise Problem("bad-request", "query limit, cursor: CSV comes whole, and so does a workbook: leave them out")
        asked = fingerprint("plan", tenant, *(getattr(query, name) for name in _FILTERS))
        cursor = decode(query.cursor, tenant, asked) if query.cursor else None
        plan = (
            self._plans.over(self._forecasts.pinned(cursor.key, cursor.version))
            if cursor
            else self._plans.current(tenant)
        )
        check_groups(tenant, plan.known, query.product_group)
        rows = plan.rows(query.site, query.product, query.product_group, query.first, query.last)
        head = head_of(plan.found, self._now())
        if as_csv:
            return _csv(plan, rows, head, query.bom)
        if as_workbook:
            headers = _headers(plan, head, None)
            return export.answer(plan, rows, query.language, self._now(), self._secret, headers)
        offset, limit = cursor.offset if cursor else 0, query.limit or LIMIT
        following = None
        if offset + limit < len(rows):
            given = query.model_dump(mode="json", by_alias=True, exclude_unset=True)
            given["cursor"] = encode(Cursor(plan.found.night.key, plan.found.version, offset + limit), asked)
            following = f"/v1/tenants/{quote(tenant)}/plan?{urlencode(given, doseq=True)}"
        told = {**head, "plan_version": plan.plan_version, "total": len(rows), "next": following}
        content = json_page(told, "plan", json_lines(plan.table(rows[offset : offset + limit])))
        return Response(content, media_type="application/json", headers=_headers(plan, head, following))


def _csv(plan: Plan, rows: Ints, head: dict[str, Any], bom: bool) -> Response:
    name = f"plan_{head['tenant']}_{head['night']}.csv"
    headers = {**_headers(plan, head, None), "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return StreamingResponse(csv_pieces(plan.table(rows), bom), media_type=CSV, headers=headers)


def _headers(plan: Plan, head: dict[str, Any], following: str | None) -> dict[str, str]:
    return {**headers_of(head, following), "Uretimiq-Plan-Version": str(plan.plan_version)}


_FILTERS = ("site", "product", "product_group", "first", "last")
