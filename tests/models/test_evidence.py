"""Comparing in pairs: luck is told from skill, and how often it is not is known."""

from __future__ import annotations

import numpy as np
import pytest

from models.demand.evidence import MIN_PAIRS, compare

LEVEL = 0.05


def _losses(chance: np.random.Generator, n: int, memory: float, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """Two forecasts' losses whose difference has a memory, as those of overlapping weeks have."""
    shared = 1 + 0.3 * np.abs(chance.standard_normal(n))
    noise = chance.standard_normal(n + 20)
    apart = np.zeros(n + 20)
    for t in range(1, n + 20):
        apart[t] = memory * apart[t - 1] + noise[t]
    return shared - gain + 0.05 * apart[20:], shared


@pytest.mark.parametrize(
    # days, how much of a day's difference the next one has, and the most alarms
    ("n", "memory", "most"),
    [(28, 0.0, 0.07), (28, 0.5, 0.095), (56, 0.0, 0.07), (56, 0.5, 0.075)],
)
def test_without_skill_the_false_alarms_are_about_as_many_as_the_level_says(n: int, memory: float, most: float) -> None:
    chance = np.random.default_rng(3)
    alarms = [compare(*_losses(chance, n, memory, 0.0)).shows(LEVEL) for _ in range(1500)]
    assert np.mean(alarms) < most


def test_a_clear_gain_is_seen_in_four_weeks() -> None:
    chance = np.random.default_rng(4)
    seen = [compare(*_losses(chance, 28, 0.3, 0.06)).shows(LEVEL) for _ in range(300)]
    assert np.mean(seen) > 0.9


def test_the_gain_is_the_share_by_which_the_mean_loss_is_lower() -> None:
    found = compare(np.full(10, 0.8), np.full(10, 1.0))
    assert found.gain == pytest.approx(0.2)
    assert found.shows(0.01)


def test_the_same_forecast_shows_nothing() -> None:
    losses = np.random.default_rng(5).random(40)
    assert not compare(losses, losses).shows(0.5)


def test_days_that_only_one_of_them_knows_are_left_out() -> None:
    mine, its = np.full(20, 0.5), np.full(20, 1.0)
    mine[:5], its[5:8] = np.nan, np.nan
    assert compare(mine, its).pairs == 12


@pytest.mark.parametrize("n", [0, 1, MIN_PAIRS - 1])
def test_a_few_days_show_nothing(n: int) -> None:
    assert not compare(np.full(n, 0.1), np.full(n, 1.0)).shows(0.5)
