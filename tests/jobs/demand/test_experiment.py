"""Experiments: the stages of dvc.yaml on pinned tables, one by one and as `dvc repro` runs them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from expectations.contract import Zone
from expectations.tables import FACTORS, SALES
from jobs import cli, experiment
from jobs.demand_data import Pinned
from jobs.demand_known import READ, training_frames
from jobs.errors import JobError
from models.demand.parameters import Parameters, PathParameters, parameters
from models.demand.promotion import Decision
from models.registry import IDEAS

ROOT = Path(__file__).resolve().parents[3]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
SMALL = {
    "members": ["seasonal_naive", "lightgbm"],
    "threads": 1,
    "max_rows": 5000,
    "folds": 2,
    "trees": {"rounds": 20, "tail_rounds": 10, "leaves": 7},
}


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")


def _ask(**given: Any) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"demand": SMALL, **given}))


def _digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())}


def _pins() -> dict[str, Any]:
    return json.loads(experiment.SNAPSHOT.read_text())


@pytest.fixture
def at(trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Works in an empty folder on a lake, that of `trained` unless another is given."""

    def of(lake: Any = trained) -> Any:
        def context(_: Any, pins: Any) -> Any:
            return lake.context(pins.tenant, night=date.fromisoformat(pins.night))

        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("URETIMIQ_HOME", str(lake.settings.home))
        monkeypatch.setattr(experiment, "_context", context)
        return lake

    return of


def test_params_yaml_holds_every_parameter_with_its_default() -> None:
    assert PARAMS["demand"] == Parameters().to_dict()


def test_params_weeks_yaml_holds_the_same_of_weeks() -> None:
    of_weeks = yaml.safe_load((ROOT / "params-weeks.yaml").read_text())
    assert of_weeks["demand"] == parameters({"period": "week"}).to_dict()
    assert list(of_weeks) == list(PARAMS)


def test_dvc_yaml_names_only_params_that_exist() -> None:
    there = set(_flat(PARAMS))
    named = {name for stage in PIPELINE.values() for name in stage.get("params", [])}
    assert len(named) > 10
    assert sorted(named - there) == []


def test_every_stage_of_dvc_yaml_is_a_stage_of_the_command_line() -> None:
    choices = cli.experiment.params[0].type.choices
    assert list(PIPELINE) == list(experiment.STAGES) == list(choices)
    assert [s["cmd"].split()[-1] for s in PIPELINE.values()] == list(PIPELINE)


class _Noting:
    """Parameters that note which of them are looked at."""

    def __init__(self, given: Any, names: set[str], prefix: str = "demand.") -> None:
        self._given, self._names, self._prefix = given, names, prefix

    def __getattr__(self, name: str) -> Any:
        if isinstance(getattr(type(self._given), name, None), property):
            return getattr(type(self._given), name).fget(self)
        value = getattr(self._given, name)
        if dataclasses.is_dataclass(value):
            return _Noting(value, self._names, f"{self._prefix}{name}.")
        self._names.add(self._prefix + name)
        return value


def test_features_run_again_for_every_parameter_that_they_depend_on(trained: Any) -> None:
    ctx, looked_at = trained.context("acme"), set[str]()
    pinned = Pinned(ctx.lake, json.loads(ctx.lake.versions(READ)))
    training_frames(pinned, "acme", ctx.night, _Noting(Parameters(paths=PathParameters()), looked_at))
    assert looked_at == set(PIPELINE["features"]["params"])


def test_so_do_those_of_weeks(make_lake: Callable[[], Any]) -> None:
    lake, looked_at = make_lake(), set[str]()
    lake.land_weeks("mill", lake.weeks())
    ctx = lake.context("mill", night=date(2024, 11, 17))
    pinned = Pinned(ctx.lake, json.loads(ctx.lake.versions(READ)))
    training_frames(pinned, "mill", ctx.night, _Noting(parameters({"period": "week"}), looked_at))
    assert "demand.fold_days" in looked_at
    assert looked_at <= set(PIPELINE["features"]["params"])


