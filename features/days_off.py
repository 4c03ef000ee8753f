"""What a country's calendar says of each day."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date
from typing import Any

from features.public_holidays import DAY, PublicHolidays

FARTHEST = 15  # days to and since a holiday are counted so far


def calendar_days(holidays: PublicHolidays, first: date, last: date) -> Iterator[dict[str, Any]]:
    """The columns of CALENDAR_FEATURES that the calendar alone tells, for each day from `first` to `last`."""
    around = range(-FARTHEST, (last - first).days + FARTHEST + 1)
    free = [d for d in (first + n * DAY for n in around) if holidays.is_holiday(d)]
    for n in range((last - first).days + 1):
        day = first + n * DAY
        iso = day.isocalendar()
        until, since = _distances(day, free)
        yield {
            "date": day,
            "day_of_week": iso.weekday,
            "day_of_month": day.day,
            "day_of_year": day.timetuple().tm_yday,
            "week_of_year": iso.week,
            "month": day.month,
            "is_weekend": holidays.is_weekend(day),
            "is_month_start": day.day == 1,
            "is_month_end": (day + DAY).day == 1,
            "is_holiday": holidays.is_holiday(day),
            "is_half_holiday": holidays.is_half_holiday(day),
            "is_religious_holiday": holidays.is_religious(day),
            "holiday": "; ".join(holidays.names(day)) or None,
            "is_bridge_day": holidays.is_bridge_day(day),
            "is_ramadan": holidays.is_ramadan(day),
            "days_to_holiday": until,
            "days_since_holiday": since,
        }


def _distances(day: date, free: list[date]) -> tuple[int, int]:
    """Days to the next and since the last of the sorted days `free`, 0 on one of them, at most FARTHEST."""
    after, before = bisect_left(free, day), bisect_right(free, day) - 1
    until = (free[after] - day).days if after < len(free) else FARTHEST
    since = (day - free[before]).days if before >= 0 else FARTHEST
    return min(until, FARTHEST), min(since, FARTHEST)
