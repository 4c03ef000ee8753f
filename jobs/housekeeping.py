"""Housekeeping: joins small files, deletes rows past their retention, removes files that no kept version needs.

What lands stays in the landing bucket, and MLflow keeps its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.tables import TABLES
from jobs.context import Context
from jobs.delta_reader import read_partitions
from jobs.errors import JobError
from jobs.lake import kept_days, kept_properties

if TYPE_CHECKING:
    from delta.tables import DeltaTable

MANY_FILES = 8  # in one partition: below that, joining them costs more than it saves
SMALL_BYTES = 32 << 20  # files of this mean size or more are left as they are
EVERYONE = "*"  # stands for the tenant in job_runs: tables are shared


def run(ctx: Context) -> None:
    """Keep every table. A table that cannot be kept is named at the end, when the others are done."""
    deleted, failed = 0, []
    for contract, zone in tables():
        if not ctx.lake.exists(contract, zone):
            continue
        try:
            deleted += _keep(ctx, contract, zone)
        except Exception as error:  # noqa: BLE001 - the other tables go on; named below
            failed.append(f"{zone}/{contract.name}: {str(error).splitlines()[0][:200]}")
    if failed:
        raise JobError(f"housekeeping could not keep {len(failed)} tables, run it again: {'; '.join(failed)}")
    ctx.done(EVERYONE, deleted)


def tables() -> Iterator[tuple[Contract, Zone]]:
    """Every table of the lake: a landed contract has one in bronze and one in silver."""
    for contract in TABLES.contracts:
        for zone in (Zone.BRONZE, Zone.SILVER) if contract.landed else (contract.zone,):
            yield contract, zone


def _keep(ctx: Context, contract: Contract, zone: Zone) -> int:
    """Retention, compaction, vacuum of one table under its lease; returns the rows deleted."""
    with ctx.lake.owned(contract, zone) as table:
        expired = _delete_expired(ctx, table, contract)
        crowded = [p for p in read_partitions(ctx.settings, contract, zone) if is_crowded(p)]
        if crowded:
            _compact(table, contract, zone, crowded)
        _let_versions_be_kept(ctx, table, contract, zone)
        table.vacuum(kept_days(contract, zone) * 24.0)
    if expired or crowded:
        joined = sum(p["files"] for p in crowded)
        ctx.progress(f"{zone}/{contract.name}: {expired} expired rows deleted, {joined} small files joined")
    return expired


def is_crowded(partition: dict[str, Any]) -> bool:
    """Whether a partition (see read_partitions) has many small files."""
    return partition["files"] >= MANY_FILES and partition["bytes"] < partition["files"] * SMALL_BYTES


def expired_where(contract: Contract, now: datetime) -> str | None:
    """SQL of the rows older than the contract's retention, by event time or else known time; None keeps all."""
    column = contract.event_time or contract.known_time
    if contract.retention_days is None or column is None:
        return None
    oldest = now - timedelta(days=contract.retention_days)
    if pa.types.is_date(contract.by_name[column].type):
        return f"{column} < DATE'{oldest:%Y-%m-%d}'"
    return f"{column} < TIMESTAMP'{oldest:%Y-%m-%d %H:%M:%S}+00:00'"


def _delete_expired(ctx: Context, table: DeltaTable, contract: Contract) -> int:
    where = expired_where(contract, ctx.now())
    if where is None:
        return 0
    rows = table.toDF().where(where).count()
    if rows:
        table.delete(where)
    return int(rows)


def _compact(table: DeltaTable, contract: Contract, zone: Zone, crowded: list[dict[str, Any]]) -> None:
    columns = contract.partitions_in(zone)
    optimize = table.optimize()
    if columns:
        optimize = optimize.where(" OR ".join(_is_partition(p, columns) for p in crowded))
    optimize.executeCompaction()


def _is_partition(partition: dict[str, Any], columns: tuple[str, ...]) -> str:
    quoted = {c: partition[c].replace("\\", "\\\\").replace("'", "\\'") for c in columns}
    return "(" + " AND ".join(f"{c} = '{value}'" for c, value in quoted.items()) + ")"


def _let_versions_be_kept(ctx: Context, table: DeltaTable, contract: Contract, zone: Zone) -> None:
    """Set the rule on a table that was created before it."""
    detail = table.detail().select("properties", "location").collect()[0]
    wanted = kept_properties(contract, zone)
    if not wanted.items() <= detail.properties.items():
        pairs = ", ".join(f"'{name}' = '{value}'" for name, value in wanted.items())
        ctx.spark.sql(f"ALTER TABLE delta.`{detail.location}` SET TBLPROPERTIES ({pairs})")
