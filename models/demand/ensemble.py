"""Puts the members together: weights that add up to 1, and bands widened to what they promise.

Both are fitted on forecasts of rolling origins, which no member has seen, and by segment: a series with a path of
Prophet or without, sold on most days or sparse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.demand.arrays import Bools, Floats, Ints, divide
from models.demand.parameters import QUANTILES

SEGMENTS = ("regular", "sparse", "regular with prophet", "sparse with prophet")
MIN_WEIGHT = 0.02  # a member below it is dropped, and needs no time at night
MIN_ROWS = 400  # of a segment, below which it goes with the others
WIDTH_BOUNDS = (0.5, 3.0)
STEPS = 400
TAIL = QUANTILES[0]


def segments(sparse: Bools, has_prophet: Bools) -> Ints:
    """Position in SEGMENTS of each series."""
    return sparse.astype(np.int64) + 2 * has_prophet.astype(np.int64)


@dataclass(frozen=True)
class Blend:
    """`weights` (segments, members), each row adding up to 1; `widths` (segments, 2): factors of the lower and upper band."""

    members: tuple[str, ...]
    weights: Floats
    widths: Floats

    def combine(self, stack: Floats, segment: Ints) -> Floats:
        """(n, ..., 3) from `stack` (n, ..., 3, members) and the segment of each n: sorted, not negative, finite.

        Where a member says nothing (NaN), the others share its weight.
        """
        shape = (len(stack), *([1] * (stack.ndim - 3)), len(self.members))
        mixed = _mix(stack, self.weights[segment].reshape(shape))
        return widen(tidy(mixed), self.widths[segment].reshape((*shape[:-1], 2)))

    @property
    def used(self) -> tuple[str, ...]:
        """Members that have a weight anywhere."""
        return tuple(m for j, m in enumerate(self.members) if self.weights[:, j].any())

    def only(self, members: tuple[str, ...]) -> Blend:
        """The same blend of fewer members, whose weights must hold all there is."""
        return Blend(members, self.weights[:, [self.members.index(m) for m in members]], self.widths)

    def to_dict(self) -> dict[str, Any]:
        return {"members": list(self.members), "weights": self.weights.tolist(), "widths": self.widths.tolist()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Blend:
        return cls(tuple(saved["members"]), np.array(saved["weights"]), np.array(saved["widths"]))


def _mix(stack: Floats, weights: Floats) -> Floats:
    known = ~np.isnan(stack)
    share = np.where(known, np.broadcast_to(weights[..., None, :], stack.shape), 0.0)
    total = share.sum(axis=-1)
    return divide((share * np.nan_to_num(stack)).sum(axis=-1), total)


def tidy(quantiles: Floats) -> Floats:
    """Quantiles in order, none negative."""
    return np.sort(np.maximum(quantiles, 0.0), axis=-1)


def widen(quantiles: Floats, widths: Floats) -> Floats:
    """Each band times its factor, away from the median: `widths` is (..., 2)."""
    median = quantiles[..., 1]
    low = median - widths[..., 0] * (median - quantiles[..., 0])
    high = median + widths[..., 1] * (quantiles[..., 2] - median)
    return tidy(np.stack([low, median, high], axis=-1))


def fit(members: tuple[str, ...], stack: Floats, actual: Floats, size: Floats, segment: Ints) -> Blend:
    """Fit on rows: `stack` (rows, 3, members), `actual` (rows,), `size` (rows,) of each one's series, `segment` (rows,).

    `size` makes the series comparable: the mean absolute one-day difference, as in the scaled pinball loss.
    """
    usable = ~np.isnan(actual) & (size > 0)
    stack, actual, size, segment = stack[usable], actual[usable], size[usable], segment[usable]
    weights = np.empty((len(SEGMENTS), len(members)))
    widths = np.ones((len(SEGMENTS), 2))
    for number in range(len(SEGMENTS)):
        rows = _rows_of(segment, number)
        given = np.asarray(~np.isnan(stack[rows]).any(axis=(0, 1)), dtype=bool)
        weights[number] = _weights(stack[rows] / size[rows, None, None], actual[rows] / size[rows], given)
        if rows.any():
            mixed = tidy(_mix(stack[rows], weights[number]))
            widths[number] = _widths(mixed, actual[rows])
    return Blend(members, weights, widths)


def equal(members: tuple[str, ...]) -> Blend:
    """All members alike, and the bands as they come: what stands where no fold tells more."""
    return Blend(members, np.full((len(SEGMENTS), len(members)), 1 / len(members)), np.ones((len(SEGMENTS), 2)))


def _rows_of(segment: Ints, number: int) -> Bools:
    """Rows of a segment; where they are too few all rows that have the same members."""
    rows: Bools = segment == number
    if rows.sum() >= MIN_ROWS:
        return rows
    alike = segment // 2 == number // 2
    return alike if alike.any() else np.ones(len(segment), dtype=bool)


def _weights(stack: Floats, actual: Floats, given: Bools) -> Floats:
    """Weights that make the pinball loss least, by exponentiated gradient: it stays on the simplex and is repeatable.

    Members that are not `given` on all rows have none.
    """
    m = int(given.sum())
    found = np.zeros(len(given))
    if m == 0 or len(actual) == 0:
        found[given] = 1.0 / max(m, 1)
        return found
    x = stack[:, :, given]
    levels = np.array(QUANTILES)[None, :]
    best, weights, mean = np.full(m, 1.0 / m), np.full(m, 1.0 / m), np.zeros(m)
    for step in range(STEPS):
        error = actual[:, None] - x @ weights
        slope = -np.where(error > 0, levels, levels - 1.0)
        gradient = (slope[:, :, None] * x).mean(axis=(0, 1))
        gradient -= gradient @ weights
        rate = 2.0 / (np.abs(gradient).max() + 1e-12) / np.sqrt(step + 4)
        weights = weights * np.exp(-rate * gradient)
        weights /= weights.sum()
        mean += weights * (step >= STEPS // 2)
    mean /= mean.sum()
    best = min((best, weights, mean), key=lambda w: _loss(x, actual, w))
    kept = np.where(best < MIN_WEIGHT, 0.0, best)
    found[given] = kept / kept.sum()
    return found


def _loss(x: Floats, actual: Floats, weights: Floats) -> float:
    levels = np.array(QUANTILES)[None, :]
    error = actual[:, None] - x @ weights
    return float(np.maximum(levels * error, (levels - 1) * error).mean())


def _widths(quantiles: Floats, actual: Floats) -> Floats:
    """Factors by which a tenth of the rows fall below, and a tenth above (split conformal prediction, scaled).

    Source: Romano, Patterson, Candès 2019, "Conformalized quantile regression"; here scaling in place of adding.
    """
    median = quantiles[:, 1]
    below = _factor(median - actual, median - quantiles[:, 0])
    above = _factor(actual - median, quantiles[:, 2] - median)
    widths: Floats = np.clip(np.array([below, above]), *WIDTH_BOUNDS)
    return widths


def _factor(away: Floats, band: Floats) -> float:
    usable = band > 1e-9
    if usable.sum() < MIN_ROWS // 4:
        return 1.0
    return float(np.quantile(np.maximum(away[usable], 0) / band[usable], 1 - TAIL))
