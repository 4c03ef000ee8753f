"""The difference of two plans, added up over a level of the hierarchy. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from serving.plans.arithmetic import Floats, Grid, Ints, day_of

Level = Literal["tenant", "site", "group", "product"]
KEYS: dict[Level, tuple[str, ...]] = {
    "tenant": (),
    "site": ("site",),
    "group": ("site", "product_group"),
    "product": ("site", "product_group", "product"),
}
Sums = tuple[Floats, Floats, Floats, Floats]
_DAYS = 1_000_000  # more than a date has days since 1970


@dataclass(frozen=True)
class Side:
    """One plan: its grid, and the units of each of the grid's rows."""

    grid: Grid
    units: Floats


class Difference:
    """Rows in order of their keys and dates, or the largest first; `totals` are of all of them."""

    def __init__(self, nodes: list[dict[str, Any]], keys: Ints, sums: Sums, totals: dict[str, Any]) -> None:
        self._nodes = nodes
        self._keys = keys
        self._sums = sums
        self._order = np.arange(len(keys))
        self.totals = totals

    def __len__(self) -> int:
        return len(self._keys)

    def largest_first(self) -> Difference:
        """The same, in order of the size of the difference."""
        self._order = np.argsort(-np.abs(self._sums[0] - self._sums[1]), kind="stable")
        return self

    def rows(self, start: int = 0, stop: int | None = None) -> list[dict[str, Any]]:
        """Rows `start` to `stop` as they are answered."""
        return [self._row(int(i)) for i in self._order[start:stop]]

    def _row(self, i: int) -> dict[str, Any]:
        node, day = divmod(int(self._keys[i]), _DAYS)
        return {**self._nodes[node], "date": day_of(day) if day else None, **_told(*(of[i] for of in self._sums))}


def difference(one: Side, other: Side, prices: Sequence[float | None], level: Level, by_date: bool) -> Difference:
    """`one` less `other`, over the periods of the series that both have.

    `prices` has one for each series of `one`; a difference in money is of those series that have a price, None where
    none has.
    """
    mine, theirs = _common(one.grid, other.grid)
    series = np.repeat(np.arange(len(one.grid.periods)), one.grid.periods)[mine]
    price = np.array([np.nan if p is None else p for p in prices], np.float64)[series]
    nodes, of_node = _nodes(one.grid, level)
    key = of_node[series] * _DAYS + (one.grid.dates[mine] if by_date else 0)
    keys, which = np.unique(key, return_inverse=True)
    columns = one.units[mine], other.units[theirs], price
    whole = _told(*(of[0] for of in _sums(*columns, np.zeros(len(mine), np.int64), 1)))
    whole |= {"series": len(np.unique(series)), "series_with_price": len(np.unique(series[~np.isnan(price)]))}
    return Difference(nodes, keys, _sums(*columns, which, len(keys)), whole)


def _common(one: Grid, other: Grid) -> tuple[Ints, Ints]:
    """Positions of the rows of the same series and date in both grids."""
    places = {key: i for i, key in enumerate(_series(one))}
    of_other = np.array([places.get(key, -1) for key in _series(other)], np.int64)
    of_one = np.arange(len(one.periods))
    ours = np.repeat(of_one, one.periods) * _DAYS + one.dates
    theirs = np.repeat(of_other, other.periods) * _DAYS + other.dates  # below 0 where the series is not ours
    _, mine, found = np.intersect1d(ours, theirs, assume_unique=False, return_indices=True)
    return mine, found


def _series(grid: Grid) -> list[tuple[str | None, str | None]]:
    codes = grid.hierarchy.codes
    return list(zip(codes["site"], codes["product"], strict=True))


def _nodes(grid: Grid, level: Level) -> tuple[list[dict[str, str | None]], Ints]:
    """The nodes of a level, in order, and which of them each series belongs to."""
    names = KEYS[level]
    codes = list(zip(*(grid.hierarchy.codes[name] for name in names), strict=True)) or [()] * len(grid.periods)
    ordered = sorted(set(codes), key=lambda code: [(part is None, part or "") for part in code])
    places = {code: i for i, code in enumerate(ordered)}
    empty = dict.fromkeys(("site", "product_group", "product"))
    nodes = [{**empty, **dict(zip(names, code, strict=True))} for code in ordered]
    return nodes, np.array([places[code] for code in codes], np.int64)


def _sums(units: Floats, other: Floats, price: Floats, which: Ints, count: int) -> Sums:
    """By key: both units, the difference in money, and how many rows have a price."""

    def add(values: Floats) -> Floats:
        return np.bincount(which, values, count).astype(np.float64)

    return add(units), add(other), add(np.nan_to_num((units - other) * price)), add(np.where(np.isnan(price), 0.0, 1.0))


def _told(units: float, other_units: float, value: float, priced: float) -> dict[str, Any]:
    return {
        "units": float(units),
        "other_units": float(other_units),
        "difference": float(units - other_units),
        "value_difference": float(value) if priced else None,
    }
