"""The addresses under /v1/tenants/{tenant}: forecasts, one forecast, series. Each reads that tenant's rows alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from expectations.contract import CODE
from serving import examples, schemas
from serving.forecasts import Forecasts
from serving.nights import Night, Selection
from serving.paging import Cursor, decode, encode, fingerprint
from serving.problems import Problem, responses
from serving.render import CSV, csv_pieces, json_bytes, wants_csv
from serving.runs import Ledger

LIMIT, MOST_ROWS, MOST_CODES = 1000, 10_000, 200
TENANT_KINDS = ("unknown-tenant", "no-good-night", "unknown-night", "no-night-yet", "unreadable")

Tenant = Annotated[
    str, Path(pattern=f"^(?:{CODE})$", description="Customer, as in the landing prefix", examples=["acme"])
]
Code = Annotated[str, Field(min_length=1, max_length=100)]


class SeriesQuery(BaseModel):
    """What both lists can be asked."""

    model_config = ConfigDict(extra="forbid")  # a misspelt filter would silently give everything

    site: list[Code] = Field([], max_length=MOST_CODES, description="Only these sites; repeat for several")
    product: list[Code] = Field([], max_length=MOST_CODES, description="Only these products; repeat for several")
    night: date | None = Field(None, description="An earlier night; the last good one if left out")
    limit: int | None = Field(None, ge=1, le=MOST_ROWS, description=f"Rows of a page; {LIMIT} if left out")
    cursor: str | None = Field(None, max_length=4000, description="From `next` of the page before")


class ForecastQuery(SeriesQuery):
    """What the list of forecasts can be asked besides."""

    first: date | None = Field(None, alias="from", description="First day forecast")
    last: date | None = Field(None, alias="to", description="Last day forecast, included")
    format: Literal["json", "csv"] | None = Field(
        None, description="Or by the header Accept: text/csv; CSV comes whole"
    )
    bom: bool = Field(False, description="Begin CSV with a byte order mark, by which Excel knows UTF-8")


class TenantRoutes:
    """The three addresses; `router` holds them."""

    def __init__(self, forecasts: Forecasts, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._forecasts = forecasts
        self._ledger = ledger
        self._now = now
        self.router = APIRouter(prefix="/v1/tenants/{tenant}", tags=["forecasts"])
        self._add(
            "/forecasts", self.forecasts, schemas.ForecastPage, examples.PAGE, "bad-cursor", "cursor-gone", csv=True
        )
        self._add("/forecasts/{forecast_id}", self.forecast, schemas.OneForecast, examples.ONE, "unknown-forecast")
        self._add("/series", self.series, schemas.SeriesPage, examples.SERIES, "bad-cursor", "cursor-gone")

    def _add(
        self, path: str, endpoint: Callable[..., Any], model: type, example: object, *kinds: str, csv: bool = False
    ) -> None:
        content: dict[str, Any] = {"application/json": {"example": example}}
        if csv:
            content["text/csv"] = {"example": examples.CSV, "schema": {"type": "string"}}
        answers = {200: {"content": content}, **responses(*TENANT_KINDS, *kinds)}
        self.router.add_api_route(path, endpoint, response_model=model, responses=answers)

    def forecasts(self, tenant: Tenant, query: Annotated[ForecastQuery, Query()], request: Request) -> Response:
        """The last good night's forecasts, ordered by site, product and date; as JSON in pages, as CSV whole."""
        if query.first and query.last and query.first > query.last:
            raise Problem("bad-request", f"query from: {query.first} is after to={query.last}")
        as_csv = wants_csv(query.format, request.headers.get("accept", ""))
        if as_csv and (query.limit or query.cursor):
            raise Problem("bad-request", "query limit, cursor: CSV comes whole, leave them out")
        selection = Selection(tuple(query.site), tuple(query.product), query.first, query.last)
        asked = fingerprint("forecasts", tenant, selection, query.night)
        night, cursor = self._open(tenant, query, asked)
        rows = night.select(selection)
        head = self._head(night)
        if as_csv:
            name = f"forecast_{tenant}_{night.key.night}.csv"
            headers = {**_headers(head, None), "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
            return StreamingResponse(csv_pieces(rows, query.bom), media_type=CSV, headers=headers)
        limit = query.limit or LIMIT
        next_page = _next(f"/v1/tenants/{quote(tenant)}/forecasts", query, cursor, limit, rows.num_rows, asked)
        page = rows.slice(cursor.offset, limit).to_pylist()
        return _json({**head, "total": rows.num_rows, "next": next_page, "forecasts": page}, head, next_page)

    def forecast(
        self, tenant: Tenant, forecast_id: Annotated[str, Path(max_length=100, description="From a row")]
    ) -> Response:
        """One forecast of any good night, with all that leads back to where it came from."""
        row = self._forecasts.one(tenant, forecast_id)
        row["table_versions"] = json.loads(row["table_versions"])
        age = int((self._now() - row["available_at"]).total_seconds())
        return _json({"forecast": row, "age_seconds": age, "trace": f"uretimiq trace {forecast_id}"}, {}, None)

    def series(self, tenant: Tenant, query: Annotated[SeriesQuery, Query()]) -> Response:
        """The series of the last good night: each product at each site, and the days that are forecast."""
        asked = fingerprint("series", tenant, query.site, query.product, query.night)
        night, cursor = self._open(tenant, query, asked)
        found = night.select_series(tuple(query.site), tuple(query.product))
        head, limit = self._head(night), query.limit or LIMIT
        next_page = _next(f"/v1/tenants/{quote(tenant)}/series", query, cursor, limit, len(found), asked)
        page = [_entry(night, i) for i in found[cursor.offset : cursor.offset + limit]]
        return _json({**head, "total": len(found), "next": next_page, "series": page}, head, next_page)

    def _open(self, tenant: str, query: SeriesQuery, asked: str) -> tuple[Night, Cursor]:
        """The night to answer from and where to begin in it."""
        if query.cursor:
            cursor = decode(query.cursor, tenant, asked)
            return self._forecasts.pinned(cursor.key, cursor.version), cursor
        night, version = self._forecasts.night(tenant, query.night)
        return night, Cursor(night.key, version, 0)

    def _head(self, night: Night) -> dict[str, Any]:
        key, summary, now = night.key, night.summary, self._now()
        failed = self._ledger.runs().failed_since(key.tenant, key.night)
        newer = failed and {"night": failed["date"], **{k: failed[k] for k in ("job", "status", "reason")}}
        return {
            "tenant": key.tenant,
            "night": key.night,
            "cut_off": summary.cut_off,
            "available_at": summary.available_at,
            "age_seconds": int((now - summary.available_at).total_seconds()),
            "age_days": (now.date() - key.night).days,
            "model_name": summary.model_name,
            "model_version": summary.model_version,
            "newer_night": newer,
        }


def _entry(night: Night, i: int) -> dict[str, Any]:
    s = night.series[i]
    return {"site": s.site, "product": s.product, "first_date": s.first_date, "last_date": s.last_date, "days": s.days}


def _next(path: str, query: SeriesQuery, cursor: Cursor, limit: int, total: int, asked: str) -> str | None:
    """Address of the page after this one, with the same filters; None on the last."""
    offset = cursor.offset + limit
    if offset >= total:
        return None
    given = query.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"cursor"})
    given["cursor"] = encode(Cursor(cursor.key, cursor.version, offset), asked)
    return f"{path}?{urlencode(given, doseq=True)}"


def _headers(head: dict[str, Any], next_page: str | None) -> dict[str, str]:
    """Night and age once more, for those who read CSV or only the headers."""
    headers = {"Cache-Control": "no-cache", "Vary": "Accept"}
    if head:
        headers["Uretimiq-Night"] = head["night"].isoformat()
        headers["Uretimiq-Cut-Off"] = head["cut_off"].strftime("%Y-%m-%dT%H:%M:%SZ")
        headers["Uretimiq-Age-Seconds"] = str(head["age_seconds"])
        headers["Uretimiq-Age-Days"] = str(head["age_days"])
        headers["Uretimiq-Model-Version"] = quote(head["model_version"] or "")
    if next_page:
        headers["Link"] = f'<{next_page}>; rel="next"'
    return headers


def _json(content: dict[str, Any], head: dict[str, Any], next_page: str | None) -> Response:
    return Response(json_bytes(content), media_type="application/json", headers=_headers(head, next_page))
