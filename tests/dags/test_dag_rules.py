"""House rules of the DAGs. Each message says what to do."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

DAGS = Path(__file__).resolve().parents[2] / "dags"
DAG_FILES = sorted(p for p in DAGS.glob("*.py") if p.name not in ("__init__.py", "steps.py"))
MAY_IMPORT = {"airflow", "dags", "datetime", "expectations"}


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        if "AIRFLOW_HOME" not in os.environ:  # otherwise Airflow writes its settings into the home of whoever tests
            patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        from airflow.dag_processing.dagbag import DagBag

        yield DagBag(str(DAGS))


def tasks(bag: Any) -> list[Any]:
    found = [t for d in bag.dags.values() for t in d.tasks]
    assert found, f"no DAG was found in {DAGS}: every other rule would pass on nothing"
    return found


def breaking(bag: Any, good: Any) -> list[str]:
    return [f"{t.dag_id}.{t.task_id}" for t in tasks(bag) if not good(t)]


def test_the_dags_are_those_of_the_folder(bag):
    assert sorted(bag.dags) == [p.stem for p in DAG_FILES] != [], "name the DAG as its file, one DAG a file"


def test_every_file_can_be_imported(bag):
    assert bag.import_errors == {}, "mend the import; try it with `python dags/FILE.py`"


def test_every_dag_explains_itself(bag):
    lacking = [d for d in bag.dags if not (bag.dags[d].doc_md or "").strip().startswith("###")]
    assert lacking == [], f"{lacking}: begin the file with a docstring (### heading) and pass doc_md=__doc__"


def test_every_dag_has_a_schedule_and_never_catches_up(bag):
    lacking = [
        i for i, d in bag.dags.items() if not d.timetable.can_be_scheduled or d.catchup or d.max_active_runs != 1
    ]
    assert lacking == [], f"{lacking}: give a schedule, and **COMMON for catchup and max_active_runs"


def test_no_dag_runs_at_once_when_a_machine_is_set_up(bag):
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    for name, dag in bag.dags.items():
        known = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        restriction = TimeRestriction(earliest=known.start_date, latest=None, catchup=False)
        first = known.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
        assert first.run_after > datetime.now(UTC), (
            f"{name}: leave start_date out, it makes up for the last time missed"
        )


def test_every_task_has_an_owner(bag):
    lacking = breaking(bag, lambda t: t.owner not in ("", "airflow"))
    assert lacking == [], f"{lacking}: name a team as owner in COMMON's default_args"


def test_every_task_has_a_time_limit(bag):
    lacking = breaking(
        bag,
        lambda t: t.execution_timeout and timedelta() < t.execution_timeout <= timedelta(hours=12),
    )
    assert lacking == [], f"{lacking}: give limit=timedelta(...) of at most 12 hours"


def test_every_step_is_tried_again_ever_later_and_the_verdict_never(bag):
    lacking = breaking(
        bag,
        lambda t: t.retries == 0 if t.task_id == "verdict" else t.retries >= 2 and t.retry_exponential_backoff >= 2,
    )
    assert lacking == [], f"{lacking}: use step(...) with COMMON's default_args; a verdict has retries=0"


def test_every_task_that_writes_waits_for_the_writer_pool(bag):
    lacking = breaking(bag, lambda t: (t.pool == "lake_writer") == (t.task_id != "verdict"))
    assert lacking == [], f"{lacking}: use step(...), whose pool is lake_writer: two writers of one table lose data"


def test_a_step_of_a_run_with_a_verdict_defers_its_tenants_failures(bag):
    judged = [t for t in tasks(bag) if "verdict" in t.dag.task_ids and t.task_id != "verdict"]
    lacking = [f"{t.dag_id}.{t.task_id}" for t in judged if "--defer-failures" not in t.bash_command]
    assert judged
    assert lacking == [], f"{lacking}: add --defer-failures, or one tenant's failure stops every tenant's next step"


def test_the_verdict_asks_for_every_job_of_its_run(bag):
    for last in (t for t in tasks(bag) if t.task_id == "verdict"):
        asked = set(last.bash_command.split("--date")[0].split(" --job ")[1:])
        ran = {t.task_id.replace("_", "-") for t in last.dag.tasks if t is not last}
        assert {a.strip() for a in asked} == ran, f"{last.dag_id}: name every step's job in verdict(...)"


def test_a_step_that_breaks_down_fails_its_run(bag):
    lacking = breaking(bag, lambda t: t.trigger_rule == "all_success")
    assert lacking == [], f"{lacking}: a last task that runs regardless turns a broken run green"


def test_every_command_is_one_of_the_jobs(bag):
    from jobs.cli import cli

    known = set(cli.commands["run"].commands)
    lacking = breaking(bag, lambda t: t.bash_command.split("uretimiq run ")[1].split()[0] in known)
    assert lacking == [], f"{lacking}: name a command of `uretimiq run --help`"


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda p: p.name)
def test_a_dag_file_is_short_and_imports_no_job(file):
    text = file.read_text()
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    too_much = {i for i in imported if i.split(".")[0] not in MAY_IMPORT}
    assert not too_much, f"{too_much}: a DAG names jobs and holds no logic; put the logic into jobs/"
    assert len(text.splitlines()) < 60, "split the DAG, or move what it does into a job"


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda p: p.name)
def test_a_dag_file_holds_no_condition_and_no_loop(file):
    logic = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.If | ast.For | ast.While | ast.Try)]
    assert not logic, f"{file.name}, line {logic[0].lineno}: decisions belong into jobs/"


@pytest.mark.parametrize(
    ("due", "date", "night"),
    [
        # due (UTC)                 trigger form   the night
        ("2026-03-02T03:20:00", None, "2026-03-01"),
        ("2026-03-01T22:30:00", None, "2026-03-01"),  # 01:30 of the 2nd in Istanbul
        ("2026-03-01T20:30:00", None, "2026-02-28"),  # 23:30 of the 1st
        ("2026-03-02T03:20:00", "2016-04-24", "2016-04-24"),
    ],
)
def test_the_night_is_the_day_before_the_run_was_due_unless_asked_otherwise(bag, due, date, night):
    assert rendered(bag, due=due, date=date)["NIGHT"] == night


@pytest.mark.parametrize(
    ("asked", "given"),
    [([], ""), (None, ""), (["acme", "izmir-plant"], "acme,izmir-plant")],
)
def test_the_tenants_of_the_trigger_form_reach_the_command(bag, asked, given):
    assert rendered(bag, tenants=asked)["ONLY"] == given


def rendered(
    bag: Any,
    *,
    due: str = "2026-03-02T03:20:00",
    date: str | None = None,
    tenants: Any = (),
) -> Any:
    """The environment that the first step of the night gets."""
    from airflow.sdk.execution_time.macros import ds_add

    step = bag.dags["nightly_demand"].get_task("silver")
    context = {
        **step.dag.user_defined_macros,
        "dag_run": SimpleNamespace(run_after=datetime.fromisoformat(due).replace(tzinfo=UTC)),
        "params": SimpleNamespace(date=date, tenants=tenants),
        "macros": SimpleNamespace(ds_add=ds_add),
    }
    return step.render_template(step.env, context)
