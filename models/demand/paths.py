"""Members that are fitted series by series, and whose way ahead is stored: Prophet and the statistical methods.

Such a fit takes a second of a core, so only the series with the most units have one (sums over a hierarchy before all),
once a month. Each fit's path is kept from four weeks before its last period to some months after it. A night looks the
path up and moves it by how far the last known periods lay from it: no refit, and a champion of a month ago still stands
at today's level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from models.demand import prophet, statistical
from models.demand.arrays import Floats, Ints, Strings, codes, divide, nan_mean, to_date
from models.demand.calendar import Calendar
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import DAILY_ONLY, ETS, MSTL, PROPHET, THETA, AutoGluonParameters, PathParameters
from models.demand.periods import DAY, Period
from models.demand.ways import Way

BACK = 27  # periods of the path before the last one known: against them a night finds its level
LEVEL_BOUNDS = (0.4, 2.5)

Fit = Callable[[pd.DataFrame], pd.DataFrame]
MapSeries = Callable[[Fit, pd.DataFrame, str], pd.DataFrame]
"""Applies a function to the rows of a frame, some at a time, and puts the results together; the third argument is
the Spark schema of the result, which a plain in-process map has no need of."""
SCHEMA = "method string, key string, last_day long, path array<double>, low array<double>, high array<double>"


Method = Callable[[Floats, int, pd.DataFrame | None, PathParameters, Period], Way | None]
"""Fits units (NaN where unknown) from a first period on, with the days that have a name; None where it can't."""
METHODS: Mapping[str, Method] = {
    PROPHET: prophet.fit,
    MSTL: statistical.mstl,
    ETS: statistical.ets,
    THETA: statistical.theta,
}


def map_here(fit: Fit, tasks: pd.DataFrame, schema: str) -> pd.DataFrame:  # noqa: ARG001  a MapSeries is given it
    """A MapSeries for tests and small data: all in this process."""
    return fit(tasks)


def biggest(panel: Panel, given: PathParameters | AutoGluonParameters, period: Period = DAY) -> Strings:
    """Keys of the series with the most units in the last year, that are old enough."""
    units = np.nan_to_num(panel.units[:, -period.year :]).sum(axis=1)
    known = (~np.isnan(panel.units)).sum(axis=1)
    rank = np.argsort(-units, kind="stable")[: given.max_series]
    return np.asarray(panel.keys[np.sort([r for r in rank if units[r] > 0 and known[r] >= given.min_days]).astype(int)])


def tasks(
    panel: Panel, keys: Strings, methods: tuple[str, ...], last_days: Mapping[int, int], given: PathParameters
) -> pd.DataFrame:
    """One row a fit: method, series and last day it may know. `last_days` maps that day to the cut-off of its calendar."""
    rows = []
    for last_day in last_days:
        known = panel.until(last_day)
        begin = max(0, known.units.shape[1] - given.history_days)
        for key, row in zip(keys, known.rows_of(keys), strict=True):
            units = known.units[row, begin:]
            if (~np.isnan(units)).sum() >= given.min_days // 2:
                first = int(np.flatnonzero(~np.isnan(units))[0])
                begun = known.first_day + begin + first
                rows += [(method, key, last_day, begun, units[first:].tolist()) for method in methods]
    return pd.DataFrame(rows, columns=["method", "key", "last_day", "first_day", "units"])


def occasions(calendar: Calendar, last_days: Mapping[int, int]) -> dict[tuple[str, int], pd.DataFrame]:
    """Holidays and events (columns holiday, ds) of each site and last day, as known at its cut-off."""
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
    rows: pd.DataFrame,
    *,
    holidays: Mapping[tuple[str, int], pd.DataFrame],
    given: PathParameters,
    period: Period,
    horizon: int,
) -> pd.DataFrame:
    """Fit each row of `tasks`; the result has the columns of SCHEMA. A series whose fit fails is left out."""
    found = []
    columns = (rows[name].tolist() for name in ("method", "key", "last_day", "first_day", "units"))
    for method, key, last_day, first_day, units in zip(*columns, strict=True):
        known = holidays.get((key.split("/")[0], last_day))
        values = np.asarray(units, dtype=float)
        way = METHODS[method](values, first_day, known, given, period)
        if way is not None and np.isfinite(way.path).all():
            back = np.full(max(0, BACK + 1 - len(values)), np.nan)  # a series that began in those weeks
            path = np.concatenate([back, way.path[max(0, len(values) - 1 - BACK) :]])
            low, high = (np.broadcast_to(side[:horizon], horizon) for side in (way.low, way.high))
            found.append(
                (method, key, last_day, path.tolist(), np.minimum(low, 0).tolist(), np.maximum(high, 0).tolist())
            )
    return pd.DataFrame(found, columns=["method", "key", "last_day", "path", "low", "high"])


