"""The promotion rule, walked along its boundary."""

from __future__ import annotations

import json

import pytest

from models.demand.promotion import MARGIN, METRIC, decide

NAN = float("nan")


def _at(loss: float) -> dict[str, float]:
    return {METRIC: loss, "wape": 0.1}


@pytest.mark.parametrize(
    # candidate, naive, champion, promoted, and what the reason says
    ("mine", "floor", "its", "promoted", "says"),
    [
        (0.90, 1.00, None, True, "there was no champion"),
        (0.99, 1.00, None, True, "there was no champion"),
        (0.9901, 1.00, None, False, "seasonal naive"),
        (1.00, 1.00, None, False, "seasonal naive"),
        (1.20, 1.00, 2.00, False, "seasonal naive"),
        (0.50, 1.00, 0.60, True, "that of the champion"),
        (0.594, 1.00, 0.60, True, "that of the champion"),
        (0.595, 1.00, 0.60, False, "the champion"),
        (0.60, 1.00, 0.60, False, "the champion"),
        (0.70, 1.00, 0.60, False, "the champion"),
        (NAN, 1.00, None, False, "no sales by which"),
        (0.90, NAN, None, False, "no sales by which"),
    ],
)
def test_a_candidate_must_beat_both_by_the_margin(
    mine: float, floor: float, its: float | None, promoted: bool, says: str
) -> None:
    assert MARGIN == 0.01
    decision = decide(_at(mine), _at(floor), None if its is None else _at(its), {})
    assert decision.promoted is promoted
    assert says in decision.reason
    assert decision.reason.startswith("Promoted" if promoted else "Refused")


def test_the_reason_is_one_sentence_with_the_figures() -> None:
    reason = decide(_at(0.5), _at(1.0), _at(0.8), {}).reason
    assert reason == (
        "Promoted: pinball loss 0.5000, 50.0% below that of seasonal naive (1.0000) and "
        "pinball loss 0.5000, 37.5% below that of the champion (0.8000)."
    )


def test_a_champion_that_cannot_speak_does_not_stand_in_the_way() -> None:
    decision = decide(_at(0.5), _at(1.0), None, {}, "its files are gone")
    assert decision.promoted
    assert "the champion could not be asked (its files are gone)" in decision.reason


def test_the_evidence_holds_all_figures_as_json() -> None:
    evidence = json.loads(decide(_at(0.5), _at(1.0), _at(0.8), {"folds": {"2026-01-01": {}}}).evidence_json)
    assert evidence["last_fold"]["champion"][METRIC] == 0.8
    assert evidence["folds"] == {"2026-01-01": {}}
