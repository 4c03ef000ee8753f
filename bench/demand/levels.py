"""Sums on real data: coverage and RMSSE of each level by day, week and month, over rolling origins.

    python -m bench.demand.levels PROBLEM --data DATA --folds 6

A fold is forecast with blend, dependence and widths of the folds before it alone. `bottom-up` are our sums; `direct` is what the
same members say of a sum that is a series of the panel itself, by day and in M5 alone, whose levels are given.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.demand.ours import data_of, on_processes
from bench.demand.problems import load
from models.demand import evaluate, sums_training, training
from models.demand.arrays import Floats
from models.demand.ensemble import Blend
from models.demand.folds import Fold, ask, last_days
from models.demand.hierarchy import BOTTOM, Hierarchy
from models.demand.parameters import Parameters, parameters
from models.demand.spans import DAY, spans
from models.demand.sums import points
from models.demand.vocabulary import Vocabulary

# Levels of M5 by our names of theirs; level 9 is the bottom.
M5 = {"1": "tenant", "3": "site", "4": "tenant/group", "5": "tenant/sub_group", "8": "site/group"}


def folds_of(name: str, data: Path, given: Parameters) -> list[Fold]:
    """The members' forecasts of all folds, the last of which is the test."""
    problem = load(name, data)
    known = data_of(problem, problem.units.shape[1], given)
    words = Vocabulary.learn(known.origins, known.calendar)
    clock = training.Clock(lambda text: print(f"  {text}", file=sys.stderr, flush=True))
    days = last_days(known, given)
    ways = training.ways_of(known, days, given, on_processes, clock)
    return [
        ask(known, day, members, members.names, given)
        for day in days
        for members in (training.fitted(known, day, given.members, words, ways[day], given, clock),)
    ]


def scored(folds: Sequence[Fold], given: Parameters) -> Iterator[dict[str, Any]]:
    """Rows of every fold from the third on, and each of its nights: coverage by level and period, RMSSE by level."""
    names = tuple(n for n in given.members if all(n in fold.members for fold in folds))
    for position in range(2, len(folds)):
        blend = training.blended(list(folds[:position]), names)
        blend = blend.only(blend.used)
        sums = sums_training.fit(folds[:position], blend, given.seed)
        fold = folds[position]
        for night in sums_training.nights([fold], blend):
            at = {"fold": position, "after": night.day - fold.last_day}
            named = night.origins.hierarchy
            point = points(night.quantiles, night.origins)
            tree = Hierarchy.of(named)
            pieces = spans(night.day, given.horizon, given.counts)
            history = fold.history[: fold.judged][fold.origins.level[: fold.judged] == ""]
            for piece in sums.forecast(night.quantiles, point, named, pieces, given.seed):
                matrix = next((level.matrix for level in tree.levels if level.name == piece.level), None)
                summed = night.actual if matrix is None else matrix @ night.actual
                past = history if matrix is None else matrix @ np.nan_to_num(history)
                row = at | {"level": piece.level, "period": piece.spans.period, "how": "bottom-up"}
                yield row | _scores(piece.spans.sum(summed, axis=1), piece.quantiles, piece.points, past)
            whole = evaluate.rmsse(night.actual, point, history)
            covered = evaluate.coverage(night.actual, night.quantiles)
            yield (
                at
                | {"level": BOTTOM, "period": DAY, "how": "bottom-up", "coverage": covered}
                | {
                    "rmsse": float(np.nanmean(whole)),
                    "bias": evaluate.bias(night.actual, point),
                }
            )
        yield from _direct(fold, blend, position)


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
    parser.add_argument("--members", nargs="+", default=["seasonal_naive", "lightgbm", "lstm"])
    asked = parser.parse_args()
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    given = parameters({"folds": asked.folds, "members": asked.members})
    folds = folds_of(asked.problem, asked.data, given)
    print(table(pd.DataFrame(scored(folds, given)), len(folds) - 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
