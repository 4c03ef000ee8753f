"""Silver: every known version of each key, so that "as known at TIME" is a filter and the current row is one.

A touched partition (tenant, year) is computed anew from bronze and put in place in one commit: the same bronze
always gives the same silver, whatever was interrupted. Only partitions with new bronze rows are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from expectations.contract import Contract, Zone
from expectations.tables import PROGRESS, TABLES
from jobs import doors
from jobs.context import Context
from jobs.delta_reader import read_rows
from jobs.demand_settings import settled
from jobs.lake import in_set
from models.demand.arrays import day

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

READER = "silver"
# Tenant to the years touched; {None} for a table without event time.
Touched = dict[str, set[int | None]]


def run(ctx: Context) -> None:
    """Bring the new bronze rows of every landed table into silver; a tenant whose door blocks keeps its last good."""
    rows: dict[str, int] = dict.fromkeys(ctx.tenants, 0)
    for contract in TABLES.landed:
        touched, last_batch = _touched(ctx, contract)
        if touched:
            ctx.progress(f"silver {contract.name}: {len(touched)} tenants")
            for tenant, count in _bring_over(ctx, contract, touched, last_batch).items():
                rows[tenant] += count
    _stop_stale(ctx)
    ctx.table_versions = ctx.lake.versions((c, Zone.BRONZE) for c in TABLES.landed)
    for tenant, count in rows.items():
        ctx.done(tenant, count)


def versions(bronze: DataFrame, contract: Contract) -> DataFrame:
    """Every known version of each key in `bronze`, with the columns of silver.

    A version is known from its `available_at` until the next one's. What a plant declares of the past holds for
    the first that landed of a key; a later landing that differs cannot have been known before it landed. A row
    that repeats what was known is no version; of two rows of one key known at the same moment the last landed
    counts.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    columns = [c.name for c in contract.columns_in(Zone.SILVER)]
    values = [c.name for c in contract.columns if c.name not in (*contract.keys, "available_at")]
    key = Window.partitionBy(*contract.keys)
    landed_order = (F.col("batch").desc(), F.col("ingested_at").desc(), F.col("object_key").desc())
    in_time = key.orderBy("available_at")
    return (
        bronze.withColumn("_first", F.min("batch").over(key))
        .withColumn(
            "available_at",
            F.expr("IF(batch = _first, available_at, greatest(available_at, ingested_at))"),
        )
        .withColumn(
            "_rank",
            F.row_number().over(
                Window.partitionBy(*contract.keys, "available_at").orderBy(*landed_order, F.col("row_index").desc())
            ),
        )
        .where("_rank = 1")
        .withColumn("_values", F.struct(*values))
        .withColumn("_before", F.lag("_values").over(in_time))
        .where("_before IS NULL OR NOT (_values <=> _before)")
        .withColumn("superseded_at", F.lead("available_at").over(in_time))
        .select(*columns)
    )


def as_known_at(silver: DataFrame, moment: str) -> DataFrame:
    """The rows of `silver` as they were known at `moment` (an SQL timestamp expression): one row a key."""
    return silver.where(f"available_at <= {moment} AND (superseded_at IS NULL OR superseded_at > {moment})")


def current(silver: DataFrame) -> DataFrame:
    """The latest known row of each key."""
    return silver.where("superseded_at IS NULL")


def _touched(ctx: Context, contract: Contract) -> tuple[Touched, dict[str, int]]:
    """Partitions with bronze rows that silver has not seen, and the last batch of each tenant in them."""
    done = {
        row["tenant"]: row["batch"]
        for row in read_rows(ctx.settings, PROGRESS).to_pylist()
        if row["reader"] == READER and row["contract"] == contract.name
    }
    floor = min((done.get(t, 0) for t in ctx.active), default=0)
    bronze = ctx.lake.read(contract, Zone.BRONZE).where(in_set("tenant", ctx.active)).where(f"batch > {floor}")
    year = "year" if contract.event_time else "CAST(NULL AS INT) AS year"
    touched: Touched = defaultdict(set)
    last: dict[str, int] = {}
    for row in bronze.selectExpr("tenant", year, "batch").distinct().collect():
        if row.batch > done.get(row.tenant, 0):
            touched[row.tenant].add(row.year)
            last[row.tenant] = max(row.batch, last.get(row.tenant, 0))
    return dict(touched), last


def partitions(touched: Touched) -> str:
    """SQL condition that holds in the touched partitions alone; tenants with the same years share a term."""
    by_years: dict[tuple[int | None, ...], list[str]] = defaultdict(list)
    for tenant, years in touched.items():
        by_years[tuple(sorted(years, key=str))].append(tenant)
    terms = []
    for span, tenants in by_years.items():
        given = [str(y) for y in span if y is not None]
        within = f" AND year IN ({', '.join(given)})" if given else ""
        terms.append(f"({in_set('tenant', sorted(tenants))}{within})")
    return " OR ".join(terms) or "false"


def _bring_over(ctx: Context, contract: Contract, touched: Touched, last_batch: dict[str, int]) -> dict[str, int]:
    bronze = ctx.lake.read(contract, Zone.BRONZE).where(partitions(touched))
    frame = versions(bronze, contract).persist()
    try:
        result = doors.check(ctx, frame, contract, Zone.SILVER)
        for tenant, reason in result.blocked.items():
            ctx.block(tenant, reason)
        passed = {t: years for t, years in touched.items() if t not in result.blocked}
        if passed:
            ctx.lake.replace(
                frame.where(in_set("tenant", sorted(passed))), contract, Zone.SILVER, where=partitions(passed)
            )
            _note_progress(ctx, contract, {t: last_batch[t] for t in passed})
        return {t: result.rows.get(t, 0) for t in passed}
    finally:
        frame.unpersist()


def _note_progress(ctx: Context, contract: Contract, batches: dict[str, int]) -> None:
    # After the commit of silver: a crash in between brings the same partitions over once more, to the same rows.
    now = ctx.now()
    records = [
        {"reader": READER, "tenant": t, "contract": contract.name, "batch": b, "updated_at": now}
        for t, b in sorted(batches.items())
    ]
    ctx.lake.upsert(ctx.lake.table(PROGRESS, records), PROGRESS)


def _stop_stale(ctx: Context) -> None:
    """Block the tenants whose newest known day is too old for the night: a forecast would pretend to know."""
    for contract in TABLES.landed:
        if contract.stale_after_days is None:
            continue
        newest = _newest_days(ctx, contract, ctx.active)  # first: a tenant whose settings cannot be is active no more
        for tenant, reason in doors.check_fresh(ctx, contract, newest, ctx.active).blocked.items():
            ctx.block(tenant, reason)


def _newest_days(ctx: Context, contract: Contract, tenants: Iterable[str]) -> dict[str, date]:
    event = contract.event_time
    silver = ctx.lake.read(contract, Zone.SILVER).where(in_set("tenant", tenants))
    until = silver.where(f"{event} <= DATE'{ctx.night}'")
    newest = {r[0]: r[1] for r in until.groupBy("tenant").agg({str(event): "max"}).collect()}
    periods = {tenant: given.counts for tenant, given in settled(ctx, newest).items()}
    # a week's row tells all of it, whatever day dates it
    return {t: min(period.end(period.of(day(newest[t]))), ctx.night) for t, period in periods.items()}
