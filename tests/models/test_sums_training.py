"""What is learned of sums from a training's folds, on made-up plants whose truth is known."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from models.demand import evaluate, sums_training
from models.demand.dependence import OWN
from models.demand.ensemble import equal
from models.demand.folds import Fold
from models.demand.hierarchy import Hierarchy
from models.demand.origins import PURE, UNITS, YEAR, Origins
from models.demand.periods import PERIODS
from models.demand.spans import spans
from models.demand.sums import Sums, points

SERIES, NIGHTS = 40, 12
AHEAD = {"day": 28, "week": 13}


def origins(day: int, period: str = "day") -> Origins:
    """Forty products of one site in two groups, none of them sparse."""
    at = np.arange(SERIES)
    names = {"product": at.astype(str), "group": (at // 20).astype(str), "sub_group": (at // 20).astype(str)}
    text = {name: values.astype(object) for name, values in names.items()}
    shape = {"lags": 28, "units": len(UNITS), "year": len(YEAR), "pure": len(PURE)}
    return Origins(
        site=np.full(SERIES, "x", dtype=object),
        day=np.full(SERIES, day),
        cut_off=np.full(SERIES, day),
        level=np.full(SERIES, "", dtype=object),
        period=PERIODS[period],
        **text,
        **{name: np.full((SERIES, width), 50.0) for name, width in shape.items()},
    )


def fold(number: int, seed: int, period: str = "day") -> Fold:
    """The forecast is 50 with a deviation of 5, and right; half of each day's error is the whole site's."""
    random = np.random.default_rng(seed)
    ahead = AHEAD[period]
    common, own = random.standard_normal((1, ahead)), random.standard_normal((SERIES, ahead))
    actual = 50 + 5 * (np.sqrt(0.5) * common + np.sqrt(0.5) * own)
    said = 50 + 5 * 1.2815515655 * np.array([-1.0, 0.0, 1.0])
    last = PERIODS[period].of(20_000) + ahead * number
    of = origins(last, period)
    return Fold(
        last_day=last,
        members=("seasonal_naive",),
        keys=of.key,
        actual=actual,
        stack=np.tile(said[:, None], (SERIES, ahead, 1, 1)),
        segment=np.zeros(SERIES, dtype=np.int64),
        size=np.ones(SERIES),
        history=np.full((SERIES, 28), 50.0),
        judged=SERIES,
        origins=of,
    )


@pytest.fixture(scope="module")
def learned() -> Sums:
    return _learned(NIGHTS)


def _learned(many: int, period: str = "day") -> Sums:
    folds = [fold(n, n, period) for n in range(many)]
    nights = list(sums_training.nights(folds, equal(("seasonal_naive",))))
    return sums_training.fit(nights, PERIODS[period].run, seed=7)


def test_the_common_part_of_errors_is_found(learned: Sums) -> None:
    assert learned.dependence.shares["site", "day"] == pytest.approx(0.5, abs=0.1)
    assert learned.dependence.shares[OWN, "day"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("period", "longer"), [("day", "week"), ("week", "month")])
def test_bands_of_sums_cover_what_they_promise_on_nights_not_seen(period: str, longer: str) -> None:
    many = NIGHTS * AHEAD["day"] // AHEAD[period]  # the common error is learned from as many periods
    learned = _learned(many, period)
    inside: dict[tuple[str, str], list[float]] = {}
    for seed in range(100, 140):
        for key, quantiles, actual in _told(fold(0, seed, period), learned):
            inside.setdefault(key, []).append(evaluate.coverage(actual, quantiles))
    for key in itertools.product(("site", "site/group"), (period, longer)):
        assert np.mean(inside[key]) == pytest.approx(0.8, abs=0.06), key


def _told(new: Fold, learned: Sums) -> Any:
    named = new.origins.hierarchy
    quantiles = new.stack[..., 0]
    levels = {level.name: level.matrix for level in Hierarchy.of(named).levels}
    pieces = spans(new.last_day, new.actual.shape[1], new.period)
    for piece in learned.forecast(quantiles, points(quantiles, new.origins), named, pieces, 3):
        if piece.level in levels:
            yield (
                (piece.level, piece.spans.period),
                piece.quantiles,
                piece.spans.sum(levels[piece.level] @ new.actual, 1),
            )


def test_sums_that_the_panel_holds_as_series_are_not_summed_again() -> None:
    with_sum = fold(0, 1)
    with_sum.origins.level[0] = "all"
    night = next(sums_training.nights([with_sum], equal(("seasonal_naive",))))
    assert len(night.origins) == SERIES - 1


def test_the_point_of_a_series_is_its_median_and_of_a_sparse_one_its_rate() -> None:
    of = origins(20_000).take(np.arange(3))
    of.units[:, 3] = (9.0, 0.2, 0.0)
    quantiles = np.array([[[2.0, 5.0, 15.0]], [[0.0, 0.0, 0.1]], [[0.0, 0.0, 0.0]]])
    assert points(quantiles, of)[:, 0] == pytest.approx([5.0, 0.2, 0.0])
