"""What a score says, drawn by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import day
from models.demand.origins import Origins
from models.demand.scores import Said, actual, score

NIGHT = date(2025, 3, 2)
KEYS = np.array(["gebze/A", "izmir/B"], dtype=object)


def _sales(*rows: tuple[str, str, int, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["site", "product", "after", "units"])
    return frame.assign(date=[pd.Timestamp(NIGHT) + pd.Timedelta(days=a) for a in frame["after"]])


@pytest.mark.parametrize(
    ("sales", "units"),
    [
        ([("gebze", "A", 1, 4.0), ("gebze", "A", 3, 5.0)], [4, 0, 5, None]),
        ([("gebze", "other", 2, 4.0)], [0, 0, None, None]),  # the site reported, and nothing of this product
        ([("izmir", "B", 2, 4.0)], [None] * 4),
        ([("gebze", "A", 9, 4.0)], [0, 0, 0, 0]),
        ([("gebze", "A", -3, 7.0)], [None] * 4),
    ],
)
def test_a_day_without_a_row_is_none_sold_up_to_the_last_one_that_the_site_reported(
    sales: list[tuple[str, str, int, float]], units: list[float | None]
) -> None:
    found = actual(_sales(*sales), KEYS, day(NIGHT), 4)[0]
    assert found == pytest.approx(np.array(units, dtype=float), nan_ok=True)


def _said(product: str, quantiles: list[tuple[float, float, float]], version: str = "1") -> pd.DataFrame:
    frame = pd.DataFrame(quantiles, columns=["units_q10", "units_q50", "units_q90"])
    told = {"site": "gebze", "product": product, "method": "champion", "model_version": version}
    return frame.assign(horizon=range(1, len(frame) + 1), **told)


def test_a_series_that_lacks_a_day_is_left_out() -> None:
    rows = pd.concat([_said("A", [(1, 2, 3)] * 2), _said("B", [(1, 2, 3)])])
    assert list(Said.of(rows, 2).keys) == ["gebze/A"]


def test_days_come_in_their_order_whatever_the_rows_order_is() -> None:
    rows = _said("A", [(0, 1, 2), (1, 2, 3), (2, 3, 4)]).iloc[[2, 0, 1]]
    assert Said.of(rows, 3).quantiles[0, :, 1].tolist() == [1, 2, 3]


@pytest.fixture(scope="module")
def scored(weekly_world: Any) -> pd.DataFrame:
    origins = Origins.from_features(weekly_world.features([150]))
    said = Said.of(_said("A00", [(8, 10, 12), (8, 10, 12)]), 2)
    rival = Said.of(_said("A00", [(8, 11, 12), (8, 11, 12)], "2"), 2)
    return score(said, rival, origins, np.array([[11.0, 20.0]]))


def test_errors_are_those_of_the_median(scored: pd.DataFrame) -> None:
    row = scored.iloc[0]
    assert (row["absolute_error"], row["challenger_absolute_error"]) == (11.0, 9.0)
    assert (row["units"], row["forecast_units"], row["known_days"], row["covered_days"]) == (31, 20, 2, 1)


def test_the_naive_is_the_weekday_before(scored: pd.DataFrame, weekly_world: Any) -> None:
    before = weekly_world.units[0, 144:146]
    assert scored["naive_absolute_error"].iloc[0] == pytest.approx(np.abs(np.array([11, 20]) - before).sum())


def test_without_a_challenger_its_columns_are_empty(weekly_world: Any) -> None:
    origins = Origins.from_features(weekly_world.features([150]))
    said = Said.of(_said("A00", [(8, 10, 12)]), 1)
    row = score(said, Said.of(_said("A00", []), 1), origins, np.array([[11.0]])).iloc[0]
    assert row["challenger_version"] is None
    assert np.isnan(row["challenger_pinball"])


def test_a_series_of_which_nothing_is_known_has_no_score(weekly_world: Any) -> None:
    origins = Origins.from_features(weekly_world.features([150]))
    said = Said.of(_said("A00", [(8, 10, 12)]), 1)
    assert score(said, said, origins, np.array([[np.nan]])).empty
