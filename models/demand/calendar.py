"""The calendar as it was known at a cut-off: a day's newest version that had become known by then.

With it goes what else is told of days from outside: the factors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from models.demand.arrays import Floats, Ints, Singles, Strings, codes, days, micros, nan_mean, strings
from models.demand.factors import Factors, no_rows
from models.demand.periods import Period

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
    numbers: Floats  # (rows, flags and distances); of several sites their mean
    kinds: tuple[str, ...]
    kind_share: Singles  # (rows, kinds): 1 for a kind of event that the day has; of several sites their share
    occasions: tuple[str, ...]
    occasion: Ints  # (rows,): position of the one name that a day has for a model, -1 for none
    names: Strings  # (rows,): tuples of all names that a day has
    factors: Factors = field(default_factory=lambda: Factors.from_rows(no_rows()))

    @classmethod
    def from_features(cls, features: pd.DataFrame, factors: pd.DataFrame | None = None) -> Calendar:
        """From a frame with the columns of CALENDAR_FEATURES, and the versions of the factors; both of one tenant."""
        frame = features.assign(_day=days(features["date"]), _known=micros(features["available_at"]))
        frame = frame.sort_values(["site", "_day", "_known"], kind="stable", ignore_index=True)
        sites, site = np.unique(strings(frame["site"]), return_inverse=True)
        events = _Names.of(frame["events"])
        kinds = _Names.of(frame["event_kinds"])
        holiday = strings(frame["holiday"])
        made = cls._of(
            sites,
            site.astype(np.int64),
            frame["_day"].to_numpy(),
            frame["_known"].to_numpy(),
            frame[[*FLAGS, *DISTANCES]].to_numpy(dtype=float),
            kinds.words,
            kinds.matrix(),
            # the one name that a day has for a model: its holiday, else its first event
            np.where(holiday != "", holiday, events.first()),
            events.after(holiday),
        )
        return made if factors is None else replace(made, factors=Factors.from_rows(factors))

    @classmethod
    def _of(  # one argument a column
        cls,
        sites: Strings,
        site: Ints,
        day: Ints,
        known_at: Ints,
        numbers: Floats,
        kinds: tuple[str, ...],
        kind_share: Singles,
        occasion: Strings,
        names: Strings,
    ) -> Calendar:
        """From rows sorted by site, day and known time."""
        first, width = (int(day.min()), int(np.ptp(day)) + 1) if len(day) else (0, 0)
        start, count = np.full((len(sites), width), -1), np.zeros((len(sites), width), dtype=np.int64)
        start[site[::-1], day[::-1] - first] = np.arange(len(day))[::-1]
        np.add.at(count, (site, day - first), 1)
        words = tuple(sorted(set(occasion) - {""}))
        code = codes(occasion, words)
        return cls(sites, first, start, count, known_at, day, site, numbers, kinds, kind_share, words, code, names)

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

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """How often each kind of event, and each occasion, occurs."""
        often = (self.kind_share > 0).sum(axis=0)
        named = np.bincount(self.occasion[self.occasion >= 0], minlength=len(self.occasions))
        return (
            Counter(dict(zip(self.kinds, often.tolist(), strict=True))),
            Counter(dict(zip(self.occasions, named.tolist(), strict=True))),
        )

    def together(self, groups: Mapping[str, Sequence[str]]) -> Calendar:
        """With a site more for each of `groups`: the mean of its sites' numbers and kinds, and what most of them call a day.

        A version of such a day is known when any of its sites' is. A site that the calendar does not have counts as none.
        Of the factors such a site has those of all sites.
        """
        own = (self.day, self.known_at, self.numbers, self.kind_share, self._occasion_names(), self.names)
        parts = [
            own,
            *(self._mean_of(codes(np.array(members, dtype=object), self.sites)) for members in groups.values()),
        ]
        named = [
            self.sites[self.site],
            *(np.full(len(p[0]), g, object) for g, p in zip(groups, parts[1:], strict=True)),
        ]
        sites, site = np.unique(np.concatenate(named), return_inverse=True)
        day, known_at = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
        order = np.lexsort((known_at, day, site))
        made = Calendar._of(
            sites,
            site[order],
            day[order],
            known_at[order],
            np.concatenate([p[2] for p in parts])[order],
            self.kinds,
            np.concatenate([p[3] for p in parts])[order],
            np.concatenate([p[4] for p in parts])[order],
            np.concatenate([p[5] for p in parts])[order],
        )
        return replace(made, factors=self.factors)

    def in_periods(self, period: Period) -> Calendar:
        """By weeks in place of days: the share of a week's days with a flag or a kind, the least distance, the name of
        most named days, the mean of the factors. A version of a week is known when one of any of its days is.
        """
        pairs = np.unique(np.stack([self.site, period.of(self.day), self.known_at], axis=1), axis=0)
        site, number, known_at = pairs[:, 0], pairs[:, 1], pairs[:, 2]
        rows = np.stack([self.find(site, period.first(number) + k, known_at) for k in range(period.days)])
        there, n = rows >= 0, len(pairs)
        flags = np.where(there[..., None], self.numbers[rows, : len(FLAGS)], np.nan)
        away = np.where(there[..., None], self.numbers[rows, len(FLAGS) :], np.inf)
        share = (
            np.where(there[..., None], self.kind_share[rows], 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)[:, None]
        )
        named = np.zeros((n, len(self.occasions) + 1))
        np.add.at(named, (np.tile(np.arange(n), len(rows)), np.where(there, self.occasion[rows], -1).reshape(-1)), 1)
        named[:, -1] = 0.5  # fewer than any name: a week without a named day
        names = np.empty(n, dtype=object)
        names[:] = [
            tuple(dict.fromkeys(name for row in column if row >= 0 for name in self.names[row])) for column in rows.T
        ]
        occasion = np.array([*self.occasions, ""], dtype=object)[named.argmax(axis=1)]
        numbers = np.concatenate([nan_mean(flags, axis=0), away.min(axis=0)], axis=1)
        made = Calendar._of(
            self.sites, site, number, known_at, numbers, self.kinds, share.astype(np.float32), occasion, names
        )
        return replace(made, factors=self.factors.in_periods(period))

    def _occasion_names(self) -> Strings:
        return np.array([*self.occasions, ""], dtype=object)[self.occasion]

    def _mean_of(self, sites: Ints) -> tuple[Ints, Ints, Floats, Singles, Strings, Strings]:
        """Day, known time, numbers, kinds, occasion and names of several sites as one."""
        sites = sites[sites >= 0]
        mine = np.isin(self.site, sites)
        pairs = np.unique(np.stack([self.day[mine], self.known_at[mine]], axis=1), axis=0)
        day, known_at = pairs[:, 0], pairs[:, 1]
        numbers, share = np.zeros((len(day), self.numbers.shape[1])), np.zeros((len(day), len(self.kinds)))
        named, there = np.zeros((len(day), len(self.occasions) + 1)), np.zeros(len(day))
        names = np.empty(len(day), dtype=object)
        names[:] = [()] * len(day)
        for site in sites:
            row = self.find(np.full(len(day), site), day, known_at)
            has = row >= 0
            numbers[has] += self.numbers[row[has]]
            share[has] += self.kind_share[row[has]]
            named[np.flatnonzero(has), self.occasion[row[has]]] += 1
            there += has
            names[has] = self.names[row[has]]
        most = named[:, :-1].argmax(axis=1) if self.occasions else np.full(len(day), -1)
        often = named[:, :-1].max(axis=1, initial=0) * 2 >= np.maximum(there, 1)
        occasion = np.where(often, np.array([*self.occasions, ""], dtype=object)[most], "")
        numbers, share = numbers / there[:, None], share / there[:, None]
        return day, known_at, numbers, share.astype(np.float32), occasion, names


@dataclass(frozen=True)
class _Names:
    """A column of lists of names: `sets` are the different ones, `of_row` says which one a row has."""

    sets: tuple[tuple[str, ...], ...]
    of_row: Ints

    @classmethod
    def of(cls, lists: pd.Series) -> _Names:
        known: dict[tuple[str, ...], int] = {}
        rows = [
            known.setdefault(tuple(v) if v is not None and not isinstance(v, float) else (), len(known)) for v in lists
        ]
        return cls(tuple(known), np.array(rows, dtype=np.int64))

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(sorted({name for names in self.sets for name in names}))

    def matrix(self) -> Singles:
        """(rows, words): 1 for a name that the row has."""
        words = self.words
        of_set = np.array([[word in names for word in words] for names in self.sets], dtype=np.float32)
        return of_set.reshape(len(self.sets), len(words))[self.of_row]

    def first(self) -> Strings:
        return np.array([*(names[0] if names else "" for names in self.sets), ""], dtype=object)[self.of_row]

    def after(self, holiday: Strings) -> Strings:
        """Tuples of a row's holiday, where it has one, and its names, each once."""
        made: dict[tuple[str, int], tuple[str, ...]] = {}
        found = np.empty(len(holiday), dtype=object)
        for row, (day, number) in enumerate(zip(holiday, self.of_row.tolist(), strict=True)):
            if (day, number) not in made:
                made[day, number] = tuple(dict.fromkeys((*filter(None, (day,)), *self.sets[number])))
            found[row] = made[day, number]
        return found


def empty_calendar() -> pd.DataFrame:
    """A calendar that knows no day: every day ahead is an ordinary one."""
    return pd.DataFrame(
        columns=["site", "date", "available_at", *FLAGS, *DISTANCES, "holiday", "event_kinds", "events"]
    )
