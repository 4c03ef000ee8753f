"""From long rows of a source to rows as a contract's landing schema wants them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from edge_sync.chunks import ROW
from edge_sync.convert import convert, day_start
from edge_sync.errors import ShapeError
from edge_sync.filemap import ColumnMap, Factor, FileMap
from edge_sync.reshape import Shaped, need
from edge_sync.tally import FIRST_PLACES, Place, Tally
from edge_sync.texts import plain
from expectations.contract import Contract

# Column of an object with cells that could not be read: JSON of column -> text. Ingest keeps it with the row.
UNREAD = "_unread"
WHOLE_ROW = "_row"  # its key for a row whose fields don't fit the header


@dataclass(frozen=True)
class Cells:
    """Values of one column, and the text of those cells that hold something but could not be read."""

    values: pa.Array
    filled: int
    unread: dict[int, str]


def land(shaped: Shaped, file_map: FileMap, contract: Contract, now: datetime, tally: Tally) -> pa.Table:
    """`shaped` in the contract's landing columns, extras and, if a cell could not be read, UNREAD. Adds to `tally`."""
    rows = shaped.table.num_rows
    columns: dict[str, pa.Array] = {}
    unread: dict[int, dict[str, str]] = {}
    for column in contract.landing_columns:
        if column.name == contract.known_time:
            continue
        spec = file_map.columns.get(column.name)
        cells = (
            Cells(pa.nulls(rows, column.type), 0, {}) if spec is None else _cells(shaped, spec, column.type, file_map)
        )
        columns[column.name] = cells.values
        _note(cells, column.name, spec.source if spec else None, shaped, file_map, tally, unread)
    if contract.known_time:
        cells = _known_time(shaped, file_map, contract, columns, now)
        columns[contract.known_time] = cells.values
        known = file_map.known_time
        _note(cells, contract.known_time, known.column if known else None, shaped, file_map, tally, unread)
    ordered = {name: columns[name] for name in contract.landing_schema.names}
    if unread:
        texts = [json.dumps(unread[i], ensure_ascii=False) if i in unread else None for i in range(rows)]
        ordered[UNREAD] = pa.array(texts, pa.string())
    tally.landed += rows
    return pa.table({**ordered, **_extras(shaped, file_map, contract)})


def land_ragged(ragged: Iterable[tuple[int, str]], contract: Contract, tally: Tally) -> pa.Table | None:
    """Rows that don't fit the header, with nothing but their text: ingest quarantines them."""
    texts = list(ragged)
    if not texts:
        return None
    tally.places.extend(Place(row, WHOLE_ROW, text) for row, text in texts[: FIRST_PLACES - len(tally.places)])
    tally.ragged += len(texts)
    tally.landed += len(texts)
    columns = {f.name: pa.nulls(len(texts), f.type) for f in contract.landing_schema}
    columns[UNREAD] = pa.array([json.dumps({WHOLE_ROW: text}, ensure_ascii=False) for _, text in texts])
    return pa.table(columns)


def _cells(shaped: Shaped, spec: ColumnMap, kind: pa.DataType, file_map: FileMap) -> Cells:
    rows = shaped.table.num_rows
    if spec.source is None:
        one = pa.array([spec.constant], pa.string())
        value = convert(one, one, kind, file_map.notation)
        if value.null_count:
            raise ShapeError(f"{file_map.path.name}: constant {spec.constant!r} is no {kind}")
        return Cells(pa.repeat(value[0], rows), 0, {})
    cells, text = _source(shaped, spec.source, file_map)
    if spec.values:
        text = _replaced(text, spec.values)
        cells = text
    values = convert(cells, text, kind, file_map.notation)
    if spec.factor:
        values = _scaled(values, spec.factor, shaped, file_map).cast(kind)
        if spec.factor.by is not None:  # the unit belongs to what a person reads of the cell
            text = pc.binary_join_element_wise(
                text, shaped.text(spec.factor.by, file_map), " ", null_handling="replace"
            )
            text = pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), None, pc.utf8_trim_whitespace(text))
    return _checked(values, spec.source, text, shaped, file_map)


