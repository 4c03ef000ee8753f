"""Follow what became of the forecasts: score them, watch for drift, and settle who is champion.

A night is scored when the units of the week after it are known, and again after four weeks, as known at this night's
cut-off. From the scores the challenger is promoted when the evidence suffices, and a champion that has fallen behind
seasonal naive is rolled back. What is scored once is not scored again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.tables import DEMAND_FORECAST, DEMAND_SCORES, DEMAND_SHADOW, HORIZON_DAYS
from jobs import demand_drift, demand_known, promotions
from jobs.context import Context, Outcome
from jobs.demand_data import by_tenant, to_pandas
from jobs.demand_known import BACK_DAYS, Known, by_night
from jobs.demand_settings import settled
from jobs.lake import in_set, loose_schema
from jobs.own_failure import own_failure
from jobs.settlement import settle
from jobs.train_demand import registry_of
from models.demand.arrays import day
from models.demand.fallback import CHAMPION
from models.demand.origins import Origins
from models.demand.periods import DAY
from models.demand.promotion import RULES, TRIAL_AHEAD
from models.demand.scores import SAID, Said, score

WINDOWS = (TRIAL_AHEAD, HORIZON_DAYS)  # days that are judged: a week and four, whatever a tenant counts in
SETTLED_DAYS = 30  # before the longest trial, from when on champion and challenger are compared
PERIOD = f"coalesce(period, '{DAY.name}')"  # rows of before there were others say nothing
GRACE_DAYS = 7  # that a site may be late; then its night is scored by what is known
READ = dict.fromkeys((*demand_known.READ, (DEMAND_FORECAST, Zone.GOLD)))
ROWS_AT_ONCE = 2_000_000  # of forecasts, in memory


class Due(NamedTuple):
    """What of a night's forecast can be judged: of which tenant, by how many days, of which sites, and how many rows."""

    night: date
    tenant: str
    window: int
    sites: tuple[str, ...]
    rows: int


def run(ctx: Context) -> None:
    """Score what is due, then watch and settle each tenant by itself."""
    ctx.table_versions = ctx.lake.versions(READ)
    registry = registry_of(ctx)
    given = settled(ctx, ctx.tenants)
    ctx.tenants = tuple(given)
    if not ctx.tenants:
        return
    known = Known.read(ctx, given)
    rows = _score_all(ctx, known)
    losses = by_tenant(_losses(ctx))
    past = promotions.decisions(ctx, ctx.tenants)
    alarms = demand_drift.watch_all(ctx, known)
    for tenant in ctx.tenants:
        with own_failure(ctx, tenant, "follow-demand"):
            if tenant in losses:
                settle(ctx, tenant, losses[tenant], past[tenant], registry, known)
            if tenant not in ctx.outcomes:
                ctx.outcomes[tenant] = Outcome("ok", rows.get(tenant, 0), alarms.get(tenant))


def _score_all(ctx: Context, known: Known) -> dict[str, int]:
    """Append the scores that are due; how many each tenant has."""
    count: dict[str, int] = {}
    for part in _parts(_due(ctx, known)):
        made = _score(ctx, part, known)
        if made:
            ctx.lake.append(_table(pd.concat(made)), DEMAND_SCORES)
        for frame in made:
            tenant = str(frame["tenant"].iloc[0])
            count[tenant] = count.get(tenant, 0) + len(frame)
        ctx.progress(f"follow-demand: {len({due.night for due in part})} nights scored")
    return count


def _due(ctx: Context, known: Known) -> list[Due]:
    """What has come to be judged and has no score yet, the oldest first. A site that is late keeps no other waiting."""
    first = ctx.night - timedelta(days=BACK_DAYS)
    since = f"{in_set('tenant', ctx.tenants)} AND night_month >= '{first:%Y-%m}' AND night >= DATE'{first}'"
    scores = ctx.lake.read(DEMAND_SCORES).where(since).select("tenant", "night", "days", "site").distinct()
    done = {tuple(row) for row in scores.collect()}
    forecasts = ctx.lake.read(DEMAND_FORECAST).where(since).selectExpr("*", f"{PERIOD} AS of")
    forecasts = forecasts.groupBy("tenant", "night", "site", "of").agg({"*": "count", "horizon": "max"})
    sites: dict[tuple[date, str, int], list[str]] = {}
    rows: dict[tuple[date, str, int], int] = {}
    for row in forecasts.collect():
        counts = known.counts(row.tenant)
        origin, tonight = (counts.over(day(night)) for night in (row.night, ctx.night))
        last = known.reported(row.tenant).get(row.site, origin)
        for window in WINDOWS if row.of == counts.name else ():
            ahead = window // counts.days
            end = origin + ahead
            late = end > last and counts.end(end) + timedelta(days=GRACE_DAYS) > ctx.night
            over = end <= tonight and not late and last > origin
            if over and ahead <= row["max(horizon)"] and (row.tenant, row.night, window, row.site) not in done:
                key = row.night, row.tenant, window
                sites.setdefault(key, []).append(row.site)
                rows[key] = rows.get(key, 0) + row["count(1)"]
    return sorted(Due(*key, tuple(sorted(of)), rows[key]) for key, of in sites.items())


