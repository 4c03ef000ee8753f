"""Pictures of a training for MLflow: how forecasts lay beside what happened, and how the models compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.demand.arrays import Floats
from models.demand.folds import Fold
from models.demand.promotion import METRIC
from models.demand.training import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 6  # series, from the one with the most units on
BEFORE_DAYS = 56
COMPARED = (METRIC, "rmsse", "wape", "coverage")


def figures(fold: Fold, quantiles: Floats, scores: Scores) -> dict[str, Figure]:
    """All pictures of a training by name."""
    compared = {metric: comparison(scores, metric) for metric in COMPARED}
    return {"forecast_sample": sample(fold, quantiles)} | compared


def sample(fold: Fold, quantiles: Floats) -> Figure:
    """Forecast and actual units of the biggest series of a fold; `quantiles` (n, 28, 3) begin with the judged rows."""
    figure = new_figure(11, 7)
    order = np.argsort(-np.nan_to_num(fold.actual[: fold.judged]).sum(axis=1), kind="stable")[:SHOWN]
    axes = np.atleast_1d(figure.subplots(2, 3, squeeze=False)).reshape(-1)
    ahead = np.arange(1, fold.actual.shape[1] + 1)
    for axis, row in zip(axes, order, strict=False):
        past = fold.history[row, -BEFORE_DAYS:]
        axis.plot(np.arange(1 - len(past), 1), past, color="0.6", linewidth=1)
        axis.plot(ahead, fold.actual[row], color="black", linewidth=1, label="units")
        axis.fill_between(ahead, quantiles[row, :, 0], quantiles[row, :, 2], alpha=0.3, label="quantiles 0.1 to 0.9")
        axis.plot(ahead, quantiles[row, :, 1], linewidth=1.2, label="median")
        axis.set_title(str(fold.keys[row]), fontsize=8)
        axis.tick_params(labelsize=7)
    for axis in axes[len(order) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=6)
    figure.suptitle(
        f"{fold.actual.shape[1]} {fold.period.name}s after {fold.until}; {fold.period.name}s from then", fontsize=9
    )
    return figure


def comparison(scores: Scores, metric: str) -> Figure:
    """One bar for each fold and model."""
    figure = new_figure(9, 4)
    axis = figure.subplots()
    models = list(dict.fromkeys(m for fold in scores.values() for m in fold))
    width = 0.8 / max(1, len(models))
    for position, model in enumerate(models):
        values = [fold.get(model, {}).get(metric, np.nan) for fold in scores.values()]
        axis.bar(np.arange(len(scores)) + position * width, values, width, label=model)
    axis.set_xticks(np.arange(len(scores)) + 0.4 - width / 2, list(scores))
    axis.set_xlabel("last day known")
    axis.set_ylabel(metric)
    axis.legend(fontsize=7)
    return figure


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, not of pyplot, which would keep it in memory and ask for a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
