"""Puts the members together: each one's bands made honest, then weights that add up to 1, then the bands once more.

All is fitted on forecasts of rolling origins, which no member has seen, and by segment: a series sold on most days, a
sparse one, or a sum of others; with a path of its own or without. A member is in a segment's blend only if it lowers
the loss of a fold whose weights were fitted on the other folds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.demand.arrays import Bools, Floats, Ints, Strings, divide, nan_mean
from models.demand.parameters import QUANTILES

SEGMENTS = ("regular", "sparse", "sum", "regular with path", "sparse with path", "sum with path")
KINDS = len(SEGMENTS) // 2
GAIN = 0.003  # of the loss, that a member more must bring to be worth its time at night
TRIED_ROWS = 6_000  # by which members are chosen: neighbours tell the same
MIN_WEIGHT = 0.02  # a member below it is dropped, and needs no time at night
MOSTLY_SILENT = 0.5  # a member that says nothing of so many rows is not chosen
FEW_ROWS = 5_000  # of days: fewer tell little of who is the better member
MIN_ROWS = 400  # of a segment, below which it goes with the others
WIDTH_BOUNDS = (0.5, 3.0)
STEPS = 60
TAIL = QUANTILES[0]


def segments(sparse: Bools, level: Strings, has_path: Bools) -> Ints:
    """Position in SEGMENTS of each series; `level` is "" for what is no sum."""
    kind = np.where(level != "", SEGMENTS.index("sum"), sparse.astype(np.int64))
    return np.asarray(kind + KINDS * has_path, dtype=np.int64)


@dataclass(frozen=True)
class Blend:
    """`weights` (segments, members), each row adding up to 1. Bands: factors of the lower and upper half.

    `member_widths` (segments, members, 2) are applied to each member, `widths` (segments, 2) to what comes out.
    """

    members: tuple[str, ...]
    weights: Floats
    member_widths: Floats
    widths: Floats

    def combine(self, stack: Floats, segment: Ints) -> Floats:
        """(n, ..., 3) from `stack` (n, ..., 3, members) and the segment of each n: sorted, not negative, finite.

        Where a member says nothing (NaN), the others share its weight.
        """
        shape = (len(stack), *([1] * (stack.ndim - 3)), len(self.members))
        each = self.member_widths[segment].reshape((*shape, 2))
        honest = np.stack([widen(stack[..., j], each[..., j, :]) for j in range(len(self.members))], axis=-1)
        mixed = _mix(honest, self.weights[segment].reshape(shape))
        return widen(tidy(mixed), self.widths[segment].reshape((*shape[:-1], 2)))

    @property
    def used(self) -> tuple[str, ...]:
        """Members that have a weight anywhere."""
        return tuple(m for j, m in enumerate(self.members) if self.weights[:, j].any())

    def only(self, members: tuple[str, ...]) -> Blend:
        """The same blend of fewer members, whose weights must hold all there is."""
        at = [self.members.index(m) for m in members]
        return Blend(members, self.weights[:, at], self.member_widths[:, at], self.widths)

    def to_dict(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ("weights", "member_widths", "widths")}
        return {"members": list(self.members), **arrays}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Blend:
        arrays = (np.array(saved[name]) for name in ("weights", "member_widths", "widths"))
        return cls(tuple(saved["members"]), *arrays)


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


@dataclass(frozen=True)
class Rows:
    """What members said of single days, with what happened: the material of a blend.

    `stack` (rows, 3, members), `actual` (rows,), `size` (rows,) of each one's series (it makes them comparable: the mean
    absolute one-day difference, as in the scaled pinball loss), `segment` (rows,) and `fold` (rows,).
    """

    stack: Floats
    actual: Floats
    size: Floats
    segment: Ints
    fold: Ints

    def take(self, rows: Ints | Bools) -> Rows:
        return Rows(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @property
    def usable(self) -> Rows:
        """Those that something is known of."""
        return self.take(~np.isnan(self.actual) & (self.size > 0))


def fit(members: tuple[str, ...], rows: Rows) -> Blend:
    """Fit a blend on what the members said of rolling origins."""
    rows = rows.usable
    if not len(rows.actual):
        return equal(members)
    sized = replace(rows, stack=rows.stack / rows.size[:, None, None], actual=rows.actual / rows.size)
    each = np.array([_member_widths(_rows_of(sized, number)) for number in range(len(SEGMENTS))])
    honest = np.stack([widen(sized.stack[..., j], each[sized.segment, j]) for j in range(len(members))], axis=-1)
    sized = replace(sized, stack=honest)
    shares = [_shares(sized, with_path) for with_path in (0, 1)]
    weights = np.array([_own_weights(sized, number, shares[number // KINDS]) for number in range(len(SEGMENTS))])
    widths = np.array([_blend_widths(_rows_of(sized, n), weights[n]) for n in range(len(SEGMENTS))])
    return Blend(members, weights, each, widths)


def equal(members: tuple[str, ...]) -> Blend:
    """All members alike, and the bands as they come: what stands where no fold tells more."""
    n, m = len(SEGMENTS), len(members)
    return Blend(members, np.full((n, m), 1 / m), np.ones((n, m, 2)), np.ones((n, 2)))


def _rows_of(rows: Rows, number: int) -> Rows:
    """Rows of a segment; where they are too few those with the same members, else all."""
    mine = rows.segment == number
    alike = rows.segment // KINDS == number // KINDS
    return next((rows.take(some) for some in (mine, alike) if some.sum() >= MIN_ROWS), rows)


def _member_widths(rows: Rows) -> Floats:
    """What each member's bands lack, (members, 2)."""
    return np.array([honest_widths(tidy_known(rows.stack[..., j]), rows.actual) for j in range(rows.stack.shape[-1])])


