"""What is watched for drift each night, of the data that came in and of the errors that the forecasts made.

A tenant that counts in weeks has a number a week, at the last night before the next one is over: by then its files have come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations.tables import DEMAND_FEATURES, DEMAND_FORECAST, DEMAND_MONITOR
from jobs.context import Context
from jobs.delta_reader import read_rows
from jobs.demand_data import to_pandas
from jobs.demand_known import Known
from jobs.lake import in_set
from models.demand.arrays import day, to_date
from models.demand.fallback import CHAMPION
from models.demand.monitor import PACES, watch
from models.demand.periods import DAY, Period
from models.demand.scores import SAID, Said

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PRICE = "unit_price_ratio_28"


def data_of(counts: Period) -> dict[str, str]:
    """By measure, what it is of the feature rows of a night. Each is free of the season, so that nights can be compared."""
    one, *_ = seasons = [f"units_lag_{counts.season * back}" for back in (1, 2, 3)]
    last = f"({' + '.join(seasons)}) / 3"
    return {
        "level": f"ln(nullif(sum(IF({last} IS NULL, NULL, units_lag_0)), 0) / nullif(sum({last}), 0))",
        "idle_share": f"avg(CAST(units_lag_0 = 0 AS INT) - CAST({one} = 0 AS INT))",
        "unknown_share": "avg(CAST(units_lag_0 IS NULL AS INT))",
        "price_ratio": f"avg({PRICE})",
    }


ERRORS = ("bias", "outside_share")  # of the champion's forecast of the next day, or week
MEANING = {
    "level": "units against those of the last three weeks",
    "idle_share": "series without units against a week before",
    "unknown_share": "series of which the last day, or week, is unknown",
    "price_ratio": "prices against the last four weeks",
    "bias": "the forecasts lie on one side",
    "outside_share": "units outside the forecasts' bands",
}
CAUGHT_UP_DAYS = 28  # missed nights whose errors are still noted


def watch_all(ctx: Context, known: Known) -> dict[str, str]:
    """Note the numbers of the nights that have none yet; the alarms of this night, in one line for each tenant."""
    kept = read_rows(
        ctx.settings, DEMAND_MONITOR, columns=["tenant", "night", "measure", "value"],
        filters=[("tenant", "in", list(ctx.tenants)), ("night", "<", ctx.night)],
    ).to_pandas()  # fmt: skip
    newest = kept.groupby("tenant")["night"].max().to_dict()
    begun: dict[date, list[str]] = {}
    for tenant in (*known.sales, *known.weeks):  # one without sales has nothing to watch
        counts = known.counts(tenant)
        first = ctx.night - timedelta(days=PACES[counts.name].reference * counts.days)
        begun.setdefault(newest.get(tenant, first) + timedelta(days=1), []).append(tenant)
    parts = [pd.DataFrame(columns=["tenant", "night", "measure", "value"])]
    for begin, tenants in begun.items():
        errors_begin = max(begin, ctx.night - timedelta(days=CAUGHT_UP_DAYS))
        daily = [tenant for tenant in tenants if tenant in known.sales]
        parts += [_of_data(ctx, daily, begin)] if daily else []
        parts += [_of_weeks(ctx, tenant, begin, known) for tenant in tenants if tenant in known.weeks]
        parts.append(_of_errors(ctx, tenants, errors_begin, known))
    new = _together(parts)
    rows = _watched(kept, new, known)
    if rows:
        told = {"run_id": ctx.run_id, "available_at": ctx.now()}
        # what was missed before this night is added; this night's own rows take the place of those of an earlier run
        table = ctx.lake.table(DEMAND_MONITOR, [r | told for r in rows])
        tonight = pc.equal(table["night"], ctx.night)
        ctx.lake.append(table.filter(pc.invert(tonight)), DEMAND_MONITOR)
        of_tonight = f"{in_set('tenant', ctx.tenants)} AND night = DATE'{ctx.night}'"
        ctx.lake.replace(table.filter(tonight), DEMAND_MONITOR, where=of_tonight)
    return _alarms(ctx, rows, newest)


def _together(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One frame; pandas no longer lets an empty one have a say in the types."""
    return pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)


def _of_data(ctx: Context, tenants: Sequence[str], begin: date) -> pd.DataFrame:
    rows = ctx.lake.read(DEMAND_FEATURES).where(in_set("tenant", tenants))
    rows = rows.where(f"year >= {begin.year} AND date >= DATE'{begin}' AND date <= DATE'{ctx.night}'")
    return _long(rows, DAY)


