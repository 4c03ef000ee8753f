"""The forecast of one night for all series of a tenant: the champion where it may speak, else a stated fallback."""

from __future__ import annotations

import numpy as np
import pandas as pd

from expectations.tables import HORIZON_DAYS
from models.demand.arrays import Floats, Strings
from models.demand.calendar import Calendar
from models.demand.fallback import (
    CHAMPION,
    DEAD,
    NAIVE,
    NO_CHAMPION,
    NO_SKILL,
    SHORT,
    dead_reason,
    naive_of_the_night,
    short,
)
from models.demand.model import DemandModel
from models.demand.origins import Origins
from models.demand.parameters import HISTORY, QUANTILE_COLUMNS
from models.demand.sums import points

COLUMNS = (
    "site",
    "product",
    "date",
    "period",
    "horizon",
    *QUANTILE_COLUMNS,
    "units_point",
    "units_hierarchy",
    "method",
    "fallback_reason",
    "cut_off",
)


def forecast(
    features: pd.DataFrame, calendar: pd.DataFrame, champion: DemandModel | None, floor: DemandModel | None = None
) -> pd.DataFrame:
    """As `forecast_of`, of DEMAND_FEATURES of one tenant and one night and its CALENDAR_FEATURES."""
    return forecast_of(Origins.from_features(features), Calendar.from_features(calendar), champion, floor=floor)


def forecast_of(
    origins: Origins,
    calendar: Calendar,
    champion: DemandModel | None,
    horizon: int = HORIZON_DAYS,
    floor: DemandModel | None = None,
) -> pd.DataFrame:
    """A row with COLUMNS for each period ahead of each of `origins`, which are those of one night.

    `calendar` has the periods ahead (and 28 back). Quantiles are in order, not negative and finite. A champion says how
    far ahead it is asked; without one every series with enough history has seasonal naive, `horizon` periods ahead; or,
    where `floor`, a model without skill, knows that the distribution of its history is better, that distribution.
    What sums' own forecasts make of a champion's medians is in `units_hierarchy`; what a fallback says stands.
    """
    horizon = champion.members.horizon if champion else horizon
    units = np.zeros((len(origins), horizon, 3))
    method, reason = _methods(origins, champion, floor)
    for name in (CHAMPION, HISTORY, NAIVE):
        rows = np.flatnonzero(method == name)
        some = origins.take(rows)
        if len(rows) and name == CHAMPION and champion:
            units[rows] = champion.quantiles(some, calendar)
        elif len(rows) and name == HISTORY and floor and floor.members.history:
            units[rows] = floor.members.history.predict(some, horizon)
        elif len(rows):
            units[rows] = naive_of_the_night(origins).predict(some, horizon)
    young = np.flatnonzero(method == SHORT)
    if len(young):
        units[young], reason[young] = short(origins.take(young), origins, horizon)
    point, factor = points(units, origins), np.ones(units.shape[:2])
    if champion and champion.reconciliation:
        factor = champion.reconciliation.factors(origins, units, point, method == CHAMPION)
    moved = units[..., 1] * (factor - 1)
    return _rows(origins, units * factor[..., None], point * factor, moved, method, reason)


def _methods(origins: Origins, champion: DemandModel | None, floor: DemandModel | None) -> tuple[Strings, Strings]:
    usual, why = (CHAMPION, None) if champion else (NAIVE, NO_SKILL if floor else NO_CHAMPION)
    method = np.full(len(origins), usual, dtype=object)
    reason = np.full(len(origins), why, dtype=object)
    if floor and not champion:
        method[floor.knows_history(origins)] = HISTORY
    method[~origins.enough], reason[~origins.enough] = SHORT, None
    method[origins.dead], reason[origins.dead] = DEAD, dead_reason(origins.period)
    return method, reason


def _rows(
    origins: Origins, units: Floats, point: Floats, moved: Floats, method: Strings, reason: Strings
) -> pd.DataFrame:
    n, ahead, period = len(origins), units.shape[1], origins.period
    horizon = np.tile(np.arange(1, ahead + 1, dtype=np.int32), n)
    each = np.repeat(np.arange(n), ahead)
    night = [period.end(int(d)) for d in np.unique(origins.day)]
    if len(night) > 1:
        raise ValueError(
            f"features of several nights were given, from {night[0]} to {night[-1]}: forecast one at a time"
        )
    dates = period.first(origins.day[each] + horizon).astype("datetime64[D]")
    rows = {
        "site": origins.site[each],
        "product": origins.product[each],
        "date": pd.Series(dates.astype("datetime64[s]")).dt.date if n else pd.Series(dtype=object),
        "period": period.name,
        "horizon": horizon,
        **{name: units[:, :, q].reshape(-1) for q, name in enumerate(QUANTILE_COLUMNS)},
        "units_point": point.reshape(-1),
        "units_hierarchy": moved.reshape(-1),
        "method": method[each],
        "fallback_reason": reason[each],
        "cut_off": pd.to_datetime(origins.cut_off[each], unit="us", utc=True),
    }
    return pd.DataFrame(rows, columns=list(COLUMNS))
