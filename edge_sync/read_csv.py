"""Reads delimited text in pieces. Every record is accounted for: as a row, as ragged, or as blank."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv as pcsv

from edge_sync.chunks import ROW, Chunk, drop_blank, unique_names, with_rows
from edge_sync.errors import SourceError
from edge_sync.filemap import Source

BLOCK = 4 << 20  # some 50,000 rows: memory stays small, and the cost of each step is spread
_RAGGED_LIMIT = 1000  # so many ragged records and not one good one: the delimiter is wrong, not the rows


def read_csv(path: Path, source: Source) -> Iterator[Chunk]:
    """The pieces of `path`, all columns as text. Raises SourceError naming file and row."""
    names, skip = _header(path, source)
    size = path.stat().st_size
    ragged = _Ragged(path, skip, len(names))
    last: pa.Table | None = None
    with path.open("rb") as raw:
        stream = raw if source.encoding == "utf-8" else io.BufferedReader(_Utf8(raw, source.encoding), BLOCK)
        try:
            for batch in _open(stream, names, skip, source, ragged):
                table = pa.Table.from_batches([batch])
                table = with_rows(table, ragged.number(table.num_rows))
                last = table.slice(max(table.num_rows - 1, 0)) if table.num_rows else last
                kept, blank = drop_blank(table, names)
                yield Chunk(kept, ragged.take(), blank, min(raw.tell() / size, 1.0))
        except pa.ArrowInvalid as error:
            raise ragged.explain(error) from None
    _check_closed(path, source, last, names)
    if rest := ragged.take():
        yield Chunk(with_rows(_empty(names), pa.array([], pa.int64())), rest, 0, 1.0)


def _empty(names: list[str]) -> pa.Table:
    return pa.schema([pa.field(n, pa.string()) for n in names]).empty_table()


def _header(path: Path, source: Source) -> tuple[list[str], int]:
    """The columns' names, and how many lines lie above the first record."""
    with path.open(encoding="utf-8-sig" if source.encoding == "utf-8" else source.encoding, newline="") as file:
        for _ in range(max(source.header_row, 1) - 1):
            file.readline()
        reader = csv.reader(file, delimiter=source.delimiter, quotechar=source.quote, quoting=_quoting(source))
        try:
            first = next(reader, [])
        except csv.Error as error:
            raise SourceError(f"{path}: row {source.header_row}: no header can be read: {error}") from None
    if not any(cell.strip() for cell in first):
        raise SourceError(f"{path}: row {source.header_row or 1} is empty; say `header_row` in the map")
    if source.header_row == 0:
        return unique_names([""] * len(first)), source.skip_rows
    return unique_names(first), source.header_row - 1 + reader.line_num + source.skip_rows


def _quoting(source: Source) -> Literal[0, 3]:
    return 0 if source.quote else 3  # csv.QUOTE_MINIMAL, csv.QUOTE_NONE


def _open(stream: io.IOBase, names: list[str], skip: int, source: Source, ragged: _Ragged) -> Iterator[pa.RecordBatch]:
    reader = pcsv.open_csv(
        stream,
        # One thread: only then does Arrow say the number of a ragged record.
        read_options=pcsv.ReadOptions(use_threads=False, skip_rows=skip, column_names=names, block_size=BLOCK),
        parse_options=pcsv.ParseOptions(
            delimiter=source.delimiter,
            quote_char=source.quote or False,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=ragged,
        ),
        convert_options=pcsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
        ),
    )
    yield from reader


def _check_closed(path: Path, source: Source, last: pa.Table | None, names: list[str]) -> None:
    """A quote that is never closed swallows the rest of the file into one cell: the file ends with that cell's text."""
    if last is None or not source.quote:
        return
    record = last.to_pylist()[0]
    cell = record[names[-1]] if "\n" in record[names[-1]] else next((record[n] for n in names if "\n" in record[n]), "")
    if not cell:
        return
    swallowed = cell.replace(source.quote, source.quote * 2).encode(source.encoding)[-BLOCK:]
    with path.open("rb") as file:
        file.seek(-min(len(swallowed), path.stat().st_size), io.SEEK_END)
        if file.read() == swallowed:
            number = record[ROW]
            raise SourceError(
                f"{path}: row {number}: a quote is opened and never closed; mend it or say `quote: none` in the map"
            )


class _Ragged:
    """Takes the records that don't fit the header from Arrow's reader and numbers those that do."""

    def __init__(self, path: Path, skip: int, width: int) -> None:
        self._path = path
        self._width = width
        self._first = self._next = skip + 1
        self._texts: list[tuple[int, str]] = []
        self._ahead: list[int] = []  # numbers of ragged records beyond the last numbered row
        self._hopeless = ""

    def __call__(self, row: pcsv.InvalidRow) -> str:
        self._texts.append((row.number, row.text))
        self._ahead.append(row.number)
        if len(self._texts) >= _RAGGED_LIMIT and row.number - self._first < len(self._texts):
            self._hopeless = (
                f"{self._path}: row {self._first}: {row.actual_columns} fields under a header of {self._width},"
                " and so in every row; check `delimiter`, `quote` and `header_row` in the map"
            )
            return "error"
        return "skip"

    def number(self, rows: int) -> pa.Array:
        """The numbers of the next `rows` records that fit."""
        if not any(n < self._next + rows + len(self._ahead) for n in self._ahead):
            first, self._next = self._next, self._next + rows
            return pa.arange(first, self._next)
        skipped = set(self._ahead)
        numbers: list[int] = []
        while len(numbers) < rows:
            if self._next not in skipped:
                numbers.append(self._next)
            self._next += 1
        self._ahead = [n for n in self._ahead if n >= self._next]
        return pa.array(numbers, pa.int64())

    def take(self) -> tuple[tuple[int, str], ...]:
        taken, self._texts = tuple(self._texts), []
        return taken

    def explain(self, error: pa.ArrowInvalid) -> SourceError:
        if self._hopeless:
            return SourceError(self._hopeless)
        if "straddl" in str(error):
            return SourceError(
                f"{self._path}: row {self._next} or one soon after is longer than {BLOCK >> 20} MiB:"
                " a quote is opened and never closed; mend it or say `quote: none` in the map"
            )
        return SourceError(f"{self._path}: after row {self._next - 1}: {str(error).splitlines()[0]}")


class _Utf8(io.RawIOBase):
    """A text file in another encoding as a stream of UTF-8 bytes."""

    def __init__(self, raw: io.BufferedReader, encoding: str) -> None:
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            block = self._raw.read(BLOCK // 4)
            self._rest = self._decoder.decode(block, final=not block).encode()
            if not block:
                break
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
