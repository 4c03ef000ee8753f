"""The plan as a workbook: one row a series, one column a date, written row by row, so that its size is no matter of memory."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font, NamedStyle, PatternFill
from openpyxl.utils import get_column_letter

from serving.exchange.delimited import Language
from serving.exchange.origin import Origin, Seal
from serving.exchange.words import HIDDEN, WORDS
from serving.identity.secret import Secret

CODES = 3  # columns before the dates: site, product, name
_UNITS = "#,##0.00"


@dataclass(frozen=True)
class Line:
    """A series: its units at each date of the sheet, None where the plan has none."""

    site: str
    product: str
    name: str | None
    baseline: Sequence[float | None]
    final: Sequence[float | None]
    is_overridden: Sequence[bool]


def write(origin: Origin, lines: Iterable[Line], language: Language, made_at: datetime, secret: Secret) -> bytes:
    """The workbook of `lines`, whose finals stand for the dates of `origin`; signed, so that it is known again."""
    words = WORDS[language]
    book = Workbook(write_only=True)
    for style in (
        NamedStyle("units", number_format=_UNITS),
        NamedStyle("override", Font(bold=True), PatternFill("solid", "FFE9A8"), number_format=_UNITS),
        NamedStyle("heading", Font(bold=True), number_format=words.date_format),
    ):
        book.add_named_style(style)
    plan, baseline, about, hidden = (
        book.create_sheet(title) for title in (words.plan, words.baseline, words.about, HIDDEN)
    )
    for sheet in (plan, baseline):
        _begin(sheet, (words.site, words.product, words.name), origin.dates)
    baseline.protection.sheet = True  # it is not read again
    hidden.sheet_state = "veryHidden"
    about.column_dimensions["A"].width = 110
    for told in words.lines:
        shown = told.format(tenant=origin.tenant, night=origin.night, made_at=f"{made_at:%Y-%m-%d %H:%M}")
        about.append([_text(about, shown)])

    seal, plan_rows, baseline_rows = Seal(origin), _Rows(plan), _Rows(baseline)
    hidden.append([_text(hidden, seal.head)])
    for line in lines:
        plan_rows.add(line, line.final, line.is_overridden)
        baseline_rows.add(line, line.baseline, [False] * len(line.baseline))
        hidden.append([_text(hidden, text) for text in seal.add(line.site, line.product, line.final)])
    hidden.append([_text(hidden, seal.sign(secret))])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _begin(sheet: Any, headings: Sequence[str], dates: Sequence[date]) -> None:
    """Its heading, which stays in sight, and the width of its columns: all before the first row is written."""
    sheet.freeze_panes = f"{get_column_letter(CODES + 1)}2"
    for i in range(CODES + len(dates)):
        sheet.column_dimensions[get_column_letter(i + 1)].width = (14, 16, 30)[i] if i < CODES else 12
    cells = [WriteOnlyCell(sheet, value) for value in (*headings, *dates)]
    for cell in cells:
        cell.style = "heading"
    sheet.append(cells)


class _Rows:
    """Appends the rows of one sheet. A cell is written before the next one is made, so that two of them, one of each style,
    do for all: making and styling each anew takes three times as long.
    """

    def __init__(self, sheet: Any) -> None:
        self._sheet = sheet
        self._units, self._override = WriteOnlyCell(sheet), WriteOnlyCell(sheet)
        self._units.style, self._override.style = "units", "override"

    def add(self, line: Line, values: Sequence[float | None], is_marked: Sequence[bool]) -> None:
        self._sheet.append(self._cells(line, values, is_marked))

    def _cells(self, line: Line, values: Sequence[float | None], is_marked: Sequence[bool]) -> Iterator[Any]:
        for text in (line.site, line.product, line.name):
            yield text and _text(self._sheet, text)
        for value, marked in zip(values, is_marked, strict=True):
            if value is None:
                yield None
            else:
                cell = self._override if marked else self._units
                cell.value = value
                yield cell


def _text(sheet: Any, text: str) -> Any:
    """A cell that is text, even if it begins like a formula."""
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", text))
    cell.data_type = "s"
    return cell
