"""One object is split piece by piece: good rows as the contract has them, bad ones with all that is wrong with them."""

from __future__ import annotations

import errno
import hashlib
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.contract import Zone
from expectations.manifest import parse_data_key
from expectations.tables import QUARANTINE, SALES
from jobs import split as split_module
from jobs.errors import JobError
from jobs.inspection import Inspected, damaged, is_damage
from jobs.lake import loose_schema
from jobs.landing import Body, LandedObject
from jobs.physical import columns_of
from jobs.split import Split, SplitRows, streamed_schema

KEY = "acme/gebze/sales/gw-1-0000000001.parquet"
NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
KNOWN = datetime(2026, 3, 1, tzinfo=UTC)


def sales(*units: Any, **more: Any) -> pa.Table:
    days = [date(2026, 2, 1 + i) for i in range(len(units))]
    given = {"site": "gebze", "product": "P1", "available_at": KNOWN}
    columns = {f.name: pa.array([given.get(f.name)] * len(units), f.type) for f in SALES.landing_schema}
    return pa.table({**columns, "date": pa.array(days), "units": pa.array(units), **more})


def landed(table: pa.Table, key: str = KEY) -> tuple[bytes, Inspected]:
    file = io.BytesIO()
    pq.write_table(table, file)
    content = file.getvalue()
    return content, Inspected(
        object=LandedObject(key, "etag", len(content), NOW.isoformat()),
        sha256=hashlib.sha256(content).hexdigest(),
        rows=table.num_rows,
        name=parse_data_key(key),
        contract=SALES,
        columns=columns_of(pq.ParquetFile(file).schema),
    )


@pytest.fixture
def split():
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Europe/Istanbul'")  # whatever the machine has: times are told in UTC
        yield Split(connection, SALES, 7, NOW, "run-1")


def good(split: Split, table: pa.Table) -> list[dict[str, Any]]:
    content, what = landed(table)
    return rows(split.good(body_of(content, what), what), SALES, Zone.BRONZE)


def bad(split: Split, table: pa.Table, taken: pa.Array | None = None) -> list[dict[str, Any]]:
    content, what = landed(table)
    return rows(split.bad(body_of(content, what), what, taken), QUARANTINE, QUARANTINE.zone)


def body_of(content: bytes, what: Inspected) -> Body:
    return Body(what.object, io.BytesIO(content), what.sha256)


def rows(batches: Any, contract: Any, zone: Zone) -> list[dict[str, Any]]:
    """The rows as the table stores them."""
    streamed = pa.Table.from_batches(list(batches), schema=streamed_schema(contract, zone))
    return streamed.cast(loose_schema(contract, zone)).to_pylist()


def test_good_rows_keep_their_position_across_pieces(split, monkeypatch):
    monkeypatch.setattr(split_module, "PIECE_ROWS", 2)
    found = good(split, sales(1.0, -1.0, 3.0, 4.0, 5.0))
    assert [(r["row_index"], r["units"]) for r in found] == [(0, 1.0), (2, 3.0), (3, 4.0), (4, 5.0)]


def test_good_and_bad_rows_are_all_rows(split, monkeypatch):
    monkeypatch.setattr(split_module, "PIECE_ROWS", 3)
    table = sales(1.0, float("nan"), None, -0.0, float("inf"), 2.0, -1.0)
    positions = [r["row_index"] for r in (*good(split, table), *bad(split, table))]
    assert sorted(positions) == list(range(7))


def test_a_good_row_has_its_lineage(split):
    (row,) = good(split, sales(2.0))
    _, what = landed(sales(2.0))
    names = ("tenant", "content_hash", "object_key", "gateway", "batch", "ingested_at", "year")
    assert [row[n] for n in names] == ["acme", what.sha256, KEY, "gw-1", 7, NOW, 2026]


def test_a_bad_row_of_an_interrupted_batch_is_one_that_bronze_does_not_hold(split):
    """Whatever the rules say today: row 0 passes them, and is not in bronze."""
    found = bad(split, sales(1.0, -1.0), taken=pa.array([1], pa.int64()))
    assert [r["row_index"] for r in found] == [0]


