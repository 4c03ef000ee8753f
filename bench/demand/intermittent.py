"""Sparse series: methods for intermittent demand alone, then what TSB brings to the pool.

    python -m bench.demand.intermittent [--data DATA]

prints scaled pinball losses beside the past year's distribution. Simulated series: sales are Bernoulli draws times rounded
lognormal sizes; their rates stay (iid), walk (drift), rise or fall all the time (fade), or jump once (step).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.demand.ours import data_of, on_processes
from bench.demand.problems import Floats, Problem, load
from models.demand.ensemble import SEGMENTS, Blend
from models.demand.evaluate import naive_scale, pinball
from models.demand.folds import Data, ask, last_days
from models.demand.history import of_the_year
from models.demand.members import Members
from models.demand.model import DemandModel
from models.demand.parameters import FLOORS, LIGHTGBM, QUANTILES, REGRESSION, TSB, Parameters, TreeParameters
from models.demand.periods import DAY
from models.demand.training import Clock, blended, fitted, ways_of
from models.demand.tsb import SIZES
from models.demand.vocabulary import Vocabulary

KINDS = ("iid", "drift", "fade", "step")
SERIES, DAYS, AHEAD = 60, 420, 28
ORIGINS = (280, 320, 360)
FACTORY, FACTORY_POOL = (109, 123, 137), (109, 123, 130, 137)  # days known; the test begins after 165
SPEEDS = (0.01, 0.02, 0.05, 0.1)


def simulated(kind: str, seed: int = 1) -> Floats:
    """Units of SERIES sparse series, (series, days)."""
    chance = np.random.default_rng(seed)
    rate = chance.uniform(0.08, 0.4, (SERIES, 1))
    size = np.exp(chance.normal(1.5, 0.8, (SERIES, 1)))
    day = np.arange(DAYS)[None, :]
    odds = np.log(rate / (1 - rate))
    if kind == "drift":
        odds = odds + np.cumsum(chance.normal(0, 0.06, (SERIES, DAYS)), axis=1)
    elif kind == "fade":
        odds = odds + chance.choice([-1.5, 1.5], (SERIES, 1)) * (2 * day / DAYS - 1)
    rates = np.broadcast_to(1 / (1 + np.exp(-odds)), (SERIES, DAYS))
    if kind == "step":
        at, jump = chance.integers(200, DAYS - 40, (SERIES, 1)), chance.choice([0.2, 3.0], (SERIES, 1))
        rates = np.clip(np.where(day > at, rate * jump, rate), 0, 0.9)
    sizes = np.ceil(size * np.exp(chance.normal(0, 0.5, (SERIES, DAYS))))
    return np.where(chance.random((SERIES, DAYS)) < rates, sizes, 0.0)


def problem(kind: str) -> Problem:
    """The simulated series as a problem of the bench."""
    names = pd.Series([f"p{k:02d}" for k in range(SERIES)])
    series = pd.DataFrame({"key": names, "level": "product", "site": "s", "region": "*", "product": names})
    series = series.assign(product_group="g", product_sub_group="g")
    calendar = load("supplygraph", _data()).calendar.iloc[:0]
    first = pd.Timestamp("2024-01-01")
    return Problem(kind, "D", 7, AHEAD, first, series, simulated(kind), calendar, None, bottom=None)


def _data() -> Path:
    from expectations.settings import load as settings

    return Path(settings().data)


def alone(units: Floats, origins: tuple[int, ...]) -> dict[str, float]:
    """Loss of each method on the series that are sparse at each origin."""
    losses: dict[str, list[float]] = {}
    for known in origins:
        for row in units:
            past, actual = row[:known][~np.isnan(row[:known])], row[known : known + AHEAD]
            scale = naive_scale(past[None], 1, 1)[0]
            if len(past) > 2 * AHEAD and (past[-28:] == 0).mean() >= 0.5 and (past[-182:] > 0).any() and scale > 0:
                for name, quantiles in methods(past):
                    loss = pinball(actual, np.broadcast_to(quantiles, (len(actual), 3))).mean() / scale
                    losses.setdefault(name, []).append(float(loss))
    return {name: float(np.mean(of)) for name, of in losses.items()}


def methods(past: Floats) -> Iterator[tuple[str, Floats]]:
    """Quantiles of a day ahead, by name: rates of statsforecast with four distributions about them, and our TSB."""
    from scipy import stats
    from statsforecast.models import ADIDA, IMAPA, TSB, CrostonSBA

    year = of_the_year(past[None], DAY, QUANTILES)[0]
    sizes = np.nan_to_num(of_the_year(np.where(past > 0, past, np.nan)[None], DAY, SIZES)[0])
    recent = past[-DAY.year :]
    mean, spread = max(recent.mean(), 1e-9), max(recent.var() / max(recent.mean(), 1e-9), 1.01)
    yield "history", year
    models = {
        "SBA": CrostonSBA(),
        "TSB 0.1": TSB(0.1, 0.1),
        "TSB 0.05": TSB(0.05, 0.05),
        "ADIDA": ADIDA(),
        "IMAPA": IMAPA(),
    }
    for name, model in models.items():
        rate = max(float(np.nan_to_num(model.forecast(past, 1)["mean"][0])), 1e-9)
        yield f"{name}, Poisson", stats.poisson.ppf(QUANTILES, rate)
        yield f"{name}, negative binomial", stats.nbinom.ppf(QUANTILES, rate / (spread - 1), 1 / spread)
        yield f"{name}, the year scaled", year * rate / mean
        yield f"{name}, sizes of the year", mixed(min(rate / max(sizes.mean(), 1e-9), 1.0), sizes)
    for speed in SPEEDS:
        weight = speed * (1 - speed) ** np.arange(len(past))[::-1]
        yield f"ours, speed {speed}", mixed(float((weight * (past > 0)).sum() / weight.sum()), sizes)


def mixed(chance: float, sizes: Floats) -> Floats:
    """Quantiles of a day that has a sale by `chance`, of one of `sizes` (their quantiles)."""
    among = [(level - (1 - chance)) / chance if chance > 0 else 0.0 for level in QUANTILES]
    return np.array([sizes[min(int(q * len(sizes)), len(sizes) - 1)] if q > 0 else 0.0 for q in among])


def in_pool(of: Problem, known: int, given: Parameters) -> dict[str, tuple[float, float, dict[str, float]]]:
    """Loss of all series and of the sparse ones, with and without TSB, and its weights by segment: same folds, same members."""
    data = data_of(of, known, given)
    clock, words = Clock(lambda _: None), Vocabulary.learn(data.origins, data.calendar)
    days = last_days(data, given)
    ways = ways_of(data, [*days, data.last_day], given, on_processes, clock)
    folds = []
    for day in days:
        fold = fitted(data, day, given.pool, words, ways[day], given, clock)
        folds.append(ask(data, day, fold, fold.names, given))
    last = fitted(data, data.last_day, given.pool, words, ways[data.last_day], given, clock)
    found = {}
    there = tuple(n for n in given.pool if all(n in f.members for f in folds))
    for title, names in (("without", tuple(m for m in there if m != TSB)), ("with", there)):
        found[title] = _judged(of, given, data, last, blended(folds, names))
    return found


def _judged(
    of: Problem, given: Parameters, data: Data, members: Members, blend: Blend
) -> tuple[float, float, dict[str, float]]:
    origins = data.origins.take(data.origins.day == data.last_day)
    model = DemandModel(given, data.last_day, members, blend)
    said = model.quantiles(origins, data.calendar)
    row = data.panel.rows_of(origins.key)
    order = np.argsort((of.series["site"] + "/" + of.series["product"]).to_numpy(dtype=object), kind="stable")
    known = data.panel.units.shape[1]
    actual = of.units[order][row, known : known + AHEAD]
    loss = np.nanmean(pinball(actual, said), axis=1) / naive_scale(data.panel.units[row], 1, 1)
    weights = blend.weights[:, blend.members.index(TSB)] if TSB in blend.members else np.zeros(len(SEGMENTS))
    of_tsb = {name: round(float(w), 2) for name, w in zip(SEGMENTS, weights, strict=True)}
    return float(np.nanmean(loss)), float(np.nanmean(loss[origins.sparse])), of_tsb


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.demand.intermittent", description=__doc__)
    parser.add_argument("--data", type=Path, default=_data())
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    factory = load("supplygraph", given.data)
    worlds = {"factory": (factory.units, FACTORY), **{k: (simulated(k), ORIGINS) for k in KINDS}}
    for name, (units, origins) in worlds.items():
        losses = alone(units, origins)
        print(f"{name}: history {losses['history']:.4f}", flush=True)
        for method, loss in sorted(losses.items(), key=lambda item: item[1]):
            print(f"  {method:32} {loss / losses['history'] - 1:+.1%}", flush=True)
    trees = TreeParameters(rounds=150, tail_rounds=100, leaves=16)
    for others in ((), (REGRESSION,)):
        pool = Parameters(members=(*FLOORS, LIGHTGBM, *others, TSB), threads=1)
        for kind in KINDS:
            found = in_pool(problem(kind), DAYS - AHEAD, replace(pool, trees=trees, max_rows=60_000))
            print(kind, *others, found, flush=True)
        for known in FACTORY_POOL:
            print("factory", known, *others, in_pool(factory, known, pool), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
