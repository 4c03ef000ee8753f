"""The addresses of the board under /v1/tenants/{tenant}: overview, runs, checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import pyarrow as pa
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from expectations.settings import Settings
from serving.answers import UNCHANGED, Reply, steady
from serving.board import examples, schemas
from serving.board.evidence import CHECKS, RUNS, Evidence, Log
from serving.board.exceptions import Source
from serving.board.overview import Overview
from serving.demand import DemandSeries
from serving.examples import as_tables
from serving.forecasts import Forecasts
from serving.identity.access import Access
from serving.identity.documents import told
from serving.lake import Lake
from serving.queries import parameters, read
from serving.render import json_bytes
from serving.status import EachTable
from serving.tenants import TENANT_KINDS, Tenant
from serving.totals import Totals


def board_router(
    settings: Settings,
    lake: Lake,
    forecasts: Forecasts,
    totals: Totals,
    tables: EachTable,
    demand: DemandSeries,
    now: Callable[[], datetime],
    more: Sequence[Source] = (),
) -> APIRouter:
    """The addresses. `more` gives exceptions that other parts know of a tenant, for its overview."""
    overview = Overview(lake, forecasts, totals, tables, demand.currency_of, now, more)
    return BoardRoutes(overview, Evidence(lake), links_of(settings)).router


def links_of(settings: Settings) -> dict[str, str | None]:
    """Where else to look, as far as the settings say."""
    found = {"airflow": settings.airflow_url, "mlflow": settings.mlflow_url, "data_docs": settings.data_docs_url}
    return {name: address or None for name, address in found.items()}


class BoardRoutes:
    """The addresses; `router` holds them."""

    def __init__(self, overview: Overview, evidence: Evidence, links: dict[str, str | None]) -> None:
        self._overview = overview
        self._evidence = evidence
        self._links = links
        self.router = APIRouter(prefix="/v1/tenants/{tenant}")
        kinds = (kind for kind in TENANT_KINDS if kind != "unknown-night")
        self._add("/overview", self.overview, "forecasts:read", schemas.OverviewAnswer, examples.OVERVIEW, *kinds)
        paged = ("bad-cursor", "unreadable")
        self._add("/runs", self.runs, "evidence:read", schemas.RunsPage, examples.RUNS, *paged, query=schemas.RunsQuery)
        checks = (self.checks, "evidence:read", schemas.ChecksPage, examples.CHECKS, *paged)
        self._add("/checks", *checks, query=schemas.ChecksQuery)

    def _add(
        self,
        path: str,
        endpoint: Callable[..., Any],
        scope: str,
        model: type,
        example: dict[str, Any],
        *kinds: str,
        query: type[schemas.LogQuery] | None = None,
    ) -> None:
        answers = told(example, *kinds)
        if query:
            answers[200]["content"] |= as_tables({path: example[path.removeprefix("/")]})
        self.router.add_api_route(
            path,
            endpoint,
            tags=["board"],
            dependencies=[Depends(Access(scope))],
            response_model=model,
            responses=answers | UNCHANGED,
            openapi_extra=parameters(query) if query else None,
        )

    def overview(self, tenant: Tenant, request: Request) -> Response:
        """A tenant's morning: totals of its last good night, tables that are late, how the night went, what to look at first."""
        head, rest = self._overview.of(tenant)
        reply = Reply(request, head, steady(rest))
        return reply.unchanged() if reply.is_known else reply.json(json_bytes({**head, **rest}))

    def runs(self, tenant: Tenant, request: Request) -> Response:
        """What each run of a job did for the tenant, newest first."""
        query = read(schemas.RunsQuery, request)
        wanted = {"job": query.job, "status": query.status}
        form = query.form(request.headers.get("accept", ""))
        if form != "json":
            return self._whole(
                request, self._evidence.whole(RUNS, tenant, wanted), RUNS, form, f"runs_{tenant}", query.bom
            )
        rows, cursor = self._evidence.page(RUNS, tenant, wanted, query.limit or schemas.LIMIT, query.cursor)
        return self._page(request, tenant, "runs", rows, query, cursor)

    def checks(self, tenant: Tenant, request: Request) -> Response:
        """The result of every rule at every door for the tenant's rows, newest first, and what is in quarantine now."""
        query = read(schemas.ChecksQuery, request)
        wanted = {"contract": query.contract, "door": query.door, "rule": query.rule}
        only = "rows_failed > 0" if query.failed else ""
        form = query.form(request.headers.get("accept", ""))
        if form != "json":
            rows_of = self._evidence.whole(CHECKS, tenant, wanted, only)
            return self._whole(request, rows_of, CHECKS, form, f"checks_{tenant}", query.bom)
        rows, cursor = self._evidence.page(CHECKS, tenant, wanted, query.limit or schemas.LIMIT, query.cursor, only)
        for row in rows:
            row["sample"] = json.loads(row["sample"] or "null")
        refused = self._evidence.quarantine(tenant)
        return self._page(request, tenant, "checks", rows, query, cursor, quarantine=refused)

    @staticmethod
    def _whole(request: Request, rows: pa.Table, log: Log, form: str, name: str, bom: bool) -> Response:
        """A log as a table. What it was is never changed: its length and newest row tell whether there is more."""
        reply = Reply(request, {}, form, len(rows), rows.slice(0, 1).to_pylist())
        return reply.unchanged() if reply.is_known else reply.table(rows, log.contract, form, name, bom)

    def _page(
        self,
        request: Request,
        tenant: str,
        name: str,
        rows: list[dict[str, Any]],
        query: schemas.LogQuery,
        cursor: str | None,
        **more: Any,
    ) -> Response:
        following = None
        if cursor:
            given = query.model_dump(mode="json", exclude_unset=True, exclude={"cursor"})
            following = f"/v1/tenants/{quote(tenant)}/{name}?{urlencode({**given, 'cursor': cursor})}"
        content = {"tenant": tenant, "links": self._links, **more, "next": following, name: rows}
        reply = Reply(request, {}, content)
        return reply.unchanged() if reply.is_known else reply.json(json_bytes(content), following)
