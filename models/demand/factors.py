"""Numbers from outside (weather, prices of raw materials, exchange rates) as they were known at a cut-off.

What was told of a day is its newest version that had become known by then, and so is a forecast that was told of a day
to come. What had happened after a cut-off, and a correction that came after it, are not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.demand.arrays import Floats, Ints, Strings, codes, days, divide, micros, nan_mean
from models.demand.periods import Period

ALL_SITES = "*"
MAX_FACTORS = 12
COLUMNS = ("site", "factor", "date", "value", "available_at")
NUMBERS = ("factor_last", "factor_change", "factor_told")  # of each factor, see `Factors.numbers`
CHANGE_DAYS = 28
ENOUGH = 8  # of the year's 52 values, below which its mean and spread are not known
CLIP = 10.0  # spreads
_OF = "_of_"


def column_names(factors: Sequence[str]) -> tuple[str, ...]:
    """The frame's columns of each factor, in the order of `Factors.numbers`."""
    return tuple(f"{number}{_OF}{factor}" for factor in factors for number in NUMBERS)


def factor_of(column: str) -> str | None:
    """The factor that a column of the frame tells of; None where it tells of something else."""
    number, _, factor = column.partition(_OF)
    return factor if number in NUMBERS else None


def no_rows() -> pd.DataFrame:
    """Rows of a tenant without factors."""
    return pd.DataFrame(columns=list(COLUMNS))


