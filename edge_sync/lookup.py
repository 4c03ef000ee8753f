"""A second file in which a map finds more columns: read whole, since such files are small."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from edge_sync.chunks import ROW
from edge_sync.errors import SourceError
from edge_sync.fields import suggest
from edge_sync.filemap import Join
from edge_sync.inspect_file import inspect_file
from edge_sync.read import read
from edge_sync.texts import as_text, by_value

BETWEEN = "\x1f"  # between the parts of a key, where no text has it


@dataclass(frozen=True)
class Lookup:
    """`taken` holds the columns to add; `places` the rows of it by key, where `here` are the key's columns."""

    here: tuple[str, ...]
    taken: pa.Table
    places: dict[str, list[int]]
    many: bool
    sha256: str

    def find(self, keys: list[pa.Array]) -> tuple[pa.Array | None, pa.Array]:
        """For each row its row of `taken`, or null. With `many` also which row each result belongs to."""
        key = _key(keys)
        if not self.many:
            return None, by_value(key, lambda k: self.places.get(k, [None])[0], pa.int64())
        found = [self.places.get(k, [None]) for k in key.to_pylist()]
        rows = [i for i, places in enumerate(found) for _ in places]
        return pa.array(rows, pa.int64()), pa.array([p for places in found for p in places], pa.int64())


def open_lookup(join: Join, decimal: str) -> Lookup:
    """Read the second file. Raises SourceError for a missing column or a key that stands twice without `many`."""
    inspected = inspect_file(join.file, join.source)
    chunks = list(read(join.file, join.source, decimal, None))
    for row, text in (r for c in chunks for r in c.ragged):
        raise SourceError(f"{join.file}: row {row}: {text!r} has not the fields of the header; mend the row")
    if not chunks:
        raise SourceError(f"{join.file}: has no rows below its header")
    table = pa.concat_tables([c.table for c in chunks], promote_options="permissive")
    for name in (*join.match.values(), *join.take):
        if name not in table.column_names:
            raise SourceError(
                f"{join.file}: no column {name!r}{suggest(name, [n for n in table.column_names if n != ROW])}"
            )
    key = _key([as_text(table[name], decimal, join.source.empty_values) for name in join.match.values()])
    places: dict[str, list[int]] = {}
    for row, text in enumerate(key.to_pylist()):
        if text is not None:
            places.setdefault(text, []).append(row)
    twice = next((text for text, rows in places.items() if len(rows) > 1), None)
    if twice is not None and not join.many:
        row = table[ROW][places[twice][1]].as_py()
        shown = twice.replace(BETWEEN, ", ")
        raise SourceError(
            f"{join.file}: row {row}: {shown!r} stands there twice; mend it, or say `many: true` if each counts"
        )
    return Lookup(tuple(join.match), table.select(join.take), places, join.many, inspected.sha256)


def _key(parts: list[pa.Array]) -> pa.Array:
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, BETWEEN)
