"""Killed at any moment and started again, ingest leaves nothing out and takes nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from jobs import batch
from jobs.lake import Lake

REPOSITORY = Path(__file__).resolve().parents[2]


REAL = {name: getattr(Lake, name) for name in ("append", "upsert", "replace")}


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` catches it."""


@pytest.fixture
def kill_after(monkeypatch):
    """Dies right after the n-th commit to the lake."""

    def arm(commits: int) -> None:
        left = [commits]
        for name, real in REAL.items():

            def dying(self, *args, _original=real, **kwargs):
                _original(self, *args, **kwargs)
                left[0] -= 1
                if left[0] == 0:
                    raise Killed

            monkeypatch.setattr(Lake, name, dying)

    yield arm
    monkeypatch.undo()


def land_one_of_each(gateway):
    """Seven good rows of two contracts, two bad rows, one object that is bad as a whole (2 rows), one duplicate."""
    gateway.land(gateway.sales(1, -1, 2))
    gateway.land(gateway.sales(1, -1, 2))
    gateway.land(gateway.sales(3, 4, None))
    gateway.land(gateway.sales(5, 6), spoil=lambda b: b[:-9])
    made = gateway.table(
        "production",
        site=["gebze"] * 3,
        product=["P1"] * 3,
        date=[date(2026, 2, d) for d in (1, 2, 3)],
        units=[7.0, 8.0, 9.0],
    )
    gateway.land(made, "production")


def everything(plant):
    """What is where, without what differs from run to run and from tenant to tenant."""

    def name(row):
        return row["object_key"].removeprefix(row["tenant"])

    rows = [("bronze", name(r), r["row_index"]) for c in ("sales", "production") for r in plant.bronze(c)]
    rows += [("quarantine", name(r), r["row_index"]) for r in plant.quarantine if r["replayed_at"] is None]
    rows += [(r["status"], name(r), r["rows_bronze"], r["rows_quarantined"]) for r in plant.ledger]
    return Counter(rows)


COMMITS = 7  # planned; whole objects; bronze and quarantine of sales; bronze of production; done; job_runs


@pytest.fixture(scope="module")
def plant(plant_of):
    """One lake for all tests here; each has a tenant of its own in it."""
    return plant_of()


@pytest.fixture(scope="module")
def undisturbed(plant, gateway_of):
    """The same objects, ingested without a crash."""
    calm = plant.of("crash")
    land_one_of_each(gateway_of("crash"))
    calm.ingest()
    found = everything(calm)
    assert sum(n for (kind, *_), n in found.items() if kind == "bronze") == 7
    assert sum(n for (kind, *_), n in found.items() if kind == "quarantine") == 3
    return found


def test_killed_after_every_commit_in_turn_it_ends_where_an_undisturbed_run_does(
    plant, gateway_of, undisturbed, kill_after
):
    plant = plant.of("crash-in-turn")
    land_one_of_each(gateway_of("crash-in-turn"))
    deaths = 0
    for _ in range(COMMITS):
        kill_after(1)
        try:
            plant.ingest()
        except Killed:
            deaths += 1
    assert deaths >= COMMITS - 1
    kill_after(1000)
    plant.ingest()
    assert everything(plant) == undisturbed


@pytest.mark.parametrize("commits", [3, 4])
def test_killed_once_after_a_commit_it_ends_where_an_undisturbed_run_does(
    plant, gateway_of, undisturbed, kill_after, commits
):
    plant = plant.of(f"crash-once-{commits}")
    land_one_of_each(gateway_of(f"crash-once-{commits}"))
    kill_after(commits)
    with pytest.raises(Killed):
        plant.ingest()
    kill_after(1000)
    plant.ingest()
    assert everything(plant) == undisturbed


KILL_WHILE_WRITING = """
import os, signal, sys
from jobs import split
from jobs.cli import main
real = split.SplitRows._batches
def dying(self):
    rows = real(self)
    yield next(rows)
    os.kill(os.getpid(), signal.SIGKILL)
split.SplitRows._batches = dying
sys.argv = ["uretimiq", "run", "ingest", "--tenant", "crash"]
main()
"""


def test_a_process_killed_while_it_writes_bronze_is_made_good_by_the_next(plant_of, undisturbed):
    plant = plant_of("crash")  # an empty lake
    given = plant.settings
    environ = {k: v for k, v in os.environ.items() if not k.startswith("URETIMIQ_")} | {
        "URETIMIQ_HOME": str(given.home),
        "URETIMIQ_S3_ENDPOINT": given.s3_endpoint,
        "URETIMIQ_S3_ACCESS_KEY": given.s3_access_key,
        "URETIMIQ_S3_SECRET_KEY": given.s3_secret_key,
        "URETIMIQ_SPARK_MEMORY": "1g",
    }
    command = [sys.executable, "-c", KILL_WHILE_WRITING]
    died = subprocess.run(
        command, check=False, env=environ, cwd=REPOSITORY, capture_output=True, text=True, timeout=300
    )
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    assert plant.bronze() == []
    plant.ingest()
    assert everything(plant) == undisturbed


