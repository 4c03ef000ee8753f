"""From landed files to a judged forecast in one Spark session: what a month, and a first look at new data, asks for.

A tenant's night is the date that is given; else yesterday, or the last day of its data where that is a history: older
than the door for stale sales lets pass.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from expectations.contract import Zone
from expectations.settings import Settings
from expectations.tables import PROMOTIONS, SALES
from jobs.catalogue import FEATURES, FORECAST_DEMAND, INGEST, SILVER, TRAIN_DEMAND
from jobs.context import Context
from jobs.delta_reader import read_rows
from jobs.demand_data import to_pandas
from jobs.demand_settings import demand_parameters
from jobs.errors import JobError, TenantsFailed
from jobs.lake import in_set
from jobs.runner import known_tenants, last_runs, run, run_all
from models.demand.arrays import Ints, days, to_date
from models.demand.asknown import whole
from models.demand.periods import Period

STEPS = (SILVER, FEATURES, TRAIN_DEMAND, FORECAST_DEMAND)
SHOWN = ("rmsse", "mase", "wape", "mape", "bias", "coverage")
TOLD = 10  # tenants that are named
SHARES = ("wape", "mape", "bias", "coverage")  # told in per cent


@dataclass(frozen=True)
class Judged:
    """What came out for one tenant. `scores` are the last fold's, by model; `rows` those of its forecast."""

    tenant: str
    night: date
    reason: str
    fold: str | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rows: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in self.__dataclass_fields__}, "night": str(self.night)}

    def lines(self, settings: Settings) -> list[str]:
        """For people: the table of the last fold, the decision, and where the forecast is."""
        lines = [f"{self.tenant}, night {self.night}"]
        if self.scores:
            lines += [f"  from {self.fold} on, each model against what happened:", *_table(self.scores)]
        lines.append(f"  {self.reason}")
        if self.rows:
            lines += [
                f"  forecast: {self.rows} rows; `uretimiq table demand_forecast --tenant {self.tenant}`, or of the API",
                f"  http://127.0.0.1:{settings.port}/v1/tenants/{self.tenant}/forecasts?night={self.night}",
            ]
        return lines


def run_monthly(ctx: Context) -> tuple[list[Judged], dict[str, str]]:
    """Ingest, silver, features, training and forecast. Returns what came out, and why tenants failed."""
    with ctx.spark_ahead():
        run(ctx, INGEST)
    tenants = list(dict.fromkeys(ctx.asked)) or known_tenants(ctx)
    by_night: dict[date, list[str]] = defaultdict(list)
    for tenant, night in (dict.fromkeys(tenants, ctx.date) if ctx.date else nights(ctx, tenants)).items():
        by_night[night].append(tenant)
    judged: list[Judged] = []
    failures: dict[str, str] = {}
    for night, some in sorted(by_night.items()):
        ctx.date, ctx.asked = night, tuple(some)
        ctx.progress(f"night {night}: {', '.join(some[:TOLD])}{' ...' if len(some) > TOLD else ''}")
        try:
            run_all(ctx, list(STEPS))
        except TenantsFailed as failed:
            failures |= failed.reasons
        judged += _judged(ctx, [t for t in some if t not in failures])
    return judged, failures


def nights(ctx: Context, tenants: Sequence[str]) -> dict[str, date]:
    """Each tenant's night where no date is asked for."""
    yesterday = ctx.night
    rows = ctx.lake.read(SALES, Zone.BRONZE).where(in_set("tenant", tenants)).where(f"date <= DATE'{yesterday}'")
    told = to_pandas(rows.select("tenant", "site", "date").distinct())
    found = dict.fromkeys(tenants, yesterday)
    for tenant, its in told.groupby("tenant"):
        try:
            period = demand_parameters(ctx.settings, str(tenant)).counts
        except JobError:  # each step tells it, for this tenant alone
            continue
        last = max(last_told(np.sort(days(of_site["date"])), period) for _, of_site in its.groupby("site"))
        if (yesterday - last).days > (SALES.stale_after_days or 0):
            found[str(tenant)] = last
    return found


def last_told(told: Ints, period: Period) -> date:
    """The last day of which a site's rows of these days tell: of a whole week its Sunday, whatever day dates it."""
    newest = int(told[-1])
    number = whole(told, period)
    return period.end(number) if number == period.of(newest) else to_date(newest)


def _judged(ctx: Context, tenants: Sequence[str]) -> list[Judged]:
    columns = ["tenant", "model_version", "reason", "evidence"]
    of_run = [("run_id", "=", ctx.run_id)]
    decisions = read_rows(ctx.settings, PROMOTIONS, columns=columns, filters=of_run).to_pylist()
    by_tenant: dict[str, list[dict[str, Any]]] = defaultdict(list)
    # two where a tenant's settings ask for a challenger
    for row in sorted(decisions, key=lambda r: int(r["model_version"])):
        by_tenant[row["tenant"]].append(row)
    why = {r["tenant"]: r["reason"] for r in last_runs(ctx, ctx.night) if r["job"] == TRAIN_DEMAND.name}
    found = []
    for tenant, decided in ((t, d) for t in tenants for d in by_tenant.get(t, [None])):
        evidence = json.loads(decided["evidence"]) if decided else {}
        fold = evidence.get("last_fold_from")
        found.append(
            Judged(
                tenant,
                ctx.night,
                decided["reason"] if decided else str(why.get(tenant)),
                fold,
                evidence["folds"][fold] if fold else {},
                ctx.outcomes[tenant].rows if tenant in ctx.outcomes else 0,
            )
        )
    return found


def _table(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    width = max(len(model) for model in scores)
    head = " ".join(f"{metric:>9}" for metric in SHOWN)
    lines = [f"    {'':{width}} {head}"]
    for model, its in scores.items():
        lines.append(f"    {model:{width}} " + " ".join(f"{_figure(metric, its.get(metric)):>9}" for metric in SHOWN))
    return lines


def _figure(metric: str, value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.1%}" if metric in SHARES else f"{value:.3f}"
