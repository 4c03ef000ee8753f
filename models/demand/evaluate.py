"""How good a forecast is: metrics of the literature, on arrays (series, days). NaN in `actual` is left out.

Every metric takes the forecast of the median, except pinball loss and coverage which take the quantiles. A series
without a single known actual, or whose history gives no scale, has NaN, and a mean over series leaves it out.
"""

from __future__ import annotations

import numpy as np

from models.demand.arrays import Floats, nan_mean
from models.demand.parameters import QUANTILES

SEASON = 7


def naive_scale(history: Floats, lag: int, power: int) -> Floats:
    """Mean of |y[t] - y[t-lag]|**power over each series' history, (series,); NaN where that is 0 or unknown.

    In M5 the history begins with the first sale: days before it are left out here too.
    """
    sold = np.cumsum(np.nan_to_num(history) > 0, axis=1) > 0
    live = np.where(sold, history, np.nan)
    scale = (
        nan_mean(np.abs(live[:, lag:] - live[:, :-lag]) ** power) if live.shape[1] > lag else np.full(len(live), np.nan)
    )
    return np.where(scale > 0, scale, np.nan)


def rmsse(actual: Floats, forecast: Floats, history: Floats) -> Floats:
    """Root mean squared scaled error, (series,): RMSE over that of the one-day naive in the history.

    Source: M5 Accuracy competition, guidelines (Makridakis, Spiliotis, Assimakopoulos 2022, Int. J. Forecasting 38).
    """
    return np.sqrt(nan_mean((actual - forecast) ** 2) / naive_scale(history, 1, 2))


def mase(actual: Floats, forecast: Floats, history: Floats, season: int = SEASON) -> Floats:
    """Mean absolute scaled error with a season (7 for days, 1 for weeks), (series,): MAE over that of the seasonal naive in the history.

    Source: Hyndman and Koehler 2006, Int. J. Forecasting 22; with a season as in the M4 competition.
    """
    return nan_mean(np.abs(actual - forecast)) / naive_scale(history, season, 1)


def wape(actual: Floats, forecast: Floats) -> float:
    """Weighted absolute percentage error over all rows: sum of errors over sum of units.

    Source: Kolassa and Schütz 2007, Foresight 6 (there the MAD/mean ratio). NaN where nothing was sold.
    """
    known = ~np.isnan(actual)
    total = float(np.abs(actual[known]).sum())
    return float(np.abs(actual - forecast)[known].sum()) / total if total > 0 else float("nan")


def mape(actual: Floats, forecast: Floats) -> float:
    """Mean absolute percentage error over the rows with units: what planners ask for.

    It misleads: a day of 1 unit weighs as much as one of 1,000, a day without units is left out, and the forecast that
    makes it least is too low (Kolassa 2020, Int. J. Forecasting 36). Read it beside WAPE and bias.
    """
    sold = np.nan_to_num(actual) > 0
    return float((np.abs(actual - forecast)[sold] / actual[sold]).mean()) if sold.any() else float("nan")


def bias(actual: Floats, forecast: Floats) -> float:
    """Sum of (forecast - actual) over the sum of units: above 0 the forecast is too high.

    Source: the "cumulative forecast error" of Hyndman and Athanasopoulos, Forecasting: Principles and Practice, relative
    to the units.
    """
    known = ~np.isnan(actual)
    total = float(np.abs(actual[known]).sum())
    return float((forecast - actual)[known].sum()) / total if total > 0 else float("nan")


def pinball(actual: Floats, quantiles: Floats) -> Floats:
    """Pinball loss of each row, averaged over the three quantiles: `quantiles` is (..., 3), the result (...).

    Source: Koenker and Bassett 1978, Econometrica 46.
    """
    levels = np.array(QUANTILES)
    error = actual[..., None] - quantiles
    return np.asarray(np.maximum(levels * error, (levels - 1) * error).mean(axis=-1))


def scaled_pinball(actual: Floats, quantiles: Floats, history: Floats) -> Floats:
    """Scaled pinball loss, (series,): pinball loss over the mean absolute one-day difference of the history.

    Source: SPL of the M5 Uncertainty competition (Makridakis et al. 2022, Int. J. Forecasting 38), for three quantiles.
    """
    return nan_mean(pinball(actual, quantiles)) / naive_scale(history, 1, 1)


def coverage(actual: Floats, quantiles: Floats) -> float:
    """Share of rows between the quantiles 0.1 and 0.9, borders included: 0.8 is what they promise.

    Source: prediction interval coverage, Gneiting and Raftery 2007, J. Am. Stat. Assoc. 102.
    """
    known = ~np.isnan(actual)
    inside = (actual >= quantiles[..., 0]) & (actual <= quantiles[..., 2])
    return float(inside[known].mean()) if known.any() else float("nan")


def daily_loss(actual: Floats, quantiles: Floats, history: Floats) -> Floats:
    """Scaled pinball loss of each day, the mean over series, (days,); NaN where nothing is known."""
    return nan_mean(pinball(actual, quantiles).T / naive_scale(history, 1, 1)[None, :])


def table(actual: Floats, quantiles: Floats, history: Floats, season: int = SEASON) -> dict[str, float]:
    """All metrics of one fold: `actual` (series, days), `quantiles` (series, days, 3), `history` (series, days before)."""
    median = quantiles[..., 1]
    return {
        "rmsse": _mean(rmsse(actual, median, history)),
        "mase": _mean(mase(actual, median, history, season)),
        "wape": wape(actual, median),
        "mape": mape(actual, median),
        "bias": bias(actual, median),
        "pinball": _mean(scaled_pinball(actual, quantiles, history)),
        "coverage": coverage(actual, quantiles),
    }


def _mean(by_series: Floats) -> float:
    return float(nan_mean(by_series))
