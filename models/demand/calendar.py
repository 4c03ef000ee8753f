"""The calendar as it was known at a cut-off: a day's newest version that had become known by then."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.demand.arrays import Floats, Ints, Strings, days, micros, strings

FLAGS = (
    "is_weekend",
    "is_month_start",
    "is_month_end",
    "is_holiday",
    "is_half_holiday",
    "is_religious_holiday",
    "is_bridge_day",
    "is_ramadan",
)
DISTANCES = ("days_to_holiday", "days_since_holiday")


@dataclass(frozen=True)
class Calendar:
    """Rows of CALENDAR_FEATURES sorted by site, date and known time, with a direct way to each site's day."""

    sites: Strings
    first_day: int
    start: Ints  # (sites, days): first row of the day, -1 where there is none
    rows_a_day: Ints  # (sites, days): versions of the day
    known_at: Ints
    day: Ints
    site: Ints
    numbers: Floats  # (rows, flags and distances)
    holiday: Strings
    kinds: tuple[tuple[str, ...], ...]
    events: tuple[tuple[str, ...], ...]

    @classmethod
    def from_features(cls, features: pd.DataFrame) -> Calendar:
        """From a frame with the columns of CALENDAR_FEATURES, of one tenant."""
        frame = features.assign(_day=days(features["date"]), _known=micros(features["available_at"]))
        frame = frame.sort_values(["site", "_day", "_known"], kind="stable", ignore_index=True)
        sites, site = np.unique(strings(frame["site"]), return_inverse=True)
        day = frame["_day"].to_numpy()
        first, width = (int(day.min()), int(np.ptp(day)) + 1) if len(day) else (0, 0)
        start, count = np.full((len(sites), width), -1), np.zeros((len(sites), width), dtype=np.int64)
        start[site[::-1], day[::-1] - first] = np.arange(len(day))[::-1]
        np.add.at(count, (site, day - first), 1)
        return cls(
            sites=sites,
            first_day=first,
            start=start,
            rows_a_day=count,
            known_at=frame["_known"].to_numpy(),
            day=day,
            site=site.astype(np.int64),
            numbers=frame[[*FLAGS, *DISTANCES]].to_numpy(dtype=float),
            holiday=strings(frame["holiday"]),
            kinds=_tuples(frame["event_kinds"]),
            events=_tuples(frame["events"]),
        )

    def find(self, site: Ints, day: Ints, cut_off: Ints) -> Ints:
        """Row that says what was known at `cut_off` of `day`; -1 where nothing was. All (n,).

        `site` is the site's position in `sites`, -1 where the calendar does not have it.
        """
        if self.start.size == 0:
            return np.full(len(day), -1)
        at, column = np.maximum(site, 0), day - self.first_day
        inside = (site >= 0) & (column >= 0) & (column < self.start.shape[1])
        column = np.where(inside, column, 0)
        first = np.where(inside, self.start[at, column], -1)
        versions = np.where(first >= 0, self.rows_a_day[at, column], 0)
        found = np.full(len(day), -1)
        for k in range(int(versions.max(initial=0))):
            row = np.where(k < versions, first + k, 0)
            found = np.where((k < versions) & (self.known_at[row] <= cut_off), row, found)
        return found

    def occasion(self, row: int) -> str:
        """The one name that a day has for a model: its holiday, else its first event, else ""."""
        return self.holiday[row] or (self.events[row][0] if self.events[row] else "")

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """How often each kind of event, and each occasion, occurs."""
        kinds = Counter(kind for row in self.kinds for kind in row)
        occasions = Counter(filter(None, (self.occasion(r) for r in range(len(self.day)))))
        return kinds, occasions


def _tuples(lists: pd.Series) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(v) if v is not None and not isinstance(v, float) else () for v in lists)


def empty_calendar() -> pd.DataFrame:
    """A calendar that knows no day: every day ahead is an ordinary one."""
    return pd.DataFrame(
        columns=["site", "date", "available_at", *FLAGS, *DISTANCES, "holiday", "event_kinds", "events"]
    )
