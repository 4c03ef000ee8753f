"""One landed object, split by its contract's rules: rows for bronze, and rows for quarantine.

DuckDB answers the rules' SQL over pieces of the object as Arrow reads them, so an object of any size is never whole in
memory, and what goes wrong goes wrong with one object that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from expectations.contract import UTC_TIME, Column, Contract, Rule, Severity, Zone, in_duckdb
from expectations.tables import QUARANTINE
from jobs.inspection import UNREAD, Inspected, Problem, damaged, gone, is_damage
from jobs.lake import loose_schema
from jobs.landing import Body, Landing
from jobs.physical import Physical

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CELL_READABLE = "cell_readable"
PIECE_ROWS = 1 << 17
PIECE_BYTES = 1 << 28  # of texts as they would be written out; Arrow and DuckDB know no column of 2 GiB
BUFFER_BYTES = 1 << 20
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999
PASSES_NOW = "passes_now"
TEXTS = pa.dictionary(pa.int32(), pa.string())


def blocking(contract: Contract) -> tuple[Rule, ...]:
    """The rules that send a row to quarantine on its way into bronze."""
    return tuple(r for r in contract.rules_in(Zone.BRONZE) if r.severity is Severity.BLOCKS)


def is_good(contract: Contract) -> str:
    """SQL, Spark's: the row passes every blocking rule and the gateway could read all its cells. Never null."""
    return " AND ".join([*(rule.sql for rule in blocking(contract)), f"{UNREAD} IS NULL"])


@dataclass(frozen=True)
class Split:
    """How the objects of one contract are split in one batch. Used by one thread at a time."""

    connection: DuckDBPyConnection
    contract: Contract
    batch: int
    moment: datetime
    run_id: str

    def __post_init__(self) -> None:
        self.connection.execute("SET TimeZone = 'UTC'")

    def good(self, body: Body, what: Inspected) -> Iterator[pa.RecordBatch]:
        """The object's rows for bronze, in their order. Raises what `is_damage` knows where it is damaged."""
        names = self.contract.schema_in(Zone.BRONZE).names
        passing = f"SELECT {in_duckdb(is_good(self.contract))} AS good FROM piece"  # noqa: S608 - rules of the contract
        rescuing = f"SELECT {_rescued(what)} AS rescued FROM piece"  # noqa: S608 - names are quoted
        for piece in self._pieces(body, what):
            rows = piece.select(names)
            if what.extra:
                rescued = self._answer(rescuing, piece)["rescued"].dictionary_encode()
                rows = rows.set_column(names.index("rescued"), "rescued", rescued)
            yield from rows.filter(self._answer(passing, piece)["good"]).to_batches()

    def bad(self, body: Body, what: Inspected, taken: pa.Array | None = None) -> Iterator[pa.RecordBatch]:
        """The object's rows for quarantine: every failed rule, its reason, the row as landed.

        `taken` are the positions of the rows that bronze holds, where an earlier run has split the object: whatever
        the rules are now, the others are bad. Raises as `good` does.
        """
        schema = streamed_schema(QUARANTINE, QUARANTINE.zone)
        is_bad = f"NOT ({in_duckdb(is_good(self.contract))})"
        if taken is not None:
            self.connection.register("taken", pa.table({"row_index": taken}))
            is_bad = "row_index NOT IN (SELECT row_index FROM taken)"
        made = {
            **{name: name for name in ("tenant", "content_hash", "object_key", "row_index", "gateway", "batch")},
            "contract": _text(self.contract.name),
            "rows": "1",
            **_told(self.contract),
            "original": _json(what.columns, what),
            "quarantined_at": "ingested_at",
            "replayed_at": "NULL",
            "run_id": _text(self.run_id),
        }
        columns = ", ".join(f"{made[name]} AS {name}" for name in schema.names)
        for piece in self._pieces(body, what):
            rows = self._answer(f"SELECT {columns} FROM piece WHERE {is_bad}", piece)  # noqa: S608 - as above
            yield from rows.cast(schema).to_batches()

    def _answer(self, sql: str, piece: pa.Table) -> pa.Table:
        self.connection.register("piece", piece)
        return self.connection.sql(sql).to_arrow_table()

    def _pieces(self, body: Body, what: Inspected) -> Iterator[pa.Table]:
        """The columns of bronze, UNREAD, and those of the file as `_c0`, `_c1`, ...: their names may collide with ours."""
        import numpy as np
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        texts = [c.name for c in what.columns if c.kind == "string"]
        # Buffered: else every column of a row group, which may be the whole object, is fetched at once.
        file = pq.ParquetFile(body.file, read_dictionary=texts, buffer_size=BUFFER_BYTES)
        first = 0
        for read in (small for batch in file.iter_batches(PIECE_ROWS) for small in _bounded(batch)):
            rows = read.num_rows
            given = {c.name: _as_inspected(read.column(c.name), c) for c in what.columns}
            columns = {
                **{c.name: _typed(given.get(c.name, pa.nulls(rows)), c) for c in self.contract.landing_columns},
                "tenant": pa.repeat(what.tenant, rows),  # as it is: delta-rs knows no partitions by a dictionary
                "content_hash": _repeated(what.sha256, rows),
                "object_key": _repeated(what.object.key, rows),
                "row_index": pa.array(np.arange(first, first + rows)),
                "gateway": _repeated(what.name.gateway if what.name else None, rows),
                "batch": pa.repeat(pa.scalar(self.batch, pa.int64()), rows),
                "ingested_at": pa.repeat(pa.scalar(self.moment, UTC_TIME), rows),
                "rescued": _repeated(None, rows),
                UNREAD: _text_of(given.get(UNREAD, pa.nulls(rows))),
                **{f"_c{i}": array for i, array in enumerate(given.values())},
                # A time that no calendar has is kept as its number.
                **{
                    f"_us{i}": array.cast(pa.int64())
                    for i, array in enumerate(given.values())
                    if pa.types.is_timestamp(array.type)
                },
            }
            if time := self.contract.event_time:
                columns["year"] = pc.year(columns[time]).cast(pa.int32())
            yield pa.table(columns)
            first += rows


