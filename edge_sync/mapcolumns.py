"""The `columns` of a file map, held against the columns of the contract."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from edge_sync.errors import MapError
from edge_sync.fields import REQUIRED, Fields, number, suggest, text
from edge_sync.filemap import ColumnMap, Factor, Notation
from edge_sync.render import render
from expectations.contract import Column, Contract


def read_columns(record: object, where: str, contract: Contract, notation: Notation) -> dict[str, ColumnMap]:
    """Column of the contract -> where it comes from. Every column that may not be null must be there."""
    fields = Fields(record, where)
    wanted = {c.name: c for c in contract.landing_columns if c.name != contract.known_time}
    mapped: dict[str, ColumnMap] = {}
    for name in record:  # type: ignore[attr-defined]
        if name == contract.known_time:
            raise MapError(f"{where}: {name} is the known time; say where it comes from under known_time")
        if name not in wanted:
            raise MapError(f"{where}: contract {contract.name} has no column {name!r}{suggest(name, wanted)}")
        entry = fields.raw(name)
        if entry is not None:
            mapped[name] = _column(entry, f"{where}: {name}", wanted[name], notation)
    for column in wanted.values():
        if column.name not in mapped and not column.nullable:
            raise MapError(f"{where}: {column.name} is missing; contract {contract.name} needs it ({column.meaning})")
    return mapped


def _column(entry: object, where: str, column: Column, notation: Notation) -> ColumnMap:
    if isinstance(entry, str):
        return ColumnMap(source=entry)
    fields = Fields(entry, where)
    is_number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
    if "factor" in fields and not is_number:
        raise fields.bad("factor", f"cannot be: {column.name} is {column.type}, no number")
    made = ColumnMap(
        source=fields.read("from", text),
        constant=fields.read("constant", lambda v: _constant(v, column, notation)),
        values=fields.read("values", lambda v: _values(v, column, notation), {}),
        factor=fields.read("factor", lambda v: _factor(v, f"{where}: factor", notation)),
    )
    fields.done()
    if (made.source is None) == (made.constant is None):
        raise MapError(f"{where}: give either `from` (a column of the file) or `constant`")
    return made


def _plain(value: Any, column: Column | None, notation: Notation) -> str:
    """A value of YAML as text. YAML reads no, yes, on and off as truth values, which a text must not become."""
    if isinstance(value, bool) and (column is None or not pa.types.is_boolean(column.type)):
        raise ValueError("holds true or false (YAML reads yes, no, on and off so); put the text in quotes")
    if isinstance(value, dict | list):
        raise ValueError("is no single value")
    return render(value, notation.decimal)


def _constant(value: Any, column: Column, notation: Notation) -> str:
    return _plain(value, column, notation)


def _values(value: Any, column: Column, notation: Notation) -> dict[str, str]:
    if not isinstance(value, dict) or not value:
        raise ValueError("is no mapping of the file's text to a value")
    return {_plain(k, None, notation): _plain(v, column, notation) for k, v in value.items()}


def _factor(value: Any, where: str, notation: Notation) -> Factor:
    if not isinstance(value, dict):
        return Factor({"": number(value)})
    fields = Fields(value, where)
    by = fields.read("by", text, REQUIRED)
    values = fields.raw("values", REQUIRED)
    fields.done()
    if not isinstance(values, dict) or not values:
        raise ValueError("has no mapping `values` of a unit's text to its factor")
    return Factor({_plain(k, None, notation): number(v) for k, v in values.items()}, by)
