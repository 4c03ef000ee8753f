"""Reads a sheet of a workbook (.xlsx, .xlsm, .xlsb, .xls, .ods); every cell becomes text in the map's own notation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from edge_sync.chunks import Chunk, unique_names, with_rows
from edge_sync.errors import SourceError
from edge_sync.fields import suggest
from edge_sync.filemap import Source
from edge_sync.render import render

_ROWS = 20_000


def read_excel(path: Path, source: Source, decimal: str) -> Iterator[Chunk]:
    """The pieces of the sheet. Raises SourceError for what is no workbook and for a missing sheet."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        with CalamineWorkbook.from_path(path) as book:
            yield from _chunks(_sheet(book, path, source), path, source, decimal)
    except PasswordError:
        raise SourceError(f"{path}: has a password; save it without one") from None
    except (CalamineError, OSError) as error:
        raise SourceError(
            f"{path}: is no workbook that can be opened ({str(error)[:80]}); open it in a spreadsheet and save it as .xlsx"
        ) from None


def _sheet(book: Any, path: Path, source: Source) -> Any:
    names = book.sheet_names
    if source.sheet is None:
        return book.get_sheet_by_index(0)
    if isinstance(source.sheet, int):
        if source.sheet > len(names):
            raise SourceError(f"{path}: no sheet number {source.sheet}; it has {len(names)}: {', '.join(names)}")
        return book.get_sheet_by_index(source.sheet - 1)
    if source.sheet not in names:
        raise SourceError(f"{path}: no sheet {source.sheet!r}{suggest(source.sheet, names)}")
    return book.get_sheet_by_name(source.sheet)


def _chunks(sheet: Any, path: Path, source: Source, decimal: str) -> Iterator[Chunk]:
    rows: Iterator[tuple[int, tuple[str, ...]]] = enumerate(
        (tuple(render(v, decimal) for v in row) for row in sheet.iter_rows()), 1
    )
    names = _names(rows, path, source)
    rows = islice(rows, source.skip_rows, None)
    while piece := list(islice(rows, _ROWS)):
        good, ragged, blank = [], [], 0
        for number, cells in piece:
            if not any(cell.strip() for cell in cells):
                blank += 1
            elif any(cells[len(names) :]):
                ragged.append((number, source.delimiter.join(cells)))
            else:
                good.append((number, *cells[: len(names)], *[""] * (len(names) - len(cells))))
        columns = list(zip(*good, strict=True)) or [()] * (len(names) + 1)
        table = pa.table({n: pa.array(c, pa.string()) for n, c in zip(names, columns[1:], strict=True)})
        yield Chunk(with_rows(table, pa.array(columns[0], pa.int64())), tuple(ragged), blank)


def _names(rows: Iterator[tuple[int, tuple[str, ...]]], path: Path, source: Source) -> list[str]:
    header = next(islice(rows, max(source.header_row - 1, 0), None), (0, ()))[1] if source.header_row else ()
    if source.header_row == 0:
        raise SourceError(f"{path}: a sheet needs a header row; give it one and say `header_row` in the map")
    while header and not header[-1].strip():
        header = header[:-1]
    if not header:
        raise SourceError(f"{path}: row {source.header_row} is empty; say `header_row` in the map")
    return unique_names(header)
