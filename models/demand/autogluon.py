"""AutoGluon as a member: models of its own choice on the units of the largest series, weighed by itself.

Source: Shchur and others 2023, "AutoGluon-TimeSeries: AutoML for probabilistic time series forecasting" (AutoML 2023).
It is heavy (7 GB of packages, minutes a fit) and no part of the usual set-up: a tenant asks for it as its challenger.

A forecast needs the way of each series up to its origin. The member keeps the units that it was fitted on; what came
after them stands in the origin's lags, as known at its cut-off, so that a night reads no table more. Of a member older than
those lags the time between is filled with the means of the last weekdays.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.demand.arrays import Bools, Floats, Ints, Strings, codes
from models.demand.calendar import FLAGS, Calendar
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import AUTOGLUON, QUANTILES, AutoGluonParameters
from models.demand.paths import biggest
from models.demand.periods import PERIODS, Period

if TYPE_CHECKING:
    from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor

REMEDY = "AutoGluon is not installed: run `make autogluon` (7 GB), or ask for no member and no challenger `autogluon`"
LOCAL = ("SeasonalNaive", "ETS", "Theta")  # fitted series by series; the others take threads from AG_CPU_COUNT


class AutoGluonMissing(RuntimeError):
    """It is asked for and not installed; one line with the remedy."""


def check() -> None:
    """Raises AutoGluonMissing."""
    from importlib.util import find_spec

    if find_spec("autogluon") is None or find_spec("autogluon.timeseries") is None:
        raise AutoGluonMissing(REMEDY)


@dataclass(frozen=True)
class Known:
    """What is known of the days of some sites: `values` (sites, days from `first_day` on, names), 0 where nothing is."""

    sites: Strings
    first_day: int
    names: tuple[str, ...]
    values: Floats

    @classmethod
    def of(cls, calendar: Calendar, origins: Origins, names: tuple[str, ...], first: int, last: int) -> Known:
        """Of the sites of `origins`, each as known at its own cut-off."""
        sites, at = np.unique(origins.site, return_inverse=True)
        cut_off = np.zeros(len(sites), dtype=np.int64)
        np.maximum.at(cut_off, at, origins.cut_off)
        days = np.arange(first, last + 1)
        site = np.repeat(codes(sites, calendar.sites), len(days))
        row = calendar.find(site, np.tile(days, len(sites)), np.repeat(cut_off, len(days)))
        values = np.zeros((len(row), len(names)))
        there = row >= 0
        for column, name in enumerate(names):
            if name in FLAGS and there.any():
                values[there, column] = calendar.numbers[row[there], FLAGS.index(name)]
            elif name.removeprefix("kind ") in calendar.kinds and there.any():
                values[there, column] = calendar.kind_share[
                    row[there], calendar.kinds.index(name.removeprefix("kind "))
                ]
        return cls(sites, first, names, np.nan_to_num(values).reshape(len(sites), len(days), len(names)))

    def at(self, site: Strings, day: Ints) -> Floats:
        """Of the days `day` at `site`, (n, names)."""
        row, column = codes(site, self.sites), day - self.first_day
        inside = (row >= 0) & (column >= 0) & (column < self.values.shape[1])
        return np.where(inside[:, None], self.values[row, np.where(inside, column, 0)], 0.0)


@dataclass(frozen=True)
class AutoGluon:
    """`panel` and `days` are what it was fitted on; its own files lie in `folder`, which goes with `place` if it has one."""

    folder: Path
    period: Period
    panel: Panel
    days: Known
    seed: int
    place: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def fit(
        cls,
        panel: Panel,
        origins: Origins,
        calendar: Calendar,
        given: AutoGluonParameters,
        *,
        period: Period,
        kinds: tuple[str, ...],
        horizon: int,
        seed: int,
        threads: int,
    ) -> AutoGluon | None:
        """From `panel`, and flags and `kinds` of the calendar as the `origins` of its last day know them.

        None where no series is long enough. Raises AutoGluonMissing, and ValueError where it comes to no model in its time.
        """
        check()
        keys = biggest(panel, given, period)
        if not len(keys):
            return None
        width = min(given.history_days, panel.units.shape[1])
        some = Panel(keys, panel.last_day - width + 1, panel.units[panel.rows_of(keys), -width:])
        names = (*FLAGS, *(f"kind {k}" for k in kinds))
        days = Known.of(calendar, origins.take(origins.day == panel.last_day), names, some.first_day, some.last_day)
        place = tempfile.TemporaryDirectory(prefix="autogluon-")
        member = cls(Path(place.name) / AUTOGLUON, period, some, days, seed, place)
        _fit(member, given, horizon, threads)
        return member

    def predict(self, origins: Origins, calendar: Calendar, horizon: int) -> Floats:
        """(n, horizon, 3) in pieces; NaN for a series that it was not fitted on. Raises AutoGluonMissing."""
        check()
        found = np.full((len(origins), horizon, len(QUANTILES)), np.nan)
        row = self.panel.rows_of(origins.key)
        for day in np.unique(origins.day):
            asked = np.flatnonzero((origins.day == day) & (row >= 0))
            if len(asked):
                found[asked] = self._of_day(origins.take(asked), row[asked], int(day), calendar, horizon)
        return found

    def _of_day(self, origins: Origins, row: Ints, day: int, calendar: Calendar, horizon: int) -> Floats:
        units = onward(self.panel, row, origins, day)
        asked: Bools = np.any(~np.isnan(units), axis=1)
        known, ahead = self._frames(origins.take(asked), units[asked], day, calendar, horizon)
        with _quiet():
            said = self._predictor.predict(known, known_covariates=ahead, random_seed=self.seed)
        found = np.full((len(origins), horizon, len(QUANTILES)), np.nan)
        values = said[[str(q) for q in QUANTILES]].to_numpy(dtype=float).reshape(int(asked.sum()), -1, len(QUANTILES))
        found[asked] = values[:, :horizon]
        return found

    def _frames(
        self, origins: Origins, units: Floats, day: int, calendar: Calendar, horizon: int
    ) -> tuple[TimeSeriesDataFrame, TimeSeriesDataFrame]:
        """The series up to `day`, and what is known of the days ahead."""
        later = Known.of(calendar, origins, self.days.names, self.panel.last_day + 1, day + horizon)
        known = _frame(self.period, origins.key, origins.site, units, self.panel.first_day, (self.days, later))
        ahead = np.full((len(origins), horizon), 0.0)
        return known, _frame(self.period, origins.key, origins.site, ahead, day + 1, (self.days, later), target=False)

    @cached_property
    def _predictor(self) -> TimeSeriesPredictor:
        from autogluon.timeseries import TimeSeriesPredictor

        try:
            return TimeSeriesPredictor.load(str(self.folder))
        except AssertionError as error:  # another version of it
            raise ValueError(f"AutoGluon's model is not to be read: {error}; train again") from error

    def save(self, folder: Path) -> None:
        shutil.copytree(self.folder, folder / "predictor")
        known = {
            "period": self.period.name,
            "first_day": self.panel.first_day,
            "first_known_day": self.days.first_day,
            "names": self.days.names,
            "seed": self.seed,
        }
        (folder / "autogluon.json").write_text(json.dumps(known, indent=1))
        np.savez(
            folder / "known.npz",
            keys=np.array(self.panel.keys, dtype=str),
            units=self.panel.units,
            sites=np.array(self.days.sites, dtype=str),
            values=self.days.values,
        )

    @classmethod
    def load(cls, folder: Path) -> AutoGluon:
        known = json.loads((folder / "autogluon.json").read_text())
        with np.load(folder / "known.npz") as saved:
            panel = Panel(saved["keys"].astype(object), known["first_day"], saved["units"])
            sites = saved["sites"].astype(object)
            days = Known(sites, known["first_known_day"], tuple(known["names"]), saved["values"])
        return cls(folder / "predictor", PERIODS[known["period"]], panel, days, known["seed"])


def onward(panel: Panel, row: Ints, origins: Origins, day: int) -> Floats:
    """Units of the panel's `row` up to `day`, (n, periods from its first on): the last 28 are the lags of `origins`."""
    width = day - panel.first_day + 1
    units = np.full((len(row), width), np.nan)
    old = min(width, panel.units.shape[1])
    units[:, :old] = panel.units[row, :old]
    reach = min(origins.lags.shape[1], width)
    between = np.arange(old, width - reach)
    units[:, between] = origins.weekday_mean[:, (between - width) % origins.period.season]
    units[:, width - reach :] = origins.lags[:, :reach][:, ::-1]
    return units


