"""Values of YAML and Excel as text in a map's own notation, so that one reader serves every format."""

from __future__ import annotations

import math
from datetime import date, datetime, time


def render(value: object, decimal: str) -> str:
    """`value` as text: numbers with the decimal sign `decimal`, whole ones without; times in ISO 8601; None is empty."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return _number(value, decimal)
        case datetime():
            midnight = value.time() == time() and value.tzinfo is None
            return value.date().isoformat() if midnight else value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _number(value: float, decimal: str) -> str:
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))  # Excel keeps whole numbers, product codes among them, as floats
    return repr(value).replace(".", decimal)
