"""The parts of exchange put together in one place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
from fastapi import APIRouter

from serving.exchange.link_routes import LinkRoutes
from serving.exchange.links import Links
from serving.exchange.schemas import Filters
from serving.forecasts import Forecasts
from serving.identity.audit import Audit
from serving.identity.limits import Limits
from serving.nights import JSON, Selection
from serving.state.database import State


def exchange_router(
    forecasts: Forecasts, state: State, audit: Audit, limits: Limits, now: Callable[[], datetime]
) -> APIRouter:
    """The addresses of links and workbooks."""

    def forecast_rows(tenant: str, filters: Filters) -> pa.Table:
        selection = Selection(tuple(filters.site), tuple(filters.product), filters.first, filters.last)
        return forecasts.night(tenant).night.select(selection).drop_columns(JSON)

    router = APIRouter()
    router.include_router(LinkRoutes(Links(state, audit, now), {"forecasts": forecast_rows}, limits).router)
    return router
