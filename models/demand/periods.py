"""What a series counts in: days or weeks, and the windows by which it is looked at.

A period is a number: a day counts from 1970-01-01 on, a week (Monday to Sunday) from that of 1970-01-01 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from expectations.tables import ROLLING_MEANS, ROLLING_STDS
from models.demand.arrays import Ints, to_date

Number = TypeVar("Number", int, Ints)


@dataclass(frozen=True)
class Period:
    """`season` periods make the shortest rhythm, `year` is a whole number of seasons; `means` and `stds` are windows.

    Forecast errors of a `run` of periods are much alike.
    """

    name: str
    days: int
    season: int
    run: int
    year: int
    means: tuple[int, ...]
    stds: tuple[int, ...]
    offsets: tuple[int, ...]  # a monthly model works for weeks: it is also asked so long after its last period
    min_age: int  # periods since a series' first row, below which its pattern is not known
    min_known: int  # known ones among the last 28, below which it is not known either
    latest: int  # periods that tell where a series' level is now
    frequency: str  # as pandas calls it

    def seasons(self, horizon: int) -> int:
        """How many seasons, begun ones among them, `horizon` periods have."""
        return -(-horizon // self.season)

    @property
    def _shift(self) -> int:
        return 3 if self.days == 7 else 0  # 1970-01-01 was a Thursday

    def of(self, day: Number) -> Number:
        """The period in which a day lies."""
        return (day + self._shift) // self.days

    def first(self, number: Number) -> Number:
        """The day that begins a period."""
        return number * self.days - self._shift

    def last(self, number: Number) -> Number:
        """The day that ends it."""
        return self.first(number) + self.days - 1

    def over(self, day: Number) -> Number:
        """The last period that has ended when `day` has."""
        return self.of(day + 1) - 1

    def until(self, number: Number) -> Number:
        """The last day on which it is the last period that has ended: by then its files have come."""
        return self.last(number + 1) - 1

    def end(self, number: int) -> date:
        """The date that ends a period: by it the period is told to people."""
        return to_date(self.last(number))


DAY = Period("day", 1, 7, 7, 364, ROLLING_MEANS, ROLLING_STDS, (0, 7, 14, 21), 28, 14, 28, "D")
WEEK = Period("week", 7, 1, 4, 52, (2, 4, 8, 13, 26, 52), (4, 13, 26), (0, 1, 2, 3), 13, 7, 8, "W-MON")
PERIODS = {p.name: p for p in (DAY, WEEK)}
