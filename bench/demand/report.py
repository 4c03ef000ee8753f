"""Scores of a run on a fold, the table of a problem, and its plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.demand.problems import Floats, Problem
from models.demand import evaluate
from models.demand.plots import new_figure

OURS = "ours"
SHOWN = ("rmsse", "mase", "wape", "mape", "bias", "pinball", "coverage")
JUDGED = ("rmsse", "mase", "wape")
BEFORE = 8  # horizons of history in a plot's picture
Runs = Sequence[Mapping[str, Any]]


def scores(problem: Problem, known: int, point: Floats, quantiles: Floats | None) -> dict[str, float]:
    """The metrics of ANCHORS.md: RMSSE of the point forecast, averaged within a level and then over levels; MASE over
    series, WAPE and MAPE over rows, these by the median where there is one.
    """
    actual = problem.units[:, known : known + problem.horizon]
    history = problem.units[:, :known]
    median = point if quantiles is None else quantiles[..., 1]
    by_level = pd.Series(evaluate.rmsse(actual, point, history)).groupby(problem.series["level"]).mean()
    found = {
        "rmsse": float(by_level.mean()),
        "mase": float(np.nanmean(evaluate.mase(actual, median, history, problem.season))),
        "wape": evaluate.wape(actual, median),
        "mape": evaluate.mape(actual, median),
        "bias": evaluate.bias(actual, median),
    }
    if quantiles is not None:
        found["pinball"] = float(np.nanmean(evaluate.scaled_pinball(actual, quantiles, history)))
        found["coverage"] = evaluate.coverage(actual, quantiles)
    return found | ({f"rmsse {name}": float(v) for name, v in by_level.items()} if len(by_level) > 1 else {})


def table(problem: Problem, runs: Runs) -> str:
    """Markdown: a row for each fold and method, and what ours is beside the best peer of the fold by each metric; then
    the same of the mean over the folds.
    """
    lines = [f"### {problem.name}", ""]
    lines += [
        f"| last known | method | {' | '.join(SHOWN)} | s | processor s | peak MiB |",
        "|---" * (len(SHOWN) + 5) + "|",
    ]
    folds = sorted({r["known"] for r in runs})
    for known in folds:
        day = problem.dates[known - 1].date().isoformat() if problem.bottom or problem.country else f"period {known}"
        test = " (test)" if known == problem.test else ""
        of_fold = [r for r in runs if r["known"] == known]
        lines += _rows(of_fold, f"{day}{test}")
    if len(folds) > 1:
        lines += _rows(_means(runs, len(folds)), f"mean of {len(folds)} folds")
    return "\n".join([*lines, ""])


def _rows(runs: Runs, of: str) -> list[str]:
    lines = []
    for run in sorted(runs, key=lambda r: r["scores"]["rmsse"]):
        cells = [f"{run['scores'][m]:.3f}" if m in run["scores"] else "" for m in SHOWN]
        name = f"**{run['method']}**" if run["method"] == OURS else run["method"]
        lines.append(
            f"| {of} | {name} | {' | '.join(cells)} | {run['seconds']:.0f} | {run['processor']:.0f} | {run['peak_mib']:,.0f} |"
        )
    return lines + _against(runs, of)


def _means(runs: Runs, folds: int) -> list[dict[str, Any]]:
    """Of each method that has all folds: its scores and its cost, averaged; of its memory the most."""
    found = []
    for method in dict.fromkeys(r["method"] for r in runs):
        own = [r for r in runs if r["method"] == method]
        if len(own) == folds:
            scores = {m: float(np.mean([r["scores"][m] for r in own])) for m in SHOWN if m in own[0]["scores"]}
            cost = {name: float(np.mean([r[name] for r in own])) for name in ("seconds", "processor")}
            found.append({"method": method, "scores": scores, "peak_mib": max(r["peak_mib"] for r in own), **cost})
    return found


def _against(runs: Runs, day: str) -> list[str]:
    ours = next((r["scores"] for r in runs if r["method"] == OURS), None)
    peers = [r for r in runs if r["method"] != OURS]
    if ours is None or not peers:
        return []
    cells = []
    for metric in SHOWN:
        best = min((p["scores"][metric] for p in peers), default=np.nan) if metric in JUDGED else np.nan
        cells.append(f"{ours[metric] / best - 1:+.1%}" if np.isfinite(best) else "")
    return [f"| {day} | ours beside the best peer | {' | '.join(cells)} | | | |"]


def plots(problem: Problem, runs: Runs, folder: Path) -> None:
    """`NAME.png`: RMSSE and MASE of every method and fold; `NAME-forecast.png`: ours and the best peer on four series."""
    figure = new_figure(10, 4)
    methods = sorted(
        {r["method"] for r in runs}, key=lambda m: min(r["scores"]["rmsse"] for r in runs if r["method"] == m)
    )
    folds = sorted({r["known"] for r in runs})
    for axis, metric in zip(figure.subplots(1, 2), ("rmsse", "mase"), strict=True):
        for position, known in enumerate(folds):
            at = {r["method"]: r["scores"][metric] for r in runs if r["known"] == known}
            heights = [at.get(m, np.nan) for m in methods]
            label = "test" if known == problem.test else f"first {known}"
            places = np.arange(len(methods)) + 0.8 * position / len(folds)
            bars = axis.barh(places, heights, 0.8 / len(folds), label=label)
            axis.bar_label(bars, fmt="%.3f", fontsize=6)
        axis.set_yticks(np.arange(len(methods)) + 0.4 - 0.4 / len(folds), methods, fontsize=8)
        axis.invert_yaxis()
        axis.set_title(f"{problem.name}: {metric.upper()}, less is better", fontsize=9)
    figure.axes[0].legend(fontsize=7)
    figure.savefig(folder / f"{problem.name}.png", dpi=110)
    _forecasts(problem, [r for r in runs if r["known"] == problem.test], folder)


def _forecasts(problem: Problem, runs: Runs, folder: Path) -> None:
    peers = sorted((r for r in runs if r["method"] != OURS), key=lambda r: r["scores"]["rmsse"])
    shown = [r["method"] for r in runs if r["method"] == OURS] + [r["method"] for r in peers[:1]]
    if not shown:
        return
    known, horizon = problem.test, problem.horizon
    total = np.nan_to_num(problem.units[:, -364:]).sum(axis=1)
    rank = np.argsort(-total, kind="stable")
    chosen = [rank[int(share * (len(rank) - 1))] for share in (0.0, 0.25, 0.5, 0.75)]
    figure = new_figure(12, 7)
    ahead = np.arange(1, horizon + 1)
    for axis, row in zip(figure.subplots(2, 2).reshape(-1), chosen, strict=True):
        past = problem.units[row, known - BEFORE * horizon // 2 : known]
        axis.plot(np.arange(1 - len(past), 1), past, color="0.6", linewidth=1)
        axis.plot(ahead, problem.units[row, known : known + horizon], color="black", linewidth=1.2, label="units")
        for color, method in zip(("tab:blue", "tab:orange"), shown, strict=False):
            with np.load(folder / f"{problem.name}-{known}-{method}.npz") as said:
                if "quantiles" in said:
                    q = said["quantiles"][row]
                    axis.fill_between(ahead, q[:, 0], q[:, 2], alpha=0.2, color=color)
                line = said["quantiles"][row, :, 1] if "quantiles" in said else said["point"][row]
            axis.plot(ahead, line, color=color, linewidth=1.2, label=method)
        axis.set_title(str(problem.series["key"].iloc[row]), fontsize=8)
        axis.tick_params(labelsize=7)
    figure.axes[0].legend(fontsize=7)
    figure.suptitle(f"{problem.name}: the test window; periods from the origin", fontsize=9)
    figure.savefig(folder / f"{problem.name}-forecast.png", dpi=110)