def _parts(due: Sequence[Due]) -> Iterator[list[Due]]:
    """Whole nights together, as many as are read at once."""
    part: list[Due] = []
    for _, of_night in groupby(due, key=lambda d: d.night):
        night = list(of_night)
        if part and sum(d.rows for d in (*part, *night)) > ROWS_AT_ONCE:
            yield part
            part = []
        part += night
    if part:
        yield part


def _score(ctx: Context, due: Sequence[Due], known: Known) -> list[pd.DataFrame]:
    """Scores of each tenant, night and window; a tenant that fails is left out and has failed."""
    nights, tenants = sorted({d.night for d in due}), sorted({d.tenant for d in due})
    said, shadow = (_said(ctx, contract, nights, tenants) for contract in (DEMAND_FORECAST, DEMAND_SHADOW))
    origins = known.origins((d.tenant, d.night) for d in due)
    made: list[pd.DataFrame] = []
    for each in due:
        key = each.tenant, each.night
        if key in origins and key in said:
            with own_failure(ctx, each.tenant, "follow-demand"):
                told: dict[str, Any] = {
                    "tenant": each.tenant,
                    "night": each.night,
                    "run_id": ctx.run_id,
                    "available_at": pd.Timestamp(ctx.now()),
                    "night_month": f"{each.night:%Y-%m}",
                }
                scored = _score_window(said[key], shadow.get(key), origins[key], known, each)
                if len(scored):
                    made.append(scored.assign(**told))
    return made


def _said(
    ctx: Context, contract: Contract, nights: Sequence[date], tenants: Iterable[str]
) -> dict[tuple[str, date], pd.DataFrame]:
    rows = ctx.lake.read(contract).where(in_set("tenant", tenants))
    months = ", ".join(sorted({f"'{n:%Y-%m}'" for n in nights}))
    of_nights = ", ".join(f"DATE{str(n)!r}" for n in nights)
    rows = rows.where(f"night_month IN ({months}) AND night IN ({of_nights})")
    return by_night(to_pandas(rows.selectExpr("tenant", "night", f"{PERIOD} AS period", *SAID)), "night")


def _score_window(
    rows: pd.DataFrame, shadow: pd.DataFrame | None, origins: Origins, known: Known, due: Due
) -> pd.DataFrame:
    counts = known.counts(due.tenant)
    ahead = due.window // counts.days
    rows = rows[rows["period"] == counts.name]
    said = Said.of(rows[rows["site"].isin(due.sites)], ahead)
    other = Said.of(rows.iloc[:0] if shadow is None else shadow[shadow["period"] == counts.name], ahead)
    return score(said, other, origins, known.units(due.tenant, said.keys, counts.over(day(due.night)), ahead))


def _table(rows: pd.DataFrame) -> pa.Table:
    schema = loose_schema(DEMAND_SCORES, Zone.GOLD)
    return pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)


def _losses(ctx: Context) -> pd.DataFrame:
    """Mean loss of each night's champion, challenger and seasonal naive, by the week after it."""
    from pyspark.sql import functions as F

    first = ctx.night - timedelta(days=max(rules.days for rules in RULES.values()) + SETTLED_DAYS)
    scores = ctx.lake.read(DEMAND_SCORES).where(in_set("tenant", ctx.tenants))
    scores = scores.where(f"night_month >= '{first:%Y-%m}' AND night >= DATE'{first}'")
    scores = scores.where(f"days = {WINDOWS[0]} AND method = '{CHAMPION}'")
    by_night = scores.groupBy("tenant", "night", "model_version", "challenger_version")
    names = ("pinball", "challenger_pinball", "naive_pinball")
    found = by_night.agg(*(F.avg(name).alias(name) for name in names))
    return found.toPandas().sort_values(["tenant", "night"], ignore_index=True)
