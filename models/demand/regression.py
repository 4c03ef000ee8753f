"""One ridge regression a series on the calendar, each drawn towards what all series of the tenant have in common.

The logarithm of a series is a level, a trend, the rhythm of week, month and year, holidays, and events with the day before
and after. At an origin the level alone is set anew, by the latest periods. It has few numbers a series and is solved at
once: for all series, where Prophet has time for a hundred.

Sources: Young, Pedregal, Tych 1999, "Dynamic harmonic regression", Journal of Forecasting 18; Hoerl, Kennard 1970, "Ridge
regression", Technometrics 12; Lindley, Smith 1972, "Bayes estimates for the linear model", J. R. Statist. Soc. B 34.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.demand.arrays import Floats, Ints, Strings, codes, nan_mean
from models.demand.calendar import Calendar
from models.demand.design import LEVEL, TERMS, Design
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import QUANTILES, RegressionParameters
from models.demand.periods import PERIODS, Period

SMALL = 0.05  # of a series' size: a day without units has a logarithm too
MAX_LOG = 4.0
CHUNK = 1_000  # origins whose design is in memory at once
COMMON_SERIES = 400  # by which the common regression is found
PRIOR = 0.1  # of the latest periods: so many more say that the level has not moved
OWN_LEVEL = 0.01  # periods that say that a series' level is that of all
MAX_MEMORY = 0.9  # from a day's residual to the next
TINY = 1e-9


@dataclass(frozen=True)
class Regression:
    """`weights` (series, columns of the design), `size` (series,) in pieces, `spread` (series, 3): quantiles of residuals.

    NaN for a series with too little history. `keys` are sorted.
    """

    keys: Strings
    weights: Floats
    size: Floats
    spread: Floats
    design: Design

    @classmethod
    def fit(
        cls,
        panel: Panel,
        calendar: Calendar,
        cut_off: int,
        kinds: tuple[str, ...],
        period: Period,
        given: RegressionParameters,
    ) -> Regression:
        """On the last `history_days` periods of `panel`, and what was known of them at `cut_off`."""
        units = panel.units[:, -given.history_days :]
        day = panel.last_day - np.arange(units.shape[1])[::-1]
        known = (~np.isnan(units)).sum(axis=1)
        size = nan_mean(units[:, -period.year // 2 :])
        design = Design(period, kinds, panel.last_day, bool(known.max(initial=0) >= 1.5 * period.year))
        usable = np.flatnonzero((known >= given.min_days) & (np.nan_to_num(size) > 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(np.maximum(units / size[:, None], 0.0) + SMALL)
        weight = np.sqrt(0.5 ** ((panel.last_day - day) / given.half_life_days))
        site = np.array([str(key).split("/", 1)[0] for key in panel.keys], dtype=object)

        def of_sites(rows: Ints) -> Iterator[tuple[int, Floats]]:
            for name in sorted(set(site[rows])):
                table = design.rows(calendar, np.array([name], dtype=object), day[None], np.array([cut_off]))[0]
                for row in rows[site[rows] == name]:
                    yield int(row), table

        pool = _Pool.of([_Series.of(table, logs[row], weight) for row, table in of_sites(_sample(usable))], given.ridge)
        weights = np.full((len(units), len(design.terms)), np.nan)
        spread = np.full((len(units), len(QUANTILES)), np.nan)
        for row, table in of_sites(usable):
            weights[row] = pool.weights(_Series.of(table, logs[row], weight))
            spread[row] = np.nanquantile((logs[row] - table @ weights[row])[-period.year :], QUANTILES)
        return cls(panel.keys, weights, size, spread, design)

    def predict(self, origins: Origins, calendar: Calendar, horizon: int) -> Floats:
        """(n, horizon, 3) in pieces; NaN for a series that it does not have."""
        found = np.full((len(origins), horizon, len(QUANTILES)), np.nan)
        row = codes(origins.key, self.keys)
        for some, _, terms in self.terms(origins, calendar, horizon):
            found[some] = self.in_units(row[some], terms)
        return found

    def in_units(self, row: Ints, terms: Floats) -> Floats:
        """(m, horizon, 3) in pieces, from the `terms` (m, horizon, terms) of the series at `row`."""
        logs = terms.sum(axis=-1)[..., None] + self.spread[row, None, :]
        units = (np.exp(np.minimum(logs, MAX_LOG)) - SMALL) * self.size[row, None, None]
        return np.asarray(np.maximum(units, 0.0), dtype=float)

    def terms(self, origins: Origins, calendar: Calendar, horizon: int) -> Iterator[tuple[Ints, Floats, Floats]]:
        """Some of the origins at a time: their positions (m,), and each of TERMS of the logarithm of units / size: the mean of
        the latest periods (m, terms), and of the periods ahead (m, horizon, terms).
        """
        row = codes(origins.key, self.keys)
        there = np.flatnonzero((row >= 0) & ~np.isnan(self.weights[row]).any(axis=1))
        steps = np.arange(1 - self.design.period.latest, horizon + 1)
        belongs = np.array([[term == name for name in TERMS] for term in self.design.terms], dtype=float)
        for begin in range(0, len(there), CHUNK):
            some = there[begin : begin + CHUNK]
            day = origins.day[some, None] + steps[None, :]
            design = self.design.rows(calendar, origins.site[some], day, origins.cut_off[some])
            terms = np.einsum("ndk,nk,kt->ndt", design, self.weights[row[some]], belongs, optimize=True)
            behind, ahead = terms[:, :-horizon], terms[:, -horizon:].copy()
            ahead[..., TERMS.index(LEVEL)] += self._moved(origins, some, row[some], behind.sum(axis=-1))[:, None]
            yield some, behind.mean(axis=1), ahead

    def _moved(self, origins: Origins, some: Ints, row: Ints, behind: Floats) -> Floats:
        """How far the latest periods lie from what was said of them, (m,); drawn to nothing where few are known."""
        latest = behind.shape[1]
        units = origins.lags[some, :latest][:, ::-1] / self.size[row, None]
        off = np.log(np.maximum(units, 0.0) + SMALL) - behind
        share = 0.5 ** (np.arange(latest)[::-1] / (latest / 2))
        known = np.where(np.isnan(off), 0.0, share)
        return np.asarray((np.nan_to_num(off) * known).sum(axis=1) / (known.sum(axis=1) + PRIOR * share.sum()))

    def save(self, file: Path) -> None:
        known: dict[str, Any] = asdict(self.design) | {"period": self.design.period.name}
        keys, design = np.array(self.keys, dtype=str), np.array(json.dumps(known))
        np.savez(file, keys=keys, weights=self.weights, size=self.size, spread=self.spread, design=design)

    @classmethod
    def load(cls, file: Path) -> Regression:
        with np.load(file) as saved:
            known = json.loads(str(saved["design"]))
            design = Design(**known | {"period": PERIODS[known["period"]], "kinds": tuple(known["kinds"])})
            keys = saved["keys"].astype(object)
            return cls(keys, saved["weights"], saved["size"], saved["spread"], design)


def _sample(rows: Ints) -> Ints:
    return rows[:: max(1, len(rows) // COMMON_SERIES)]


@dataclass(frozen=True)
class _Series:
    """What is known of a series, each period times the root of its weight: `x` (periods, columns), `y` (periods,)."""

    x: Floats
    y: Floats
    gram: Floats

    @classmethod
    def of(cls, table: Floats, logs: Floats, weight: Floats) -> _Series:
        there = ~np.isnan(logs)
        x = table[there] * weight[there, None]
        return cls(x, logs[there] * weight[there], x.T @ x)

    def noise(self, weights: Floats) -> float:
        """Variance of what `weights` leave, times what the memory of the residuals takes from their number."""
        off = self.y - self.x @ weights
        about = off - off.mean()
        memory = float(np.clip((about[1:] @ about[:-1]) / max(float(about @ about), TINY), 0.0, MAX_MEMORY))
        return max(float(np.mean(off**2)) * (1 + memory) / (1 - memory), TINY)


@dataclass(frozen=True)
class _Pool:
    """What series have in common: `common` (columns,), and how far they lie from it, as variances (columns,).

    With `ridge` alone a series is fitted first, to see its noise.
    """

    common: Floats
    variance: Floats
    ridge: float

    @classmethod
    def of(cls, some: list[_Series], ridge: float) -> _Pool:
        """Of a sample of series: the variance between them is that of their own weights, less what noise makes of it.

        Source: Morris 1983, "Parametric empirical Bayes inference", JASA 78, by moments.
        """
        columns = some[0].x.shape[1] if some else 0
        gram = sum((s.gram for s in some), np.eye(columns) * 1e-3)
        common = np.asarray(np.linalg.solve(gram, sum((s.x.T @ s.y for s in some), np.zeros(columns))), dtype=float)
        apart, noises = np.zeros(columns), np.zeros(len(some))
        for at, series in enumerate(some):
            inverse = np.linalg.inv(series.gram + ridge * np.eye(columns))
            own = inverse @ (series.x.T @ (series.y - series.x @ common))
            noises[at] = series.noise(common + own)
            apart += (own**2 - noises[at] * np.diag(inverse @ series.gram @ inverse)) / noises[at]
        least = 1e-4 * float(np.median(noises)) if some else 0.0
        return cls(common, np.maximum(apart / max((1 / noises).sum(), TINY), least), ridge)

    def weights(self, series: _Series) -> Floats:
        """A series' own weights, drawn to the common ones as far as its noise hides them; its level is its own."""
        right = series.x.T @ (series.y - series.x @ self.common)
        loosely = np.linalg.solve(series.gram + self.ridge * np.eye(len(right)), right)
        pull = series.noise(self.common + loosely) / self.variance
        pull[0] = OWN_LEVEL
        return np.asarray(self.common + np.linalg.solve(series.gram + np.diag(pull), right), dtype=float)
