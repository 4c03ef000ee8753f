"""A training as files, for who trains in one program and judges in another. The same training gives the same bytes."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from models.demand.evidence import Comparison
from models.demand.folds import Fold
from models.demand.model import DemandModel, ModelFormatError
from models.demand.training import Training


def save(training: Training, folder: Path) -> None:
    """All but the seconds, which differ each time. The model lies in `folder/model`, as the registry keeps it."""
    training.model.save(folder / "model")
    fold = training.judged
    arrays = {f.name: getattr(fold, f.name) for f in fields(fold)}
    texts = {"keys": np.array(fold.keys, dtype=str), "members": np.array(fold.members, dtype=str)}
    np.savez(folder / "judged.npz", **arrays | texts, said=training.quantiles)
    known = {
        "scores": training.scores,
        "skill": asdict(training.skill),
        "rows": training.rows,
        "frame_hash": training.frame_hash,
    }
    (folder / "training.json").write_text(json.dumps(known, indent=1))


def load(folder: Path, seconds: dict[str, float]) -> Training:
    """Raises ModelFormatError where the folder holds no training."""
    model = DemandModel.load(folder / "model")
    try:
        known = json.loads((folder / "training.json").read_text())
        with np.load(folder / "judged.npz") as saved:
            arrays = {name: saved[name] for name in saved.files}
    except (OSError, ValueError) as error:
        raise ModelFormatError(f"{folder}: no training there ({error}); train again") from error
    said = arrays.pop("said")
    plain = {name: value.item() for name, value in arrays.items() if value.ndim == 0}
    texts = {"keys": arrays["keys"].astype(object), "members": tuple(arrays["members"].tolist())}
    known["skill"] = Comparison(**known["skill"])
    return Training(model, quantiles=said, judged=Fold(**arrays | plain | texts), seconds=seconds, **known)
