"""The hierarchy of a tenant's series: which sums there are, and which series each of them holds.

A level sums all series of the tenant, or of each site, by product, sub-group, group or altogether. The series
themselves are the level "site/product", the bottom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from models.demand.arrays import Floats, Ints, Strings

COLUMNS = ("site", "product_group", "product_sub_group", "product")
BOTTOM = "site/product"
_GROUP, _SUB, _PRODUCT = COLUMNS[1:2], COLUMNS[1:3], COLUMNS[1:4]
# What a sum of the level has one value of; in this order, for of two levels that are the same the first is kept.
LEVELS: Mapping[str, tuple[str, ...]] = {
    "site": ("site",),
    "site/group": ("site", *_GROUP),
    "site/sub_group": ("site", *_SUB),
    "tenant": (),
    "tenant/group": _GROUP,
    "tenant/sub_group": _SUB,
    "tenant/product": _PRODUCT,
}


@dataclass(frozen=True)
class Level:
    """`of` (series,) is the sum that each series is in; `keys` the columns by which a sum is named, each (sums,)."""

    name: str
    of: Ints
    keys: Mapping[str, Strings]

    def __len__(self) -> int:
        return int(self.of.max(initial=-1)) + 1

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """(sums, series): 1 where the sum holds the series."""
        ones = np.ones(len(self.of))
        return sparse.csr_array((ones, (self.of, np.arange(len(self.of)))), shape=(len(self), len(self.of)))


@dataclass(frozen=True)
class Hierarchy:
    """The levels above the series of a tenant, in the order of LEVELS, without those that say nothing new."""

    series: int
    levels: tuple[Level, ...]

    @classmethod
    def of(cls, columns: Mapping[str, Strings]) -> Hierarchy:
        """From COLUMNS, each (series,), a row a series; "" for a group that is not known, which is a group as any.

        A level of the same sums as another is left out: with one site there are its levels and none of the tenant.
        """
        series = len(columns["product"])
        seen = [np.arange(series)]
        levels = []
        for name, names in LEVELS.items():
            of = _numbered([columns[c] for c in names], series)
            if not any(np.array_equal(of, other) for other in seen):
                seen.append(of)
                first = np.unique(of, return_index=True)[1]
                levels.append(Level(name, of, {c: np.asarray(columns[c], dtype=object)[first] for c in names}))
        return cls(series, tuple(levels))

    @property
    def sums(self) -> int:
        return sum(map(len, self.levels))

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """(sums, series): the levels' one below the other."""
        parts = [level.matrix for level in self.levels]
        return sparse.csr_array(sparse.vstack(parts)) if parts else sparse.csr_array((0, self.series))

    @cached_property
    def keys(self) -> Strings:
        """(sums,): the name by which a sum is found again: its site, or *, its level, and its groups and product."""
        names = [
            "/".join([site or "*", level.name.replace("/", " "), *rest])
            for level in self.levels
            for site, *rest in zip(*(level.keys.get(c, [""] * len(level)) for c in COLUMNS), strict=True)
        ]
        return np.array(names, dtype=object)

    @cached_property
    def level_of(self) -> Ints:
        """(sums,): position in `levels` of each sum of `matrix`."""
        return np.repeat(np.arange(len(self.levels)), [len(level) for level in self.levels])

    def sum(self, values: Floats) -> Floats:
        """(sums, ...) of (series, ...)."""
        flat = values.reshape(len(values), -1)
        return np.asarray(self.matrix @ flat).reshape(self.sums, *values.shape[1:])


def _numbered(columns: list[Strings], series: int) -> Ints:
    """A number for each combination of values, in the order of first appearance."""
    seen: dict[tuple[str, ...], int] = {}
    rows = zip(*columns, strict=True) if columns else [()] * series
    return np.array([seen.setdefault(tuple(row), len(seen)) for row in rows], dtype=np.int64)
