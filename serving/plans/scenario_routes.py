"""/scenarios: plans beside the plan, made, read, changed, brought to the last night, and compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import numpy as np
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel

from serving import idempotency
from serving.answers import UNCHANGED, Reply, head_of
from serving.forecasts import Forecasts, UnknownNightError
from serving.idempotency import once
from serving.identity.access import Access, caller_of
from serving.paging import fingerprint, moment_of, pack, unpack_as
from serving.plans import scenario_schemas as schemas
from serving.plans.arithmetic import Change
from serving.plans.conditions import IfMatch, seen, tag
from serving.plans.difference import Side, difference
from serving.plans.plan import Plan, Plans
from serving.plans.scenarios import Scenario, Scenarios
from serving.problems import Problem, responses
from serving.queries import parameters, read
from serving.render import json_bytes
from serving.tenants import TENANT_KINDS, Tenant

ScenarioId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Of the scenario, as it is listed")]
CHANGE_KINDS = ("touches-nothing", "no-groups")
VERSION_KINDS = ("unknown-scenario", "version-changed")


class ScenarioRoutes:
    """The addresses; `router` holds them."""

    def __init__(self, scenarios: Scenarios, plans: Plans, forecasts: Forecasts, now: Callable[[], datetime]) -> None:
        self._scenarios = scenarios
        self._plans = plans
        self._forecasts = forecasts
        self._now = now
        self.router = APIRouter(prefix="/v1/tenants/{tenant}/scenarios", tags=["plans"])
        one, id_ = (schemas.Scenario, schemas.SCENARIO), "/{scenario_id}"
        page, table = (schemas.ScenarioPage, schemas.SCENARIOS), (schemas.DifferenceTable, schemas.DIFFERENCE)
        made = (*one, *TENANT_KINDS, *CHANGE_KINDS, "unknown-scenario", "too-many-scenarios", *idempotency.KINDS)
        self._add("GET", "", self.list, *page, *TENANT_KINDS, "bad-cursor", query=schemas.ScenariosQuery)
        self._add("POST", "", once(self.make), *made, status=201)
        self._add("GET", id_, self.one, *one, *TENANT_KINDS, "unknown-scenario")
        self._add("PUT", id_, self.change, *one, *TENANT_KINDS, *CHANGE_KINDS, *VERSION_KINDS, "version-needed")
        self._add("DELETE", id_, self.delete, None, None, *VERSION_KINDS, status=204)
        rebase = (*one, *TENANT_KINDS, *VERSION_KINDS, *idempotency.KINDS)
        self._add("POST", f"{id_}/rebase", once(self.rebase), *rebase)
        kinds = (*TENANT_KINDS, "unknown-scenario", "not-alike", "bad-cursor", "cursor-gone")
        self._add("GET", f"{id_}/difference", self.difference, *table, *kinds, query=schemas.DifferenceQuery)

    def _add(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Any],
        model: type | None,
        example: object,
        *kinds: str,
        status: int = 200,
        query: type[BaseModel] | None = None,
    ) -> None:
        content = {"content": {"application/json": {"example": example}}} if model else {}
        unchanged = UNCHANGED if query else {}
        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=status,
            dependencies=[Depends(Access("plans:read" if method == "GET" else "plans:write"))],
            response_model=model,
            responses={status: content, **unchanged, **responses(*kinds)},
            openapi_extra=parameters(query) if query else None,
        )

    def list(self, tenant: Tenant, request: Request) -> Response:
        """The tenant's scenarios, the last made first."""
        query = read(schemas.ScenariosQuery, request)
        asked = fingerprint("scenarios", tenant)
        before = None
        if query.cursor:
            at, scenario_id = unpack_as(query.cursor, asked, str, str)
            before = moment_of(at), scenario_id
        served = self._forecasts.night(tenant)
        found = self._scenarios.page(tenant, query.limit + 1, before)
        page, following = found[: query.limit], None
        if len(found) > query.limit:
            cursor = pack(asked, page[-1].made_at.isoformat(), page[-1].scenario_id)
            following = f"/v1/tenants/{quote(tenant)}/scenarios?{urlencode({'limit': query.limit, 'cursor': cursor})}"
        source = [(s.scenario_id, s.version) for s in found]
        reply = Reply(request, head_of(served, self._now()), served.night.key.runs, source)
        if reply.is_known:
            return reply.unchanged()
        night = served.night.key.night
        told = [_named(s) | {"is_behind": s.night < night, "changes": len(s.changes)} for s in page]
        return reply.json(json_bytes({**reply.head, "next": following, "scenarios": told}), following)

    def make(self, tenant: Tenant, request: Request, asked: schemas.NewScenario) -> Response:
        """A new scenario: of the forecast, of the plan in force or of another scenario, with its night and changes."""
        plan = self._plans.current(tenant)
        night = plan.found.night.key.night
        changes: tuple[Change, ...] = ()
        if asked.copy_of == "final":
            changes = tuple(o.change for o in plan.overrides if o.period == plan.found.night.summary.period)
        elif asked.copy_of != "baseline":
            copied = self._scenarios.one(tenant, asked.copy_of)
            night, changes = copied.night, copied.changes
        made = self._scenarios.make(caller_of(request), tenant, asked.name, night, changes)
        answer = self._told(tenant, made, 201)
        answer.headers["Location"] = f"/v1/tenants/{quote(tenant)}/scenarios/{made.scenario_id}"
        return answer

    def one(self, tenant: Tenant, scenario_id: ScenarioId) -> Response:
        """A scenario with its changes."""
        return self._told(tenant, self._scenarios.one(tenant, scenario_id))

    def change(
        self,
        tenant: Tenant,
        scenario_id: ScenarioId,
        request: Request,
        asked: schemas.ScenarioAsked,
        if_match: IfMatch = None,
    ) -> Response:
        """Another name and other changes in place of those that it has; those that are new must touch something."""
        versions = seen(if_match)
        old = self._scenarios.one(tenant, scenario_id)
        changes = tuple(each.change for each in asked.changes)
        new = [change for change in changes if change not in old.changes]
        if new:
            plan = self._plan(tenant, old)
            for change in new:
                self._plans.touched(plan, change)
        told = {"name": asked.name, "changes": changes}
        kept = self._scenarios.change(caller_of(request), tenant, scenario_id, versions, "changed", **told)
        return self._told(tenant, kept)

    def delete(self, tenant: Tenant, scenario_id: ScenarioId, request: Request, if_match: IfMatch = None) -> Response:
        """Delete a scenario; with If-Match only as it was seen."""
        self._scenarios.delete(caller_of(request), tenant, scenario_id, seen(if_match, is_needed=False))
        return Response(status_code=204)

    def rebase(self, tenant: Tenant, scenario_id: ScenarioId, request: Request, if_match: IfMatch = None) -> Response:
        """Lay the scenario's changes on the last good night's forecast; with If-Match only as it was seen."""
        night = self._forecasts.night(tenant).night.key.night
        versions = seen(if_match, is_needed=False)
        kept = self._scenarios.change(caller_of(request), tenant, scenario_id, versions, "rebased", night=night)
        return self._told(tenant, kept)

    def difference(self, tenant: Tenant, scenario_id: ScenarioId, request: Request) -> Response:
        """What a scenario has more or less than another plan, over the periods that both have; in money where prices are known."""
        query = read(schemas.DifferenceQuery, request)
        scenario = self._scenarios.one(tenant, scenario_id)
        plan = self._plan(tenant, scenario)
        other, source = self._other(tenant, query.to, plan)
        if plan.found.night.summary.period != other.found.night.summary.period:
            raise Problem("not-alike", "one plan counts days, the other weeks: rebase the scenario first")
        reply = Reply(request, head_of(plan.found, self._now()), scenario.version, plan.tag, source, other.tag)
        if reply.is_known:
            return reply.unchanged()
        asked = fingerprint("difference", tenant, scenario_id, query.to, query.level, query.by, reply.head["night"])
        offset = unpack_as(query.cursor, asked, int)[0] if query.cursor else 0
        night = plan.found.night
        prices = [e.unit_price if (e := plan.known.entries.get((s.site, s.product))) else None for s in night.series]
        is_baseline = query.to == "baseline"
        found = difference(_side(plan), _side(other, is_baseline), prices, query.level, query.by == "date")
        if query.by == "total":
            found = found.largest_first()
        following = None
        if offset + query.limit < len(found):
            more = query.model_dump(exclude_unset=True) | {"cursor": pack(asked, offset + query.limit)}
            following = f"/v1/tenants/{quote(tenant)}/scenarios/{scenario_id}/difference?{urlencode(more)}"
        content = {
            **reply.head,
            "to": query.to,
            "other_night": other.found.night.key.night,
            "total": len(found),
            "next": following,
            "totals": found.totals,
            "rows": found.rows(offset, offset + query.limit),
        }
        return reply.json(json_bytes(content), following)

    def _plan(self, tenant: str, scenario: Scenario) -> Plan:
        return self._plans.of_changes(tenant, scenario.night, scenario.changes)

    def _other(self, tenant: str, to: str, plan: Plan) -> tuple[Plan, object]:
        """The plan that one is compared with, and what besides its tag tells it from others."""
        if to == "baseline":
            return plan, to
        if to == "final":
            return self._plans.current(tenant), to
        scenario = self._scenarios.one(tenant, to)
        return self._plan(tenant, scenario), (to, scenario.version)

    def _told(self, tenant: str, scenario: Scenario, status: int = 200) -> Response:
        served = self._forecasts.night(tenant).night
        try:
            period = self._forecasts.night(tenant, scenario.night).night.summary.period
        except UnknownNightError:  # its retention has ended: it can be rebased still
            period = None
        content = {
            **_named(scenario),
            "is_behind": scenario.night < served.key.night,
            "period": period,
            "changes": [_change(change) for change in scenario.changes],
        }
        headers = {"Cache-Control": "private, no-cache", "ETag": tag(scenario.version)}
        return Response(json_bytes(content), status, headers, "application/json")


def _side(plan: Plan, is_baseline: bool = False) -> Side:
    grid = plan.grid
    return Side(grid, grid.baseline if is_baseline else plan.laid.final(grid, np.arange(len(grid.baseline))))


def _named(scenario: Scenario) -> dict[str, Any]:
    names = ("scenario_id", "version", "name", "night", "made_by", "made_at", "changed_by", "changed_at")
    return {name: getattr(scenario, name) for name in names}


def _change(change: Change) -> dict[str, Any]:
    return {name: getattr(change, name) for name in schemas.ChangeTold.model_fields}
