"""Forecast the 28 days after the night for every series of every tenant, and their sums, and publish them in gold.

All tenants' features are read at once, each tenant's champion speaks by itself, and what passes the door is written
in one commit. A tenant that fails or is blocked keeps its last good forecast.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.tables import CALENDAR_FEATURES, DEMAND_FEATURES, DEMAND_FORECAST, DEMAND_FORECAST_SUMS, HORIZON_DAYS
from jobs import doors
from jobs.context import Context
from jobs.demand_data import CALENDAR_COLUMNS, FEATURE_COLUMNS, to_pandas
from jobs.errors import TenantError
from jobs.lake import in_set, loose_schema
from jobs.own_failure import own_failure
from jobs.train_demand import registry_of
from models.demand.fallback import CHAMPION, NO_CHAMPION
from models.demand.forecast import forecast
from models.demand.model import DemandModel
from models.demand.sums_forecast import sums
from models.registry import ModelRef, Registry

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

READ = ((DEMAND_FEATURES, Zone.FEATURES), (CALENDAR_FEATURES, Zone.FEATURES))
TOLD_EVERY = 50  # tenants
BACK_DAYS = 28  # of the calendar: whether the last same weekdays were holidays


@dataclass(frozen=True)
class Made:
    """A tenant's rows of DEMAND_FORECAST and of DEMAND_FORECAST_SUMS."""

    rows: pd.DataFrame
    sums: pd.DataFrame


def run(ctx: Context) -> None:
    """Forecast, check, publish. The same night again replaces its rows."""
    ctx.table_versions = ctx.lake.versions(READ)
    made = _forecasts(ctx, registry_of(ctx))
    if not made:
        return
    with ExitStack() as stack:
        tables = {
            DEMAND_FORECAST: stack.enter_context(_checked(ctx, DEMAND_FORECAST, {t: m.rows for t, m in made.items()})),
            DEMAND_FORECAST_SUMS: stack.enter_context(
                _checked(ctx, DEMAND_FORECAST_SUMS, {t: m.sums for t, m in made.items()})
            ),
        }
        good = {t: len(made[t].rows) for t in ctx.active if t in made}
        for contract, frame in tables.items():
            _publish(ctx, frame, contract, good)
    for tenant, count in good.items():
        ctx.done(tenant, count)


@contextmanager
def _checked(ctx: Context, contract: Contract, made: Mapping[str, pd.DataFrame]) -> Iterator[DataFrame]:
    """The rows of all tenants as a frame; those whose rows the door does not let through are blocked."""
    frame = ctx.lake.conform(_frame(ctx, contract, made), contract, Zone.GOLD).persist()
    try:
        there = {tenant for tenant, rows in made.items() if len(rows)}
        if there:
            for tenant, why in doors.check(ctx, frame, contract, Zone.GOLD, tenants=there).blocked.items():
                ctx.block(tenant, why)
        yield frame
    finally:
        frame.unpersist()


def _forecasts(ctx: Context, registry: Registry) -> dict[str, Made]:
    """What is made for each tenant that can be forecast; the others have failed."""
    features = dict(tuple(_features(ctx).groupby("tenant")))
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


def _features(ctx: Context) -> pd.DataFrame:
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
) -> Made:
    ref = registry.champion(tenant)
    model = registry.load(ref) if ref else None
    rows = forecast(features, calendar, model)
    registry.loaded.clear()  # 300 champions at once would take gigabytes
    return Made(_published(ctx, tenant, rows, ref), _sums(ctx, tenant, rows, features, model, ref))


def _published(ctx: Context, tenant: str, rows: pd.DataFrame, ref: ModelRef | None) -> pd.DataFrame:
    """The rows of the contract: what the forecast is, and where it comes from."""
    by_model = rows["method"].to_numpy() == CHAMPION
    named: dict[str, Any] = {}
    for column, value in (("model_name", ref and ref.name), ("model_version", ref and ref.version)):
        named[column] = [value if it else None for it in by_model]
    return _stamped(ctx, tenant, rows.assign(forecast_id=forecast_ids(tenant, ctx.night, rows, ctx.run_id), **named))


def _sums(
    ctx: Context,
    tenant: str,
    rows: pd.DataFrame,
    features: pd.DataFrame,
    model: DemandModel | None,
    ref: ModelRef | None,
) -> pd.DataFrame:
    """None without a champion that knows of sums: how errors go together is learned from its folds."""
    if model is None or ref is None or model.sums is None:
        why = "its champion knows none (it is weekly, or older than sums are: train again)" if ref else NO_CHAMPION
        ctx.progress(f"  {tenant}: sums are not forecast: {why}")
        return pd.DataFrame(columns=DEMAND_FORECAST_SUMS.schema_in(Zone.GOLD).names)
    made = sums(rows, features, model.sums, model.parameters.seed)
    origin = {"cut_off": rows["cut_off"].max(), "model_name": ref.name, "model_version": ref.version}
    return _stamped(ctx, tenant, made.assign(**origin))


def _stamped(ctx: Context, tenant: str, rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(
        tenant=tenant,
        night=ctx.night,
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


def _frame(ctx: Context, contract: Contract, made: Mapping[str, pd.DataFrame]) -> DataFrame:
    schema = loose_schema(contract, Zone.GOLD)
    parts = [pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False) for rows in made.values()]
    return ctx.spark.createDataFrame(pa.concat_tables(parts))


def _publish(ctx: Context, frame: DataFrame, contract: Contract, tenants: Collection[str]) -> None:
    """Replace the night's rows of these tenants, in one commit."""
    among = in_set("tenant", tenants)
    of_night = f"night_month = '{ctx.night:%Y-%m}' AND night = DATE'{ctx.night}'"
    if tenants:
        ctx.lake.replace(frame.where(among), contract, Zone.GOLD, where=f"{among} AND {of_night}")
