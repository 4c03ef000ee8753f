"""The statistical methods on one series, by statsforecast: MSTL, ETS and the optimised Theta.

Sources: Bandara, Hyndman, Bergmeir 2021 (MSTL, arXiv:2107.13462); Hyndman and others 2002, Int. J. Forecasting 18 (ETS);
Fiorucci and others 2016, Int. J. Forecasting 32 (dynamic optimised Theta).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from models.demand.arrays import Floats
from models.demand.parameters import PathParameters
from models.demand.periods import Period
from models.demand.ways import Way

LEVEL = 80  # per cent, of the interval between the quantiles 0.1 and 0.9
MIN_SEASONS = 2  # whole ones, below which a season is told from nothing


def mstl(
    units: Floats, first_day: int, holidays: pd.DataFrame | None, given: PathParameters, period: Period
) -> Way | None:
    """A Method: seasons of the period and of the year taken out, ETS for what is left."""
    from statsforecast.models import MSTL, AutoETS

    del first_day, holidays
    seasons = [s for s in (period.season, period.year) if s > 1 and MIN_SEASONS * s <= len(units)]
    return _fit(MSTL(seasons, trend_forecaster=AutoETS(model="ZZN")), units, given, period) if seasons else None


def ets(
    units: Floats, first_day: int, holidays: pd.DataFrame | None, given: PathParameters, period: Period
) -> Way | None:
    """A Method: exponential smoothing, its kind chosen by AICc."""
    from statsforecast.models import AutoETS

    del first_day, holidays
    return _fit(AutoETS(season_length=period.season), units, given, period)


def theta(
    units: Floats, first_day: int, holidays: pd.DataFrame | None, given: PathParameters, period: Period
) -> Way | None:
    """A Method: the dynamic optimised Theta."""
    from statsforecast.models import DynamicOptimizedTheta

    del first_day, holidays
    return _fit(DynamicOptimizedTheta(season_length=period.season), units, given, period)


def _fit(model: Any, units: Floats, given: PathParameters, period: Period) -> Way | None:
    values = _whole(units, period.season)
    if not np.abs(values).max() > 0:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a division by the spread of a series that has none
            said = model.forecast(y=values, h=given.path_days, level=[LEVEL], fitted=True)
    except (ArithmeticError, ValueError, IndexError, np.linalg.LinAlgError):  # the other members go on without it
        return None
    ahead = np.asarray(said["mean"], dtype=float)
    fitted = np.asarray(said["fitted"], dtype=float)
    path = np.concatenate([np.where(np.isfinite(fitted), fitted, values), ahead])
    low, high = (np.nan_to_num(np.asarray(said[f"{side}-{LEVEL}"], dtype=float) - ahead) for side in ("lo", "hi"))
    return Way(path, low, high)


def _whole(units: Floats, season: int) -> Floats:
    """Gaps filled with what was known a season before, as the methods take none; before anything was known with 0."""
    values = units.copy()
    for t in np.flatnonzero(np.isnan(values)):
        values[t] = values[t - season] if t >= season else 0.0
    return values
