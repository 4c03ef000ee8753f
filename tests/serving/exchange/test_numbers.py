"""What a cell says: a number in either language, or plainly none."""

from datetime import date, datetime, time, timedelta

import pytest

from serving.exchange.numbers import NoNumberError, units


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0.0),
        (12, 12.0),
        (104.5, 104.5),
        ("12", 12.0),
        (" 12,5 ", 12.5),
        ("12.5", 12.5),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1.234.567", 1234567.0),
        ("1,234,567", 1234567.0),
        ("1 234,5", 1234.5),
        ("1\u00a0234,5", 1234.5),
        ("1\u202f234", 1234.0),
        ("1'234.5", 1234.5),
        ("0,125", 0.125),
        ("0.125", 0.125),
        ("1234.567", 1234.567),
        ("1234,5678", 1234.5678),
        ("1.2345", 1.2345),
        ("-0", 0.0),
    ],
)
def test_a_number_is_taken_right_in_either_language(value, expected):
    assert units(value) == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "empty"),
        ("", "empty"),
        ("  \u00a0", "empty"),
        (True, "not_a_number"),
        ("many", "not_a_number"),
        ("12 pieces", "not_a_number"),
        ("1.23,4", "not_a_number"),
        ("1.234.56", "not_a_number"),
        ("1.234.567.8", "not_a_number"),
        ("1.234,567.8", "not_a_number"),
        ("1e5", "not_a_number"),
        ("inf", "not_a_number"),
        ("nan", "not_a_number"),
        ("٣", "not_a_number"),
        ("١٢٫٥", "not_a_number"),
        ("12%", "not_a_number"),
        ("--5", "not_a_number"),
        ("9" * 41, "not_a_number"),
        ("1.234", "ambiguous_number"),
        ("12,345", "ambiguous_number"),
        ("-1.234", "ambiguous_number"),
        (-1, "negative"),
        (-0.5, "negative"),
        ("-1.234,5", "negative"),
        (1e9 + 1, "too_large"),
        (float("inf"), "too_large"),
        (10**400, "too_large"),
        (float("nan"), "too_large"),
        (date(2026, 5, 1), "date"),
        (datetime(2026, 5, 1), "date"),
        (time(12), "date"),
        (timedelta(hours=30), "date"),
        ("#DIV/0!", "error_value"),
        ("#YOK", "error_value"),
        ("#N/A", "error_value"),
    ],
)
def test_what_is_no_number_is_refused_by_its_kind(value, kind):
    with pytest.raises(NoNumberError, match=f"^{kind}$"):
        units(value)
