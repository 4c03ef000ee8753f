"""The rules by which a model comes to serve, and stops serving.

A trained candidate must have skill: it must beat the floors, which have none. The first one of a tenant is champion at once;
a later one is challenger, forecasts beside the champion every night, and takes its place when enough nights tell. A
champion that falls behind seasonal naive is rolled back.

Candidates are judged on rolling origins, by the scaled pinball loss: it judges all three quantiles that planners are
given, and gives every series the same say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.demand.arrays import Floats
from models.demand.evidence import Comparison, compare
from models.demand.parameters import HISTORY, SEASONAL_NAIVE
from models.demand.periods import DAY, WEEK

METRIC = "pinball"
MARGIN = 0.01  # a gain below one per cent is not worth a change
NO_SKILL_CHANCE = 0.05  # of a candidate without skill to be taken for one that has some
TRIAL_AHEAD = 7  # days ahead, by which the forecasts of a trial are compared
FLOOR_CHANCE = 0.01
CHAMPION, CHALLENGER, REFUSED, KEPT, ROLLED_BACK = "champion", "challenger", "refused", "kept", "rolled_back"
NAMES = {SEASONAL_NAIVE: "seasonal naive", HISTORY: "the distribution of the past year"}


@dataclass(frozen=True)
class Rules:
    """How long a trial is. What is counted are pairs of losses, each of another day, or week, that was forecast from."""

    unit: str
    looks: tuple[int, ...]  # after so many pairs the two are compared
    chance: float  # at each look; by simulation a challenger no better is promoted in 5 % of trials
    floor: int  # pairs by which a champion is compared with seasonal naive
    days: int  # after which a trial ends in any case: nights may be missing


# The nights of one week all forecast the same weeks: they are one pair, not seven.
RULES = {
    DAY.name: Rules("nights", (28, 42, 56), 0.0067, 28, 90),
    WEEK.name: Rules("weeks", (8, 12, 16), 0.015, 8, 180),
}


@dataclass(frozen=True)
class Decision:
    """`role` is what the model is from now on; `evidence` holds the figures of all that were compared."""

    role: str
    reason: str
    evidence: Mapping[str, object]

    @property
    def promoted(self) -> bool:
        return self.role == CHAMPION


def decide(
    candidate: Mapping[str, float],
    floors: Mapping[str, Mapping[str, float]],
    skill: Comparison,
    champion: Mapping[str, float] | None,
    evidence: Mapping[str, object],
    champion_trouble: str | None = None,
    on_trial: str | None = None,
    *,
    tried_by_night: bool = True,
) -> Decision:
    """Judge by the metrics of the last fold, and by `skill` against the better floor over all folds.

    `champion` is None where there is none, or `champion_trouble` says why not. `on_trial` is the version that already
    challenges it: its trial is not broken off, or none would ever last long enough. Where nights don't try a challenger
    (not `tried_by_night`), as of a horizon below TRIAL_AHEAD, a gain of MARGIN on the last fold has to do.
    """
    mine = candidate[METRIC]
    its = {name: of_floor[METRIC] for name, of_floor in floors.items() if math.isfinite(of_floor[METRIC])}
    role, reason = _judge(mine, its, skill, champion, champion_trouble)
    if role == CHALLENGER and not tried_by_night and champion:
        role, reason = _by_fold(mine, champion[METRIC])
    elif role == CHALLENGER and on_trial:
        role, reason = (
            REFUSED,
            f"Refused: {reason.removeprefix('Challenger: ')} Version {on_trial} is on trial until then.",
        )
    figures = {
        "candidate": dict(candidate),
        **{name: dict(of_floor) for name, of_floor in floors.items()},
        "champion": dict(champion) if champion else None,
    }
    shown = {"gain": skill.gain, "chance": skill.chance, "days": skill.pairs}
    return Decision(
        role, reason, {"metric": METRIC, "margin": MARGIN, "last_fold": figures, "skill": shown, **evidence}
    )


def _judge(
    mine: float,
    floors: Mapping[str, float],
    skill: Comparison,
    champion: Mapping[str, float] | None,
    trouble: str | None,
) -> tuple[str, str]:
    if not math.isfinite(mine) or not floors:
        return REFUSED, "Refused: the last fold has no sales by which a model could be judged."
    name, floor = min(floors.items(), key=lambda item: item[1])
    said = _than(mine, floor, NAMES[name])
    if mine > floor * (1 - MARGIN):
        return REFUSED, f"Refused, no skill: {said}, and at least {MARGIN:.0%} better is asked."
    if not skill.shows(NO_SKILL_CHANCE):
        chance = f"{skill.chance:.0%} of models without skill do as well" if skill.pairs else "too few days to tell"
        return REFUSED, f"Refused, no skill is shown: {said}, but over all folds {chance}."
    if champion is None:
        there = f"the champion could not be asked ({trouble})" if trouble else "there was no champion"
        return CHAMPION, f"Promoted: {said}, and {there}."
    return CHALLENGER, f"Challenger: {said}; it forecasts beside the champion until enough nights tell."


def _by_fold(mine: float, its: float) -> tuple[str, str]:
    said = _than(mine, its, "the champion")
    if math.isfinite(its) and mine > its * (1 - MARGIN):
        return REFUSED, f"Refused: {said}, and at least {MARGIN:.0%} better is asked."
    return CHAMPION, f"Promoted: {said}."


def trial(champion: Floats, challenger: Floats, looks: int, rules: Rules = RULES[DAY.name]) -> Decision | None:
    """Compare the losses of nights (or weeks) on which both forecast, (n,) in their order; None while it is too early.

    `looks` is how often this trial was looked at before: each look is a chance of a false alarm, so they are few.
    """
    both = np.isfinite(champion) & np.isfinite(challenger)
    pairs = int(both.sum())
    due = sum(pairs >= k for k in rules.looks)
    if due <= looks:
        return None
    found = compare(challenger[both], champion[both])
    last = due == len(rules.looks)
    evidence = {"look": due, rules.unit: pairs, "gain": found.gain, "chance": found.chance, "level": rules.chance}
    said = f"over {pairs} {rules.unit} its pinball loss was {_change(found.gain)} that of the champion"
    if found.shows(rules.chance):
        return Decision(CHAMPION, f"Promoted: {said}, which is no chance ({found.chance:.2%}).", evidence)
    end = "its trial ends" if last else f"the next look is after {rules.looks[due]}"
    return Decision(KEPT, f"Kept the champion: of the challenger, {said}; {end}.", evidence | {"ended": last})


def behind_floor(champion: Floats, naive: Floats, rules: Rules = RULES[DAY.name]) -> Decision | None:
    """Whether a champion has fallen behind seasonal naive: losses of the same nights (or weeks), (n,) in their order."""
    both = np.flatnonzero(np.isfinite(champion) & np.isfinite(naive))[-rules.floor :]
    if len(both) < rules.floor:
        return None
    found = compare(naive[both], champion[both])
    if not found.shows(FLOOR_CHANCE):
        return None
    loss = float(champion[both].mean() / naive[both].mean() - 1)
    reason = f"Rolled back: over {len(both)} {rules.unit} its pinball loss was {loss:.1%} above that of seasonal naive."
    return Decision(ROLLED_BACK, reason, {rules.unit: len(both), "gain": -loss, "chance": found.chance})


def _change(gain: float) -> str:
    return f"{abs(gain):.1%} {'below' if gain > 0 else 'above'}"


def _than(mine: float, other: float, name: str) -> str:
    if other <= 0:
        return f"{METRIC} loss {mine:.4f} against {other:.4f} of {name}"
    change = mine / other - 1
    word = "below" if change < 0 else "above"
    return f"{METRIC} loss {mine:.4f}, {abs(change):.1%} {word} that of {name} ({other:.4f})"
