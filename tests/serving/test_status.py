"""/v1/status: how old the tables are, how the jobs' last runs went, which models are champions."""

from datetime import UTC, datetime, timedelta

import pytest

from expectations.tables import DEMAND_FORECAST, JOB_RUNS, PROMOTIONS, SALES, TABLES


def status(api, **params):
    answer = api.get("/v1/status", params=params)
    assert answer.status_code == 200, answer.text[:300]
    return answer.json()


def table(api, contract, zone, **params):
    found = [t for t in status(api, **params)["tables"] if (t["contract"], t["zone"]) == (contract.name, zone)]
    assert len(found) == 1
    return found[0]


def test_the_status_is_told_before_the_first_night(api):
    answer = status(api)

    assert {t["state"] for t in answer["tables"]} == {"missing"}
    assert (answer["jobs"], answer["champions"], answer["tenant"]) == ([], [], None)


def test_every_table_is_listed_a_landed_one_in_bronze_and_in_silver(api):
    listed = [(t["contract"], t["zone"]) for t in status(api)["tables"]]

    assert {name for name, _ in listed} == {contract.name for contract in TABLES.contracts}
    assert [zone for name, zone in listed if name == SALES.name] == ["bronze", "silver"]
    assert [zone for name, zone in listed if name == PROMOTIONS.name] == ["operations"]


def test_a_table_tells_version_rows_and_the_age_of_its_last_commit(plant, api):
    plant.night()
    plant.night("other")
    api.clock.now = datetime.now(UTC) + timedelta(hours=2)  # the commit's time is of the machine's clock

    told = table(api, DEMAND_FORECAST, "gold")

    assert (told["state"], told["version"], told["rows"]) == ("there", 1, 168)
    assert 7200 <= told["age_seconds"] < 7200 + 60


def test_a_table_of_which_the_log_is_damaged_is_unreadable_and_the_rest_is_told(plant, api):
    plant.night()
    log = plant.settings.home / "lake" / "operations" / "job_runs" / "_delta_log"
    for file in log.glob("*.json"):
        file.write_text("{ this is no commit")

    answer = status(api)

    assert table(api, JOB_RUNS, "operations")["state"] == "unreadable"
    assert table(api, DEMAND_FORECAST, "gold")["state"] == "there"
    assert answer["jobs"] is None


def test_a_new_version_is_told_without_a_restart(plant, api):
    plant.night()
    assert table(api, DEMAND_FORECAST, "gold")["version"] == 0

    plant.night("other")
    api.clock.later()

    assert table(api, DEMAND_FORECAST, "gold")["version"] == 1


def test_a_job_counts_the_last_run_of_each_tenant_and_lists_what_went_wrong(plant, api):
    plant.run("a", job="silver", status="failed", reason="old")
    plant.run("a", job="silver")
    plant.run("b", job="silver", status="blocked", reason="sales is stale")
    plant.run("c", job="silver", status="failed", reason="no site", run="run-c")
    plant.run("a", job="features")

    silver = next(job for job in status(api)["jobs"] if job["job"] == "silver")

    assert (silver["ok"], silver["failed"], silver["blocked"]) == (1, 1, 1)
    assert [(run["tenant"], run["status"], run["reason"]) for run in silver["not_ok"]] == [
        ("b", "blocked", "sales is stale"),
        ("c", "failed", "no site"),
    ]
    assert silver["last_ended_at"] == "2026-03-02T03:45:04Z"
    assert [job["job"] for job in status(api)["jobs"]] == ["features", "silver"]


def test_the_champion_is_the_last_promoted_version_of_each_tenant(plant, api):
    plant.promotion("a", "1", day=1)
    plant.promotion("a", "2", day=3)
    plant.promotion("a", "3", promoted=False, day=5)
    plant.promotion("b", "1", promoted=False, day=5)

    assert status(api)["champions"] == [
        {
            "tenant": "a",
            "model_name": "demand-a",
            "model_version": "2",
            "reason": "beats naive",
            "promoted_at": "2026-02-03T00:00:00Z",
        }
    ]


def test_a_promotion_is_told_without_a_restart(plant, api):
    assert status(api)["champions"] == []

    plant.promotion("a", "1")
    api.clock.later()

    assert status(api)["champions"][0]["model_version"] == "1"


@pytest.mark.parametrize("tenant", ["a", "nobody"])
def test_the_status_of_a_tenant_leaves_out_the_rest(plant, api, tenant):
    plant.run("a", job="silver")
    plant.run("b", job="silver", status="failed", reason="x")
    plant.promotion("a", "1")

    answer = status(api, tenant=tenant)

    assert answer["tenant"] == tenant
    assert [(job["ok"], job["failed"]) for job in answer["jobs"]] == ([(1, 0)] if tenant == "a" else [])
    assert len(answer["champions"]) == (1 if tenant == "a" else 0)
