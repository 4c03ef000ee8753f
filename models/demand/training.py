"""Training: members fitted on rolling origins, weighed by what they said there, then fitted on all that is known."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from models.demand import ensemble, evaluate, paths, reconcile_training, sampling, sums_training
from models.demand.arrays import Floats, Strings
from models.demand.autogluon import AutoGluon
from models.demand.ensemble import Blend
from models.demand.evidence import Comparison, compare
from models.demand.folds import Data, Fold, ask, asked, last_days, windows
from models.demand.frame import build, digest
from models.demand.history import History
from models.demand.lstm import Lstm
from models.demand.members import Members
from models.demand.model import DemandModel
from models.demand.naive import SeasonalNaive
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import AUTOGLUON, FLOORS, LIGHTGBM, LSTM, PATHS, REGRESSION, TSB, Parameters
from models.demand.paths import MapSeries, Paths
from models.demand.periods import DAY
from models.demand.regression import Regression
from models.demand.trees import Trees
from models.demand.tsb import Tsb
from models.demand.vocabulary import Vocabulary

ENSEMBLE = "ensemble"
# Of LightGBM's loss without them: factors that save less are not learned from. Of nine that moved nothing, made up on
# three small plants, the best saved 1.7 %.
FACTORS_SAVE = 0.03
Progress = Callable[[str], None]
Scores = dict[str, dict[str, dict[str, float]]]  # last day of the fold -> model -> metric -> value
Losses = dict[str, Floats]  # model -> scaled pinball loss of each day that the ensemble was judged on


@dataclass(frozen=True)
class Training:
    """A trained model and its evidence: `judged` is the last fold, `quantiles` (n, horizon, 3) what the ensemble said of it.

    `skill` compares the ensemble with the better floor, day by day over all folds that it was judged on. `reconciled` is the
    losses of each fold with and without forecasts of sums; empty where they were not tried.
    """

    model: DemandModel
    scores: Scores
    skill: Comparison
    judged: Fold
    quantiles: Floats
    rows: int
    frame_hash: str
    seconds: dict[str, float]
    reconciled: reconcile_training.Losses = field(default_factory=dict)


@dataclass
class Clock:
    """How long each kind of work took, told as it ends."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, work: str, detail: str = "") -> Iterator[None]:
        started = time.monotonic()
        yield
        took = time.monotonic() - started
        self.seconds[work] = round(self.seconds.get(work, 0.0) + took, 2)
        self.progress(f"{work} {detail} {took:.1f} s")


def train(
    data: Data, given: Parameters, map_series: MapSeries = paths.map_here, progress: Progress = lambda _: None
) -> Training:
    """Train and judge. Raises TooLittleHistory. The same data, parameters and seed give the same model."""
    clock = Clock(progress)
    learned = Vocabulary.learn(data.origins, data.calendar)
    days = last_days(data, given)
    words = paying(learned, data, days, given, clock)
    ways = ways_of(data, [*days, data.last_day], given, map_series, clock)
    folds = []
    for day in days:
        members = fitted(data, day, given.pool, words, ways[day], given, clock, asked(data, day, given))
        folds.append(ask(data, day, members, members.names, given))
    # an early fold may have had too little for some member: only those that all folds have can be weighed together
    names = tuple(n for n in given.pool if all(n in fold.members for fold in folds))
    scores, losses, quantiles = judge(folds, names)
    floor = min(FLOORS, key=lambda name: (float(np.nansum(losses[name])), FLOORS.index(name)))
    blend = blended(folds, names)
    final = fitted(data, data.last_day, blend.used, words, ways[data.last_day], given, clock)
    rows, frame_hash = frame_digest(data, learned, given)
    kept = blend.only(blend.used)
    reconciliation, chosen = None, reconcile_training.Outcome(list(sums_training.nights(folds, kept)))
    if data.origins.period == DAY:  # of weeks nobody has measured it yet
        with clock.of("reconciliation"):
            of_sums = reconcile_training.fit_folds(data, folds, given, map_series)
            chosen = reconcile_training.choose(folds, chosen.nights, of_sums)
            reconciliation = reconcile_training.fit_last(data, chosen, given, map_series)
    with clock.of("sums"):
        sums = sums_training.fit(chosen.nights, folds[0].period.run, given.seed)
    model = DemandModel(given, data.last_day, final, kept, floor, sums, reconciliation)
    skill = compare(losses[ENSEMBLE], losses[floor])
    return Training(model, scores, skill, folds[-1], quantiles, rows, frame_hash, clock.seconds, chosen.losses)


