"""A training kept as files, and the figures that stand beside those of others."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.demand import evaluation, stored
from models.demand.model import ModelFormatError
from models.demand.parameters import FLOORS
from models.demand.promotion import decide
from models.demand.training import ENSEMBLE


def _digests(folder: Path) -> dict[str, str]:
    files = (f for f in folder.rglob("*") if f.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def _is_number(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _decision(training: Any) -> Any:
    last = list(training.scores.values())[-1]
    return decide(last[ENSEMBLE], {name: last[name] for name in FLOORS}, training.skill, None, {})


def test_a_training_comes_back_from_its_files(small_training: Any, small_data: Any, tmp_path: Path) -> None:
    stored.save(small_training, tmp_path)
    again = stored.load(tmp_path, small_training.seconds)
    assert (again.scores, again.skill, again.rows, again.frame_hash, again.seconds) == (
        small_training.scores,
        small_training.skill,
        small_training.rows,
        small_training.frame_hash,
        small_training.seconds,
    )
    assert np.array_equal(again.quantiles, small_training.quantiles)
    for name, value in vars(small_training.judged.origins).items():
        assert np.array_equal(getattr(again.judged.origins, name), value, equal_nan=_is_number(value)), name
    for name, value in vars(small_training.judged).items():
        if name == "origins":
            continue
        found = getattr(again.judged, name)
        assert (type(found), getattr(found, "dtype", None)) == (type(value), getattr(value, "dtype", None)), name
        assert np.array_equal(found, value, equal_nan=name in {"actual", "stack", "history"}), name
    origins = small_data.origins.take(small_data.origins.day == small_data.last_day)
    said = small_training.model.quantiles(origins, small_data.calendar)
    assert np.allclose(again.model.quantiles(origins, small_data.calendar), said)


def test_the_same_training_gives_the_same_bytes(small_training: Any, tmp_path: Path) -> None:
    for name in ("a", "b"):
        stored.save(small_training, tmp_path / name)
    first = _digests(tmp_path / "a")
    assert {"training.json", "judged.npz", "model/model.json"} <= set(first)
    assert first == _digests(tmp_path / "b")


def test_a_folder_that_holds_half_a_training_is_told(small_training: Any, tmp_path: Path) -> None:
    stored.save(small_training, tmp_path)
    (tmp_path / "judged.npz").unlink()
    with pytest.raises(ModelFormatError, match=r"no training there .*; train again"):
        stored.load(tmp_path, {})


def test_metrics_are_of_the_ensemble_and_of_what_it_must_beat(small_training: Any) -> None:
    found = evaluation.metrics(small_training, _decision(small_training))
    folds = [fold for fold in small_training.scores.values() if ENSEMBLE in fold]
    assert found["last_fold"]["wape"] == folds[-1][ENSEMBLE]["wape"]
    assert found["all_folds"]["wape"] == pytest.approx(np.mean([f[ENSEMBLE]["wape"] for f in folds]))
    assert found["seasonal_naive"] == {"pinball": folds[-1]["seasonal_naive"]["pinball"]}
    assert "champion" not in found, "there was none"


def test_a_metric_without_a_value_is_left_out(small_training: Any) -> None:
    last = list(small_training.scores)[-1]
    of_last = small_training.scores[last]
    spoiled = {**small_training.scores, last: {**of_last, ENSEMBLE: of_last[ENSEMBLE] | {"mape": math.nan}}}
    training = type(small_training)(**{**vars(small_training), "scores": spoiled})
    found = evaluation.metrics(training, _decision(small_training))
    assert "mape" not in found["last_fold"]
    assert "NaN" not in json.dumps(found)


def test_the_curve_by_day_sums_the_judged_series_alone(small_training: Any) -> None:
    fold = small_training.judged
    by_day = evaluation.curves(small_training)["by_day"]
    assert by_day["units"].sum() == pytest.approx(np.nansum(fold.actual[: fold.judged]), rel=1e-6)
    assert len(by_day) == 28
    assert (by_day["q10"] <= by_day["q50"]).all()
