"""From the file's own shape to one row a fact: wide to long, splits, joins, filter."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from edge_sync.chunks import ROW
from edge_sync.errors import ShapeError
from edge_sync.fields import suggest
from edge_sync.filemap import Condition, FileMap, Split, Wide
from edge_sync.lookup import BETWEEN, Lookup
from edge_sync.texts import as_text, by_value, plain


@dataclass(frozen=True)
class Shaped:
    """Rows in long form. `origins` names for each made column the one it was made from, for messages."""

    table: pa.Table
    origins: dict[str, str] = field(default_factory=dict)
    filtered: int = 0  # rows that the filter left out
    empty: int = 0  # empty cells of the wide form that became no row

    def text(self, column: str, file_map: FileMap) -> pa.Array:
        return as_text(self.table[column], file_map.notation.decimal, file_map.source.empty_values)


def reshape(table: pa.Table, file_map: FileMap, lookups: tuple[Lookup, ...], seen: set[str]) -> Shaped:
    """A piece of a source in long form; `seen` are the keys of `once_per` so far, and grows. Raises ShapeError for a column that the map names and nobody made."""
    shaped = Shaped(table)
    if file_map.wide:
        shaped = _melt(shaped, file_map.wide, file_map)
    for split in file_map.splits:
        shaped = _split(shaped, split, file_map)
    for lookup in lookups:
        shaped = _join(shaped, lookup, file_map)
    shaped = _filter(shaped, file_map)
    if file_map.once_per is None:
        return shaped
    return _once(shaped, file_map, file_map.once_per, seen)


def need(table: pa.Table, column: str, file_map: FileMap) -> None:
    """Raises ShapeError if `table` lacks the `column` that the map names."""
    if column not in table.column_names:
        names = [n for n in table.column_names if n != ROW]
        raise ShapeError(f"no column {column!r}, which {file_map.path.name} names{suggest(column, names)}")


def wide_columns(names: list[str], wide: Wide) -> dict[str, str]:
    """Header as it stands -> what column `header` gets for it."""
    if wide.columns:
        return {name: name for name in wide.columns}
    if wide.all_but:
        return {name: name for name in names if name not in wide.all_but}
    pattern = re.compile(wide.headers or "")
    found = {name: pattern.fullmatch(name) for name in names}
    labels = {name: (m[1] if pattern.groups else name) for name, m in found.items() if m}
    if wide.start is not None and wide.step is not None:
        return {name: (wide.start + i * wide.step).isoformat() for i, name in enumerate(labels)}
    return labels


def _melt(shaped: Shaped, wide: Wide, file_map: FileMap) -> Shaped:
    table = shaped.table
    labels = wide_columns([n for n in table.column_names if n != ROW], wide)
    if not labels:
        names = [n for n in table.column_names if n != ROW]
        raise ShapeError(
            f"no header fits the pattern {wide.headers!r} of `wide` in {file_map.path.name}; there are {names[:8]}"
        )
    for name in (*labels, *wide.all_but):
        need(table, name, file_map)
    kept = table.select([n for n in table.column_names if n not in labels])
    columns = {name: plain(table[name]) for name in labels}
    if len({c.type for c in columns.values()}) > 1:
        columns = {name: as_text(c, file_map.notation.decimal) for name, c in columns.items()}
    headers = [pa.repeat(label, table.num_rows) for label in labels.values()]
    if wide.end is not None:
        headers = _counted_back(columns, wide, file_map)
    pieces = [
        kept.append_column(wide.header, header).append_column(wide.value, cells)
        for header, cells in zip(headers, columns.values(), strict=True)
    ]
    # The parts would stay thousands of tiny chunks, and every later step would pay for each.
    melted = pa.concat_tables(pieces).combine_chunks()
    if wide.keep_empty:
        return Shaped(melted)
    filled = melted.filter(
        pc.is_valid(as_text(melted[wide.value], file_map.notation.decimal, file_map.source.empty_values))
    )
    return Shaped(filled, {}, empty=melted.num_rows - filled.num_rows)


def _counted_back(columns: dict[str, pa.Array], wide: Wide, file_map: FileMap) -> list[pa.Array]:
    """For each column the date of its cell in each row, the row's last filled cell being of the date `end`."""
    if wide.end is None or wide.step is None:
        return []
    notation, empty = file_map.notation, file_map.source.empty_values
    filled = [as_text(cells, notation.decimal, empty).is_valid().to_pylist() for cells in columns.values()]
    last = [max((i for i, there in enumerate(row) if there), default=0) for row in zip(*filled, strict=True)]
    end, step = wide.end, wide.step
    return [pa.array([(end - (n - i) * step).isoformat() for n in last], pa.string()) for i in range(len(filled))]


