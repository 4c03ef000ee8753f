"""What every reader gives: pieces of a file as Arrow tables, small enough for a small box, with the rows' numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

# Position of a row in its file as a spreadsheet counts it, from 1; carried along under a name that no header has.
ROW = "\x00row"


@dataclass(frozen=True)
class Chunk:
    """Rows of a source as columns named by the header, with ROW; `ragged` are rows whose fields don't fit the header."""

    table: pa.Table
    ragged: tuple[tuple[int, str], ...] = ()
    blank: int = 0  # rows without any content, left out
    share: float = 0.0  # of the file read so far, 0 to 1


def unique_names(headers: Sequence[str]) -> list[str]:
    """The headers, trimmed; an empty one becomes `column_N`, a repeated one gets its count: `Miktar`, `Miktar.2`."""
    names: list[str] = []
    for position, header in enumerate(headers, 1):
        base = header.strip() or f"column_{position}"
        name, count = base, 1
        while name in names:
            count += 1
            name = f"{base}.{count}"
        names.append(name)
    return names


def with_rows(table: pa.Table, numbers: pa.Array) -> pa.Table:
    return table.append_column(ROW, numbers)


def drop_blank(table: pa.Table, columns: Iterable[str]) -> tuple[pa.Table, int]:
    """The table without the rows that are empty in all text `columns`, and how many those were."""
    filled = None
    for name in columns:
        here = pc.not_equal(pc.utf8_trim_whitespace(table[name]), "")
        filled = here if filled is None else pc.or_(filled, here)
        if pc.all(filled).as_py():
            return table, 0
    kept = table if filled is None else table.filter(filled)
    return kept, table.num_rows - kept.num_rows
