"""The addresses under /v1/tenants/{tenant}: forecasts, their sums, one forecast, its explanation. Each reads that tenant's rows alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from expectations.contract import CODE
from expectations.tables import DEMAND_FORECAST, DEMAND_FORECAST_SUMS
from serving import examples, schemas
from serving.answers import UNCHANGED, Reply, head_of
from serving.explanations import Explanations
from serving.forecasts import Forecasts, Found
from serving.identity.access import Access
from serving.nights import H, Night, Selection
from serving.paging import Cursor, decode, encode, fingerprint
from serving.problems import Problem, responses
from serving.queries import LIMIT, ForecastQuery, NightQuery, SeriesQuery, SumsQuery, TableQuery, parameters, read
from serving.render import json_bytes, json_page
from serving.sums import Sums

TENANT_KINDS = ("unknown-tenant", "no-good-night", "unknown-night", "no-night-yet", "unreadable")

Tenant = Annotated[
    str, Path(pattern=f"^(?:{CODE})$", description="Customer, as in the landing prefix", examples=["acme"])
]
Code = Annotated[str, Path(max_length=100, description="As in a row of the forecasts")]


class TenantRoutes:
    """The four addresses; `router` holds them."""

    def __init__(
        self, forecasts: Forecasts, sums: Sums, explanations: Explanations, now: Callable[[], datetime]
    ) -> None:
        self._forecasts = forecasts
        self._sums = sums
        self._explanations = explanations
        self._now = now
        needs = [Depends(Access("forecasts:read"))]
        self.router = APIRouter(prefix="/v1/tenants/{tenant}", tags=["forecasts"], dependencies=needs)
        paged = ("bad-cursor", "cursor-gone")
        self._add("/forecasts", self.forecasts, schemas.ForecastPage, examples.PAGE, ForecastQuery, paged)
        # before the next one, which would take the word for an id
        self._add("/forecasts/sums", self.sums, schemas.SumsPage, examples.SUMS, SumsQuery, (*paged, "no-sums"))
        self._add(
            "/forecasts/{forecast_id}", self.forecast, schemas.OneForecast, examples.ONE, None, ("unknown-forecast",)
        )
        self._add(
            "/forecasts/{site}/{product}/explanation",
            self.explanation,
            schemas.OneExplanation,
            examples.EXPLANATION,
            NightQuery,
            ("unknown-explanation",),
        )

    def _add(
        self,
        path: str,
        endpoint: Callable[..., Any],
        model: type,
        example: dict[str, Any],
        query: type[NightQuery] | None,
        kinds: tuple[str, ...],
    ) -> None:
        content: dict[str, Any] = {"application/json": {"example": example}}
        if query and issubclass(query, TableQuery):
            content |= examples.as_tables(example)
        answers = {200: {"content": content}, **UNCHANGED, **responses(*TENANT_KINDS, *kinds)}
        asked = parameters(query) if query else None
        self.router.add_api_route(path, endpoint, response_model=model, responses=answers, openapi_extra=asked)

    async def forecasts(self, tenant: Tenant, request: Request) -> Response:
        """The last good night's forecasts, ordered by site, product and date; as JSON in pages, as CSV or Arrow whole."""
        query = read(ForecastQuery, request)
        # What is in memory is answered here: the way through a thread costs more than the answer, and 32 threads
        # wait for each other. A cut by dates copies rows, which in a large night takes too long for here.
        is_quick = not (query.cursor or query.first or query.last)
        at_hand = self._forecasts.at_hand(tenant, query.night) if is_quick else None
        if at_hand:
            return self._page(tenant, query, request, at_hand)
        return await run_in_threadpool(self._page, tenant, query, request)

    def _page(
        self, tenant: str, query: ForecastQuery, request: Request, at_hand: Found[Night] | None = None
    ) -> Response:
        if query.first and query.last and query.first > query.last:
            raise Problem("bad-request", f"query from: {query.first} is after to={query.last}")
        form = query.form(request.headers.get("accept", ""))
        selection = Selection(tuple(query.site), tuple(query.product), query.first, query.last)
        asked = fingerprint("forecasts", tenant, selection, query.night)
        found, cursor = (at_hand, _start(at_hand)) if at_hand else self._open(tenant, query, asked)
        reply = Reply(request, head_of(found, self._now()), found.night.key.runs, form)
        if reply.is_known:
            return reply.unchanged()
        rows = found.night.select(selection)
        if form != "json":
            name = f"forecast_{tenant}_{found.night.key.night}"
            return reply.table(rows, DEMAND_FORECAST, form, name, query.bom)
        limit = query.limit or LIMIT
        next_page = next_address(f"/v1/tenants/{quote(tenant)}/forecasts", query, cursor, limit, rows.num_rows, asked)
        page = rows.slice(cursor.offset, limit)
        content = json_page({**reply.head, "total": rows.num_rows, "next": next_page}, "forecasts", page)
        return reply.json(content, next_page)

    def sums(self, tenant: Tenant, request: Request) -> Response:
        """The last good night's sums over groups, sites and the tenant, by day, week and month, in the order of these names."""
        query = read(SumsQuery, request)
        form = query.form(request.headers.get("accept", ""))
        asked = fingerprint("sums", tenant, query.wanted, query.night)
        if query.cursor:
            cursor = decode(query.cursor, tenant, asked)
            found = self._sums.pinned(cursor.key, cursor.version)
        else:
            found = self._sums.night(tenant, query.night)
            cursor = _start(found)
        reply = Reply(request, head_of(found, self._now()), found.night.key.runs, form)
        if reply.is_known:
            return reply.unchanged()
        rows = found.night.select(query.wanted)
        if form != "json":
            name = f"forecast_sums_{tenant}_{found.night.key.night}"
            return reply.table(rows, DEMAND_FORECAST_SUMS, form, name, query.bom)
        limit = query.limit or LIMIT
        head = {name: value for name, value in reply.head.items() if name != "period"}  # each row has its own
        next_page = next_address(
            f"/v1/tenants/{quote(tenant)}/forecasts/sums", query, cursor, limit, rows.num_rows, asked
        )
        page = rows.slice(cursor.offset, limit)
        content = json_page({**head, "total": rows.num_rows, "next": next_page}, "sums", page)
        return reply.json(content, next_page)

    def forecast(
        self,
        tenant: Tenant,
        forecast_id: Annotated[str, Path(max_length=100, description="From a row")],
        request: Request,
    ) -> Response:
        """One forecast of any good night, with all that leads back to where it came from."""
        row = self._forecasts.one(tenant, forecast_id)
        row["table_versions"] = json.loads(row["table_versions"])
        age = int((self._now() - row["available_at"]).total_seconds())
        reply = Reply(request, {"age_seconds": age}, forecast_id)  # another run of the night gives another id
        if reply.is_known:
            return reply.unchanged()
        content = {"forecast": row, **reply.head, "trace": f"uretimiq trace {forecast_id}"}
        return reply.json(json_bytes(content))

    def explanation(self, tenant: Tenant, site: Code, product: Code, request: Request) -> Response:
        """Why a series' forecast is what it is: drivers, the nearest past cases, what changed since the night before."""
        found, row = self._explanations.one(tenant, site, product, read(NightQuery, request).night)
        reply = Reply(request, head_of(found, self._now()), found.night.key.runs, row["text"])
        return reply.unchanged() if reply.is_known else reply.json(json_bytes({**reply.head, "explanation": row}))

    def _open(self, tenant: str, query: SeriesQuery, asked: str) -> tuple[Found[Night], Cursor]:
        """The night to answer from and where to begin in it."""
        if query.cursor:
            cursor = decode(query.cursor, tenant, asked)
            return self._forecasts.pinned(cursor.key, cursor.version), cursor
        found = self._forecasts.night(tenant, query.night)
        return found, _start(found)


def _start(found: Found[H]) -> Cursor:
    return Cursor(found.night.key, found.version, 0)


def next_address(path: str, query: NightQuery, cursor: Cursor, limit: int, total: int, asked: str) -> str | None:
    """Address of the page after this one, with the same filters; None on the last."""
    offset = cursor.offset + limit
    if offset >= total:
        return None
    given = query.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"cursor"})
    given["cursor"] = encode(Cursor(cursor.key, cursor.version, offset), asked)
    return f"{path}?{urlencode(given, doseq=True)}"