VALUES = [  # as written, as kept in JSON
    (pa.array([float("nan")]), "NaN"),
    (pa.array([float("-inf")]), "-Infinity"),
    (pa.array([0.1], pa.float32()), 0.1),
    (pa.array([2**53 + 1]), 2**53 + 1),
    (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    (pa.array([True]), True),
    (pa.array([b"\xff\x00"]), "/wA="),
    (pa.array(['ğ "quoted"\n']), 'ğ "quoted"\n'),
    (pa.array(["x"]).dictionary_encode(), "x"),
    (pa.array([date(201, 2, 5)]), "0201-02-05"),
    (pa.array([datetime(2026, 1, 1, 0, 0, 0, 500, tzinfo=UTC)]), "2026-01-01T00:00:00.000500Z"),
    (pa.array([datetime(2026, 1, 1)], pa.timestamp("ms", "Europe/Istanbul")), "2026-01-01T00:00:00.000000Z"),
    (pa.array([datetime(2026, 1, 1)], pa.timestamp("ns")), "2026-01-01T00:00:00.000000"),
    (pa.array([-(2**63)], pa.int64()).cast(pa.timestamp("us")), -(2**63)),  # pandas' NaT, written as a value
    (pa.array([2**63 - 1], pa.int64()).cast(pa.timestamp("us", "UTC")), 2**63 - 1),
]


@pytest.mark.parametrize(("values", "kept"), VALUES, ids=[str(v[0].type) for v in VALUES])
def test_an_unknown_column_is_rescued_as_it_was(split, values, kept):
    (row,) = good(split, sales(1.0, extra=values))
    assert json.loads(row["rescued"]) == {"extra": kept}


@pytest.mark.parametrize(("values", "kept"), VALUES, ids=[str(v[0].type) for v in VALUES])
def test_a_bad_row_keeps_the_original_as_it_was(split, values, kept):
    (row,) = bad(split, sales(-1.0, extra=values))
    assert json.loads(row["original"])["extra"] == kept


def test_a_decimal_is_kept_to_its_last_digit(split):
    (row,) = good(split, sales(1.0, exact=pa.array([Decimal("12345678901234567890.123456789")])))
    assert row["rescued"] == '{"exact":12345678901234567890.123456789}'


@pytest.mark.parametrize("text", ["2.9", "7.1", "7.8", "0.07", "-0.00", "99999999999999.9"])
def test_a_decimal_becomes_the_double_that_is_written_like_it(split, text):
    price = pa.array([Decimal(text), None])
    assert [r["unit_price"] for r in good(split, sales(1.0, 2.0, unit_price=price))] == [float(text), None]


def test_names_with_quotes_harm_nothing(split):
    (row,) = good(split, sales(1.0, **{'it\'s "odd"': ["x"]}))
    assert json.loads(row["rescued"]) == {'it\'s "odd"': "x"}


CELLS = [
    ('{"units": "12 koli", "date": "dün"}', "units '12 koli', date 'dün'"),
    ('{"units": "it\'s 3"}', "units 'it's 3'"),
    ("no JSON at all", "no JSON at all"),
]


@pytest.mark.parametrize(("unread", "told"), CELLS)
def test_cells_that_the_gateway_could_not_read_are_told(split, unread, told):
    (row,) = bad(split, sales(1.0, _unread=[unread]))
    assert row["reason"] == f"The gateway could not read {told}: mend the map or the source."


def test_a_text_that_is_no_utf_8_is_damage(split):
    broken = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff"))
    with pytest.raises(pa.ArrowInvalid, match="UTF8"):
        good(split, sales(1.0, note=broken))


ODD_TIMES = [pa.array([-(2**63)]).cast(pa.timestamp(unit, "UTC")) for unit in ("ms", "us")]


@pytest.mark.parametrize("known", ODD_TIMES, ids=["ms", "us"])
def test_a_time_that_no_calendar_has_is_damage_and_not_another_time(split, known):
    with pytest.raises(pa.ArrowInvalid):
        good(split, sales(1.0, available_at=known))


def test_long_texts_are_taken_in_smaller_pieces(split, monkeypatch):
    """One text of the dictionary, in every row: what is small in the file is large where it is written out."""
    monkeypatch.setattr(split_module, "PIECE_BYTES", 3_000)
    content, what = landed(sales(*[1.0] * 7, note=["x" * 1_000] * 7))
    pieces = list(split.good(body_of(content, what), what))
    assert [p.num_rows for p in pieces] == [2, 2, 2, 1]
    assert [i for p in pieces for i in p["row_index"].to_pylist()] == list(range(7))


def test_a_row_that_failed_before_and_passes_now_says_so(split):
    (row,) = bad(split, sales(1.0), taken=pa.array([], pa.int64()))
    assert (row["rules"], row["reason"]) == (
        ["passes_now"],
        "It failed when its batch was begun, and passes now: replay it.",
    )


DAMAGE = [
    (pa.ArrowInvalid("x"), True),
    (OSError("Corrupt snappy compressed data"), True),
    (OSError(errno.ENOSPC, "No space left on device"), False),
    (pa.ArrowMemoryError("malloc"), False),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), True),
    (duckdb.ConversionException("x"), True),
    (duckdb.OutOfMemoryException("x"), False),
    (JobError("the S3 server is away"), False),
]


