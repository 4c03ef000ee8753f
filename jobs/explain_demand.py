"""Explain what the night's forecast published: drivers, nearest past cases, and what changed since the night (or week) before.

It reads the forecasts from gold and the version of the model that made them, so that what is explained is what planners
see. A forecast does not wait for it and does not fail with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd

from expectations.contract import Contract, Zone
from expectations.tables import DEMAND_EXPLANATIONS, DEMAND_FORECAST
from jobs.context import Context
from jobs.delta_reader import read_rows
from jobs.demand_data import by_tenant
from jobs.demand_known import READ as READ_KNOWN
from jobs.demand_known import Nights
from jobs.demand_settings import settled
from jobs.errors import TenantError
from jobs.own_failure import own_failure
from jobs.publish import publish
from jobs.train_demand import registry_of
from models.demand.arrays import day
from models.demand.explain import BEFORE, FORECAST, explain
from models.demand.model import DemandModel
from models.demand.parameters import Parameters
from models.registry import Registry

READ = dict.fromkeys((*READ_KNOWN, (DEMAND_FORECAST, Zone.GOLD)))
WEEKS = 52  # how far back a case may lie
BEFORE_DAYS = 7  # an earlier night is none of the last days, or week


def run(ctx: Context) -> None:
    """Explain, check, publish. The same night again replaces its rows."""
    ctx.table_versions = ctx.lake.versions(READ)
    publish(ctx, {DEMAND_EXPLANATIONS: _explained(ctx, registry_of(ctx))}).note(ctx)


def _explained(ctx: Context, registry: Registry) -> dict[str, pd.DataFrame]:
    """Rows of each tenant whose forecast can be explained; the others have failed, or are told why they are left out."""
    given = settled(ctx, ctx.tenants)
    forecasts, before = by_tenant(_forecasts(ctx)), by_tenant(_before(ctx, given))
    nights = Nights.read(ctx, given, WEEKS)
    made = {}
    for tenant in given:
        with own_failure(ctx, tenant, "explain-demand"):
            if tenant not in forecasts:
                again = f"`uretimiq run forecast-demand --tenant {tenant} --date {ctx.night}`"
                raise TenantError(f"no forecast of {ctx.night} to explain: run {again}")
            known = nights.of(tenant)
            rows = explain(
                forecasts[tenant],
                known.origins,
                known.calendar,
                _model(registry, forecasts[tenant]),
                nights.near(tenant),
                before.get(tenant, pd.DataFrame(columns=list(BEFORE))),
            )
            registry.loaded.clear()
            made[tenant] = rows.assign(
                tenant=tenant,
                night=ctx.night,
                run_id=ctx.run_id,
                available_at=pd.Timestamp(ctx.now()),
                night_month=f"{ctx.night:%Y-%m}",
            )
    return made


def _model(registry: Registry, forecasts: pd.DataFrame) -> DemandModel | None:
    """The version that made the forecasts; None where fallbacks made all."""
    named = forecasts[["model_name", "model_version"]].dropna().drop_duplicates()
    if len(named) > 1:
        raise TenantError(f"forecasts of {len(named)} model versions lie in one night: run the forecast again")
    return registry.load(registry.version(*named.iloc[0])) if len(named) else None


def _forecasts(ctx: Context) -> pd.DataFrame:
    filters = [
        ("tenant", "in", list(ctx.tenants)),
        ("night_month", "=", f"{ctx.night:%Y-%m}"),
        ("night", "=", ctx.night),
    ]
    return _read(ctx, DEMAND_FORECAST, ["tenant", *FORECAST], filters)


def _read(ctx: Context, contract: Contract, columns: list[str], filters: list[tuple[str, str, Any]]) -> pd.DataFrame:
    rows = read_rows(ctx.settings, contract, Zone.GOLD, columns=columns, filters=filters)
    found: pd.DataFrame = rows.to_pandas(date_as_object=False)
    return found


def _before(ctx: Context, given: Mapping[str, Parameters]) -> pd.DataFrame:
    """The newest explanations of each tenant from nights before, that forecast from an earlier period."""
    longest = max([its.counts.days for its in given.values()], default=1)
    first = ctx.night - timedelta(days=BEFORE_DAYS + longest - 1)
    of_tenants: tuple[str, str, Any] = ("tenant", "in", list(given))
    between = [of_tenants, ("night", ">=", first), ("night", "<", ctx.night)]
    nights = read_rows(ctx.settings, DEMAND_EXPLANATIONS, Zone.GOLD, columns=["tenant", "night"], filters=between)
    newest: dict[str, date] = {}
    for tenant, night in {(row["tenant"], row["night"]) for row in nights.to_pylist()}:
        counts = given[tenant].counts
        recent = (ctx.night - night).days <= BEFORE_DAYS + counts.days - 1
        if recent and counts.over(day(night)) < counts.over(day(ctx.night)):
            newest[tenant] = max(night, newest.get(tenant, night))
    if not newest:
        return pd.DataFrame(columns=["tenant", *BEFORE])
    rows = _read(
        ctx, DEMAND_EXPLANATIONS, ["tenant", *BEFORE], [of_tenants, ("night", "in", sorted(set(newest.values())))]
    )
    of = pd.DataFrame({"tenant": list(newest), "night": pd.to_datetime(list(newest.values()))})
    return rows.merge(of.astype({"night": rows["night"].dtype}))
