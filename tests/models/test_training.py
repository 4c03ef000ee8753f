"""Training as a whole: it beats a trivial world, is honest about noise, and is the same each time."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.demand.arrays import to_date
from models.demand.evaluate import table
from models.demand.folds import TooLittleHistory, ask, last_days, windows
from models.demand.manifest import NotTheSame, TrainingManifest
from models.demand.members import Members
from models.demand.model import DemandModel, ModelFormatError
from models.demand.naive import SeasonalNaive
from models.demand.parameters import FLOORS, HISTORY, LIGHTGBM, SEASONAL_NAIVE, parameters
from models.demand.promotion import METRIC, REFUSED, decide
from models.demand.sampling import some_rows
from models.demand.training import ENSEMBLE, train
from models.demand.vocabulary import Vocabulary


def test_lightgbm_beats_seasonal_naive_on_a_weekly_pattern_with_noise(small_training: Any) -> None:
    for of_fold in small_training.scores.values():
        assert of_fold[LIGHTGBM][METRIC] < 0.9 * of_fold[SEASONAL_NAIVE][METRIC]
        assert of_fold[LIGHTGBM]["rmsse"] < 0.9 * of_fold[SEASONAL_NAIVE]["rmsse"]


def test_the_ensemble_is_scored_only_where_an_earlier_fold_could_weigh_it(small_training: Any) -> None:
    folds = list(small_training.scores.values())
    assert [ENSEMBLE in of_fold for of_fold in folds] == [False, True, True]
    assert folds[-1][ENSEMBLE][METRIC] < 0.9 * folds[-1][SEASONAL_NAIVE][METRIC]


def test_the_bands_hold_about_four_days_in_five(small_training: Any) -> None:
    assert 0.6 < list(small_training.scores.values())[-1][ENSEMBLE]["coverage"] < 0.95


def test_on_noise_it_claims_no_more_than_the_truth_knows(data_of: Any, make_world: Any, small_parameters: Any) -> None:
    """Days without a pattern: nobody can do better than the noise's own quantiles, and the bands must not pretend to."""
    chance = np.random.default_rng(8)
    units = 100 + 20 * chance.standard_normal((6, 200))
    training = train(data_of(make_world(tuple("ABCDEF"), units)), small_parameters)
    last = list(training.scores.values())[-1][ENSEMBLE]
    fold = training.judged
    truth = np.broadcast_to(100 + 20 * np.array([-1.2816, 0, 1.2816]), (*fold.actual[: fold.judged].shape, 3))
    oracle = table(fold.actual[: fold.judged], truth, fold.history)
    assert 0.97 * oracle[METRIC] < last[METRIC] < 1.15 * oracle[METRIC]
    assert 0.68 < last["coverage"] < 0.92


@pytest.mark.parametrize("seed", range(4))
def test_on_independent_draws_it_has_no_skill_and_says_so(
    seed: int, data_of: Any, make_world: Any, small_parameters: Any
) -> None:
    chance = np.random.default_rng(seed)
    units = chance.poisson(20, (3, 200)) if seed % 2 else np.round(50 * np.exp(chance.normal(0, 0.6, (3, 200))), 1)
    training = train(data_of(make_world(tuple("ABC"), units.astype(float))), small_parameters)
    last = list(training.scores.values())[-1]
    decision = decide(last[ENSEMBLE], {name: last[name] for name in FLOORS}, training.skill, None, {})
    assert decision.role == REFUSED
    assert decision.reason.startswith("Refused, no skill")
    assert training.model.floor == HISTORY


def test_on_a_weekly_pattern_it_has_skill(small_training: Any) -> None:
    assert small_training.skill.shows(0.001)
    assert small_training.model.floor == SEASONAL_NAIVE


def test_the_same_data_and_seed_give_the_same_model(
    small_training: Any, small_data: Any, small_parameters: Any
) -> None:
    again = train(small_data, small_parameters)
    assert again.frame_hash == small_training.frame_hash
    assert again.scores == small_training.scores
    said = [
        t.model.quantiles(small_data.origins.take(np.arange(5)), small_data.calendar) for t in (small_training, again)
    ]
    assert np.array_equal(*said)