def _source(shaped: Shaped, name: str, file_map: FileMap) -> tuple[pa.Array, pa.Array]:
    need(shaped.table, name, file_map)
    cells, text = plain(shaped.table[name]), shaped.text(name, file_map)
    return (text if pa.types.is_string(cells.type) else cells), text


def _replaced(text: pa.Array, values: dict[str, str]) -> pa.Array:
    found = pc.index_in(text, pa.array(list(values), pa.string()))
    return pc.coalesce(pa.array(list(values.values()), pa.string()).take(found), text)


def _scaled(values: pa.Array, factor: Factor, shaped: Shaped, file_map: FileMap) -> pa.Array:
    if factor.by is None:
        return pc.multiply(values, factor.values[""])
    need(shaped.table, factor.by, file_map)
    unit = shaped.text(factor.by, file_map)
    found = pc.index_in(unit, pa.array(list(factor.values), pa.string()))
    return pc.multiply(values, pa.array(list(factor.values.values()), pa.float64()).take(found))


def _checked(values: pa.Array, source: str, text: pa.Array, shaped: Shaped, file_map: FileMap) -> Cells:
    """Which cells hold something that is not in `values`; for a made column the text that it was made from counts."""
    origin = shaped.origins.get(source)
    if origin is not None:
        text = pc.coalesce(text, shaped.text(origin, file_map))
    filled = len(text) - text.null_count
    if values.null_count == text.null_count:
        return Cells(values, filled, {})
    places = pc.indices_nonzero(pc.and_(pc.is_null(values), pc.is_valid(text)))
    return Cells(values, filled, dict(zip(places.to_pylist(), text.take(places).to_pylist(), strict=True)))


def _known_time(
    shaped: Shaped, file_map: FileMap, contract: Contract, columns: dict[str, pa.Array], now: datetime
) -> Cells:
    known, kind = file_map.known_time, contract.landing_schema.field(str(contract.known_time)).type
    rows = shaped.table.num_rows
    if known is None or known.at is not None:
        moment = now if known is None else known.at
        return Cells(pa.repeat(pa.scalar(moment, kind), rows), 0, {})
    if known.lag is not None:
        days = columns[str(contract.event_time)]
        return Cells(day_start(days, known.lag, file_map.notation.time_zone).cast(kind), 0, {})
    source = str(known.column)
    cells, text = _source(shaped, source, file_map)
    return _checked(convert(cells, text, kind, file_map.notation), source, text, shaped, file_map)


def _note(
    cells: Cells,
    name: str,
    source: str | None,
    shaped: Shaped,
    file_map: FileMap,
    tally: Tally,
    unread: dict[int, dict[str, str]],
) -> None:
    tally.filled[name] += cells.filled
    if not cells.unread:
        return
    tally.unread[name] += len(cells.unread)
    tally.first.setdefault(name, next(iter(cells.unread.values())))
    wide = file_map.wide
    for row, text in cells.unread.items():
        unread.setdefault(row, {})[name] = text
        if len(tally.places) < FIRST_PLACES:
            label = source or name
            if wide and source == wide.value:
                label = shaped.table[wide.header][row].as_py()
            tally.places.append(Place(shaped.table[ROW][row].as_py(), label, text))


def _extras(shaped: Shaped, file_map: FileMap, contract: Contract) -> dict[str, pa.Array]:
    if not file_map.keep_extra:
        return {}
    used = {ROW, *(c.source for c in file_map.columns.values())}
    if file_map.known_time:
        used.add(file_map.known_time.column)
    if file_map.wide:
        used |= {file_map.wide.header, file_map.wide.value}
    extras = {}
    for name in shaped.table.column_names:
        if name in used:
            continue
        if name in contract.landing_schema.names or name == UNREAD:
            raise ShapeError(
                f"column {name!r} has the name of a column of {contract.name} but is not mapped to it; map it, or leave keep_extra out"
            )
        cells, text = _source(shaped, name, file_map)
        extras[name] = text if pa.types.is_string(cells.type) else cells
    return extras
