"""The metrics, on tables small enough to do by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.demand import evaluate

NAN = float("nan")
#                     history                | actual   | forecast
HISTORY = np.array([[2.0, 4.0, 2.0, 4.0, 6.0]])  # one-day differences 2, 2, 2, 2
ACTUAL = np.array([[5.0, 7.0]])
FORECAST = np.array([[6.0, 4.0]])  # errors 1 and 3


def test_rmsse_is_the_rmse_over_that_of_the_one_day_naive() -> None:
    # mean squared error (1 + 9) / 2 = 5; naive 4
    assert evaluate.rmsse(ACTUAL, FORECAST, HISTORY)[0] == pytest.approx((5 / 4) ** 0.5)


def test_the_history_of_rmsse_begins_with_the_first_sale() -> None:
    late = np.array([[0.0, 0.0, 0.0, 2.0, 4.0, 2.0, 4.0, 6.0]])
    assert evaluate.rmsse(ACTUAL, FORECAST, late) == pytest.approx(evaluate.rmsse(ACTUAL, FORECAST, HISTORY))


def test_mase_is_the_mae_over_that_of_the_naive_of_a_week_before() -> None:
    history = np.array([[1.0, 1, 1, 1, 1, 1, 1, 3, 3]])  # |3-1|, |3-1|
    assert evaluate.mase(ACTUAL, FORECAST, history)[0] == pytest.approx(2 / 2)


def test_wape_and_bias_are_over_all_rows() -> None:
    assert evaluate.wape(ACTUAL, FORECAST) == pytest.approx(4 / 12)
    assert evaluate.bias(ACTUAL, FORECAST) == pytest.approx((1 - 3) / 12)


@pytest.mark.parametrize(
    ("actual", "quantiles", "loss"),
    [
        (10.0, (10.0, 10.0, 10.0), 0.0),
        (10.0, (8.0, 9.0, 12.0), (0.1 * 2 + 0.5 * 1 + 0.1 * 2) / 3),
        (10.0, (11.0, 11.0, 11.0), (0.9 * 1 + 0.5 * 1 + 0.1 * 1) / 3),
    ],
)
def test_pinball_punishes_each_quantile_on_its_own_side(
    actual: float, quantiles: tuple[float, ...], loss: float
) -> None:
    assert evaluate.pinball(np.array([actual]), np.array([quantiles]))[0] == pytest.approx(loss)


def test_scaled_pinball_is_over_the_one_day_difference() -> None:
    quantiles = np.array([[[8.0, 9.0, 12.0]]])
    assert evaluate.scaled_pinball(np.array([[10.0]]), quantiles, HISTORY)[0] == pytest.approx(0.9 / 3 / 2)


def test_coverage_counts_the_borders_as_inside() -> None:
    quantiles = np.tile(np.array([2.0, 3.0, 4.0]), (1, 4, 1))
    assert evaluate.coverage(np.array([[2.0, 4.0, 4.1, NAN]]), quantiles) == pytest.approx(2 / 3)


def test_a_day_without_an_actual_is_left_out() -> None:
    actual, forecast = np.array([[5.0, NAN]]), np.array([[6.0, 99.0]])
    assert evaluate.wape(actual, forecast) == pytest.approx(1 / 5)
    assert evaluate.rmsse(actual, forecast, HISTORY)[0] == pytest.approx((1 / 4) ** 0.5)


def test_a_series_whose_history_never_changes_has_no_scaled_error() -> None:
    assert np.isnan(evaluate.rmsse(ACTUAL, FORECAST, np.array([[3.0, 3.0, 3.0]])))[0]


def test_nothing_sold_has_no_wape() -> None:
    assert np.isnan(evaluate.wape(np.zeros((1, 2)), np.ones((1, 2))))
