"""The app: its parts put together in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from expectations.settings import Settings
from serving import examples, page, problems, schemas
from serving.explanations import Explanations
from serving.forecasts import Forecasts
from serving.lake import Lake
from serving.render import json_bytes
from serving.runs import Ledger
from serving.status import StatusRoutes
from serving.sums import Sums
from serving.tenants import TenantRoutes

TITLE = "ÜretimIQ API"
ABOUT = (
    "The demand forecasts of every night, and how the platform is doing. A tenant's address gives its rows alone. "
    "Errors are application/problem+json (RFC 9457)."
)
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class LoopbackOnly:
    """Refuses requests meant for another host: a page elsewhere whose name was made to point at loopback reads nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
            name = host if host.endswith("]") else host.rsplit(":", 1)[0]
            if name.lower() not in LOOPBACK:
                refused = problems.answer("host-refused", problems.KINDS["host-refused"].example)
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    settings: Settings, now: Callable[[], datetime] = _utc_now, seconds: Callable[[], float] = time.monotonic
) -> FastAPI:
    """The API over the lake of `settings`, which need not be there yet.

    `now` is the clock, in UTC; `seconds` counts the time between two looks for a newer version.
    """
    lake = Lake(settings, seconds)
    ledger = Ledger(lake)
    forecasts = Forecasts(lake, ledger)
    app = FastAPI(title=TITLE, description=ABOUT, version=version("uretimiq"), docs_url=None, redoc_url=None)
    problems.install(app)
    app.add_middleware(LoopbackOnly)
    app.include_router(TenantRoutes(forecasts, Sums(lake, forecasts), Explanations(lake, forecasts), now).router)
    app.include_router(StatusRoutes(lake, ledger, now).router)
    _add_health(app, forecasts)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    index = ""

    @app.get("/", include_in_schema=False)
    def root() -> HTMLResponse:
        nonlocal index
        index = index or page.index(app.openapi())
        return HTMLResponse(index)

    return app


def _add_health(app: FastAPI, forecasts: Forecasts) -> None:
    ok = json_bytes(examples.HEALTH)
    answers: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"example": examples.HEALTH}}}}

    @app.get("/healthz", response_model=schemas.Health, responses=answers, tags=["health"])
    async def live() -> Response:
        """The server answers."""
        return Response(ok, media_type="application/json")

    ready_answers = {**answers, **problems.responses("no-night-yet", "unreadable")}

    @app.get("/readyz", response_model=schemas.Health, responses=ready_answers, tags=["health"])
    def ready() -> Response:
        """The gold table can be read at this moment."""
        forecasts.table.check()
        return Response(ok, media_type="application/json")


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the schema that all errors share."""
    if not app.openapi_schema:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        document["components"]["schemas"]["Problem"] = schemas.Problem.model_json_schema()
        app.openapi_schema = document
    return app.openapi_schema
