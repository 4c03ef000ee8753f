"""/overrides/value: what the overrides of each person, or of each product, were worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from serving.answers import UNCHANGED, Reply, head_of
from serving.identity.access import Access
from serving.identity.documents import told
from serving.plans import schemas
from serving.plans.catalogue import Known, Sold
from serving.plans.examples import VALUE
from serving.plans.overrides import Override
from serving.plans.plan import Plans
from serving.plans.value import Judged, judge, value
from serving.queries import parameters, read
from serving.render import json_bytes
from serving.tenants import TENANT_KINDS, Tenant


class ValueRoutes:
    """The address; `router` holds it."""

    def __init__(self, plans: Plans, now: Callable[[], datetime]) -> None:
        self._plans = plans
        self._now = now
        self.router = APIRouter(prefix="/v1/tenants/{tenant}/overrides", tags=["plans"])
        self.router.add_api_route(
            "/value",
            self.value,
            dependencies=[Depends(Access("plans:read"))],
            response_model=schemas.ValueTable,
            responses={**told(VALUE, *TENANT_KINDS), **UNCHANGED},
            openapi_extra=parameters(schemas.ValueQuery),
        )

    def value(self, tenant: Tenant, request: Request) -> Response:
        """What was sold beside the forecast and beside what people said instead, for each of them or each product."""
        query = read(schemas.ValueQuery, request)
        plan = self._plans.current(tenant)
        reply = Reply(request, head_of(plan.found, self._now()), plan.tag)
        if reply.is_known:
            return reply.unchanged()
        versions = self._plans.overrides.every_version(tenant)
        judged = self._judged(tenant, plan.known, versions)
        everybody: set[str | None]
        if query.by == "person":
            names: Mapping[str, str] = {o.made_by: o.made_by.partition(":")[2] for o in versions}
            everybody, by = set(names), attrgetter("made_by")
        else:
            names, by = plan.known.names, attrgetter("product")
            everybody = {o.change.product for o in versions}
        rows = [_row(of, names, [one for one in judged if by(one) == of]) for of in sorted(everybody, key=str)]
        return reply.json(json_bytes({**reply.head, "values": rows}))

    def _judged(self, tenant: str, known: Known, versions: list[Override]) -> list[Judged]:
        series = {o.change: known.series(o.change) for o in versions}
        sold: Sold = self._plans.catalogue.sold(tenant, {key for keys in series.values() for key in keys})

        def units(override: Override) -> dict[date, float]:
            return sold.units(series[override.change], list(override.baseline))

        by_id = sorted(versions, key=lambda o: (o.override_id, o.version))
        each = (list(of) for _, of in groupby(by_id, key=lambda o: o.override_id))
        return [one for history in each for one in judge(history, units)]


def _row(by: str | None, names: Mapping[str, str], judged: list[Judged]) -> dict[str, Any]:
    sums = ("periods", "units", "baseline_error", "final_error")
    return {
        "by": by,
        "name": names.get(by or ""),
        "overrides": len({one.override_id for one in judged}),
        **{name: sum(getattr(one, name) for one in judged) for name in sums},
        **asdict(value(judged)),
    }
