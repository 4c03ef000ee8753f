"""The nearest past cases: nights like this one, and what was sold after them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import days, to_date
from models.demand.calendar import Calendar, empty_calendar
from models.demand.cases import AHEAD, APART, LONGER, WEEK, nearest, nights

NIGHT = 20_000
WEEKS = 40


def _features(weekly: dict[str, Any], **more: Any) -> pd.DataFrame:
    """A row a week and product; the last value of each list ends with the night."""
    rows = [
        {"site": "gebze", "product": product, "date": to_date(NIGHT - WEEK * back), "units_mean_7": value}
        for product, values in weekly.items()
        for back, value in enumerate(reversed(list(values)))
    ]
    plain = {"product_group": "pumps", "unit_price_ratio_28": 1.0, "promotion_share_28": 0.0}
    return pd.DataFrame(rows).assign(**plain | more)


def _nothing_known() -> Calendar:
    return Calendar.from_features(empty_calendar())


def _wave(n: int = WEEKS + AHEAD + LONGER) -> np.ndarray:
    """A jump every 13 weeks, two weeks before the night too."""
    back = np.arange(n)[::-1]
    return np.where(back % 13 == 2, 30.0, 10.0)


def test_the_grid_is_every_seventh_day_up_to_the_night() -> None:
    grid = nights(NIGHT, WEEKS)
    assert grid[-1] == NIGHT
    assert set(np.diff(grid)) == {WEEK}


def test_the_nearest_cases_are_the_nights_with_the_same_shape() -> None:
    keys, cases = nearest(_features({"pump": _wave()}), _nothing_known(), NIGHT, WEEKS)
    assert keys.tolist() == ["gebze/pump"]
    assert sorted((NIGHT - cases.near[0]) // WEEK) == [13, 26, 39]


def test_a_case_tells_what_was_sold_after_it_at_todays_level() -> None:
    units = _wave()
    units[-15:] *= 2  # today's level is twice that of the case 26 weeks ago
    _, cases = nearest(_features({"pump": units}), _nothing_known(), NIGHT, WEEKS)
    row = {(NIGHT - n) // WEEK: k for k, n in enumerate(cases.near[0])}
    assert cases.units[0, row[26]].tolist() == [7 * 20.0] * AHEAD


def test_no_case_rests_on_days_after_the_night() -> None:
    _, cases = nearest(_features({"pump": _wave()}), _nothing_known(), NIGHT, WEEKS)
    assert (cases.near[0] + AHEAD * WEEK <= NIGHT).all()


def test_cases_lie_weeks_apart() -> None:
    chance = np.random.default_rng(2)
    _, cases = nearest(_features({"pump": 20 + chance.normal(0, 3, 56)}), _nothing_known(), NIGHT, WEEKS)
    assert np.diff(np.sort(cases.near[0])).min() >= APART * WEEK


def test_a_young_series_is_given_cases_of_its_group() -> None:
    rows = _features({"old": _wave(), "young": _wave(6)})
    keys, cases = nearest(rows, _nothing_known(), NIGHT, WEEKS)
    assert set(cases.key[keys.tolist().index("gebze/young")]) == {"gebze/old"}


def test_a_series_of_which_nothing_is_known_before_has_none() -> None:
    _, cases = nearest(_features({"new": [5.0]}), _nothing_known(), NIGHT, WEEKS)
    assert (cases.near == -1).all()
    assert cases.records(0) == []


def test_a_holiday_ahead_makes_the_case_with_a_holiday_ahead_the_nearest() -> None:
    """All weeks are alike but for a holiday in the second week after 20 weeks ago, and after the night."""
    off = [NIGHT - 20 * WEEK + 10, NIGHT + 10]
    calendar = pd.DataFrame(
        {
            "site": "gebze",
            "date": [to_date(n) for n in range(NIGHT - 500, NIGHT + 30)],
            "available_at": pd.Timestamp("2000-01-01", tz="UTC"),
            **dict.fromkeys(empty_calendar().columns[3:-3], 0),
            "holiday": None,
            "event_kinds": [[]] * 530,
            "events": [[]] * 530,
        }
    )
    calendar["is_holiday"] = np.isin(days(calendar["date"]), off)
    _, cases = nearest(_features({"pump": [10.0] * 56}), Calendar.from_features(calendar), NIGHT, WEEKS)
    assert NIGHT - cases.near[0, 0] == 20 * WEEK


@pytest.mark.parametrize("column", ["unit_price_ratio_28", "promotion_share_28"])
def test_the_price_and_promotions_of_then_count(column: str) -> None:
    rows = _features({"pump": [10.0] * 56})
    back = (NIGHT - days(rows["date"])) // WEEK
    rows[column] = np.where(np.isin(back, [0, 22]), 0.7, rows[column])
    _, cases = nearest(rows, _nothing_known(), NIGHT, WEEKS)
    assert NIGHT - cases.near[0, 0] == 22 * WEEK
