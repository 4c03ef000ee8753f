"""Housekeeping leaves the rows alone that are to be kept, and the versions that manifests name."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from expectations.contract import Zone
from expectations.tables import DEMAND_FORECAST, JOB_RUNS, SALES, TABLES
from jobs import housekeeping
from jobs.delta_reader import read_partitions, read_version
from jobs.errors import JobError
from jobs.lease import LeaseTaken

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)  # the clock of `ctx`
DAY = timedelta(days=1)


def run_row(name, ended_at):
    return {
        "run_id": name,
        "job": "silver",
        "tenant": "acme",
        "status": "ok",
        "ended_at": ended_at,
        "date": date(2026, 1, 1),
    }


def sale(tenant, number):
    return {
        "tenant": tenant,
        "site": "A",
        "product": f"P{number}",
        "date": date(2026, 1, 5),
        "units": 1.0,
        "year": 2026,
    }


@pytest.fixture
def crowded(ctx):
    """Bronze sales in two versions: a row in one file of tenant tiny's, then one in each of 9 files of acme's."""
    for tenant, count in (("tiny", 1), ("acme", 9)):
        rows = ctx.lake.rows(SALES, [sale(tenant, n) for n in range(count)], Zone.BRONZE)
        ctx.lake.append(rows.repartition(count, "product").repartition(count), SALES, Zone.BRONZE)
    assert files(ctx)["acme"] >= housekeeping.MANY_FILES
    return ctx


def files(ctx, contract=SALES, zone=Zone.BRONZE):
    return {p.get("tenant"): p["files"] for p in read_partitions(ctx.settings, contract, zone)}


def test_many_small_files_of_a_partition_become_one(crowded):
    before = sorted(crowded.lake.read(SALES, Zone.BRONZE).collect())
    housekeeping.run(crowded)
    assert files(crowded) == {"acme": 1, "tiny": 1}
    assert sorted(crowded.lake.read(SALES, Zone.BRONZE).collect()) == before


def test_a_version_that_a_manifest_names_is_read_as_before(crowded):
    pinned = read_version(crowded.settings, SALES, Zone.BRONZE)
    housekeeping.run(crowded)
    assert read_version(crowded.settings, SALES, Zone.BRONZE) > pinned
    assert crowded.lake.read(SALES, Zone.BRONZE, version=pinned).count() == 10
    assert crowded.lake.read(SALES, Zone.BRONZE, version=pinned - 1).count() == 1


def test_a_second_run_changes_no_table(crowded):
    housekeeping.run(crowded)
    before = read_version(crowded.settings, SALES, Zone.BRONZE)
    housekeeping.run(crowded)
    # A vacuum notes its begin and its end in the log, whatever it finds.
    assert read_version(crowded.settings, SALES, Zone.BRONZE) == before + 2


def test_a_table_from_before_the_rule_gets_it(crowded):
    place = crowded.settings.place(SALES, Zone.BRONZE)
    crowded.spark.sql(
        f"ALTER TABLE delta.`{place}` SET TBLPROPERTIES ('delta.logRetentionDuration' = 'interval 9 days')"
    )
    housekeeping.run(crowded)
    with crowded.lake.owned(SALES, Zone.BRONZE) as table:
        assert table.detail().collect()[0].properties["delta.logRetentionDuration"] == "interval 400 days"


def test_only_rows_older_than_their_retention_are_deleted(ctx):
    kept = JOB_RUNS.retention_days
    rows = [run_row("old", NOW - (kept + 1) * DAY), run_row("edge", NOW - kept * DAY), run_row("new", NOW)]
    ctx.lake.append(ctx.lake.rows(JOB_RUNS, rows), JOB_RUNS)
    housekeeping.run(ctx)
    assert {r.run_id for r in ctx.lake.read(JOB_RUNS).collect()} == {"edge", "new"}
    assert ctx.outcomes[housekeeping.EVERYONE].rows == 1


@pytest.mark.parametrize(
    ("contract", "where"),
    [
        (JOB_RUNS, "ended_at < TIMESTAMP'2025-01-26 05:00:00+00:00'"),
        (DEMAND_FORECAST, None),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_the_retention_goes_by_the_contract_s_own_time(contract, where):
    assert housekeeping.expired_where(contract, NOW) == where


def test_a_file_that_no_kept_version_needs_is_removed_and_a_younger_one_stays(crowded):
    folder = Path(crowded.settings.place(SALES, Zone.BRONZE)) / "tenant=acme" / "year=2026"
    left = {days: folder / f"part-left-by-a-crash-{days}.parquet" for days in (399, 401)}
    for days, path in left.items():
        path.write_bytes(b"x")
        os.utime(path, (time.time() - days * 86400,) * 2)
    housekeeping.run(crowded)
    assert {days: path.exists() for days, path in left.items()} == {399: True, 401: False}


def test_a_table_in_use_is_named_and_the_others_are_done(crowded, monkeypatch):
    crowded.lake.append(crowded.lake.rows(JOB_RUNS, [run_row("old", NOW - 500 * DAY)]), JOB_RUNS)
    keep = housekeeping._keep

    def taken(ctx, contract, zone):
        if contract is SALES:
            raise LeaseTaken("table-bronze-sales is being written by process 7")
        return keep(ctx, contract, zone)

    monkeypatch.setattr(housekeeping, "_keep", taken)
    with pytest.raises(JobError, match=r"1 tables.*bronze/sales: .*process 7"):
        housekeeping.run(crowded)
    assert crowded.lake.read(JOB_RUNS).count() == 0


def test_every_contract_is_kept():
    assert {c.name for c, _ in housekeeping.tables()} == set(TABLES.by_name)
