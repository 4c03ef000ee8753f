"""The auditor's check finds a row too many, a row too few and a row in the place of another."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from expectations.contract import Zone
from expectations.tables import INGEST_LEDGER, QUARANTINE, SALES
from jobs.audit import differences

AT = datetime(2026, 3, 1, tzinfo=UTC)
NAME = {"tenant": "acme", "content_hash": "h", "object_key": "acme/s/sales/g-1.parquet", "batch": 1}


def ledger_row(**changes):
    counts = {"rows_landed": 3, "rows_bronze": 2, "rows_rescued": 1, "rows_quarantined": 1}
    return {**dict.fromkeys(INGEST_LEDGER.by_name), **NAME, "contract": "sales", "status": "done", **counts, **changes}


def write(settings, contract, zone, rows):
    schema = pa.schema([f.with_nullable(True) for f in contract.schema_in(zone)])
    table = pa.Table.from_pylist([{**dict.fromkeys(schema.names), **row} for row in rows], schema=schema)
    write_deltalake(settings.place(contract, zone), table, partition_by=list(contract.partitions_in(zone)) or None)


@pytest.fixture
def audit(lake_settings):
    """Compares a ledger with the positions given in bronze (the first one with a rescued column) and quarantine."""

    def run(*ledger, bronze, quarantine, replayed=(), **more):
        rows = [{**NAME, **more, "row_index": i, "date": date(2026, 1, 1), "year": 2026} for i in bronze]
        if rows:
            rows[0]["rescued"] = "{}"
            write(lake_settings, SALES, Zone.BRONZE, rows)
        held = [{**NAME, "contract": "sales", "row_index": i, "rows": 1} for i in quarantine]
        held += [{**NAME, "contract": "sales", "row_index": i, "rows": 1, "replayed_at": AT} for i in replayed]
        if held:
            write(lake_settings, QUARANTINE, Zone.OPERATIONS, held)
        return differences(lake_settings, ledger)

    return run


def test_a_row_too_few_in_bronze_is_found(audit):
    (line,) = audit(ledger_row(), bronze=[0], quarantine=[2])
    assert line == f"{NAME['object_key']}: bronze: ledger 2, tables 1, 3 rows landed"


def test_a_row_too_many_in_bronze_is_found(audit):
    (line,) = audit(ledger_row(), bronze=[0, 1, 1], quarantine=[2])
    assert "bronze: ledger 2, tables 3" in line


def test_a_row_in_the_place_of_another_is_found(audit):
    assert audit(ledger_row(), bronze=[0, 0], quarantine=[2]) == [
        f"{NAME['object_key']}: a row is there twice and another is missing"
    ]


def test_a_row_in_bronze_and_in_quarantine_is_found(audit):
    (line,) = audit(ledger_row(), bronze=[0, 1], quarantine=[1])
    assert "a row is there twice" in line


def test_a_row_missing_in_quarantine_is_found(audit):
    (line,) = audit(ledger_row(), bronze=[0, 1], quarantine=[])
    assert "quarantined: ledger 1, tables 0" in line


def test_a_wrong_count_of_rescued_rows_is_found(audit):
    (line,) = audit(ledger_row(rows_rescued=2), bronze=[0, 1], quarantine=[2])
    assert "rescued: ledger 2, tables 1" in line


def test_rows_of_an_object_that_the_ledger_does_not_know_are_found(audit):
    (line,) = audit(
        ledger_row(object_key="other", rows_landed=0, rows_bronze=0, rows_rescued=0, rows_quarantined=0),
        bronze=[0],
        quarantine=[],
    )
    assert line == f"{NAME['object_key']}: 1 rows in bronze, the ledger does not know it"


def test_a_ledger_that_agrees_gives_no_line(audit):
    assert audit(ledger_row(), bronze=[0, 1], quarantine=[2]) == []


def test_a_replayed_row_counts_where_it_is_now(audit):
    row = ledger_row(rows_bronze=3, rows_quarantined=0)
    assert audit(row, bronze=[0, 1, 2], quarantine=[], replayed=[2]) == []


def test_an_object_quarantined_whole_agrees(audit):
    row = ledger_row(status="quarantined", rows_landed=1, rows_bronze=0, rows_rescued=0)
    assert audit(row, bronze=[], quarantine=[-1]) == []
