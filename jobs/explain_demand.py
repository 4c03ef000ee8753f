"""Explain what the night's forecast published: drivers, nearest past cases, and what changed since the night before.

It reads the forecasts from gold and the version of the model that made them, so that what is explained is what planners
see. A forecast does not wait for it and does not fail with it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd

from expectations.contract import Contract, Zone
from expectations.tables import (
    CALENDAR_FEATURES,
    DEMAND_EXPLANATIONS,
    DEMAND_FEATURES,
    DEMAND_FORECAST,
    FACTORS,
    MAX_HORIZON,
)
from jobs.context import Context, Outcome
from jobs.delta_reader import read_rows
from jobs.demand_data import CALENDAR_COLUMNS, by_tenant, calendar_of, factors_of, features_of
from jobs.demand_settings import settled
from jobs.errors import TenantError
from jobs.own_failure import own_failure
from jobs.publish import publish
from jobs.train_demand import registry_of
from models.demand import cases
from models.demand.arrays import day, to_date
from models.demand.explain import BEFORE, FORECAST, explain
from models.demand.model import DemandModel
from models.demand.periods import DAY
from models.registry import Registry

READ = (
    (DEMAND_FEATURES, Zone.FEATURES),
    (CALENDAR_FEATURES, Zone.FEATURES),
    (FACTORS, Zone.SILVER),
    (DEMAND_FORECAST, Zone.GOLD),
)
WEEKS = 52  # how far back a case may lie
BEFORE_DAYS = 7  # a night older than that is not "last night"


def run(ctx: Context) -> None:
    """Explain, check, publish. The same night again replaces its rows."""
    ctx.table_versions = ctx.lake.versions(READ)
    publish(ctx, {DEMAND_EXPLANATIONS: _explained(ctx, registry_of(ctx))}).note(ctx)


def _explained(ctx: Context, registry: Registry) -> dict[str, pd.DataFrame]:
    """Rows of each tenant whose forecast can be explained; the others have failed, or are told why they are left out."""
    given = settled(ctx, ctx.tenants)
    daily = [t for t, its in given.items() if its.counts == DAY]
    for tenant in set(given) - set(daily):
        ctx.outcomes[tenant] = Outcome("ok", 0, "explained are forecasts of days alone")
    forecasts = by_tenant(_forecasts(ctx))
    features = by_tenant(features_of(ctx.lake, daily, [ctx.night]))
    calendar, past, before = by_tenant(_calendar(ctx)), by_tenant(_past(ctx)), by_tenant(_before(ctx))
    factors = by_tenant(factors_of(ctx.lake, daily, ctx.night))
    made = {}
    for tenant in daily:
        with own_failure(ctx, tenant, "explain-demand"):
            if tenant not in forecasts or tenant not in features:
                again = f"`uretimiq run forecast-demand --tenant {tenant} --date {ctx.night}`"
                raise TenantError(f"no forecast of {ctx.night} to explain: run {again}")
            rows = explain(
                forecasts[tenant],
                features[tenant],
                calendar.get(tenant, pd.DataFrame(columns=CALENDAR_COLUMNS)),
                _model(registry, forecasts[tenant]),
                past.get(tenant, pd.DataFrame(columns=list(cases.COLUMNS))),
                WEEKS,
                before.get(tenant, pd.DataFrame(columns=list(BEFORE))),
                factors.get(tenant),
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


def _calendar(ctx: Context) -> pd.DataFrame:
    """Of the days ahead, and of those after every night that may be a case."""
    first = to_date(int(cases.nights(day(ctx.night), WEEKS)[0]))
    return calendar_of(ctx.lake, ctx.tenants, first, ctx.night + timedelta(days=MAX_HORIZON))


def _past(ctx: Context) -> pd.DataFrame:
    """Feature rows of every seventh day up to the night, each as known at its own day's cut-off."""
    dates = [to_date(int(n)) for n in cases.nights(day(ctx.night), WEEKS)]
    return features_of(ctx.lake, ctx.tenants, dates, cases.COLUMNS)


def _before(ctx: Context) -> pd.DataFrame:
    """The newest explanations of each tenant from the nights before."""
    first = ctx.night - timedelta(days=BEFORE_DAYS)
    of_tenants: tuple[str, str, Any] = ("tenant", "in", list(ctx.tenants))
    between = [of_tenants, ("night", ">=", first), ("night", "<", ctx.night)]
    nights = read_rows(ctx.settings, DEMAND_EXPLANATIONS, Zone.GOLD, columns=["tenant", "night"], filters=between)
    newest = nights.group_by("tenant").aggregate([("night", "max")]).rename_columns(["tenant", "night"])
    wanted = newest["night"].unique().to_pylist()
    if not wanted:
        return pd.DataFrame(columns=["tenant", *BEFORE])
    rows = _read(ctx, DEMAND_EXPLANATIONS, ["tenant", *BEFORE], [of_tenants, ("night", "in", wanted)])
    return rows.merge(newest.to_pandas(date_as_object=False))
