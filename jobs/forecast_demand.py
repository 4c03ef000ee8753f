"""Forecast the days (or weeks) after the night for every series of every tenant, and their sums, and publish them in gold.

The features of all tenants that count in days are read at once, each tenant's champion speaks by itself, and what passes
the door is written in one commit. A tenant that fails or is blocked keeps its last good forecast.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from expectations.contract import Zone
from expectations.tables import (
    CALENDAR_FEATURES,
    DEMAND_FEATURES,
    DEMAND_FORECAST,
    DEMAND_FORECAST_SUMS,
    DEMAND_SHADOW,
    FACTORS,
)
from jobs.context import Context
from jobs.demand_data import NightData
from jobs.demand_known import Nights
from jobs.demand_settings import settled
from jobs.demand_weeks import READ as READ_WEEKS
from jobs.own_failure import own_failure
from jobs.publish import publish
from jobs.train_demand import registry_of
from models.demand.fallback import CHAMPION, NO_CHAMPION
from models.demand.forecast import forecast_of
from models.demand.model import DemandModel
from models.demand.origins import Origins
from models.demand.parameters import HISTORY
from models.demand.periods import DAY
from models.demand.sums_forecast import sums
from models.registry import ModelRef, Registry

READ = ((DEMAND_FEATURES, Zone.FEATURES), (CALENDAR_FEATURES, Zone.FEATURES), (FACTORS, Zone.SILVER))
TOLD_EVERY = 50  # tenants
Frames = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Made:
    """A tenant's rows of DEMAND_FORECAST and of DEMAND_FORECAST_SUMS."""

    rows: pd.DataFrame
    sums: pd.DataFrame


def run(ctx: Context) -> None:
    """Forecast, check, publish. The same night again replaces its rows."""
    ctx.table_versions = ctx.lake.versions(dict.fromkeys((*READ, *READ_WEEKS)))
    made, shadow = _forecasts(ctx, registry_of(ctx))
    rows, sums_of = {t: m.rows for t, m in made.items()}, {t: m.sums for t, m in made.items()}
    passed = publish(ctx, {DEMAND_FORECAST: rows, DEMAND_FORECAST_SUMS: sums_of})
    beside = publish(ctx, {DEMAND_SHADOW: {t: of for t, of in shadow.items() if t in passed.rows}})
    for tenant, why in beside.blocked.items():
        ctx.progress(f"  {tenant}: the challenger is not noted: {why}")
    passed.note(ctx)


def _forecasts(ctx: Context, registry: Registry) -> tuple[dict[str, Made], Frames]:
    """What is made for each tenant that can be forecast (the others have failed), and its challenger's rows."""
    given = settled(ctx, ctx.tenants)
    of_night = Nights.read(ctx, given)
    ctx.progress(f"forecast-demand: {len(given)} tenants")
    made: dict[str, Made] = {}
    shadow: Frames = {}
    for tenant in given:
        with own_failure(ctx, tenant, "forecast-demand"):
            known = of_night.of(tenant)
            made[tenant] = _forecast_tenant(ctx, tenant, known, registry)
            rival = _challenger_of(ctx, tenant, known, registry)
            if rival is not None:
                shadow[tenant] = rival
            registry.loaded.clear()  # 300 champions at once would take gigabytes
            if len(made) % TOLD_EVERY == 0:
                ctx.progress(f"forecast-demand: {len(made)} of {len(given)} tenants")
    return made, shadow


def _forecast_tenant(ctx: Context, tenant: str, known: NightData, registry: Registry) -> Made:
    ref = registry.champion(tenant)
    floor = None if ref else registry.floor(tenant)
    champion, without_skill = (registry.load(r) if r else None for r in (ref, floor))
    rows = forecast_of(known.origins, known.calendar, champion, known.horizon, without_skill)
    return Made(_published(ctx, tenant, rows, ref or floor), _sums(ctx, tenant, rows, known.origins, champion, ref))


def _challenger_of(ctx: Context, tenant: str, known: NightData, registry: Registry) -> pd.DataFrame | None:
    """What the challenger says of the same night; None where there is none, or where it fails: it serves nobody yet."""
    ref = registry.challenger(tenant)
    if ref is None:
        return None
    try:
        rows = forecast_of(known.origins, known.calendar, registry.load(ref), known.horizon)
        return _published(ctx, tenant, rows, ref)
    except Exception as error:  # noqa: BLE001  whatever it is, the champion's forecast is not to suffer by it
        ctx.progress(f"  {tenant}: the challenger, version {ref.version}, fails: {' '.join(str(error).split())[:200]}")
        return None


def _published(ctx: Context, tenant: str, rows: pd.DataFrame, ref: ModelRef | None) -> pd.DataFrame:
    """The rows of the contract: what the forecast is, and where it comes from."""
    by_model = rows["method"].isin((CHAMPION, HISTORY))
    named: dict[str, Any] = {}
    for column, value in (("model_name", ref and ref.name), ("model_version", ref and ref.version)):
        named[column] = [value if it else None for it in by_model]
    return _stamped(ctx, tenant, rows.assign(forecast_id=forecast_ids(tenant, ctx.night, rows, ctx.run_id), **named))


def _sums(
    ctx: Context,
    tenant: str,
    rows: pd.DataFrame,
    origins: Origins,
    model: DemandModel | None,
    ref: ModelRef | None,
) -> pd.DataFrame:
    """None without a champion that knows of sums: how errors go together is learned from its folds."""
    if model is None or ref is None or model.sums is None:
        why = "its champion is older than sums are: train again" if ref else NO_CHAMPION
        ctx.progress(f"  {tenant}: sums are not forecast: {why}")
        return pd.DataFrame(columns=DEMAND_FORECAST_SUMS.schema_in(Zone.GOLD).names)
    try:
        made = sums(rows, origins.hierarchy, model.sums, model.parameters.seed)
    except Exception as error:  # noqa: BLE001  whatever it is, the series' forecast is not to suffer by it
        ctx.progress(f"  {tenant}: sums are not forecast: {' '.join(str(error).split())[:200]}")
        return pd.DataFrame(columns=DEMAND_FORECAST_SUMS.schema_in(Zone.GOLD).names)
    origin = {"cut_off": rows["cut_off"].max(), "model_name": ref.name, "model_version": ref.version}
    return _stamped(ctx, tenant, made.assign(**origin))


def _stamped(ctx: Context, tenant: str, rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(
        tenant=tenant,
        night=ctx.night,
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
