"""What serves when a champion has fallen behind seasonal naive: the champion before it, if that one does better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np

from expectations.contract import Zone
from expectations.tables import CALENDAR_FEATURES, DEMAND_FEATURES, HORIZON_DAYS, SALES
from jobs import promotions
from jobs.context import Context
from jobs.demand_data import CALENDAR_COLUMNS, FEATURE_COLUMNS, to_pandas
from jobs.lake import in_set
from models.demand.arrays import day, nan_mean
from models.demand.calendar import Calendar
from models.demand.origins import Origins
from models.demand.promotion import CHAMPION, ROLLED_BACK, Decision
from models.demand.scores import Said, actual, score
from models.registry import ModelRef, Registry

ASKED_WEEKS = 4  # before the night, from whose origins the former champion is asked
BACK_DAYS = 28  # of the calendar: whether the last same weekdays were holidays


def roll_back(
    ctx: Context,
    tenant: str,
    champion: ModelRef,
    decision: Decision,
    past: Sequence[Mapping[str, object]],
    registry: Registry,
) -> None:
    """Put the former champion back if it beats seasonal naive on the same weeks, else let the floor serve."""
    promotions.note(ctx, tenant, champion, champion, decision)
    ctx.progress(f"  {tenant}: version {champion.version}: {decision.reason}")
    former = _former(champion, past, registry)
    gain = _gain(ctx, tenant, former, registry) if former else float("nan")
    if former and gain > 0:
        reason = (
            f"Promoted again: over {ASKED_WEEKS} weeks its pinball loss is {gain:.1%} below that of seasonal naive."
        )
        promotions.note(ctx, tenant, former, champion, Decision(CHAMPION, reason, {"gain": gain}))
        registry.promote(former)
        ctx.progress(f"  {tenant}: version {former.version}: {reason}")
    else:
        registry.serve_floor(champion)


def _former(champion: ModelRef, past: Sequence[Mapping[str, object]], registry: Registry) -> ModelRef | None:
    """The champion before this one that was not rolled back itself."""
    fallen = {r["model_version"] for r in past if r["decision"] == ROLLED_BACK} | {champion.version}
    former = [r for r in past if r["decision"] == CHAMPION and r["model_version"] not in fallen]
    return registry.version(champion.name, str(former[-1]["model_version"])) if former else None


def _gain(ctx: Context, tenant: str, ref: ModelRef, registry: Registry) -> float:
    """By what share the loss of `ref` lies below that of seasonal naive, had it forecast the last weeks; NaN if it can't."""
    try:
        model = registry.load(ref)
    except Exception as error:  # noqa: BLE001  a former champion that cannot be read is none
        ctx.progress(f"  {tenant}: version {ref.version} cannot be asked: {' '.join(str(error).split())[:200]}")
        return float("nan")
    nights = [ctx.night - timedelta(days=7 * week) for week in range(1, ASKED_WEEKS + 1)]
    rows = ctx.lake.read(DEMAND_FEATURES).where(in_set("tenant", [tenant]))
    rows = rows.where(f"year >= {nights[-1].year} AND date IN ({', '.join(f'DATE{str(n)!r}' for n in nights)})")
    origins = Origins.from_features(to_pandas(rows.select(*FEATURE_COLUMNS)))
    origins = origins.take(origins.enough & ~origins.dead)
    calendar = _calendar(ctx, tenant, nights[-1])
    sold = ctx.lake.read(SALES, Zone.SILVER).where(in_set("tenant", [tenant])).where("superseded_at IS NULL")
    sales = to_pandas(
        sold.where(f"date > DATE'{nights[-1]}' AND date <= DATE'{ctx.night}'").select(
            "site", "product", "date", "units"
        )
    )
    each = []
    for night in nights:
        some = origins.take(origins.day == day(night))
        order = np.argsort(some.key, kind="stable")
        some = some.take(order)
        if len(some):
            nobody = np.full(len(some), None, dtype=object)
            said = Said(some.key, model.quantiles(some, calendar)[:, :7], nobody, nobody)
            each.append(score(said, said.take(some.key[:0]), some, actual(sales, some.key, day(night), 7)))
    loss, naive = (
        np.concatenate([s[c].to_numpy() for s in each]) if each else np.zeros(0) for c in ("pinball", "naive_pinball")
    )
    return float(1 - nan_mean(loss[None])[0] / nan_mean(naive[None])[0]) if len(loss) else float("nan")


def _calendar(ctx: Context, tenant: str, first: date) -> Calendar:
    rows = ctx.lake.read(CALENDAR_FEATURES).where(in_set("tenant", [tenant]))
    begin, end = first - timedelta(days=BACK_DAYS), ctx.night + timedelta(days=HORIZON_DAYS)
    return Calendar.from_features(
        to_pandas(rows.where(f"date >= DATE'{begin}' AND date <= DATE'{end}'").select(*CALENDAR_COLUMNS))
    )
