"""The parts of exchange put together in one place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
from fastapi import APIRouter

from serving.exchange.import_routes import ImportRoutes
from serving.exchange.imports import Imports
from serving.exchange.link_routes import LinkRoutes, Source
from serving.exchange.links import Links
from serving.exchange.schemas import Filters
from serving.forecasts import Forecasts
from serving.identity.limits import Limits
from serving.identity.secret import Secret
from serving.identity.service import Identity
from serving.nights import Selection
from serving.plans.plan import Plans
from serving.state.database import State


def exchange_router(
    forecasts: Forecasts,
    plans: Plans,
    state: State,
    identity: Identity,
    secret: Secret,
    limits: Limits,
    now: Callable[[], datetime],
) -> APIRouter:
    """The addresses of links and imports; a workbook goes out by the address of the plan."""

    def forecast_rows(tenant: str, filters: Filters) -> pa.Table:
        selection = Selection(tuple(filters.site), tuple(filters.product), filters.first, filters.last)
        return forecasts.night(tenant).night.select(selection)

    def plan_rows(tenant: str, filters: Filters) -> pa.Table:
        plan = plans.current(tenant)
        rows = plan.rows(filters.site, filters.product, filters.product_group, filters.first, filters.last)
        return plan.table(rows)

    router = APIRouter()
    sources: dict[str, Source] = {"forecasts": forecast_rows, "plan": plan_rows}
    router.include_router(LinkRoutes(Links(state, identity.audit, now), identity, sources, limits).router)
    router.include_router(ImportRoutes(plans, Imports(state, identity.audit, plans, now), secret).router)
    return router