@pytest.mark.parametrize(("error", "is_its"), DAMAGE, ids=[type(d[0]).__name__ + str(d[1]) for d in DAMAGE])
def test_an_object_is_not_blamed_for_our_trouble(error, is_its):
    assert is_damage(error) is is_its


def test_an_error_without_words_is_told_by_its_name():
    assert "cannot be read (ValueError)" in damaged("k", ValueError()).message


def test_what_ends_a_stream_is_kept_as_it_was(split):
    """The writer tells it in its own words, over several lines."""

    class Away:
        def bodies(self, _keys: Any) -> Any:
            raise JobError("the S3 server does not answer: start it with `make up`")
            yield

    rows = SplitRows(Away(), [landed(sales(1.0))[1]], split.good)
    with pytest.raises(JobError):
        rows.reader(SALES, Zone.BRONZE).read_all()
    assert str(rows.error) == "the S3 server does not answer: start it with `make up`"


class Bucket:
    """Landing objects in memory: what is `there` under each key now."""

    def __init__(self, there: dict[str, bytes]) -> None:
        self.there = there

    def bodies(self, keys: Any) -> Any:
        for key in keys:
            content = self.there.get(key)
            if content is None:
                yield None
                continue
            landed_object = LandedObject(key, "etag", len(content), NOW.isoformat())
            yield Body(landed_object, io.BytesIO(content), hashlib.sha256(content).hexdigest())


def damaged_pages(content: bytes) -> bytes:
    return content[:40] + bytes(b ^ 0xFF for b in content[40:400]) + content[400:]


def test_after_an_object_that_cannot_be_read_no_row_is_given_and_each_such_object_is_named(split):
    keys = [KEY.replace("0001", f"000{n}") for n in range(1, 6)]
    kept = [landed(sales(*map(float, range(19))), key) for key in keys]
    spoiled = damaged_pages(kept[3][0])
    kept[3] = spoiled, Inspected(**{**vars(kept[3][1]), "sha256": hashlib.sha256(spoiled).hexdigest()})
    there = {key: content for key, (content, _) in zip(keys, kept, strict=True)}
    del there[keys[1]]
    there[keys[2]] = landed(sales(9.0))[0]
    taken = SplitRows(Bucket(there), [what for _, what in kept], split.good)
    reader = taken.reader(SALES, Zone.BRONZE)
    given = [reader.read_next_batch().num_rows]
    with pytest.raises(ValueError, match=r"vanished .*; .* overwritten .*; .* cannot be read"):
        given += [batch.num_rows for batch in reader]
    assert given == [19]
    assert {key: problem.rule for key, problem in taken.problems.items()} == {
        keys[1]: "object_there",
        keys[2]: "object_there",
        keys[3]: "object_readable",
    }
    assert "vanished" in taken.problems[keys[1]].message
    assert "overwritten" in taken.problems[keys[2]].message
