"""What drives a forecast: pieces that add up to the median, each with its driver."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.demand.arrays import day
from models.demand.attribution import medians, repeated_weeks
from models.demand.calendar import Calendar
from models.demand.drivers import DRIVERS, HIERARCHY, HOLIDAY, LEVEL, OTHER, SEASON, TREND, driver_of
from models.demand.ensemble import equal
from models.demand.frame import build_all, column_names
from models.demand.leaves import leaf_pieces, walked
from models.demand.lstm import Lstm, inputs
from models.demand.origins import Origins
from models.demand.parameters import PathParameters
from models.demand.paths import fit
from models.demand.periods import DAY, WEEK
from models.demand.training import train

LAST = 199


@pytest.fixture(scope="module")
def night(weekly_world: Any) -> tuple[Origins, Calendar]:
    return Origins.from_features(weekly_world.features([LAST])), Calendar.from_features(weekly_world.calendar())


def _network(words: Any, night: Any) -> Lstm:
    """A network that has learned nothing: its numbers are drawn."""
    chance = np.random.default_rng(5)
    seen = inputs(*night, words, 28)
    past, static, future = (a.shape[-1] for a in (seen.past, seen.static, seen.future))
    shapes = {
        **{f"{name}_mean": (n,) for name, n in (("past", past), ("static", static), ("future", future))},
        **{f"{name}_std": (n,) for name, n in (("past", past), ("static", static), ("future", future))},
        "kernel": (past, 16),
        "recurrent": (4, 16),
        "bias": (16,),
        "context_w": (4 + static, 5),
        "context_b": (5,),
        "hidden_w": (5 + future, 6),
        "hidden_b": (6,),
        "out_w": (6, 3),
        "out_b": (3,),
    }
    drawn = {name: chance.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    return Lstm(**{name: np.abs(v) + 1 if name.endswith("_std") else v for name, v in drawn.items()})


@pytest.fixture(scope="module")
def whole(small_training: Any, small_data: Any, night: Any) -> Any:
    """A model in which four kinds of members have the same say."""
    trained = small_training.model
    ways = fit(small_data.panel, small_data.calendar, ("theta",), {small_data.last_day: 2**62}, PathParameters())
    network = _network(trained.members.words, night)
    members = replace(trained.members, lstm=network, paths=ways[small_data.last_day])
    return replace(trained, members=members, blend=equal(members.names))


def test_every_column_of_the_frame_has_a_driver(small_training: Any) -> None:
    words = replace(small_training.model.members.words, kinds=("campaign",), factors=("temperature",))
    assert {driver_of(name) for name in column_names(words)} == set(DRIVERS) - {LEVEL, HIERARCHY}


def test_the_latest_weeks_are_the_trend_of_weeks_and_the_same_weekdays_the_season_of_days() -> None:
    assert [driver_of("same_weekday_1/scale", counts) for counts in (DAY, WEEK)] == [SEASON, TREND]
    assert [driver_of("last_year_week/scale", counts) for counts in (DAY, WEEK)] == [SEASON, SEASON]


def test_a_column_unknown_is_told() -> None:
    with pytest.raises(KeyError, match="moon"):
        driver_of("moon")


def test_the_pieces_add_up_to_the_median(small_training: Any, night: Any) -> None:
    said = small_training.model.quantiles(*night)[..., 1]
    pieces = medians(small_training.model, *night, said)
    assert pieces.shape == (6, 28, len(DRIVERS))
    assert np.abs(pieces.sum(axis=-1) - said).max() < 1e-6


@pytest.mark.parametrize("name", ["seasonal_naive", "lightgbm", "lstm", "theta"])
def test_each_members_pieces_add_up_to_its_median(whole: Any, night: Any, name: str) -> None:
    alone = replace(whole, blend=equal((name,)))
    said = whole.members.stack((name,), *night)[:, :, 1, 0]
    explained = medians(alone, *night, said)
    moved = medians(alone, *night, said + 5.0)
    other = DRIVERS.index(OTHER)
    assert np.allclose(np.delete(explained, other, axis=-1), np.delete(moved, other, axis=-1))
    assert np.abs(explained.sum(axis=-1) - said).max() < 1e-4
    if name in ("seasonal_naive", "theta"):
        assert np.abs(explained[..., other]).max() < 1e-9, "nothing is left over"


def test_weights_share_out_the_members_pieces(whole: Any, night: Any) -> None:
    said = np.zeros((6, 28))
    each = [medians(replace(whole, blend=equal((m,))), *night, said) for m in whole.blend.members]
    mixed = medians(whole, *night, said)
    other = DRIVERS.index(OTHER)
    assert np.allclose(np.delete(mixed, other, axis=-1), np.delete(np.mean(each, axis=0), other, axis=-1))


def test_a_walk_through_the_trees_adds_up_to_their_raw_prediction(small_training: Any, night: Any) -> None:
    model = small_training.model.members
    frame = build_all(*night, model.words, 28)
    booster = model.trees.boosters[1]
    pieces = walked(booster, leaf_pieces(booster, frame.names), frame.x)
    assert np.abs(pieces.sum(axis=1) - booster.predict(frame.x)).max() < 1e-9


def test_a_walk_tells_much_the_same_as_treeshap(small_training: Any, night: Any) -> None:
    model = small_training.model.members
    frame = build_all(*night, model.words, 28)
    booster = model.trees.boosters[1]
    pieces = walked(booster, leaf_pieces(booster, frame.names), frame.x)
    shap = np.zeros_like(pieces)
    by_column = booster.predict(frame.x, pred_contrib=True)[:, :-1]
    for position, name in enumerate(frame.names):
        shap[:, DRIVERS.index(driver_of(name))] += by_column[:, position]
    for driver in (SEASON, TREND):
        at = DRIVERS.index(driver)
        assert np.corrcoef(pieces[:, at], shap[:, at])[0, 1] > 0.8


def test_level_is_the_mean_of_the_last_28_days_and_season_knows_the_weekday(small_training: Any, night: Any) -> None:
    said = small_training.model.quantiles(*night)[..., 1]
    pieces = medians(small_training.model, *night, said)
    assert np.allclose(pieces[:, :, 0], night[0].lags.mean(axis=1, keepdims=True))
    weekday = (night[0].day[0] + np.arange(1, 29) + 3) % 7
    season = pieces[..., DRIVERS.index(SEASON)] / pieces[..., 0]
    assert season[:, weekday == 4].mean() > 0.2  # 1.4 of 0.99 by the world's formula
    assert season[:, weekday == 6].mean() < -0.5  # 0.2 of 0.99


def test_without_an_event_ahead_or_behind_a_network_and_a_path_owe_nothing_to_holidays(whole: Any, night: Any) -> None:
    for name in ("lstm", "theta"):
        pieces = medians(replace(whole, blend=equal((name,))), *night, np.zeros((6, 28)))
        assert np.abs(pieces[..., DRIVERS.index(HOLIDAY)]).max() < 1e-4


def test_a_holiday_ahead_moves_its_days_alone(make_world: Any, data_of: Any, small_parameters: Any) -> None:
    """Nothing is sold on days with an event: once the model knows, it is the event that takes the units away."""
    chance = np.random.default_rng(3)
    units = 20 + chance.normal(0, 1, (4, 280))
    world = make_world(("A0", "A1", "B0", "B1"), units)
    shut = {world.day(n): ("shutdown", "Shutdown") for n in [*range(9, 280, 17), 290]}
    for when in shut:
        if (number := (when - world.first).days) < 280:
            units[:, number] = 0.0
    data = replace(data_of(world), calendar=Calendar.from_features(world.calendar(events=shut)))
    model = train(data, small_parameters).model
    origins = Origins.from_features(world.features([279]))
    said = model.quantiles(origins, data.calendar)[..., 1]
    holiday = medians(model, origins, data.calendar, said)[..., DRIVERS.index(HOLIDAY)]
    ahead = day(world.day(290)) - day(world.last) - 1
    assert holiday[:, ahead].max() < -10
    same_weekday_was_shut = np.arange(264 + 7, 280 + 28, 7) - 280
    others = np.setdiff1d(np.arange(28), [ahead, *same_weekday_was_shut])
    assert np.abs(holiday[:, others]).mean() < 1, "an ordinary day owes nothing to being none"


def test_a_fallback_is_a_level_and_its_days() -> None:
    pieces = repeated_weeks(np.tile([[1.0, 3.0]], (1, 14)))
    assert pieces.sum(axis=-1).tolist() == np.tile([[1.0, 3.0]], (1, 14)).tolist()
    assert set(pieces[0, :, 0]) == {2.0}
    assert set(pieces[0, :, 1]) == {-1.0, 1.0}
