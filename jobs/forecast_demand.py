"""Forecast the days (or weeks) after the night for every series of every tenant, and publish them in gold.

The features of all tenants that count in days are read at once, each tenant's champion speaks by itself, and what passes
the door is written in one commit. A tenant that fails or is blocked keeps its last good forecast.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from expectations.contract import Zone
from expectations.tables import CALENDAR_FEATURES, DEMAND_FEATURES, DEMAND_FORECAST, MAX_HORIZON
from jobs import doors
from jobs.context import Context
from jobs.demand_data import CALENDAR_COLUMNS, FEATURE_COLUMNS, NightData, Pinned, to_pandas
from jobs.demand_settings import settled
from jobs.demand_weeks import READ as READ_WEEKS
from jobs.demand_weeks import night_weeks
from jobs.errors import TenantError
from jobs.lake import in_set
from jobs.own_failure import own_failure
from jobs.train_demand import registry_of
from models.demand.calendar import Calendar, empty_calendar
from models.demand.fallback import CHAMPION
from models.demand.forecast import forecast_of
from models.demand.origins import Origins
from models.demand.parameters import Parameters
from models.demand.periods import DAY
from models.registry import ModelRef, Registry

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

READ = ((DEMAND_FEATURES, Zone.FEATURES), (CALENDAR_FEATURES, Zone.FEATURES))
TOLD_EVERY = 50  # tenants
BACK_DAYS = 28  # of the calendar: whether the last same weekdays were holidays


def run(ctx: Context) -> None:
    """Forecast, check, publish. The same night again replaces its rows."""
    ctx.table_versions = ctx.lake.versions(dict.fromkeys((*READ, *READ_WEEKS)))
    made = _forecasts(ctx, registry_of(ctx))
    if not made:
        return
    frame = ctx.lake.conform(_frame(ctx, made), DEMAND_FORECAST, Zone.GOLD).persist()
    try:
        result = doors.check(ctx, frame, DEMAND_FORECAST, Zone.GOLD, tenants=made)
        for tenant, why in result.blocked.items():
            ctx.block(tenant, why)
        _publish(ctx, frame, {t: len(rows) for t, rows in made.items() if t not in result.blocked})
    finally:
        frame.unpersist()


def _forecasts(ctx: Context, registry: Registry) -> dict[str, pd.DataFrame]:
    """Rows of each tenant that can be forecast; the others have failed."""
    given = settled(ctx, ctx.tenants)
    of_night = _Nights.read(ctx, given)
    ctx.progress(f"forecast-demand: {len(given)} tenants")
    made = {}
    for tenant in given:
        with own_failure(ctx, tenant, "forecast-demand"):
            made[tenant] = _forecast_tenant(ctx, tenant, of_night.of(tenant), registry)
            if len(made) % TOLD_EVERY == 0:
                ctx.progress(f"forecast-demand: {len(made)} of {len(given)} tenants")
    return made


@dataclass(frozen=True)
class _Nights:
    """What each tenant's forecast is made from: read at once of those that count in days, when it is asked of others."""

    ctx: Context
    given: Mapping[str, Parameters]
    features: Mapping[str, pd.DataFrame]
    calendar: Mapping[str, pd.DataFrame]

    @classmethod
    def read(cls, ctx: Context, given: Mapping[str, Parameters]) -> _Nights:
        daily = [tenant for tenant, its in given.items() if its.counts == DAY]
        features, calendar = (
            {str(tenant): its for tenant, its in rows(ctx, daily).groupby("tenant")} for rows in (_features, _calendar)
        )
        return cls(ctx, given, features, calendar)

    def of(self, tenant: str) -> NightData:
        """Raises TenantError where there is nothing of the night."""
        night, given = self.ctx.night, self.given[tenant]
        if given.counts != DAY:
            pinned = Pinned(self.ctx.lake, json.loads(self.ctx.table_versions))
            return night_weeks(pinned, tenant, night, given)
        if tenant not in self.features:
            again = f"`uretimiq run features --tenant {tenant} --date {night}`"
            raise TenantError(f"no demand features of {night}: run {again}")
        calendar = self.calendar.get(tenant)
        days = Calendar.from_features(empty_calendar() if calendar is None else calendar)
        return NightData(Origins.from_features(self.features[tenant]), days, given.horizon)


def _features(ctx: Context, tenants: Sequence[str]) -> pd.DataFrame:
    """Feature rows of the night."""
    rows = ctx.lake.read(DEMAND_FEATURES).where(in_set("tenant", tenants))
    rows = rows.where(f"year = {ctx.night.year} AND date = DATE'{ctx.night}'")
    return to_pandas(rows.select("tenant", *FEATURE_COLUMNS))


def _calendar(ctx: Context, tenants: Sequence[str]) -> pd.DataFrame:
    first, last = ctx.night - timedelta(days=BACK_DAYS), ctx.night + timedelta(days=MAX_HORIZON)
    rows = ctx.lake.read(CALENDAR_FEATURES).where(in_set("tenant", tenants))
    rows = rows.where(f"date >= DATE'{first}' AND date <= DATE'{last}'")
    return to_pandas(rows.select("tenant", *CALENDAR_COLUMNS))


def _forecast_tenant(ctx: Context, tenant: str, given: NightData, registry: Registry) -> pd.DataFrame:
    ref = registry.champion(tenant)
    model = registry.load(ref) if ref else None
    rows = forecast_of(given.origins, given.calendar, model, given.horizon)
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
        table_versions=_versions_read(ctx, rows),
        run_id=ctx.run_id,
        available_at=pd.Timestamp(ctx.now()),
        night_month=f"{ctx.night:%Y-%m}",
    )


def _versions_read(ctx: Context, rows: pd.DataFrame) -> str:
    """Of the tables from which the rows were made."""
    read = READ if set(rows["period"]) <= {DAY.name} else READ_WEEKS
    names = {f"{zone}/{contract.name}" for contract, zone in read}
    return json.dumps({n: v for n, v in json.loads(ctx.table_versions).items() if n in names}, sort_keys=True)


def forecast_ids(tenant: str, night: date, rows: pd.DataFrame, run_id: str) -> list[str]:
    """The night's eight digits, by which the row's partition is found, and 16 hex digits of the key's and run's SHA-256."""
    prefix = f"{night:%Y%m%d}"
    return [
        prefix + hashlib.sha256(f"{tenant}/{prefix}/{site}/{product}/{horizon}/{run_id}".encode()).hexdigest()[:16]
        for site, product, horizon in zip(rows["site"], rows["product"], rows["horizon"], strict=True)
    ]


def _frame(ctx: Context, made: Mapping[str, pd.DataFrame]) -> DataFrame:
    loose = pa.schema([f.with_nullable(True) for f in DEMAND_FORECAST.schema_in(Zone.GOLD)])
    rows = pd.concat(made.values(), ignore_index=True)[loose.names]
    return ctx.spark.createDataFrame(pa.Table.from_pandas(rows, schema=loose, preserve_index=False))


def _publish(ctx: Context, frame: DataFrame, rows: Mapping[str, int]) -> None:
    """Replace the night's rows of these tenants, in one commit."""
    if rows:
        of_night = f"night_month = '{ctx.night:%Y-%m}' AND night = DATE'{ctx.night}'"
        ctx.lake.replace(
            frame.where(in_set("tenant", rows)),
            DEMAND_FORECAST,
            Zone.GOLD,
            where=f"{in_set('tenant', rows)} AND {of_night}",
        )
    for tenant, count in rows.items():
        ctx.done(tenant, count)
