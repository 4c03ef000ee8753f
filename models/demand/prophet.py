"""Prophet on one series of days.

Source: Taylor and Letham 2018, "Forecasting at scale", The American Statistician 72.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from models.demand.arrays import Floats
from models.demand.parameters import PathParameters
from models.demand.periods import Period
from models.demand.ways import Way

YEAR_SEEN_DAYS = 728  # two years of whole weeks: below, a yearly season is told from nothing
RECENT_DAYS = 182  # whose residuals tell how wide the band is


def fit(
    units: Floats,
    first_day: int,
    holidays: pd.DataFrame | None,
    given: PathParameters,
    period: Period,  # noqa: ARG001  days alone: see `parameters.DAILY_ONLY`
) -> Way | None:
    """A Method. None where nothing was sold, or where Stan's optimiser finds no way."""
    _quiet()
    from prophet import Prophet

    n = len(units)
    stamps = pd.to_datetime(pd.Series(np.arange(first_day, first_day + n + given.path_days)), unit="D")
    if not float(np.nanmax(np.abs(units))) > 0:
        return None
    model = Prophet(
        growth="linear",
        weekly_seasonality=True,
        daily_seasonality=False,
        yearly_seasonality=n >= YEAR_SEEN_DAYS,
        seasonality_mode="multiplicative",
        changepoint_prior_scale=given.changepoint_prior_scale,
        holidays=holidays if holidays is not None and len(holidays) else None,
        uncertainty_samples=0,
    )
    try:
        model.fit(pd.DataFrame({"ds": stamps[:n], "y": units}))
    except (RuntimeError, ValueError):  # the other members go on without it
        return None
    path = model.predict(pd.DataFrame({"ds": stamps}))["yhat"].to_numpy(dtype=float)
    low, high = np.nanquantile((units - path[:n])[-RECENT_DAYS:], (0.1, 0.9))
    return Way(path, np.array([low]), np.array([high]))


def _quiet() -> None:
    """Both tell of each fit. Prophet sets its level when it is imported, Stan its own where it finds no handler."""
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)  # it misses plotly, which we do not
    import prophet  # noqa: F401

    stan = logging.getLogger("cmdstanpy")
    if not stan.handlers:
        stan.addHandler(logging.NullHandler())
    for logger in (stan, logging.getLogger("prophet")):
        logger.setLevel(logging.CRITICAL)
