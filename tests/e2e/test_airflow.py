"""A night in the real Airflow, with its scheduler: one tenant's failure is its own, and is shown when all are done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import psutil
import pytest

from deploy import showing
from deploy.airflow_client import Airflow, Task
from deploy.local import airflow_server, api_server
from deploy.local.home import Home

GOOD, STALE = "e2e-good", "e2e-stale"
NIGHT = date(2026, 3, 1)
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 900.0

pytestmark = pytest.mark.slow


def local(command: str, environ: dict[str, str], *more: str) -> None:
    """`python -m deploy.local COMMAND`, as make runs it."""
    line = [sys.executable, "-m", "deploy.local", command, *more]
    done = subprocess.run(line, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]


def left_over(home: Path) -> list[str]:
    """Processes that were started for `home`, whoever their parent is."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("URETIMIQ_HOME") == str(home):
                found.append(" ".join(process.cmdline())[:120])
        except psutil.Error:
            continue
    return found


@dataclass(frozen=True)
class Finished:
    """A run of the night that has ended, in servers that are still up."""

    airflow: Airflow
    api: str
    key: str
    run: str
    state: str

    @property
    def tasks(self) -> dict[str, Task]:
        return {t.name: t for t in self.airflow.tasks("nightly_demand", self.run)}


@pytest.fixture(scope="module")
def home(second_home) -> Iterator[Home]:
    """A home of its own with all servers up; they are taken down even where a test has failed."""
    environ = environ_of(second_home)
    try:
        local("up", environ)
        yield second_home
    finally:
        local("down", environ)


def environ_of(home: Home) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("URETIMIQ_")}
    more = {"URETIMIQ_HOME": str(home.path), "URETIMIQ_PORT": str(home.port), "URETIMIQ_SPARK_MEMORY": "2g"}
    return kept | more


@pytest.fixture(scope="module")
def finished(home, programs_in, tmp_path_factory) -> Finished:
    """Two tenants landed, one whose newest sale is a month old; DAG ingest, then the night of both."""
    airflow = Airflow(home.url("airflow"), airflow_server.USER, airflow_server.password(home))
    airflow.wait_for_dags(("ingest", "nightly_demand"))
    airflow.set_paused("ingest", paused=True)  # no scheduled run between the files
    programs = programs_in(home.path, URETIMIQ_PORT=str(home.port))
    for tenant, last in ((GOOD, NIGHT), (STALE, NIGHT - timedelta(days=30))):
        local("key", environ_of(home), tenant)
        programs.land(tmp_path_factory.mktemp("erp") / tenant, tenant, last)
    for dag in ("ingest", "nightly_demand"):  # the home is shared with tests that have new DAGs wait
        airflow.set_paused(dag, paused=False)
    taken = airflow.trigger("ingest", {})
    assert airflow.follow("ingest", taken, PATIENCE, print) == "success"
    run = airflow.trigger("nightly_demand", {"date": str(NIGHT), "tenants": [GOOD, STALE]})
    state = airflow.follow("nightly_demand", run, PATIENCE, print)
    return Finished(airflow, home.url("api"), api_server.key(home), run, state)


def test_the_run_fails_in_its_verdict_after_every_step_was_done(finished):
    assert {name: task.state for name, task in finished.tasks.items()} == {
        "silver": "success",
        "features": "success",
        "forecast_demand": "success",
        "demand_series": "success",
        "explain_demand": "success",
        "follow_demand": "success",
        "verdict": "failed",
    }
    assert finished.state == "failed"


def test_the_verdict_names_the_tenant_and_the_reason(finished):
    log = finished.airflow.log("nightly_demand", finished.run, finished.tasks["verdict"])
    told = [line for line in log.splitlines() if "failed:" in line]
    assert [f"tenant {STALE} failed: silver blocked" in line for line in told] == [True], log


def test_the_verdict_is_not_tried_again(finished):
    assert finished.tasks["verdict"].tries == 1


def test_the_other_tenant_s_forecast_is_published(finished):
    page = showing.get(f"{finished.api}/v1/tenants/{GOOD}/forecasts?limit=1000", finished.key)
    assert (page["night"], page["total"]) == (str(NIGHT), 3 * 28)


def test_the_failed_tenant_has_no_forecast_of_this_night(finished):
    with pytest.raises(showing.ApiError, match="404"):
        showing.get(f"{finished.api}/v1/tenants/{STALE}/forecasts", finished.key)


def test_taken_down_no_process_is_left(finished, home):
    assert left_over(home.path), "the servers must be up, or this test says nothing"
    local("down", environ_of(home))
    assert left_over(home.path) == []
