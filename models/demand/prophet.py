"""Prophet for the series with the most units: one fit a series, run in parallel by whoever calls.

At training time each fit's path is stored from four weeks before its last day to some months after it. A night looks
the path up and moves it by how far the last 28 known days lay from it: no refit, no Stan, and a champion of a month
ago still stands at today's level.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from models.demand.arrays import Floats, Ints, Strings, divide, nan_mean, to_date
from models.demand.calendar import Calendar
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import ProphetParameters

BACK_DAYS = 27  # days of the path before and with the last day known: against them a night finds its level
LEVEL_BOUNDS = (0.4, 2.5)
YEAR_SEEN_DAYS = 728  # two years of whole weeks: below, a yearly season is told from nothing

Fit = Callable[[pd.DataFrame], pd.DataFrame]
MapSeries = Callable[[Fit, pd.DataFrame, str], pd.DataFrame]
"""Applies a function to the rows of a frame, some at a time, and puts the results together; the third argument is
the Spark schema of the result, which a plain in-process map has no need of."""
SCHEMA = "key string, last_day long, path array<double>, low double, high double"


def map_here(fit: Fit, tasks: pd.DataFrame, schema: str) -> pd.DataFrame:  # noqa: ARG001  a MapSeries is given it
    """A MapSeries for tests and small data: all in this process."""
    return fit(tasks)


def biggest(panel: Panel, given: ProphetParameters) -> Strings:
    """Keys of the series with the most units in the last year, that are old enough."""
    units = np.nan_to_num(panel.units[:, -364:]).sum(axis=1)
    known = (~np.isnan(panel.units)).sum(axis=1)
    rank = np.argsort(-units, kind="stable")[: given.max_series]
    return np.asarray(panel.keys[np.sort([r for r in rank if units[r] > 0 and known[r] >= given.min_days]).astype(int)])


def tasks(panel: Panel, keys: Strings, last_days: Mapping[int, int], given: ProphetParameters) -> pd.DataFrame:
    """One row a fit: series and last day it may know. `last_days` maps that day to the cut-off of its calendar."""
    rows = []
    for last_day in last_days:
        known = panel.until(last_day)
        begin = max(0, known.units.shape[1] - given.history_days)
        for key, row in zip(keys, known.rows_of(keys), strict=True):
            units = known.units[row, begin:]
            if (~np.isnan(units)).sum() >= given.min_days // 2:
                rows.append((key, last_day, known.first_day + begin, units.tolist()))
    return pd.DataFrame(rows, columns=["key", "last_day", "first_day", "units"])


def occasions(calendar: Calendar, last_days: Mapping[int, int]) -> dict[tuple[str, int], pd.DataFrame]:
    """Holidays and events as Prophet takes them, for each site and last day, as known at its cut-off."""
    every = np.arange(calendar.first_day, calendar.first_day + calendar.start.shape[1])
    found = {}
    for last_day, cut_off in last_days.items():
        for position, site in enumerate(calendar.sites):
            rows = calendar.find(np.full(len(every), position), every, np.full(len(every), cut_off))
            days = [
                (name, pd.Timestamp(to_date(int(calendar.day[r]))))
                for r in rows[rows >= 0]
                for name in calendar.names[r]
            ]
            found[str(site), last_day] = pd.DataFrame(days, columns=["holiday", "ds"])
    return found


def fit_some(
    rows: pd.DataFrame, *, holidays: Mapping[tuple[str, int], pd.DataFrame], given: ProphetParameters
) -> pd.DataFrame:
    """Fit each row of `tasks`; the result has the columns of SCHEMA. A series whose fit fails is left out."""
    _quiet()
    found = []
    columns = (rows[name].tolist() for name in ("key", "last_day", "first_day", "units"))
    for key, last_day, first_day, units in zip(*columns, strict=True):
        known = holidays.get((key.split("/")[0], last_day))
        path = _fit_one(np.asarray(units, dtype=float), first_day, known, given)
        if path is not None:
            found.append((key, last_day, *path))
    return pd.DataFrame(found, columns=["key", "last_day", "path", "low", "high"])


def _quiet() -> None:
    """Both tell of each fit. Prophet sets its level when it is imported, Stan its own where it finds no handler."""
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)  # it misses plotly, which we do not
    import prophet  # noqa: F401

    stan = logging.getLogger("cmdstanpy")
    if not stan.handlers:
        stan.addHandler(logging.NullHandler())
    for logger in (stan, logging.getLogger("prophet")):
        logger.setLevel(logging.CRITICAL)


def _fit_one(
    units: Floats, first_day: int, holidays: pd.DataFrame | None, given: ProphetParameters
) -> tuple[list[float], float, float] | None:
    """Path from BACK_DAYS before the last day on, and quantiles 0.1 and 0.9 of the residuals of the last half year."""
    from prophet import Prophet

    n = len(units)
    stamps = pd.to_datetime(pd.Series(np.arange(first_day, first_day + n + given.path_days)), unit="D")
    scale = float(np.nanmax(np.abs(units)))
    if not scale > 0:
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
    except (RuntimeError, ValueError):  # Stan's optimiser found no way: the other members go on without it
        return None
    path = model.predict(pd.DataFrame({"ds": stamps}))["yhat"].to_numpy(dtype=float)
    residual = (units - path[:n])[-182:]
    low, high = np.nanquantile(residual, (0.1, 0.9))
    return path[n - 1 - BACK_DAYS :].tolist(), float(min(low, 0)), float(max(high, 0))


def fit(
    panel: Panel,
    calendar: Calendar,
    last_days: Mapping[int, int],
    given: ProphetParameters,
    map_series: MapSeries = map_here,
) -> dict[int, Paths]:
    """Paths for each last day (with the cut-off of its calendar): all fits of all folds in one parallel map."""
    keys = biggest(panel, given)
    todo = tasks(panel, keys, last_days, given)
    if todo.empty:
        return {last_day: Paths.empty(last_day) for last_day in last_days}
    done = map_series(partial(fit_some, holidays=occasions(calendar, last_days), given=given), todo, SCHEMA)
    return {last_day: Paths.of(done[done["last_day"] == last_day], last_day) for last_day in last_days}


@dataclass(frozen=True)
class Paths:
    """Prophet's way for each series: `days` (series, days from `first_day` on), `low` and `high` off it, in pieces."""

    keys: Strings
    first_day: int
    days: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, fits: pd.DataFrame, last_day: int) -> Paths:
        if fits.empty:
            return cls.empty(last_day)
        fits = fits.sort_values("key")
        values = np.array([np.asarray(p, dtype=float) for p in fits["path"]])
        keys = fits["key"].to_numpy(dtype=object)
        return cls(keys, last_day - BACK_DAYS, values, fits["low"].to_numpy(float), fits["high"].to_numpy(float))

    @classmethod
    def empty(cls, last_day: int) -> Paths:
        return cls(np.array([], dtype=object), last_day - BACK_DAYS, np.zeros((0, 0)), np.zeros(0), np.zeros(0))

    def predict(self, origins: Origins, horizon: int) -> Floats:
        """(n, horizon, 3) in pieces; NaN for a series without a path and for days that the path does not reach."""
        if len(self.keys) == 0:
            return np.full((len(origins), horizon, 3), np.nan)
        at = np.clip(np.searchsorted(self.keys, origins.key), 0, len(self.keys) - 1)
        row = np.where(self.keys[at] == origins.key, at, -1)
        ahead = self._at(row, origins.day, np.arange(1, horizon + 1))
        behind = self._at(row, origins.day, -np.arange(origins.lags.shape[1]))
        level = _level(origins.lags, behind)
        median = np.maximum(ahead, 0) * level[:, None]
        low, high = (np.where(row >= 0, side[row], np.nan)[:, None] for side in (self.low, self.high))
        return np.stack([median + low, median, median + high], axis=2)

    def _at(self, row: Ints, day: Ints, steps: Ints) -> Floats:
        column = day[:, None] + steps[None, :] - self.first_day
        known = (row >= 0)[:, None] & (column >= 0) & (column < self.days.shape[1])
        return np.where(known, self.days[row[:, None], np.where(known, column, 0)], np.nan)

    def save(self, folder: Path) -> None:
        names = np.array(self.keys, dtype=str)
        np.savez(
            folder / "prophet.npz",
            keys=names,
            first_day=self.first_day,
            days=self.days,
            low=self.low,
            high=self.high,
        )

    @classmethod
    def load(cls, folder: Path) -> Paths:
        with np.load(folder / "prophet.npz") as saved:
            keys = saved["keys"].astype(object)
            return cls(keys, int(saved["first_day"]), saved["days"], saved["low"], saved["high"])


def _level(lags: Floats, path: Floats) -> Floats:
    """Half of how far the last 28 days lay from the path, as a factor: all of it would follow a promotion."""
    both = np.where(np.isnan(lags) | np.isnan(path), np.nan, 1.0)
    actual, expected = nan_mean(lags * both), nan_mean(np.maximum(path, 0) * both)
    ratio = np.nan_to_num(divide(actual, expected), nan=1.0)
    return np.asarray(np.sqrt(np.clip(ratio, *LEVEL_BOUNDS)))
