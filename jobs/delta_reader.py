"""Small tables without waiting for a JVM: reads through delta-rs, for what only looks."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.settings import Settings


def read_version(settings: Settings, contract: Contract, zone: Zone | None = None) -> int | None:
    """The newest Delta version; None where the table does not exist yet."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        place = settings.place(contract, zone)
        return DeltaTable(place, storage_options=settings.delta_rs_options).version()
    except TableNotFoundError:
        return None


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
    try:
        table = DeltaTable(settings.place(contract, zone), storage_options=settings.delta_rs_options)
    except TableNotFoundError:
        return wanted.empty_table()
    return table.to_pyarrow_table(columns=wanted.names, filters=filters)
