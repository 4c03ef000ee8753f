"""What changes make of a baseline: pure arithmetic. A plan is laid on top of the baseline, which it never alters.

A change says for a node of the hierarchy, from a first day to a last, how many units each period is to have, or by how many
percent it is to differ from the baseline. Units are laid on the node's series in proportion to their baselines, evenly
where these are all 0. Of two changes that meet at a series and date the later one wins there, wholly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

How = Literal["units", "percent"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEVELS = ("site", "product", "product_group", "product_sub_group")
PERIOD_DAYS = {"day": 1, "week": 7}
BATCH_SERIES = 20_000  # of all the changes that are laid together, which takes 50 MB


@dataclass(frozen=True)
class Change:
    """`value` is units of each period of the whole node, or percent more (or less) than the baseline.

    A level that is None is not asked for: with all four None the node is the whole tenant. `first` and `last` are
    included; a week is touched if one of its days is.
    """

    first: date
    last: date
    how: How
    value: float
    site: str | None = None
    product: str | None = None
    product_group: str | None = None
    product_sub_group: str | None = None

    @property
    def node(self) -> dict[str, str]:
        """The levels that are asked for."""
        return {level: code for level in LEVELS if (code := getattr(self, level)) is not None}

    def sum(self, baseline: float) -> float:
        """What it makes of a period in which the whole node has `baseline` units."""
        return self.value if self.how == "units" else baseline * (1 + self.value / 100)


class Hierarchy:
    """Which series a node holds. `codes` has for each level the code of each series, None where it is not known."""

    def __init__(self, codes: dict[str, Sequence[str | None]]) -> None:
        self.codes = codes
        self._count = len(codes["site"])

    def series(self, node: dict[str, str]) -> Ints:
        """Positions of the series of a node, in order."""
        if not node:
            return np.arange(self._count)
        # From the smallest, so that a product at a site does not go through the site: a workbook brings thousands of them.
        first, *rest = sorted((self._positions[level].get(code, _NONE) for level, code in node.items()), key=len)
        for other in rest:
            places = np.searchsorted(other, first)
            first = first[np.take(other, places, mode="clip") == first] if len(first) else first
        return first

    @cached_property
    def _positions(self) -> dict[str, dict[str | None, Ints]]:
        found: dict[str, dict[str | None, Ints]] = {}
        for level, codes in self.codes.items():
            lists: dict[str | None, list[int]] = {}
            for i, code in enumerate(codes):
                lists.setdefault(code, []).append(i)
            found[level] = {code: np.array(positions, np.int64) for code, positions in lists.items()}
        return found


class Grid:
    """The baseline's rows, in order of series and date. Its arrays cannot be written to.

    `periods` says how many rows each series has; `dates` are the first days of the rows' periods, as days since 1970;
    `days` is a period's length.
    """

    def __init__(self, hierarchy: Hierarchy, periods: Sequence[int], dates: Ints, baseline: Floats, days: int) -> None:
        self.hierarchy = hierarchy
        self.periods = np.asarray(periods, np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(self.periods)[:-1]]).astype(np.int64)
        self.dates = np.array(dates, np.int64)
        self.baseline = np.array(baseline, np.float64)
        self.days = days
        for array in (self.periods, self.offsets, self.dates, self.baseline):
            array.flags.writeable = False

    def rows(self, series: Ints, first: date | None = None, last: date | None = None) -> Ints:
        """Positions of the rows of these series whose periods have a day from `first` to `last`, in order."""
        counts = self.periods[series]
        before = np.cumsum(counts) - counts  # rows of the chosen series before each
        rows = np.repeat(self.offsets[series] - before, counts) + np.arange(counts.sum())
        if first:
            rows = rows[self.dates[rows] + self.days > days_since_1970(first)]
        if last:
            rows = rows[self.dates[rows] <= days_since_1970(last)]
        return rows

    def touched(self, change: Change) -> Ints:
        """Positions of the rows on which a change is laid, in order."""
        return self.rows(self.hierarchy.series(change.node), change.first, change.last)

    def touched_by(self, changes: Sequence[Change], nodes: Sequence[Ints]) -> tuple[Ints, Ints]:
        """The same of many, whose nodes hold the series `nodes`: one after the other, and which change each row is of."""
        series = np.concatenate(nodes)
        rows = self.rows(series)
        of = np.repeat(np.repeat(np.arange(len(nodes)), [len(node) for node in nodes]), self.periods[series])
        first, last = (np.array([days_since_1970(getattr(c, end)) for c in changes]) for end in ("first", "last"))
        dates = self.dates[rows]
        chosen = (dates + self.days > first[of]) & (dates <= last[of])
        return rows[chosen], of[chosen]

    def sums(self, rows: Ints, values: Floats) -> dict[date, float]:
        """The sum of `values`, one for each of `rows`, by date."""
        dates, which = np.unique(self.dates[rows], return_inverse=True)
        totals = np.bincount(which, values, len(dates))
        return {day_of(int(day)): float(total) for day, total in zip(dates, totals, strict=True)}


_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Laid:
    """What changes make of a grid: the rows that they touch, in order, with their units and the change that won there.

    `baselines` has of each change the baseline of its node by date.
    """

    rows: Ints
    units: Floats
    winner: Ints  # position in the list of changes
    baselines: tuple[dict[date, float], ...]

    def at(self, rows: Ints) -> tuple[Floats, Ints]:
        """Units laid on each of `rows` and the change that won there; nan and -1 where none is."""
        if not len(self.rows):
            return np.full(len(rows), np.nan), np.full(len(rows), -1)
        where = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        is_laid = self.rows[where] == rows
        return np.where(is_laid, self.units[where], np.nan), np.where(is_laid, self.winner[where], -1)

    def final(self, grid: Grid, rows: Ints) -> Floats:
        """The plan's units of each of `rows`: what is laid on it, else the baseline."""
        units, winner = self.at(rows)
        return np.where(winner >= 0, units, grid.baseline[rows])


