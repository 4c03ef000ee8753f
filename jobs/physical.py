"""How a column lies in a Parquet file, how Spark reads it, and into which types of a contract it goes without loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from expectations.contract import UTC_TIME

NANOSECONDS = ("timestamp_ns", "timestamp_ntz_ns")  # Spark has no such type: it reads the number
_EXACT_IN_DOUBLE = 15  # decimal digits that a double keeps
_SQL_TYPES = {
    pa.float64(): "double",
    pa.int64(): "bigint",
    pa.int32(): "int",
    pa.string(): "string",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    UTC_TIME: "timestamp",
}
_WHOLE = ("tinyint", "smallint", "int", "bigint")


@dataclass(frozen=True)
class Physical:
    """One column of a Parquet file. `kind` is the Spark type it is read as, one of NANOSECONDS, or None: unreadable."""

    name: str
    kind: str | None
    told: str

    @property
    def read_as(self) -> str:
        """The Spark type to ask the Parquet reader for."""
        if self.kind is None:
            raise ValueError(f"column {self.name} cannot be read")
        return "bigint" if self.kind in NANOSECONDS else self.kind

    def value(self, column: str) -> str:
        """SQL of its value, where `column` is what was read."""
        if self.kind == "timestamp_ns":
            return f"timestamp_micros({column} DIV 1000)"
        if self.kind == "timestamp_ntz_ns":
            return f"CAST(timestamp_micros({column} DIV 1000) AS TIMESTAMP_NTZ)"  # the session's zone is UTC
        return column

    def converted(self, column: str, wanted: pa.DataType) -> str | None:
        """SQL of its value as the contract's type; None where that could lose or invent something."""
        if self.kind == "void":
            return f"CAST({column} AS {_sql_type(wanted)})"
        if self.kind in _without_loss(wanted):
            return f"CAST({self.value(column)} AS {_sql_type(wanted)})"
        return None


def _sql_type(wanted: pa.DataType) -> str:
    """Not by pyspark's own translation: inspection runs in threads, while Spark is being imported."""
    return _SQL_TYPES[wanted]


def _without_loss(wanted: pa.DataType) -> tuple[str, ...]:
    """Kinds that go into `wanted` without loss. A time without zone, or a number as a code, is a guess, so it is not."""
    decimals = (f"decimal({p},{s})" for p in range(1, _EXACT_IN_DOUBLE + 1) for s in range(p + 1))
    more = {
        "double": ("float", *_WHOLE, *decimals),
        "bigint": _WHOLE,
        "int": _WHOLE[:3],
        "timestamp": ("timestamp_ns",),
    }
    name = _sql_type(wanted)
    return (name, *more.get(name, ()))


def told(wanted: pa.DataType) -> str:
    """A contract's type in the words of `Physical.told`."""
    return "timestamp in UTC" if pa.types.is_timestamp(wanted) else _sql_type(wanted)


def columns_of(schema: Any) -> tuple[Physical, ...]:
    """The columns of a `pyarrow.parquet.ParquetSchema`. What pyarrow notes of its own types is not looked at."""
    found: dict[str, Physical] = {}
    for i in range(len(schema)):
        column = schema.column(i)
        if column.path == column.name:
            found[column.name] = _flat(column)
        else:
            name = column.path.split(".")[0]
            found[name] = Physical(name, None, "nested column")
    return tuple(found.values())


def _flat(column: Any) -> Physical:
    logical = json.loads(column.logical_type.to_json())
    kind = _LOGICAL[logical["Type"]](column, logical) if logical["Type"] in _LOGICAL else None
    said = logical["Type"] if logical["Type"] != "None" else column.physical_type
    words = {"timestamp": "timestamp in UTC", "timestamp_ns": "timestamp in UTC, in nanoseconds"}
    words |= {"timestamp_ntz": "timestamp without time zone", "timestamp_ntz_ns": "timestamp without time zone"}
    return Physical(column.name, kind, words.get(str(kind), "nothing but nulls" if kind == "void" else kind or said))


def _timestamp(_: Any, logical: dict[str, Any]) -> str:
    kind = "timestamp" if logical["isAdjustedToUTC"] else "timestamp_ntz"
    return f"{kind}_ns" if logical["timeUnit"] == "nanoseconds" else kind


def _integer(_: Any, logical: dict[str, Any]) -> str:
    wider = {8: "smallint", 16: "int", 32: "bigint", 64: "decimal(20,0)"}
    same = {8: "tinyint", 16: "smallint", 32: "int", 64: "bigint"}
    return (same if logical["isSigned"] else wider)[logical["bitWidth"]]


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
    "Decimal": lambda _, logical: f"decimal({logical['precision']},{logical['scale']})",
    "Int": _integer,
    "Timestamp": _timestamp,
}
