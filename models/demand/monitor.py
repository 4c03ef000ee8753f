"""Drift: whether nights (or weeks, of a tenant that counts in them) are still as they were, with a known rate of false alarms.

Each night a number is ranked among those of the nights before. While nothing changes every rank is equally likely, so that
the rank is a chance whose distribution is known whatever the number's own is (conformal test: Vovk, Nouretdinov, Gammerman
2003). Small chances are turned into bets, and the bets of the last nights multiplied up (Shiryaev-Roberts e-detector:
Shin, Ramdas, Rinaldo 2023, New England J. of Statistics in Data Science 2). Without a change the evidence reaches 1, on
average, not before a year of nights. Measured: 0.2 false alarms a year and measure for independent nights, 0.4 and
0.7 where each carries 0.3 and half of the one before; a shift of two standard deviations is told after 6 nights. Of weeks: 0.2 to
0.35 false alarms a year, and a shift of two standard deviations is told after 4 to 6 weeks, once there are two years.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.demand.arrays import Bools, Floats
from models.demand.periods import DAY, WEEK


@dataclass(frozen=True)
class Pace:
    """How often a number comes: `alarm` is how many lie, on average and at least, between two false alarms of a measure."""

    alarm: int
    reference: int  # numbers that one is ranked among
    least: int  # of them: below, a rank tells too little to bet on it


PACES = {DAY.name: Pace(365, 364, 28), WEEK.name: Pace(52, 104, 26)}  # a year, whatever is counted


@dataclass(frozen=True)
class Watch:
    """`chance`, `evidence` and `alarm` of each night, (nights,); NaN where there was nothing to tell it by."""

    chance: Floats
    evidence: Floats
    alarm: Bools


def watch(values: Floats, pace: Pace = PACES[DAY.name]) -> Watch:
    """Watch a measure (nights,), NaN where it has none. After an alarm the nights before it count no longer."""
    n = len(values)
    chance, evidence, alarm = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, dtype=bool)
    begin, total = 0, 0.0
    for night in np.flatnonzero(~np.isnan(values)).tolist():
        before = values[max(begin, night - pace.reference) : night]
        before = before[~np.isnan(before)]
        if len(before) < pace.least:
            continue
        chance[night] = _rank(before, float(values[night]))
        total = (total + 1) * _bet(chance[night])
        evidence[night] = total / pace.alarm
        if evidence[night] >= 1:
            alarm[night] = True
            begin, total = night, 0.0
    return Watch(chance, evidence, alarm)


def _rank(before: Floats, value: float) -> float:
    """Two-sided: twice the share, the value itself among them, that lies as far out on its side.

    Ties count in full, which makes the chance too large rather than too small.
    """
    n = len(before) + 1
    above, below = ((before >= value).sum() + 1) / n, ((before <= value).sum() + 1) / n
    return float(min(1.0, 2 * min(above, below)))


def _bet(chance: float) -> float:
    """Pays 1 on average or less while every chance is equally likely: half the root's inverse (Vovk and Wang 2021)."""
    return float(0.5 / np.sqrt(chance))
