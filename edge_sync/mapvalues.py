"""Single values of a file map: each function gives the value, or raises ValueError saying what is expected."""

from __future__ import annotations

import codecs
import re
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge_sync.convert import read_by
from edge_sync.fields import one_of, suggest, text, texts
from expectations.contract import Contract

_DURATION = re.compile(r"([-+]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
ENCODINGS = ("utf-8", "utf-8-sig", "windows-1254", "iso-8859-9", "utf-16")


def duration(value: Any) -> timedelta:
    """An ISO 8601 duration of weeks, days, hours and minutes, as P1D, -P365D, PT6H."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()[1:]):
        raise ValueError("is no ISO 8601 duration such as P1D, PT6H or -P365D")
    weeks, days, hours, minutes = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    return -length if found[1] == "-" else length


def encoding(value: Any) -> str:
    one_of(*ENCODINGS)(value.lower() if isinstance(value, str) else value)
    return "utf-8" if value.lower() == "utf-8-sig" else codecs.lookup(value).name  # a mark is always left out


def one_character(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1 or not value.isascii():
        raise ValueError('is no single character; a tab is "\\t" in double quotes')
    return value


def quote(value: Any) -> str | None:
    return None if value in (None, "", "none") else one_character(value)


def sheet(value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    return text(value)


def time_zone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(text(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no IANA time zone such as Europe/Istanbul") from None


def date_format(value: str) -> str:
    if "%" not in value:
        raise ValueError(f"holds {value!r}, which is no strptime format such as %d.%m.%Y")
    try:
        read_by(datetime(2001, 2, 3, 4, 5, 6).strftime(value), value)  # noqa: DTZ001 - the format alone
    except (ValueError, re.error):
        raise ValueError(f"holds {value!r}, which is no strptime format such as %d.%m.%Y") from None
    return value


def pattern(value: Any) -> str:
    try:
        return re.compile(text(value)).pattern
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None


def day(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("is no date such as 2024-01-31")


def moment(value: Any, zone: ZoneInfo) -> datetime:
    """A moment of YAML (a time, a date or a text); one without an offset counts in `zone`."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone follows
    if not isinstance(value, datetime):
        raise ValueError("is no ISO time such as 2024-01-31T06:00:00+03:00")
    return value if value.tzinfo else value.replace(tzinfo=zone)


def summed(value: Any, contract: Contract) -> tuple[str, ...]:
    numbers = [c.name for c in contract.landing_columns if c.unit and c.name not in contract.keys]
    for name in texts(value):
        if name not in numbers:
            raise ValueError(f"holds {name!r}, no quantity of contract {contract.name}{suggest(name, numbers)}")
    return texts(value)


def pairs(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not value:
        raise ValueError("is no mapping of a column here to the column there")
    return {text(k): text(v) for k, v in value.items()}