def _split(shaped: Shaped, split: Split, file_map: FileMap) -> Shaped:
    need(shaped.table, split.column, file_map)
    pattern = re.compile(split.pattern)
    text = shaped.text(split.column, file_map)
    table = shaped.table
    for group in pattern.groupindex:

        def part(value: str, group: str = group) -> str | None:
            found = pattern.fullmatch(value)
            return found[group] if found else None

        table = _with(table, group, by_value(text, part, pa.string()), file_map)
    return replace(shaped, table=table, origins={**shaped.origins, **dict.fromkeys(pattern.groupindex, split.column)})


def _join(shaped: Shaped, lookup: Lookup, file_map: FileMap) -> Shaped:
    for name in lookup.here:
        need(shaped.table, name, file_map)
    keys = [shaped.text(name, file_map) for name in lookup.here]
    rows, found = lookup.find(keys)
    table = shaped.table if rows is None else shaped.table.take(rows)
    for name, column in zip(lookup.taken.column_names, lookup.taken.take(found).columns, strict=True):
        table = _with(table, name, column, file_map)
    origins = {**shaped.origins, **dict.fromkeys(lookup.taken.column_names, lookup.here[0])}
    return replace(shaped, table=table, origins=origins)


def _with(table: pa.Table, name: str, column: pa.Array, file_map: FileMap) -> pa.Table:
    if name in table.column_names:
        raise ShapeError(
            f"{file_map.path.name} makes a column {name!r}, but the file has one of that name; name it otherwise"
        )
    return table.append_column(name, column)


def _filter(shaped: Shaped, file_map: FileMap) -> Shaped:
    if not file_map.conditions:
        return shaped
    for condition in file_map.conditions:
        need(shaped.table, condition.column, file_map)
    masks = [_mask(shaped.text(c.column, file_map), c) for c in file_map.conditions]
    kept = shaped.table.filter(reduce(pc.and_, masks))
    return replace(shaped, table=kept, filtered=shaped.table.num_rows - kept.num_rows)


def _once(shaped: Shaped, file_map: FileMap, columns: tuple[str, ...], seen: set[str]) -> Shaped:
    """Only the first row of those that agree in the columns of `once_per`, over all pieces of the file."""
    for name in columns:
        need(shaped.table, name, file_map)
    alike = pa.repeat("", shaped.table.num_rows)
    texts = [alike, *(pc.fill_null(shaped.text(name, file_map), "") for name in columns)]
    keep = []
    for key in pc.binary_join_element_wise(*texts, BETWEEN).to_pylist():
        keep.append(key not in seen)
        seen.add(key)
    kept = shaped.table.filter(pa.array(keep, pa.bool_()))
    return replace(shaped, table=kept, filtered=shaped.filtered + shaped.table.num_rows - kept.num_rows)


def _mask(text: pa.Array, condition: Condition) -> pa.Array:
    """True for the rows to keep, never null."""
    mask = pa.repeat(True, len(text))
    if condition.one_of:
        mask = pc.and_(mask, pc.is_in(text, pa.array(condition.one_of, pa.string())))
    if condition.none_of:
        mask = pc.and_(mask, pc.invert(pc.is_in(text, pa.array(condition.none_of, pa.string()))))
    if condition.empty is not None:
        mask = pc.and_(mask, pc.is_null(text) if condition.empty else pc.is_valid(text))
    if condition.matches is not None:
        pattern = re.compile(condition.matches)
        fits = by_value(text, lambda t: pattern.fullmatch(t) is not None, pa.bool_())
        mask = pc.and_(mask, pc.fill_null(fits, False))
    return mask
