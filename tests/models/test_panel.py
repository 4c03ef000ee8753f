"""What happened, on one daily grid."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import day
from models.demand.panel import Panel

NAN = float("nan")


def _sales(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["site", "product", "date", "units"])
    return frame.assign(date=[date.fromisoformat(d) for d in frame["date"]])


SALES = _sales(
    ("gebze", "pump", "2026-01-01", 3),
    ("gebze", "pump", "2026-01-04", 5),
    ("gebze", "valve", "2026-01-02", 7),
    ("izmir", "pump", "2026-01-05", 1),
)


def test_a_day_without_a_row_counts_zero_from_the_first_row_to_the_last_day_of_the_site() -> None:
    panel = Panel.from_sales(SALES)
    assert list(panel.keys) == ["gebze/pump", "gebze/valve", "izmir/pump"]
    wanted = [
        # 1    2    3    4    5 January
        [3.0, 0.0, 0.0, 5.0, NAN],
        [NAN, 7.0, 0.0, 0.0, NAN],
        [NAN, NAN, NAN, NAN, 1.0],
    ]
    assert np.array_equal(panel.units, np.array(wanted), equal_nan=True)


def test_what_is_later_than_the_last_day_is_cut_off() -> None:
    panel = Panel.from_sales(SALES, day(date(2026, 1, 3)))
    assert np.array_equal(
        panel.units[:2], np.array([[3.0, 0, 0], [NAN, 7, 0]])[:, : panel.units.shape[1]], equal_nan=True
    )


def test_no_sales_at_all_are_told() -> None:
    with pytest.raises(ValueError, match="no sales are known"):
        Panel.from_sales(SALES, day(date(2025, 12, 31)))


def test_the_days_after_an_origin_are_unknown_where_nothing_is_known() -> None:
    panel = Panel.from_sales(SALES)
    keys = np.array(["gebze/pump", "nowhere/pump"], dtype=object)
    after = panel.after(keys, np.array([day(date(2026, 1, 3))] * 2), 3)
    assert np.array_equal(after, np.array([[5.0, NAN, NAN], [NAN, NAN, NAN]]), equal_nan=True)
    until = panel.after(keys[:1], np.array([day(date(2026, 1, 1))]), 3, until=day(date(2026, 1, 2)))
    assert np.array_equal(until, np.array([[0.0, NAN, NAN]]), equal_nan=True)
