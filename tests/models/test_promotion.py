"""The rules of promotion, walked along their boundaries."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.demand.evidence import Comparison
from models.demand.parameters import HISTORY, SEASONAL_NAIVE
from models.demand.promotion import (
    MARGIN,
    METRIC,
    NO_SKILL_CHANCE,
    RULES,
    Decision,
    behind_floor,
    decide,
    trial,
)

NAN = float("nan")
CLEAR = Comparison(gain=0.2, chance=0.001, pairs=56)


def _at(loss: float) -> dict[str, float]:
    return {METRIC: loss, "wape": 0.1}


def _decide(
    mine: float,
    naive: float,
    history: float,
    skill: Comparison = CLEAR,
    its: float | None = None,
    trouble: str | None = None,
) -> Decision:
    floors = {SEASONAL_NAIVE: _at(naive), HISTORY: _at(history)}
    return decide(_at(mine), floors, skill, None if its is None else _at(its), {"folds": {"2026-01-01": {}}}, trouble)


@pytest.mark.parametrize(
    # candidate, naive, history, champion, what it becomes, and what the reason says
    ("mine", "naive", "history", "its", "role", "says"),
    [
        (0.90, 1.00, 1.00, None, "champion", "there was no champion"),
        (0.99, 1.00, 1.00, None, "champion", "there was no champion"),
        (0.9901, 1.00, 1.20, None, "refused", "seasonal naive"),
        (0.9901, 1.20, 1.00, None, "refused", "the distribution of the past year"),
        (1.20, 1.00, 1.00, 2.00, "refused", "no skill"),
        (0.50, 1.00, 1.00, 0.60, "challenger", "beside the champion"),
        (0.70, 1.00, 1.00, 0.60, "challenger", "beside the champion"),
        (NAN, 1.00, 1.00, None, "refused", "no sales by which"),
        (0.90, NAN, NAN, None, "refused", "no sales by which"),
        (0.90, NAN, 1.00, None, "champion", "there was no champion"),
    ],
)
def test_a_candidate_must_beat_both_floors_by_the_margin(
    mine: float, naive: float, history: float, its: float | None, role: str, says: str
) -> None:
    assert MARGIN == 0.01
    decision = _decide(mine, naive, history, its=its)
    assert decision.role == role
    assert decision.promoted is (role == "champion")
    assert says in decision.reason
    assert decision.reason.startswith({"champion": "Promoted", "challenger": "Challenger", "refused": "Refused"}[role])


@pytest.mark.parametrize(
    ("skill", "role"),
    [
        (Comparison(0.1, NO_SKILL_CHANCE - 0.001, 28), "champion"),
        (Comparison(0.1, NO_SKILL_CHANCE, 28), "refused"),
        (Comparison(-0.1, 0.001, 28), "refused"),
        (Comparison(NAN, NAN, 0), "refused"),
    ],
)
def test_luck_is_no_skill(skill: Comparison, role: str) -> None:
    assert _decide(0.5, 1.0, 1.0, skill).role == role


def test_the_reason_is_one_sentence_with_the_figures() -> None:
    assert _decide(0.5, 1.0, 0.8).reason == (
        "Promoted: pinball loss 0.5000, 37.5% below that of the distribution of the past year (0.8000), and there was no "
        "champion."
    )
    assert _decide(0.5, 1.0, 0.8, Comparison(0.1, 0.21, 56)).reason == (
        "Refused, no skill is shown: pinball loss 0.5000, 37.5% below that of the distribution of the past year (0.8000), "
        "but over all folds 21% of models without skill do as well."
    )


def test_a_champion_that_cannot_speak_does_not_stand_in_the_way() -> None:
    decision = _decide(0.5, 1.0, 1.0, trouble="its files are gone")
    assert decision.promoted
    assert "the champion could not be asked (its files are gone)" in decision.reason


def test_the_evidence_holds_all_figures_as_json() -> None:
    evidence = json.loads(json.dumps(_decide(0.5, 1.0, 0.9, its=0.8).evidence))
    assert evidence["last_fold"]["champion"][METRIC] == 0.8
    assert evidence["last_fold"][HISTORY][METRIC] == 0.9
    assert evidence["skill"] == {"gain": 0.2, "chance": 0.001, "days": 56}
    assert evidence["folds"] == {"2026-01-01": {}}


def _trial(gain: float, nights: int, looks: int = 0, seed: int = 1) -> Decision | None:
    chance = np.random.default_rng(seed)
    champion = 1 + 0.1 * chance.random(nights)
    return trial(champion, champion * (1 - gain) + 0.01 * chance.standard_normal(nights), looks)


@pytest.mark.parametrize(
    # gain of the challenger, nights, looks before, what is decided
    ("gain", "nights", "looks", "role"),
    [
        (0.1, 27, 0, None),
        (0.1, 28, 0, "champion"),
        (0.0, 28, 0, "kept"),
        (0.0, 41, 1, None),
        (0.1, 42, 1, "champion"),
        (0.1, 42, 2, None),
        (-0.1, 56, 2, "kept"),
        (0.1, 80, 3, None),
    ],
)
def test_a_trial_is_looked_at_three_times(gain: float, nights: int, looks: int, role: str | None) -> None:
    decision = _trial(gain, nights, looks)
    assert (decision.role if decision else None) == role


def test_a_trial_ends_with_its_last_look() -> None:
    first, last = _trial(0.0, 28), _trial(0.0, 56, 2)
    assert first
    assert last
    assert (first.evidence["ended"], last.evidence["ended"]) == (False, True)
    assert "the next look is after 42" in first.reason
    assert "its trial ends" in last.reason


def test_a_challenger_that_is_no_better_is_promoted_in_one_trial_of_twenty() -> None:
    """The losses of nights overlap by six of their seven days, and so do these."""
    chance = np.random.default_rng(2)
    promoted = 0
    for _ in range(600):
        apart = np.convolve(chance.standard_normal(62), np.ones(7) / 7, "valid") * 0.13
        looks = [trial(np.full(k, 1.0), 1 + apart[:k], i) for i, k in enumerate(RULES["day"].looks)]
        promoted += any(d.promoted for d in looks if d)
    assert promoted / 600 < 0.08


def test_a_second_challenger_waits_until_the_first_ones_trial_has_ended() -> None:
    floors = {SEASONAL_NAIVE: _at(1.0), HISTORY: _at(1.0)}
    decision = decide(_at(0.5), floors, CLEAR, _at(0.6), {}, None, on_trial="3")
    assert decision.role == "refused"
    assert "Version 3 is on trial" in decision.reason


def test_a_trial_of_weeks_has_looks_and_a_level_of_its_own() -> None:
    chance = np.random.default_rng(3)
    rules = RULES["week"]
    promoted = 0
    for _ in range(600):
        apart = 0.05 * chance.standard_normal(rules.looks[-1])
        looks = [trial(np.full(k, 1.0), 1 + apart[:k], i, rules) for i, k in enumerate(rules.looks)]
        promoted += any(d.promoted for d in looks if d)
    assert 0.02 < promoted / 600 < 0.07
    assert trial(np.ones(7), np.full(7, 0.5), 0, rules) is None
    better = trial(np.ones(8), 0.9 + 0.01 * chance.standard_normal(8), 0, rules)
    assert better
    assert (better.role, better.evidence["weeks"]) == ("champion", 8)
    assert better.reason.startswith("Promoted: over 8 weeks")


@pytest.mark.parametrize(("worse", "nights", "role"), [(0.3, 28, "rolled_back"), (0.3, 27, None), (-0.1, 28, None)])
def test_a_champion_behind_seasonal_naive_for_four_weeks_is_rolled_back(
    worse: float, nights: int, role: str | None
) -> None:
    chance = np.random.default_rng(6)
    naive = 1 + 0.1 * chance.random(nights)
    decision = behind_floor(naive * (1 + worse) + 0.01 * chance.standard_normal(nights), naive)
    assert (decision.role if decision else None) == role


def test_old_nights_do_not_save_a_champion() -> None:
    naive = np.ones(90)
    champion = np.concatenate([np.full(62, 0.2), np.full(28, 1.3)])
    assert behind_floor(champion, naive) is not None


@pytest.mark.parametrize(
    ("mine", "its", "role"), [(0.594, 0.6, "champion"), (0.595, 0.6, "refused"), (0.7, 0.6, "refused")]
)
def test_of_weeks_a_gain_on_the_last_fold_has_to_do(mine: float, its: float, role: str) -> None:
    floors = {SEASONAL_NAIVE: _at(1.0), HISTORY: _at(1.0)}
    assert decide(_at(mine), floors, CLEAR, _at(its), {}, tried_by_night=False).role == role
