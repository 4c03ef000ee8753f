"""Which rows a model learns from: by a hash of what they are, so that the same rows are taken again."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from models.demand.arrays import Floats, Ints, Strings

_GOLDEN, _M1, _M2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output."""
    x = (x ^ (x >> np.uint64(30))) * _M1
    x = (x ^ (x >> np.uint64(27))) * _M2
    return x ^ (x >> np.uint64(31))


def chance(keys: Strings, day: Ints, number: Ints, seed: int) -> Floats:
    """A number in [0, 1) for each (key, day, number), always the same one."""
    names, row = np.unique(keys, return_inverse=True)
    base = np.array([zlib.crc32(str(n).encode()) for n in names], dtype=np.uint64)[row]
    with np.errstate(over="ignore"):
        x = _mixed(base + np.uint64(seed) * _GOLDEN)
        x = _mixed(x + day.astype(np.uint64) * _GOLDEN)
        x = _mixed(x + number.astype(np.uint64) * _GOLDEN)
    return (x >> np.uint64(11)).astype(float) / float(1 << 53)


def some_rows(keys: Strings, day: Ints, targets: Floats, max_rows: int, seed: int) -> tuple[Ints, Ints]:
    """(origin, horizon) of about `max_rows` of the known targets of an (n, 28) array; all where there are fewer."""
    origin, column = np.nonzero(~np.isnan(targets))
    if len(origin) > max_rows:
        taken = chance(keys[origin], day[origin], column.astype(np.int64), seed) < max_rows / len(origin)
        origin, column = origin[taken], column[taken]
    return origin.astype(np.int64), column.astype(np.int64) + 1


def some(keys: Strings, day: Ints, limit: int, seed: int) -> Ints:
    """About `limit` positions of the given ones."""
    if len(keys) <= limit:
        return np.arange(len(keys))
    return np.flatnonzero(chance(keys, day, np.full(len(keys), 99), seed) < limit / len(keys))
