"""Housekeeping leaves the rows alone that are to be kept, and the versions that manifests name."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from expectations import settings as settings_module
from expectations.contract import Zone
from expectations.tables import DEMAND_FORECAST, JOB_RUNS, SALES, TABLES
from jobs import housekeeping
from jobs.context import Context
from jobs.delta_reader import read_partitions, read_version
from jobs.errors import JobError
from jobs.lease import LeaseTaken

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEPT = JOB_RUNS.retention_days


def run_row(name, ended_at):
    return {
        "run_id": name,
        "job": "x",
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


def files(ctx):
    return {p["tenant"]: p["files"] for p in read_partitions(ctx.settings, SALES, Zone.BRONZE)}


@dataclass(frozen=True)
class Kept:
    """A lake after one housekeeping, and what was before it."""

    ctx: Context
    rows: list[Any]
    files: dict[str, int]
    version: int
    left: dict[int, Path]  # files left by a crash, by their age in days


@pytest.fixture(scope="module")
def kept(spark, tmp_path_factory):
    """Bronze sales: one file of tenant tiny's, then 9 of one row each of acme's. Job runs around their retention."""
    settings = replace(settings_module.load({}), home=tmp_path_factory.mktemp("home"), spark_memory="2g")
    ctx = Context(settings, now=lambda: NOW, progress=lambda _: None)
    ctx.__dict__["spark"] = spark
    for tenant, count in (("tiny", 1), ("acme", 9)):
        rows = ctx.lake.rows(SALES, [sale(tenant, n) for n in range(count)], Zone.BRONZE)
        ctx.lake.append(rows.repartition(count), SALES, Zone.BRONZE)
    runs = [run_row("old", NOW - (KEPT + 1) * DAY), run_row("edge", NOW - KEPT * DAY), run_row("new", NOW)]
    ctx.lake.append(ctx.lake.rows(JOB_RUNS, runs), JOB_RUNS)
    place = ctx.settings.place(JOB_RUNS)
    spark.sql(f"ALTER TABLE delta.`{place}` SET TBLPROPERTIES ('delta.logRetentionDuration' = 'interval 9 days')")
    folder = Path(ctx.settings.place(SALES, Zone.BRONZE)) / "tenant=acme" / "year=2026"
    left = {days: folder / f"part-left-by-a-crash-{days}.parquet" for days in (399, 401)}
    for days, path in left.items():
        path.write_bytes(b"x")
        os.utime(path, (time.time() - days * 86400,) * 2)
    before = sorted(ctx.lake.read(SALES, Zone.BRONZE).collect())
    found = Kept(ctx, before, files(ctx), read_version(settings, SALES, Zone.BRONZE), left)
    housekeeping.run(ctx)
    return found


def test_many_small_files_of_a_partition_become_one(kept):
    assert kept.files["acme"] >= housekeeping.MANY_FILES
    assert files(kept.ctx) == {"acme": 1, "tiny": 1}


def test_no_row_is_lost_by_joining_files(kept):
    assert sorted(kept.ctx.lake.read(SALES, Zone.BRONZE).collect()) == kept.rows


@pytest.mark.parametrize(("back", "rows"), [(0, 10), (1, 1)])
def test_a_version_that_a_manifest_names_is_read_as_before(kept, back, rows):
    assert read_version(kept.ctx.settings, SALES, Zone.BRONZE) > kept.version
    assert kept.ctx.lake.read(SALES, Zone.BRONZE, version=kept.version - back).count() == rows


def test_only_rows_older_than_their_retention_are_deleted(kept):
    assert {r.run_id for r in kept.ctx.lake.read(JOB_RUNS).collect()} == {"edge", "new"}
    assert kept.ctx.outcomes[housekeeping.EVERYONE].rows == 1


def test_a_file_that_no_kept_version_needs_is_removed_and_a_younger_one_stays(kept):
    assert {days: path.exists() for days, path in kept.left.items()} == {399: True, 401: False}


def test_a_table_from_before_the_rule_gets_it(kept):
    with kept.ctx.lake.owned(JOB_RUNS, Zone.OPERATIONS) as table:
        assert table.detail().collect()[0].properties["delta.logRetentionDuration"] == "interval 30 days"


def test_a_second_run_rewrites_nothing(kept):
    before = read_version(kept.ctx.settings, SALES, Zone.BRONZE)
    housekeeping.run(kept.ctx)
    # A vacuum notes its begin and its end in the log, whatever it finds.
    assert read_version(kept.ctx.settings, SALES, Zone.BRONZE) == before + 2


def test_a_table_in_use_is_named_and_the_others_are_done(ctx, monkeypatch):
    done = []

    def keep(_, contract, zone):
        if contract is SALES:
            raise LeaseTaken("table-bronze-sales is being written by process 7")
        done.append(contract.name)
        return 0

    for contract, zone in ((SALES, Zone.BRONZE), (JOB_RUNS, Zone.OPERATIONS)):
        ctx.lake.append(ctx.lake.rows(contract, [], zone), contract, zone)
    monkeypatch.setattr(housekeeping, "_keep", keep)
    with pytest.raises(JobError, match=r"1 tables.*bronze/sales: .*process 7"):
        housekeeping.run(ctx)
    assert done == ["job_runs"]


@pytest.mark.parametrize(
    ("contract", "where"),
    [(JOB_RUNS, "ended_at < TIMESTAMP'2025-01-26 05:00:00+00:00'"), (DEMAND_FORECAST, None)],
    ids=["with retention", "without"],
)
def test_the_retention_goes_by_the_contract_s_own_time(contract, where):
    assert housekeeping.expired_where(contract, NOW) == where


def test_every_contract_is_kept():
    assert {c.name for c, _ in housekeeping.tables()} == set(TABLES.by_name)
