"""Runs and checks: what auditors look up, newest first, page by page."""

import csv
import json
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pyarrow import ipc
from pydantic import TypeAdapter

from expectations.tables import CHECK_RESULTS, QUARANTINE
from serving.board import schemas

RUNS, CHECKS = "/v1/tenants/acme/runs", "/v1/tenants/acme/checks"
AT = datetime(2026, 3, 2, 3, 8, 30, 123456, tzinfo=UTC)


def check(plant, tenant="acme", *, at=AT, run="run-1", rule="units_not_negative", failed=0, **more):
    row = {"run_id": run, "door": "silver", "contract": "sales", "tenant": tenant, "rule": rule, "severity": "blocks"}
    row |= {"rows_checked": 100, "rows_failed": failed, "sample": None, "checked_at": at}
    plant.write(CHECK_RESULTS, [row | more])


def refuse(
    plant, tenant="acme", rules=("units_not_negative",), rows=1, *, row_index=0, replayed=None, contract="sales"
):
    row = {"tenant": tenant, "contract": contract, "content_hash": "h", "object_key": f"{tenant}/f", "rows": rows}
    row |= {"row_index": row_index, "rules": list(rules), "reason": "x", "original": "{}", "batch": 1, "run_id": "r"}
    plant.write(QUARANTINE, [row | {"quarantined_at": AT, "replayed_at": replayed}])


def pages(api, address, name):
    """The rows of all pages, each page as a list."""
    found = []
    while address:
        answer = api.get(address)
        assert answer.status_code == 200, answer.text[:300]
        found.append(answer.json()[name])
        address = answer.json()["next"]
        assert (f'<{address}>; rel="next"' == answer.headers.get("link")) == bool(address)
    return found


def test_before_the_first_night_there_is_nothing(api):
    assert api.get(RUNS).json()["runs"] == []
    answer = api.get(CHECKS).json()
    assert (answer["checks"], answer["quarantine"]) == ([], [])


def test_runs_are_the_tenants_newest_first(plant, api):
    plant.run(job="silver")
    plant.run("zebra", job="silver", status="failed", reason="zebra")
    plant.run(job="features", status="blocked", reason="too old")

    answer = api.get(RUNS)

    TypeAdapter(schemas.RunsPage).validate_json(answer.text)
    assert [(run["job"], run["status"]) for run in answer.json()["runs"]] == [("features", "blocked"), ("silver", "ok")]
    assert "zebra" not in answer.text


@pytest.mark.parametrize(
    ("asked", "jobs"),
    [
        ({"job": "silver"}, ["silver"]),
        ({"status": "failed"}, ["features"]),
        ({"job": "silver", "status": "failed"}, []),
    ],
)
def test_runs_are_filtered(plant, api, asked, jobs):
    plant.run(job="silver")
    plant.run(job="features", status="failed", reason="x")

    assert [run["job"] for run in api.get(RUNS, params=asked).json()["runs"]] == jobs


def test_pages_of_runs_hold_each_run_once_whatever_comes_meanwhile(plant, api):
    for n in range(5):
        plant.run(job=f"job-{n}")
    first = api.get(f"{RUNS}?limit=2").json()
    plant.run(job="job-5")
    api.clock.later()

    rest = pages(api, first["next"], "runs")

    found = first["runs"] + [run for page in rest for run in page]
    assert [run["job"] for run in found] == ["job-4", "job-3", "job-2", "job-1", "job-0"]


def test_runs_that_ended_at_the_same_moment_are_all_told(plant, api):
    for n in range(4):
        check(plant, rule=f"rule-{n}")

    found = [row["rule"] for page in pages(api, f"{CHECKS}?limit=1", "checks") for row in page]

    assert found == ["rule-3", "rule-2", "rule-1", "rule-0"]


def test_the_next_page_has_the_same_filters(plant, api):
    for n in range(3):
        check(plant, run=f"run-{n}", failed=n)

    answer = api.get(f"{CHECKS}?limit=1&failed=true&contract=sales").json()

    asked = parse_qs(urlsplit(answer["next"]).query)
    assert (asked["limit"], asked["failed"], asked["contract"]) == (["1"], ["True"], ["sales"])
    assert [len(page) for page in pages(api, answer["next"], "checks")] == [1]


def test_checks_are_the_tenants_with_their_counts_and_keys_of_rows_that_failed(plant, api):
    check(plant, failed=3, sample=json.dumps([{"site": "ankara"}]))
    check(plant, "zebra", failed=9, sample=json.dumps([{"site": "zebra"}]))

    answer = api.get(CHECKS)

    TypeAdapter(schemas.ChecksPage).validate_json(answer.text)
    (row,) = answer.json()["checks"]
    assert (row["rows_checked"], row["rows_failed"], row["sample"]) == (100, 3, [{"site": "ankara"}])
    assert row["checked_at"] == "2026-03-02T03:08:30.123456Z"
    assert "zebra" not in answer.text


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 2),
        ({"failed": "true"}, 1),
        ({"rule": "unit_price_plausible"}, 1),
        ({"door": "gold"}, 0),
        ({"contract": "x"}, 0),
    ],
)
def test_checks_are_filtered(plant, api, asked, count):
    check(plant)
    check(plant, rule="unit_price_plausible", failed=2)

    assert len(api.get(CHECKS, params=asked).json()["checks"]) == count


