"""What forecast errors of different series and days have in common: shares of the variance of their normal scores.

An error is made of parts that are common to all series, to those of a site, a group, a product, or its own; and each
of these to all periods ahead, to a run of them (a week of days, four weeks), or to one: a Gaussian copula whose correlations are sums of
variance components. A rank template (Schaake shuffle: Clark et al. 2004, J. Hydrometeorology 5) would need as many past forecasts
of a series as there are samples; the components are pooled over all pairs of series and days, so that a dozen nights tell
them, a new series has them too, and nothing is stored of any series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.demand.arrays import Floats, Ints

PATH, WEEK, DAY = "path", "week", "day"  # named after days; in weeks there are as many
TIMES = (PATH, WEEK, DAY)
OWN = "series"
MOST_SUMS = 1_000  # of a level: with more, its errors' common part would need more memory at night than it explains


def buckets(time: str, horizon: int, run: int) -> Ints:
    """(horizon,): the piece of the horizon in which errors of that kind are the same."""
    ahead = np.arange(horizon)
    return np.asarray({PATH: ahead * 0, WEEK: ahead // run, DAY: ahead}[time], dtype=np.int64)


@dataclass(frozen=True)
class Dependence:
    """`shares` by (level, time), adding up to 1: `level` is one of the hierarchy or OWN."""

    shares: dict[tuple[str, str], float]
    run: int = 7  # periods

    @classmethod
    def none(cls) -> Dependence:
        return cls({(OWN, DAY): 1.0})

    def to_dict(self) -> dict[str, Any]:
        return {"shares": [[*pair, share] for pair, share in self.shares.items()], "season": self.run}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Dependence:
        return cls({(level, time): share for level, time, share in saved["shares"]}, saved["season"])

    def scores(
        self, levels: dict[str, Ints], horizon: int, samples: int, seed: int, block: int
    ) -> Iterator[np.ndarray]:
        """(series, horizon, samples) normal scores, `block` series at a time; `levels` as in `fit`.

        The same seed gives the same scores.
        """
        random = np.random.default_rng(seed)
        series = len(levels[OWN])
        known = {name: sum(s for (n, _), s in self.shares.items() if n == name) for name, _ in self.shares}
        lost = sum(share for name, share in known.items() if name not in levels)
        common = {
            name: self._parts(name, int(of.max(initial=-1)) + 1, horizon, samples, random)
            for name, of in levels.items()
            if name != OWN and known.get(name, 0) > 0
        }
        alone = np.float32(lost**0.5)  # of levels that the tenant no longer has: then each series has it for itself
        for begin in range(0, series, block):
            rows = slice(begin, min(begin + block, series))
            found = self._parts(OWN, rows.stop - rows.start, horizon, samples, random)
            if lost > 0:
                found += alone * random.standard_normal((len(found), horizon, samples), dtype=np.float32)
            for name, parts in common.items():
                found += parts[levels[name][rows]]
            yield found

    def _parts(self, name: str, many: int, horizon: int, samples: int, random: np.random.Generator) -> np.ndarray:
        found = np.zeros((many, horizon, samples), dtype=np.float32)
        for time in TIMES:
            share = self.shares.get((name, time), 0.0)
            if share > 0:
                of = buckets(time, horizon, self.run)
                drawn = random.standard_normal((many, int(of[-1]) + 1, samples), dtype=np.float32)
                drawn *= np.float32(share**0.5)
                found += drawn if time == DAY else drawn[:, of]
        return found


def fit(scores: Floats, weight: Floats, night: Ints, levels: dict[str, Ints], run: int = 7) -> Dependence:
    """From normal scores of past errors, (rows, horizon) with NaN where unknown, of rows that are a series on a `night`.

    `weight` (rows, horizon) says how much an error counts in a sum: the width of its band. `levels` maps each level, and OWN, to
    the number (rows,) of each row's sum. Least squares on the mean products of all pairs of one night, none negative.
    """
    from scipy.optimize import nnls

    known = ~np.isnan(scores)
    w = np.where(known, weight, 0.0)
    z = np.nan_to_num(scores)
    spread = float((w * w * z * z).sum() / max((w * w).sum(), 1e-12))
    if spread <= 0:
        return Dependence.none()
    named = [name for name, of in levels.items() if name == OWN or of.max(initial=0) < MOST_SUMS]
    kinds = [(name, time) for name in named for time in TIMES]
    shape = scores.shape[1]
    numbers = [_numbers([night, levels[name]]) for name in named]
    times = [buckets(time, shape, run) for time in TIMES]
    product, shared = np.zeros(len(kinds)), np.zeros((len(kinds), len(kinds)))
    for a, (na, ta) in enumerate(_grid(numbers, times)):
        product[a] = _pairs(na, ta, w * z)
        for b, (nb, tb) in enumerate(_grid(numbers, times)):
            if b >= a:
                shared[a, b] = shared[b, a] = _pairs(_numbers([na, nb]), np.maximum(ta, tb), w)
    every = np.diag(shared)
    found, _ = nnls(shared / every[:, None], product / every / spread)
    total = found.sum()
    if total <= 0:
        return Dependence.none()
    return Dependence({kind: float(v / total) for kind, v in zip(kinds, found, strict=True) if v > 1e-4 * total}, run)


def _grid(numbers: Sequence[Ints], times: Sequence[Ints]) -> list[tuple[Ints, Ints]]:
    return [(number, time) for number in numbers for time in times]


def _numbers(columns: Sequence[Ints]) -> Ints:
    """One number for each combination of numbers."""
    found = columns[0]
    for column in columns[1:]:
        found = np.unique(found * (int(column.max(initial=0)) + 1) + column, return_inverse=True)[1]
    return np.asarray(found, dtype=np.int64)


def _pairs(of: Ints, time: Ints, values: Floats) -> float:
    """Sum over all pairs in the same sum and bucket of the products of their values: squares of the sums."""
    by_time = np.add.reduceat(values, np.flatnonzero(np.diff(time, prepend=-1)), axis=1)
    total = np.zeros((int(of.max(initial=-1)) + 1, by_time.shape[1]))
    np.add.at(total, of, by_time)
    return float((total**2).sum())