def lay(grid: Grid, changes: Sequence[Change]) -> Laid:
    """Lay `changes`, the earliest first, on a grid."""
    units = np.full(len(grid.baseline), np.nan)
    winner = np.full(len(grid.baseline), -1, np.int64)
    baselines: list[dict[date, float]] = []
    for batch, nodes in _batches(grid, changes):
        rows, of = grid.touched_by(batch, nodes)
        made, sums = _spread(grid, batch, rows, of)
        place = len(baselines) + of
        np.maximum.at(winner, rows, place)
        won = winner[rows] == place
        units[rows[won]] = made[won]
        baselines += sums
    touched = np.flatnonzero(winner >= 0)
    return Laid(touched, units[touched], winner[touched], tuple(baselines))


def _batches(grid: Grid, changes: Sequence[Change]) -> Iterator[tuple[list[Change], list[Ints]]]:
    """Changes that are laid together, with the series of their nodes: as many as memory is to bear."""
    batch: list[Change] = []
    nodes: list[Ints] = []
    count = 0
    for change in changes:
        node = grid.hierarchy.series(change.node)
        if batch and count + len(node) > BATCH_SERIES:
            yield batch, nodes
            batch, nodes, count = [], [], 0
        batch.append(change)
        nodes.append(node)
        count += len(node)
    if batch:
        yield batch, nodes


def _spread(grid: Grid, changes: Sequence[Change], rows: Ints, of: Ints) -> tuple[Floats, list[dict[date, float]]]:
    """The units of each of `rows` under the change `of` which it is, and of each change its node's baseline by date."""
    sums: list[dict[date, float]] = [{} for _ in changes]
    if not len(rows):
        return np.empty(0), sums
    baseline, dates = grid.baseline[rows], grid.dates[rows]
    begin, span = dates.min(), int(np.ptp(dates)) + 1
    which = of * span + dates - begin
    totals, counts = np.bincount(which, baseline), np.bincount(which)
    days = [day_of(int(begin) + i) for i in range(span)]
    found = np.flatnonzero(counts)
    for at, total in zip(found.tolist(), totals[found].tolist(), strict=True):
        sums[at // span][days[at % span]] = total
    value = np.array([change.value for change in changes])[of]
    is_percent = np.array([change.how == "percent" for change in changes])[of]
    total = totals[which]
    share = np.where(total > 0, baseline / np.where(total > 0, total, 1), 1 / counts[which])
    return np.where(is_percent, baseline * (1 + value / 100), value * share), sums


def days_since_1970(day: date) -> int:
    """As Arrow counts dates."""
    return day.toordinal() - _EPOCH


def day_of(days: int) -> date:
    """The date of so many days since 1970."""
    return date.fromordinal(days + _EPOCH)


_EPOCH = date(1970, 1, 1).toordinal()
