"""`uretimiq status` tells what landed and where it is, what waits, and how the jobs fared."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from expectations.contract import Zone
from expectations.tables import SALES
from jobs.cli import cli

TENANT, OTHER = "status-acme", "status-beta"


@pytest.fixture(scope="module")
def plant(plant_of, gateway_of):
    """Two tenants ingested; then one more object landed."""
    plant, gateway = plant_of(TENANT, OTHER), gateway_of(TENANT)
    gateway.land(gateway.sales(1, 2, -3))
    gateway.land(gateway.sales(4), spoil=lambda b: b[:-1])
    beta = gateway.other(OTHER)
    beta.land(beta.sales(5))
    plant.ingest()
    gateway.land(gateway.sales(6))
    return plant


def ask(plant, *arguments, **more):
    given = plant.settings
    keys = {
        "S3_ENDPOINT": given.s3_endpoint,
        "S3_ACCESS_KEY": given.s3_access_key,
        "S3_SECRET_KEY": given.s3_secret_key,
    }
    environ = {"URETIMIQ_HOME": str(given.home), **{f"URETIMIQ_{name}": v for name, v in {**keys, **more}.items()}}
    return CliRunner(env=environ).invoke(cli, ["status", *arguments])


def test_an_empty_home_says_what_to_do(tmp_path):
    told = CliRunner(env={"URETIMIQ_HOME": str(tmp_path), "URETIMIQ_S3_ENDPOINT": "http://127.0.0.1:9"}).invoke(
        cli, ["status"]
    )
    assert told.exit_code == 0
    assert told.output.splitlines()[0] == "nothing has been ingested yet: land a file, then `uretimiq run ingest`"


def test_landed_is_bronze_and_quarantine_by_tenant_and_contract(plant):
    lines = ask(plant, "--tenant", TENANT).output.splitlines()
    assert lines[0] == f"{TENANT} sales: 2 objects (1 quarantined), 4 rows landed = 2 in bronze + 2 in quarantine"


def test_a_tenant_is_told_its_own_alone(plant):
    told = json.loads(ask(plant, "--tenant", OTHER, "--json").output)
    assert [(t["tenant"], t["rows_landed"], t["rows_bronze"], t["agrees"]) for t in told["tables"]] == [
        (OTHER, 1, 1, True)
    ]
    assert told["backlog"]["objects"] == 0


def test_files_are_told_one_by_one_with_their_message(plant):
    lines = ask(plant, "--tenant", TENANT, "--files").output.splitlines()
    assert lines[0].endswith("gw-1-0000000001.parquet: done, 3 rows landed = 2 in bronze + 1 in quarantine")
    assert "gw-1-0000000002.parquet: quarantined, 1 rows landed = 0 in bronze + 1 in quarantine: " in lines[1]
    assert "is truncated" in lines[1]


def test_what_waits_is_told(plant):
    assert "waiting: 1 objects since " in ask(plant, "--tenant", TENANT).output


def test_a_server_that_is_away_leaves_only_what_waits_unknown(plant):
    told = ask(plant, "--tenant", TENANT, S3_ENDPOINT="http://127.0.0.1:9")
    assert told.exit_code == 0
    assert "waiting: unknown: the S3 server at http://127.0.0.1:9 does not answer" in told.output


def test_the_last_run_of_each_job_is_told(plant):
    (run,) = json.loads(ask(plant, "--tenant", OTHER, "--json").output)["jobs"]
    assert (run["job"], run["tenants"], run["failed"], run["rows"]) == ("ingest", 1, 0, 1)


def test_the_auditors_check_counts_the_tables(plant):
    told = json.loads(ask(plant, "--tenant", TENANT, "--tenant", OTHER, "--verify", "--json").output)
    assert told["differences"] == []


def test_a_row_too_many_is_told_with_exit_status_1(plant):
    ctx = plant.context()
    bronze = ctx.lake.read(SALES, Zone.BRONZE)
    ctx.lake.append(bronze.where(f"tenant = '{OTHER}'"), SALES, Zone.BRONZE)
    told = ask(plant, "--tenant", OTHER, "--verify")
    assert told.exit_code == 1
    assert "ledger and tables differ for 1 objects" in str(told.exception)
    assert "bronze: ledger 1, tables 2" in str(told.exception)
