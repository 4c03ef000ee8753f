"""A plan as lines of a workbook, and the workbook of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from urllib.parse import quote

import numpy as np
from fastapi.responses import Response

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


def answer(
    plan: Plan, rows: Ints, language: Language, now: datetime, secret: Secret, headers: dict[str, str]
) -> Response:
    """The rows of a plan as a workbook to be edited. Raises Problem."""
    key = plan.found.night.key
    days = np.unique(plan.grid.dates[rows])
    origin = Origin(key.tenant, key.night, plan.plan_version, tuple(day_of(int(day)) for day in days))
    with alone():
        content = write(origin, _lines(plan, rows, days), language, now, secret)
    name = f"plan_{key.tenant}_{key.night}.xlsx"
    more = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(content, media_type=XLSX, headers=headers | more)


def _lines(plan: Plan, rows: Ints, days: Ints) -> Iterator[Line]:
    """One line a series, in order; `rows` are in order of series and date, `days` are the dates of the sheet."""
    of = np.searchsorted(plan.grid.offsets, rows, "right") - 1
    bounds = [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), len(rows)] if len(rows) else [0]
    if len(bounds) > MOST_SERIES + 1:
        raise Problem(
            "bad-request", f"a workbook has {MOST_SERIES} series at most: choose by site, product or product_group"
        )
    for begin, end in pairwise(bounds):
        here = rows[begin:end]
        series = plan.found.night.series[of[begin]]
        baseline: list[float | None] = [None] * len(days)
        final, marked = baseline.copy(), [False] * len(days)
        _, winner = plan.laid.at(here)
        numbers = plan.grid.baseline[here].tolist(), plan.laid.final(plan.grid, here).tolist(), (winner >= 0).tolist()
        places = np.searchsorted(days, plan.grid.dates[here]).tolist()
        for place, before, after, is_laid in zip(places, *numbers, strict=True):
            baseline[place], final[place], marked[place] = rounded(before), rounded(after), is_laid
        known = plan.known.entries.get((series.site, series.product))
        yield Line(series.site, series.product, known.name if known else None, baseline, final, marked)
