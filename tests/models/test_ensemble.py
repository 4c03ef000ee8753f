"""Weights add up to 1 and find the better member; quantiles never cross; bands hold what they promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.demand import ensemble
from models.demand.ensemble import MIN_WEIGHT, SEGMENTS, Blend, Rows, equal, segments

NUMBERS = st.floats(-1e6, 1e6) | st.just(float("nan"))


@settings(max_examples=40, deadline=None)
@given(
    stack=arrays(float, (4, 5, 3, 3), elements=NUMBERS),
    widths=arrays(float, (len(SEGMENTS), 2), elements=st.floats(0.5, 3)),
)
def test_whatever_members_say_quantiles_are_in_order_finite_and_not_negative(
    stack: np.ndarray, widths: np.ndarray
) -> None:
    stack[..., 0] = np.nan_to_num(stack[..., 0])  # seasonal naive always says something
    blend = replace(equal(("a", "b", "c")), widths=widths)
    found = blend.combine(stack, np.array([0, 1, 2, 3]))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (np.diff(found, axis=-1) >= 0).all()


def test_where_a_member_says_nothing_the_others_share_its_weight() -> None:
    blend = replace(equal(("a", "b", "c")), weights=np.tile([0.5, 0.3, 0.2], (len(SEGMENTS), 1)))
    stack = np.array([10.0, 20.0, np.nan])[None, None, None, :] * np.ones((1, 1, 3, 1))
    assert blend.combine(stack, np.array([0]))[0, 0, 1] == pytest.approx((0.5 * 10 + 0.3 * 20) / 0.8)


def fit(
    members: tuple[str, ...], stack: np.ndarray, actual: np.ndarray, size: np.ndarray, segment: np.ndarray
) -> Blend:
    """Of three folds, row by row."""
    return ensemble.fit(members, Rows(stack, actual, size, segment, np.arange(len(actual)) % 3))


def _rows(seed: int = 1, n: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """One member that knows, one that is noise, one that is too high; and the truth."""
    chance = np.random.default_rng(seed)
    truth = 100 + 30 * chance.standard_normal(n)
    known = truth + 5 * chance.standard_normal(n)
    noise = 100 + 30 * chance.standard_normal(n)
    bands = np.array([-6.0, 0.0, 6.0])
    stack = np.stack([m[:, None] + bands for m in (known, noise, truth + 50)], axis=-1)
    return stack, truth


def test_the_member_that_knows_gets_the_weight_and_those_below_the_least_are_dropped() -> None:
    stack, truth = _rows()
    blend = fit(("known", "noise", "high"), stack, truth, np.ones(len(truth)), np.zeros(len(truth), dtype=int))
    assert blend.weights.sum(axis=1) == pytest.approx(1)
    assert blend.weights[0, 0] > 0.9
    assert all(w == 0 or w >= MIN_WEIGHT for w in blend.weights[0])
    assert blend.used == tuple(m for m, w in zip(blend.members, blend.weights[0], strict=True) if w > 0)


def test_two_members_that_err_on_either_side_are_mixed() -> None:
    chance = np.random.default_rng(3)
    truth = 100 + chance.standard_normal(2000)
    stack = np.stack([(truth + off)[:, None] + np.zeros(3) for off in (8.0, -8.0)], axis=-1)
    blend = fit(("over", "under"), stack, truth, np.ones(2000), np.zeros(2000, dtype=int))
    assert blend.weights[0] == pytest.approx([0.5, 0.5], abs=0.05)


def test_too_narrow_bands_are_widened_until_a_tenth_lies_on_either_side() -> None:
    chance = np.random.default_rng(5)
    truth = 100 + 10 * chance.standard_normal(4000)
    stack = (np.full((4000, 1), 100.0) + np.array([-6.0, 0.0, 6.0]))[..., None]  # an honest band is 12.8 wide
    blend = fit(("one",), stack, truth, np.ones(4000), np.zeros(4000, dtype=int))
    fresh = 100 + 10 * np.random.default_rng(6).standard_normal(4000)
    said = blend.combine(stack, np.zeros(4000, dtype=int))
    assert (fresh < said[:, 0]).mean() == pytest.approx(0.1, abs=0.02)
    assert (fresh > said[:, 2]).mean() == pytest.approx(0.1, abs=0.02)


def test_a_member_missing_in_a_segment_has_no_weight_there_and_may_have_it_elsewhere() -> None:
    stack, truth = _rows(n=2000)
    stack = stack[..., :2][..., ::-1].copy()  # noise, known
    where = segments(np.zeros(2000, dtype=bool), np.full(2000, ""), np.arange(2000) >= 1000)
    stack[:1000, :, 1] = np.nan
    blend = fit(("noise", "prophet"), stack, truth, np.ones(2000), where)
    assert blend.weights[0] == pytest.approx([1, 0])
    assert blend.weights[SEGMENTS.index("regular with path"), 1] > 0.9


def test_members_that_bring_nothing_have_no_weight() -> None:
    """On the few rows themselves chance would give some of them a share; folds held out do not."""
    chance = np.random.default_rng(0)
    truth = 100 + chance.standard_normal(400)
    known = truth + chance.standard_normal(400)
    copies = [known + 0.5 * chance.standard_normal(400) for _ in range(4)]
    stack = np.stack([m[:, None] + np.array([-1.3, 0.0, 1.3]) for m in (known, *copies)], axis=-1)
    blend = fit(("known", "a", "b", "c", "d"), stack, truth, np.ones(400), np.zeros(400, dtype=int))
    assert blend.used == ("known",)


def test_sums_are_a_segment_of_their_own() -> None:
    found = segments(np.array([True, True]), np.array(["", "site"]), np.array([False, True]))
    assert [SEGMENTS[n] for n in found] == ["sparse", "sum with path"]


def test_a_small_segment_goes_with_those_that_have_the_same_members() -> None:
    stack, truth = _rows(n=1000)
    where = np.zeros(1000, dtype=int)
    where[:5] = SEGMENTS.index("sparse")
    blend = fit(("known", "noise", "high"), stack, truth, np.ones(1000), where)
    assert blend.weights[1] == pytest.approx(blend.weights[0], abs=0.05)


def test_without_a_fold_all_members_weigh_the_same() -> None:
    assert equal(("a", "b")).weights == pytest.approx(0.5)


def test_the_same_rows_give_the_same_weights() -> None:
    stack, truth = _rows()
    args = (("a", "b", "c"), stack, truth, np.ones(len(truth)), np.zeros(len(truth), dtype=int))
    assert fit(*args).to_dict() == fit(*args).to_dict()
    assert Blend.from_dict(fit(*args).to_dict()).to_dict() == fit(*args).to_dict()


def test_a_band_widens_away_from_the_median() -> None:
    assert ensemble.widen(np.array([8.0, 10.0, 13.0]), np.array([2.0, 3.0])) == pytest.approx([6, 10, 19])