def test_a_snapshot_pins_the_newest_versions_the_newest_night_and_the_champion(at: Callable[..., Any]) -> None:
    lake = at()
    _ask(tenant="acme")
    experiment.snapshot()
    pins = _pins()
    assert pins["versions"] == json.loads(lake.context().lake.versions(READ))
    assert (pins["tenant"], pins["night"]) == ("acme", "2025-07-24")
    assert (pins["champion"]["name"], pins["champion"]["version"]) == ("demand-acme", "1")


def test_the_only_tenant_needs_no_name_and_what_landed_later_changes_no_byte(
    at: Callable[..., Any], make_lake: Callable[[], Any]
) -> None:
    lake = at(make_lake())
    lake.land("solo", lake.weekly(products=2, days=120))
    _ask()
    experiment.snapshot()
    experiment.features()
    before, pins = _digests(experiment.FEATURES), _pins()
    lake.correct("solo", lake.weekly(products=3, days=120, seed=5).sales().tail(9))

    experiment.features()
    assert _digests(experiment.FEATURES) == before
    _ask(versions=pins["versions"], night=pins["night"])
    experiment.snapshot()
    assert _pins() == pins, "pinned by hand it is the same snapshot"
    _ask()
    experiment.snapshot()
    experiment.features()
    assert _digests(experiment.FEATURES) != before, "the newest versions know more"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "params.yaml: tenant: name one; .*/lake has acme, young"),
        ({"tenant": "acne"}, "params.yaml: tenant: no demand features of 'acne'; .*/lake has acme, young"),
        ({"tenant": "acme", "night": "24.07.2025"}, "params.yaml: night: '24.07.2025' is no date"),
        ({"tenant": "acme", "versions": {"gold/sales": 1}}, "versions: no table 'gold/sales' among silver/sales, "),
        ({"tenant": "acme", "versions": {"silver/sales": "x"}}, "silver/sales: 'x' is no Delta version"),
        (
            {"tenant": "acme", "versions": {"silver/sales": 77}},
            r"silver/sales: version 77 is not there \(the newest is \d+\); take a new snapshot: `dvc repro",
        ),
    ],
)
def test_a_snapshot_that_cannot_be_is_told_with_its_place(
    at: Callable[..., Any], given: dict[str, Any], says: str
) -> None:
    at()
    _ask(**given)
    with pytest.raises(JobError, match=says) as told:
        experiment.snapshot()
    assert "\n" not in str(told.value)


