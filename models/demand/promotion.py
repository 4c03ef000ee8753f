"""The promotion rule: a candidate becomes champion only if it beats seasonal naive and the present champion.

They are compared on the last fold, which nobody's weights have seen, by the scaled pinball loss: it judges all three
quantiles that planners are given, and gives every series the same say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

METRIC = "pinball"
MARGIN = 0.01  # a gain below one per cent is noise on 28 days


@dataclass(frozen=True)
class Decision:
    """`evidence` holds the figures of all that were compared, by fold."""

    promoted: bool
    reason: str
    evidence: Mapping[str, object]

    @property
    def evidence_json(self) -> str:
        return json.dumps(self.evidence, sort_keys=True)


def decide(
    candidate: Mapping[str, float],
    naive: Mapping[str, float],
    champion: Mapping[str, float] | None,
    evidence: Mapping[str, object],
    champion_trouble: str | None = None,
) -> Decision:
    """Judge by the metrics of the last fold. `champion` is None where there is none, or `champion_trouble` says why not."""
    mine, floor = candidate[METRIC], naive[METRIC]
    promoted, reason = _judge(mine, floor, champion, champion_trouble)
    figures = {
        "candidate": dict(candidate),
        "seasonal_naive": dict(naive),
        "champion": dict(champion) if champion else None,
    }
    return Decision(promoted, reason, {"metric": METRIC, "margin": MARGIN, "last_fold": figures, **evidence})


def _judge(mine: float, floor: float, champion: Mapping[str, float] | None, trouble: str | None) -> tuple[bool, str]:
    if not math.isfinite(mine) or not math.isfinite(floor):
        return False, "Refused: the last fold has no sales by which a model could be judged."
    if mine > floor * (1 - MARGIN):
        return False, f"Refused: {_than(mine, floor, 'seasonal naive')}, and at least {MARGIN:.0%} better is asked."
    if champion is None:
        there = f"the champion could not be asked ({trouble})" if trouble else "there was no champion"
        return True, f"Promoted: {_than(mine, floor, 'seasonal naive')}, and {there}."
    its = champion[METRIC]
    if math.isfinite(its) and mine > its * (1 - MARGIN):
        return False, f"Refused: {_than(mine, its, 'the champion')}, and at least {MARGIN:.0%} better is asked."
    return True, f"Promoted: {_than(mine, floor, 'seasonal naive')} and {_than(mine, its, 'the champion')}."


def _than(mine: float, other: float, name: str) -> str:
    if other <= 0:
        return f"{METRIC} loss {mine:.4f} against {other:.4f} of {name}"
    change = mine / other - 1
    word = "below" if change < 0 else "above"
    return f"{METRIC} loss {mine:.4f}, {abs(change):.1%} {word} that of {name} ({other:.4f})"
