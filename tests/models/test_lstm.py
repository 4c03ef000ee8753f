"""The LSTM: numpy says what Keras says, it learns a pattern, and a stored one is the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.demand import lstm_training
from models.demand.calendar import Calendar
from models.demand.folds import Data, windows
from models.demand.lstm import Lstm, inputs
from models.demand.parameters import LstmParameters
from models.demand.vocabulary import Vocabulary

SMALL = LstmParameters(units=8, hidden=12, epochs=8, batch=64, learning_rate=0.01)
CAMPAIGN_EVERY = 11  # days; units are doubled then


@pytest.fixture(scope="module")
def data(weekly_world: Any, make_world: Any, data_of: Any) -> Data:
    """The weekly world with campaigns, which the calendar tells beforehand."""
    days = np.arange(weekly_world.units.shape[1] + 60)
    lifted = np.where(days % CAMPAIGN_EVERY == 0, 2.0, 1.0)[: weekly_world.units.shape[1]]
    world = make_world(weekly_world.products, weekly_world.units * lifted)
    events = {world.day(int(d)): ("campaign", "Campaign") for d in days[::CAMPAIGN_EVERY]}
    made = data_of(world)
    return dataclasses.replace(made, calendar=Calendar.from_features(world.calendar(events=events)))


@pytest.fixture(scope="module")
def windowed(data: Data, small_parameters: Any) -> Any:
    origins, targets = windows(data, data.last_day - 28, small_parameters)
    return origins, targets, Vocabulary.learn(data.origins, data.calendar)


@pytest.fixture(scope="module")
def trained(data: Data, windowed: Any) -> Any:
    origins, targets, words = windowed
    return lstm_training.fit(origins, data.calendar, words, targets, SMALL, seed=3, threads=1)


def test_numpy_says_what_keras_says(data: Data, windowed: Any, trained: Any) -> None:
    origins, _, words = windowed
    network: Lstm = trained.network
    x = network.standardise(inputs(origins.take(np.arange(40)), data.calendar, words, 28))
    keras = lstm_training.keras_model(x, SMALL)
    keras.set_weights(lstm_training.weights_of(network))
    said = np.asarray(keras([x.past, x.static, x.future, x.base]))
    assert network.forward(x) == pytest.approx(said, abs=2e-5)


def test_it_learns_what_a_campaign_does(data: Data, windowed: Any, trained: Any) -> None:
    """Against the mean of the same weekdays, where it begins, on days that it has not seen."""
    words = windowed[2]
    last = data.origins.take(data.origins.day == data.last_day - 28)
    actual = data.panel.after(last.key, last.day, 28)
    said = trained.network.predict(last, data.calendar, words, 28)[..., 1]
    base = np.tile(last.weekday_mean, (1, 4))
    assert np.abs(said - actual).sum() < 0.75 * np.abs(base - actual).sum()


def test_the_same_seed_gives_the_same_weights(data: Data, windowed: Any, trained: Any) -> None:
    origins, targets, words = windowed
    again = lstm_training.fit(origins, data.calendar, words, targets, SMALL, seed=3, threads=1)
    assert np.array_equal(again.network.kernel, trained.network.kernel)
    assert again.loss == trained.loss


def test_a_stored_network_says_the_same(data: Data, windowed: Any, trained: Any, tmp_path: Path) -> None:
    origins, _, words = windowed
    trained.network.save(tmp_path)
    some = origins.take(np.arange(10))
    said = [n.predict(some, data.calendar, words, 28) for n in (trained.network, Lstm.load(tmp_path))]
    assert np.array_equal(*said)


def test_a_series_with_unknown_days_gets_numbers(data: Data, windowed: Any, trained: Any) -> None:
    origins, _, words = windowed
    some = origins.take(np.arange(4))
    some.lags[:, :3] = np.nan
    assert np.isfinite(trained.network.predict(some, data.calendar, words, 28)).all()


def test_no_series_are_no_trouble(data: Data, windowed: Any, trained: Any) -> None:
    origins, _, words = windowed
    none = origins.take(np.arange(0))
    assert trained.network.predict(none, data.calendar, words, 28).shape == (0, 28, 3)
