"""Sums on real data: coverage and RMSSE of each level by day, week and month, over rolling origins.

    python -m bench.demand.levels PROBLEM --data DATA --folds 6

A fold is forecast with blend, dependence and widths of the folds before it alone. `bottom-up` are our sums, `reconciled` the same
after forecasts of sums have moved the series, where the folds before say that it pays; `direct` is what the same members say of
a sum that is a series of the panel itself, by day and in M5 alone, whose levels are given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.demand.ours import data_of, on_processes
from bench.demand.problems import load
from models.demand import evaluate, reconcile_training, sums_training, training
from models.demand.arrays import Floats
from models.demand.ensemble import Blend
from models.demand.folds import Fold, ask, last_days
from models.demand.hierarchy import BOTTOM, Hierarchy
from models.demand.parameters import Parameters, parameters
from models.demand.reconcile import SumForecasts
from models.demand.spans import DAY, spans
from models.demand.sums import Sums
from models.demand.sums_training import Night
from models.demand.vocabulary import Vocabulary

# Levels of M5 by our names of theirs; level 9 is the bottom.
M5 = {"1": "tenant", "3": "site", "4": "tenant/group", "5": "tenant/sub_group", "8": "site/group"}


def folds_of(name: str, data: Path, given: Parameters) -> tuple[list[Fold], reconcile_training.Fitted]:
    """The members' forecasts of all folds, the last of which is the test, and paths of sums up to their last days."""
    problem = load(name, data)
    known = data_of(problem, problem.units.shape[1], given)
    words = Vocabulary.learn(known.origins, known.calendar)
    clock = training.Clock(lambda text: print(f"  {text}", file=sys.stderr, flush=True))
    days = last_days(known, given)
    ways = training.ways_of(known, days, given, on_processes, clock)
    folds = [
        ask(known, day, members, members.names, given)
        for day in days
        for members in (training.fitted(known, day, given.members, words, ways[day], given, clock),)
    ]
    with clock.of("paths of sums"):
        return folds, reconcile_training.fit_folds(known, folds, given, on_processes)


def scored(folds: Sequence[Fold], of_sums: reconcile_training.Fitted, given: Parameters) -> Iterator[dict[str, Any]]:
    """Rows of every fold from the third on, and each of its nights: coverage by level and period, RMSSE by level."""
    names = tuple(n for n in given.members if all(n in fold.members for fold in folds))
    for position in range(2, len(folds)):
        blend = training.blended(list(folds[:position]), names)
        blend = blend.only(blend.used)
        fold, before = folds[position], list(sums_training.nights(folds[:position], blend))
        chosen = reconcile_training.choose(folds[:position], before, of_sums)
        tried = {"bottom-up": (before, None), "reconciled": (chosen.nights, chosen.doubt)}
        for how, (nights, doubt) in tried.items():
            sums = sums_training.fit(nights, fold.period.run, given.seed)
            for night in sums_training.nights([fold], blend):
                served = night
                if doubt:
                    said = SumForecasts.of(of_sums[fold.last_day], night.origins, given.horizon)
                    served = reconcile_training.reconciled(night, said, doubt)
                at = {"fold": position, "after": night.day - fold.last_day, "how": how}
                yield from (at | row for row in _night(served, sums, fold, given))
        yield from _direct(fold, blend, position)


def _night(night: Night, sums: Sums, fold: Fold, given: Parameters) -> Iterator[dict[str, Any]]:
    """Scores of each level and period."""
    named = night.origins.hierarchy
    matrices = {level.name: level.matrix for level in Hierarchy.of(named).levels}
    history = fold.history[: fold.judged][fold.origins.level[: fold.judged] == ""]
    pieces = spans(night.day, given.horizon, given.counts)
    for piece in sums.forecast(night.quantiles, night.points, named, pieces, given.seed):
        matrix = matrices.get(piece.level)
        summed = night.actual if matrix is None else matrix @ night.actual
        past = history if matrix is None else matrix @ np.nan_to_num(history)
        actual = piece.spans.sum(summed, axis=1)
        yield {"level": piece.level, "period": piece.spans.period} | _scores(
            actual, piece.quantiles, piece.points, past
        )
    yield {"level": BOTTOM, "period": DAY} | _scores(night.actual, night.quantiles, night.points, history)


def _scores(actual: Floats, quantiles: Floats, point: Floats, history: Floats) -> dict[str, float]:
    known = ~np.isnan(actual)
    return {
        "coverage": evaluate.coverage(actual, quantiles),
        "below": float((actual < quantiles[..., 0])[known].mean()) if known.any() else np.nan,
        "above": float((actual > quantiles[..., 2])[known].mean()) if known.any() else np.nan,
        "bias": evaluate.bias(actual, point),
        "rmsse": float(np.nanmean(evaluate.rmsse(actual, point, history))),
    }


def _direct(fold: Fold, blend: Blend, position: int) -> Iterator[dict[str, Any]]:
    """What the blend says of the sums that are series of the panel, on the same nights."""
    said = blend.combine(fold.of(blend.members), fold.segment)
    place = {key: row for row, key in enumerate(fold.keys[: fold.judged])}
    for day in np.unique(fold.origins.day):
        for theirs, level in M5.items():
            rows = np.flatnonzero((fold.origins.day == day) & (fold.origins.level == theirs))
            if len(rows):
                row = {"fold": position, "after": day - fold.last_day, "level": level, "period": DAY, "how": "direct"}
                history = fold.history[[place[key] for key in fold.keys[rows]]]
                yield row | _scores(fold.actual[rows], said[rows], said[rows][..., 1], history)


def table(rows: pd.DataFrame, test: int) -> str:
    """Markdown: the mean over the folds before the test, and the test; RMSSE of days alone, which is what it is made for."""
    named = rows.assign(when=np.where(rows["fold"] == test, "test", "before"))
    named.loc[named["period"] != DAY, "rmsse"] = np.nan
    metrics = ["coverage", "below", "above", "bias", "rmsse"]
    keys = ["when", "period", "level", "how"]
    found = named.groupby(keys)[metrics].mean().reset_index()
    head = " | ".join([*keys, *metrics])
    cells = [" | ".join([*r[:4], *("" if np.isnan(v) else f"{v:.3f}" for v in r[4:])]) for r in found.to_numpy()]
    return "\n".join([f"| {head} |", "|---" * (len(keys) + len(metrics)) + "|", *(f"| {c} |" for c in cells)])


def main() -> int:
    """Make the folds and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.demand.levels", description=__doc__)
    parser.add_argument("problem", choices=["m5", "supplygraph"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=6, help="the test among them (6)")
    parser.add_argument("--members", nargs="+", default=["seasonal_naive", "lightgbm", "lstm", "prophet"])
    asked = parser.parse_args()
    given = parameters({"folds": asked.folds, "members": asked.members})
    folds, of_sums = folds_of(asked.problem, asked.data, given)
    print(table(pd.DataFrame(scored(folds, of_sums, given)), len(folds) - 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
