"""What overrides were worth: the error of the forecast beside the error of what was said instead, and how sure that is. Pure.

An override is judged as it stood before a day or week began, by the sum over its series, beside the forecast that its maker
saw. What is said on one day is judged together: it meets the same days, so that it is right or wrong together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import product
from typing import Literal

import numpy as np

from serving.plans.overrides import Override

CONFIDENCE = 0.9
ENUMERATED, DRAWS, SEED = 10, 2000, 8300
Verdict = Literal["helps", "hurts", "unclear"]


@dataclass(frozen=True)
class Judged:
    """Periods of one override that are over, all said in one version of it. Errors and units in pieces."""

    override_id: str
    made_by: str
    product: str | None
    said_on: date
    periods: int
    units: float
    baseline_error: float
    final_error: float


@dataclass(frozen=True)
class Value:
    """Share of the forecast's error that was saved; `low` to `high` is its band, None where it has no end."""

    value_added: float | None
    low: float | None
    high: float | None
    verdict: Verdict


def judge(versions: Sequence[Override], sold: Callable[[Override], Mapping[date, float]]) -> list[Judged]:
    """What became of one override; `versions` are all of it, the first one first, `sold` its node's units by date.

    A period counts for the version that stood as its first day began; one that was said on that day or later might
    know already how it ends.
    """
    found = []
    for i, version in enumerate(versions):
        following = versions[i + 1].made_at.date() if i + 1 < len(versions) else date.max
        stood = [
            day
            for day in version.baseline
            if version.made_at.date() < day <= following and version.is_in_force(datetime.combine(day, time(), UTC))
        ]
        units = sold(version) if stood else {}
        days = [day for day in stood if day in units]
        if days:
            before = {day: version.baseline[day] for day in days}
            found.append(
                Judged(
                    version.override_id,
                    version.made_by,
                    version.change.product,
                    version.made_at.date(),
                    len(days),
                    sum(units[day] for day in days),
                    sum(abs(before[day] - units[day]) for day in days),
                    sum(abs(version.change.sum(before[day]) - units[day]) for day in days),
                )
            )
    return found


def value(judged: Iterable[Judged]) -> Value:
    """What they were worth together, what was said on one day counting as one."""
    errors: dict[Hashable, list[float]] = {}
    for one in judged:
        of = errors.setdefault(one.said_on, [0.0, 0.0])
        of[0] += one.baseline_error
        of[1] += one.final_error
    return worth(list(errors.values()))


def worth(errors: Sequence[Sequence[float]]) -> Value:
    """`errors`: of the baseline and of the final, one pair for each day on which something was said.

    The band holds the worth of random halves of the pairs: Hartigan, "Using subsample values as typical values" (1969).
    If each pair is as likely to err one way as the other by the same amount, the truth lies outside it at most one time
    in ten, however unlike in size they are. A band of fewer than five pairs has no end, and their verdict is unclear; a
    bootstrap of five would be outside one time in four.
    """
    pairs = np.array(errors, np.float64).reshape(-1, 2)
    baseline, final = pairs.sum(axis=0)
    if not baseline:
        return Value(None, None, None, "unclear")
    halves = _halves(len(pairs))
    with np.errstate(divide="ignore", invalid="ignore"):
        here, there = (1 - (of @ pairs[:, 1]) / (of @ pairs[:, 0]) for of in (halves, ~halves))
    # A half of no error tells nothing; neither does that of all and none.
    lows = np.where(np.isnan(here + there), -np.inf, np.minimum(here, there))
    highs = np.where(np.isnan(here + there), np.inf, np.maximum(here, there))
    left = int((1 - CONFIDENCE) * len(halves) + 1e-9)  # so many halves may lie wholly on one side
    low, high = float(np.sort(lows)[left]), float(np.sort(highs)[::-1][left])
    verdict: Verdict = "helps" if low > 0 else "hurts" if high < 0 else "unclear"
    return Value(float(1 - final / baseline), _end(low), _end(high), verdict)


def _end(bound: float) -> float | None:
    return bound if np.isfinite(bound) else None


def _halves(count: int) -> np.ndarray:
    """Which of `count` pairs are in a half: every way to split them where those are few, else some at random."""
    if not count:
        return np.zeros((1, 0), bool)
    if count <= ENUMERATED:  # the first pair is always here: its other half is the complement
        return np.array([(True, *rest) for rest in product((True, False), repeat=count - 1)])
    drawn = np.random.default_rng(SEED).random((DRAWS - 1, count)) < 0.5
    return np.vstack([np.ones((1, count), bool), drawn])
