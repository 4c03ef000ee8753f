"""Our models on a problem: the functions that the training job calls, on feature rows made from the panel.

    python -m bench.demand.ours PROBLEM KNOWN FILE --data DATA

writes FILE (npz): `quantiles` (series, horizon, 3), and prints JSON: seconds of each kind of work and the blend's weights.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from bench.demand.problems import Floats, Problem, load
from models.demand import sampling
from models.demand.arrays import Ints
from models.demand.calendar import Calendar
from models.demand.folds import Data
from models.demand.panel import Panel
from models.demand.parameters import Parameters, parameters
from models.demand.paths import Fit
from models.demand.periods import PERIODS
from models.demand.training import train
from models.demand.windows import origins_at

PARTS = 32  # of the series that are fitted one by one


def named(problem: Problem) -> pd.DataFrame:
    """The problem's series under our names: a sum stands at the site * or region:X, and is a product * or group:X."""
    series = problem.series.reset_index(drop=True)
    region = np.where(series["region"] != "*", "region:" + series["region"], "*")
    group = np.where(series["product_group"] != "*", "group:" + series["product_group"], "*")
    return series.assign(
        site=np.where(series["site"] != "*", series["site"], region),
        product=np.where(series["product"] != "*", series["product"], group),
        level=np.where(series["level"] == (problem.bottom or series["level"]), "", series["level"]),
    )


def data_of(problem: Problem, known: int, given: Parameters) -> Data:
    """What the first `known` periods tell."""
    period = given.counts
    first = period.of((problem.first - pd.Timestamp(0)).days)
    last = first + known - 1
    series = named(problem)
    keys = (series["site"] + "/" + series["product"]).to_numpy(dtype=object)
    order = np.argsort(keys, kind="stable")
    panel = Panel(keys[order], first, problem.units[order, :known])
    row, day = _pairs(panel, last, given)
    origins = origins_at(panel, series.iloc[order].reset_index(drop=True), row, day, period, given.horizon)
    return Data(origins, _calendar(problem, last + given.horizon), panel, last)


def _calendar(problem: Problem, last: int) -> Calendar:
    rows = problem.calendar
    if len(rows):
        rows = rows[rows["date"] <= pd.Timestamp(last, unit="D")]
    series = problem.series
    site = {"*": series["site"]} | {
        f"region:{r}": series.loc[series["region"] == r, "site"] for r in set(series["region"])
    }
    wanted = set(named(problem)["site"])
    return Calendar.from_features(rows).together(
        {name: sorted(set(sites) - {"*"}) for name, sites in sorted(site.items()) if name in wanted}
    )


def _pairs(panel: Panel, last: int, given: Parameters) -> tuple[Ints, Ints]:
    """Series and day of the origins: some of the days to learn from, and all that the folds are judged on."""
    first = max(panel.first_day, last - given.history_days - given.folds * given.fold_days)
    begun = np.cumsum(~np.isnan(panel.units), axis=1) > 0
    row, column = np.nonzero(begun[:, first - panel.first_day :])
    day = column + first
    judged = {last} | {last - given.fold_days * k + o for k in range(1, given.folds + 1) for o in given.counts.offsets}
    chance = sampling.chance(panel.keys[row], day, np.zeros(len(day), dtype=np.int64), given.seed)
    chosen = (chance < given.max_origins / max(len(day), 1)) | np.isin(day, sorted(judged))
    return row[chosen], day[chosen]


def in_order(problem: Problem, keys: Floats, quantiles: Floats) -> Floats:
    """(series, horizon, 3) in the problem's order; NaN for a series that nothing is said of."""
    at = {key: row for row, key in enumerate(keys)}
    series = named(problem)
    rows = [at.get(key, -1) for key in series["site"] + "/" + series["product"]]
    return np.concatenate([quantiles, np.full((1, *quantiles.shape[1:]), np.nan)])[rows]


def on_processes(fit: Fit, tasks: pd.DataFrame, schema: str) -> pd.DataFrame:  # noqa: ARG001  a MapSeries is given it
    """A MapSeries on as many processes as there are cores, as Spark does it for the job."""
    parts = [tasks.iloc[start::PARTS] for start in range(min(PARTS, len(tasks)))]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return pd.concat(pool.map(fit, parts), ignore_index=True)


def main() -> int:
    """Train on what is known and forecast what comes after."""
    parser = argparse.ArgumentParser(prog="python -m bench.demand.ours", description=__doc__)
    parser.add_argument("problem")
    parser.add_argument("known", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    problem = load(given.problem, given.data)
    period = next(p.name for p in PERIODS.values() if p.frequency == problem.frequency)
    wanted = parameters({"period": period, "horizon": problem.horizon, **problem.settings})
    data = data_of(problem, given.known, wanted)
    done = train(data, wanted, on_processes, progress=lambda text: print(f"  {text}", file=sys.stderr, flush=True))
    origins = data.origins.take(data.origins.day == data.last_day)
    said = done.model.quantiles(origins, data.calendar)
    np.savez(given.file, quantiles=in_order(problem, origins.key, said))
    print(json.dumps({"seconds": done.seconds, **done.model.blend.to_dict()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
