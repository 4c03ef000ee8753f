"""MLflow: the only place that imports it. What a training was, its model, and which version serves.

Works on the database itself (`sqlite:///...`) and on a server. A version becomes champion by an alias, which is set
last and in one step: whatever fails before it leaves the old champion.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from models.demand.model import DemandModel
from models.demand.promotion import CHALLENGER, CHAMPION

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

EXPERIMENT = "demand"
FLOOR = "floor"  # alias of the version whose floor serves where no version is champion
IDEAS = "demand-experiments"  # of data scientists: their runs register nothing
MODEL = "model"
MANIFEST = "training_manifest.json"
CARD = "model_card.md"
DESCRIPTION_LENGTH = 5000  # of MLflow's column: PostgreSQL refuses more, SQLite does not
_TYPES = {
    "double": "double",
    "string": "string",
    "int32": "integer",
    "date32": "datetime",
    "timestamp": "datetime",
}
LOADER = "models.demand.served"
# Given, not guessed: to guess, MLflow would load the model and ask a package index.
REQUIREMENTS = ("uretimiq", "lightgbm", "pandas", "pyarrow")


class RegistryError(RuntimeError):
    """MLflow cannot be reached or does not have what is asked for; one line with the remedy."""


@dataclass(frozen=True)
class ModelRef:
    """One registered version."""

    name: str
    version: str
    run_id: str


def model_name(tenant: str) -> str:
    return f"demand-{tenant}"


def _quiet() -> None:
    """MLflow sends usage data unless told not to, before it is imported; a factory's jobs tell nobody."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["_MLFLOW_TELEMETRY_PRE_WARM_DATABRICKS_SDK"] = "false"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = (
        "false"  # for each small file one, among the job's own progress
    )
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")


