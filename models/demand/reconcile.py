"""Sums that have a forecast of their own move the forecasts of the series that they hold, so that all still add up.

x = m + D S'(S D S' + V)^-1 (b - S m): the series' points m, the sums' own forecasts b, and diagonal variances of the errors of
both. It is MinT with variances alone (Wickramasuriya, Athanasopoulos, Hyndman 2019, "Optimal forecast reconciliation for
hierarchical and grouped time series through trace minimization", J. Am. Stat. Assoc. 114), written for a few sums over many
series: what is inverted has the size of the sums. A series' quantiles move with its point, by the same factor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from models.demand.arrays import Bools, Floats, Strings, divide, nan_mean
from models.demand.dependence import WEEK, buckets
from models.demand.hierarchy import Hierarchy
from models.demand.marginals import Z90
from models.demand.origins import Origins
from models.demand.parameters import PATHS
from models.demand.paths import Paths

FILE = "reconciliation.json"
RECENT = 28  # periods, in the last of which a site that is late has not reported; before them it had nothing to report
MOST = 2.0  # a forecast is at most doubled or halved
LEAST = 1e-6  # of the squared size of a sum: nothing is forecast as surely


@dataclass(frozen=True)
class SumForecasts:
    """Forecasts of some sums on a night: `units` (sums, horizon), `matrix` (sums, series) which series each holds.

    `size` (sums,) is its mean of late, `levels` (sums,) the name of its level.
    """

    matrix: sparse.csr_array
    levels: Strings
    units: Floats
    size: Floats

    @classmethod
    def of(cls, paths: Mapping[str, Paths], origins: Origins, horizon: int) -> SumForecasts:
        """What `paths`, by method, say of the sums of `origins`, which are those of one night: the mean of the methods."""
        tree = Hierarchy.of(origins.hierarchy)
        named = set().union(*(p.keys for p in paths.values()))
        found = np.array([k for k in several(tree) if tree.keys[k] in named], dtype=np.int64)
        matrix = tree.matrix[found]
        lags = summed(matrix, origins.lags[:, ::-1])[:, ::-1]
        day = np.full(len(found), origins.day.max(initial=0))
        each = [p.medians(tree.keys[found], day, lags, horizon) for p in paths.values()]
        units, size = nan_mean(np.stack(each, axis=-1)), nan_mean(lags)
        known = np.flatnonzero(~np.isnan(units).any(axis=1) & (np.nan_to_num(size) > 0))
        names = np.array([level.name for level in tree.levels], dtype=object)[tree.level_of[found[known]]]
        return cls(matrix[known], names, units[known], size[known])

    def of_levels(self, known: Mapping[str, Floats]) -> SumForecasts:
        """Without the sums of other levels."""
        rows = np.flatnonzero([level in known for level in self.levels])
        return SumForecasts(self.matrix[rows], self.levels[rows], self.units[rows], self.size[rows])


def several(tree: Hierarchy) -> list[int]:
    """The sums of more than one series; none of a tenant with a single one of them, which has no hierarchy to speak of."""
    found = np.flatnonzero(np.diff(tree.matrix.indptr) > 1).tolist()
    return found if len(found) > 1 else []


def summed(matrix: sparse.csr_array, units: Floats) -> Floats:
    """(sums, periods) of (series, periods), the newest last: NaN before the first of its series began.

    And in the last RECENT where a series is not known yet that was known in some of them. Other gaps count 0.
    """
    known = ~np.isnan(units)
    width = units.shape[1]
    first = np.where(known.any(axis=1), known.argmax(axis=1), width)
    begun = np.minimum.reduceat(first[matrix.indices], matrix.indptr[:-1]) if matrix.shape[0] else np.zeros(0)
    found = np.asarray(matrix @ np.nan_to_num(units))
    found[np.arange(width)[None, :] < begun[:, None]] = np.nan
    late = known[:, -RECENT:]
    live = late.any(axis=1, keepdims=True) & (first[:, None] <= np.arange(width)[None, -RECENT:])
    found[:, -RECENT:][matrix @ (live & ~late).astype(float) > 0] = np.nan
    return found


@dataclass(frozen=True)
class Doubt:
    """How far forecasts erred, by season ahead: `series` (seasons,) squared errors over the squares of their bands.

    `sums` by level (seasons,): squared errors over the squared sizes of the sums.
    """

    series: Floats
    sums: Mapping[str, Floats]
    season: int

    def factors(self, said: SumForecasts, quantiles: Floats, points: Floats, moves: Bools) -> Floats:
        """(series, horizon): by what each forecast of a series is to be multiplied; 1 where it does not move.

        `quantiles` (series, horizon, 3), `points` (series, horizon); `moves` (series,) says whose may, the others are certain.
        """
        said = said.of_levels(self.sums)
        week = buckets(WEEK, points.shape[1], self.season)
        spread = (quantiles[..., 2] - quantiles[..., 0]) / (2 * Z90)
        of_series = np.where(moves[:, None], spread**2, 0.0) * self.series[week]
        of_sums = np.array([self.sums[level][week] for level in said.levels]).reshape(-1, len(week))
        of_sums = np.maximum(of_sums, LEAST) * said.size[:, None] ** 2
        found = points.copy()
        for ahead in range(len(week)):
            d = of_series[:, ahead]
            both = (said.matrix.multiply(d[None, :]) @ said.matrix.T).toarray()
            both[np.diag_indices(len(both))] += of_sums[:, ahead]
            away = said.units[:, ahead] - said.matrix @ points[:, ahead]
            found[:, ahead] += d * (said.matrix.T @ np.linalg.solve(both, away))
        return np.clip(np.nan_to_num(divide(found, points), nan=1.0), 1 / MOST, MOST)


@dataclass(frozen=True)
class Reconciliation:
    """The paths of sums, by method and by `Hierarchy.keys`, and how much they are believed."""

    paths: Mapping[str, Paths]
    doubt: Doubt

    @property
    def keys(self) -> set[str]:
        """The sums that have a path."""
        return {key for paths in self.paths.values() for key in paths.keys}

    def factors(self, origins: Origins, quantiles: Floats, points: Floats, moves: Bools) -> Floats:
        """As `Doubt.factors`, of all series of a night."""
        said = SumForecasts.of(self.paths, origins, points.shape[1])
        return self.doubt.factors(said, quantiles, points, moves)

    def save(self, folder: Path) -> None:
        for method, paths in self.paths.items():
            paths.save(folder / f"sums_{method}.npz")
        known = {
            "methods": list(self.paths),
            "series": self.doubt.series.tolist(),
            "sums": {level: of.tolist() for level, of in self.doubt.sums.items()},
            "season": self.doubt.season,
        }
        (folder / FILE).write_text(json.dumps(known, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Reconciliation | None:
        """None where the model has none."""
        if not (folder / FILE).exists():
            return None
        known = json.loads((folder / FILE).read_text())
        paths = {m: Paths.load(folder / f"sums_{m}.npz") for m in PATHS if m in known["methods"]}
        sums = {level: np.array(of) for level, of in known["sums"].items()}
        return cls(paths, Doubt(np.array(known["series"]), sums, known["season"]))
