"""What a cell of units says: a number, or why it is none. A text that could be two numbers is not guessed at."""

from __future__ import annotations

import math
import re
from datetime import date, time, timedelta
from typing import Any

MOST_UNITS = 1e9  # of one series in one period
_BLANKS = "\u00a0\u202f\u2009"  # thousands in French and in ISO 31
_PLAIN = re.compile(r"(-?\d+)(?:([.,])(\d+))?", re.ASCII)
_GROUPED = re.compile(r"-?\d{1,3}(?:([., '’])\d{3})(?:\1\d{3})*(?:([.,])(\d+))?", re.ASCII)
_ERROR = re.compile(r"#[A-ZÇĞİÖŞÜ0-9/_]+[!?]?")


class NoNumberError(ValueError):
    """Not to be taken as units; the message is the kind of problem."""


def units(value: Any) -> float:
    """The units of a cell's value. Raises NoNumberError."""
    if isinstance(value, str):
        found = _read(value.strip(f" \t\r\n{_BLANKS}"))
    elif value is None:
        raise NoNumberError("empty")
    elif isinstance(value, date | time | timedelta):  # what a spreadsheet makes of 1.5 where a comma was meant
        raise NoNumberError("date")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise NoNumberError("not_a_number")
    else:
        found = float(value) if abs(value) < 1e300 else math.inf  # a whole number may be too large for a float
    if found < 0:
        raise NoNumberError("negative")
    if not found <= MOST_UNITS:
        raise NoNumberError("too_large")
    return found


def _read(text: str) -> float:
    if not text:
        raise NoNumberError("empty")
    if _ERROR.fullmatch(text):
        raise NoNumberError("error_value")
    if len(text) > 40:
        raise NoNumberError("not_a_number")
    plain = _PLAIN.fullmatch(text)
    if plain:
        whole, mark, decimals = plain.groups()
        if mark and len(decimals) == 3 and len(whole.lstrip("-")) <= 3 and whole.lstrip("-") != "0":
            raise NoNumberError(
                "ambiguous_number"
            )  # 1.234 is a thousand and more in one language, one and more in the other
        return float(f"{whole}.{decimals or 0}")
    for blank in _BLANKS:
        text = text.replace(blank, " ")
    grouped = _GROUPED.fullmatch(text)
    if grouped is None or grouped[1] == grouped[2]:
        raise NoNumberError("not_a_number")
    whole = text[: grouped.start(2)] if grouped[2] else text
    return float(f"{whole.replace(grouped[1], '')}.{grouped[3] or 0}")
