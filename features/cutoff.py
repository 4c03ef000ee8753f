"""The cut-off of a day: until when what became known still belongs to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

CUT_OFF_HOUR = 6  # local time of the next day: late enough for the night's exports, early enough for the morning's plan
UNKNOWN_ZONE = "UTC"  # of a site that no row of sites tells


@lru_cache(maxsize=65536)
def cut_off(day: date, time_zone: str) -> datetime:
    """UTC time of `CUT_OFF_HOUR` o'clock on the day after `day` in an IANA time zone, whatever its clocks do.

    >>> cut_off(date(2026, 3, 28), "Europe/Berlin").isoformat()
    '2026-03-29T04:00:00+00:00'
    """
    morning = day + timedelta(days=1)
    local = datetime(morning.year, morning.month, morning.day, CUT_OFF_HOUR, tzinfo=ZoneInfo(time_zone))
    return local.astimezone(UTC)


def earliest_cut_off(day: date) -> datetime:
    """The moment before which no site on earth has its cut-off of `day`: no clock is over 14 hours ahead of UTC."""
    return datetime(day.year, day.month, day.day, CUT_OFF_HOUR, tzinfo=UTC) + timedelta(days=1, hours=-14)
