"""The supervised frame: what a member may see, and that nothing from after the cut-off is in it."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import day
from models.demand.calendar import Calendar, empty_calendar
from models.demand.frame import Frame, build, build_all, digest
from models.demand.origins import Origins
from models.demand.vocabulary import Vocabulary

ORIGIN = 120


@pytest.fixture(scope="module")
def features(weekly_world: Any) -> pd.DataFrame:
    return weekly_world.features([ORIGIN])


def _frame(features: pd.DataFrame, calendar: pd.DataFrame, words_of: pd.DataFrame | None = None) -> Frame:
    origins, days = Origins.from_features(features), Calendar.from_features(calendar)
    learned = days if words_of is None else Calendar.from_features(words_of)
    return build_all(origins, days, Vocabulary.learn(origins, learned), 28)


def test_same_weekdays_of_each_horizon_are_the_last_four_of_that_weekday(
    weekly_world: Any, features: pd.DataFrame
) -> None:
    origins = Origins.from_features(features)
    frame = _frame(features, weekly_world.calendar())
    units = weekly_world.units[0]
    for horizon in (1, 6, 7, 8, 28):
        row = np.flatnonzero((frame.origin == 0) & (frame.horizon == horizon))[0]
        target = ORIGIN + horizon
        last = max(d for d in range(target, ORIGIN - 7, -7) if d <= ORIGIN)
        for week in range(4):
            seen = frame.column(f"same_weekday_{week + 1}/scale")[row]
            assert seen == pytest.approx(units[last - 7 * week] / origins.scale[0], rel=1e-6)


def test_last_years_week_is_that_of_the_horizon(weekly_world: Any, features: pd.DataFrame) -> None:
    given = features.assign(**{f"units_mean_7_lag_{k}": float(k) for k in (357, 350, 343, 336)})
    frame = _frame(given, weekly_world.calendar())
    scale = Origins.from_features(given).scale[0]
    seen = frame.column("last_year_week/scale")[:28] * scale
    assert seen == pytest.approx(np.repeat([357.0, 350.0, 343.0, 336.0], 7), rel=1e-5)


def test_the_frame_has_no_size(weekly_world: Any, features: pd.DataFrame) -> None:
    pieces = [c for c in features if c.startswith("units_") and c != "units_zero_share_28"]
    tons = features.assign(**{c: features[c] / 1000 for c in pieces})
    small, large = (_frame(f, weekly_world.calendar()) for f in (tons, features))
    sized = small.names.index("log_scale")
    keep = [j for j in range(len(small.names)) if j != sized]
    assert small.x[:, keep] == pytest.approx(large.x[:, keep], rel=1e-5, nan_ok=True)


def test_nothing_after_the_cut_off_is_in_the_inputs(weekly_world: Any, make_world: Any, features: pd.DataFrame) -> None:
    """A world with another future gives the same frame: the inputs cannot know it."""
    units = weekly_world.units.copy()
    units[:, ORIGIN + 1 :] = 9e6
    other = make_world(weekly_world.products, units)
    given, changed = (_frame(w.features([ORIGIN]), w.calendar()) for w in (weekly_world, other))
    assert digest(given.x) == digest(changed.x)


def test_a_holiday_that_became_known_after_the_cut_off_is_not_seen(weekly_world: Any, features: pd.DataFrame) -> None:
    calendar = weekly_world.calendar()
    strike = weekly_world.day(ORIGIN + 3)
    told = pd.Timestamp(weekly_world.day(ORIGIN + 2), tz="UTC")
    of_day = calendar["date"] == strike
    later = calendar[of_day].assign(available_at=told, is_holiday=True, holiday="Strike")
    known = _frame(features, calendar)
    assert digest(_frame(features, pd.concat([calendar, later]), calendar).x) == digest(known.x)
    earlier = later.assign(available_at=pd.Timestamp(weekly_world.day(ORIGIN), tz="UTC"))
    seen = _frame(features, pd.concat([calendar, earlier]), calendar)
    assert (seen.column("is_holiday") - known.column("is_holiday")).sum() == len(features)


@pytest.mark.parametrize(
    ("cut_off", "row"),
    [("2026-01-01 05:59", -1), ("2026-01-01 06:00", 0), ("2026-02-01 05:00", 0), ("2026-02-01 06:00", 1)],
)
def test_the_version_of_a_day_is_the_newest_known_at_the_cut_off(weekly_world: Any, cut_off: str, row: int) -> None:
    day_of = weekly_world.calendar().iloc[[5]]
    versions = [day_of.assign(available_at=pd.Timestamp(t, tz="UTC")) for t in ("2026-02-01 06:00", "2026-01-01 06:00")]
    calendar = Calendar.from_features(pd.concat(versions))
    moment = np.array([pd.Timestamp(cut_off).value // 1000])
    assert calendar.find(np.array([0]), np.array([day(day_of["date"].iloc[0])]), moment)[0] == row


def test_a_day_that_the_calendar_does_not_have_is_unknown(weekly_world: Any, features: pd.DataFrame) -> None:
    frame = _frame(features, empty_calendar())
    assert np.isnan(frame.column("is_holiday")).all()
    assert list(frame.column("weekday")[:7]) == [(ORIGIN + h) % 7 for h in range(1, 8)]


def test_a_product_that_was_not_there_in_training_is_unknown_and_not_another(
    weekly_world: Any, features: pd.DataFrame
) -> None:
    origins, days = Origins.from_features(features), Calendar.from_features(weekly_world.calendar())
    words = Vocabulary.learn(origins.take(np.arange(1, len(origins))), days)
    frame = build(origins, days, words, np.array([0, 1]), np.array([1, 1]))
    assert list(np.isnan(frame.column("product"))) == [True, False]


def test_month_ends_are_told_for_leap_years_too(make_weekly: Any) -> None:
    world = make_weekly(products=1, days=40)
    shifted = type(world)(world.products, world.units, first=date(2024, 1, 20))
    frame = _frame(shifted.features([39]), shifted.calendar())  # the origin is 2024-02-28
    assert list(frame.column("days_to_month_end")[:2]) == [0.0, 30.0]


def test_a_plant_that_stood_still_does_not_blow_up_the_scale(make_world: Any) -> None:
    units = np.concatenate([np.full(120, 50.0), np.zeros(40)])
    origins = Origins.from_features(make_world(("A",), units[None, :]).features([159]))
    assert origins.scale[0] == pytest.approx(16 * 50 / 56)
