"""What stands in where no model may speak: each with its reason, so that no series is a gap.

A series is dead (nothing sold for half a year), too young for a pattern, or its tenant has no champion yet.
"""

from __future__ import annotations

import numpy as np

from models.demand.arrays import Floats, nan_mean
from models.demand.ensemble import tidy
from models.demand.naive import SeasonalNaive
from models.demand.origins import Origins, dead_after
from models.demand.parameters import QUANTILES, SEASONAL_NAIVE
from models.demand.periods import Period

CHAMPION, NAIVE, SHORT, DEAD = "champion", SEASONAL_NAIVE, "short_history", "no_sales"
NO_CHAMPION = "no champion yet"
NO_SKILL = "no skill: no model did better than this"
FEW_VALUES = 7  # known values below which their own spread says nothing
WIDE = (0.0, 2.5)  # times the level, for those: wide on purpose


def dead_reason(period: Period) -> str:
    return f"nothing sold for {dead_after(period)} {period.name}s"


def naive_of_the_night(origins: Origins) -> SeasonalNaive:
    """Seasonal naive with bands from what the feature rows themselves show: how seasons differed from the one before."""
    enough, season = origins.take(origins.enough & ~origins.dead), origins.period.season
    off = (enough.lags[:, :-season] - enough.lags[:, season:]) / enough.scale[:, None]
    known = off[~np.isnan(off)]
    if len(known) < FEW_VALUES:
        return SeasonalNaive(np.array([[-0.5, 0.0, 0.5]]))
    low, _, high = np.quantile(known, QUANTILES)
    return SeasonalNaive(np.array([[min(low, 0.0), 0.0, max(high, 0.0)]]))


def short(origins: Origins, among: Origins, horizon: int) -> tuple[Floats, list[str]]:
    """(n, horizon, 3) in pieces for series that know too little, and why each is here.

    Level: the mean of what is known; a series of which nothing is known takes the mean of its group at its site.
    Shape: the season of its group (or of its site) among `among`, the series of the same night.
    """
    group = _groups(origins)
    with_history = among.take(among.enough & ~among.dead)
    known = (~np.isnan(origins.lags)).sum(axis=1)
    own = nan_mean(origins.lags)
    own = np.where(known > 0, own, np.nan_to_num(origins.units_column("units_mean_364"), nan=np.nan))
    result = np.empty((len(origins), horizon, len(QUANTILES)))
    for i in range(len(origins)):
        shape, level = _shape(group[i], str(origins.site[i]), with_history)
        middle = level if np.isnan(own[i]) else float(own[i])
        values = origins.lags[i][~np.isnan(origins.lags[i])]
        low, high = np.quantile(values, (0.1, 0.9)) if len(values) >= FEW_VALUES else np.array(WIDE) * middle
        bands = np.array([min(float(low), middle), middle, max(float(high), middle)])
        result[i] = np.resize(shape, horizon)[:, None] * bands[None, :]
    return tidy(result), [_reason(origins, i, int(known[i])) for i in range(len(origins))]


def _groups(origins: Origins) -> list[str]:
    return [f"{site}/{group}" for site, group in zip(origins.site, origins.group, strict=True)]


def _shape(group: str, site: str, among: Origins) -> tuple[Floats, float]:
    """Factors of the season's places ahead, with mean 1, of the group at the site, else of the site; and its mean units."""
    alike = np.array([g == group for g in _groups(among)], dtype=bool) if len(among) else np.zeros(0, dtype=bool)
    if not alike.any():
        alike = among.site == site
    if not alike.any():
        return np.ones(among.period.season), 0.0
    total = among.weekday_mean[alike].sum(axis=0)
    level = float(among.weekday_mean[alike].mean())
    return (total / total.mean(), level) if total.mean() > 0 else (np.ones(len(total)), level)


def _reason(origins: Origins, i: int, known: int) -> str:
    period, since = origins.period, origins.pure_column("days_since_first")[i]
    if np.isnan(since) or since < period.min_age - 1:
        age = 0 if np.isnan(since) else int(since) + 1
        return f"first sold {age} {period.name}s ago, a model needs {period.min_age}"
    lags = origins.lags.shape[1]
    return f"{known} of the last {lags} {period.name}s are known, a model needs {period.min_known}"
