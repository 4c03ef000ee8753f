"""The lake: the only reader and writer of Delta tables among the jobs.

A table is created from its contract on the first write. A frame becomes a table only with exactly the columns
of the contract, which is checked here and nowhere deeper.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.settings import Settings
from expectations.tables import DEMAND_SERIES
from jobs.delta_reader import read_version
from jobs.errors import JobError
from jobs.lease import lease

if TYPE_CHECKING:
    from delta.tables import DeltaTable
    from pyarrow.fs import FileSystem
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

    Rows: TypeAlias = DataFrame | pa.Table

WRITE_WAIT_SECONDS = 600.0  # a write of one table takes seconds to minutes; a second writer waits for it


def kept_days(contract: Contract, zone: Zone) -> int:
    """For how many days a table can be read as of an earlier version: training manifests name versions.

    Not of what a night writes whole in the place of the night before: 400 days would be 400 times the table.
    """
    if contract is DEMAND_SERIES:
        return 7
    return 30 if zone is Zone.OPERATIONS else 400


def kept_properties(contract: Contract, zone: Zone) -> dict[str, str]:
    """That rule as Delta's: its defaults forget a version after 30 days and let a file go after 7."""
    names = ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration")
    return dict.fromkeys(names, f"interval {kept_days(contract, zone)} days")


def spark_schema(schema: pa.Schema) -> StructType:
    """The Spark schema of an Arrow schema (timestamps are UTC microseconds in both)."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def in_set(column: str, values: Iterable[str]) -> str:
    """SQL: `column` is one of `values`; false where there are none."""
    quoted = ", ".join("'" + v.replace("\\", "\\\\").replace("'", "\\'") + "'" for v in values)
    return f"{column} IN ({quoted})" if quoted else "false"


def loose_schema(contract: Contract, zone: Zone) -> pa.Schema:
    """The schema of the contract with every column nullable, as the tables are stored."""
    return pa.schema([field.with_nullable(True) for field in contract.schema_in(zone)])


@dataclass(frozen=True)
class ArrowTable:
    """Writes what Arrow holds or streams, without Spark: a commit of delta-rs takes milliseconds, one of Spark's seconds."""

    place: str
    options: dict[str, str]
    files: FileSystem

    def append(self, rows: pa.Table | pa.RecordBatchReader, txn: tuple[str, int] | None) -> None:
        from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake

        if txn:
            last = DeltaTable(self.place, storage_options=self.options).transaction_version(txn[0])
            if last is not None and last >= txn[1]:
                return
        write_deltalake(
            self.place,
            rows,
            mode="append",
            storage_options=self.options,
            writer_properties=WriterProperties(compression="ZSTD"),
            commit_properties=CommitProperties(app_transactions=[Transaction(*txn)] if txn else None),
        )

    def replace(self, rows: pa.Table, where: str) -> None:
        from deltalake import write_deltalake

        write_deltalake(self.place, rows, mode="overwrite", predicate=where, storage_options=self.options)

    def upsert(self, rows: pa.Table, keys: Sequence[str]) -> None:
        """Put in place of all rows near the keys: the others of them, as they were, and `rows`.

        Not by delta-rs's merge, which writes texts as views: Arrow cannot compare these, and no filter is ever
        answered again.
        """
        import duckdb
        from deltalake import DeltaTable

        near = " AND ".join(_one_of(key, rows[key]) for key in keys)
        same = " AND ".join(f"old.{key} IS NOT DISTINCT FROM new.{key}" for key in keys)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            table = DeltaTable(self.place, storage_options=self.options)
            connection.register("stored", table.to_pyarrow_dataset(filesystem=self.files))
            connection.register("new", rows)
            others = connection.sql(f"SELECT * FROM (FROM stored WHERE {near}) AS old ANTI JOIN new ON {same}")  # noqa: S608 - keys of the contract
            kept = others.to_arrow_table().cast(rows.schema)
        self.replace(pa.concat_tables([kept, rows]), near)