def paying(words: Vocabulary, data: Data, days: list[int], given: Parameters, clock: Clock) -> Vocabulary:
    """`words` without the factors, where LightGBM does as well without them in the folds before the last.

    A price that wanders is a clock for trees that have seen few years: by it they learn the past by heart.
    """
    plain = replace(words, factors=())
    if not words.factors or LIGHTGBM not in given.pool:
        return plain
    with clock.of("factors", f"{', '.join(words.factors)}:"):
        silent = replace(clock, progress=lambda _: None, seconds={})
        loss = [_trees_loss(data, days[:-1] or days, some, given, silent) for some in (words, plain)]
    pays = loss[0] < (1 - FACTORS_SAVE) * loss[1]
    clock.progress(f"factors: the loss with them is {loss[0]:.4f}, without {loss[1]:.4f}: {'used' if pays else 'left'}")
    return words if pays else plain


def _trees_loss(data: Data, days: list[int], words: Vocabulary, given: Parameters, clock: Clock) -> float:
    """Scaled pinball loss of LightGBM over some folds; NaN where it has too little to learn from."""
    losses = []
    for day in days:
        members = fitted(data, day, (LIGHTGBM,), words, {}, given, clock)
        if members.trees is not None:
            fold = ask(data, day, members, (LIGHTGBM,), given)
            losses.append(evaluate.daily_loss(*_of_judged(fold, fold.of((LIGHTGBM,))[..., 0])))
    return float(np.nanmean(np.concatenate(losses))) if losses else float("nan")


def ways_of(
    data: Data, days: list[int], given: Parameters, map_series: MapSeries, clock: Clock
) -> dict[int, dict[str, Paths]]:
    methods = tuple(m for m in given.members if m in PATHS)
    if not methods:
        return {day: {} for day in days}
    with clock.of("paths", f"of {', '.join(methods)} for {len(days)} last days"):
        cut_offs = {day: data.cut_off(day) for day in days}
        period = data.origins.period
        return paths.fit(data.panel, data.calendar, methods, cut_offs, given.paths, period, given.horizon, map_series)


def fitted(
    data: Data,
    last_day: int,
    names: tuple[str, ...],
    words: Vocabulary,
    ways: Mapping[str, Paths],
    given: Parameters,
    clock: Clock,
    of: Strings | None = None,
) -> Members:
    """Members of `names` fitted on what was known on `last_day`; one without enough to learn from is left out.

    Those that are fitted series by series know the series `of` alone; all if None.
    """
    origins, targets = windows(data, last_day, given)
    detail = f"up to {given.counts.end(last_day)}"
    trees = network = regression = None
    if LIGHTGBM in names and len(origins):
        with clock.of(LIGHTGBM, detail):
            trees = _trees(data, origins, targets, words, given)
    if LSTM in names and len(origins) >= given.lstm.min_windows:
        with clock.of(LSTM, detail):
            network = _lstm(data, origins, targets, words, given)
    if REGRESSION in names:
        with clock.of(REGRESSION, detail):
            regression = _regression(data, last_day, words, given, of)
    known, period, other = data.panel.until(last_day), data.origins.period, None
    if AUTOGLUON in names:
        with clock.of(AUTOGLUON, detail):
            other = _autogluon(data, known, words, given)
    return Members(
        words=words,
        naive=SeasonalNaive.fit(origins, targets),
        horizon=given.horizon,
        history=History.fit(known, period),
        tsb=Tsb.fit(known, period) if TSB in names else None,
        trees=trees,
        paths={name: way for name, way in ways.items() if name in names},
        lstm=network,
        regression=regression,
        autogluon=other,
        threads=given.threads,
    )


def _autogluon(data: Data, known: Panel, words: Vocabulary, given: Parameters) -> AutoGluon | None:
    return AutoGluon.fit(
        known,
        data.origins,
        data.calendar,
        given.autogluon,
        period=data.origins.period,
        kinds=words.kinds,
        horizon=given.horizon,
        seed=given.seed,
        threads=_threads(given),
    )