def _fit(member: AutoGluon, given: AutoGluonParameters, horizon: int, threads: int) -> None:
    from autogluon.timeseries import TimeSeriesPredictor

    panel, days = member.panel, member.days
    sites = np.array([key.split("/")[0] for key in panel.keys], dtype=object)
    with _quiet(), _cores(threads):
        predictor = TimeSeriesPredictor(
            prediction_length=horizon,
            freq=member.period.frequency,
            quantile_levels=list(QUANTILES),
            known_covariates_names=list(days.names),
            path=str(member.folder),
            verbosity=0,
            log_to_file=False,
        )
        predictor.fit(
            _frame(member.period, panel.keys, sites, panel.units, panel.first_day, (days,)),
            hyperparameters={name: {"n_jobs": threads} if name in LOCAL else {} for name in given.models},
            time_limit=given.seconds,
            random_seed=member.seed,
        )
    if not predictor.model_names():
        raise ValueError(
            f"AutoGluon fitted none of {', '.join(given.models)} to {len(panel.keys)} series in {given.seconds} s: "
            "give it more `autogluon.seconds`"
        )


def _frame(
    period: Period,
    keys: Strings,
    site: Strings,
    units: Floats,
    first: int,
    known: tuple[Known, ...],
    *,
    target: bool = True,
) -> TimeSeriesDataFrame:
    """Rows of each series from its first known period on."""
    from autogluon.timeseries import TimeSeriesDataFrame

    begun: Bools = np.cumsum(~np.isnan(units), axis=1) > 0
    row, column = np.nonzero(begun)
    day = column + first
    values = np.sum([k.at(site[row], day) for k in known], axis=0)
    stamps = period.first(day).astype("datetime64[D]").astype("datetime64[ns]")
    columns = {name: values[:, n] for n, name in enumerate(known[0].names)}
    frame = pd.DataFrame({"item_id": keys[row], "timestamp": stamps, **columns})
    return TimeSeriesDataFrame.from_data_frame(frame.assign(target=units[row, column]) if target else frame)


@contextmanager
def _cores(threads: int) -> Iterator[None]:
    """Its own models look for the machine's cores unless they are told."""
    before = os.environ.get("AG_CPU_COUNT")
    os.environ["AG_CPU_COUNT"] = str(threads)
    try:
        yield
    finally:
        if before is None:
            del os.environ["AG_CPU_COUNT"]
        else:
            os.environ["AG_CPU_COUNT"] = before


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
