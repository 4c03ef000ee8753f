"""The app: its parts put together in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES

from expectations.settings import Settings
from serving import examples, page, problems, schemas, web
from serving.board.routes import board_router
from serving.board.stale import stale_overrides
from serving.demand import DemandSeries
from serving.document import document
from serving.exchange.routes import exchange_router
from serving.explanations import Explanations
from serving.forecasts import Forecasts
from serving.idempotency import Idempotency
from serving.identity import oidc_config, secret
from serving.identity.access import Guard
from serving.identity.admin_routes import AdminRoutes
from serving.identity.auth_routes import AuthRoutes, Door
from serving.identity.limits import InRedis, Limits, Memory
from serving.identity.me_routes import MeRoutes
from serving.identity.member_routes import MemberRoutes
from serving.identity.oidc import Company
from serving.identity.oidc_routes import OidcRoutes
from serving.identity.passwords import Passwords
from serving.identity.service import Identity, build
from serving.laid import LaidFolder
from serving.lake import Lake
from serving.laying import Laying
from serving.plans.routes import PlanParts
from serving.render import json_bytes
from serving.runs import Ledger
from serving.series.known import Known
from serving.series.routes import SeriesRoutes
from serving.shield import Shield
from serving.state.database import State, open_state
from serving.status import EachTable, StatusRoutes
from serving.sums import Sums
from serving.tenants import TenantRoutes
from serving.totals import Totals

TITLE = "ÜretimIQ API"
ABOUT = (
    "The demand forecasts of every night, and how the platform is doing. A tenant's address gives its rows alone, to "
    "those who have a role there: sign in at /v1/auth/token, or send an API key. "
    "Errors are application/problem+json (RFC 9457)."
)
# What is smaller comes in TCP's first ten packets, in one round trip either way: the answer for one series among them.
GZIP_BYTES = 14_000
GZIP_THREAD_BYTES = 32_768  # takes 0.2 ms; what is larger must not hold up the others
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"  # is a zip


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    settings: Settings,
    now: Callable[[], datetime] = _utc_now,
    seconds: Callable[[], float] = time.monotonic,
    passwords: Passwords | None = None,
) -> FastAPI:
    """The API over the lake of `settings`, which need not be there yet, and over its state database.

    `now` is the clock, in UTC; `seconds` counts the time between two looks for a newer version; `passwords` says how
    hard a password is hashed. Raises StateError, SettingsError.
    """
    lake = Lake(settings, seconds)
    ledger = Ledger(lake)
    laid = LaidFolder(settings.home / "cache" / "nights")
    forecasts = Forecasts(lake, ledger, laid)
    state = open_state(settings)
    sealed = secret.load(settings)
    identity = build(state, sealed, now, passwords)
    limits = Limits(InRedis(settings.redis) if settings.redis else Memory(), now)
    laying = Laying(forecasts, laid)
    app = FastAPI(
        title=TITLE,
        description=ABOUT,
        version=version("uretimiq"),
        docs_url=None,
        redoc_url=None,
        lifespan=laying.running(),
    )
    app.state.laying = laying
    app.state.identity = identity
    app.state.idempotency = Idempotency(state, sealed, now)
    app.state.guard = Guard(
        identity.tokens, identity.users.principal, identity.keys.principal, limits, settings.rate_user, seconds
    )
    problems.install(app)
    _add_layers(app, settings, limits, identity)
    _add_health(app, forecasts, state)
    app.include_router(TenantRoutes(forecasts, Sums(lake, forecasts), Explanations(lake, forecasts), now).router)
    demand = DemandSeries(lake)
    totals = Totals(lake, forecasts, demand)
    app.include_router(SeriesRoutes(lake, forecasts, totals, Known(demand), now).router)
    tables = EachTable(lake)
    app.include_router(StatusRoutes(tables, ledger, now).router)
    door = Door(limits, settings.rate_sign_in)
    app.include_router(AuthRoutes(identity, door).router)
    told = oidc_config.load(settings)
    company = Company(told, settings.oidc_client_secret, state, now) if told else None
    app.include_router(OidcRoutes(identity, company, door).router)
    app.include_router(MeRoutes(identity, door, ledger.tenants, demand.currency_of).router)
    app.include_router(AdminRoutes(identity).router)
    app.include_router(MemberRoutes(identity.members, door).router)
    plans = PlanParts(demand, forecasts, state, identity.audit, sealed, now)
    app.state.plans = plans.plans
    app.include_router(plans.router)
    stale = stale_overrides(plans.plans.stale)
    app.include_router(board_router(settings, lake, forecasts, totals, tables, demand, now, [stale]))
    app.include_router(exchange_router(forecasts, plans.plans, state, identity, sealed, limits, now))
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    index = ""

    app.router.routes.append(web.mount(company_login=company is not None))

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse(web.PAGE, 303)

    @app.get("/docs", include_in_schema=False)
    def addresses() -> HTMLResponse:
        nonlocal index
        index = index or page.index(app.openapi())
        return HTMLResponse(index)

    return app


def _add_layers(app: FastAPI, settings: Settings, limits: Limits, identity: Identity) -> None:
    """What every request passes, the last one first."""
    app.add_middleware(
        GZipMiddleware,
        minimum_size=GZIP_BYTES,
        compresslevel=1,
        thread_minimum_size=GZIP_THREAD_BYTES,
        exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, WORKBOOK),
    )
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=_words(settings.origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "X-Request-ID",
                "Idempotency-Key",
                "If-Match",
                "If-None-Match",
            ],
            expose_headers=["X-Request-ID", "Link", "Retry-After", "ETag", "Location", "Idempotency-Replayed"],
        )
    app.add_middleware(
        Shield,
        hosts=_words(settings.hosts),
        rate=settings.rate_address,
        limits=limits,
        denied=identity.audit.denied,
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _add_health(app: FastAPI, forecasts: Forecasts, state: State) -> None:
    ok = json_bytes(examples.HEALTH)
    answers: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"example": examples.HEALTH}}}}

    @app.get("/healthz", response_model=schemas.Health, responses=answers, tags=["health"])
    async def live() -> Response:
        """The server answers."""
        return Response(ok, media_type="application/json")

    ready_answers = {**answers, **problems.responses("no-night-yet", "unreadable", "state-unavailable")}

    own = CapacityLimiter(1)  # a thread of its own: the others may all wait for nights

    def check() -> None:
        forecasts.table.check()
        with state.read() as connection:
            connection.execute(select(1))

    @app.get("/readyz", response_model=schemas.Health, responses=ready_answers, tags=["health"])
    async def ready() -> Response:
        """The gold table and the state database can be read at this moment."""
        await to_thread.run_sync(check, limiter=own)
        return Response(ok, media_type="application/json")