def _threads(given: Parameters) -> int:
    return given.threads or len(os.sched_getaffinity(0))


def _trees(data: Data, origins: Origins, targets: Floats, words: Vocabulary, given: Parameters) -> Trees:
    row, horizon = sampling.some_rows(origins.key, origins.day, targets, given.max_rows, given.seed)
    frame = build(origins, data.calendar, words, row, horizon)
    scaled = targets[row, horizon - 1] / origins.scale[row]
    return Trees.fit(frame, scaled, given.trees, seed=given.seed, threads=_threads(given))


def _lstm(data: Data, origins: Origins, targets: Floats, words: Vocabulary, given: Parameters) -> Lstm:
    from models.demand.lstm_training import fit

    rows = sampling.some(origins.key, origins.day, given.lstm.max_windows, given.seed)
    some = origins.take(rows)
    return fit(some, data.calendar, words, targets[rows], given.lstm, seed=given.seed, threads=_threads(given)).network


def _regression(data: Data, last_day: int, words: Vocabulary, given: Parameters, of: Strings | None) -> Regression:
    known = data.panel.until(last_day)
    known = known if of is None else known.take(np.isin(known.keys, of))
    cut_off = data.cut_off(last_day)
    return Regression.fit(known, data.calendar, cut_off, words.kinds, data.origins.period, given.regression)


def frame_digest(data: Data, words: Vocabulary, given: Parameters) -> tuple[int, str]:
    """Rows of the supervised frame of `data` and its SHA-256: the same tables and parameters give the same one."""
    origins, targets = windows(data, data.last_day, given)
    row, horizon = sampling.some_rows(origins.key, origins.day, targets, given.max_rows, given.seed)
    frame = build(origins, data.calendar, words, row, horizon)
    keys = np.array(origins.key, dtype="U")
    return len(row), digest(frame.x, targets[row, horizon - 1], keys, origins.day, row, horizon, data.panel.units)


def blended(folds: list[Fold], names: tuple[str, ...]) -> Blend:
    """Fitted on the folds as rows of one day each."""
    days = folds[0].actual.shape[1]
    rows = ensemble.Rows(
        stack=np.concatenate([f.of(names).reshape(-1, 3, len(names)) for f in folds]),
        actual=np.concatenate([f.actual.reshape(-1) for f in folds]),
        size=np.concatenate([np.repeat(f.size, days) for f in folds]),
        segment=np.concatenate([np.repeat(f.segment, days) for f in folds]),
        fold=np.concatenate([np.full(f.actual.size, f.last_day) for f in folds]),
    )
    return ensemble.fit(names, rows)


def judge(folds: list[Fold], names: tuple[str, ...]) -> tuple[Scores, Losses, Floats]:
    """Scores of each member in each fold, and of the ensemble in each fold that has one before it to be weighed by.

    With one fold alone all members weigh the same in it. The second result is the losses of all folds' days (for
    that alone the first fold's ensemble is weighed by the later folds), the third what the ensemble said in the last fold.
    """
    scores: Scores = {}
    losses: dict[str, list[Floats]] = {name: [] for name in (*names, ENSEMBLE)}
    said = np.zeros(0)
    for position, fold in enumerate(folds):
        each = {name: ensemble.tidy(fold.of((name,))[..., 0]) for name in names}
        if position or len(folds) == 1:
            blend = blended(folds[:position], names) if position else ensemble.equal(names)
            each[ENSEMBLE] = said = blend.combine(fold.of(names), fold.segment)
        of_fold = {name: evaluate.table(*_of_judged(fold, quantiles), fold.season) for name, quantiles in each.items()}
        scores[fold.until] = of_fold
        if ENSEMBLE not in each:
            each[ENSEMBLE] = blended(folds[1:], names).combine(fold.of(names), fold.segment)
        for name, quantiles in each.items():
            losses[name].append(evaluate.daily_loss(*_of_judged(fold, quantiles)))
    return scores, {name: np.concatenate(of_model) for name, of_model in losses.items()}, said


def _of_judged(fold: Fold, quantiles: Floats) -> tuple[Floats, Floats, Floats]:
    """Actual units, quantiles and history of the fold's last day. Where a member says nothing the day is left out."""
    said = quantiles[: fold.judged]
    return np.where(np.isnan(said[..., 1]), np.nan, fold.actual[: fold.judged]), said, fold.history
