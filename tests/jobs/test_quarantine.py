"""What is in quarantine is listed and shown with its reasons, and is taken into bronze once its cause is mended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from click.testing import CliRunner

from expectations.contract import Zone
from expectations.tables import SALES
from jobs import split
from jobs.cli import cli
from jobs.lake import Lake
from jobs.quarantine import quarantine
from jobs.replay import Which, replay

TENANT, OTHER = "replay-acme", "replay-beta"
LATER = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def plant(plant_of, gateway_of):
    """Quarantined: four rows (two negative, one of them known too late; one known too late; one unread), two objects."""
    plant, gateway = plant_of(TENANT, OTHER), gateway_of(TENANT)
    rows = gateway.sales(1, -2, 3, -4, None)
    known = [LATER - timedelta(days=20)] * 2 + [LATER - timedelta(days=1)] * 2 + [LATER - timedelta(days=20)]
    rows = rows.set_column(6, "available_at", pa.array(known, pa.timestamp("us", "UTC")))
    rows = rows.append_column("colour", pa.array(["red", None, "blue", "green", None]))
    rows = rows.append_column("grams", pa.array([1.5, 2.5, 3.5, None, None]))
    rows = rows.append_column("_unread", pa.array([None, None, None, None, '{"units": "çok"}']))
    plant.keys = {"rows": gateway.land(rows)}
    kept = {}
    plant.keys["no manifest"] = gateway.land(
        gateway.sales(7, -8), manifest=lambda text: kept.setdefault("text", text) and None
    )
    plant.keys["truncated"] = gateway.land(gateway.sales(9), spoil=lambda b: b[:-1])
    beta = gateway.other(OTHER)
    plant.keys["of another tenant"] = beta.land(beta.sales(-1))
    plant.ingest()
    plant.gateway, plant.kept = gateway, kept
    return plant


def counts(plant):
    """By object: landed, in bronze, in quarantine as the ledger says; and as the tables do."""
    found = {}
    for label, key in plant.keys.items():
        (row,) = [r for r in plant.ledger if r["object_key"] == key]
        bronze = len([r for r in plant.bronze() if r["object_key"] == key])
        held = sum(r["rows"] for r in plant.quarantine if r["object_key"] == key and r["replayed_at"] is None)
        found[label] = (row["rows_landed"], row["rows_bronze"], row["rows_quarantined"], bronze, held)
    return found


def environment(plant):
    given = plant.settings
    keys = {
        "S3_ENDPOINT": given.s3_endpoint,
        "S3_ACCESS_KEY": given.s3_access_key,
        "S3_SECRET_KEY": given.s3_secret_key,
    }
    return {"URETIMIQ_HOME": str(given.home), **{f"URETIMIQ_{name}": value for name, value in keys.items()}}


def ask(plant, *arguments, command=quarantine):
    result = CliRunner(env=environment(plant)).invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


# ---------------------------------------------------------------------------- before anything is mended


def test_list_counts_rows_by_tenant_contract_and_rule(plant):
    found = json.loads(ask(plant, "list", "--json"))
    assert {(r["tenant"], r["rule"]): (r["rows"], r["objects"]) for r in found} == {
        (TENANT, "units_not_negative"): (2, 1),
        (TENANT, "known_before_landed"): (2, 1),
        (TENANT, "cell_readable"): (1, 1),
        (TENANT, "units_given"): (1, 1),
        (TENANT, "manifest_given"): (2, 1),
        (TENANT, "object_whole"): (1, 1),
        (OTHER, "units_not_negative"): (1, 1),
    }


def test_list_of_one_rule_counts_that_rule_alone(plant):
    found = json.loads(ask(plant, "list", "--tenant", TENANT, "--rule", "known_before_landed", "--json"))
    assert [(r["rule"], r["rows"]) for r in found] == [("known_before_landed", 2)]


def test_list_says_why_in_a_line(plant):
    lines = ask(plant, "list", "--tenant", OTHER).splitlines()
    told = "units: A day's quantity of one product lies between none and a thousand million; returns are not negative rows."
    assert lines == [f"{OTHER} sales units_not_negative: 1 rows in 1 objects since 2026-03-02: {told}"]


def test_show_prints_rules_reason_and_original_values(plant):
    shown = ask(plant, "show", "--tenant", TENANT, "--rule", "cell_readable")
    assert f"{TENANT} sales {plant.keys['rows']}, row 4" in shown
    assert "rules:    cell_readable, units_given" in shown
    assert "could not read units 'çok'" in shown
    assert '"site":"gebze"' in shown


def test_show_tells_an_object_that_is_there_whole(plant):
    shown = ask(plant, "show", "--object", plant.keys["truncated"])
    assert f"{plant.keys['truncated']}, the whole object, 1 rows" in shown


def test_show_prints_at_most_so_many_rows(plant):
    assert len(json.loads(ask(plant, "show", "--limit", "2", "--json"))) == 2


def test_a_home_without_quarantine_says_that_nothing_is_in_it(tmp_path):
    result = CliRunner(env={"URETIMIQ_HOME": str(tmp_path)}).invoke(cli, ["quarantine", "list"])
    assert (result.exit_code, result.output) == (0, "nothing is in quarantine\n")


# ---------------------------------------------------------------------------- replay, step by step, in this order


@pytest.fixture(scope="module")
def replayed(plant):
    """The counts after each step: nothing mended; a week later; the rule mended (killed after every commit); again."""
    steps = {"landed": counts(plant)}
    plant.said.clear()
    done = replay(plant.context(), Which())
    steps["nothing mended"], plant.staying = counts(plant), done.staying

    replay(plant.context(now=lambda: LATER), Which(tenants=(TENANT,)))
    steps["a week later"] = counts(plant)

    plant.gateway.put("replay-acme/_manifests/gebze/sales/gw-1-0000000002.json", plant.kept["text"])
    with pytest.MonkeyPatch.context() as patch:
        rules = [r for r in split.blocking(SALES) if r.name != "units_not_negative"]
        patch.setattr(split, "blocking", lambda _: rules)
        for commits in (1, 1, 1, 1, 1, 1, 2):
            _killed_after(plant, patch, commits)
        replay(plant.context(now=lambda: LATER), Which())
        steps["the rule mended"] = counts(plant)
        before = len(plant.bronze())
        again = replay(plant.context(now=lambda: LATER), Which())
        assert (again.rows, again.objects, len(plant.bronze())) == (0, 0, before)
    steps["again"] = counts(plant)
    return steps


class Killed(BaseException):
    """Stands for SIGKILL."""


def _killed_after(plant, patch, commits):
    """A replay that dies right after so many commits to the lake."""
    left = [commits]

    def dying(real):
        def commit(self, *args, **kwargs):
            real(self, *args, **kwargs)
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        return commit

    with patch.context() as armed:
        for name in ("append", "upsert", "replace"):
            armed.setattr(Lake, name, dying(getattr(Lake, name)))
        with pytest.raises(Killed):
            replay(plant.context(now=lambda: LATER), Which(tenants=(TENANT,), contract="sales"))


def test_before_anything_is_mended_a_replay_changes_nothing(replayed):
    assert replayed["nothing mended"] == replayed["landed"]
    assert replayed["landed"] == {
        "rows": (5, 1, 4, 1, 4),
        "no manifest": (2, 0, 2, 0, 2),
        "truncated": (1, 0, 1, 0, 1),
        "of another tenant": (1, 0, 1, 0, 1),
    }


def test_a_replay_says_why_an_object_stays(plant, replayed):
    assert sorted(plant.staying) == sorted([plant.keys["no manifest"], plant.keys["truncated"]])
    assert "is truncated" in plant.staying[plant.keys["truncated"]]


def test_a_row_that_passes_now_goes_to_bronze(replayed):
    assert replayed["a week later"]["rows"] == (5, 2, 3, 2, 3)


def test_rows_and_objects_go_to_bronze_once_their_cause_is_mended(replayed):
    assert replayed["the rule mended"] == {
        "rows": (5, 4, 1, 4, 1),
        "no manifest": (2, 2, 0, 2, 0),
        "truncated": (1, 0, 1, 0, 1),
        "of another tenant": (1, 1, 0, 1, 0),
    }


def test_a_replay_killed_in_between_leaves_no_row_twice(plant, replayed):
    named = [(r["object_key"], r["row_index"]) for r in plant.bronze()]
    assert len(named) == len(set(named))


def test_a_second_replay_changes_nothing(replayed):
    assert replayed["again"] == replayed["the rule mended"]


def test_a_replayed_row_keeps_its_lineage_and_its_unknown_columns(plant, replayed):
    rows = {r["row_index"]: r for r in plant.bronze() if r["object_key"] == plant.keys["rows"]}
    assert sorted(rows) == [0, 1, 2, 3]
    assert {r["content_hash"] for r in rows.values()} == {rows[0]["content_hash"]}
    assert json.loads(rows[2]["rescued"]) == {"colour": "blue", "grams": 3.5}
    assert json.loads(rows[1]["rescued"]) == {"grams": 2.5}
    assert (rows[2]["units"], rows[2]["gateway"], rows[2]["available_at"]) == (3.0, "gw-1", LATER - timedelta(days=1))


def test_a_replayed_row_is_of_a_later_batch_and_ingest_goes_on_above_it(plant, replayed):
    last = max(r["batch"] for r in plant.bronze())
    assert last > 1
    plant.gateway.sequence = 10
    key = plant.gateway.land(plant.gateway.sales(50))
    plant.of(TENANT).ingest()
    assert [r["batch"] > last for r in plant.bronze() if r["object_key"] == key] == [True]


def test_what_was_replayed_is_marked_and_no_longer_listed(plant, replayed):
    open_rules = {r["rule"] for r in json.loads(ask(plant, "list", "--json"))}
    assert open_rules == {"cell_readable", "units_given", "object_whole"}
    marked = [r for r in plant.quarantine if r["replayed_at"]]
    assert len(marked) == 3 + 1 + 1


def test_an_original_that_the_present_type_cannot_hold_stays(plant_of, gateway_of, s3_spark):
    from jobs.replay import _originals

    plant = plant_of("replay-types")
    columns = {"tenant": "t", "object_key": "k", "content_hash": "h", "row_index": 0, "gateway": "g"}
    held = s3_spark.createDataFrame(
        [{**columns, "original": json.dumps({"site": "s", "product": "p", "date": "2026-01-01", "units": "12 koli"})}]
    )
    (row,) = _originals(held, SALES, 1, plant.context()).collect()
    assert (row["units"], row["_lost"]) == (None, True)
    assert row.asDict().keys() == {*SALES.schema_in(Zone.BRONZE).names, "_unread", "_lost"}
