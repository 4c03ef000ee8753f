"""A training as files, for who trains in one program and judges in another. The same training gives the same bytes."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from models.demand.evidence import Comparison
from models.demand.folds import Fold
from models.demand.model import DemandModel, ModelFormatError
from models.demand.origins import Origins
from models.demand.periods import PERIODS
from models.demand.training import Training

_ORIGINS = tuple(f.name for f in fields(Origins) if f.name != "period")


def save(training: Training, folder: Path) -> None:
    """All but the seconds, which differ each time. The model lies in `folder/model`, as the registry keeps it."""
    training.model.save(folder / "model")
    fold = training.judged
    arrays = {f.name: getattr(fold, f.name) for f in fields(fold) if f.name != "origins"}
    texts = {"keys": np.array(fold.keys, dtype=str), "members": np.array(fold.members, dtype=str)}
    np.savez(folder / "judged.npz", **arrays | texts, said=training.quantiles)
    origins = {name: getattr(fold.origins, name) for name in _ORIGINS}
    plain = {name: a.astype(str) if a.dtype == object else a for name, a in origins.items()}
    np.savez(folder / "origins.npz", **plain, period=np.array(fold.origins.period.name))
    known = {
        "scores": training.scores,
        "skill": asdict(training.skill),
        "rows": training.rows,
        "frame_hash": training.frame_hash,
        "reconciled": training.reconciled,
    }
    (folder / "training.json").write_text(json.dumps(known, indent=1))


def load(folder: Path, seconds: dict[str, float]) -> Training:
    """Raises ModelFormatError where the folder holds no training."""
    model = DemandModel.load(folder / "model")
    try:
        known = json.loads((folder / "training.json").read_text())
        with np.load(folder / "judged.npz") as saved:
            arrays = {name: saved[name] for name in saved.files}
        with np.load(folder / "origins.npz") as saved:
            period = PERIODS[str(saved["period"])]
            columns = {name: saved[name] for name in _ORIGINS}
    except (OSError, ValueError) as error:
        raise ModelFormatError(f"{folder}: no training there ({error}); train again") from error
    said = arrays.pop("said")
    plain = {name: value.item() for name, value in arrays.items() if value.ndim == 0}
    texts = {"keys": arrays["keys"].astype(object), "members": tuple(arrays["members"].tolist())}
    words = {name: a.astype(object) if a.dtype.kind == "U" else a for name, a in columns.items()}
    origins = Origins(**words, period=period)
    known["skill"] = Comparison(**known["skill"])
    return Training(
        model, quantiles=said, judged=Fold(**arrays | plain | texts, origins=origins), seconds=seconds, **known
    )
