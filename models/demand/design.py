"""What the calendar says of a day as numbers that a regression can add up: weekday, month, year, holidays and events."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.demand.arrays import Floats, Ints, Strings, codes
from models.demand.calendar import FLAGS, Calendar
from models.demand.periods import DAY, Period

LEVEL, TREND, SEASON, HOLIDAY = TERMS = ("level", "trend", "season", "holiday")
YEAR_DAYS = 365.25
YEAR_WAVES, MONTH_WAVES = 5, 3  # pairs of harmonics
_USED = [k for k, name in enumerate(FLAGS) if name != "is_weekend"]  # the weekdays tell that
_IS_HOLIDAY = FLAGS.index("is_holiday")


@dataclass(frozen=True)
class Design:
    """Columns for the periods of any site. `kinds` are those of events; `since` is the period that the trend counts from."""

    period: Period
    kinds: tuple[str, ...]
    since: int
    of_years: bool  # without a year and a half nobody knows its rhythm, nor a trend beside it

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """To which of TERMS each column belongs."""
        season = self.period.season - 1 + 2 * MONTH_WAVES * (self.period == DAY) + 2 * YEAR_WAVES * self.of_years
        k = len(self.kinds)
        holiday = len(_USED) + 2 + 3 * k + k * (self.period.season - 1)
        return (LEVEL, *[TREND] * self.of_years, *[SEASON] * season, *[HOLIDAY] * holiday)

    def rows(self, calendar: Calendar, site: Strings, day: Ints, cut_off: Ints) -> Floats:
        """(n, d, columns) of the periods `day` (n, d) at `site` (n,), as known at `cut_off` (n,)."""
        parts = [np.ones((*day.shape, 1))]
        if self.of_years:
            parts.append(((day - self.since) / self.period.year)[..., None])
        weekdays = _one_hot((day + 3) % self.period.season, self.period.season)  # 1970-01-01 was a Thursday
        parts.append(weekdays)
        if self.period == DAY:
            parts.append(_waves(_month_share(day), MONTH_WAVES))
        if self.of_years:
            parts.append(_waves(self.period.first(day) / YEAR_DAYS, YEAR_WAVES))
        before, here, after = (self._of_days(calendar, site, day + step, cut_off) for step in (-1, 0, 1))
        flags = len(_USED)
        neighbours = [side[..., [_USED.index(_IS_HOLIDAY)]] for side in (before, after)]
        events = [side[..., flags:] for side in (before, here, after)]
        by_weekday = (events[1][..., :, None] * weekdays[..., None, :]).reshape((*day.shape, -1))
        return np.concatenate([*parts, here[..., :flags], *neighbours, *events, by_weekday], axis=-1)

    def _of_days(self, calendar: Calendar, site: Strings, day: Ints, cut_off: Ints) -> Floats:
        """(n, d, flags and kinds); 0 where nothing is known of a day."""
        n, d = day.shape
        if not len(calendar.day):
            return np.zeros((n, d, len(_USED) + len(self.kinds)))
        at = codes(site, calendar.sites)
        row = calendar.find(np.repeat(at, d), day.reshape(-1), np.repeat(cut_off, d))
        numbers = np.nan_to_num(calendar.numbers[row][:, _USED])
        kinds = np.zeros((len(row), len(self.kinds)))
        column = codes(np.array(self.kinds, dtype=object), calendar.kinds)
        kinds[:, column >= 0] = calendar.kind_share[row][:, column[column >= 0]]
        found = np.concatenate([numbers, kinds], axis=1)
        found[row < 0] = 0.0
        return np.asarray(found.reshape(n, d, -1), dtype=float)


def _one_hot(place: Ints, season: int) -> Floats:
    """The first place has none: it is what the others are beside."""
    return np.asarray((place[..., None] == np.arange(1, season)).astype(float), dtype=float)


def _waves(turns: Floats, waves: int) -> Floats:
    angle = 2 * np.pi * turns[..., None] * np.arange(1, waves + 1)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)


def _month_share(day: Ints) -> Floats:
    """How much of its month is over on a day."""
    dates = day.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    begin, end = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
    return np.asarray((dates - begin).astype(float) / (end - begin).astype(float))
