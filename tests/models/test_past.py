"""The last two years of series, laid out period by period."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from models.demand.arrays import day, to_date
from models.demand.past import TOLD, Past, Sold, oldest, past
from models.demand.periods import DAY, WEEK, Period

NIGHT = date(2026, 3, 1)  # a Sunday
UNKNOWN = None


def drawn(rows: list[tuple[int, date, float]], sites: list[str], period: Period = DAY, night: date = NIGHT) -> Past:
    """`rows` are position of the series, day and units."""
    row, days, units = zip(*rows, strict=True)
    sold = Sold(np.array(row), np.array([day(d) for d in days]), np.array(units, dtype=float))
    return past(sold, sites, period, day(night))


def lists(found: Past) -> list[list[float | None]]:
    return [json.loads(text) for text in found.texts().to_pylist()]


def test_a_day_without_a_row_counts_nothing_from_the_first_row_to_the_night() -> None:
    found = drawn([(0, date(2026, 2, 26), 5.0), (0, NIGHT, 2.5)], ["gebze"])

    assert (lists(found), to_date(found.first[0])) == ([[5, 0, 0, 2.5]], date(2026, 2, 26))


def test_what_the_site_has_not_reported_is_not_known_whatever_another_has() -> None:
    rows = [(0, date(2026, 2, 27), 1.0), (1, date(2026, 2, 26), 2.0), (2, NIGHT, 3.0)]

    assert lists(drawn(rows, ["gebze", "gebze", "izmir"])) == [[1, UNKNOWN, UNKNOWN], [2, 0, UNKNOWN, UNKNOWN], [3]]


def test_a_series_without_a_row_has_sold_nothing_in_two_years() -> None:
    found = drawn([(0, NIGHT, 1.0)], ["gebze", "gebze"])

    assert lists(found)[1] == [0] * TOLD["day"]
    assert to_date(found.first[1]) == to_date(oldest(DAY, day(NIGHT)))


def test_a_series_of_a_site_that_has_reported_nothing_is_not_known() -> None:
    found = drawn([(0, NIGHT, 1.0)], ["gebze", "izmir"])

    assert set(lists(found)[1]) == {UNKNOWN}


@pytest.mark.parametrize(("period", "first"), [(DAY, date(2024, 3, 2)), (WEEK, date(2024, 3, 4))])
def test_two_years_are_told(period: Period, first: date) -> None:
    assert to_date(oldest(period, day(NIGHT))) == first


def test_rows_of_a_week_are_added_up_and_told_by_its_monday() -> None:
    rows = [(0, date(2026, 2, 10), 1.0), (0, date(2026, 2, 15), 2.0), (0, NIGHT, 4.0)]

    found = drawn(rows, ["gebze"], WEEK)

    assert (lists(found), to_date(WEEK.first(int(found.first[0])))) == ([[3, 0, 4]], date(2026, 2, 9))


def test_the_week_that_has_begun_is_not_told_but_says_that_the_last_is_whole() -> None:
    rows = [(0, date(2026, 2, 22), 1.0), (0, date(2026, 2, 26), 2.0)]

    assert lists(drawn(rows, ["gebze"], WEEK)) == [[1, UNKNOWN]], "until Thursday it is known, usual is Sunday"
    monday = [*rows, (0, date(2026, 3, 2), 7.0)]
    assert lists(drawn(monday, ["gebze"], WEEK, date(2026, 3, 3))) == [[1, 2]]


def test_sums_are_not_told_to_the_last_digit() -> None:
    rows = [(0, date(2026, 2, 23), 0.1), (0, NIGHT, 0.2)]

    assert drawn(rows, ["gebze"], WEEK).texts().to_pylist() == ["[0.3]"]