def test_a_home_without_features_is_told(
    at: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at()
    monkeypatch.setenv("URETIMIQ_HOME", str(tmp_path / "elsewhere"))
    _ask()
    with pytest.raises(JobError, match=r"no demand features in .*elsewhere/lake: set URETIMIQ_HOME"):
        experiment.snapshot()


def test_a_folder_without_params_is_told(at: Callable[..., Any]) -> None:
    at()
    with pytest.raises(JobError, match=r"no params.yaml in .*: experiments run in the checkout"):
        experiment.snapshot()


def test_an_unknown_parameter_is_told(at: Callable[..., Any]) -> None:
    at()
    _ask(tenant="acme")
    experiment.snapshot()
    _ask(demand={"trees": {"leafs": 3}})
    with pytest.raises(JobError, match=r"params.yaml: demand: trees.leafs: no such parameter"):
        experiment.features()


def test_a_version_whose_files_were_vacuumed_is_told_with_the_remedy(
    at: Callable[..., Any], make_lake: Callable[[], Any]
) -> None:
    lake = at(make_lake())
    lake.land("solo", lake.weekly(products=2, days=120))
    _ask()
    experiment.snapshot()
    place = Path(lake.settings.place(SALES, Zone.SILVER))
    next(place.rglob("tenant=solo/**/*.parquet")).unlink()
    with pytest.raises(JobError, match=r"has lost 1 of \d+ files to vacuum.*: `dvc repro --force snapshot`"):
        experiment.features()


def test_features_of_another_lake_are_refused(at: Callable[..., Any], make_lake: Callable[[], Any]) -> None:
    other = make_lake()
    other.land("acme", other.weekly(products=2, days=120))
    other.correct("acme", other.weekly(products=2, days=120).sales().tail(3))
    at(other)
    _ask()
    experiment.snapshot()
    third = make_lake()
    third.land("acme", third.weekly(products=2, days=120))
    third.correct("acme", third.weekly(products=2, days=120).sales().tail(3))
    at(third)
    with pytest.raises(JobError, match=r"is not the lake of experiment/snapshot.json: set URETIMIQ_HOME"):
        experiment.features()


def test_training_without_features_says_how_to_get_them(at: Callable[..., Any]) -> None:
    at()
    _ask(tenant="acme")
    experiment.snapshot()
    with pytest.raises(JobError, match="no experiment/features: run `dvc repro`"):
        experiment.learn()


def test_a_tenant_with_too_little_history_cannot_be_experimented_with(at: Callable[..., Any]) -> None:
    at()
    _ask(tenant="young")
    experiment.snapshot()
    experiment.features()
    with pytest.raises(JobError, match="tenant young: 60 days of sales are known, a first model needs 84"):
        experiment.learn()


def test_an_experiment_finds_what_the_nightly_training_found(at: Callable[..., Any]) -> None:
    """The tenant's champion was trained by the job with the home's parameters: the same ones give the same figures."""
    lake = at()
    _ask(tenant="acme", demand=yaml.safe_load((lake.settings.home / "demand.yaml").read_text()))
    for stage in experiment.STAGES.values():
        stage()
    metrics = json.loads(experiment.METRICS.read_text())
    assert metrics["last_fold"]["pinball"] < metrics["seasonal_naive"]["pinball"]
    trained_by_job = _evidence(lake)["last_fold"]["candidate"]
    assert metrics["last_fold"] == pytest.approx(
        {k: v for k, v in trained_by_job.items() if math.isfinite(v)}, rel=1e-9
    )
    assert metrics["champion"]["pinball"] > 0
    assert metrics["would_be"] == "challenger"


def _prices(tenant: str) -> pd.DataFrame:
    """A price of each week of four years, known a week later: rows of silver."""
    weeks = pd.date_range("2021-01-04", "2024-11-11", freq="7D")
    value = 60 + np.cumsum(np.random.default_rng(9).normal(size=len(weeks)))
    known = (weeks + pd.Timedelta(days=7)).tz_localize("UTC")
    rows = pd.DataFrame({"date": weeks.date, "year": weeks.year, "value": value, "available_at": known})
    named = {"tenant": tenant, "site": "*", "factor": "cotton_price", "unit": "TRY/kg"}
    return rows.assign(**named, superseded_at=pd.NaT, content_hash="f" * 64, row_index=range(len(rows)))


def test_an_experiment_with_weeks_finds_what_the_nightly_training_finds(
    at: Callable[..., Any], make_lake: Callable[[], Any]
) -> None:
    lake = at(make_lake())
    lake.land_weeks("mill", lake.weeks())
    lake.append(_prices("mill"), FACTORS, Zone.SILVER)
    demand = SMALL | {"period": "week"}
    (lake.settings.home / "demand.yaml").write_text(yaml.safe_dump(demand))
    _ask(demand=demand)
    experiment.snapshot()
    assert _pins()["night"] == "2024-11-17", "the Sunday of its last week"
    experiment.features()
    first = _digests(experiment.FEATURES)
    experiment.features()
    assert _digests(experiment.FEATURES) == first
    assert set(pd.read_parquet(experiment.FEATURES / "factors.parquet")["factor"]) == {"cotton_price"}
    experiment.learn()
    experiment.evaluate()
    metrics = json.loads(experiment.METRICS.read_text())
    assert metrics["last_fold"]["pinball"] < 0.8 * metrics["seasonal_naive"]["pinball"]

    ctx = lake.context("mill", night=date(2024, 11, 17))
    experiment.train_demand.run(ctx)
    trained_by_job = _evidence(lake, "mill")["last_fold"]["candidate"]
    assert metrics["last_fold"] == pytest.approx(
        {k: v for k, v in trained_by_job.items() if math.isfinite(v)}, rel=1e-9
    )


def _evidence(lake: Any, tenant: str = "acme") -> dict[str, Any]:
    from expectations.tables import PROMOTIONS
    from jobs.delta_reader import read_rows

    rows = read_rows(lake.settings, PROMOTIONS, Zone.OPERATIONS).to_pylist()
    return json.loads(next(r for r in rows if r["tenant"] == tenant and r["model_version"] == "1")["evidence"])


def test_an_experiment_is_a_run_in_mlflow_and_registers_nothing(
    at: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = at()
    _ask(tenant="acme")
    monkeypatch.setenv("DVC_EXP_NAME", "brave-idea")
    registry = experiment.train_demand.registry_of(lake.context())
    versions = len(registry._client().search_model_versions("name = 'demand-acme'"))
    monkeypatch.setattr(experiment.train_demand, "judge", lambda *_: _refused())
    for stage in experiment.STAGES.values():
        stage()
    client = registry._client()
    found = client.search_runs([client.get_experiment_by_name(IDEAS).experiment_id])
    run = next(r for r in found if r.data.tags.get("experiment") == "brave-idea")
    assert run.info.status == "FINISHED"
    assert run.data.params["trees.leaves"] == "7"
    assert run.data.metrics["pinball.ensemble"] > 0
    assert len(client.search_model_versions("name = 'demand-acme'")) == versions


def _refused() -> Decision:
    figures = {"candidate": {}, "seasonal_naive": {"pinball": 1.0}, "champion": None}
    return Decision(False, "Refused: a test.", {"last_fold": figures})


@pytest.mark.slow
def test_dvc_repro_builds_all_once_and_a_changed_parameter_only_what_depends_on_it(
    trained: Any, tmp_path: Path
) -> None:
    dvc = Path(sys.executable).with_name("dvc")
    if not dvc.exists():
        pytest.skip("dvc is not installed: make setup")
    clone, environ = _clone(tmp_path / "clone"), _environ(dvc, trained.settings.home, tmp_path)

    def said(*command: str) -> str:
        done = subprocess.run([str(dvc), *command], cwd=clone, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    first = said("repro")
    assert [line.split("'")[1] for line in first.splitlines() if line.startswith("Running stage")] == list(PIPELINE)
    assert "Data and pipelines are up to date." in said("repro")

    changed = said("exp", "run", "--name", "more-leaves", "--set-param", "demand.trees.leaves=9")
    assert [line.split("'")[1] for line in changed.splitlines() if line.startswith("Running stage")] == [
        "train",
        "evaluate",
    ]
    shown = json.loads(said("exp", "show", "--json", "--no-pager"))
    assert "more-leaves" in json.dumps(shown)
    assert "index.html" in said("plots", "diff", "--out", "plots", "more-leaves")


def _clone(folder: Path) -> Path:
    """This checkout as git would clone it, uncommitted files too, with small parameters and one of the two tenants."""
    listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    files = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(ROOT / ".jars", folder / ".jars")
    (folder / "params.yaml").write_text(
        yaml.safe_dump(PARAMS | {"tenant": "acme", "demand": _merged(PARAMS["demand"], SMALL)})
    )
    git = ["git", "-c", "user.name=a test", "-c", "user.email=test@example.invalid", "-C", str(folder)]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "as it is"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    return folder


def _merged(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return defaults | {k: defaults[k] | v if isinstance(v, dict) else v for k, v in given.items()}


def _environ(dvc: Path, home: Path, scratch: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("URETIMIQ_", "DVC_")) and k != "PYTHONPATH"}
    author = {
        f"GIT_{who}_{what}": "test@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return (
        kept
        | author
        | {
            "PATH": f"{dvc.parent}{os.pathsep}{os.environ['PATH']}",
            "URETIMIQ_HOME": str(home),
            "URETIMIQ_SPARK_MEMORY": "2g",
            "DVC_GLOBAL_CONFIG_DIR": str(scratch / "global"),
            "DVC_SITE_CACHE_DIR": str(scratch / "site"),
        }
    )
