"""A whole distribution from three quantiles and a mean: what sums of forecasts are made of.

Below the quantile 0.9 it is a normal cut in two at the median, each half with the width of its quantile, and nothing
below 0; above it is an exponential tail, as long as the mean asks for. So it has exactly the quantiles that were forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from models.demand.arrays import Floats

Z90 = 1.2815515655446004  # the 0.9 quantile of the normal
TAIL = 0.1
NORMAL_TAIL = 0.4735  # mean of what lies beyond the 0.9 quantile of the normal, less that quantile
MOST = 3.5  # a score beyond it tells that the bands are wrong, and no more of what series have in common
SQRT_2PI = np.sqrt(2 * np.pi)


def _density(z: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * z * z) / SQRT_2PI)


@dataclass(frozen=True)
class Marginals:
    """`median`, `low` and `high` (the normal's deviation below and above it) and `tail` (mean beyond q90), all of one shape."""

    median: Floats
    low: Floats
    high: Floats
    tail: Floats

    @classmethod
    def of(cls, quantiles: Floats, mean: Floats | None = None) -> Marginals:
        """`quantiles` (..., 3) in order and not negative. `mean` (...) is what the tail makes true as far as it can.

        Without it, and where it is not known (NaN), the tail is that of the normal.
        """
        median = quantiles[..., 1]
        low, high = (median - quantiles[..., 0]) / Z90, (quantiles[..., 2] - median) / Z90
        body = cls(median, low, high, np.zeros_like(median))
        tail = high * NORMAL_TAIL
        if mean is not None:
            tail = np.where(np.isnan(mean), tail, np.maximum(mean - body.mean, 0.0) / TAIL)
        return cls(median, low, high, tail)

    @property
    def mean(self) -> Floats:
        floor = np.asarray(-self.median / np.where(self.low > 0, self.low, np.inf))
        floor = np.where(self.low > 0, floor, -np.inf)
        below = self.median * (0.5 - ndtr(floor)) + self.low * (_density(floor) - 1 / SQRT_2PI)
        above = self.median * 0.5 + self.high * (1 / SQRT_2PI - _density(np.array(Z90)) + TAIL * Z90)
        return np.asarray(below + above + TAIL * self.tail)

    def take(self, rows: slice) -> Marginals:
        return Marginals(self.median[rows], self.low[rows], self.high[rows], self.tail[rows])

    def values(self, scores: np.ndarray) -> np.ndarray:
        """(..., samples) in pieces from normal scores of that shape, in their precision."""
        kind = scores.dtype
        median, low, high, tail = (a[..., None].astype(kind) for a in (self.median, self.low, self.high, self.tail))
        body = median + np.where(scores < 0, low, high) * np.minimum(scores, kind.type(Z90))
        found = np.maximum(body, 0, out=body)
        beyond = np.nonzero(scores > Z90)
        rest = np.maximum(ndtr(-scores[beyond]), 1e-7)
        found[beyond] += np.broadcast_to(tail, found.shape)[beyond] * -np.log(rest / TAIL)
        return np.asarray(found)

    def scores(self, actual: Floats) -> Floats:
        """The normal score of what happened, (...): NaN where it is unknown.

        Where nothing was sold and that has a probability of its own, the mean score of those that mean nothing.
        """
        away = actual - self.median
        width = np.where(away < 0, self.low, self.high)
        score = np.where(away == 0, 0.0, away / np.where(width > 0, width, np.inf))
        score = np.where((width <= 0) & (away != 0), np.sign(away) * Z90, score)
        floor = np.where(self.low > 0, -self.median / np.where(self.low > 0, self.low, 1.0), -MOST)
        floor = np.where(self.median > 0, floor, 0.0)
        silent = -_density(floor) / np.maximum(ndtr(floor), 1e-12)
        score = np.where((actual <= 0) & (ndtr(floor) > 0.001), silent, score)
        return np.where(np.isnan(actual), np.nan, np.clip(score, -MOST, MOST))
