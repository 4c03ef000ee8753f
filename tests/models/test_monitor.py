"""Drift: a change is told soon, and the rate of false alarms is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from models.demand.monitor import PACES, watch

NIGHTS = PACES["day"]


def _nights(seed: int, n: int, memory: float = 0.0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(n + 50)
    for t in range(1, n + 50):
        noise[t] += memory * noise[t - 1]
    return noise[50:]


@pytest.mark.parametrize("period", ["day", "week"])
@pytest.mark.parametrize("memory", [0.0, 0.3])
def test_without_a_change_there_is_at_most_one_alarm_a_year(memory: float, period: str) -> None:
    pace = PACES[period]
    alarms = sum(watch(_nights(seed, 600, memory), pace).alarm.sum() for seed in range(60))
    years = 60 * (600 - pace.least) / {"day": 365, "week": 52}[period]
    assert alarms / years < 0.6


def test_of_weeks_a_shift_by_three_standard_deviations_is_told_within_two_months() -> None:
    delays = []
    for seed in range(40):
        values = _nights(seed, 160)
        values[104:] += 3
        alarms = np.flatnonzero(watch(values, PACES["week"]).alarm[104:])
        delays.append(alarms[0] if len(alarms) else 999)
    assert np.median(delays) < 8


def test_a_shift_by_two_standard_deviations_is_told_within_two_weeks() -> None:
    delays = []
    for seed in range(40):
        values = _nights(seed, 240)
        values[200:] += 2
        alarms = np.flatnonzero(watch(values).alarm[200:])
        delays.append(alarms[0] if len(alarms) else 999)
    assert np.median(delays) < 14


def test_after_an_alarm_what_was_before_counts_no_longer() -> None:
    values = _nights(3, 400)
    values[200:] += 5
    assert watch(values).alarm[200:].sum() == 1


def test_before_there_are_nights_to_compare_with_it_says_nothing() -> None:
    found = watch(_nights(4, NIGHTS.least + 1))
    assert np.isnan(found.chance[: NIGHTS.least]).all()
    assert np.isfinite(found.chance[NIGHTS.least])


def test_a_measure_that_never_changes_never_alarms() -> None:
    assert not watch(np.zeros(500)).alarm.any()


def test_an_unknown_night_is_passed_over() -> None:
    values = _nights(5, 100)
    values[60] = np.nan
    found = watch(values)
    assert np.isnan(found.evidence[60])
    assert np.isfinite(found.evidence[61])
