"""How a column lies in a Parquet file, how it is read, and into which types of a contract it goes without loss."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from expectations.contract import UTC_TIME

_EXACT_IN_DOUBLE = 15  # decimal digits that a double keeps
_DIGITS = 38  # of the widest decimal
_SQL_TYPES = {
    pa.float64(): "double",
    pa.int64(): "bigint",
    pa.int32(): "int",
    pa.string(): "string",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    UTC_TIME: "timestamptz",
}
_ARROW_TYPES = {name: kind for kind, name in _SQL_TYPES.items()} | {
    "float": pa.float32(),
    "smallint": pa.int16(),
    "tinyint": pa.int8(),
    "binary": pa.binary(),
    "void": pa.null(),
    "timestamp": pa.timestamp("us"),
    "timestamp_ns": pa.timestamp("us"),
    "timestamptz_ns": UTC_TIME,
}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_WHOLE = ("tinyint", "smallint", "int", "bigint")


@dataclass(frozen=True)
class Physical:
    """One column of a Parquet file. `kind` is its type in DuckDB's words, with `_ns` for nanoseconds; None: unreadable.

    `told` is the type in the words of messages.
    """

    name: str
    kind: str | None
    told: str

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type it is read as; times to the microsecond. Raises ValueError for a column that cannot be read."""
        if self.kind is None:
            raise ValueError(f"column {self.name} cannot be read")
        if given := _DECIMAL.fullmatch(self.kind):
            return pa.decimal128(int(given[1]), int(given[2]))
        return _ARROW_TYPES[self.kind]

    def goes_into(self, wanted: pa.DataType) -> bool:
        """Whether a cast to the contract's type can neither lose nor invent anything."""
        return self.kind == "void" or self.kind in _without_loss(wanted)


def sql_type(wanted: pa.DataType) -> str:
    """A contract's type in DuckDB's words."""
    return _SQL_TYPES[wanted]


def _without_loss(wanted: pa.DataType) -> tuple[str, ...]:
    """Kinds that go into `wanted` without loss. A time without zone, or a number as a code, is a guess, so it is not."""
    decimals = (f"decimal({p},{s})" for p in range(1, _EXACT_IN_DOUBLE + 1) for s in range(p + 1))
    more = {
        "double": ("float", *_WHOLE, *decimals),
        "bigint": _WHOLE,
        "int": _WHOLE[:3],
        "timestamptz": ("timestamptz_ns",),
    }
    name = sql_type(wanted)
    return (name, *more.get(name, ()))


def told(wanted: pa.DataType) -> str:
    """A contract's type in the words of `Physical.told`."""
    return "timestamp in UTC" if pa.types.is_timestamp(wanted) else sql_type(wanted)


def columns_of(schema: Any) -> tuple[Physical, ...]:
    """The columns of a `pyarrow.parquet.ParquetSchema`, one of the same name as often as it is there.

    What pyarrow notes of its own types is not looked at.
    """
    found: list[Physical] = []
    for i in range(len(schema)):
        column = schema.column(i)
        name = column.path.split(".")[0]
        if column.path == column.name:
            found.append(_flat(column))
        elif (nested := Physical(name, None, "nested column")) not in found:  # one of its leaves was
            found.append(nested)
    return tuple(found)


def _flat(column: Any) -> Physical:
    logical = json.loads(column.logical_type.to_json())
    kind = _LOGICAL[logical["Type"]](column, logical) if logical["Type"] in _LOGICAL else None
    said = logical["Type"] if logical["Type"] != "None" else column.physical_type
    words = {"timestamptz": "timestamp in UTC", "timestamptz_ns": "timestamp in UTC, in nanoseconds"}
    words |= dict.fromkeys(("timestamp", "timestamp_ns"), "timestamp without time zone")
    return Physical(column.name, kind, words.get(str(kind), "nothing but nulls" if kind == "void" else kind or said))


def _timestamp(_: Any, logical: dict[str, Any]) -> str:
    kind = "timestamptz" if logical["isAdjustedToUTC"] else "timestamp"
    return f"{kind}_ns" if logical["timeUnit"] == "nanoseconds" else kind


def _integer(_: Any, logical: dict[str, Any]) -> str:
    wider = {8: "smallint", 16: "int", 32: "bigint", 64: "decimal(20,0)"}
    same = {8: "tinyint", 16: "smallint", 32: "int", 64: "bigint"}
    return (same if logical["isSigned"] else wider)[logical["bitWidth"]]


def _decimal(_: Any, logical: dict[str, Any]) -> str | None:
    wide = logical["precision"] > _DIGITS
    return None if wide else f"decimal({logical['precision']},{logical['scale']})"


_PLAIN = {
    "BOOLEAN": "boolean",
    "INT32": "int",
    "INT64": "bigint",
    "FLOAT": "float",
    "DOUBLE": "double",
    "BYTE_ARRAY": "binary",
    "FIXED_LEN_BYTE_ARRAY": "binary",
}
_LOGICAL: dict[str, Callable[[Any, dict[str, Any]], str | None]] = {
    "None": lambda column, _: _PLAIN.get(column.physical_type),  # INT96 is a time in nobody knows which zone
    "String": lambda *_: "string",
    "Enum": lambda *_: "string",
    "JSON": lambda *_: "string",
    "Date": lambda *_: "date",
    "Null": lambda *_: "void",
    "Decimal": _decimal,
    "Int": _integer,
    "Timestamp": _timestamp,
}
