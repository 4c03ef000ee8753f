"""The model card: its figures are the run's own."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from models.demand.card import METRICS, by_segment, card, figure
from models.demand.ensemble import SEGMENTS
from models.demand.evaluate import table
from models.demand.manifest import TrainingManifest
from models.demand.promotion import Decision


@pytest.fixture(scope="module")
def manifest(small_training: Any) -> TrainingManifest:
    return TrainingManifest.of("acme", small_training, {"silver/sales": 12}, "abc123")


@pytest.fixture(scope="module")
def text(small_training: Any, manifest: TrainingManifest) -> str:
    return card("demand-acme", "3", small_training, manifest, Decision(True, "Promoted: it is better.", {}))


def _tables(text: str, first: str) -> list[dict[str, list[str]]]:
    """The tables whose first column is headed `first`: rows by their first cell."""
    found = []
    for block in text.split("\n\n"):
        lines = [[c.strip() for c in line.strip("|").split("|")] for line in block.splitlines() if line[:1] == "|"]
        if lines and lines[0][0] == first:
            found.append({row[0]: row[1:] for row in lines[2:]} | {"head": lines[0][1:]})
    return found


def test_every_score_of_the_run_stands_in_the_card_and_no_other(small_training: Any, text: str) -> None:
    tables = _tables(text, "model")
    assert len(tables) == len(small_training.scores) > 1
    for found, scores in zip(tables, small_training.scores.values(), strict=True):
        assert found.pop("head") == list(METRICS)
        assert found == {m: [figure(scores[m][metric]) for metric in METRICS] for m in scores}


def test_every_metric_that_is_scored_is_shown(small_training: Any) -> None:
    fold = small_training.judged
    n = fold.judged
    assert set(table(fold.actual[:n], fold.stack[:n, ..., 0], fold.history)) == set(METRICS)


def test_the_weights_are_the_blends(small_training: Any, text: str) -> None:
    (found,) = _tables(text, "segment")[:1]
    blend = small_training.model.blend
    assert found.pop("head") == list(blend.members)
    assert found == {s: [figure(w) for w in row] for s, row in zip(SEGMENTS, blend.weights, strict=True)}


def test_scores_by_segment_are_those_of_its_series(small_training: Any, text: str) -> None:
    fold = small_training.judged
    (found,) = _tables(text, "segment")[1:]
    assert found.pop("head") == ["series", *METRICS]
    assert set(found) == {"regular"}  # all of this world sell on most days: together they are all that was judged
    whole = small_training.scores[max(small_training.scores)]["ensemble"]
    assert found["regular"] == [str(fold.judged), *(figure(whole[m]) for m in METRICS)]
    assert np.isclose(by_segment(small_training)["regular"]["pinball"], whole["pinball"])


def test_parameters_data_and_seconds_are_the_runs(small_training: Any, manifest: TrainingManifest, text: str) -> None:
    (parameters,) = _tables(text, "parameter")
    assert parameters["max_rows"] == [f"`{small_training.model.parameters.max_rows}`"]
    assert set(parameters) - {"head"} == set(small_training.model.parameters.to_dict())
    (data,) = _tables(text, "what")
    assert data["tenant"] == ["acme"]
    assert data["rows of the frame"] == [str(small_training.rows)]
    assert data["SHA-256 of the frame"] == [f"`{small_training.frame_hash}`"]
    assert data["Delta version of silver/sales"] == ["12"]
    (seconds,) = _tables(text, "work")
    seconds.pop("head")
    assert seconds == {k: [f"{v:.1f}"] for k, v in small_training.seconds.items()}


def test_its_sections_are_those_of_model_cards(text: str) -> None:
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
        "Decision",
    ]


def test_the_decision_is_told(small_training: Any, manifest: TrainingManifest, text: str) -> None:
    assert text.endswith("## Decision\n\nPromoted: it is better.\n")
    assert card("demand-acme", "3", small_training, manifest, None).endswith("## Decision\n\nNot judged yet.\n")


def test_a_figure_that_does_not_exist_is_a_dash() -> None:
    assert figure(float("nan")) == "–"
