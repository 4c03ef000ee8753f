"""Reads a Parquet file in pieces, with the types it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from edge_sync.chunks import Chunk, with_rows
from edge_sync.errors import SourceError

_CELLS = 1_000_000  # of one piece: a wide file gets fewer rows


def read_parquet(path: Path, wanted: frozenset[str] | None) -> Iterator[Chunk]:
    """The pieces of `path`; of its columns only `wanted`, or all for None. Raises SourceError if it is no Parquet."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{path}: is no Parquet file: {str(error).splitlines()[0]}") from None
    with file:
        names = file.schema_arrow.names
        columns = names if wanted is None else [n for n in names if n in wanted]
        if not columns:  # none of them: the message about the missing columns needs the names that there are
            columns = names
        total = file.metadata.num_rows
        position = 1
        try:
            for batch in file.iter_batches(batch_size=max(1, min(65_536, _CELLS // len(columns))), columns=columns):
                numbers = pa.arange(position, position + batch.num_rows)
                position += batch.num_rows
                table = pa.Table.from_batches([batch])
                yield Chunk(with_rows(table, numbers), share=(position - 1) / total)
        except (pa.ArrowInvalid, OSError) as error:
            raise SourceError(f"{path}: after row {position - 1}: {str(error).splitlines()[0]}") from None
