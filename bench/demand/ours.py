"""Our models on a problem: the functions that the training job calls, on feature rows made from the panel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.demand.problems import Floats, Problem
from models.demand import sampling
from models.demand.calendar import Calendar
from models.demand.folds import Data
from models.demand.panel import Panel
from models.demand.parameters import Parameters
from models.demand.periods import PERIODS, Period
from models.demand.windows import origins_at

PERIOD = {"D": "day", "W-MON": "week"}


def number(problem: Problem) -> int:
    """The first period's number: days, or weeks, since 1970."""
    days = (problem.first - pd.Timestamp(0)).days
    return days if problem.frequency == "D" else days // 7


def data_of(problem: Problem, known: int, given: Parameters) -> Data:
    """What the first `known` periods tell."""
    period: Period = PERIODS[PERIOD[problem.frequency]]
    first = number(problem)
    last = first + known - 1
    series = problem.series.reset_index(drop=True)
    series["site"] = np.where(
        series["site"] != "*", series["site"], np.where(series["region"] != "*", "region:" + series["region"], "*")
    )
    series["product"] = np.where(
        series["product"] != "*",
        series["product"],
        np.where(series["product_group"] != "*", "group:" + series["product_group"], "*"),
    )
    order = np.argsort((series["site"] + "/" + series["product"]).to_numpy(), kind="stable")
    series = series.iloc[order].reset_index(drop=True)
    keys = (series["site"] + "/" + series["product"]).to_numpy(dtype=object)
    panel = Panel(keys, first, problem.units[order, :known])
    rows, days = _pairs(panel, last, given)
    origins = origins_at(panel, series, rows, days, period, -(-given.horizon // period.season))
    return Data(origins, calendar_of(problem, last + given.horizon), panel, last)


def calendar_of(problem: Problem, last: int) -> Calendar:
    rows = problem.calendar
    if len(rows):
        rows = rows[rows["date"] <= pd.Timestamp(last, unit="D")]
    calendar = Calendar.from_features(rows)
    sites = sorted(set(problem.series["site"]) - {"*"})
    groups = {"*": sites} if (problem.series["site"] == "*").any() else {}
    for region in sorted(set(problem.series.loc[problem.series["site"] == "*", "region"]) - {"*"}):
        groups[f"region:{region}"] = sorted(set(problem.series.loc[problem.series["region"] == region, "site"]) - {"*"})
    return calendar.together(groups)


def _pairs(panel: Panel, last: int, given: Parameters):
    """Series and day of the origins: some of the days to learn from, and all that the folds are judged on."""
    from models.demand.folds import OFFSETS

    first = max(panel.first_day, last - given.history_days - given.folds * given.fold_days)
    begun = np.cumsum(~np.isnan(panel.units), axis=1) > 0
    row, column = np.nonzero(begun[:, first - panel.first_day :])
    day = column + first
    judged = {last} | {last - given.fold_days * k + o for k in range(1, given.folds + 1) for o in OFFSETS}
    chosen = sampling.chance(
        panel.keys[row], day, np.zeros(len(day), dtype=np.int64), given.seed
    ) < given.max_origins / max(len(day), 1)
    chosen |= np.isin(day, sorted(judged))
    return row[chosen], day[chosen]


def arranged(problem: Problem, data: Data, origins, quantiles: Floats) -> Floats:
    """(series, horizon, 3) in the problem's order."""
    series = problem.series
    site = np.where(
        series["site"] != "*", series["site"], np.where(series["region"] != "*", "region:" + series["region"], "*")
    )
    product = np.where(
        series["product"] != "*",
        series["product"],
        np.where(series["product_group"] != "*", "group:" + series["product_group"], "*"),
    )
    keys = site + "/" + product
    at = {key: row for row, key in enumerate(origins.key)}
    found = np.full((len(keys), quantiles.shape[1], 3), np.nan)
    for i, key in enumerate(keys):
        if key in at:
            found[i] = quantiles[at[key]]
    return found
