"""The distribution of the past year: its quantiles, and of whom it knows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.demand.history import History
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.periods import DAY, WEEK

NAN = float("nan")


def _fit(units: list[list[float]]) -> History:
    keys = np.array([f"gebze/A{i:02d}" for i in range(len(units))], dtype=object)
    return History.fit(Panel(keys, 0, np.array(units)), DAY)


def test_of_noise_it_is_the_noises_own_quantiles() -> None:
    units = np.random.default_rng(1).normal(100, 10, (40, 364))
    found = _fit(units.tolist()).quantiles.mean(axis=0)
    assert found == pytest.approx(100 + 10 * np.array([-1.2816, 0, 1.2816]), abs=0.6)


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert set(_fit([[0.0, 12.0] * 100]).quantiles[0]) <= {0.0, 12.0}


def test_a_day_a_quarter_of_a_year_ago_counts_half_as_much() -> None:
    half = 91
    found = _fit([[1.0] * half + [2.0] * half]).quantiles[0]
    assert found.tolist() == [1.0, 2.0, 2.0]  # a third of the weight lies on the older ones


def test_what_is_older_than_a_year_counts_nothing() -> None:
    assert _fit([[900.0] * 400 + [5.0] * DAY.year]).quantiles[0].tolist() == [5.0, 5.0, 5.0]
    weeks = Panel(np.array(["a/b"], dtype=object), 0, np.array([[900.0] * 90 + [5.0] * WEEK.year]))
    assert History.fit(weeks, WEEK).quantiles[0].tolist() == [5.0, 5.0, 5.0]


def test_gaps_are_left_out_and_a_series_of_gaps_is_unknown() -> None:
    found = _fit([[NAN, 3.0, NAN, 3.0], [NAN] * 4]).quantiles
    assert found[0].tolist() == [3.0, 3.0, 3.0]
    assert np.isnan(found[1]).all()


def test_of_a_series_that_it_does_not_have_it_says_nothing(weekly_world: Any) -> None:
    origins = Origins.from_features(weekly_world.features([199]))
    said = _fit([[4.0] * 30]).predict(origins, 28)
    assert said.shape == (len(origins), 28, 3)
    assert (said[origins.key == "gebze/A00"] == 4).all()
    assert np.isnan(said[origins.key != "gebze/A00"]).all()


def test_stored_it_says_the_same(tmp_path: Path) -> None:
    one = _fit([[1.0, 2.0, 3.0], [NAN] * 3])
    one.save(tmp_path / "history.npz")
    again = History.load(tmp_path / "history.npz")
    assert list(again.keys) == list(one.keys)
    assert np.array_equal(again.quantiles, one.quantiles, equal_nan=True)
