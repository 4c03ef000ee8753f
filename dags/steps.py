"""What the DAGs share: one step is one `uretimiq` command; the night and the tenants come from the trigger form."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset, CronTriggerTimetable, Param

CHECKOUT = Path(__file__).resolve().parents[1]
URETIMIQ = Path(sys.executable).with_name("uretimiq")
WRITER_POOL = "lake_writer"  # one slot: no two tasks ever write the lake at once
TIME_ZONE = ZoneInfo("Europe/Istanbul")

# What a step has renewed. A later DAG, say of plans, starts with `schedule=[FORECAST]`.
BRONZE = Asset("bronze", uri="x-uretimiq://lake/bronze")
SILVER = Asset("silver", uri="x-uretimiq://lake/silver")
FEATURES = Asset("demand_features", uri="x-uretimiq://lake/features")
MODELS = Asset("demand_models", uri="x-uretimiq://mlflow/demand")
FORECAST = Asset("demand_forecast", uri="x-uretimiq://lake/gold/demand_forecast")

# A run's own night: the day before the run was due, also when it starts late or is tried again tomorrow.
NIGHT = "{{ params.date or macros.ds_add(dag_run.run_after.astimezone(time_zone) | ds, -1) }}"
TENANTS = "{{ (params.tenants or []) | join(',') }}"
PARAMS = {
    "date": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Night",
        description="Last day whose data is used. Empty: the day before this run was due.",
    ),
    "tenants": Param(
        [],
        type=["null", "array"],
        items={"type": "string", "pattern": "^[^,]+$"},
        title="Tenants",
        description="Only these, one a line. Empty: all.",
    ),
}
# No start_date: with one, Airflow makes up for the last time missed, and a machine set up today would train at once.
COMMON: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "params": PARAMS,
    "user_defined_macros": {"time_zone": TIME_ZONE},
    "default_args": {
        "owner": "data engineering",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,  # 1, 2 and 4 minutes
        "max_retry_delay": timedelta(minutes=30),
    },
}


def at(cron: str) -> CronTriggerTimetable:
    """The schedule `cron`, by the clock of TIME_ZONE. Airflow's default makes up for a time that is just past."""
    return CronTriggerTimetable(cron, timezone=str(TIME_ZONE), run_immediately=timedelta(0))


def step(name: str, command: str, *, limit: timedelta, **more: Any) -> BashOperator:
    """The task `name` that runs `uretimiq COMMAND` for the run's night and tenants, for at most `limit`.

    Every step writes the lake and therefore waits for the one slot of WRITER_POOL; `more` goes to the operator.
    """
    return BashOperator(
        task_id=name,
        # As variables and not in the text: what somebody types into the trigger form is no shell code.
        env={"NIGHT": NIGHT, "ONLY": TENANTS},
        append_env=True,
        bash_command=f'[ -z "$ONLY" ] || export URETIMIQ_TENANTS="$ONLY"; exec {URETIMIQ} {command} --date "$NIGHT"',
        cwd=str(CHECKOUT),
        execution_timeout=limit,
        skip_on_exit_code=None,
        do_xcom_push=False,
        **{"pool": WRITER_POOL, **more},
    )


def for_tenants(job: str, *, hours: int, **more: Any) -> BashOperator:
    """The task that runs `job` for all tenants: one tenant's failure stops that tenant alone, until `verdict` tells it."""
    return step(job.replace("-", "_"), f"run {job} --defer-failures", limit=timedelta(hours=hours), **more)


def verdict(*jobs: str) -> BashOperator:
    """The last task: fails, and names tenant and reason in its log, if any tenant failed in one of `jobs`.

    It runs when all steps have run to their end. A step that broke down fails the run by itself; a verdict that ran
    regardless would, as the last task, turn that run green. Trying it again would tell the same.
    """
    only = " ".join(f"--job {job}" for job in jobs)
    return step(
        "verdict",
        f"run verdict {only}",
        limit=timedelta(minutes=5),
        pool="default_pool",
        retries=0,
    )
