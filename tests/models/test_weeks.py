"""Weeks: their numbers and dates, their defaults, their calendar, and a model of them asked of days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import day
from models.demand.calendar import FLAGS, Calendar
from models.demand.fallback import NAIVE, SHORT
from models.demand.forecast import forecast_of
from models.demand.model import OtherPeriod
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import ParameterError, parameters
from models.demand.periods import DAY, WEEK
from models.demand.windows import origins_at

MONDAY = date(2025, 4, 21)  # with Children's Day on the Wednesday


def _origins(weeks: int, horizon: int = 13) -> Origins:
    units = np.tile([10.0, 20.0, 30.0, 20.0], 60)[None, :weeks] * np.ones((2, 1))
    first = WEEK.of(day(MONDAY)) - weeks + 1
    panel = Panel(np.array(["gebze/a", "gebze/b"], dtype=object), first, units)
    series = pd.DataFrame(
        {"site": "gebze", "product": ["a", "b"], "product_group": "", "product_sub_group": "", "level": ""}
    )
    at = np.full(2, first + weeks - 1)
    return origins_at(panel, series, np.arange(2), at, WEEK, horizon)


def test_a_week_is_monday_to_sunday() -> None:
    number = WEEK.of(day(MONDAY))
    assert [WEEK.of(day(MONDAY + timedelta(days=n))) - number for n in (-1, 0, 6, 7)] == [-1, 0, 0, 1]
    assert WEEK.end(number) == date(2025, 4, 27)
    assert (DAY.of(7), DAY.first(7), DAY.last(7)) == (7, 7, 7)


@pytest.mark.parametrize(("after_monday", "over"), [(0, -1), (5, -1), (6, 0), (7, 0)])
def test_a_week_is_over_with_its_sunday(after_monday: int, over: int) -> None:
    assert WEEK.over(day(MONDAY) + after_monday) == WEEK.of(day(MONDAY)) + over


def test_a_week_is_the_last_one_until_the_saturday_after_it_and_a_day_until_its_end() -> None:
    number = WEEK.of(day(MONDAY))
    assert WEEK.until(number) == day(MONDAY) + 12
    assert {n for n in range(day(MONDAY), day(MONDAY) + 30) if WEEK.over(n) == number} == set(
        range(day(MONDAY) + 6, day(MONDAY) + 13)
    )
    assert DAY.until(7) == 7


def test_weeks_have_defaults_of_their_own_and_what_is_said_counts() -> None:
    given = parameters({"period": "week", "paths": {"max_series": 3}})
    assert (given.horizon, given.fold_days, given.history_days) == (13, 13, 260)
    assert (given.paths.max_series, given.paths.path_days) == (3, 65)
    assert "prophet" not in given.members
    assert parameters({}).horizon == 28
    assert parameters(given.to_dict()) == given, "a manifest holds them whole"


@pytest.mark.parametrize("period", ["day", "week"])
def test_a_fold_is_as_long_as_the_horizon(period: str) -> None:
    assert parameters({"period": period, "horizon": 20}).fold_days == 20
    assert parameters({"period": period, "horizon": 20, "fold_days": 5}).fold_days == 5


def test_prophet_is_refused_for_weeks() -> None:
    with pytest.raises(ParameterError, match="prophet knows days alone; leave it out for weeks"):
        parameters({"period": "week", "members": ["seasonal_naive", "prophet"]})


def test_a_weeks_calendar_is_that_of_its_days(weekly_world: Any) -> None:
    events = {MONDAY + timedelta(days=n): ("campaign", "Sale") for n in (3, 4)}
    weeks = Calendar.from_features(weekly_world.calendar(events=events)).in_periods(WEEK)
    row = weeks.find(np.array([0]), np.array([WEEK.of(day(MONDAY))]), np.array([2**62]))
    numbers = dict(zip((*FLAGS, "days_to_holiday", "days_since_holiday"), weeks.numbers[row[0]], strict=True))
    assert numbers["is_holiday"] == pytest.approx(1 / 7)
    assert numbers["is_weekend"] == pytest.approx(2 / 7)
    assert (numbers["days_to_holiday"], numbers["days_since_holiday"]) == (0, 0)
    assert weeks.kind_share[row[0], weeks.kinds.index("campaign")] == pytest.approx(2 / 7)
    assert weeks.occasions[weeks.occasion[row[0]]] == "Sale"
    assert set(weeks.names[row[0]]) == {"Children's Day", "Sale"}
    before = weeks.find(np.array([0]), np.array([WEEK.of(day(MONDAY)) - 1]), np.array([2**62]))
    assert weeks.occasion[before[0]] == -1


def test_a_week_knows_of_an_event_from_when_one_of_its_days_does(weekly_world: Any) -> None:
    rows = weekly_world.calendar()
    told = pd.Timestamp("2025-04-10", tz="UTC")
    news = rows[rows["date"] == MONDAY].assign(available_at=told, event_kinds=[["campaign"]], events=[["Sale"]])
    weeks = Calendar.from_features(pd.concat([rows, news])).in_periods(WEEK)
    number, kind = np.array([WEEK.of(day(MONDAY))]), weeks.kinds.index("campaign")
    at = int(told.value // 1000)
    shares = [weeks.kind_share[weeks.find(np.array([0]), number, np.array([t]))[0], kind] for t in (at - 1, at)]
    assert shares == [0, pytest.approx(1 / 7)]


def test_without_a_champion_weeks_have_seasonal_naive(weekly_world: Any) -> None:
    calendar = Calendar.from_features(weekly_world.calendar()).in_periods(WEEK)
    rows = forecast_of(_origins(40), calendar, None, 13)
    a = rows[rows["product"] == "a"]
    assert a["horizon"].tolist() == list(range(1, 14))
    assert a["date"].tolist() == [MONDAY + timedelta(weeks=n) for n in range(1, 14)]
    assert set(rows["period"]) == {"week"}
    assert set(rows["method"]) == {NAIVE}
    assert set(a["units_q50"]) == {20.0}, "the last week again"


def test_a_series_of_a_few_weeks_says_that_it_is_too_young(weekly_world: Any) -> None:
    calendar = Calendar.from_features(weekly_world.calendar()).in_periods(WEEK)
    rows = forecast_of(_origins(8), calendar, None, 5)
    assert set(rows["method"]) == {SHORT}
    assert set(rows["fallback_reason"]) == {"first sold 8 weeks ago, a model needs 13"}
    assert set(rows["units_q50"]) == {20.0}
    assert len(rows) == 2 * 5


def test_a_model_of_days_is_not_asked_of_weeks(small_training: Any, weekly_world: Any) -> None:
    calendar = Calendar.from_features(weekly_world.calendar()).in_periods(WEEK)
    with pytest.raises(OtherPeriod, match="the model counts days, the series weeks: train again"):
        forecast_of(_origins(40), calendar, small_training.model)