def open_wholes(plant):
    return [
        (r["object_key"], r["rows"], r["reason"])
        for r in plant.quarantine
        if r["row_index"] == -1 and r["replayed_at"] is None
    ]


def test_an_object_that_vanished_before_it_was_taken_is_told(plant, gateway_of, kill_after):
    plant, gateway = plant.of("crash-gone"), gateway_of("crash-gone")
    key = gateway.land(gateway.sales(1, 2, -3))
    kill_after(1)
    with pytest.raises(Killed):
        plant.ingest()
    gateway.delete(key)
    kill_after(1000)
    plant.ingest()
    assert open_wholes(plant) == [
        (
            key,
            3,
            f"{key} vanished from the landing bucket before it was ingested: send the file again under a new sequence number",
        )
    ]
    assert plant.bronze() == []


def test_of_an_object_that_vanished_half_way_the_rest_is_told(plant, gateway_of, kill_after):
    plant, gateway = plant.of("crash-half"), gateway_of("crash-half")
    key = gateway.land(gateway.sales(1, 2, -3))
    kill_after(2)  # planned, bronze
    with pytest.raises(Killed):
        plant.ingest()
    gateway.delete(key)
    kill_after(1000)
    plant.ingest()
    ((_, rows, reason),) = open_wholes(plant)
    assert (rows, len(plant.bronze())) == (1, 2)
    assert "vanished from the landing bucket before it was ingested after 2 of its 3 rows" in reason
    (row,) = plant.ledger
    assert (row["status"], row["rows_landed"], row["rows_bronze"], row["rows_quarantined"]) == ("quarantined", 3, 2, 1)


def test_new_bytes_under_the_name_of_an_interrupted_object_are_an_object_of_their_own(plant, gateway_of, kill_after):
    plant, gateway = plant.of("crash-new"), gateway_of("crash-new")
    gateway.land(gateway.sales(1, 2))
    kill_after(1)
    with pytest.raises(Killed):
        plant.ingest()
    gateway.sequence = 0
    key = gateway.land(gateway.sales(3, 4, 5))
    kill_after(1000)
    plant.ingest()
    ((_, rows, reason),) = open_wholes(plant)
    assert (rows, "was overwritten" in reason) == (2, True)
    assert [(r["object_key"], r["units"]) for r in plant.bronze()] == [(key, 3.0), (key, 4.0), (key, 5.0)]


def test_what_was_settled_before_the_crash_stays_settled(plant, gateway_of, kill_after):
    """The manifest comes between crash and restart: the object is replayed when somebody asks for it, not by chance."""
    plant, gateway = plant.of("crash-late"), gateway_of("crash-late")
    kept = {}
    key = gateway.land(gateway.sales(1, 2), manifest=lambda text: kept.setdefault("text", text) and None)
    gateway.land(gateway.sales(3))
    kill_after(3)  # planned, whole, bronze
    with pytest.raises(Killed):
        plant.ingest()
    gateway.put("crash-late/_manifests/gebze/sales/gw-1-0000000001.json", kept["text"])
    kill_after(1000)
    plant.ingest()
    assert [(k, rows) for k, rows, _ in open_wholes(plant)] == [(key, 2)]
    assert [r["units"] for r in plant.bronze()] == [3.0]


def test_a_row_that_failed_before_the_crash_and_passes_after_it_is_in_quarantine(plant, gateway_of, kill_after):
    """Its clock was ahead when the batch was begun; by the time of the second run it is not."""
    plant, gateway = plant.of("crash-clock"), gateway_of("crash-clock")
    now = plant.context().now()
    ahead = gateway.sales(1, 2).drop_columns(["available_at"])
    known = pa.array([now + timedelta(minutes=10)] * 2, pa.timestamp("us", "UTC"))
    key = gateway.land(ahead.append_column("available_at", known))
    gateway.land(gateway.sales(3))
    kill_after(2)  # planned, bronze
    with pytest.raises(Killed):
        plant.ingest()
    kill_after(1000)
    plant.ingest(now=lambda: now + timedelta(minutes=15))
    assert [(r["object_key"], r["rules"]) for r in plant.quarantine] == [(key, ["passes_now"])] * 2
    assert [r["units"] for r in plant.bronze()] == [3.0]


def test_the_second_of_two_objects_of_the_same_bytes_is_taken_when_the_first_is_gone(plant, gateway_of, monkeypatch):
    """Both were inspected; the first is deleted before its rows are read."""
    plant, gateway = plant.of("crash-heir"), gateway_of("crash-heir")
    keys = [gateway.land(gateway.sales(1, 2)) for _ in range(3)]
    real = batch.settle

    def then_gone(*args):
        real(*args)
        gateway.delete(keys[0])

    monkeypatch.setattr(batch, "settle", then_gone)
    plant.ingest()
    found = {r["object_key"]: (r["status"], r["rows_bronze"], r["message"]) for r in plant.ledger}
    assert found[keys[0]][0] == "quarantined"
    assert found[keys[1]] == ("done", 2, None)
    assert found[keys[2]] == ("duplicate", 0, f"the same bytes as {keys[1]}: its rows are taken once")
    assert [(r["object_key"], r["units"]) for r in plant.bronze()] == [(keys[1], 1.0), (keys[1], 2.0)]
