"""The peers, each as its documentation proposes: what they say of the periods after an origin.

    python -m bench.demand.peers PEER PROBLEM KNOWN FILE

runs one, on what the first KNOWN periods tell, and writes FILE (npz): `point` (series, horizon) and, where the peer has
them, `quantiles` (series, horizon, 3). A peer that takes covariates is given all that is known ahead.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.demand.problems import Floats, Problem, load

LEVEL = 80  # of the interval from the quantile 0.1 to 0.9
YEAR = {"D": 365, "W-MON": 52}
Said = dict[str, Floats]


def history(problem: Problem, known: int) -> Floats:
    """Units up to `known`: what lies between a series' first value and its last is filled with the same weekday's last value.

    Most peers take no gaps. What has never been known on such a weekday is 0.
    """
    units = problem.units[:, :known].copy()
    step = 7 if problem.frequency == "D" else 1
    begun = np.cumsum(~np.isnan(units), axis=1) > 0
    for t in range(known):
        before = units[:, t - step] if t >= step else np.zeros(len(units))
        gap = np.isnan(units[:, t]) & begun[:, t]
        units[gap, t] = np.nan_to_num(before[gap])
    return units


def long(problem: Problem, known: int, units: Floats | None = None) -> pd.DataFrame:
    """unique_id, ds, y: a row for each period from a series' first on."""
    values = history(problem, known) if units is None else units
    begun = np.cumsum(~np.isnan(values), axis=1) > 0
    row, column = np.nonzero(begun)
    keys = problem.series["key"].to_numpy()
    return pd.DataFrame({"unique_id": keys[row], "ds": problem.dates[column], "y": values[row, column]})


def ahead(problem: Problem) -> pd.DataFrame:
    """What is known ahead for each series and day: unique_id, ds, and a number for each holiday flag and kind of event.

    For a series of several sites it is their mean.
    """
    if problem.calendar.empty:
        return pd.DataFrame(columns=["unique_id", "ds"])
    days = problem.calendar[["site", "date"]].rename(columns={"date": "ds"})
    days["is_holiday"] = problem.calendar["is_holiday"].astype(float)
    for kind in problem.kinds:
        days[f"kind_{kind.replace(' ', '_')}"] = [float(kind in kinds) for kinds in problem.calendar["event_kinds"]]
    every = days.drop(columns="site").groupby("ds").mean().reset_index()
    parts = []
    for row in problem.series.itertuples():
        if row.site != "*":
            of_series = days[days["site"] == row.site].drop(columns="site") if len(problem.series) < 500 else None
        elif row.region != "*":
            of_series = days[days["site"].str[:2] == row.region].drop(columns="site").groupby("ds").mean().reset_index()
        else:
            of_series = every
        if of_series is not None:
            parts.append(of_series.assign(unique_id=row.key))
    if len(problem.series) >= 500:  # each series is a site of its own
        parts = [days.rename(columns={"site": "unique_id"})]
    return pd.concat(parts, ignore_index=True)


def arranged(problem: Problem, found: pd.DataFrame, column: str) -> Floats:
    """(series, horizon) from rows unique_id, ds."""
    wide = found.pivot(index="unique_id", columns="ds", values=column).sort_index(axis=1)
    return wide.reindex(problem.series["key"]).to_numpy(float)


def statsforecast(model: Callable[[Problem, int], Any], problem: Problem, known: int) -> Said:
    from statsforecast import StatsForecast
    from statsforecast.models import HistoricAverage

    engine = StatsForecast(
        models=[model(problem, known)], freq=problem.frequency, n_jobs=2, fallback_model=HistoricAverage()
    )
    found = engine.forecast(df=long(problem, known), h=problem.horizon, level=[LEVEL])
    name = next(c for c in found.columns if c not in ("unique_id", "ds"))
    columns = (f"{name}-lo-{LEVEL}", name, f"{name}-hi-{LEVEL}")
    quantiles = np.stack([arranged(problem, found, c) for c in columns], axis=-1)
    return {"point": quantiles[..., 1], "quantiles": quantiles}


def _naive(problem: Problem, known: int) -> Any:  # noqa: ARG001  one signature for all
    from statsforecast.models import SeasonalNaive

    return SeasonalNaive(season_length=problem.season)


def _ets(problem: Problem, known: int) -> Any:  # noqa: ARG001
    from statsforecast.models import AutoETS

    return AutoETS(season_length=problem.season)


def _theta(problem: Problem, known: int) -> Any:  # noqa: ARG001
    from statsforecast.models import DynamicOptimizedTheta

    return DynamicOptimizedTheta(season_length=problem.season)


def _mstl(problem: Problem, known: int) -> Any:
    from statsforecast.models import MSTL, AutoETS

    seasons = [s for s in (problem.season, YEAR[problem.frequency]) if s > 1 and 2 * s <= known]
    return MSTL(season_length=seasons, trend_forecaster=AutoETS(model="ZZN"))


