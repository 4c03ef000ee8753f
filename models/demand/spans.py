"""The days, ISO weeks and months of a horizon: which of its periods lie in each.

A week is never parted: it lies whole in the month of its Monday, so that sums of weeks add up by month as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.demand import periods
from models.demand.arrays import Ints
from models.demand.periods import Period

DAY, WEEK, MONTH = periods.DAY.name, periods.WEEK.name, "month"
PERIODS = (DAY, WEEK, MONTH)


@dataclass(frozen=True)
class Spans:
    """The pieces of one kind, in order: `of` (horizon,) is the piece of each period ahead, `first` (pieces,) its first day.

    At the horizon's ends a piece lies in it with a part of its days; `days` (pieces,) are those that do.
    """

    period: str
    of: Ints
    first: npt.NDArray[np.datetime64]
    counts: Period  # what is ahead

    def __len__(self) -> int:
        return len(self.first)

    @property
    def own(self) -> bool:
        """Whether each piece is one period ahead: those of the series are the forecast itself."""
        return self.period == self.counts.name

    @property
    def days(self) -> Ints:
        return np.bincount(self.of).astype(np.int64) * self.counts.days

    def sum(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Sums of the pieces along `axis`, which is one period a place."""
        return np.asarray(np.add.reduceat(values, np.flatnonzero(np.diff(self.of, prepend=-1)), axis=axis))


def spans(last: int, horizon: int, counts: Period = periods.DAY) -> dict[str, Spans]:
    """The pieces, by kind, of the `horizon` periods after the number `last`: no kind shorter than they are."""
    days = counts.first(last + 1 + np.arange(horizon))
    dates = days.astype("datetime64[D]")
    firsts = {
        DAY: dates,
        WEEK: periods.WEEK.first(periods.WEEK.of(days)).astype("datetime64[D]"),
        MONTH: dates.astype("datetime64[M]"),
    }
    found = {}
    for period in PERIODS[PERIODS.index(counts.name) :]:
        first, of = np.unique(firsts[period], return_inverse=True)
        found[period] = Spans(period, of.astype(np.int64), first.astype("datetime64[D]"), counts)
    return found
