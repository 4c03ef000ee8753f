"""What somebody has changed in a workbook: cells of the sheet of the plan that say otherwise than it was written with.

Rows and columns are known by what stands at their head, so they may have been sorted, moved, taken out, or joined by others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from openpyxl.utils import get_column_letter

from serving.exchange.numbers import NoNumberError, units
from serving.exchange.origin import Origin, rounded
from serving.exchange.reading import Sheets
from serving.exchange.words import HIDDEN, WORDS
from serving.problems import Problem

MOST_PROBLEMS = 500
_HEADING_WITHIN = 20  # rows


@dataclass(frozen=True)
class Edit:
    """A cell that was changed from `shown` to `after`; `formula` where that is the result of one."""

    site: str
    product: str
    date: date
    cell: str
    shown: float
    after: float
    formula: str | None


@dataclass(frozen=True)
class Bad:
    """A cell that cannot be taken, and why."""

    cell: str
    kind: str
    value: str


@dataclass(frozen=True)
class _Touched:
    row: int
    column: int
    series: tuple[str, str]
    shown: float | None
    value: Any


@dataclass(frozen=True)
class _Heading:
    site: int
    product: int
    dates: Mapping[int, date]  # by column
    bad: tuple[Bad, ...]


def hidden_rows(sheets: Sheets) -> Iterable[Sequence[Any]]:
    """The rows of the hidden sheet; none where there is no such sheet."""
    return sheets.rows(HIDDEN) if HIDDEN in sheets.names else ()


def find(sheets: Sheets, origin: Origin) -> tuple[list[Edit], list[Bad]]:
    """The edits of a workbook, and what of it cannot be taken. Raises Problem."""
    name = next((words.plan for words in WORDS.values() if words.plan in sheets.names), None)
    if name is None:
        raise Problem("workbook-refused", "the workbook has no sheet Plan: give the sheet its name again")
    rows = enumerate(sheets.rows(name), 1)
    heading = _heading(rows, origin)
    touched, bad = _touched(rows, heading, origin)
    results = _results(sheets, name, {t.row for t in touched if _formula(t.value)})
    edits = []
    for t in touched:
        cell, formula = _cell(t.row, t.column), _formula(t.value)
        try:
            after = _units(results[t.row][t.column] if formula else t.value, formula)
        except NoNumberError as why:
            bad.append(Bad(cell, str(why), _told(t.value)))
            continue
        if t.shown is None:
            bad.append(Bad(cell, "not_in_plan", _told(t.value)))
        elif rounded(after) != t.shown:
            edits.append(Edit(*t.series, heading.dates[t.column], cell, t.shown, after, formula))
    return edits, bad[:MOST_PROBLEMS]


def _results(sheets: Sheets, name: str, wanted: set[int]) -> dict[int, Sequence[Any]]:
    """The rows `wanted` with the results of their formulas."""
    return {i: row for i, row in enumerate(sheets.results(name), 1) if i in wanted} if wanted else {}


def _heading(rows: Iterable[tuple[int, Sequence[Any]]], origin: Origin) -> _Heading:
    """The row of headings, up to which `rows` are read. Raises Problem."""
    for number, row in islice(rows, _HEADING_WITHIN):
        words = [_word(value) for value in row]
        sites, products = ([i for i, w in enumerate(words) if w in _names(of)] for of in ("site", "product"))
        if not sites or not products:
            continue
        if len(sites) > 1 or len(products) > 1:
            raise Problem("workbook-refused", f"row {number} has a column twice: take one of them out")
        dates: dict[int, date] = {}
        bad: list[Bad] = []
        for i, value in enumerate(row):
            day = _date(value)
            if day is None:
                continue
            if day not in origin.dates or day in dates.values():
                bad.append(
                    Bad(_cell(number, i), "duplicate_date" if day in origin.dates else "unknown_date", _told(value))
                )
            else:
                dates[i] = day
        return _Heading(sites[0], products[0], dates, tuple(bad))
    known = " or ".join(f"{words.site} and {words.product}" for words in WORDS.values())
    raise Problem("workbook-refused", f"no row of the sheet is headed {known}: give the columns their headings again")


def _touched(
    rows: Iterable[tuple[int, Sequence[Any]]], heading: _Heading, origin: Origin
) -> tuple[list[_Touched], list[Bad]]:
    """The cells that do not say what was shown, and what is no row of the plan."""
    touched, bad, seen = [], list(heading.bad), set()
    position = {day: i for i, day in enumerate(origin.dates)}
    columns = [(column, position[day]) for column, day in heading.dates.items()]
    for number, row in rows:
        series = _code(row[heading.site]), _code(row[heading.product])
        shown = origin.shown.get(series)
        if shown is None or series in seen:
            if any(series) or any(row[column] is not None for column, _ in columns):
                kind = "duplicate_series" if shown else "unknown_series"
                bad.append(Bad(_cell(number, heading.product), kind, "/".join(series)[:100]))
            continue
        seen.add(series)
        for column, i in columns:
            if row[column] != shown[i] or isinstance(row[column], bool):
                touched.append(_Touched(number, column, series, shown[i], row[column]))
    return touched, bad


def _units(result: Any, formula: str | None) -> float:
    if formula and result is None:
        raise NoNumberError("formula_without_result")
    return units(result)


def _formula(value: Any) -> str | None:
    """The text of a formula; of an array's, its own."""
    text = getattr(value, "text", value)
    return text[:200] if isinstance(text, str) and text.startswith("=") else None


def _code(value: Any) -> str:
    """A code of site or product; a spreadsheet may have made a number of it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _date(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, str):
        for form in ("%Y-%m-%d", "%d.%m.%Y", "%Y-%m-%d %H:%M:%S"):
            try:
                return datetime.strptime(value.strip(), form).date()  # noqa: DTZ007 - a day of the plan, in no zone
            except ValueError:
                continue
    return value if isinstance(value, date) else None


def _names(of: str) -> set[str]:
    return {_word(getattr(words, of)) for words in WORDS.values()}


def _word(value: Any) -> str:
    return str(value).strip().casefold()


def _cell(row: int, column: int) -> str:
    return f"{get_column_letter(column + 1)}{row}"


def _told(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(_formula(value) or ("" if value is None else value))[:100]
