"""/plan: baseline, override and final of each series and period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from expectations.tables import DEMAND_FORECAST
from serving.answers import UNCHANGED, Reply, head_of
from serving.examples import as_tables
from serving.exchange import delimited, export
from serving.forecasts import Forecasts
from serving.identity.access import Access
from serving.identity.secret import Secret
from serving.paging import Cursor, decode, encode, fingerprint
from serving.plans import schemas
from serving.plans.examples import PLAN
from serving.plans.plan import Plans, check_groups
from serving.problems import Problem, responses
from serving.queries import LIMIT, parameters, read
from serving.render import CSV, form_of, json_page
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
            "application/json": {"example": PLAN},
            **as_tables(PLAN),
            export.XLSX: {"example": "(a workbook)", "schema": {"type": "string", "format": "binary"}},
        }
        kinds = (*TENANT_KINDS, "bad-cursor", "cursor-gone", "no-groups", "busy")
        self.router.add_api_route(
            "/plan",
            self.plan,
            dependencies=[Depends(Access("plans:read"))],
            response_model=schemas.PlanPage,
            responses={200: {"content": content}, **UNCHANGED, **responses(*kinds)},
            openapi_extra=parameters(schemas.PlanQuery),
        )

    def plan(self, tenant: Tenant, request: Request) -> Response:
        """The plan over the last good night: its forecast, and what overrides make of it; by site, product and date."""
        query = read(schemas.PlanQuery, request)
        if query.first and query.last and query.first > query.last:
            raise Problem("bad-request", f"query from: {query.first} is after to={query.last}")
        form = form_of(query.format, request.headers.get("accept", ""))
        if form != "json" and (query.limit or query.cursor):
            raise Problem("bad-request", "query limit, cursor: CSV, Arrow and workbooks come whole, leave them out")
        asked = fingerprint("plan", tenant, *(getattr(query, name) for name in _FILTERS))
        cursor = decode(query.cursor, tenant, asked) if query.cursor else None
        plan = (
            self._plans.over(self._forecasts.pinned(cursor.key, cursor.version))
            if cursor
            else self._plans.current(tenant)
        )
        check_groups(tenant, plan.known, query.product_group)
        rows = plan.rows(query.site, query.product, query.product_group, query.first, query.last)
        head = head_of(plan.found, self._now()) | {"plan_version": plan.plan_version}
        reply = Reply(request, head, plan.tag, form)
        if reply.is_known:
            return reply.unchanged()
        if form == "xlsx":
            content = export.content(plan, rows, query.language or "tr", self._now(), self._secret)
            return reply.file(content, export.XLSX, f"plan_{tenant}_{plan.found.night.key.night}.xlsx")
        if form != "json":
            name = f"plan_{tenant}_{plan.found.night.key.night}"
            if form == "csv" and query.language:
                lines = b"".join(delimited.pieces(plan.table(rows), query.language, query.bom))
                return reply.file(lines, CSV, f"{name}.csv")
            return reply.table(plan.table(rows), DEMAND_FORECAST, form, name, query.bom)
        offset, limit = cursor.offset if cursor else 0, query.limit or LIMIT
        following = None
        if offset + limit < len(rows):
            given = query.model_dump(mode="json", by_alias=True, exclude_unset=True)
            given["cursor"] = encode(Cursor(plan.found.night.key, plan.found.version, offset + limit), asked)
            following = f"/v1/tenants/{quote(tenant)}/plan?{urlencode(given, doseq=True)}"
        page = plan.table(rows[offset : offset + limit])
        return reply.json(json_page({**head, "total": len(rows), "next": following}, "plan", page), following)


_FILTERS = ("site", "product", "product_group", "first", "last")
