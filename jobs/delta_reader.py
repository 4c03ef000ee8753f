"""Small tables without waiting for a JVM: reads through delta-rs, for what only looks."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.settings import Settings


class Gone(LookupError):
    """A version of a table that can no longer be read; one line that names it."""


def read_version(settings: Settings, contract: Contract, zone: Zone | None = None) -> int | None:
    """The newest Delta version; None where the table does not exist yet."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        place = settings.place(contract, zone)
        return DeltaTable(place, storage_options=settings.delta_rs_options).version()
    except TableNotFoundError:
        return None


def pinned_table(settings: Settings, contract: Contract, zone: Zone, version: int, tenant: str) -> str:
    """Delta's id of the table. Raises Gone where that version, or a file of the tenant's in it, is there no more."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError
    from pyarrow import fs

    place = settings.place(contract, zone)
    try:
        table = DeltaTable(place, version=version, storage_options=settings.delta_rs_options)
    except (DeltaError, TableNotFoundError):
        newest = read_version(settings, contract, zone)
        raise Gone(f"{place}: version {version} is not there (the newest is {newest})") from None
    files = settings.arrow_files(place)
    parts = [("tenant", "=", tenant)] if "tenant" in contract.partitions_in(zone) else None
    needed = table.to_pyarrow_dataset(file_pruning_predicate=parts, filesystem=files).files
    lost = [f.path for f in files.get_file_info(needed) if f.type == fs.FileType.NotFound]
    if lost:
        raise Gone(f"{place}: version {version} has lost {len(lost)} of {len(needed)} files to vacuum, as {lost[0]}")
    return str(table.metadata().id)


def read_rows(
    settings: Settings,
    contract: Contract,
    zone: Zone | None = None,
    *,
    columns: list[str] | None = None,
    filters: list[tuple[str, str, Any]] | None = None,
) -> pa.Table:
    """Rows of the table as it is; none where it does not exist yet."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    zone = zone or contract.zone
    schema = contract.schema_in(zone)
    wanted = pa.schema([schema.field(c) for c in columns]) if columns else schema
    place = settings.place(contract, zone)
    try:
        table = DeltaTable(place, storage_options=settings.delta_rs_options)
    except TableNotFoundError:
        return wanted.empty_table()
    there = {f.name for f in table.schema().fields}
    rows = table.to_pyarrow_table(
        columns=[n for n in wanted.names if n in there], filters=filters, filesystem=settings.arrow_files(place)
    )
    for field in wanted:  # a table of an earlier version lacks the columns that the contract has had since
        if field.name not in there:
            rows = rows.append_column(field.name, pa.nulls(len(rows), field.type))
    return rows.select(wanted.names)


def read_transaction(settings: Settings, contract: Contract, zone: Zone | None, application: str) -> int | None:
    """Number of the last transaction that `application` committed to the table; None where it did none."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        table = DeltaTable(settings.place(contract, zone), storage_options=settings.delta_rs_options)
    except TableNotFoundError:
        return None
    return table.transaction_version(application)


def read_partitions(settings: Settings, contract: Contract, zone: Zone | None = None) -> list[dict[str, Any]]:
    """The partitions of the table: each one's values by column (text), with `files` and `bytes`."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    zone = zone or contract.zone
    try:
        table = DeltaTable(settings.place(contract, zone), storage_options=settings.delta_rs_options)
    except TableNotFoundError:
        return []
    columns = contract.partitions_in(zone)
    files = pa.table(table.get_add_actions(flatten=True))
    by = [f"partition.{c}" for c in columns]
    counted = files.group_by(by).aggregate([("size_bytes", "count"), ("size_bytes", "sum")])
    named = counted.rename_columns([*columns, "files", "bytes"])
    return [{k: v if k in ("files", "bytes") else str(v) for k, v in row.items()} for row in named.to_pylist()]


def query(
    settings: Settings,
    contract: Contract,
    zone: Zone | None,
    sql: str,
    values: dict[str, Any] | None = None,
    version: int | None = None,
) -> list[dict[str, Any]]:
    """Answer `sql` (DuckDB's) over the table, which it calls `rows`; `$name` in it stands for one of `values`.

    The table, or an earlier version of it, is streamed and not loaded; one that does not exist has no rows.
    """
    return Stream(settings, contract, zone, version).answer(sql, values).to_pylist()


class Stream:
    """One version of a table, opened once, for questions of which each streams the rows that it needs."""

    def __init__(
        self, settings: Settings, contract: Contract, zone: Zone | None = None, version: int | None = None
    ) -> None:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        zone = zone or contract.zone
        place = settings.place(contract, zone)
        self._schema = contract.schema_in(zone)
        self._files = settings.arrow_files(place)
        texts = {field.name for field in self._schema if field.type == pa.string()}
        self._repeated = texts & {"object_key", "content_hash", *contract.keys}  # one text for thousands of rows
        self._table: DeltaTable | None
        try:
            self._table = DeltaTable(place, version=version, storage_options=settings.delta_rs_options)
        except TableNotFoundError:
            self._table = None

    def answer(
        self, sql: str, values: dict[str, Any] | None = None, *, only: str | None = None, **tables: pa.Table
    ) -> pa.Table:
        """Answer `sql` over `rows`, which are the table's, and `tables`, by their names; as `query` does.

        Files in which no row can satisfy the condition `only` (on partitions, keys and times) are not opened.
        """
        import duckdb

        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for name, table in tables.items():
                connection.register(name, table)
            connection.register("rows", self._rows(only))
            return connection.sql(sql, params=values or {}).to_arrow_table()

    def _rows(self, only: str | None) -> Any:
        import pyarrow.dataset as ds

        if self._table is None:
            return self._schema.empty_table()
        options = ds.ParquetReadOptions(dictionary_columns=self._repeated)
        return self._table.to_pyarrow_dataset(
            filesystem=self._files, parquet_read_options=options, file_pruning_predicate=only
        )
