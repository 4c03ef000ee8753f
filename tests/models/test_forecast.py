"""One night's forecast: no series is a gap, and whatever is no model says why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.fallback import CHAMPION, DEAD, NAIVE, SHORT
from models.demand.forecast import COLUMNS, forecast
from models.demand.training import train


def _of(rows: pd.DataFrame, product: str) -> pd.DataFrame:
    return rows[rows["product"] == product].sort_values("horizon")


@pytest.fixture(scope="module")
def mixed(make_world: Any, weekly_world: Any) -> Any:
    """Two usual products, one that begins 10 days before the end, one with its first sale today, one that died."""
    usual = weekly_world.units[:2]
    begun, today, died = np.zeros((3, 200))
    begun[-10:] = [3, 4, 5, 3, 4, 5, 3, 4, 5, 4]
    today[-1] = 7
    died[:10] = 50
    return make_world(("A00", "B01", "A98", "A99", "B97"), np.vstack([usual, begun, today, died]))


@pytest.fixture(scope="module")
def rows(mixed: Any) -> pd.DataFrame:
    return forecast(mixed.features([199]), mixed.calendar(), None)


def test_every_series_has_28_days_in_order(mixed: Any, rows: pd.DataFrame) -> None:
    assert list(rows.columns) == list(COLUMNS)
    assert rows.groupby("product").size().to_dict() == dict.fromkeys(mixed.products, 28)
    one = _of(rows, "A00")
    assert list(one["horizon"]) == list(range(1, 29))
    assert list(one["date"]) == [mixed.day(199 + h) for h in range(1, 29)]


def test_quantiles_are_in_order_finite_and_not_negative(rows: pd.DataFrame) -> None:
    q = rows[["units_q10", "units_q50", "units_q90"]].to_numpy()
    assert np.isfinite(q).all()
    assert (q >= 0).all()
    assert (np.diff(q, axis=1) >= 0).all()


def test_without_a_champion_it_is_seasonal_naive_and_says_so(mixed: Any, rows: pd.DataFrame) -> None:
    one = _of(rows, "A00")
    assert set(one["method"]) == {NAIVE}
    assert set(one["fallback_reason"]) == {"no champion yet"}
    assert one["units_q50"].to_numpy() == pytest.approx(np.tile(mixed.units[0, -7:], 4))


def test_without_skill_it_is_the_distribution_of_the_past_year_where_that_is_better(
    mixed: Any, make_world: Any, data_of: Any, small_parameters: Any
) -> None:
    noise = 50 * np.exp(np.random.default_rng(2).normal(0, 0.6, (2, 200)))
    known = make_world(("A00", "A01"), np.round(noise, 1))
    refused = train(data_of(known), small_parameters).model
    rows = forecast(mixed.features([199]), mixed.calendar(), None, refused)
    one = _of(rows, "A00")
    assert set(one["method"]) == {"history"}
    assert set(one["fallback_reason"]) == {"no skill: no model did better than this"}
    assert set(one["units_q50"]) == {one["units_q50"].iloc[0]}
    assert one["units_q50"].iloc[0] == pytest.approx(np.median(noise[0]), rel=0.2)
    # a series that came later has no past year in it
    assert set(_of(rows, "B01")["method"]) == {NAIVE}
    assert set(_of(rows, "A99")["method"]) == {SHORT}


def test_a_young_series_has_the_mean_of_what_is_known_in_the_shape_of_its_group(rows: pd.DataFrame) -> None:
    one = _of(rows, "A98")
    assert set(one["method"]) == {SHORT}
    assert set(one["fallback_reason"]) == {"first sold 10 days ago, a model needs 28"}
    assert one["units_q50"].mean() == pytest.approx(4.0)
    weekday = pd.to_datetime(one["date"]).dt.weekday.to_numpy()
    assert one["units_q50"].to_numpy()[weekday == 4].mean() > 3 * one["units_q50"].to_numpy()[weekday == 6].mean()


def test_a_series_with_one_known_day_has_a_wide_band(rows: pd.DataFrame) -> None:
    one = _of(rows, "A99")
    assert one["units_q50"].mean() == pytest.approx(7.0)
    assert one["units_q10"].max() == 0
    assert one["units_q90"].mean() == pytest.approx(17.5)


def test_a_series_without_a_sale_for_half_a_year_is_zero_and_says_so(rows: pd.DataFrame) -> None:
    one = _of(rows, "B97")
    assert set(one["method"]) == {DEAD}
    assert set(one["fallback_reason"]) == {"nothing sold for 182 days"}
    assert one[["units_q10", "units_q50", "units_q90"]].to_numpy().max() == 0


def test_a_series_of_which_nothing_is_known_takes_its_groups_mean(mixed: Any) -> None:
    features = mixed.features([199])
    lost = features["product"] == "A98"
    numbers = [c for c in features if c.startswith(("units_lag", "units_mean", "units_std"))]
    features.loc[lost, numbers] = np.nan
    one = _of(forecast(features, mixed.calendar(), None), "A98")
    assert one["units_q50"].mean() == pytest.approx(mixed.units[0, -28:].mean())


def test_a_site_that_has_not_reported_for_weeks_falls_back_and_says_so(mixed: Any) -> None:
    features = mixed.features([199])
    features[[f"units_lag_{k}" for k in range(20)]] = np.nan
    one = _of(forecast(features, mixed.calendar(), None), "A00")
    assert set(one["fallback_reason"]) == {"8 of the last 28 days are known, a model needs 14"}


def test_a_few_missing_days_do_not_silence_a_series(mixed: Any) -> None:
    features = mixed.features([199])
    features[[f"units_lag_{k}" for k in range(3)]] = np.nan
    one = _of(forecast(features, mixed.calendar(), None), "A00")
    wanted = mixed.units[0, -7:].copy()
    wanted[-3:] = mixed.units[0, -10:-7]  # these weekdays' values of the week before
    assert one["units_q50"].to_numpy()[:7] == pytest.approx(wanted)


def test_two_nights_at_once_are_refused(mixed: Any) -> None:
    with pytest.raises(ValueError, match="several nights"):
        forecast(mixed.features([198, 199]), mixed.calendar(), None)


def test_a_champion_speaks_where_it_may_and_no_further(mixed: Any, small_training: Any) -> None:
    rows = forecast(mixed.features([199]), mixed.calendar(), small_training.model)
    methods = rows.groupby("product")["method"].first().to_dict()
    assert methods == {"A00": CHAMPION, "B01": CHAMPION, "A98": SHORT, "A99": SHORT, "B97": DEAD}
    assert rows.loc[rows["method"] == CHAMPION, "fallback_reason"].isna().all()
