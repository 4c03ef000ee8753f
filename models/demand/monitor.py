"""Drift: whether the nights are still as they were, told with a known rate of false alarms.

Each night a number is ranked among those of the nights before. While nothing changes every rank is equally likely, so that
the rank is a chance whose distribution is known whatever the number's own is (conformal test: Vovk, Nouretdinov, Gammerman
2003). Small chances are turned into bets, and the bets of the last nights multiplied up (Shiryaev-Roberts e-detector:
Shin, Ramdas, Rinaldo 2023, New England J. of Statistics in Data Science 2). Without a change the evidence reaches 1, on
average, not before `ALARM_NIGHTS` nights. Measured: 0.2 false alarms a year and measure for independent nights, 0.4 and
0.7 where each carries 0.3 and half of the one before; a shift of two standard deviations is told after 6 nights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.demand.arrays import Bools, Floats

ALARM_NIGHTS = 365  # on average between two false alarms of a measure, at least
REFERENCE = 364  # nights that a number is ranked among
MIN_REFERENCE = 28  # below, a rank tells too little to bet on it


@dataclass(frozen=True)
class Watch:
    """`chance`, `evidence` and `alarm` of each night, (nights,); NaN where there was nothing to tell it by."""

    chance: Floats
    evidence: Floats
    alarm: Bools


def watch(values: Floats) -> Watch:
    """Watch a measure (nights,), NaN where it has none. After an alarm the nights before it count no longer."""
    n = len(values)
    chance, evidence, alarm = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, dtype=bool)
    begin, total = 0, 0.0
    for night in np.flatnonzero(~np.isnan(values)).tolist():
        before = values[max(begin, night - REFERENCE) : night]
        before = before[~np.isnan(before)]
        if len(before) < MIN_REFERENCE:
            continue
        chance[night] = _rank(before, float(values[night]))
        total = (total + 1) * _bet(chance[night])
        evidence[night] = total / ALARM_NIGHTS
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
