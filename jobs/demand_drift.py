"""What is watched for drift each night, of the data that came in and of the errors that the forecasts made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from expectations.tables import DEMAND_FEATURES, DEMAND_FORECAST, DEMAND_MONITOR
from jobs.context import Context
from jobs.delta_reader import read_rows
from jobs.demand_data import to_pandas
from jobs.lake import in_set
from models.demand.arrays import day
from models.demand.fallback import CHAMPION
from models.demand.monitor import REFERENCE, watch
from models.demand.periods import DAY
from models.demand.scores import SAID, Said, actual

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_LAST_WEEKS = "(units_lag_7 + units_lag_14 + units_lag_21) / 3"
# Of the feature rows of a night. Each number is free of the season of the week, so that nights can be compared.
DATA = {
    "level": f"ln(nullif(sum(IF({_LAST_WEEKS} IS NULL, NULL, units_lag_0)), 0) / nullif(sum({_LAST_WEEKS}), 0))",
    "idle_share": "avg(CAST(units_lag_0 = 0 AS INT) - CAST(units_lag_7 = 0 AS INT))",
    "unknown_share": "avg(CAST(units_lag_0 IS NULL AS INT))",
    "price_ratio": "avg(unit_price_ratio_28)",
}
ERRORS = ("bias", "outside_share")  # of the champion's forecast of the next day
MEANING = {
    "level": "units against the same weekday of the last three weeks",
    "idle_share": "series without units against a week before",
    "unknown_share": "series of which the day is unknown",
    "price_ratio": "prices against the last four weeks",
    "bias": "the forecasts lie on one side",
    "outside_share": "units outside the forecasts' bands",
}
CAUGHT_UP_DAYS = 28  # missed nights whose errors are still noted


def watch_all(ctx: Context, sales: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Note the numbers of the nights that have none yet; the alarms of this night, in one line for each tenant."""
    kept = read_rows(
        ctx.settings, DEMAND_MONITOR, columns=["tenant", "night", "measure", "value"],
        filters=[("tenant", "in", list(ctx.tenants)), ("night", "<", ctx.night)],
    ).to_pandas()  # fmt: skip
    first = ctx.night - timedelta(days=REFERENCE)
    newest = kept.groupby("tenant")["night"].max().to_dict()
    begun: dict[date, list[str]] = {}
    for tenant in sales:  # one without sales has nothing to watch
        begun.setdefault(newest.get(tenant, first) + timedelta(days=1), []).append(tenant)
    parts = [pd.DataFrame(columns=["tenant", "night", "measure", "value"])]
    for begin, tenants in begun.items():
        errors_begin = max(begin, ctx.night - timedelta(days=CAUGHT_UP_DAYS))
        parts += [_of_data(ctx, tenants, begin), _of_errors(ctx, tenants, errors_begin, sales)]
    new = _together(parts)
    rows = _watched(kept, new)
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
    return _long(rows, {name: f"CAST({sql} AS DOUBLE)" for name, sql in DATA.items()})


def _long(rows: DataFrame, measures: Mapping[str, str]) -> pd.DataFrame:
    from pyspark.sql import functions as F

    found = rows.groupBy("tenant", F.col("date").alias("night")).agg(*(F.expr(s).alias(n) for n, s in measures.items()))
    wide = found.toPandas()
    return wide.melt(id_vars=["tenant", "night"], var_name="measure", value_name="value")


def _of_errors(ctx: Context, tenants: Sequence[str], begin: date, sales: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What became of the day that each night's forecast begins with, noted at the night after it."""
    rows = ctx.lake.read(DEMAND_FORECAST).where(in_set("tenant", tenants))
    first = begin - timedelta(days=1)
    rows = rows.where(f"night_month >= '{first:%Y-%m}' AND night >= DATE'{first}' AND date <= DATE'{ctx.night}'")
    rows = rows.where(f"horizon = 1 AND period = '{DAY.name}' AND method = '{CHAMPION}'")
    found: list[dict[str, Any]] = []
    every = to_pandas(rows.select("tenant", "night", *SAID))
    for _, frame in every.groupby(["tenant", "night"]):
        tenant, before = str(frame["tenant"].iloc[0]), pd.Timestamp(frame["night"].iloc[0]).date()
        if tenant in sales:
            said = Said.of(frame, 1)
            units = actual(sales[tenant], said.keys, day(before), 1)[:, 0]
            known = ~np.isnan(units)
            low, median, high = said.quantiles[known, 0].T
            sold = float(units[known].sum())
            outside = (units[known] < low) | (units[known] > high)
            values = (
                float(median.sum()) / sold - 1 if sold > 0 else np.nan,
                float(outside.mean()) if known.any() else np.nan,
            )
            after = before + timedelta(days=1)
            found += [
                {"tenant": tenant, "night": after, "measure": m, "value": v}
                for m, v in zip(ERRORS, values, strict=True)
            ]
    return pd.DataFrame(found, columns=["tenant", "night", "measure", "value"])


def _watched(kept: pd.DataFrame, new: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the nights in `new`, with the evidence from all nights so far."""
    every = _together([kept.assign(_new=False), new.assign(_new=True)]).sort_values("night", kind="stable")
    rows: list[dict[str, Any]] = []
    for (tenant, measure), series in every.groupby(["tenant", "measure"]):
        seen = watch(series["value"].to_numpy(dtype=float))
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
