"""A column goes into a contract's type only where nothing is lost and nothing is guessed."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.contract import UTC_TIME
from jobs.physical import columns_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

TYPES = [  # as written, the kind found, the contract's types it goes into
    (pa.array([1.5], pa.float64()), "double", {"double"}),
    (pa.array([1.5], pa.float32()), "float", {"double"}),
    (pa.array([1], pa.int8()), "tinyint", {"double", "int", "bigint"}),
    (pa.array([1], pa.uint16()), "int", {"double", "int", "bigint"}),
    (pa.array([1], pa.int32()), "int", {"double", "int", "bigint"}),
    (pa.array([1], pa.uint32()), "bigint", {"double", "bigint"}),
    (pa.array([1], pa.int64()), "bigint", {"double", "bigint"}),
    (pa.array([1], pa.uint64()), "decimal(20,0)", set()),
    (pa.array([Decimal("1.25")], pa.decimal128(10, 2)), "decimal(10,2)", {"double"}),
    (pa.array([Decimal("1.25")], pa.decimal128(16, 2)), "decimal(16,2)", set()),
    (pa.array(["x"]), "string", {"string"}),
    (pa.array(["x"], pa.large_string()), "string", {"string"}),
    (pa.array(["x"]).dictionary_encode(), "string", {"string"}),
    (pa.array([b"x"]), "binary", set()),
    (pa.array([True]), "boolean", {"boolean"}),
    (pa.array([date(2026, 3, 1)]), "date", {"date"}),
    (pa.array([date(2026, 3, 1)], pa.date64()), "date", {"date"}),
    (pa.array([NOON], pa.timestamp("s", "UTC")), "timestamptz", {"timestamptz"}),
    (pa.array([NOON], pa.timestamp("ms", "Europe/Istanbul")), "timestamptz", {"timestamptz"}),
    (pa.array([NOON], pa.timestamp("ns", "UTC")), "timestamptz_ns", {"timestamptz"}),
    (pa.array([NOON.replace(tzinfo=None)], pa.timestamp("us")), "timestamp", set()),
    (pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ns")), "timestamp_ns", set()),
    (pa.array([1], pa.time64("us")), None, set()),
    (pa.array([[1]]), None, set()),
    (pa.array([{"a": 1}]), None, set()),
    (pa.nulls(1), "void", {"double", "bigint", "int", "string", "boolean", "date", "timestamptz"}),
]
WANTED = {
    "double": pa.float64(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": UTC_TIME,
}


@pytest.mark.parametrize(("values", "kind", "goes_into"), TYPES, ids=[str(t[0].type) for t in TYPES])
def test_a_column_goes_into_the_types_that_hold_it(values, kind, goes_into):
    file = io.BytesIO()
    pq.write_table(pa.table({"x": values}), file)
    (column,) = columns_of(pq.ParquetFile(file).schema)
    assert (column.name, column.kind) == ("x", kind)
    assert {name for name, wanted in WANTED.items() if column.goes_into(wanted)} == goes_into


def test_a_time_in_an_unknown_zone_is_not_read():
    file = io.BytesIO()
    naive = pa.table({"x": pa.array([NOON.replace(tzinfo=None)], pa.timestamp("us"))})
    pq.write_table(naive, file, use_deprecated_int96_timestamps=True)
    (column,) = columns_of(pq.ParquetFile(file).schema)
    assert (column.kind, column.told) == (None, "INT96")


def test_two_columns_of_one_name_are_two():
    file = io.BytesIO()
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]), file)
    assert [c.name for c in columns_of(pq.ParquetFile(file).schema)] == ["x", "x"]


def test_a_nested_column_is_one_whatever_its_leaves():
    file = io.BytesIO()
    pq.write_table(pa.table({"x": pa.array([{"a": 1, "b": 2}])}), file)
    assert [(c.name, c.told) for c in columns_of(pq.ParquetFile(file).schema)] == [("x", "nested column")]
