"""All that knows about plans put together in one place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter

from serving.demand import DemandSeries
from serving.forecasts import Forecasts
from serving.identity.audit import Audit
from serving.identity.secret import Secret
from serving.plans.catalogue import Catalogue
from serving.plans.override_routes import OverrideRoutes
from serving.plans.overrides import Overrides
from serving.plans.plan import Plans
from serving.plans.plan_routes import PlanRoutes
from serving.plans.scenario_routes import ScenarioRoutes
from serving.plans.scenarios import Scenarios
from serving.plans.value_routes import ValueRoutes
from serving.state.database import State


class PlanParts:
    """Its parts, for others that build on plans; `router` holds the addresses."""

    def __init__(
        self,
        demand: DemandSeries,
        forecasts: Forecasts,
        state: State,
        audit: Audit,
        secret: Secret,
        now: Callable[[], datetime],
    ) -> None:
        self.overrides = Overrides(state, audit, now)
        self.plans = Plans(forecasts, Catalogue(demand), self.overrides, now)
        self.router = APIRouter()
        self.router.include_router(PlanRoutes(self.plans, forecasts, secret, now).router)
        self.router.include_router(ValueRoutes(self.plans, now).router)  # before `value` would be taken for an id
        self.router.include_router(OverrideRoutes(self.plans, now).router)
        scenarios = Scenarios(state, audit, now)
        self.router.include_router(ScenarioRoutes(scenarios, self.plans, forecasts, now).router)
