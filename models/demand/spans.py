"""The days, ISO weeks and months of a horizon: which of its days lie in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.demand.arrays import Ints

DAY, WEEK, MONTH = "day", "week", "month"
PERIODS = (DAY, WEEK, MONTH)
MONDAY = 4  # 1970-01-05, the first one


@dataclass(frozen=True)
class Spans:
    """The pieces of one kind, in order: `of` (horizon,) is the piece of each day, `first` (pieces,) the period's first day.

    At the horizon's ends a period lies in it with a part of its days; `days` (pieces,) are those that do.
    """

    period: str
    of: Ints
    first: npt.NDArray[np.datetime64]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def days(self) -> Ints:
        return np.bincount(self.of).astype(np.int64)

    def sum(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Sums of the pieces along `axis`, which is one day a place."""
        return np.asarray(np.add.reduceat(values, np.flatnonzero(np.diff(self.of, prepend=-1)), axis=axis))


def spans(last_day: int, horizon: int) -> dict[str, Spans]:
    """The pieces, by kind, of the `horizon` days after `last_day` (days since 1970-01-01)."""
    days = last_day + 1 + np.arange(horizon)
    dates = days.astype("datetime64[D]")
    firsts = {
        DAY: dates,
        WEEK: (days - (days - MONDAY) % 7).astype("datetime64[D]"),
        MONTH: dates.astype("datetime64[M]"),
    }
    found = {}
    for period, starts in firsts.items():
        first, of = np.unique(starts, return_inverse=True)
        found[period] = Spans(period, of.astype(np.int64), first.astype("datetime64[D]"))
    return found
