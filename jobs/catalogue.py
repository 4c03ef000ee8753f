"""The jobs, in the order of a night. A job is imported only when it runs: Spark and TensorFlow take seconds."""

from __future__ import annotations

from collections.abc import Callable

from jobs.context import Context
from jobs.runner import Job

Run = Callable[[Context], None]


def _ingest() -> Run:
    from jobs.ingest import run

    return run


def _silver() -> Run:
    from jobs.silver import run

    return run


def _features() -> Run:
    from jobs.features import run

    return run


def _train_demand() -> Run:
    from jobs.train_demand import run

    return run


def _forecast_demand() -> Run:
    from jobs.forecast_demand import run

    return run


def _demand_series() -> Run:
    from jobs.demand_series import run

    return run


def _follow_demand() -> Run:
    from jobs.follow_demand import run

    return run


def _explain_demand() -> Run:
    from jobs.explain_demand import run

    return run


def _housekeeping() -> Run:
    from jobs.housekeeping import run

    return run


INGEST = Job("ingest", "Take new objects from the landing bucket into bronze and quarantine.", _ingest, by_tenant=False)
SILVER = Job("silver", "Bring new bronze rows into silver: every known version of each key.", _silver)
FEATURES = Job("features", "Compute what was known at the cut-off.", _features, after=("silver",))
TRAIN_DEMAND = Job(
    "train-demand",
    "Train and judge the demand models; promote one that beats the champion.",
    _train_demand,
    after=("silver", "features"),
)
FOLLOW_DEMAND = Job(
    "follow-demand",
    "Score what became of the forecasts, watch for drift, settle champion and challenger.",
    _follow_demand,
    after=("silver", "features"),
)
FORECAST_DEMAND = Job(
    "forecast-demand",
    "Forecast the days or weeks ahead of every series.",
    _forecast_demand,
    after=("silver", "features"),
)
DEMAND_SERIES = Job(
    "demand-series",
    "Write each series' name, group, price, last two years and events beside its forecast.",
    _demand_series,
    after=("silver", "features", "forecast-demand"),
)
EXPLAIN_DEMAND = Job(
    "explain-demand",
    "Explain each series' forecast: drivers, nearest past cases, what changed.",
    _explain_demand,
    after=("silver", "features", "forecast-demand"),
)
HOUSEKEEPING = Job(
    "housekeeping", "Compact, vacuum and apply the retention of every table.", _housekeeping, by_tenant=False
)

NIGHT = (SILVER, FEATURES, FORECAST_DEMAND, DEMAND_SERIES, EXPLAIN_DEMAND, FOLLOW_DEMAND)
JOBS = {job.name: job for job in (INGEST, *NIGHT, TRAIN_DEMAND, HOUSEKEEPING)}
