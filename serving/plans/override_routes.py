"""/overrides: what people said of the plan, made, read, changed and withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from serving import idempotency
from serving.answers import UNCHANGED, Reply, head_of
from serving.idempotency import once
from serving.identity.access import Access, caller_of
from serving.paging import fingerprint, pack, unpack_as
from serving.plans import examples, schemas
from serving.plans.arithmetic import PERIOD_DAYS
from serving.plans.conditions import IfMatch, seen, tag
from serving.plans.overrides import Override, Said
from serving.plans.plan import Plan, Plans
from serving.plans.staleness import natural_end
from serving.problems import Problem, responses
from serving.queries import parameters, read
from serving.render import json_bytes
from serving.tenants import TENANT_KINDS, Tenant

OverrideId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Of the override, as it is listed")]
CHANGE_KINDS = (*TENANT_KINDS, "touches-nothing", "no-groups")
VERSION_KINDS = ("unknown-override", "override-over", "version-needed", "version-changed")


class OverrideRoutes:
    """The addresses; `router` holds them."""

    def __init__(self, plans: Plans, now: Callable[[], datetime]) -> None:
        self._plans = plans
        self._now = now
        self.router = APIRouter(prefix="/v1/tenants/{tenant}/overrides", tags=["plans"])
        one, page = (schemas.OverrideWhole, examples.WHOLE), (schemas.OverridePage, examples.OVERRIDES)
        self._add("GET", "", self.list, "read", *page, *TENANT_KINDS, "bad-cursor", query=schemas.OverridesQuery)
        self._add("POST", "", once(self.make), "write", *one, *CHANGE_KINDS, *idempotency.KINDS, status=201)
        self._add("GET", "/{override_id}", self.one, "read", *one, *TENANT_KINDS, "unknown-override")
        self._add("PUT", "/{override_id}", self.change, "write", *one, *CHANGE_KINDS, *VERSION_KINDS)
        self._add("DELETE", "/{override_id}", self.withdraw, "write", *one, *TENANT_KINDS, *VERSION_KINDS)

    def _add(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Any],
        scope: str,
        model: type,
        example: object,
        *kinds: str,
        status: int = 200,
        query: type[schemas.OverridesQuery] | None = None,
    ) -> None:
        answers = {
            status: {"content": {"application/json": {"example": example}}},
            **(UNCHANGED if query else {}),
            **responses(*kinds),
        }
        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=status,
            dependencies=[Depends(Access(f"plans:{scope}"))],
            response_model=model,
            responses=answers,
            openapi_extra=parameters(query) if query else None,
        )

    def list(self, tenant: Tenant, request: Request) -> Response:
        """Overrides, the last said first: those in force (`active` or `stale`), at their end (`expired`), `withdrawn`."""
        query = read(schemas.OverridesQuery, request)
        asked = fingerprint("overrides", tenant, query.state, query.site, query.product)
        before = None
        if query.cursor:
            plan_version, position = unpack_as(query.cursor, asked, int, int)
            before = plan_version, position
        wanted = {name: codes for name in ("site", "product") if (codes := getattr(query, name))}
        plan = self._plan(tenant)
        reply = Reply(request, head_of(plan.found, self._now()), plan.tag)
        if reply.is_known:
            return reply.unchanged()
        if query.state in {"active", "stale"}:
            chosen = [o for o in plan.overrides[::-1] if self._state(o, plan) == query.state and _is(o, wanted)]
            total, found = len(chosen), [o for o in chosen if before is None or (o.plan_version, o.position) < before]
        else:
            total, found = None, self._plans.overrides.page(tenant, query.limit + 1, before, wanted, query.state)
        following = None
        if len(found) > query.limit:
            last = found[query.limit - 1]
            more = query.model_dump(mode="json", exclude_unset=True) | {
                "cursor": pack(asked, last.plan_version, last.position)
            }
            following = f"/v1/tenants/{quote(tenant)}/overrides?{urlencode(more, doseq=True)}"
        page = [self._told(o, plan) for o in found[: query.limit]]
        content = {**reply.head, "total": total, "next": following, "overrides": page}
        return reply.json(json_bytes(content), following)

    def make(self, tenant: Tenant, request: Request, asked: schemas.OverrideAsked) -> Response:
        """A new override of the plan; where it meets an earlier one, the later wins."""
        plan = self._plans.current(tenant)
        (made,) = self._plans.overrides.make(caller_of(request), tenant, [self._said(plan, asked)])
        answer = self._whole(tenant, [made], 201)
        answer.headers["Location"] = f"/v1/tenants/{quote(tenant)}/overrides/{made.override_id}"
        return answer

    def one(self, tenant: Tenant, override_id: OverrideId) -> Response:
        """An override with all its versions, and what it makes of its days."""
        return self._whole(tenant, self._plans.overrides.history(tenant, override_id))

    def change(
        self,
        tenant: Tenant,
        override_id: OverrideId,
        request: Request,
        asked: schemas.OverrideAsked,
        if_match: IfMatch = None,
    ) -> Response:
        """Say it anew, on seeing the present forecast; the version before stays in the history."""
        versions = seen(if_match)
        said = self._said(self._plans.current(tenant), asked)
        self._plans.overrides.change(caller_of(request), tenant, override_id, versions, said)
        return self._whole(tenant, self._plans.overrides.history(tenant, override_id))

    def withdraw(self, tenant: Tenant, override_id: OverrideId, request: Request, if_match: IfMatch = None) -> Response:
        """Take an override back: it has no effect any more, and stays in the history."""
        self._plans.overrides.withdraw(caller_of(request), tenant, override_id, seen(if_match))
        return self._whole(tenant, self._plans.overrides.history(tenant, override_id))

    def _said(self, plan: Plan, asked: schemas.OverrideAsked) -> Said:
        """What is asked, on seeing `plan`. Raises Problem."""
        days = PERIOD_DAYS[plan.found.night.summary.period]
        expires_at = asked.expires_at or natural_end(asked.last, days)
        if expires_at <= self._now():
            what = "expires_at" if asked.expires_at else "last"
            raise Problem("bad-request", f"body {what}: it would have ended at {expires_at:%Y-%m-%d %H:%M} UTC already")
        return self._plans.say(plan, asked.change, asked.reason, expires_at)

    def _plan(self, tenant: str) -> Plan:
        return self._plans.current(tenant)

    def _state(self, override: Override, plan: Plan) -> schemas.State:
        if override.is_withdrawn:
            return "withdrawn"
        if not override.is_in_force(self._now()):
            return "expired"
        return "stale" if plan.stale_of(override.override_id) else "active"

    def _told(self, override: Override, plan: Plan) -> dict[str, Any]:
        state = self._state(override, plan)
        stale = plan.stale_of(override.override_id) if state == "stale" else []
        now, final = plan.sums(override.change)
        days = [
            {
                "date": day,
                "baseline_then": override.baseline.get(day),
                "baseline_now": now.get(day),
                "final": final.get(day),
            }
            for day in sorted(override.baseline.keys() | now.keys())
        ]
        return {
            "override_id": override.override_id,
            "state": state,
            "is_stale": bool(stale),
            "stale": [{"share": None, "expires_at": None, "period": None} | reason for reason in stale],
            **_version(override),
            "days": days,
        }

    def _whole(self, tenant: str, history: Sequence[Override], status: int = 200) -> Response:
        last = history[-1]
        versions = [_version(o) | {"is_withdrawn": o.is_withdrawn} for o in history]
        answer = _json(self._told(last, self._plan(tenant)) | {"history": versions}, status)
        answer.headers["ETag"] = tag(last.version)
        return answer


def _version(override: Override) -> dict[str, Any]:
    change = override.change
    return {
        "version": override.version,
        **schemas.node(change),
        **{name: getattr(change, name) for name in ("first", "last", "how", "value")},
        **{name: getattr(override, name) for name in ("reason", "expires_at", "made_by", "made_at")},
        "made_on_night": override.night,
    }


def _is(override: Override, wanted: Mapping[str, Collection[str]]) -> bool:
    return all(getattr(override.change, name) in codes for name, codes in wanted.items())


def _json(content: dict[str, Any], status: int) -> Response:
    return Response(json_bytes(content), status, {"Cache-Control": "private, no-cache"}, "application/json")
