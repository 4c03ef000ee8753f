"""Forecasts of sums over the hierarchy and over days, weeks and months, from one joint distribution of all series.

Sample paths of all series are drawn with the marginals that were forecast and the dependence that past errors show
(Ben Taieb, Taylor, Hyndman 2021, "Hierarchical probabilistic forecasting of electricity demand", J. Am. Stat. Assoc. 116: there with
empirical copulas). A sum's quantiles are those of the sums of paths: coherent, whatever is summed. What folds held out
show of each level and period then widens or narrows its bands about the median. The point forecast of a sum is exactly
the sum of the points of what it holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.demand.arrays import Floats, Strings
from models.demand.dependence import OWN, Dependence
from models.demand.ensemble import widen
from models.demand.hierarchy import BOTTOM, Hierarchy
from models.demand.marginals import Marginals
from models.demand.origins import Origins
from models.demand.parameters import QUANTILES
from models.demand.spans import Spans

SAMPLES = 200
BLOCK = 128  # series whose paths are in memory at once: more do not stay in the processor's cache
FILE = "sums.json"
TWO_MONTHS = 3  # place of the mean of 56 days (of 13 weeks, where weeks are counted) among the means of an origin
Widths = tuple[float, float]


@dataclass(frozen=True)
class Piece:
    """A level's forecast by one kind of period: `points` (sums, pieces) and `quantiles` (sums, pieces, 3), in pieces.

    `keys` are the columns by which a sum is named, each (sums,).
    """

    level: str
    spans: Spans
    keys: Mapping[str, Strings]
    points: Floats
    quantiles: Floats


@dataclass(frozen=True)
class Sums:
    """What a model knows of sums: what errors have in common, and the factors of the lower and upper half of the bands."""

    dependence: Dependence
    widths: Mapping[tuple[str, str], Widths] = field(default_factory=dict)

    def forecast(
        self,
        quantiles: Floats,
        points: Floats,
        columns: Mapping[str, Strings],
        pieces: Mapping[str, Spans],
        seed: int,
        samples: int = SAMPLES,
    ) -> list[Piece]:
        """Of series with `quantiles` (series, horizon, 3) and `points` (series, horizon): every level by each kind of `pieces`.

        `columns` are hierarchy.COLUMNS of the series. The series themselves are among them by what is longer than their own
        periods. The same seed gives the same numbers.
        """
        tree = Hierarchy.of(columns)
        marginals = _marginals(quantiles, points)
        found = []
        own, sums = self._draw(marginals, tree, pieces, seed, samples)
        for period, spans in pieces.items():
            point, mean = spans.sum(points, axis=1), spans.sum(marginals.mean, axis=1)
            if not spans.own:
                found.append(Piece(BOTTOM, spans, columns, point, self._honest(own[period], mean, BOTTOM, period)))
            points_of_sums, means_of_sums, raw = tree.sum(point), tree.sum(mean), _of_spans(sums, spans)
            for number, level in enumerate(tree.levels):
                mine = tree.level_of == number
                honest = self._honest(raw[mine], means_of_sums[mine], level.name, period)
                found.append(Piece(level.name, spans, level.keys, points_of_sums[mine], honest))
        return found

    def _draw(
        self, marginals: Marginals, tree: Hierarchy, pieces: Mapping[str, Spans], seed: int, samples: int
    ) -> tuple[dict[str, Floats], np.ndarray]:
        """Raw quantiles and means of the series' own longer pieces, (series, pieces, 4), and the sums' paths by period.

        Never more than a block of the series' paths is held: those of the sums are added up on the way.
        """
        series, horizon = marginals.median.shape
        levels = {level.name: level.of for level in tree.levels} | {OWN: np.arange(series)}
        total = np.zeros((tree.sums, horizon * samples), dtype=np.float32)
        own = {period: np.zeros((series, len(spans), 4)) for period, spans in pieces.items() if not spans.own}
        by_series = tree.matrix.tocsc().astype(np.float32)
        begin = 0
        for scores in self.dependence.scores(levels, horizon, samples, seed, BLOCK):
            rows = slice(begin, begin + len(scores))
            paths = marginals.take(rows).values(scores)
            part = by_series[:, rows]
            touched = np.unique(part.indices)  # of thousands of sums a block is in a few
            total[touched] += part.tocsr()[touched] @ paths.reshape(len(paths), -1)
            for period, into in own.items():
                into[rows] = _quantiles(pieces[period].sum(paths, axis=1))
            begin = rows.stop
        return own, total.reshape(tree.sums, horizon, samples)

    def _honest(self, raw: Floats, mean: Floats, level: str, period: str) -> Floats:
        """Quantiles moved so that the paths' mean is that of the marginals, then widened as the folds ask."""
        moved = np.maximum(raw[..., :3] + (mean - raw[..., 3])[..., None], 0.0)
        return widen(moved, np.array(self.widths.get((level, period), (1.0, 1.0))))

    def save(self, folder: Path) -> None:
        known = {
            "dependence": self.dependence.to_dict(),
            "widths": [[*key, *factors] for key, factors in self.widths.items()],
        }
        (folder / FILE).write_text(json.dumps(known, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Sums | None:
        """None where the model was trained before there were sums."""
        if not (folder / FILE).exists():
            return None
        known: dict[str, Any] = json.loads((folder / FILE).read_text())
        widths = {(level, period): (low, high) for level, period, low, high in known["widths"]}
        return cls(Dependence.from_dict(known["dependence"]), widths)


def points(quantiles: Floats, origins: Origins) -> Floats:
    """The units of each period that are added up, (n, horizon), of forecasts (n, horizon, 3).

    The median: by RMSSE its sums are better at every level of M5 (and three of four of the factory) than those of the mean
    of three quantiles, which takes their lean for that of the whole. Where it is none at all, the rate of the last two months (of weeks: 13) stands in, or what the
    quantiles ask for at least: medians of nothing would add up to nothing.
    """
    recent = np.broadcast_to(origins.units[:, TWO_MONTHS, None], quantiles.shape[:2])
    median = quantiles[..., 1]
    return np.where(median > 0, median, Marginals.of(quantiles, recent).mean)


def _marginals(quantiles: Floats, points: Floats) -> Marginals:
    return Marginals.of(quantiles, np.where(quantiles[..., 1] > 0, np.nan, points))


def _of_spans(paths: np.ndarray, spans: Spans) -> Floats:
    """`_quantiles` of each piece of (sums, horizon, samples): (sums, pieces, 4)."""
    found = np.zeros((len(paths), len(spans), 4))
    for begin in range(0, len(paths), BLOCK):
        rows = slice(begin, begin + BLOCK)
        found[rows] = _quantiles(spans.sum(paths[rows], axis=1))
    return found


def _quantiles(paths: np.ndarray) -> Floats:
    """(..., 4) of (..., samples): the three quantiles and the mean."""
    many = paths.shape[-1]
    ordered = np.sort(paths, axis=-1)
    at = np.array(QUANTILES) * many - 0.5  # the sample at (k + 0.5) / many
    low = np.floor(at).astype(int)
    share = at - low
    values = ordered[..., low] * (1 - share) + ordered[..., np.minimum(low + 1, many - 1)] * share
    return np.concatenate([values, paths.mean(axis=-1, dtype=float)[..., None]], axis=-1).astype(float)