def _of_weeks(ctx: Context, tenant: str, begin: date, known: Known) -> pd.DataFrame:
    """The same of the weeks that were the last known one until a night from `begin` on."""
    counts = known.counts(tenant)
    numbers = range(counts.over(day(begin)), counts.over(day(ctx.night)) + 1)
    due = [n for n in numbers if day(begin) <= counts.until(n) <= day(ctx.night)]
    if not due or not known.reported(tenant):
        return pd.DataFrame(columns=["tenant", "night", "measure", "value"])
    origins = known.weeks[tenant].settled(due[0], due[-1])
    lags = {f"units_lag_{back}": origins.lags[:, back] for back in range(4)}
    nights = [to_date(int(d)) for d in counts.until(origins.day)]
    rows = pd.DataFrame({"tenant": tenant, "date": nights, **lags, PRICE: origins.pure_column(PRICE)})
    return _long(ctx.spark.createDataFrame(pa.Table.from_pandas(rows, preserve_index=False)), counts)


def _long(rows: DataFrame, counts: Period) -> pd.DataFrame:
    from pyspark.sql import functions as F

    measures = {name: f"CAST({sql} AS DOUBLE)" for name, sql in data_of(counts).items()}
    found = rows.groupBy("tenant", F.col("date").alias("night")).agg(*(F.expr(s).alias(n) for n, s in measures.items()))
    wide = found.toPandas()
    return wide.melt(id_vars=["tenant", "night"], var_name="measure", value_name="value")


def _of_errors(ctx: Context, tenants: Sequence[str], begin: date, known: Known) -> pd.DataFrame:
    """What became of the day (or week) that a night's forecast begins with, noted at the last night of which it is the last.

    Of nights that forecast from the same week it is that of the last one.
    """
    rows = ctx.lake.read(DEMAND_FORECAST).where(in_set("tenant", tenants))
    first = begin - timedelta(days=2 * max(known.counts(t).days for t in tenants))
    rows = rows.where(f"night_month >= '{first:%Y-%m}' AND night >= DATE'{first}' AND date <= DATE'{ctx.night}'")
    rows = rows.where(f"horizon = 1 AND method = '{CHAMPION}'")
    found: dict[tuple[str, date], dict[str, float]] = {}
    every = to_pandas(rows.select("tenant", "night", "period", *SAID))
    for _, frame in every.groupby(["tenant", "night"]):  # in the order of nights
        tenant = str(frame["tenant"].iloc[0])
        counts = known.counts(tenant)
        origin = counts.over(day(pd.Timestamp(frame["night"].iloc[0]).date()))
        after = to_date(counts.until(origin + 1))
        if begin <= after <= ctx.night and frame["period"].iloc[0] == counts.name:
            said = Said.of(frame, 1)
            units = known.units(tenant, said.keys, origin, 1)[:, 0]
            there = ~np.isnan(units)
            low, median, high = said.quantiles[there, 0].T
            sold = float(units[there].sum())
            outside = (units[there] < low) | (units[there] > high)
            values = (
                float(median.sum()) / sold - 1 if sold > 0 else np.nan,
                float(outside.mean()) if there.any() else np.nan,
            )
            found[tenant, after] = dict(zip(ERRORS, values, strict=True))
    long = [(tenant, after, m, v) for (tenant, after), of in found.items() for m, v in of.items()]
    return pd.DataFrame(long, columns=["tenant", "night", "measure", "value"])


def _watched(kept: pd.DataFrame, new: pd.DataFrame, known: Known) -> list[dict[str, Any]]:
    """The rows of the nights in `new`, with the evidence from all nights so far."""
    every = _together([kept.assign(_new=False), new.assign(_new=True)]).sort_values("night", kind="stable")
    rows: list[dict[str, Any]] = []
    for (tenant, measure), series in every.groupby(["tenant", "measure"]):
        pace = PACES[known.counts(str(tenant)).name]
        seen = watch(series["value"].to_numpy(dtype=float), pace)
        for position in np.flatnonzero(series["_new"].to_numpy(dtype=bool)).tolist():
            numbers = (series["value"].iloc[position], seen.chance[position], seen.evidence[position])
            value, chance, evidence = (None if pd.isna(x) else float(x) for x in numbers)
            key = {"tenant": tenant, "measure": measure, "night": series["night"].iloc[position]}
            told = {"value": value, "chance": chance, "evidence": evidence, "alarm": bool(seen.alarm[position])}
            rows.append(key | told)
    return rows


def _alarms(ctx: Context, rows: list[dict[str, Any]], newest: Mapping[str, date]) -> dict[str, str]:
    """Of this night, and of missed ones; those of nights before a tenant was followed are noted, not told."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["alarm"] and (row["night"] == ctx.night or row["tenant"] in newest):
            found.setdefault(row["tenant"], []).append(f"{row['measure']} ({MEANING[row['measure']]})")
    return {tenant: f"drift: {', '.join(sorted(measures))}" for tenant, measures in found.items()}
