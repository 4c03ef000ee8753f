"""AutoGluon as a member: what it is given is what was known, and without its packages it is told what to install."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand import autogluon, training
from models.demand.arrays import day
from models.demand.autogluon import AutoGluon, AutoGluonMissing, Known, onward
from models.demand.calendar import Calendar, empty_calendar
from models.demand.members import Members
from models.demand.panel import Panel
from models.demand.parameters import AUTOGLUON, ParameterError, parameters
from models.demand.periods import WEEK
from models.demand.windows import origins_at

SMALL = {
    "models": ["SeasonalNaive"],
    "max_series": 4,
}  # the others take a minute of a busy core to come to their first fit
needs_autogluon = pytest.mark.skipif(
    importlib.util.find_spec("autogluon") is None, reason="AutoGluon is not installed: `make autogluon`"
)


def _given(**more: Any) -> Any:
    return parameters({"members": [AUTOGLUON], "threads": 1, "autogluon": SMALL, **more})


def _fitted(data: Any, last_day: int) -> Members:
    clock, words = training.Clock(lambda _: None), training.Vocabulary.learn(data.origins, data.calendar)
    return training.fitted(data, last_day, (AUTOGLUON,), words, {}, _given(), clock)


@pytest.fixture(scope="module")
def members(small_data: Any) -> Members:
    """Fitted two weeks before the last day, on the four largest of six series."""
    return _fitted(small_data, small_data.last_day - 14)


def _tonight(data: Any) -> Any:
    return data.origins.take(data.origins.day == data.last_day)


def _said(members: Members, data: Any) -> np.ndarray:
    return members.stack((AUTOGLUON,), _tonight(data), data.calendar)[..., 0]  # noqa: PD013  no frame


@needs_autogluon
def test_it_follows_the_week_of_the_largest_series_and_says_nothing_of_the_others(
    members: Members, small_data: Any, weekly_world: Any
) -> None:
    origins = _tonight(small_data)
    said = _said(members, small_data)
    silent = np.isnan(said).all(axis=(1, 2))
    assert set(origins.product[silent]) == set(weekly_world.products[:2])
    usual = np.tile(origins.weekday_mean, (1, 4))[~silent]
    assert np.abs(said[~silent][..., 1] / usual - 1).mean() < 0.15


@needs_autogluon
def test_a_stored_one_says_the_same(members: Members, small_data: Any, tmp_path: Path) -> None:
    members.save(tmp_path)
    assert np.array_equal(_said(Members.load(tmp_path), small_data), _said(members, small_data), equal_nan=True)


@needs_autogluon
def test_series_that_are_too_short_make_no_member(small_data: Any) -> None:
    assert _fitted(small_data, small_data.panel.first_day + 80).autogluon is None


def test_what_came_after_the_fit_is_taken_from_the_lags(small_data: Any) -> None:
    panel, origins = small_data.panel, _tonight(small_data)
    row = panel.rows_of(origins.key)
    month_old = onward(panel.until(panel.last_day - 20), row, origins, panel.last_day)
    assert np.array_equal(month_old, panel.units[row])


def test_between_the_fit_and_the_lags_are_the_means_of_the_weekdays(small_data: Any) -> None:
    panel, origins = small_data.panel, _tonight(small_data)
    row = panel.rows_of(origins.key)
    older = onward(panel.until(panel.last_day - 60), row, origins, panel.last_day)
    between = slice(-60, -28)
    assert np.array_equal(older[:, -28:], panel.units[row][:, -28:])
    assert older[:, between] == pytest.approx(panel.units[row][:, between], rel=0.45)


def test_a_day_is_as_its_site_knew_it_at_the_cut_off(small_data: Any, weekly_world: Any) -> None:
    rows = weekly_world.calendar(events={weekly_world.day(205): ("campaign", "May")})
    rows.loc[rows["events"].map(len) > 0, "available_at"] = pd.Timestamp("2025-07-26", tz="UTC")
    ahead = day(weekly_world.day(205))

    def of(origins: Any) -> float:
        known = Known.of(Calendar.from_features(rows), origins, ("kind campaign",), ahead, ahead)
        return float(known.at(np.array(["gebze"], dtype=object), np.array([ahead]))[0, 0])

    origins = _tonight(small_data)
    assert of(origins) == 0.0
    later = int(pd.Timestamp("2025-07-27", tz="UTC").value // 1000)
    assert of(replace(origins, cut_off=np.full(len(origins), later))) == 1.0


def test_where_it_is_not_installed_one_line_says_what_to_do(
    small_data: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(AutoGluonMissing, match=r"^AutoGluon is not installed: run `make autogluon` \(7 GB\)"):
        autogluon.check()
    with pytest.raises(AutoGluonMissing):
        _fitted(small_data, small_data.last_day)
    panel = small_data.panel
    stored = AutoGluon(
        tmp_path,
        small_data.origins.period,
        panel,
        Known.of(small_data.calendar, small_data.origins, (), panel.first_day, panel.last_day),
        7,
    )
    with pytest.raises(AutoGluonMissing):
        stored.predict(_tonight(small_data), small_data.calendar, 28)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"challenger": "lstm"}, "challenger='lstm': autogluon, or leave it out"),
        ({"autogluon": {"models": ["Chronos2"]}}, "Chronos2 fetches its weights at run time"),
        ({"autogluon": {"seconds": 0}}, "autogluon.seconds=0: give at least 1"),
        ({"autogluon": {"preset": "best"}}, "autogluon.preset: no such parameter; there are models, seconds"),
    ],
)
def test_a_bad_parameter_is_told(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        parameters(given)


def test_the_second_model_has_the_floors_and_the_challenger_alone() -> None:
    rival = parameters({"challenger": AUTOGLUON}).rival
    assert rival.members == ("seasonal_naive", "history", "autogluon")
    assert rival.rival is None
    assert parameters({}).rival is None


@needs_autogluon
def test_of_weeks_without_a_calendar_it_speaks_too() -> None:
    units = 50 + np.random.default_rng(1).normal(0, 1, (3, 90))
    panel = Panel(np.array(["gebze/A", "gebze/B", "gebze/C"], dtype=object), 2700, units)
    series = pd.DataFrame({"site": "gebze", "product": ["A", "B", "C"], "product_group": "", "product_sub_group": ""})
    rows = np.arange(3)
    origins = origins_at(panel, series.assign(level=""), rows, np.full(3, panel.last_day), WEEK, 13)
    nothing = Calendar.from_features(empty_calendar())
    given = parameters({"period": "week", "autogluon": SMALL}).autogluon
    member = AutoGluon.fit(panel, origins, nothing, given, period=WEEK, kinds=(), horizon=13, seed=1, threads=1)
    assert member is not None
    assert member.predict(origins, nothing, 13)[..., 1] == pytest.approx(np.full((3, 13), 50), abs=5)


@needs_autogluon
def test_where_it_comes_to_no_model_in_its_time_it_says_what_to_do(
    small_data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autogluon.timeseries import TimeSeriesPredictor

    monkeypatch.setattr(TimeSeriesPredictor, "fit", lambda *_, **__: None)
    monkeypatch.setattr(TimeSeriesPredictor, "model_names", lambda _: [])
    says = "fitted none of SeasonalNaive to 4 series in 600 s: give it more `autogluon.seconds`"
    with pytest.raises(ValueError, match=says):
        _fitted(small_data, small_data.last_day)
