"""A frame becomes a table only by its contract, and a write is there once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from deltalake import write_deltalake

from expectations.tables import PROGRESS
from jobs.delta_reader import read_rows
from jobs.errors import JobError

AT = datetime(2026, 1, 1, tzinfo=UTC)


def row(**more):
    return {"reader": "silver", "tenant": "acme", "contract": "sales", "batch": 1, "updated_at": AT, **more}


def test_reading_a_table_that_does_not_exist_gives_no_rows(ctx):
    assert ctx.lake.read(PROGRESS).collect() == []


def test_a_frame_with_an_undeclared_column_is_refused_by_name(ctx):
    frame = ctx.lake.rows(PROGRESS, [row()]).selectExpr("*", "1 AS colour")
    with pytest.raises(JobError, match="colour is not declared"):
        ctx.lake.append(frame, PROGRESS)


def test_a_frame_with_another_type_is_refused_by_column(ctx):
    frame = ctx.lake.rows(PROGRESS, [row()]).selectExpr("reader", "tenant", "contract", "'x' AS batch", "updated_at")
    with pytest.raises(JobError, match="batch is StringType"):
        ctx.lake.append(frame, PROGRESS)


def test_the_same_transaction_written_twice_is_there_once(ctx):
    for _ in range(2):
        ctx.lake.append(ctx.lake.rows(PROGRESS, [row()]), PROGRESS, txn=("test", 7))
    assert ctx.lake.read(PROGRESS).count() == 1


def test_upsert_updates_the_row_of_the_same_key(ctx):
    for batch in (1, 2):
        ctx.lake.upsert(ctx.lake.rows(PROGRESS, [row(batch=batch)]), PROGRESS)
    assert [r.batch for r in ctx.lake.read(PROGRESS).collect()] == [2]


def test_replace_leaves_the_other_rows(ctx):
    ctx.lake.append(ctx.lake.rows(PROGRESS, [row(), row(tenant="other")]), PROGRESS)
    ctx.lake.replace(ctx.lake.rows(PROGRESS, [row(batch=9)]), PROGRESS, where="tenant = 'acme'")
    assert {(r.tenant, r.batch) for r in ctx.lake.read(PROGRESS).collect()} == {("acme", 9), ("other", 1)}


def test_small_tables_written_without_spark_are_what_spark_reads(ctx):
    ctx.lake.append(ctx.lake.table(PROGRESS, [row(), row(tenant="other")]), PROGRESS)
    ctx.lake.upsert(ctx.lake.table(PROGRESS, [row(batch=2), row(tenant="new")]), PROGRESS)
    ctx.lake.replace(ctx.lake.table(PROGRESS, [row(tenant="other", batch=9)]), PROGRESS, where="tenant = 'other'")
    ctx.lake.append(ctx.lake.rows(PROGRESS, [row(tenant="sparks")]), PROGRESS)
    assert {(r.tenant, r.batch) for r in ctx.lake.read(PROGRESS).collect()} == {
        ("acme", 2),
        ("new", 1),
        ("other", 9),
        ("sparks", 1),
    }


def test_a_table_of_before_a_column_is_read_with_nulls_and_takes_new_rows(ctx):
    old = ctx.lake.table(PROGRESS, [row()]).drop_columns(["updated_at"])
    write_deltalake(
        ctx.settings.place(PROGRESS, PROGRESS.zone), old, partition_by=list(PROGRESS.partitioned_by) or None
    )
    assert [r["updated_at"] for r in ctx.lake.read(PROGRESS).collect()] == [None]
    assert read_rows(ctx.settings, PROGRESS).column("updated_at").to_pylist() == [None]
    ctx.lake.append(ctx.lake.table(PROGRESS, [row(tenant="new")]), PROGRESS)
    assert {r["tenant"]: r["updated_at"] for r in read_rows(ctx.settings, PROGRESS).to_pylist()} == {
        "acme": None,
        "new": AT,
    }
    assert ctx.lake.read(PROGRESS).where("updated_at IS NOT NULL").count() == 1
