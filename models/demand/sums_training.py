"""What folds held out show of sums: which part of their errors series have in common, and how wide bands must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from models.demand import dependence
from models.demand.arrays import Floats, Ints, Strings
from models.demand.dependence import OWN, Dependence
from models.demand.ensemble import Blend, honest_widths
from models.demand.folds import Fold
from models.demand.hierarchy import BOTTOM, Hierarchy
from models.demand.marginals import Z90, Marginals
from models.demand.origins import Origins
from models.demand.parameters import QUANTILES
from models.demand.spans import DAY, MONTH, WEEK, spans
from models.demand.sums import Sums, points

SAMPLES = 100  # enough for a factor that is fitted over dozens of sums and days
SURE = 6  # pieces that the folds must hold for a factor to be half believed: nights of one fold tell much the same
# Days that err so much alike that they count as one: a forecast that is too low is so for weeks.
ALIKE = {DAY: 7, WEEK: 14, MONTH: 28}


@dataclass(frozen=True)
class Night:
    """What the blend said of the series from one origin, (series, horizon, 3), its points and what happened, (series, horizon).

    `until` names its fold.
    """

    fold: int
    day: int
    origins: Origins
    quantiles: Floats
    actual: Floats
    points: Floats
    until: str


def nights(folds: Sequence[Fold], blend: Blend) -> Iterator[Night]:
    """Each fold's nights, of the series alone: a panel may have sums as members."""
    for number, fold in enumerate(folds):
        for day in np.unique(fold.origins.day):
            rows = np.flatnonzero((fold.origins.day == day) & (fold.origins.level == ""))
            said = blend.combine(fold.of(blend.members)[rows], fold.segment[rows])
            origins = fold.origins.take(rows)
            yield Night(number, int(day), origins, said, fold.actual[rows], points(said, origins), fold.until)


def fit(nights: Sequence[Night], run: int, seed: int) -> Sums:
    """Fit on what was said on nights of folds; errors of a `run` of periods are alike.

    Of a tenant of whose series the folds hold a sample, on sums over that.
    """
    every = [night for night in nights if len(night.origins)]
    common = _dependence(every, run)
    return Sums(common, _widths(every, common, seed) if every else {})


def _dependence(every: Sequence[Night], run: int) -> Dependence:
    if not every:
        return Dependence.none()
    scores = np.concatenate([Marginals.of(n.quantiles).scores(n.actual) for n in every])
    bands = np.concatenate([n.quantiles[..., 2] - n.quantiles[..., 0] for n in every])
    number = np.repeat(np.arange(len(every)), [len(n.origins) for n in every])
    named = every[0].origins.hierarchy
    together = {c: np.concatenate([n.origins.hierarchy[c] for n in every]) for c in named}
    return dependence.fit(scores, bands, number, _levels(together), run)


def _levels(named: dict[str, Strings]) -> dict[str, Ints]:
    """The number of each row's sum by level, and of its series; a series has a row a night."""
    pairs = np.unique((named["site"] + "/" + named["product"]).astype(str), return_index=True, return_inverse=True)
    first, series = pairs[1], pairs[2].astype(np.int64)
    tree = Hierarchy.of({c: values[first] for c, values in named.items()})
    return {level.name: level.of[series] for level in tree.levels} | {OWN: series}


def _widths(every: Sequence[Night], common: Dependence, seed: int) -> dict[tuple[str, str], tuple[float, float]]:
    """By level and period: conformal factors, drawn towards 1 as far as the folds hold few periods, and then so much wider
    as an interval must be whose variance is known from so few (Student's t in place of the normal).
    """
    said: dict[tuple[str, str], list[tuple[Floats, Floats]]] = {}
    for night in every:
        for key, quantiles, actual in _told(night, Sums(common), seed):
            said.setdefault(key, []).append((quantiles, actual))
    ahead = every[0].actual.shape[1] * every[0].origins.period.days
    folds = len({night.fold for night in every})
    found = {}
    for key, parts in said.items():
        quantiles, actual = (np.concatenate(part) for part in zip(*parts, strict=True))
        held = folds * max(1, ahead // ALIKE[key[1]])
        low, high = honest_widths(quantiles, actual) ** (held / (held + SURE)) * (stdtrit(held, QUANTILES[-1]) / Z90)
        found[key] = (float(low), float(high))
    return found


def _told(night: Night, sums: Sums, seed: int) -> Iterator[tuple[tuple[str, str], Floats, Floats]]:
    """By level and period, quantiles (rows, 3) and what happened (rows,), where all of it is known."""
    pieces = spans(night.day, night.actual.shape[1], night.origins.period)
    named = night.origins.hierarchy
    tree = Hierarchy.of(named)
    happened = {level.name: level.matrix @ night.actual for level in tree.levels} | {BOTTOM: night.actual}
    for piece in sums.forecast(night.quantiles, night.points, named, pieces, seed, SAMPLES):
        actual = piece.spans.sum(happened[piece.level], axis=1).reshape(-1)
        known = ~np.isnan(actual)
        yield (piece.level, piece.spans.period), piece.quantiles.reshape(-1, 3)[known], actual[known]
