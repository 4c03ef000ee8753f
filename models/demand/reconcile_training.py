"""Whether forecasts of sums improve those of the series, by what folds held out show, and how far they are believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from models.demand import evaluate, paths
from models.demand.arrays import Floats, Ints, divide, nan_mean
from models.demand.dependence import WEEK, buckets
from models.demand.folds import Data, Fold
from models.demand.hierarchy import Hierarchy
from models.demand.marginals import Z90
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import PATHS, Parameters
from models.demand.paths import MapSeries, Paths
from models.demand.reconcile import Doubt, Reconciliation, SumForecasts, several, summed
from models.demand.sums_training import Night

GAIN = 0.005  # of the loss, below which forecasts of sums are not worth their fits
# A sum's own forecast and that of its series miss the same shocks, of which variances alone know nothing: taken as they
# are they move too much. On M5's five folds before the test the loss falls by 0.4 % with 1, 2.3 with 2, 2.8 with 4, 2.3 with 8.
CAUTION = 4.0
EVERYWHERE = "*"  # the site of a sum over sites, among those of the calendar
Fitted = Mapping[int, Mapping[str, Paths]]  # last day -> method -> paths of sums


@dataclass(frozen=True)
class Loss:
    """Of a fold: `levels` is the mean over all levels, the series' own among them, of RMSSE; `series` their scaled pinball loss."""

    levels: float
    series: float


Losses = dict[str, dict[str, dict[str, float]]]  # last day of the fold -> ALONE or RECONCILED -> the members of Loss
ALONE, RECONCILED = "alone", "reconciled"


@dataclass(frozen=True)
class Outcome:
    """The nights of the folds as they would be served, `doubt` if forecasts of sums pay, and the evidence; none where none was tried.

    A fold's nights are reconciled by what the other folds tell.
    """

    nights: list[Night]
    doubt: Doubt | None = None
    losses: Losses = field(default_factory=dict)


def fit_folds(data: Data, folds: Sequence[Fold], given: Parameters, map_series: MapSeries) -> Fitted:
    """Paths of sums up to the last day of each fold; none where a tenant has no sums to speak of, or no method for them."""
    if given.paths.max_sums < 1 or len(folds) < 2 or not set(given.members).intersection(PATHS):
        return {}
    series = {fold.last_day: _of_series(fold.origins.take(np.arange(fold.judged))) for fold in folds}
    has_sums = all(several(Hierarchy.of(origins.hierarchy)) for origins in series.values())
    return _fit(data, series, given, map_series) if has_sums else {}


def fit_last(data: Data, outcome: Outcome, given: Parameters, map_series: MapSeries) -> Reconciliation | None:
    """The same up to the last day of all, where it pays."""
    if outcome.doubt is None:
        return None
    origins = _of_series(data.origins.take(data.origins.day == data.last_day))
    fitted = _fit(data, {data.last_day: origins}, given, map_series)[data.last_day]
    return Reconciliation(fitted, outcome.doubt) if fitted else None


def choose(folds: Sequence[Fold], nights: list[Night], fitted: Fitted) -> Outcome:
    """Compare the `nights` of all `folds` with what they become by forecasts of sums that were fitted up to their last days."""
    if not all(fitted.get(fold.last_day) for fold in folds):
        return Outcome(nights)
    cases = [_Case(night, folds[night.fold], fitted[folds[night.fold].last_day]) for night in nights]
    season = folds[0].season
    served: list[Night] = []
    losses: Losses = {}
    for number, fold in enumerate(folds):
        mine = [case for case in cases if case.night.fold == number]
        by = doubt([case for case in cases if case.night.fold != number], season)
        moved = [reconciled(case.night, case.said, by) for case in mine]
        served += moved
        losses[fold.until] = {
            ALONE: _mean([case.loss(case.night) for case in mine]),
            RECONCILED: _mean([case.loss(night) for case, night in zip(mine, moved, strict=True)]),
        }
    return Outcome(served, doubt(cases, season), losses) if pays(losses) else Outcome(nights, None, losses)


def pays(losses: Losses) -> bool:
    """Whether the loss over all levels is lower by GAIN on average, and in most folds, and the series do not pay for it."""
    levels, series = (
        divide(*(np.array([of[how][name] for of in losses.values()]) for how in (RECONCILED, ALONE)))
        for name in ("levels", "series")
    )
    return bool(levels.mean() < 1 - GAIN and (levels < 1).mean() > 0.5 and series.mean() <= 1)


def reconciled(night: Night, said: SumForecasts, by: Doubt) -> Night:
    """The night with its forecasts moved."""
    factor = by.factors(said, night.quantiles, night.points, np.ones(len(night.origins), dtype=bool))
    return replace(night, quantiles=night.quantiles * factor[..., None], points=night.points * factor)


