"""MLflow on its database: what a training leaves there, and who is champion whatever fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from expectations.tables import DEMAND_FEATURES, DEMAND_FORECAST
from models import registry as registry_module
from models.demand import plots
from models.demand.forecast import COLUMNS
from models.demand.manifest import TrainingManifest
from models.demand.origins import COLUMNS as TAKEN
from models.demand.origins import HIERARCHY
from models.registry import ModelRef, Registry, RegistryError, signature

MANIFEST = {"night": "2025-07-24", "frame_hash": "f00d", "code_version": "abc", "tenant": "acme"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    home = tmp_path_factory.mktemp("mlflow")
    return Registry(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}", home / "models")


@pytest.fixture(scope="module")
def log(registry: Registry, small_training: Any) -> Callable[..., ModelRef]:
    def of(tenant: str, **more: Any) -> ModelRef:
        given = {
            "params": small_training.model.parameters.to_dict(),
            "scores": small_training.scores,
            "seconds": {"lightgbm": 1.5},
            "manifest": MANIFEST,
            "figures": {"forecast_sample": plots.sample(small_training.judged, small_training.quantiles)},
            **more,
        }
        return registry.log(tenant, small_training.model, **given)

    return of


@pytest.fixture(scope="module")
def logged(log: Callable[..., ModelRef]) -> ModelRef:
    taken = [DEMAND_FEATURES.by_name[c].field for c in dict.fromkeys((*TAKEN, *HIERARCHY))]
    given = [DEMAND_FORECAST.by_name[c].field for c in COLUMNS if c != "cut_off"]
    return log("acme", signature=signature(taken, given))


def test_a_tenant_without_a_model_has_no_champion(registry: Registry) -> None:
    assert registry.champion("nobody") is None


def test_a_logged_model_is_no_champion_until_it_is_promoted(registry: Registry, logged: ModelRef) -> None:
    assert logged.name == "demand-acme"
    assert registry.champion("acme") is None
    registry.promote(logged)
    assert registry.champion("acme") == logged


def test_a_tenants_champion_is_its_own(registry: Registry, log: Callable[..., ModelRef], logged: ModelRef) -> None:
    registry.promote(logged)
    other = log("other")
    registry.promote(other)
    assert registry.champion("acme") == logged
    assert registry.champion("other") == other


def test_a_loaded_model_says_what_the_trained_one_says(
    registry: Registry, logged: ModelRef, small_training: Any, small_data: Any
) -> None:
    some = small_data.origins.take(np.arange(6))
    said = [m.quantiles(some, small_data.calendar) for m in (small_training.model, registry.load(logged))]
    assert np.array_equal(*said)


def test_a_model_is_taken_from_the_server_once(registry: Registry, logged: ModelRef) -> None:
    registry.load(logged)
    kept = Registry("sqlite:////nowhere/mlflow.db", registry.cache)
    assert kept.load(logged).last_day == registry.load(logged).last_day


def test_the_run_holds_parameters_metrics_by_fold_plots_and_manifest(
    registry: Registry, logged: ModelRef, small_training: Any
) -> None:
    client = registry._client()
    run = client.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["trees.rounds"] == "40"
    assert run.data.tags["frame_hash"] == "f00d"
    history = client.get_metric_history(logged.run_id, "rmsse.lightgbm")
    assert [m.step for m in history] == [0, 1, 2]
    assert [m.value for m in history] == [f["lightgbm"]["rmsse"] for f in small_training.scores.values()]
    assert [f.path for f in client.list_artifacts(logged.run_id, "plots")] == ["plots/forecast_sample.png"]
    assert registry.manifest(logged) == MANIFEST


def test_mlflow_loads_it_too(registry: Registry, logged: ModelRef, weekly_world: Any) -> None:
    registry._client()
    import mlflow

    model = mlflow.pyfunc.load_model(f"models:/{logged.name}/{logged.version}")
    features = weekly_world.features([199])[list(dict.fromkeys((*TAKEN, *HIERARCHY)))]
    typed = features.assign(date=pd.to_datetime(features["date"]), cut_off=features["cut_off"].dt.tz_localize(None))
    said = model.predict(typed)
    assert len(said) == 28 * len(weekly_world.products)
    assert set(said["method"]) == {"champion"}


def test_a_training_that_fails_midway_leaves_the_old_champion(
    registry: Registry, log: Callable[..., ModelRef], logged: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(logged)

    def broken(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(registry_module.DemandModel, "save", broken)
    with pytest.raises(RegistryError, match="did not take the model: disk full"):
        log("acme")
    assert registry.champion("acme") == logged
    failed = registry._client().search_runs(["1"], "attributes.status = 'FAILED'")
    assert len(failed) == 1


def test_a_version_that_is_not_there_is_told(registry: Registry, logged: ModelRef) -> None:
    with pytest.raises(RegistryError, match="no version 99 of demand-acme"):
        registry.version("demand-acme", "99")


def test_a_server_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match="does not answer"):
        Registry("http://127.0.0.1:9", tmp_path).check()


def test_the_manifest_says_what_it_was_made_from(small_training: Any) -> None:
    manifest = TrainingManifest.of("acme", small_training, {"silver/sales": 4}, "abc123")
    assert manifest.night == "2025-07-24"
    assert manifest.table_versions == {"silver/sales": 4}
    assert manifest.given == small_training.model.parameters
    assert len(manifest.frame_hash) == 64
    assert manifest.packages["lightgbm"]


def test_a_forecast_needs_no_tensorflow_prophet_or_mlflow() -> None:
    program = (
        "import sys, models.demand.forecast, models.demand.model, models.registry\n"
        "heavy = {'tensorflow', 'keras', 'prophet', 'mlflow', 'pyspark', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


def test_a_versions_card_lies_beside_its_run_and_is_its_description(registry: Registry, logged: ModelRef) -> None:
    import mlflow

    registry.describe(logged, "# a card")
    assert mlflow.artifacts.load_text(f"runs:/{logged.run_id}/model_card.md") == "# a card"
    assert mlflow.MlflowClient().get_model_version(logged.name, logged.version).description == "# a card"


def test_a_card_too_long_for_a_description_is_shown_in_part(registry: Registry, logged: ModelRef) -> None:
    import mlflow

    card = "\n\n".join(["# a card", *(f"paragraph {n:04d}" for n in range(1000))])
    registry.describe(logged, card)
    shown = mlflow.MlflowClient().get_model_version(logged.name, logged.version).description
    assert len(shown) <= 5000
    first, rest = shown.rsplit("\n\n", 1)
    assert card.startswith(first + "\n\n")
    assert rest == "The whole card is model_card.md of the run."
    assert mlflow.artifacts.load_text(f"runs:/{logged.run_id}/model_card.md") == card
