"""What all series of a tenant sold, on one grid of days or weeks, so that any of them are summed in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

PROMOTION = "promotion"  # the kind of event that is a single product's
LATE_DAYS = 28  # a site that has told nothing for longer is not waited for
DAYS = {"day": 1, "week": 7}
DECIMALS = 6  # of sums, in pieces
Key = tuple[str, tuple[str, int]]  # the tenant, and the version of the table
Event = dict[str, str | None]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Past:
    """`units` is (series, periods), 0 where they are not known; `index` has site, product and groups, a row a series.

    A series is known from period `begin` until `end` (exclusive). `events` are those of each site, without promotions.
    """

    key: Key
    index: pa.Table
    first_date: date
    days: int  # of a period
    begin: Ints
    end: Ints
    units: Floats
    events: Mapping[str, list[Event]]

    @property
    def bytes(self) -> int:
        return int(self.units.nbytes + self.index.nbytes)

    @classmethod
    def of(cls, key: Key, rows: pa.Table, events: Iterable[Mapping[str, Any]]) -> Past:
        """From rows with site, product, groups, night, period, first_date, and units as lists; and rows of site and events."""
        lists = rows["units"].combine_chunks()
        known = lists.flatten().is_valid().to_numpy(zero_copy_only=False)
        values = lists.flatten().fill_null(0.0).to_numpy()
        offsets = np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy())])
        days = DAYS[rows["period"][0].as_py()]
        first = rows["first_date"].cast(pa.int32()).to_numpy().astype(np.int64)
        begin = (first - first.min()) // days
        units, end = np.zeros((len(rows), int((begin + np.diff(offsets)).max()))), begin.copy()
        for i, (start, stop) in enumerate(pairwise(offsets)):  # a matrix of places would take three times the memory
            units[i, begin[i] : begin[i] + stop - start] = values[start:stop]
            end[i] += np.count_nonzero(known[start:stop])
        return cls(
            key,
            rows.select(["site", "product", "product_group", "product_sub_group"]),
            date(1970, 1, 1) + timedelta(days=int(first.min())),
            days,
            begin,
            end,
            units,
            {row["site"]: [e for e in json.loads(row["events"]) if e["kind"] != PROMOTION] for row in events},
        )

    def choose(self, place: Mapping[str, str | None]) -> npt.NDArray[np.bool_]:
        """Which series have these values in the columns of `index`; None for what is not known."""
        chosen = np.ones(len(self.index), dtype=bool)
        for name, value in place.items():
            column = self.index[name]
            mask = pa.compute.is_null(column) if value is None else pa.compute.equal(column, value).fill_null(False)
            chosen &= mask.to_numpy()
        return chosen

    def sum(self, chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
        """The units of the series chosen, of which there is one, summed by period: from the first that any of them has on.

        None where they are not all known, but for those of which nothing was told for LATE_DAYS: they were given up.
        """
        begin, end, width = self.begin[chosen], self.end[chosen], self.units.shape[1]
        awaited = (end > begin) & ((width - end) * self.days <= LATE_DAYS)
        first, until = int(begin.min()), int(end[awaited].min() if awaited.any() else end.max())
        total = np.round(chosen.astype(np.float64) @ self.units, DECIMALS)
        known: list[float | None] = total[first : max(first, until)].tolist()
        return {
            "first_date": self.first_date + timedelta(days=first * self.days),
            "units": known + [None] * (width - first - len(known)),
        }

    def events_of(self, chosen: npt.NDArray[np.bool_]) -> list[Event]:
        """What happened at the sites of the series chosen."""
        sites = set(self.index["site"].filter(pa.array(chosen)).to_pylist())
        return in_order(event for site in sites for event in self.events.get(site, ()))


def in_order(events: Iterable[Event]) -> list[Event]:
    """Each once, by day, kind and name."""
    found = {(e["date"] or "", e["kind"] or "", e["name"] or ""): e for e in events}
    return [found[key] for key in sorted(found)]
