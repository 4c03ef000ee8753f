"""Days off by country: public and religious holidays with their moving dates, half days, weekends, Ramadan.

What is here is known years ahead: rules, and dates that follow from the moon. Days that a government declares once
(an election, a mourning) are left out, since they are often announced days before; a tenant that knows of one lands
it as a calendar event, with the moment when it became known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import chain

import holidays
from hijridate import Gregorian, Hijri
from holidays.holiday_base import HolidayBase

DAY = timedelta(days=1)
SATURDAY, SUNDAY = 5, 6
RAMADAN, SHAWWAL = 9, 10
_EID_AL_FITR = re.compile(r"Eid[ -][au]l[ -]Fitr")
_EID_AL_ADHA = re.compile(r"Eid[ -][au]l[ -]Adha")
_ESTIMATED = re.compile(r",? ?\(?estimated\)?")


def _one_offs_removed(calendar: HolidayBase) -> HolidayBase:
    """`calendar`, not yet filled, without the holidays declared for a single year; swapped working days stay."""
    for name in [n for n in dir(calendar) if n.startswith("special_") and isinstance(getattr(calendar, n), dict)]:
        kept = {}
        for year, entries in getattr(calendar, name).items():
            several = entries if isinstance(entries[0], tuple) else (entries,)
            kept[year] = tuple(e for e in several if len(e) > 3)  # month, day, name: a day off; more: swapped days
        setattr(calendar, name, kept)
    return calendar


def _open(country: str, region: str | None, category: str) -> HolidayBase | None:
    """The library's calendar; None for an unknown country or a category that it does not have."""
    try:
        plain = holidays.country_holidays(country)
    except NotImplementedError:
        return None
    if category not in plain.supported_categories:
        return None
    language = "en_US" if "en_US" in plain.supported_languages else None
    known = {*plain.subdivisions, *plain.subdivisions_aliases}
    subdivision = region if region in known else None
    opened = holidays.country_holidays(country, subdiv=subdivision, language=language, categories=(category,))
    return _one_offs_removed(opened)


@dataclass(frozen=True)
class PublicHolidays:
    """The days off of `country` (ISO 3166-1 alpha-2) and `region` (ISO 3166-2 without the country).

    For None, or a country that the library does not know, there are no holidays, and Saturday and Sunday are off.
    """

    country: str | None
    region: str | None = None

    @cached_property
    def _whole(self) -> HolidayBase | None:
        return _open(self.country, self.region, holidays.PUBLIC) if self.country else None

    @cached_property
    def _half(self) -> HolidayBase | None:
        return _open(self.country, self.region, holidays.HALF_DAY) if self.country else None

    @property
    def known(self) -> bool:
        return self._whole is not None

    def is_holiday(self, day: date) -> bool:
        return self._whole is not None and day in self._whole

    def is_half_holiday(self, day: date) -> bool:
        """Off from noon or so, as on the eve (arife) of a religious holiday."""
        return self._half is not None and day in self._half and not self.is_holiday(day)

    def names(self, day: date) -> list[str]:
        """English names of the day's holidays, half days among them; sorted."""
        found = chain.from_iterable(c.get_list(day) for c in (self._whole, self._half) if c is not None)
        return sorted({_ESTIMATED.sub("", name).strip() for name in found})

    def is_religious(self, day: date) -> bool:
        """Whether the day is one of the Ramadan feast (Eid al-Fitr) or of the feast of sacrifice (Eid al-Adha)."""
        return self.is_holiday(day) and any(_EID_AL_FITR.search(n) or _EID_AL_ADHA.search(n) for n in self.names(day))

    def is_weekend(self, day: date) -> bool:
        """One of the country's weekly days off, unless it is worked in exchange for another day."""
        if self._whole is None:
            return day.weekday() in (SATURDAY, SUNDAY)
        return self._whole.is_weekend(day) and day not in self._whole.weekend_workdays

    def is_off(self, day: date) -> bool:
        return self.is_holiday(day) or self.is_weekend(day)

    def is_bridge_day(self, day: date) -> bool:
        """A working day between two days off, at least one of them a holiday."""
        around = (day - DAY, day + DAY)
        return not self.is_off(day) and all(map(self.is_off, around)) and any(map(self.is_holiday, around))

    def is_ramadan(self, day: date) -> bool:
        """In the month of fasting, for a country whose public holidays include Eid al-Fitr.

        It ends on the eve of the country's own Eid al-Fitr and begins as many days before as in the Umm al-Qura
        calendar: where the new moon is sighted the first day may be another by one.
        """
        span = self._next_ramadan(day)
        return span is not None and span[0] <= day <= span[1]

    def _next_ramadan(self, day: date) -> tuple[date, date] | None:
        """First and last day of the Ramadan that `day` lies in or before; None where the country does not keep it."""
        try:
            ahead = Gregorian.fromdate(day + 2 * DAY).to_hijri()
        except OverflowError:  # the Umm al-Qura calendar is laid down from 1924 to 2077
            return None
        if ahead.month > SHAWWAL or self._whole is None:
            return None
        feast = _gregorian(ahead.year, SHAWWAL)
        near = {d: self.names(d) for d in (feast + n * DAY for n in range(-2, 4)) if self.is_holiday(d)}
        if not any(map(_EID_AL_FITR.search, chain.from_iterable(near.values()))):
            return None
        first_of_feast = next((d for d, names in near.items() if any(map(_EID_AL_FITR.fullmatch, names))), feast)
        return _gregorian(ahead.year, RAMADAN) + (first_of_feast - feast), first_of_feast - DAY


def _gregorian(hijri_year: int, month: int) -> date:
    first = Hijri(hijri_year, month, 1).to_gregorian()
    return date(first.year, first.month, first.day)
