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
    key = plan.found.night.key
    spans = _spans(plan, rows)
    if len(spans) > MOST_SERIES:
        why = f"a workbook has {MOST_SERIES} series at most: choose by site, product or product_group"
        raise Problem("bad-request", why)
    days = np.unique(plan.grid.dates[rows])
    origin = Origin(key.tenant, key.night, plan.plan_version, tuple(day_of(int(day)) for day in days))
    with alone():
        return write(origin, (_line(plan, *span, days) for span in spans), language, now, secret)


def _spans(plan: Plan, rows: Ints) -> list[tuple[int, Ints]]:
    """The rows of each series, which are neighbours, with its position."""
    of = np.searchsorted(plan.grid.offsets, rows, "right") - 1
    pieces = np.split(rows, np.flatnonzero(np.diff(of)) + 1) if len(rows) else []
    return [(int(i), piece) for i, piece in zip(np.unique(of), pieces, strict=True)]


def _line(plan: Plan, i: int, rows: Ints, days: Ints) -> Line:
    """Series `i` at the dates of the sheet, of which some may not be among its `rows`."""
    series = plan.found.night.series[i]
    baseline: list[float | None] = [None] * len(days)
    final, marked = baseline.copy(), [False] * len(days)
    _, winner = plan.laid.at(rows)
    numbers = plan.grid.baseline[rows].tolist(), plan.laid.final(plan.grid, rows).tolist(), (winner >= 0).tolist()
    places = np.searchsorted(days, plan.grid.dates[rows]).tolist()
    for place, before, after, is_laid in zip(places, *numbers, strict=True):
        baseline[place], final[place], marked[place] = rounded(before), rounded(after), is_laid
    known = plan.known.entries.get((series.site, series.product))
    return Line(series.site, series.product, known.name if known else None, baseline, final, marked)