def _blend_widths(rows: Rows, weights: Floats) -> Floats:
    return honest_widths(tidy(_mix(rows.stack, weights)), rows.actual)


def _shares(rows: Rows, with_path: int) -> Floats:
    """Weights of all series with a path, or of all without: members that bring nothing have none."""
    mine = rows.take(rows.segment // KINDS == with_path)
    speaks = np.isnan((mine if len(mine.actual) else rows).stack).mean(axis=(0, 1)) < MOSTLY_SILENT
    some = mine if len(mine.actual) >= FEW_ROWS else rows
    x = _filled(some.stack)
    chosen = _chosen(x, some.actual, some.fold, speaks)
    found = np.zeros(len(speaks))
    found[chosen] = _weights(x[..., chosen], some.actual)
    return _kept(found)


def _own_weights(rows: Rows, number: int, shares: Floats) -> Floats:
    """A segment's own weights of the chosen members, drawn towards those of all as far as its rows are few."""
    mine = rows.take(rows.segment == number)
    chosen = np.flatnonzero(shares)
    if not len(mine.actual) or len(chosen) == 1:
        return shares
    own = np.zeros(len(shares))
    own[chosen] = _weights(_filled(mine.stack)[..., chosen], mine.actual)
    trust = len(mine.actual) / (len(mine.actual) + FEW_ROWS)
    return _kept(trust * own + (1 - trust) * shares)


def _kept(weights: Floats) -> Floats:
    """Without those that are too small to be worth a night's time."""
    kept = np.where(weights < MIN_WEIGHT, 0.0, weights)
    return np.asarray(kept / kept.sum())


def tidy_known(quantiles: Floats) -> Floats:
    """As `tidy`; what is unknown stays so."""
    return np.where(np.isnan(quantiles).any(axis=-1, keepdims=True), np.nan, tidy(quantiles))


def _filled(stack: Floats) -> Floats:
    """Where a member says nothing, what the others say on average: so its silence speaks neither for it nor against."""
    mean = np.broadcast_to(nan_mean(stack)[..., None], stack.shape)
    return np.where(np.isnan(stack), np.nan_to_num(mean), stack)


def _chosen(x: Floats, actual: Floats, fold: Ints, speaks: Bools) -> list[int]:
    """Members by forward selection: the best alone, then each that lowers the loss of folds held out by GAIN."""
    every = max(1, len(actual) // TRIED_ROWS)
    x, actual, fold = x[::every], actual[::every], fold[::every]
    left = [int(j) for j in np.flatnonzero(speaks)] or list(range(x.shape[-1]))
    alone = {j: _loss(x[..., [j]], actual, np.ones(1)) for j in left}
    chosen = [min(left, key=lambda j: (alone[j], j))]
    least = alone[chosen[0]]
    left.remove(chosen[0])
    while left:
        loss = {j: _held_out(x[..., [*chosen, j]], actual, fold) for j in left}
        best = min(left, key=lambda j: (loss[j], j))
        if not loss[best] < least * (1 - GAIN):
            break
        least = loss[best]
        chosen.append(best)
        left.remove(best)
    return sorted(chosen)


def _held_out(x: Floats, actual: Floats, fold: Ints) -> float:
    """Loss of each fold by weights of the others; of all by their own where there is but one."""
    folds = np.unique(fold)
    if len(folds) == 1:
        return _loss(x, actual, _weights(x, actual))
    total = 0.0
    for number in folds:
        out = fold == number
        total += _loss(x[out], actual[out], _weights(x[~out], actual[~out])) * out.sum()
    return total / len(actual)


def _weights(x: Floats, actual: Floats) -> Floats:
    """Weights, none negative and adding up to 1, that make the pinball loss least.

    The loss is convex, and over thousands of rows smooth enough for a method that takes gradients: SLSQP (Kraft 1988).
    """
    from scipy.optimize import minimize

    m = x.shape[-1]
    equal_share = np.full(m, 1.0 / m)
    if m == 1:
        return equal_share
    levels = np.array(QUANTILES)[None, :]

    def loss_and_slope(weights: Floats) -> tuple[float, Floats]:
        error = actual[:, None] - x @ weights
        slope = np.where(error > 0, levels, levels - 1.0)
        return float((slope * error).mean()), -np.einsum("nq,nqm->m", slope, x) / slope.size

    found = minimize(
        loss_and_slope,
        equal_share,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * m,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": np.ones_like},
        options={"maxiter": STEPS, "ftol": 1e-7},
    )
    weights = np.clip(found.x, 0.0, None)
    weights = weights / weights.sum() if np.isfinite(weights).all() and weights.sum() > 0 else equal_share
    return min((weights, equal_share), key=lambda w: _loss(x, actual, w))


def _loss(x: Floats, actual: Floats, weights: Floats) -> float:
    levels = np.array(QUANTILES)[None, :]
    error = actual[:, None] - x @ weights
    return float(np.maximum(levels * error, (levels - 1) * error).mean())


def honest_widths(quantiles: Floats, actual: Floats) -> Floats:
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