def mlforecast(problem: Problem, known: int) -> Said:
    """One global LightGBM on lags, rolling means and the calendar; recursive, on standardised series."""
    import lightgbm
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.target_transforms import Differences, LocalStandardScaler

    daily = problem.frequency == "D"
    forecaster = MLForecast(
        models={
            "lightgbm": lightgbm.LGBMRegressor(
                n_estimators=400, learning_rate=0.05, num_leaves=63, verbose=-1, n_jobs=2
            )
        },
        freq=problem.frequency,
        lags=[1, 2, 3, 7, 14, 21, 28] if daily else [1, 2, 3, 4, 8, 13],
        lag_transforms={1: [RollingMean(7), RollingMean(28)], 7: [RollingMean(28)]}
        if daily
        else {1: [RollingMean(4), RollingMean(13)]},
        date_features=["dayofweek", "day", "month"] if daily else [],
        target_transforms=[LocalStandardScaler()] if daily else [Differences([1]), LocalStandardScaler()],
    )
    rows, known_ahead = long(problem, known), ahead(problem)
    last = problem.dates[known - 1]
    forecaster.fit(
        rows.merge(known_ahead, on=["unique_id", "ds"], how="left") if len(known_ahead) else rows, static_features=[]
    )
    future = known_ahead[(known_ahead["ds"] > last) & (known_ahead["ds"] <= problem.dates[known + problem.horizon - 1])]
    found = forecaster.predict(problem.horizon, X_df=future if len(known_ahead) else None)
    return {"point": arranged(problem, found, "lightgbm")}


def prophet(problem: Problem, known: int) -> Said:
    """One Prophet a series, with its country's holidays and the events of its site."""
    rows = long(problem, known)
    days = problem.calendar
    named = days.loc[days["events"].map(len) > 0, ["site", "date", "events"]].explode("events") if len(days) else days
    tasks = []
    for row in problem.series.itertuples():
        mine = named[named["site"] == row.site] if row.site != "*" and len(named) else named
        told = None
        if len(mine):
            told = mine[["date", "events"]].drop_duplicates().rename(columns={"date": "ds", "events": "holiday"})
        tasks.append((row.key, told))
    of_series = dict(tuple(rows.groupby("unique_id")[["ds", "y"]]))
    with ProcessPoolExecutor(2) as pool:
        fit = partial(_prophet, country=problem.country, frequency=problem.frequency, horizon=problem.horizon)
        found = list(pool.map(fit, [of_series[k] for k, _ in tasks], [told for _, told in tasks], chunksize=4))
    quantiles = np.stack(found)
    return {"point": quantiles[..., 1], "quantiles": quantiles}


def _prophet(
    rows: pd.DataFrame, told: pd.DataFrame | None, country: str | None, frequency: str, horizon: int
) -> Floats:
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)
    from prophet import Prophet

    logging.getLogger("cmdstanpy").setLevel(logging.CRITICAL)
    model = Prophet(interval_width=LEVEL / 100, holidays=told, uncertainty_samples=200)
    if country:
        model.add_country_holidays(country)
    model.fit(rows)
    future = model.make_future_dataframe(horizon, freq=frequency, include_history=False)
    found: Floats = model.predict(future)[["yhat_lower", "yhat", "yhat_upper"]].to_numpy(float)
    return found


def autogluon(problem: Problem, known: int) -> Said:
    """`medium_quality` without the families whose weights are downloaded at run time."""
    from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor

    rows = long(problem, known, problem.units[:, :known]).rename(
        columns={"unique_id": "item_id", "ds": "timestamp", "y": "target"}
    )
    known_ahead = ahead(problem).rename(columns={"unique_id": "item_id", "ds": "timestamp"})
    names = [c for c in known_ahead.columns if c not in ("item_id", "timestamp")]
    last = problem.dates[known - 1]
    future = None
    if names:
        rows = rows.merge(known_ahead, on=["item_id", "timestamp"], how="left")
        future = known_ahead[
            (known_ahead["timestamp"] > last) & (known_ahead["timestamp"] <= problem.dates[known + problem.horizon - 1])
        ]
        future = TimeSeriesDataFrame.from_data_frame(future)
    with tempfile.TemporaryDirectory() as folder:
        predictor = TimeSeriesPredictor(
            prediction_length=problem.horizon,
            freq=problem.frequency,
            quantile_levels=[0.1, 0.5, 0.9],
            known_covariates_names=names,
            path=folder,
            verbosity=1,
        )
        data = TimeSeriesDataFrame.from_data_frame(rows)
        predictor.fit(
            data, presets="medium_quality", excluded_model_types=["Chronos", "Chronos2", "Toto", "Toto2"], random_seed=7
        )
        found = predictor.predict(data, known_covariates=future).reset_index()
        print(predictor.leaderboard().to_string(), file=sys.stderr)
    found = found.rename(columns={"item_id": "unique_id", "timestamp": "ds"})
    quantiles = np.stack([arranged(problem, found, c) for c in ("0.1", "0.5", "0.9")], axis=-1)
    return {"point": arranged(problem, found, "mean"), "quantiles": quantiles}


PEERS: dict[str, Callable[[Problem, int], Said]] = {
    "seasonal_naive": partial(statsforecast, _naive),
    "AutoETS": partial(statsforecast, _ets),
    "DynamicOptimizedTheta": partial(statsforecast, _theta),
    "MSTL+ETS": partial(statsforecast, _mstl),
    "mlforecast": mlforecast,
    "Prophet": prophet,
    "AutoGluon": autogluon,
}


def main() -> int:
    """Run one peer on one fold."""
    parser = argparse.ArgumentParser(prog="python -m bench.demand.peers", description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("problem")
    parser.add_argument("known", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    problem = load(given.problem, given.data)
    np.savez(given.file, **PEERS[given.peer](problem, given.known))
    return 0


if __name__ == "__main__":
    sys.exit(main())