@dataclass(frozen=True)
class Factors:
    """Every version of every value, sorted: by track (a site's factor), by day, and by when it became known.

    `key` of a row is (track x `width` + day) x moments + the rank of its moment, so that what was known at a moment is
    found by a binary search.
    """

    names: tuple[str, ...]
    sites: Strings
    first_day: int
    width: int  # days
    moments: Ints  # at which something became known, rising
    key: Ints  # (rows,)
    value: Floats  # (rows,)

    @classmethod
    def from_rows(cls, rows: pd.DataFrame) -> Factors:
        """From a frame with COLUMNS, of one tenant: every known version in silver."""
        (site, sites), (name, names) = (_coded(rows[c]) for c in ("site", "factor"))
        known_at, day = micros(rows["available_at"]), days(rows["date"])
        value = rows["value"].to_numpy(dtype=float)
        return cls._of(tuple(names), np.array(sites, dtype=object), site * len(names) + name, day, known_at, value)

    @classmethod
    def _of(  # one argument a column
        cls, names: tuple[str, ...], sites: Strings, track: Ints, day: Ints, known_at: Ints, value: Floats
    ) -> Factors:
        first, width = (int(day.min()), int(np.ptp(day)) + 1) if len(day) else (0, 1)
        moments, rank = np.unique(known_at, return_inverse=True)
        key = (track.astype(np.int64) * width + day - first) * (len(moments) + 1) + rank
        order = np.argsort(key, kind="stable")
        return cls(names, sites, first, width, moments, key[order], value[order])

    @property
    def _ranks(self) -> int:
        return len(self.moments) + 1

    def numbers(
        self, names: Sequence[str], site: Strings, day: Ints, cut_off: Ints, horizon: Ints, period: Period
    ) -> Floats:
        """(n, len(names) x 3): what was known at `cut_off` of each factor, at the origin `day` and `horizon` periods ahead.

        factor_last: the newest value beside its mean of the past year. factor_change: against 28 days before.
        factor_told: what was told of the target beside the same weekdays of the last four weeks, which the frame holds
        its units beside; NaN where nothing was told. Each in standard deviations of the past year. A site without
        values of its own has those of all sites.
        """
        found = np.full((len(day), len(names), len(NUMBERS)), np.nan)
        if not names or not len(self.key) or not len(day):
            return found.reshape(len(day), -1)
        own = codes(site, self.sites)
        rank = np.searchsorted(self.moments, cut_off, side="right")
        origin = ((own + 1) * (int(np.ptp(day)) + 1) + day - day.min()) * self._ranks + rank
        far = int(horizon.max()) + 1
        _, first, back = np.unique(origin * far + horizon, return_index=True, return_inverse=True)
        some = _Asked(self, origin[first], day[first], rank[first], horizon[first], period)
        every = int(codes(np.array([ALL_SITES], dtype=object), self.sites)[0])
        for position, at in enumerate(codes(np.array(names, dtype=object), self.names).tolist()):
            if at < 0:
                continue
            site_s = some.numbers(np.where(own[first] >= 0, own[first] * len(self.names) + at, -1))
            if every >= 0:
                of_all = some.numbers(np.full(len(first), every * len(self.names) + at))
                site_s = np.where(np.isnan(site_s[:, :1]), of_all, site_s)
            found[:, position] = site_s[back]
        return found.reshape(len(day), -1)

    def told(self, track: Ints, day: Ints, rank: Ints) -> Floats:
        """What was told of `day` when the first `rank` moments had been; NaN where nothing was, or `track` is -1."""
        column = day - self.first_day
        inside = (track >= 0) & (column >= 0) & (column < self.width)
        slot = np.where(inside, track * self.width + column, 0)
        row = np.searchsorted(self.key, slot * self._ranks + rank) - 1
        there = inside & (row >= 0) & (self.key[row] // self._ranks == slot)
        return np.where(there, self.value[row], np.nan)

    def held(self, track: Ints, day: Ints, rank: Ints, within: int) -> Floats:
        """The value of `day`, or of the newest day before it, no more than `within` days back, of which one was known."""
        found: Floats = np.full(len(day), np.nan)
        column = np.minimum(day - self.first_day, self.width - 1)
        oldest = np.maximum(day - self.first_day - within, 0)
        left = np.flatnonzero((track >= 0) & (column >= oldest))
        while len(left):
            row = np.searchsorted(self.key, (track[left] * self.width + column[left]) * self._ranks + rank[left]) - 1
            slot = self.key[row] // self._ranks
            near = (row >= 0) & (slot >= track[left] * self.width + oldest[left])
            known = near & (self.key[row] % self._ranks < rank[left])
            found[left[known]] = self.value[row[known]]
            # the newest version of that day came later: ask for it again, for one that had come by then
            column[left] = slot % self.width
            left = left[near & ~known]
        return found

    def in_periods(self, period: Period) -> Factors:
        """By weeks in place of days: the mean of the days that are told. It is known anew with each of its days."""
        slot, rank = np.divmod(self.key, self._ranks)
        track, column = np.divmod(slot, self.width)
        triples = np.unique(np.stack([track, period.of(column + self.first_day), rank]), axis=1)
        track, number, rank = triples
        each = [self.told(track, period.first(number) + k, rank + 1) for k in range(period.days)]
        value = nan_mean(np.stack(each), axis=0) if len(rank) else self.value
        return Factors._of(self.names, self.sites, track, number, self.moments[rank], value)


def _coded(texts: pd.Series) -> tuple[Ints, list[str]]:
    """The position of each text among those that there are, sorted; fast where they are pandas' categories."""
    words = texts.astype("category").cat.remove_unused_categories()
    names = sorted(words.cat.categories)
    return np.asarray(words.cat.reorder_categories(names).cat.codes, dtype=np.int64), names


@dataclass(frozen=True)
class _Asked:
    """Rows (`origin`, `horizon`) of which numbers are asked; `origin` is a number that rows of one origin share."""

    factors: Factors
    origin: Ints
    day: Ints
    rank: Ints
    horizon: Ints
    period: Period

    def numbers(self, track: Ints) -> Floats:
        """(n, 3) of the factor and site that `track` says; see `Factors.numbers`."""
        if (track < 0).all():
            return np.full((len(track), len(NUMBERS)), np.nan)
        season = self.period.season
        _, first, back = np.unique(self.origin, return_index=True, return_inverse=True)
        of = track[first], self.day[first], self.rank[first]
        year = np.stack([self._held(*of, season * k) for k in range(self.period.year // season)], axis=1)
        enough = (~np.isnan(year)).sum(axis=1) >= ENOUGH
        mean = np.where(enough, nan_mean(year), np.nan)
        spread = np.sqrt(nan_mean((year - mean[:, None]) ** 2))
        last = self._held(*of, 0)
        change = last - self._held(*of, CHANGE_DAYS // self.period.days)
        # from the target to its weekday's last known value, as in the frame
        weeks = season * ((self.horizon - 1) // season + 1) - self.horizon
        usual = nan_mean(np.stack([self._held(track, self.day, self.rank, weeks + season * w) for w in range(4)]), 0)
        told = self.factors.told(track, self.day + self.horizon, self.rank) - usual
        found = np.stack([(last - mean)[back], change[back], told], axis=1)
        return np.clip(divide(found, spread[back][:, None]), -CLIP, CLIP)

    def _held(self, track: Ints, day: Ints, rank: Ints, back: Ints | int) -> Floats:
        return self.factors.held(track, day - back, rank, self.period.year // 4)
