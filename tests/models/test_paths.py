"""Members fitted series by series: fitted offline, stored as a path, moved to today's level."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand import paths as ways
from models.demand.arrays import day
from models.demand.calendar import Calendar
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import ETS, MSTL, PROPHET, THETA, PathParameters
from models.demand.paths import BACK, METHODS, Paths
from models.demand.periods import DAY, WEEK

GIVEN = PathParameters(max_series=2, min_days=100, path_days=60)
MAY_DAY = date(2025, 5, 1)


@pytest.fixture(scope="module")
def cut_off(weekly_world: Any) -> dict[int, int]:
    return {day(weekly_world.day(n)): pd.Timestamp(weekly_world.day(n + 1), tz="UTC").value // 1000 for n in (139, 167)}


@pytest.fixture(scope="module")
def fitted(weekly_world: Any, cut_off: dict[int, int]) -> dict[int, Paths]:
    panel = Panel.from_sales(weekly_world.sales())
    found = ways.fit(panel, Calendar.from_features(weekly_world.calendar()), (PROPHET,), cut_off, GIVEN)
    return {last_day: of_day[PROPHET] for last_day, of_day in found.items()}


def test_only_the_series_with_the_most_units_have_a_path(weekly_world: Any, fitted: dict[int, Paths]) -> None:
    for paths in fitted.values():
        assert list(paths.keys) == ["gebze/A04", "gebze/B05"]
        assert paths.days.shape == (2, 28 + GIVEN.path_days)


def test_the_path_follows_the_weekly_pattern_into_days_that_it_has_not_seen(
    weekly_world: Any, fitted: dict[int, Paths]
) -> None:
    paths = max(fitted.items())[1]
    origins = Origins.from_features(weekly_world.features([167]))
    said = paths.predict(origins, 28)
    actual = Panel.from_sales(weekly_world.sales()).after(origins.key, origins.day, 28)
    for row in (2, 5):  # the origins are sorted: A00, A02, A04, B01, B03, B05
        assert np.abs(said[row, :, 1] - actual[row]).sum() / actual[row].sum() < 0.12
        assert (said[row, :, 0] <= said[row, :, 1]).all()
    assert np.isnan(said[[0, 1, 3, 4]]).all(), "a series without a path has nothing"


def test_a_path_is_moved_half_the_way_to_the_level_of_the_last_days() -> None:
    values = np.full((1, 60), 100.0)
    paths = Paths(np.array(["s/p"], dtype=object), 0, values, np.full((1, 28), -10.0), np.full((1, 28), 20.0))
    origins = _origin(day_number=27, lags=np.full(28, 144.0))
    assert paths.predict(origins, 28)[0, 0] == pytest.approx([110, 120, 140])


def test_days_beyond_the_path_are_unknown() -> None:
    paths = Paths(np.array(["s/p"], dtype=object), 0, np.full((1, 40), 100.0), np.zeros((1, 28)), np.zeros((1, 28)))
    said = paths.predict(_origin(day_number=27, lags=np.full(28, 100.0)), 28)[0, :, 1]
    assert list(np.isnan(said)) == [False] * 12 + [True] * 16


def test_holidays_are_those_known_at_the_cut_off(weekly_world: Any) -> None:
    calendar = weekly_world.calendar()
    late = calendar["date"] == MAY_DAY
    calendar.loc[late, "available_at"] = pd.Timestamp("2025-04-01", tz="UTC")
    cut_offs = {d: pd.Timestamp(t, tz="UTC").value // 1000 for d, t in ((1, "2025-03-31"), (2, "2025-04-02"))}
    found = ways.occasions(Calendar.from_features(calendar), cut_offs)
    told = [pd.Timestamp(MAY_DAY) in set(found["gebze", d]["ds"]) for d in (1, 2)]
    assert told == [False, True]


def test_a_stored_path_is_the_same(fitted: dict[int, Paths], tmp_path: Path) -> None:
    paths = max(fitted.items())[1]
    paths.save(tmp_path / "prophet.npz")
    loaded = Paths.load(tmp_path / "prophet.npz")
    assert list(loaded.keys) == list(paths.keys)
    assert np.array_equal(loaded.days, paths.days)


def test_no_series_old_enough_is_no_trouble(weekly_world: Any, cut_off: dict[int, int]) -> None:
    panel, calendar = Panel.from_sales(weekly_world.sales()), Calendar.from_features(weekly_world.calendar())
    none = ways.fit(panel, calendar, (PROPHET,), cut_off, PathParameters(min_days=999))
    assert list(none.values()) == [{}, {}]


@pytest.mark.parametrize("method", [MSTL, ETS, THETA])
def test_a_statistical_path_follows_the_week(method: str) -> None:
    week = np.array([10.0, 20.0, 30.0, 20.0, 10.0, 5.0, 5.0])
    units = np.tile(week, 20) + np.random.default_rng(1).normal(0, 0.5, 140)
    units[50:53] = np.nan  # a gap is filled with the week before
    way = METHODS[method](units, 0, None, GIVEN, DAY)
    assert way is not None
    assert len(way.path) == 140 + GIVEN.path_days
    assert way.path[140:168] == pytest.approx(np.tile(week, 4), abs=3)
    assert (way.low <= 0).all()
    assert (way.high >= 0).all()


@pytest.mark.parametrize("method", [MSTL, ETS, THETA])
def test_a_series_that_never_sold_has_no_path(method: str) -> None:
    assert METHODS[method](np.zeros(140), 0, None, GIVEN, DAY) is None


def test_weeks_have_no_path_of_prophets(weekly_world: Any, cut_off: dict[int, int]) -> None:
    panel, calendar = Panel.from_sales(weekly_world.sales()), Calendar.from_features(weekly_world.calendar())
    found = ways.fit(panel, calendar, (PROPHET, ETS), cut_off, GIVEN, WEEK, 13)
    assert {tuple(of_day) for of_day in found.values()} == {(ETS,)}
    assert all(of_day[ETS].low.shape == (2, 13) for of_day in found.values())


def test_a_series_younger_than_the_path_reaches_back_is_unknown_before_it_began() -> None:
    rows = pd.DataFrame({"method": [ETS], "key": ["s/p"], "last_day": [19], "first_day": [0], "units": [[5.0] * 20]})
    found = ways.fit_some(rows, holidays={}, given=GIVEN, period=DAY, horizon=28)
    path = np.array(found["path"].iloc[0], dtype=float)
    assert len(path) == BACK + 1 + GIVEN.path_days
    assert np.isnan(path[: BACK + 1 - 20]).all()
    assert np.isfinite(path[BACK + 1 - 20 :]).all()


def _origin(day_number: int, lags: np.ndarray) -> Origins:
    text = np.array(["s"], dtype=object)
    return Origins(
        site=text,
        product=np.array(["p"], dtype=object),
        group=text,
        sub_group=text,
        day=np.array([day_number]),
        cut_off=np.array([0]),
        lags=lags[None, :],
        units=np.ones((1, 9)),
        year=np.ones((1, 4)),
        level=text,
        pure=np.ones((1, 6)),
    )
