"""The training manifest: what a model was made from, so that its training set can be made again bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from models.demand.folds import Data
from models.demand.parameters import AUTOGLUON, Parameters, parameters
from models.demand.training import Training, frame_digest
from models.demand.vocabulary import Vocabulary

PACKAGES = ("lightgbm", "prophet", "keras", "numpy", "pandas", "pyspark", "delta-spark")


class NotTheSame(RuntimeError):
    """A training set made again differs from the one that was learned from."""


@dataclass(frozen=True)
class TrainingManifest:
    """As JSON in the MLflow run of the training."""

    tenant: str
    night: str  # last day learned from
    code_version: str
    table_versions: Mapping[str, int]  # zone/table -> Delta version
    parameters: Mapping[str, Any]
    rows: int
    frame_hash: str
    packages: Mapping[str, str]

    @classmethod
    def of(
        cls, tenant: str, training: Training, table_versions: Mapping[str, int], code_version: str
    ) -> TrainingManifest:
        model = training.model
        packages = (*PACKAGES, "autogluon.timeseries") if AUTOGLUON in model.parameters.pool else PACKAGES
        return cls(
            tenant=tenant,
            night=model.parameters.counts.end(model.last_day).isoformat(),
            code_version=code_version,
            table_versions=dict(table_versions),
            parameters=model.parameters.to_dict(),
            rows=training.rows,
            frame_hash=training.frame_hash,
            packages={name: version(name) for name in packages},
        )

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> TrainingManifest:
        return cls(**{name: saved[name] for name in cls.__dataclass_fields__})

    @property
    def given(self) -> Parameters:
        return parameters(json.loads(json.dumps(dict(self.parameters))))

    def check(self, data: Data) -> None:
        """Make the training set again from `data`. Raises NotTheSame where it differs from what was learned from."""
        rows, found = frame_digest(data, Vocabulary.learn(data.origins, data.calendar), self.given)
        if found != self.frame_hash:
            raise NotTheSame(
                f"tenant {self.tenant}, night {self.night}: the training set has {rows} rows and hash {found[:16]}, "
                f"the manifest says {self.rows} and {self.frame_hash[:16]}"
            )
