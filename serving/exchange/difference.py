"""What the edits of a workbook would change in the plan as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from serving.exchange.edits import Bad, Edit
from serving.exchange.origin import rounded
from serving.plans.arithmetic import Change, day_of
from serving.plans.plan import Plan
from serving.problems import Problem

MOST_CHANGES = 5000
_NAMED = 10  # cells in a message
Key = tuple[str, str, date]


@dataclass(frozen=True)
class Cell:
    """A cell that would change, from `before` to `after`. `formula` is that of which `after` is the result."""

    site: str
    product: str
    name: str | None
    date: date
    cell: str
    baseline: float
    before: float
    after: float
    formula: str | None

    @property
    def row(self) -> dict[str, Any]:
        """As it is kept and answered."""
        return asdict(self) | {"date": self.date.isoformat()}


def of_row(row: dict[str, Any]) -> Cell:
    """The cell again."""
    return Cell(**row | {"date": date.fromisoformat(row["date"])})


def compare(plan: Plan, night: date, edits: Sequence[Edit]) -> tuple[list[Cell], list[Bad]]:
    """The changes that `edits` of a workbook of `night` are, and the cells of which the plan knows nothing any more.

    Raises Problem where others have changed one of these cells since the workbook was written.
    """
    if len(edits) > MOST_CHANGES:
        raise Problem(
            "workbook-refused",
            f"{len(edits)} cells were changed, of which an import takes {MOST_CHANGES} at most: change by percent, or by "
            "product group, on the page",
        )
    now = numbers(plan, {(e.site, e.product) for e in edits})
    cells: list[Cell] = []
    gone: list[Bad] = []
    moved: list[tuple[str, float, float | None]] = []
    for e in edits:
        found = now.get((e.site, e.product, e.date))
        if found is None:
            gone.append(Bad(e.cell, "not_in_plan", f"{e.after:g}"))
            continue
        baseline, final = found
        if rounded(final) == rounded(e.after):  # somebody has said the same
            continue
        if rounded(final) != e.shown:
            moved.append((e.cell, e.shown, final))
        known = plan.known.entries.get((e.site, e.product))
        cells.append(
            Cell(e.site, e.product, known.name if known else None, e.date, e.cell, baseline, final, e.after, e.formula)
        )
    if moved:
        raise changed(plan, night, moved)
    return cells, gone


def changed(plan: Plan, night: date, moved: Sequence[tuple[str, float, float | None]]) -> Problem:
    """The problem that cells, each with what it showed and what the plan says now, are others than they were."""
    named = ", ".join(
        f"{cell} ({shown:g}, now {'not forecast' if final is None else f'{final:g}'})"
        for cell, shown, final in moved[:_NAMED]
    )
    more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
    newest = plan.found.night.key.night
    since = f" by the night of {newest}, the workbook is of {night}" if newest != night else ""
    return Problem("plan-changed", f"these cells have changed since{since}: {named}{more}: export the plan again")


def numbers(plan: Plan, series: Iterable[tuple[str, str]]) -> dict[Key, tuple[float, float]]:
    """Baseline and final of these series now, by series and date; nothing of one that is not forecast any more."""
    positions = [i for site, product in series for i in plan.found.night.select_series((site,), (product,))]
    chosen = np.array(sorted(positions), np.int64)
    rows = plan.grid.rows(chosen)
    of = np.repeat(chosen, plan.grid.periods[chosen]).tolist()
    columns = (
        plan.grid.dates[rows].tolist(),
        plan.grid.baseline[rows].tolist(),
        plan.laid.final(plan.grid, rows).tolist(),
    )
    found = {}
    for i, day, baseline, final in zip(of, *columns, strict=True):
        key = plan.found.night.series[i]
        found[key.site, key.product, day_of(day)] = baseline, final
    return found


def as_changes(cells: Iterable[Cell], days: int) -> list[Change]:
    """The cells as changes of the plan: neighbours of a series that are to have the same units are one, to the last day of the last.

    `days` is the length of a period.
    """
    runs: list[list[Cell]] = []
    for cell in sorted(cells, key=lambda c: (c.site, c.product, c.date)):
        if runs and _follows(runs[-1][-1], cell, days):
            runs[-1].append(cell)
        else:
            runs.append([cell])
    last = timedelta(days - 1)  # of a period, from its first day
    return [
        Change(run[0].date, run[-1].date + last, "units", run[0].after, run[0].site, run[0].product) for run in runs
    ]


def _follows(last: Cell, cell: Cell, days: int) -> bool:
    """Whether a cell is of the period after, with the same units."""
    are_alike = (last.site, last.product, last.after) == (cell.site, cell.product, cell.after)
    return are_alike and (cell.date - last.date).days == days