def test_the_quarantine_is_counted_by_contract_and_rule_without_what_was_replayed(plant, api):
    refuse(plant, rows=5, row_index=-1, rules=["object_is_readable"])
    refuse(plant, rules=["units_not_negative", "date_in_range"])
    refuse(plant, row_index=1)
    refuse(plant, row_index=2, replayed=AT + timedelta(hours=1))
    refuse(plant, "zebra", rules=["zebra"])

    answer = api.get(CHECKS).json()["quarantine"]

    assert {(row["contract"], row["rule"], row["rows"]) for row in answer} == {
        ("sales", "object_is_readable", 5),
        ("sales", "units_not_negative", 2),
        ("sales", "date_in_range", 1),
    }
    assert answer[0]["last_at"] == "2026-03-02T03:08:30.123456Z"


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "%00", "WyJ4IiwgMV0", "W1tbW1tbW1tbW1tb" * 200])
@pytest.mark.parametrize("address", [RUNS, CHECKS])
def test_a_cursor_that_no_page_has_given_is_refused(plant, api, address, cursor):
    assert api.problem(f"{address}?cursor={cursor}")["kind"] == "bad-cursor"


@pytest.mark.parametrize(
    "place", [[], ["x"], ["2026-03-02", "r", "j"], [1, 2, 3], ["2026-03-02T03:00:00Z", "r"], [None] * 3]
)
def test_a_cursor_with_another_place_is_refused(api, place):
    from serving.paging import fingerprint, pack

    asked = fingerprint("job_runs", "acme", {"job": None, "status": None}, "")

    assert api.problem(RUNS, params={"cursor": pack(asked, *place)})["kind"] == "bad-cursor"


def test_a_cursor_of_another_query_or_tenant_is_refused(plant, api):
    for tenant in ("acme", "zebra"):
        for _ in range(2):
            plant.run(tenant, job="silver")
    cursor = api.get("/v1/tenants/zebra/runs?limit=1").json()["next"].rpartition("cursor=")[2]

    assert api.problem(f"{RUNS}?limit=1&cursor={cursor}")["kind"] == "bad-cursor"
    assert api.problem(f"/v1/tenants/zebra/runs?job=silver&cursor={cursor}")["kind"] == "bad-cursor"


@pytest.mark.parametrize("asked", ["limit=0", "limit=1001", "jobs=x", "status=fine", "job=", "limit=1&limit=2"])
def test_what_cannot_be_asked_is_told(api, asked):
    told = api.problem(f"{RUNS}?{asked}")

    assert (told["kind"], "query" in told["detail"]) == ("bad-request", True)


@pytest.mark.parametrize("text", ["' OR 1=1 --", "silver'; DROP TABLE files; --", "%"])
def test_sql_in_a_filter_finds_nothing(plant, api, text):
    plant.run(job="silver")

    assert api.get(RUNS, params={"job": text}).json()["runs"] == []


def test_who_has_a_page_is_told_so_until_a_run_comes(plant, api):
    plant.run(job="silver", night=date(2026, 3, 1))
    tag = api.get(RUNS).headers["etag"]

    assert api.get(RUNS, headers={"If-None-Match": tag}).status_code == 304
    plant.run(job="features")
    api.clock.later()
    assert api.get(RUNS, headers={"If-None-Match": tag}).status_code == 200


def test_a_viewer_sees_no_evidence(plant, api):
    from serving.identity.roles import Caller

    made = api.identity.keys.add(Caller("test"), "acme", "view", ["forecasts:read", "status:read"])

    for address in (RUNS, CHECKS):
        assert api.problem(address, headers={"Authorization": f"Bearer {made.key}"})["kind"] == "forbidden"


@pytest.mark.parametrize("accept", [{"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}])
def test_runs_come_as_csv_whole(plant, api, accept):
    plant.run(job="silver")
    plant.run("zebra", job="zebra")
    plant.run(job="features", status="blocked", reason="too old")

    answer = api.get(RUNS, **accept)

    told = list(csv.DictReader(answer.text.splitlines()))
    asked = api.get(RUNS).json()["runs"]
    assert [(row["job"], row["reason"]) for row in told] == [("features", "too old"), ("silver", "")]
    assert [datetime.fromisoformat(row["ended_at"]) for row in told] == [
        datetime.fromisoformat(row["ended_at"]) for row in asked
    ]
    assert told[0].keys() == asked[0].keys()
    assert answer.headers["content-disposition"].endswith("runs_acme.csv")
    assert (
        api.get(
            RUNS, **accept | {"headers": {"If-None-Match": answer.headers["etag"]} | accept.get("headers", {})}
        ).status_code
        == 304
    )


def test_checks_come_as_arrow_whole_with_the_filters(plant, api):
    for i in range(3):
        check(plant, rule=f"r-{i}", failed=i, sample='[{"product": "P-1"}]', at=AT + timedelta(seconds=i))

    answer = api.get(CHECKS, params={"format": "arrow", "failed": "true"})

    rows = ipc.open_stream(answer.content).read_all()
    assert rows["rule"].to_pylist() == ["r-2", "r-1"]
    assert rows["checked_at"].to_pylist()[1] == AT + timedelta(seconds=1)
    assert rows["sample"].to_pylist()[0] == '[{"product": "P-1"}]'


@pytest.mark.parametrize("address", [RUNS, CHECKS])
def test_a_log_without_rows_is_an_empty_table(api, address):
    for form in ("csv", "arrow"):
        assert api.get(address, params={"format": form}).status_code == 200
    assert api.get(address, params={"format": "csv"}).text.startswith('"run_id",')
    assert api.get(address, params={"format": "csv", "limit": 5}).status_code == 422
