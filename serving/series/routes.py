"""The addresses of a tenant's series: the list and its search, one of them, their hierarchy, and sums of their past."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from expectations.tables import DEMAND_SERIES
from serving.answers import UNCHANGED, Reply, head_of
from serving.examples import as_tables
from serving.forecasts import Forecasts, Found
from serving.identity.access import Access
from serving.lake import Lake
from serving.nights import Night, Shelf
from serving.paging import Cursor, decode, fingerprint
from serving.problems import responses
from serving.queries import LIMIT, NightQuery, SeriesQuery, TableQuery, parameters, read
from serving.render import json_bytes
from serving.series import schemas
from serving.series.accuracy import Accuracy
from serving.series.hierarchy import children, place_of
from serving.series.known import Known, UnknownSeriesError
from serving.series.past import in_order
from serving.series.queries import CHILDREN, HierarchyQuery, HistoryQuery, SearchQuery
from serving.series.search import Names
from serving.tenants import TENANT_KINDS, Code, Tenant, next_address
from serving.totals import NightTotals, Totals

NAMES_BYTES = 64 * 2**20
PAGED = ("bad-cursor", "cursor-gone")
KNOWN = ("name", "product_group", "product_sub_group", "unit_price")


class SeriesRoutes:
    """The four addresses; `router` holds them."""

    def __init__(
        self, lake: Lake, forecasts: Forecasts, totals: Totals, known: Known, now: Callable[[], datetime]
    ) -> None:
        self._lake = lake
        self._forecasts = forecasts
        self._totals = totals
        self._known = known
        self._accuracy = Accuracy(lake)
        self._names: Shelf[Names] = Shelf(NAMES_BYTES)
        self._now = now
        needs = [Depends(Access("forecasts:read"))]
        self.router = APIRouter(prefix="/v1/tenants/{tenant}", tags=["series"], dependencies=needs)
        unwritten = ("unknown-series", "no-series")
        self._add("/series", self.list, schemas.SeriesPage, schemas.SERIES, SearchQuery, PAGED)
        self._add("/series/{site}/{product}", self.one, schemas.OneSeries, schemas.ONE, NightQuery, unwritten)
        kinds = (*PAGED, "unknown-series")
        self._add("/hierarchy", self.hierarchy, schemas.HierarchyPage, schemas.HIERARCHY, HierarchyQuery, kinds)
        self._add("/history", self.history, schemas.SumOfPast, schemas.HISTORY, HistoryQuery, unwritten)

    def _add(
        self,
        path: str,
        endpoint: Callable[..., Any],
        model: type,
        example: dict[str, Any],
        query: type[NightQuery],
        kinds: tuple[str, ...],
    ) -> None:
        content: dict[str, Any] = {"application/json": {"example": example}}
        if issubclass(query, TableQuery):
            content |= as_tables(example)
        answers = {200: {"content": content}, **UNCHANGED, **responses(*TENANT_KINDS, *kinds)}
        asked = parameters(query)
        self.router.add_api_route(path, endpoint, response_model=model, responses=answers, openapi_extra=asked)

    def list(self, tenant: Tenant, request: Request) -> Response:
        """The series of the last good night: each product at each site, its name and place, and the days that are forecast."""
        query = read(SearchQuery, request)
        form = query.form(request.headers.get("accept", ""))
        asked = fingerprint("series", tenant, query.site, query.product, query.q, query.product_group, query.night)
        found, cursor = self._open(tenant, query, asked)
        totals = self._totals.of(found)
        reply = Reply(request, head_of(found, self._now()), totals.key, form)
        if reply.is_known:
            return reply.unchanged()
        chosen = found.night.select_series(tuple(query.site), tuple(query.product))
        if query.q or query.product_group:
            names = self._names.get(totals.key, lambda: Names(totals))
            chosen = names.choose(chosen, query.q, query.product_group)
        if form != "json":
            rows = _entries(found.night, totals, chosen)
            return reply.table(rows, DEMAND_SERIES, form, f"series_{tenant}_{found.night.key.night}", query.bom)
        limit = query.limit or LIMIT
        address = next_address(f"/v1/tenants/{quote(tenant)}/series", query, cursor, limit, len(chosen), asked)
        page = chosen[cursor.offset : cursor.offset + limit]
        entries = _entries(found.night, totals, page).to_pylist()
        content = {**reply.head, "total": len(chosen), "next": address, "series": entries}
        return reply.json(json_bytes(content), address)

    def one(self, tenant: Tenant, site: Code, product: Code, request: Request) -> Response:
        """One series: its name and place, its last two years, what happened in them, and how good its forecasts were."""
        found = self._forecasts.night(tenant, read(NightQuery, request).night)
        row = self._known.one(tenant, site, product)
        reply = Reply(
            request, head_of(found, self._now()), found.night.key.runs, row["run_id"], self._accuracy.version()
        )
        if reply.is_known:
            return reply.unchanged()
        series = {
            "site": site,
            "product": product,
            "name": row["product_name"],
            **{name: row[name] for name in ("product_group", "product_sub_group", "unit_price", "period")},
            "history": {"first_date": row["first_date"], "units": row["units"]},
            "events": row["events"],
            "accuracy": self._judged(found, {"site": [site], "product": [product]}),
        }
        return reply.json(json_bytes({**reply.head, "series": series}))

    def hierarchy(self, tenant: Tenant, request: Request) -> Response:
        """What lies below a place in the hierarchy, the most units first: sites, then groups, sub-groups and products.

        A level that is not known of any of the series there is left out.
        """
        query = read(HierarchyQuery, request)
        asked = fingerprint("hierarchy", tenant, query.node, query.night)
        found, cursor = self._open(tenant, query, asked)
        totals = self._totals.of(found)
        reply, limit = Reply(request, head_of(found, self._now()), totals.key), query.limit or CHILDREN
        if reply.is_known:
            return reply.unchanged()
        below = children(self._lake, totals, query.node)
        address = next_address(f"/v1/tenants/{quote(tenant)}/hierarchy", query, cursor, limit, len(below), asked)
        content = {
            **reply.head,
            "total": len(below),
            "next": address,
            "node": place_of(query.node),
            "children": below[cursor.offset : cursor.offset + limit],
        }
        return reply.json(json_bytes(content), address)

    def history(self, tenant: Tenant, request: Request) -> Response:
        """What all series at a place in the hierarchy, or of a product there, sold in two years, and how good their forecasts were.

        A day that not all of them have reported is null.
        """
        query = read(HistoryQuery, request)
        found = self._forecasts.night(tenant, query.night)
        past = self._known.past(tenant)
        reply = Reply(request, head_of(found, self._now()), found.night.key.runs, past.key, self._accuracy.version())
        if reply.is_known:
            return reply.unchanged()
        chosen = past.choose(query.node)
        if not chosen.any():
            raise UnknownSeriesError(tenant, query.node)
        events = past.events_of(chosen)
        if product := query.node.get("product"):
            events = in_order([*events, *self._known.promotions(tenant, product, query.node.get("site"))])
        content = {
            **reply.head,
            "node": place_of(query.node) | {"product": query.node.get("product")},
            "series": int(chosen.sum()),
            "history": past.sum(chosen),
            "events": events,
            "accuracy": self._judged(found, past.index.filter(pa.array(chosen)).select(["site", "product"])),
        }
        return reply.json(json_bytes(content))

    def _judged(self, found: Found[Night], series: pa.Table | Mapping[str, Any]) -> Any:
        wanted = series if isinstance(series, pa.Table) else pa.table(series)
        return self._accuracy.of(found.night.key.tenant, found.night.key.night, wanted)

    def _open(self, tenant: str, query: SeriesQuery | HierarchyQuery, asked: str) -> tuple[Found[Night], Cursor]:
        """The night to answer from and where to begin in it."""
        if query.cursor:
            cursor = decode(query.cursor, tenant, asked)
            return self._forecasts.pinned(cursor.key, cursor.version), cursor
        found = self._forecasts.night(tenant, query.night)
        return found, Cursor(found.night.key, found.version, 0)


def _entries(night: Night, totals: NightTotals, chosen: Sequence[int]) -> pa.Table:
    """The series at these positions, of a night and of its totals."""
    rows = pa.array(chosen, pa.int64())
    found = night.series.table.select(["site", "product", "first_date", "last_date", "periods"]).take(rows)
    known = totals.rows.select(KNOWN).take(rows)
    for name in KNOWN:
        found = found.append_column(name, known[name])
    return found
