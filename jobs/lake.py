"""The lake: the only reader and writer of Delta tables among the jobs.

A table is created from its contract on the first write. A frame becomes a table only with exactly the columns
of the contract, which is checked here and nowhere deeper.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.settings import Settings
from jobs.delta_reader import read_version
from jobs.errors import JobError
from jobs.lease import lease

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

WRITE_WAIT_SECONDS = 600.0  # a write of one table takes seconds to minutes; a second writer waits for it


def spark_schema(schema: pa.Schema) -> StructType:
    """The Spark schema of an Arrow schema (timestamps are UTC microseconds in both)."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def in_set(column: str, values: Iterable[str]) -> str:
    """SQL: `column` is one of `values`; false where there are none."""
    quoted = ", ".join("'" + v.replace("\\", "\\\\").replace("'", "\\'") + "'" for v in values)
    return f"{column} IN ({quoted})" if quoted else "false"


@dataclass(frozen=True)
class Lake:
    """Reads and writes the tables of the catalogue with `spark`, at the places that `settings` names."""

    spark: SparkSession
    settings: Settings

    def place(self, contract: Contract, zone: Zone | None = None) -> str:
        return self.settings.place(contract, zone).replace("s3://", "s3a://")

    def exists(self, contract: Contract, zone: Zone | None = None) -> bool:
        return self.version(contract, zone) is not None

    def _create(self, contract: Contract, zone: Zone) -> None:
        from delta.tables import DeltaTable

        builder = DeltaTable.createIfNotExists(self.spark).location(self.place(contract, zone))
        # Delta enforces NOT NULL by failing the whole write with a stack trace; the rules tell it better, so every
        # column is nullable in storage.
        for field in spark_schema(contract.schema_in(zone)).fields:
            builder = builder.addColumn(field.name, field.dataType, nullable=True)
        builder = builder.partitionedBy(*contract.partitions_in(zone))
        # Statistics on keys and times alone: 57 columns of them make every commit slow.
        stats = [c for c in (*contract.keys, contract.event_time, contract.known_time) if c]
        stats = [c for c in stats if c not in contract.partitions_in(zone)]  # Delta refuses them, it needs none
        if zone is Zone.BRONZE:
            stats.append("batch")  # silver looks for what is new by it
        builder.property("delta.dataSkippingStatsColumns", ",".join(dict.fromkeys(stats))).execute()

    def read(self, contract: Contract, zone: Zone | None = None, version: int | None = None) -> DataFrame:
        """The table as it is, or as of a Delta `version`; an empty frame where it does not exist yet."""
        zone = zone or contract.zone
        if not self.exists(contract, zone):
            return self.spark.createDataFrame([], spark_schema(contract.schema_in(zone)))
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.place(contract, zone))

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

    def rows(self, contract: Contract, records: Sequence[dict[str, Any]], zone: Zone | None = None) -> DataFrame:
        """A frame of the contract from plain records; a missing key is null."""
        zone = zone or contract.zone
        schema = contract.schema_in(zone)
        loose = pa.schema([f.with_nullable(True) for f in schema])
        table = pa.Table.from_pylist([{n: r.get(n) for n in schema.names} for r in records], schema=loose)
        return self.spark.createDataFrame(table)

    def append(
        self, frame: DataFrame, contract: Contract, zone: Zone | None = None, txn: tuple[str, int] | None = None
    ) -> None:
        """Add rows. With `txn` (application, number) a repeated write of the same number is skipped by Delta."""
        zone = zone or contract.zone
        with self._writing(contract, zone):
            writer = self.conform(frame, contract, zone).write.format("delta").mode("append")
            if txn:
                writer = writer.option("txnAppId", txn[0]).option("txnVersion", txn[1])
            writer.save(self.place(contract, zone))

    def replace(self, frame: DataFrame, contract: Contract, zone: Zone | None = None, *, where: str) -> None:
        """Put `frame` in the place of the rows that satisfy the SQL condition `where`, in one commit."""
        zone = zone or contract.zone
        with self._writing(contract, zone):
            writer = self.conform(frame, contract, zone).write.format("delta").mode("overwrite")
            writer.option("replaceWhere", where).save(self.place(contract, zone))

    def upsert(self, frame: DataFrame, contract: Contract, zone: Zone | None = None) -> None:
        """Insert rows, or update those with the same keys."""
        from delta.tables import DeltaTable

        zone = zone or contract.zone
        on = " AND ".join(f"old.{k} <=> new.{k}" for k in contract.keys)
        with self._writing(contract, zone):
            new = self.conform(frame, contract, zone).alias("new")
            table = DeltaTable.forPath(self.spark, self.place(contract, zone)).alias("old")
            table.merge(new, on).whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

    @contextmanager
    def _writing(self, contract: Contract, zone: Zone) -> Iterator[None]:
        """Hold the lease of the table, which is created first where it is missing."""
        with lease(self.settings, f"table-{zone}-{contract.name}", WRITE_WAIT_SECONDS):
            if not self.exists(contract, zone):
                self._create(contract, zone)
            yield

    def versions(self, tables: Iterable[tuple[Contract, Zone]]) -> str:
        """Delta versions of `tables` as JSON, for the rows that were made from them."""
        found = {f"{zone}/{contract.name}": self.version(contract, zone) for contract, zone in tables}
        return json.dumps({name: v for name, v in found.items() if v is not None}, sort_keys=True)
