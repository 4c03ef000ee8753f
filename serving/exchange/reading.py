"""Opens a workbook that somebody sends, within limits: what is packed into it, how many cells, what its parts may hold."""

from __future__ import annotations

import io
import re
import zipfile
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from typing import Any

from openpyxl import load_workbook

from serving.problems import Problem

MOST_PARTS = 200
MOST_BYTES = 160 * 2**20  # of all parts unpacked; a plan of 30,000 series has 90 MB
MOST_MARKS = 12_000_000  # of `<` in all parts: each is an element in memory, or its end. That plan has 7 million
MOST_FORMULAS = 10_000_000  # formulas of a part times the longest text in it: to work one out takes as long as it is
MOST_ROWS, MOST_COLUMNS = 100_000, 500
_PIECE = 2**20
_OVERLAP = 32
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")
_ENCODED = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["'](?!utf-8["'])""", re.IGNORECASE)


class Sheets:
    """The sheets of a workbook."""

    def __init__(self, body: bytes) -> None:
        """Raises Problem where it is no workbook, or one beyond the limits."""
        self._body = body
        _inspect(body)
        self._formulas = _load(body, data_only=False)

    @property
    def names(self) -> list[str]:
        """The names of all sheets."""
        return [sheet.title for sheet in self._formulas.worksheets]

    def rows(self, name: str) -> Iterator[tuple[Any, ...]]:
        """The values of a sheet, row by row from the first one. A formula is its text, as `=A1*2`. Raises Problem."""
        return _rows(self._formulas[name])

    def results(self, name: str) -> Iterator[tuple[Any, ...]]:
        """The same with the results of formulas as they were when the workbook was saved, None where they were not kept."""
        return _rows(_load(self._body, data_only=True)[name])


def _load(body: bytes, data_only: bool) -> Any:
    try:
        return load_workbook(io.BytesIO(body), read_only=True, data_only=data_only, keep_links=False)
    except Exception as error:
        raise _unreadable() from error


def _rows(sheet: Any) -> Iterator[tuple[Any, ...]]:
    rows = sheet.iter_rows(max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS, values_only=True)
    for i in range(MOST_ROWS + 1):
        try:
            row = next(rows, None)
        except Exception as error:
            raise _unreadable() from error
        if row is None:
            return
        if i == MOST_ROWS and any(value is not None for value in row):
            raise _too_large(f"a sheet may have {MOST_ROWS} rows at most")
        yield row


def _inspect(body: bytes) -> None:
    """Count what is really in the parts: what the list at their end says of them is the sender's word. Raises Problem."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            parts = packed.infolist()
            if len(parts) > MOST_PARTS:
                raise _too_large(f"it may have {MOST_PARTS} parts at most")
            if len({part.filename for part in parts}) < len(parts):
                raise _unreadable()
            # What is packed otherwise would be unpacked a megabyte at a time, into any number of them.
            if any(part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for part in parts):
                raise _unreadable()
            size = marks = 0
            for part in parts:
                with packed.open(part) as opened:
                    for piece in _pieces(opened):
                        size += len(piece)
                        marks += piece.count(b"<")
                        if size > MOST_BYTES or marks > MOST_MARKS:
                            raise _too_large("its parts are too large unpacked")
    except Problem:
        raise
    except Exception as error:
        raise _unreadable() from error


def _pieces(opened: Any) -> Iterator[bytes]:
    """What a part holds, piece by piece. Raises Problem.

    No part of a workbook declares a document type, by which a few bytes become many, nor an encoding in which that and `<`
    would not be seen here.
    """
    formulas, longest, end, is_xml = 0, 0, b"", False
    while piece := opened.read(_PIECE):
        if not end:
            is_xml = piece.removeprefix(BOM_UTF8).lstrip().startswith(b"<")  # else no parser of XML reads on
            if piece.startswith((BOM_UTF16_LE, BOM_UTF16_BE, b"\0<")):
                raise _unreadable()
        if is_xml:
            joined = end + piece
            if b"\0" in piece or b"<!DOCTYPE" in joined or _ENCODED.search(joined):
                raise _unreadable()
            formulas += len(_FORMULA.findall(joined))
            if formulas:
                longest = max(longest, *map(len, piece.split(b"<")))
            if formulas * longest > MOST_FORMULAS:
                raise _too_large("it has too many or too long formulas")
        end = piece[-_OVERLAP:]
        yield piece


def _unreadable() -> Problem:
    return Problem(
        "workbook-refused", "this is no workbook that can be read: send the .xlsx file as exported and saved"
    )


def _too_large(why: str) -> Problem:
    return Problem("workbook-refused", f"the workbook is too large: {why}: send less of the plan")
