"""One door to the three readers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_sync.chunks import Chunk
from edge_sync.filemap import Source
from edge_sync.inspect_file import format_of
from edge_sync.read_csv import read_csv
from edge_sync.read_excel import read_excel
from edge_sync.read_parquet import read_parquet


def read(path: Path, source: Source, decimal: str, wanted: frozenset[str] | None) -> Iterator[Chunk]:
    """The pieces of a file in bounded memory; of a Parquet file only the `wanted` columns, None for all."""
    match format_of(path, source):
        case "excel":
            return read_excel(path, source, decimal)
        case "parquet":
            return read_parquet(path, wanted)
        case _:
            return read_csv(path, source)