class _Case:
    """A night of a fold with what is said of its sums, and the history by which errors are scaled."""

    def __init__(self, night: Night, fold: Fold, paths_of_sums: Mapping[str, Paths]) -> None:
        self.night = night
        self.said = SumForecasts.of(paths_of_sums, night.origins, night.actual.shape[1])
        self._levels = Hierarchy.of(night.origins.hierarchy).levels
        place = {key: row for row, key in enumerate(fold.keys[: fold.judged])}
        at = np.array([place.get(key, -1) for key in night.origins.key])
        self._history = np.where((at >= 0)[:, None], fold.history[at], np.nan)

    def loss(self, night: Night) -> Loss:
        """Of these forecasts of the same night."""
        actual, points, past = night.actual, night.points, np.nan_to_num(self._history)
        found = [evaluate.rmsse(actual, points, self._history)]
        found += [evaluate.rmsse(m @ actual, m @ points, m @ past) for m in (level.matrix for level in self._levels)]
        pinball = evaluate.scaled_pinball(actual, night.quantiles, self._history)
        return Loss(float(nan_mean(np.array([nan_mean(of) for of in found]))), float(nan_mean(pinball)))


def _mean(losses: Sequence[Loss]) -> dict[str, float]:
    return {name: float(nan_mean(np.array([getattr(of, name) for of in losses]))) for name in ("levels", "series")}


def doubt(cases: Sequence[_Case], season: int) -> Doubt:
    """Mean squared errors of the series and of each level of sums, by season ahead, over `cases`: at least one."""
    of_series: list[tuple[Floats, Floats]] = []
    of_sums: dict[str, list[Floats]] = {}
    for case in cases:
        night, said = case.night, case.said
        band = (night.quantiles[..., 2] - night.quantiles[..., 0]) / (2 * Z90)
        known = ~np.isnan(night.actual)
        error = np.where(known, night.actual - night.points, 0.0) ** 2
        of_series.append((error.sum(axis=0), np.where(known, band**2, 0.0).sum(axis=0)))
        off = ((said.matrix @ night.actual - said.units) / said.size[:, None]) ** 2
        for level in sorted(set(said.levels)):
            of_sums.setdefault(level, []).append(off[said.levels == level])
    week = buckets(WEEK, cases[0].night.actual.shape[1], season)
    errors, bands = (np.sum(part, axis=0) for part in zip(*of_series, strict=True))
    own = np.bincount(week, errors) / np.maximum(np.bincount(week, bands), 1e-12)
    sums = {level: CAUTION * _by_season(np.concatenate(parts), week) for level, parts in of_sums.items()}
    return Doubt(own, {level: of for level, of in sums.items() if np.isfinite(of).all()}, season)


def _by_season(errors: Floats, week: Ints) -> Floats:
    return np.array([float(nan_mean(errors[:, week == k].reshape(-1))) for k in range(int(week[-1]) + 1)])


def _of_series(origins: Origins) -> Origins:
    """Without sums that the panel holds as series."""
    return origins.take(origins.level == "")


def _fit(data: Data, series: Mapping[int, Origins], given: Parameters, map_series: MapSeries) -> Fitted:
    """Paths of the sums of `series`, by the last day that they may know: all fits in one parallel map."""
    methods = tuple(m for m in given.members if m in PATHS)
    todo = []
    for last_day, origins in series.items():
        panel = _panel(data.panel.until(last_day), origins, given)
        todo.append(paths.tasks(panel, panel.keys, methods, {last_day: 0}, given.paths))
    cut_offs = {day: data.cut_off(day) for day in series}
    calendar, period = data.calendar, data.origins.period
    if len(calendar.sites) and EVERYWHERE not in calendar.sites:
        calendar = calendar.together({EVERYWHERE: list(calendar.sites)})
    every = pd.concat(todo, ignore_index=True)
    return paths.fit_tasks(every, calendar, cut_offs, given.paths, period, given.horizon, map_series)


def _panel(panel: Panel, origins: Origins, given: Parameters) -> Panel:
    """The sums with the most units of late."""
    rows = panel.rows_of(origins.key)
    origins, rows = origins.take(rows >= 0), rows[rows >= 0]
    tree = Hierarchy.of(origins.hierarchy)
    units = panel.units[rows]
    recent = tree.sum(np.nan_to_num(units[:, -origins.period.year :]).sum(axis=1))
    some = sorted(several(tree), key=lambda k: (-recent[k], tree.keys[k]))[: given.paths.max_sums]
    some = sorted((k for k in some if recent[k] > 0), key=lambda k: str(tree.keys[k]))
    return Panel(tree.keys[some], panel.first_day, summed(tree.matrix[some], units))