def test_a_stored_model_says_the_same(small_training: Any, small_data: Any, tmp_path: Path) -> None:
    small_training.model.save(tmp_path / "model")
    loaded = DemandModel.load(tmp_path / "model")
    some = small_data.origins.take(np.arange(0, len(small_data.origins), 97))
    assert np.array_equal(*(m.quantiles(some, small_data.calendar) for m in (small_training.model, loaded)))


def test_a_folder_that_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="train again"):
        DemandModel.load(tmp_path)


def test_targets_end_with_the_last_day_that_a_fold_may_know(small_data: Any, small_parameters: Any) -> None:
    end = last_days(small_data, small_parameters)[0]
    origins, targets = windows(small_data, end, small_parameters)
    last_known = origins.day + 1 + np.where(np.isnan(targets), -1, np.arange(28)[None, :]).max(axis=1)
    assert last_known.max() == end
    assert origins.day.max() < end


def test_a_fold_is_judged_by_days_that_no_later_fold_is_judged_by(small_data: Any, small_parameters: Any) -> None:
    """The weights of the last fold come from the folds before: these must not know its days."""
    ends = last_days(small_data, small_parameters)
    origins, targets = windows(small_data, ends[0], small_parameters)
    words = Vocabulary.learn(small_data.origins, small_data.calendar)
    members = Members(words, SeasonalNaive.fit(origins, targets), small_parameters.horizon)
    fold = ask(small_data, ends[0], members, (SEASONAL_NAIVE,), small_parameters)
    judged = small_data.panel.until(ends[1])
    rows = fold.actual.shape[0]
    origin_day = np.repeat([ends[0], ends[0] + 7, ends[0] + 14, ends[0] + 21], rows // 4)
    known = judged.after(fold.keys, origin_day, 28)
    assert np.array_equal(fold.actual, known, equal_nan=True)


@pytest.mark.parametrize(("days", "folds"), [(83, None), (84, 1), (112, 2), (140, 3), (400, 3)])
def test_as_many_folds_as_the_history_has_room_for(
    days: int, folds: int | None, make_weekly: Any, data_of: Any
) -> None:
    world = make_weekly(products=1, days=days)
    data = data_of(world, nights=[days - 1])
    if folds is None:
        with pytest.raises(TooLittleHistory, match="83 days of sales are known, a first model needs 84"):
            last_days(data, parameters({}))
    else:
        found = last_days(data, parameters({}))
        assert [to_date(d) for d in found] == [world.day(days - 1 - 28 * k) for k in range(folds, 0, -1)]


def test_a_training_set_made_again_from_other_data_is_told(small_training: Any, small_data: Any) -> None:
    manifest = TrainingManifest.of("acme", small_training, {"silver/sales": 3}, "abc")
    manifest = TrainingManifest.from_dict(manifest.to_dict())
    manifest.check(small_data)
    units = small_data.panel.units.copy()
    units[0, -1] += 0.1
    other = dataclasses.replace(small_data, panel=dataclasses.replace(small_data.panel, units=units))
    with pytest.raises(NotTheSame, match="tenant acme, night 2025-07-24"):
        manifest.check(other)


def test_rows_are_sampled_by_what_they_are_and_not_by_their_place(small_data: Any) -> None:
    o = small_data.origins
    targets = small_data.panel.after(o.key, o.day, 28)
    rows, horizons = some_rows(o.key, o.day, targets, 2000, seed=7)
    assert 1700 < len(rows) < 2300
    half = o.take(np.arange(0, len(o), 2))
    limit = int(2000 * (~np.isnan(targets[::2])).sum() / (~np.isnan(targets)).sum())
    again, again_horizons = some_rows(half.key, half.day, targets[::2], limit, seed=7)
    among = {(o.key[r], o.day[r], h) for r, h in zip(rows, horizons, strict=True)}
    found = {(half.key[r], half.day[r], h) for r, h in zip(again, again_horizons, strict=True)}
    assert len(found & among) > 0.98 * len(found)
