"""What is known of many series' past, laid out period by period: the last two years as people look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.demand.arrays import Floats, Ints
from models.demand.asknown import whole
from models.demand.periods import DAY, WEEK, Period

TOLD = {DAY.name: 730, WEEK.name: 104}  # periods: two years
DECIMALS = 6  # of units in pieces: sums of a week's rows would be told to the sixteenth digit


@dataclass(frozen=True)
class Sold:
    """Rows of sales from `oldest` to the night: the position of each one's series, its day and its units. All (n,)."""

    row: Ints
    day: Ints
    units: Floats


@dataclass(frozen=True)
class Past:
    """The first period of each series, and the units of these and later ones, those of one series after the other's.

    From offsets[i] to offsets[i + 1] they are the i-th series'; NaN where they are not known.
    """

    first: Ints
    offsets: Ints
    units: Floats

    def texts(self) -> pa.Array:
        """A JSON list for each series."""
        # by Arrow: thirty thousand lists of Python's numbers would take a minute
        numbers = pa.array(np.round(self.units, DECIMALS), from_pandas=True).cast(pa.string())
        lists = pa.ListArray.from_arrays(pa.array(self.offsets, pa.int32()), pc.fill_null(numbers, "null"))
        return pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")


def oldest(period: Period, night: int) -> int:
    """The first day of which something is told at the night, which is given as a day."""
    return period.first(period.over(night) - TOLD[period.name] + 1)


def past(sold: Sold, sites: Sequence[str], period: Period, night: int) -> Past:
    """The periods of each series, of which `sites` names the site, until the night.

    From a series' first row on a period without a row counts 0; one without any row has sold nothing in all this time. What
    its site has not reported (see `asknown.whole`) is not known.
    """
    last, begin = period.over(night), period.of(oldest(period, night))
    number = period.of(sold.day)
    there = number <= last  # the week that has begun tells that the one before is whole
    row, number, units = sold.row[there], number[there], sold.units[there]
    first = np.full(len(sites), last + 1)
    np.minimum.at(first, row, number)
    first[first > last] = begin
    offsets = np.concatenate([[0], np.cumsum(last - first + 1)])
    place = offsets[row] + number - first[row]
    total: Floats = np.bincount(place, weights=units, minlength=int(offsets[-1])).astype(np.float64)
    unknown = np.minimum(last - _reported(sold, sites, period, night), last - first + 1)
    for i in np.flatnonzero(unknown):
        total[offsets[i + 1] - unknown[i] : offsets[i + 1]] = np.nan
    return Past(first, offsets, total)


def _reported(sold: Sold, sites: Sequence[str], period: Period, night: int) -> Ints:
    """The last period, over at the night, that each series' site has reported whole; long ago where it has reported none."""
    names, site = np.unique(np.asarray(sites, dtype=object), return_inverse=True)
    begin = oldest(period, night)
    told = np.zeros((len(names), night - begin + 1), dtype=bool)
    told[site[sold.row], sold.day - begin] = True
    found = np.full(len(names), np.iinfo(np.int32).min, dtype=np.int64)
    for i in np.flatnonzero(told.any(axis=1)):
        found[i] = min(whole(begin + np.flatnonzero(told[i]), period), period.over(night))
    return np.asarray(found[site])