def fit(
    panel: Panel,
    calendar: Calendar,
    methods: tuple[str, ...],
    last_days: Mapping[int, int],
    given: PathParameters,
    period: Period = DAY,
    horizon: int = 28,
    map_series: MapSeries = map_here,
) -> dict[int, dict[str, Paths]]:
    """Paths of each method for each last day (with the cut-off of its calendar): all fits in one parallel map."""
    methods = tuple(m for m in methods if period == DAY or m not in DAILY_ONLY)
    todo = tasks(panel, biggest(panel, given, period), methods, last_days, given)
    return fit_tasks(todo, calendar, last_days, given, period, horizon, map_series)


def fit_tasks(
    todo: pd.DataFrame,
    calendar: Calendar,
    last_days: Mapping[int, int],
    given: PathParameters,
    period: Period,
    horizon: int,
    map_series: MapSeries,
) -> dict[int, dict[str, Paths]]:
    """The same, of rows of `tasks`."""
    if todo.empty:
        return {last_day: {} for last_day in last_days}
    methods = tuple(dict.fromkeys(todo["method"]))
    named = occasions(calendar, last_days) if PROPHET in methods else {}
    work = partial(fit_some, holidays=named, given=given, period=period, horizon=horizon)
    done = map_series(work, todo, SCHEMA)
    found: dict[int, dict[str, Paths]] = {last_day: {} for last_day in last_days}
    for last_day, of_day in found.items():
        for method in methods:
            fits = done[(done["last_day"] == last_day) & (done["method"] == method)]
            if len(fits):
                of_day[method] = Paths.of(fits, last_day)
    return found


@dataclass(frozen=True)
class Paths:
    """The way of each series: `days` (series, periods from `first_day` on), `low` and `high` (series, horizon) off it."""

    keys: Strings
    first_day: int
    days: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, fits: pd.DataFrame, last_day: int) -> Paths:
        """From rows of SCHEMA, of one method and last day: at least one."""
        fits = fits.sort_values("key")
        days, low, high = (
            np.array([np.asarray(v, dtype=float) for v in fits[name]]) for name in ("path", "low", "high")
        )
        return cls(fits["key"].to_numpy(dtype=object), last_day - BACK, days, low, high)

    def predict(self, origins: Origins, horizon: int) -> Floats:
        """(n, horizon, 3) in pieces; NaN for a series without a path and for periods that the path does not reach."""
        row = codes(origins.key, self.keys)
        median = self.medians(origins.key, origins.day, origins.lags, horizon)
        low, high = (np.where((row >= 0)[:, None], side[row], np.nan) for side in (self.low, self.high))
        return np.stack([median + low, median, median + high], axis=2)

    def medians(self, keys: Strings, day: Ints, lags: Floats, horizon: int) -> Floats:
        """(n, horizon) of the series `keys` after `day`, moved by their last values `lags` (n, 28), as in Origins."""
        row = codes(keys, self.keys)
        behind = self._at(row, day, -np.arange(lags.shape[1]))
        return np.maximum(self._at(row, day, np.arange(1, horizon + 1)), 0) * _level(lags, behind)[:, None]

    def _at(self, row: Ints, day: Ints, steps: Ints) -> Floats:
        column = day[:, None] + steps[None, :] - self.first_day
        known = (row >= 0)[:, None] & (column >= 0) & (column < self.days.shape[1])
        return np.where(known, self.days[row[:, None], np.where(known, column, 0)], np.nan)

    def save(self, file: Path) -> None:
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        np.savez(file, **arrays | {"keys": np.array(self.keys, dtype=str)})

    @classmethod
    def load(cls, file: Path) -> Paths:
        with np.load(file) as saved:
            keys = saved["keys"].astype(object)
            return cls(keys, int(saved["first_day"]), saved["days"], saved["low"], saved["high"])


def _level(lags: Floats, path: Floats) -> Floats:
    """Half of how far the last 28 periods lay from the path, as a factor: all of it would follow a promotion."""
    both = np.where(np.isnan(lags) | np.isnan(path), np.nan, 1.0)
    actual, expected = nan_mean(lags * both), nan_mean(np.maximum(path, 0) * both)
    ratio = np.nan_to_num(divide(actual, expected), nan=1.0)
    return np.asarray(np.sqrt(np.clip(ratio, *LEVEL_BOUNDS)))
