"""The regression on the calendar: what it learns from promotions and the level, what it must not know, and how it is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import day
from models.demand.attribution import medians
from models.demand.calendar import Calendar, empty_calendar
from models.demand.design import Design
from models.demand.drivers import DRIVERS, HOLIDAY
from models.demand.ensemble import equal
from models.demand.folds import Data
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import LIGHTGBM, REGRESSION, RegressionParameters, parameters
from models.demand.periods import DAY, WEEK
from models.demand.regression import Regression
from models.demand.training import train

KINDS = ("promotion",)
GIVEN = RegressionParameters()
DAYS, LAST = 200, 199
UPLIFT = 2.0


def _promoted(number: int) -> bool:
    """Every third week, Monday to Wednesday: 203 to 205 are the first ones ahead of day 199."""
    return number // 7 % 3 == 2 and number % 7 < 3


@pytest.fixture(scope="module")
def promoted(make_weekly: Callable[..., Any], make_world: Callable[..., Any]) -> Any:
    """A weekly plant that sells twice as much in a promotion; the last product begins after its 150th day, in no promotion."""
    plain = make_weekly(days=DAYS, noise=0.05)
    factor = np.array([UPLIFT if _promoted(n) else 1.0 for n in range(DAYS)])
    return make_world(plain.products, plain.units * factor)


def _events(world: Any, days: int = 300) -> dict[date, tuple[str, str]]:
    return {world.day(n): ("promotion", "Autumn sale") for n in range(days) if _promoted(n)}


@pytest.fixture(scope="module")
def calendar(promoted: Any) -> Calendar:
    return Calendar.from_features(promoted.calendar(events=_events(promoted)))


@pytest.fixture(scope="module")
def origins(promoted: Any) -> Origins:
    return Origins.from_features(promoted.features([LAST]))


def _fit(world: Any, calendar: Calendar, origins: Origins, kinds: tuple[str, ...] = KINDS) -> Regression:
    return Regression.fit(Panel.from_sales(world.sales()), calendar, int(origins.cut_off.max()), kinds, DAY, GIVEN)


@pytest.fixture(scope="module")
def regression(promoted: Any, calendar: Calendar, origins: Origins) -> Regression:
    return _fit(promoted, calendar, origins)


def _ahead() -> np.ndarray:
    return np.array([_promoted(LAST + k) for k in range(1, 29)])


def test_a_promotion_ahead_is_forecast_as_the_past_ones_went(
    regression: Regression, origins: Origins, calendar: Calendar
) -> None:
    without = Calendar.from_features(empty_calendar())
    with_it = regression.predict(origins, calendar, 28)[..., 1][:, _ahead()]
    plain = regression.predict(origins, without, 28)[..., 1][:, _ahead()]
    assert np.median(with_it / plain) == pytest.approx(UPLIFT, rel=0.1)


def test_the_weekly_pattern_is_forecast_within_the_noise(
    promoted: Any, regression: Regression, origins: Origins, calendar: Calendar
) -> None:
    pattern = np.array([1.0, 1.1, 1.2, 1.1, 1.4, 0.5, 0.2])
    size = 20.0 * 2 ** np.arange(len(promoted.products)) * 1.2
    n = np.arange(LAST + 1, LAST + 29)
    truth = size[:, None] * pattern[n % 7] * np.where(_ahead(), UPLIFT, 1.0)
    rows = [promoted.products.index(p) for p in origins.product]
    said = regression.predict(origins, calendar, 28)[..., 1]
    assert np.abs(said / truth[rows] - 1).mean() < 0.06


def test_a_promotion_that_was_told_after_the_cut_off_is_not_known(
    promoted: Any, regression: Regression, origins: Origins, calendar: Calendar
) -> None:
    rows = promoted.calendar(events=_events(promoted))
    ahead = pd.to_datetime(rows["date"]) > pd.Timestamp(promoted.last)
    silent = promoted.calendar(events={d: e for d, e in _events(promoted).items() if d <= promoted.last})
    late = rows[ahead].assign(available_at=pd.Timestamp(promoted.last, tz="UTC") + pd.Timedelta(days=9))
    told_late = Calendar.from_features(pd.concat([silent, late], ignore_index=True))
    unaware = regression.predict(origins, Calendar.from_features(silent), 28)
    assert np.array_equal(regression.predict(origins, told_late, 28), unaware)
    assert not np.allclose(unaware, regression.predict(origins, calendar, 28))


def test_what_came_after_the_last_day_changes_no_weight(
    promoted: Any, make_world: Callable[..., Any], calendar: Calendar, regression: Regression, origins: Origins
) -> None:
    after = np.concatenate([promoted.units, promoted.units[:, :28] * 9], axis=1)
    longer = Panel.from_sales(make_world(promoted.products, after).sales()).until(day(promoted.last))
    again = Regression.fit(longer, calendar, int(origins.cut_off.max()), KINDS, DAY, GIVEN)
    assert np.array_equal(again.weights, regression.weights)


def test_a_young_series_has_the_others_promotions(promoted: Any, calendar: Calendar, origins: Origins) -> None:
    panel, last = Panel.from_sales(promoted.sales()), promoted.products[-1]
    row = int(panel.rows_of(np.array([f"gebze/{last}"], dtype=object))[0])
    panel.units[row, :100] = np.nan
    panel.units[row, [_promoted(n) for n in range(DAYS)]] = np.nan  # it was never sold in a promotion
    fitted = Regression.fit(panel, calendar, int(origins.cut_off.max()), KINDS, DAY, GIVEN)
    mine = origins.take(origins.product == last)
    with_it, plain = (fitted.predict(mine, c, 28)[..., 1] for c in (calendar, Calendar.from_features(empty_calendar())))
    assert np.median((with_it / plain)[:, _ahead()]) > 1.6


def test_the_level_follows_the_latest_weeks(regression: Regression, origins: Origins, calendar: Calendar) -> None:
    doubled = replace(origins, lags=origins.lags * 2)
    ratio = regression.predict(doubled, calendar, 28)[..., 1] / regression.predict(origins, calendar, 28)[..., 1]
    assert np.median(ratio) == pytest.approx(1.85, abs=0.1)


def test_the_unit_of_measure_does_not_matter(
    make_world: Callable[..., Any], promoted: Any, calendar: Calendar, origins: Origins, regression: Regression
) -> None:
    kilos = make_world(promoted.products, promoted.units * 1000)
    said = _fit(kilos, calendar, origins).predict(Origins.from_features(kilos.features([LAST])), calendar, 28)
    assert said / 1000 == pytest.approx(regression.predict(origins, calendar, 28), rel=1e-6)


def test_a_series_with_too_little_history_is_left_to_others(
    promoted: Any, calendar: Calendar, make_world: Callable[..., Any]
) -> None:
    young = promoted.recent(GIVEN.min_days - 1)
    origins = Origins.from_features(young.features([GIVEN.min_days - 2]))
    assert np.isnan(_fit(young, calendar, origins).predict(origins, calendar, 28)).all()


def test_weeks_have_neither_weekdays_nor_months() -> None:
    of_weeks, of_days = (Design(period, KINDS, 0, False) for period in (WEEK, DAY))
    assert of_weeks.terms.count("season") == 0
    assert of_days.terms.count("season") == 12


def test_every_column_has_its_term(calendar: Calendar, promoted: Any) -> None:
    for period, of_years in ((DAY, False), (DAY, True), (WEEK, True)):
        design = Design(period, KINDS, 0, of_years)
        made = design.rows(calendar, np.array(["gebze"], dtype=object), np.arange(5)[None], np.zeros(1, np.int64))
        assert made.shape == (1, 5, len(design.terms))


def test_it_is_the_same_after_it_was_stored(
    regression: Regression, origins: Origins, calendar: Calendar, tmp_path: Path
) -> None:
    regression.save(tmp_path / "regression.npz")
    again = Regression.load(tmp_path / "regression.npz")
    assert np.array_equal(again.predict(origins, calendar, 28), regression.predict(origins, calendar, 28))


@pytest.fixture(scope="module")
def trained(promoted: Any, calendar: Calendar) -> Any:
    data = Data(
        Origins.from_features(promoted.features(list(range(60, DAYS)))),
        calendar,
        Panel.from_sales(promoted.sales()),
        day(promoted.last),
    )
    members = ["seasonal_naive", LIGHTGBM, REGRESSION]
    return train(
        data,
        parameters({"members": members, "threads": 1, "max_rows": 5_000, "trees": {"rounds": 20, "tail_rounds": 20}}),
    )


def test_it_has_a_weight_where_promotions_tell(trained: Any) -> None:
    assert trained.model.blend.weights[:, trained.model.blend.members.index(REGRESSION)].max() > 0.2


def test_its_drivers_add_up_and_a_promotion_is_a_holidays(trained: Any, origins: Origins, calendar: Calendar) -> None:
    model = trained.model
    members = (REGRESSION,)
    alone = type(model)(model.parameters, model.last_day, model.members, equal(members), model.floor, None)
    said = alone.quantiles(origins, calendar)[..., 1]
    pieces = medians(alone, origins, calendar, said)
    assert pieces.sum(axis=-1) == pytest.approx(said, rel=1e-9)
    share = pieces[..., DRIVERS.index(HOLIDAY)] / said
    assert share[:, _ahead()].mean() == pytest.approx(0.5, abs=0.05)
    assert np.abs(share[:, ~_ahead()][:, 8:]).mean() < 0.05