class SplitRows:
    """Rows of several objects as `split` gives them, one object after the other, and the `problems` that were met.

    From the first object that cannot be read no row is given any more, and the end is an error: nothing of it is to be
    committed.
    """

    def __init__(
        self,
        landing: Landing,
        objects: Sequence[Inspected],
        split: Callable[[Body, Inspected], Iterator[pa.RecordBatch]],
    ) -> None:
        self.landing, self.objects, self.split = landing, objects, split
        self.problems: dict[str, Problem] = {}
        self.error: Exception | None = None  # what ended the stream, where that was no object

    def reader(self, contract: Contract, zone: Zone) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(streamed_schema(contract, zone), self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._of_all()
        except Exception as error:
            self.error = error
            raise
        if self.problems:
            raise ValueError("; ".join(problem.message for problem in self.problems.values()))

    def _of_all(self) -> Iterator[pa.RecordBatch]:
        bodies = self.landing.bodies([o.object.key for o in self.objects])
        for what, body in zip(self.objects, bodies, strict=True):
            key = what.object.key
            if body is None or body.sha256 != what.sha256:
                self.problems[key] = gone(key, there=body is not None)
                continue
            with body.file:
                try:
                    for rows in self.split(body, what):
                        if not self.problems:
                            yield rows
                except Exception as error:
                    if not is_damage(error):
                        raise
                    self.problems[key] = damaged(key, error)


def _bounded(read: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in parts whose texts, written out in every row, stay below PIECE_BYTES. Raises where a text is no UTF-8."""
    import pyarrow.compute as pc

    read.validate(full=True)
    texts = [c.dictionary for c in read.columns if pa.types.is_dictionary(c.type)]
    longest = sum(pc.max(pc.binary_length(t)).as_py() or 0 for t in texts)
    rows = max(1, min(read.num_rows, PIECE_BYTES // max(1, longest)))
    for first in range(0, read.num_rows, rows):
        yield read.slice(first, rows)


def streamed_schema(contract: Contract, zone: Zone) -> pa.Schema:
    """The schema of `contract` in `zone` with texts as dictionaries: one object's name stands in millions of rows."""
    whole = contract.partitions_in(zone)
    stored = loose_schema(contract, zone)
    return pa.schema([f if f.name in whole or f.type != pa.string() else f.with_type(TEXTS) for f in stored])


def _as_inspected(column: pa.Array, physical: Physical) -> pa.Array:
    """The column typed as Parquet notes it and not as pyarrow does; nanoseconds are cut to microseconds."""
    if pa.types.is_dictionary(column.type) and column.type.value_type == physical.arrow:
        return column
    return column.cast(physical.arrow, safe=not str(physical.kind).endswith("_ns"))


def _typed(array: pa.Array, column: Column) -> pa.Array:
    """The values as the contract has them, which inspection has found possible. Raises ArrowInvalid for an odd time."""
    import pyarrow.compute as pc

    if column.type == pa.string():
        return _text_of(array)
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.string())  # Arrow's own way to a double is one off in the last digit
    typed = array.cast(column.type, safe=False)
    if pa.types.is_timestamp(column.type):
        bounds = pc.min_max(typed.cast(pa.int64())).as_py()
        if bounds["min"] is not None and not FIRST_US <= bounds["min"] <= bounds["max"] <= LAST_US:
            raise pa.ArrowInvalid(f"column {column.name}: a time outside of the years 1 to 9999")
    return typed


def _text_of(array: pa.Array) -> pa.Array:
    return array if pa.types.is_dictionary(array.type) else array.cast(pa.string()).dictionary_encode()


def _repeated(text: str | None, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([text], pa.string()))


def _text(value: str) -> str:
    """`value` as a literal of DuckDB."""
    return "'" + value.replace("'", "''") + "'"


def _json(columns: Iterable[Physical], what: Inspected) -> str:
    """SQL of columns of the file as one JSON object, a null visible."""
    place = {c.name: i for i, c in enumerate(what.columns)}
    return f"json_object({', '.join(f'{_text(c.name)}, {_value(c, place[c.name])}' for c in columns)})"


def _rescued(what: Inspected) -> str:
    """SQL of the columns that the contract does not know as one JSON object without nulls; null where nothing is left."""
    place = {c.name: i for i, c in enumerate(what.columns)}
    # Not by json_merge_patch, which drops nulls and the last digits of decimals.
    given = ", ".join(
        f"CASE WHEN _c{place[c.name]} IS NOT NULL THEN to_json({_text(c.name)}) || ':' || to_json({_value(c, place[c.name])}) END"
        for c in what.extra
    )
    return f"nullif('{{' || concat_ws(',', {given}) || '}}', '{{}}')"


def _value(physical: Physical, place: int) -> str:
    """SQL of one value as JSON takes it: times to the microsecond, numbers to the last digit."""
    column, number = f"_c{place}", f"_us{place}"
    match physical.arrow:
        case kind if pa.types.is_floating(kind):
            # As text: JSON knows no other numbers, and a float is longer as a double.
            odd = f"CASE WHEN isnan({column}) THEN 'NaN' WHEN {column} > 0 THEN 'Infinity' ELSE '-Infinity' END"
            return f"CASE WHEN isfinite({column}) THEN CAST(CAST({column} AS VARCHAR) AS JSON) WHEN {column} IS NOT NULL THEN to_json({odd}) END"
        case kind if pa.types.is_timestamp(kind):
            told = f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%f{'Z' if kind.tz else ''}')"
            there = f"{number} BETWEEN {FIRST_US} AND {LAST_US}"
            return f"CASE WHEN {there} THEN to_json({told}) WHEN {column} IS NOT NULL THEN to_json({number}) END"
        case kind if pa.types.is_binary(kind):
            return f"base64({column})"
    return column


def _told(contract: Contract) -> dict[str, str]:
    """SQL of the names of the rules that a row failed, and of their reasons in one line."""
    cell = "cell.key || ' ''' || cell.value || ''''"
    unread = f"TRY_CAST(TRY_CAST({UNREAD} AS JSON) AS MAP(VARCHAR, VARCHAR))"
    cells = f"coalesce(array_to_string(list_transform(map_entries({unread}), lambda cell: {cell}), ', '), {UNREAD})"
    why = f"'The gateway could not read ' || {cells} || ': mend the map or the source.'"
    failed = [(f"{UNREAD} IS NOT NULL", CELL_READABLE, why)]
    passes = in_duckdb(is_good(contract))
    failed += [(passes, PASSES_NOW, _text("It failed when its batch was begun, and passes now: replay it."))]
    failed += [
        (f"NOT {in_duckdb(r.sql)}", r.name, _text(f"{', '.join(r.columns)}: {r.reason}")) for r in blocking(contract)
    ]
    names = ", ".join(f"CASE WHEN {bad} THEN {_text(name)} END" for bad, name, _ in failed)
    reasons = ", ".join(f"CASE WHEN {bad} THEN {reason} END" for bad, _, reason in failed)
    return {
        "rules": f"list_filter([{names}], lambda name: name IS NOT NULL)",
        "reason": f"concat_ws(' ', {reasons})",
    }
