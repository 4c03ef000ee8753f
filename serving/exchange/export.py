"""A plan as lines of a workbook, and the workbook of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import numpy as np

from serving.exchange.delimited import Language
from serving.exchange.origin import Origin, rounded
from serving.exchange.workbook import Line, write
from serving.identity.secret import Secret
from serving.plans.arithmetic import Ints, day_of
from serving.plans.plan import Plan
from serving.problems import Problem

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_SERIES = 20_000
PATIENCE = 20.0  # seconds
_ONE = threading.Semaphore()


@contextmanager
def alone() -> Iterator[None]:
    """One workbook is written or read in a process at a time: each has a core for seconds. Raises Problem."""
    if not _ONE.acquire(timeout=PATIENCE):
        raise Problem("busy", "other workbooks are being written or read: ask again in 30 s")
    try:
        yield
    finally:
        _ONE.release()


def content(plan: Plan, rows: Ints, language: Language, now: datetime, secret: Secret) -> bytes:
    """The rows of a plan as a workbook to be edited. Raises Problem."""
    if len(np.unique(_series(plan, rows))) > MOST_SERIES:
        why = f"a workbook has {MOST_SERIES} series at most: choose by site, product or product_group"
        raise Problem("bad-request", why)
    key = plan.found.night.key
    days = np.unique(plan.grid.dates[rows])
    origin = Origin(key.tenant, key.night, plan.plan_version, tuple(day_of(int(day)) for day in days))
    with alone():
        return write(origin, _lines(plan, rows, days), language, now, secret)


def _lines(plan: Plan, rows: Ints, days: Ints) -> Iterator[Line]:
    """One line a series, of which some of the sheet's `days` may not be forecast; `rows` are in order of series and date."""
    _, winner = plan.laid.at(rows)
    baseline = [rounded(value) for value in plan.grid.baseline[rows].tolist()]
    final = [rounded(value) for value in plan.laid.final(plan.grid, rows).tolist()]
    marked = (winner >= 0).tolist()
    places = np.searchsorted(days, plan.grid.dates[rows]).tolist()
    series, begins = np.unique(_series(plan, rows), return_index=True)
    bounds = [*begins.tolist(), len(rows)]
    for i, begin, end in zip(series.tolist(), bounds[:-1], bounds[1:], strict=True):
        one = plan.found.night.series[i]
        known = plan.known.entries.get((one.site, one.product))
        name = known.name if known else None
        line = Line(one.site, one.product, name, [None] * len(days), [None] * len(days), [False] * len(days))
        for j in range(begin, end):
            place = places[j]
            line.baseline[place], line.final[place], line.is_overridden[place] = baseline[j], final[j], marked[j]
        yield line


def _series(plan: Plan, rows: Ints) -> Ints:
    """The position of the series of each row."""
    return np.searchsorted(plan.grid.offsets, rows, "right") - 1