def _one_of(column: str, values: pa.ChunkedArray) -> str:
    """SQL, as delta-rs and DuckDB take it: `column` is one of `values`, texts or whole numbers or null."""
    given = values.unique().to_pylist()
    texts = ["'" + v.replace("'", "''") + "'" if isinstance(v, str) else str(v) for v in given if v is not None]
    terms = [f"{column} IN ({', '.join(texts)})"] if texts else []
    return f"({' OR '.join([*terms, *([f'{column} IS NULL'] if None in given else [])])})"


@dataclass(frozen=True)
class Lake:
    """Reads and writes the tables of the catalogue, at the places that `settings` names.

    What is given as a Spark frame is written by Spark, what is given as Arrow by delta-rs: the rows that ingest takes,
    and the platform's notes of itself. `start` gives the Spark session; it is asked for only when it is needed.
    """

    start: Callable[[], SparkSession]
    settings: Settings

    @property
    def spark(self) -> SparkSession:
        return self.start()

    def place(self, contract: Contract, zone: Zone | None = None) -> str:
        return self.settings.place(contract, zone).replace("s3://", "s3a://")

    def exists(self, contract: Contract, zone: Zone | None = None) -> bool:
        return self.version(contract, zone) is not None

    def _create(self, contract: Contract, zone: Zone) -> None:
        from deltalake import DeltaTable as Table

        # Delta enforces NOT NULL by failing the whole write with a stack trace; the rules tell it better, so every
        # column is nullable in storage.
        partitions = contract.partitions_in(zone)
        # Statistics on keys and times alone: 57 columns of them make every commit slow. None on partitions, which
        # Delta refuses. On the batch in bronze, since silver looks for what is new by it.
        batch = ("batch",) if zone is Zone.BRONZE else ()
        stats = [c for c in (*contract.keys, contract.event_time, contract.known_time, *batch) if c]
        kept = [c for c in dict.fromkeys(stats) if c not in partitions]
        Table.create(
            self.settings.place(contract, zone),
            loose_schema(contract, zone),
            mode="ignore",
            partition_by=list(partitions),
            configuration={"delta.dataSkippingStatsColumns": ",".join(kept), **kept_properties(contract, zone)},
            storage_options=self.settings.delta_rs_options,
        )

    def _widen(self, contract: Contract, zone: Zone) -> None:
        """Give a table of an earlier version the columns that the contract has had since; old rows have none."""
        from deltalake import DeltaTable as Table
        from deltalake import Field

        table = Table(self.settings.place(contract, zone), storage_options=self.settings.delta_rs_options)
        there = {f.name for f in table.schema().fields}
        lacking = [f for f in loose_schema(contract, zone) if f.name not in there]
        if lacking:
            table.alter.add_columns([Field.from_arrow(f) for f in lacking])

    def read(self, contract: Contract, zone: Zone | None = None, version: int | None = None) -> DataFrame:
        """The table as it is, or as of a Delta `version`; an empty frame where it does not exist yet."""
        zone = zone or contract.zone
        if not self.exists(contract, zone):
            return self.spark.createDataFrame([], spark_schema(contract.schema_in(zone)))
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        rows = reader.load(self.place(contract, zone))
        lacking = [f for f in spark_schema(contract.schema_in(zone)) if f.name not in rows.columns]
        return rows.selectExpr("*", *(f"CAST(NULL AS {f.dataType.simpleString()}) AS {f.name}" for f in lacking))

    def version(self, contract: Contract, zone: Zone | None = None) -> int | None:
        """The newest Delta version; None where the table does not exist yet."""
        return read_version(self.settings, contract, zone)

    def conform(self, frame: DataFrame, contract: Contract, zone: Zone) -> DataFrame:
        """`frame` with the contract's columns in order; raises JobError where names or types differ."""
        wanted = spark_schema(contract.schema_in(zone))
        given = {f.name: f.dataType for f in frame.schema.fields}
        differing = [f"{f.name} is {given.get(f.name, 'missing')}" for f in wanted if given.get(f.name) != f.dataType]
        unknown = sorted(set(given) - {f.name for f in wanted})
        if differing or unknown:
            raise JobError(
                f"{contract.name} in {zone}: the frame is not of the contract: "
                + "; ".join([*differing, *(f"{name} is not declared" for name in unknown)])
            )
        return frame.select(*(f.name for f in wanted))

    def table(self, contract: Contract, records: Sequence[dict[str, Any]], zone: Zone | None = None) -> pa.Table:
        """An Arrow table of the contract from plain records; a missing key is null."""
        schema = loose_schema(contract, zone or contract.zone)
        return pa.Table.from_pylist([{n: r.get(n) for n in schema.names} for r in records], schema=schema)

    def rows(self, contract: Contract, records: Sequence[dict[str, Any]], zone: Zone | None = None) -> DataFrame:
        """The same as a Spark frame."""
        return self.spark.createDataFrame(self.table(contract, records, zone))

    def append(
        self,
        rows: Rows | pa.RecordBatchReader,
        contract: Contract,
        zone: Zone | None = None,
        txn: tuple[str, int] | None = None,
    ) -> None:
        """Add rows. With `txn` (application, number) a repeated write of the same number is skipped."""
        zone = zone or contract.zone
        with self._writing(contract, zone) as table:
            if isinstance(rows, pa.Table | pa.RecordBatchReader):
                table.append(rows, txn)
                return
            writer = self.conform(rows, contract, zone).write.format("delta").mode("append")
            if txn:
                writer = writer.option("txnAppId", txn[0]).option("txnVersion", txn[1])
            writer.save(self.place(contract, zone))

    def replace(self, rows: Rows, contract: Contract, zone: Zone | None = None, *, where: str) -> None:
        """Put `rows` in the place of those that satisfy the SQL condition `where`, in one commit."""
        zone = zone or contract.zone
        with self._writing(contract, zone) as table:
            if isinstance(rows, pa.Table):
                table.replace(rows, where)
                return
            frame = self.conform(rows, contract, zone)
            # Else each task writes a file into each partition that it has a row of: with 300 tenants, some 10,000.
            if partitions := contract.partitions_in(zone):
                frame = frame.hint("rebalance", *partitions)
            writer = frame.write.format("delta").mode("overwrite")
            writer.option("replaceWhere", where).save(self.place(contract, zone))

    def upsert(self, rows: Rows, contract: Contract, zone: Zone | None = None) -> None:
        """Insert rows, or update those with the same keys."""
        from delta.tables import DeltaTable

        zone = zone or contract.zone
        with self._writing(contract, zone) as table:
            if isinstance(rows, pa.Table):
                table.upsert(rows, contract.keys)
                return
            on = " AND ".join(f"old.{k} <=> new.{k}" for k in contract.keys)
            new = self.conform(rows, contract, zone).alias("new")
            stored = DeltaTable.forPath(self.spark, self.place(contract, zone)).alias("old")
            stored.merge(new, on).whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

    @contextmanager
    def _writing(self, contract: Contract, zone: Zone) -> Iterator[ArrowTable]:
        """Hold the lease of the table, which is created first where it is missing."""
        with lease(self.settings, f"table-{zone}-{contract.name}", WRITE_WAIT_SECONDS):
            if not self.exists(contract, zone):
                self._create(contract, zone)
            self._widen(contract, zone)
            place = self.settings.place(contract, zone)
            yield ArrowTable(place, self.settings.delta_rs_options, self.settings.arrow_files(place))

    @contextmanager
    def owned(self, contract: Contract, zone: Zone) -> Iterator[DeltaTable]:
        """The Delta table itself under its lease, for what is no write of rows: compaction, vacuum, retention."""
        from delta.tables import DeltaTable

        with self._writing(contract, zone):
            yield DeltaTable.forPath(self.spark, self.place(contract, zone))

    def versions(self, tables: Iterable[tuple[Contract, Zone]]) -> str:
        """Delta versions of `tables` as JSON, for the rows that were made from them."""
        found = {f"{zone}/{contract.name}": self.version(contract, zone) for contract, zone in tables}
        return json.dumps({name: v for name, v in found.items() if v is not None}, sort_keys=True)