@dataclass
class Registry:
    """`cache` is a folder for models taken from a server; a stored version never changes, so they stay good."""

    tracking_uri: str
    cache: Path
    loaded: dict[ModelRef, DemandModel] = field(default_factory=dict)

    def _client(self) -> MlflowClient:
        _quiet()
        import mlflow

        for name in ("mlflow", "alembic"):  # they tell of every table and every version
            logging.getLogger(name).setLevel(logging.WARNING)
        if self.tracking_uri.startswith("sqlite:///"):
            Path(self.tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(self.tracking_uri)
        mlflow.set_registry_uri(self.tracking_uri)
        return mlflow.MlflowClient(self.tracking_uri)

    def check(self) -> None:
        """Raises RegistryError where MLflow does not answer."""
        try:
            self._client().search_experiments(max_results=1)
        except Exception as error:
            raise RegistryError(
                f"MLflow at {self.tracking_uri} does not answer: {_one_line(error)}; is `make up` running?"
            ) from error

    def _experiment(self, client: MlflowClient, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # a server knows where artifacts go; without one they lie beside the database
        local = self.tracking_uri.startswith("sqlite:///")
        beside = Path(self.tracking_uri.removeprefix("sqlite:///")).parent / "artifacts" if local else None
        return str(client.create_experiment(name, artifact_location=str(beside) if beside else None))

    def log(self, tenant: str, model: DemandModel, *, signature: Any = None, **record: Any) -> ModelRef:
        """Log one training and register its model as a new version of the tenant's; the champion stays who it is.

        `record` is what `_run` takes. Raises RegistryError.
        """
        client = self._client()
        with self._run(client, EXPERIMENT, tenant, {}, **record) as run_id:
            return self._register(client, tenant, run_id, model, signature)

    def log_experiment(self, tenant: str, tags: Mapping[str, str], **record: Any) -> str:
        """Log one training of a data scientist beside the others; no version comes of it. Returns the run's id.

        `record` is what `_run` takes. Raises RegistryError.
        """
        client = self._client()
        with self._run(client, IDEAS, tenant, tags, **record) as run_id:
            return run_id

    @contextmanager
    def _run(
        self,
        client: MlflowClient,
        experiment: str,
        tenant: str,
        tags: Mapping[str, str],
        *,
        params: Mapping[str, Any],
        scores: Mapping[str, Mapping[str, Mapping[str, float]]],
        seconds: Mapping[str, float],
        manifest: Mapping[str, Any],
        figures: Mapping[str, Figure],
    ) -> Iterator[str]:
        """A run of a training with its numbers, pictures and manifest. `scores` are metrics by fold, model and name."""
        run_id = client.create_run(
            self._experiment(client, experiment),
            run_name=f"{tenant} {manifest['night']}",
            tags={"tenant": tenant, **tags},
        ).info.run_id
        try:
            _log_numbers(client, run_id, params, scores, seconds, manifest)
            for name, figure in figures.items():
                client.log_figure(run_id, figure, f"plots/{name}.png")
            client.log_dict(run_id, dict(manifest), MANIFEST)
            yield run_id
        except Exception as error:
            client.set_terminated(run_id, "FAILED")
            raise RegistryError(
                f"tenant {tenant}: MLflow at {self.tracking_uri} did not take the model: {_one_line(error)}"
            ) from error
        client.set_terminated(run_id, "FINISHED")

    def _register(self, client: MlflowClient, tenant: str, run_id: str, model: DemandModel, signature: Any) -> ModelRef:
        import mlflow

        name = model_name(tenant)
        with tempfile.TemporaryDirectory() as folder, mlflow.start_run(run_id=run_id):
            model.save(Path(folder) / "demand")
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "(?s).*input example")  # the signature comes from the contract
                logged = mlflow.pyfunc.log_model(
                    name=MODEL,
                    loader_module=LOADER,
                    data_path=str(Path(folder) / "demand"),
                    pip_requirements=list(REQUIREMENTS),
                    signature=signature,
                )
        _ensure_model(client, name)
        version = client.create_model_version(
            name, logged.model_uri, run_id, tags={"tenant": tenant}, model_id=logged.model_id
        )
        return ModelRef(name, str(version.version), run_id)

    def describe(self, ref: ModelRef, card: str) -> None:
        """Lay the model card of a version beside its run, and show it as the version's description."""
        from mlflow.exceptions import MlflowException

        client = self._client()
        try:
            client.log_text(ref.run_id, card, CARD)
            client.update_model_version(ref.name, ref.version, description=_shortened(card))
        except (MlflowException, OSError) as error:
            raise RegistryError(
                f"{ref.name} version {ref.version}: MLflow did not take its card: {_one_line(error)}"
            ) from error

    def champion(self, tenant: str) -> ModelRef | None:
        """The tenant's champion; None where it has none."""
        return self._holder(tenant, CHAMPION)

    def challenger(self, tenant: str) -> ModelRef | None:
        """The version that forecasts beside the champion; None where there is none."""
        return self._holder(tenant, CHALLENGER)

    def floor(self, tenant: str) -> ModelRef | None:
        """The version that was tried and has no skill: its floor serves where there is no champion."""
        return self._holder(tenant, FLOOR)

    def _holder(self, tenant: str, alias: str) -> ModelRef | None:
        from mlflow.exceptions import MlflowException

        client = self._client()
        try:
            found = client.get_model_version_by_alias(model_name(tenant), alias)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise RegistryError(f"MLflow at {self.tracking_uri} does not answer: {_one_line(error)}") from error
        return ModelRef(found.name, str(found.version), str(found.run_id))

    def version(self, name: str, version: str) -> ModelRef:
        """Raises RegistryError where there is no such version."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._client().get_model_version(name, version)
        except MlflowException as error:
            raise RegistryError(f"no version {version} of {name} in MLflow at {self.tracking_uri}") from error
        return ModelRef(found.name, str(found.version), str(found.run_id))

    def promote(self, ref: ModelRef) -> None:
        """Make `ref` the champion of its model. Whoever challenged the one before has nobody left to challenge."""
        client = self._client()
        client.set_registered_model_alias(ref.name, CHAMPION, ref.version)
        client.delete_registered_model_alias(ref.name, CHALLENGER)

    def challenge(self, ref: ModelRef) -> None:
        """Make `ref` the challenger of its model, in place of one that may be there."""
        self._client().set_registered_model_alias(ref.name, CHALLENGER, ref.version)

    def retire(self, ref: ModelRef) -> None:
        """Let `ref` challenge no longer."""
        self._client().delete_registered_model_alias(ref.name, CHALLENGER)

    def stand_down(self, ref: ModelRef) -> None:
        """Let seasonal naive serve: neither `ref` nor any other version of its model."""
        client = self._client()
        for alias in (FLOOR, CHALLENGER, CHAMPION):
            client.delete_registered_model_alias(ref.name, alias)

    def serve_floor(self, ref: ModelRef) -> None:
        """Let the floor of `ref` serve, and nobody be champion."""
        client = self._client()
        client.set_registered_model_alias(ref.name, FLOOR, ref.version)
        client.delete_registered_model_alias(ref.name, CHAMPION)

    def load(self, ref: ModelRef, threads: int = 0) -> DemandModel:
        """The model of a version. Raises RegistryError or ModelFormatError."""
        if ref not in self.loaded:
            self.loaded[ref] = DemandModel.load(self._files(ref), threads)
        return self.loaded[ref]

    def _files(self, ref: ModelRef) -> Path:
        kept = self.cache / ref.name / f"{ref.version}-{ref.run_id[:12]}"
        if not kept.exists():
            self._client()
            import mlflow
            from mlflow.exceptions import MlflowException

            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
                try:
                    got = mlflow.artifacts.download_artifacts(f"models:/{ref.name}/{ref.version}", dst_path=folder)
                except (MlflowException, OSError) as error:
                    raise RegistryError(
                        f"{ref.name} version {ref.version}: its files are not to be had: {_one_line(error)}"
                    ) from error
                shutil.copytree(Path(got) / "data" / "demand", Path(folder) / "whole")
                (Path(folder) / "whole").rename(kept)
        return kept

    def manifest(self, ref: ModelRef) -> dict[str, Any]:
        """The training manifest of a version. Raises RegistryError."""
        self._client()
        import mlflow
        from mlflow.exceptions import MlflowException

        try:
            text = mlflow.artifacts.load_text(f"runs:/{ref.run_id}/{MANIFEST}")
        except (MlflowException, OSError) as error:
            raise RegistryError(
                f"{ref.name} version {ref.version}: no training manifest in run {ref.run_id}"
            ) from error
        return dict(json.loads(text))


def _shortened(card: str) -> str:
    """The card's first paragraphs, as many as a description holds."""
    if len(card) <= DESCRIPTION_LENGTH:
        return card
    rest = f"\n\nThe whole card is {CARD} of the run."
    return card[: card.rindex("\n\n", 0, DESCRIPTION_LENGTH - len(rest))] + rest


def _ensure_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def signature(inputs: Sequence[pa.Field], outputs: Sequence[pa.Field]) -> Any:
    """The columns that a model takes and gives, in MLflow's words."""
    _quiet()
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    def columns(fields: Sequence[pa.Field]) -> Schema:
        return Schema([ColSpec(_TYPES[str(f.type).split("[")[0]], f.name, required=not f.nullable) for f in fields])

    return ModelSignature(columns(inputs), columns(outputs))


def _log_numbers(
    client: MlflowClient,
    run_id: str,
    params: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, Mapping[str, float]]],
    seconds: Mapping[str, float],
    manifest: Mapping[str, Any],
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    now = int(datetime.now(UTC).timestamp() * 1000)
    metrics = [
        Metric(f"{metric}.{model}", float(value), now, step)
        for step, fold in enumerate(scores)
        for model, of_model in scores[fold].items()
        for metric, value in of_model.items()
        if math.isfinite(value)  # a metric that has no value is not logged as NaN, which some stores refuse
    ]
    metrics += [Metric(f"seconds.{work}", took, now, 0) for work, took in seconds.items()]
    tags = {"frame_hash": manifest["frame_hash"], "code_version": manifest["code_version"], "night": manifest["night"]}
    client.log_batch(
        run_id,
        metrics=metrics,
        params=[Param(k, str(v)) for k, v in _flat(params)],
        tags=[RunTag(k, str(v)) for k, v in tags.items()],
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Sequence[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return found
