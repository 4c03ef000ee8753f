"""Forecast the 28 days after the night for every series of every tenant, and publish them in gold.

All tenants' features are read at once, each tenant's champion speaks by itself, and what passes the door is written
in one commit. A tenant that fails or is blocked keeps its last good forecast.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

import pandas as pd

from expectations.contract import Zone
from expectations.tables import CALENDAR_FEATURES, DEMAND_FEATURES, DEMAND_FORECAST, HORIZON_DAYS
from jobs.context import Context
from jobs.demand_data import CALENDAR_COLUMNS, FEATURE_COLUMNS, to_pandas
from jobs.errors import TenantError
from jobs.lake import in_set
from jobs.own_failure import own_failure
from jobs.publish import publish
from jobs.train_demand import registry_of
from models.demand.fallback import CHAMPION
from models.demand.forecast import forecast
from models.registry import ModelRef, Registry

READ = ((DEMAND_FEATURES, Zone.FEATURES), (CALENDAR_FEATURES, Zone.FEATURES))
TOLD_EVERY = 50  # tenants
BACK_DAYS = 28  # of the calendar: whether the last same weekdays were holidays


def run(ctx: Context) -> None:
    """Forecast, check, publish. The same night again replaces its rows."""
    ctx.table_versions = ctx.lake.versions(READ)
    publish(ctx, DEMAND_FORECAST, _forecasts(ctx, registry_of(ctx)))


def _forecasts(ctx: Context, registry: Registry) -> dict[str, pd.DataFrame]:
    """Rows of each tenant that can be forecast; the others have failed."""
    features = dict(tuple(features_of_night(ctx).groupby("tenant")))
    calendar = _calendar(ctx)
    days = dict(tuple(calendar.groupby("tenant")))
    series = sum(len(f) for f in features.values())
    ctx.progress(f"forecast-demand: {series} series of {len(features)} tenants")
    made = {}
    for tenant in ctx.tenants:
        with own_failure(ctx, tenant, "forecast-demand"):
            if tenant not in features:
                again = f"`uretimiq run features --tenant {tenant} --date {ctx.night}`"
                raise TenantError(f"no demand features of {ctx.night}: run {again}")
            made[tenant] = _forecast_tenant(
                ctx, tenant, features[tenant], days.get(tenant, calendar.iloc[:0]), registry
            )
            if len(made) % TOLD_EVERY == 0:
                ctx.progress(f"forecast-demand: {len(made)} of {len(features)} tenants")
    return made


def features_of_night(ctx: Context) -> pd.DataFrame:
    """Feature rows of the night, of all tenants."""
    rows = ctx.lake.read(DEMAND_FEATURES).where(in_set("tenant", ctx.tenants))
    rows = rows.where(f"year = {ctx.night.year} AND date = DATE'{ctx.night}'")
    return to_pandas(rows.select("tenant", *FEATURE_COLUMNS))


def _calendar(ctx: Context) -> pd.DataFrame:
    first, last = ctx.night - timedelta(days=BACK_DAYS), ctx.night + timedelta(days=HORIZON_DAYS)
    rows = ctx.lake.read(CALENDAR_FEATURES).where(in_set("tenant", ctx.tenants))
    rows = rows.where(f"date >= DATE'{first}' AND date <= DATE'{last}'")
    return to_pandas(rows.select("tenant", *CALENDAR_COLUMNS))


def _forecast_tenant(
    ctx: Context, tenant: str, features: pd.DataFrame, calendar: pd.DataFrame, registry: Registry
) -> pd.DataFrame:
    ref = registry.champion(tenant)
    model = registry.load(ref) if ref else None
    rows = forecast(features, calendar, model)
    registry.loaded.clear()  # 300 champions at once would take gigabytes
    return _published(ctx, tenant, rows, ref)


def _published(ctx: Context, tenant: str, rows: pd.DataFrame, ref: ModelRef | None) -> pd.DataFrame:
    """The rows of the contract: what the forecast is, and where it comes from."""
    by_model = rows["method"].to_numpy() == CHAMPION
    named: dict[str, Any] = {}
    for column, value in (("model_name", ref and ref.name), ("model_version", ref and ref.version)):
        named[column] = [value if it else None for it in by_model]
    return rows.assign(
        forecast_id=forecast_ids(tenant, ctx.night, rows, ctx.run_id),
        tenant=tenant,
        night=ctx.night,
        **named,
        table_versions=ctx.table_versions,
        run_id=ctx.run_id,
        available_at=pd.Timestamp(ctx.now()),
        night_month=f"{ctx.night:%Y-%m}",
    )


def forecast_ids(tenant: str, night: date, rows: pd.DataFrame, run_id: str) -> list[str]:
    """The night's eight digits, by which the row's partition is found, and 16 hex digits of the key's and run's SHA-256."""
    prefix = f"{night:%Y%m%d}"
    return [
        prefix + hashlib.sha256(f"{tenant}/{prefix}/{site}/{product}/{horizon}/{run_id}".encode()).hexdigest()[:16]
        for site, product, horizon in zip(rows["site"], rows["product"], rows["horizon"], strict=True)
    ]
