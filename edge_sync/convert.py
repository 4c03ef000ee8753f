"""Texts and typed cells as values of a contract's types. What cannot be converted becomes null, for the caller to note."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from edge_sync.filemap import Notation
from edge_sync.texts import by_value
from expectations.contract import UTC_TIME

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?|\d{4}-?W\d{2}")
_DAYS_OF_WEEK = ("%u", "%w", "%a", "%A")
_TRUE = ("true", "1", "evet", "yes")
_FALSE = ("false", "0", "hayır", "hayir", "no")
_LOWER = str.maketrans({"I": "ı", "İ": "i"})  # HAYIR is hayır in Turkish, not hayir


def convert(cells: pa.Array, text: pa.Array, kind: pa.DataType, notation: Notation) -> pa.Array:
    """`cells` as `kind`; `text` are the same cells as trimmed text (null where empty). Null where it cannot be done."""
    if pa.types.is_floating(kind):
        return _numbers(cells, text, notation).cast(kind)
    if pa.types.is_integer(kind):
        return _whole(_numbers(cells, text, notation), kind)
    if pa.types.is_boolean(kind):
        return by_value(text, _boolean, kind)
    if pa.types.is_date(kind):
        return _dates(cells, text, notation).cast(kind)
    if pa.types.is_timestamp(kind):
        return _times(cells, text, notation).cast(kind)
    return text.cast(kind)


def _numbers(cells: pa.Array, text: pa.Array, notation: Notation) -> pa.Array:
    if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        numbers = cells.cast(pa.float64(), safe=False)  # a count above 2**53 is beyond every contract's range
        return pc.if_else(pc.is_nan(numbers), None, numbers)
    readable = pc.match_substring_regex(text, number_pattern(notation))
    digits = pc.if_else(readable, text, None)
    if notation.thousands:
        digits = pc.replace_substring(digits, notation.thousands, "")
        if notation.thousands == " ":
            digits = pc.replace_substring_regex(digits, "[\u00a0\u202f]", "")
    if notation.decimal != ".":
        digits = pc.replace_substring(digits, notation.decimal, ".")
    # SAP writes the sign of a negative number behind it.
    digits = pc.replace_substring_regex(digits, r"^(.*)-$", r"-\1")
    return digits.cast(pa.float64())


def number_pattern(notation: Notation) -> str:
    """What a number looks like in this notation. Groups must be of three: 1.5 is no number where the dot groups."""
    decimal = re.escape(notation.decimal)
    whole = r"\d+"
    if notation.thousands:
        group = "[ \u00a0\u202f]" if notation.thousands == " " else re.escape(notation.thousands)
        whole = rf"(?:\d+|\d{{1,3}}(?:{group}\d{{3}})+)"
    body = rf"(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)"
    return rf"^(?:[-+]?{body}(?:[eE][-+]?\d{{1,3}})?|{body}-)$"


def _whole(numbers: pa.Array, kind: pa.DataType) -> pa.Array:
    limit = 2**53 if kind.bit_width == 64 else 2 ** (kind.bit_width - 1) - 1
    fits = pc.and_(pc.equal(pc.round(numbers), numbers), pc.less_equal(pc.abs(numbers), limit))
    return pc.if_else(fits, numbers, None).cast(kind)


def _boolean(text: str) -> bool | None:
    lower = text.translate(_LOWER).lower()
    return True if lower in _TRUE else False if lower in _FALSE else None


def _dates(cells: pa.Array, text: pa.Array, notation: Notation) -> pa.Array:
    """The day at the site: a time is first brought to the site's time zone."""
    if pa.types.is_date(cells.type):
        return cells.cast(pa.date32())
    if pa.types.is_timestamp(cells.type):
        if cells.type.tz is None and notation.times_in.key == notation.time_zone.key:
            return cells.cast(pa.timestamp("us"), safe=False).cast(pa.date32(), safe=False)
        local = pc.local_timestamp(_times(cells, text, notation).cast(pa.timestamp("us", tz=notation.time_zone.key)))
        return local.cast(pa.date32(), safe=False)

    def day(value: str) -> object:
        moment = read_moment(value, notation)
        if moment is None:
            return None
        return moment.astimezone(notation.time_zone).date() if moment.tzinfo else moment.date()

    return by_value(text, _guarded(day), pa.date32())


def _times(cells: pa.Array, text: pa.Array, notation: Notation) -> pa.Array:
    """The moment in UTC; a date alone is its beginning at the site."""
    if pa.types.is_timestamp(cells.type):
        times = cells.cast(pa.timestamp("us", tz=cells.type.tz), safe=False)
        return times.cast(UTC_TIME) if cells.type.tz else in_utc(times, notation.times_in)
    if pa.types.is_date(cells.type):
        return in_utc(cells.cast(pa.timestamp("us")), notation.time_zone)

    def moment(value: str) -> object:
        found = read_moment(value, notation)
        if found is None:
            return None
        return (found if found.tzinfo else found.replace(tzinfo=notation.time_zone)).astimezone(UTC)

    return by_value(text, _guarded(moment), UTC_TIME)


def _guarded(function: Callable[[str], object]) -> Callable[[str], object]:
    def guarded(value: str) -> object:
        try:
            return function(value)
        except OverflowError:  # a year 1 or 9999 that a time zone pushes over the edge
            return None

    return guarded


@lru_cache(maxsize=1 << 16)  # an export repeats its days, and strptime is slow
def read_moment(value: str, notation: Notation) -> datetime | None:
    """A time with its zone, or without one where `value` is a date alone; None if no format of the map fits."""
    for form in notation.date_formats:
        try:
            found = read_by(value, form)
        except ValueError:
            continue
        return _placed(found, any(part in form for part in ("%H", "%I", "%c", "%X")), notation)
    if not _ISO.fullmatch(value):
        return None
    try:
        return _placed(datetime.fromisoformat(value), len(value) > len("2024-01-31"), notation)
    except ValueError:
        return None


def read_by(value: str, form: str) -> datetime:
    """`value` read by a format of strptime; one that names an ISO week (%V) and no day of it means its Monday.

    Raises ValueError where it does not fit.
    """
    if "%V" in form and not any(part in form for part in _DAYS_OF_WEEK):
        value, form = f"{value} 1", f"{form} %u"
    return datetime.strptime(value, form)  # noqa: DTZ007 - the zone follows


def _placed(found: datetime, has_time: bool, notation: Notation) -> datetime:
    return found.replace(tzinfo=notation.times_in) if has_time and found.tzinfo is None else found


def in_utc(local: pa.Array, zone: ZoneInfo) -> pa.Array:
    """Wall-clock times in `zone` as UTC; in the hour that a clock repeats the first counts, in the one it skips the end."""
    return pc.assume_timezone(local, zone.key, ambiguous="earliest", nonexistent="latest").cast(UTC_TIME)


def day_start(dates: pa.Array, lag: timedelta, zone: ZoneInfo) -> pa.Array:
    """Start of each day in `zone` plus `lag`, by the clock on the wall, as UTC: P1D is the next local midnight."""
    local = pc.add(dates.cast(pa.timestamp("us")), pa.scalar(lag, pa.duration("us")))
    return in_utc(local, zone)
