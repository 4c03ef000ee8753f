"""What goes wrong is told in one line, as a problem, and shows nothing of the inside."""

import base64
import json
import shutil
from dataclasses import replace
from datetime import date
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from anyio import fail_after, run, to_thread

from expectations.tables import DEMAND_FORECAST

FORECASTS = "/v1/tenants/acme/forecasts"


def cursor(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize("address", [FORECASTS, f"{FORECASTS}/4be1", "/v1/tenants/acme/series", "/readyz"])
def test_before_the_first_night_an_address_says_how_to_run_one(api, address):
    told = api.problem(address)

    assert (told["kind"], told["status"]) == ("no-night-yet", 503)
    assert told["detail"] == "no night has run yet: run `make demo` or `uretimiq run nightly`"


def test_an_empty_table_of_forecasts_is_no_night_yet(plant, api):
    plant.write(DEMAND_FORECAST, [])

    assert api.problem(FORECASTS)["kind"] == "no-night-yet"


def test_a_server_that_is_not_ready_says_when_to_ask_again(api):
    assert api.get("/readyz").headers["retry-after"] == "30"


def test_the_server_lives_before_the_first_night(api):
    assert api.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("rest", ["forecasts", "forecasts/4be1", "series"])
def test_an_unknown_tenant_is_not_found_and_others_are_not_named(plant, api, rest):
    plant.night("acme")

    told = api.problem(f"/v1/tenants/acne/{rest}")

    assert (told["kind"], told["status"]) == ("unknown-tenant", 404)
    assert told["detail"].startswith("nothing is known of tenant 'acne': check the spelling")
    assert "acme" not in told["detail"]


def test_a_tenant_whose_first_night_failed_is_told_why(plant, api):
    plant.night("other")
    plant.run("acme", job="silver", status="blocked", reason="sales: no row for 20 days")

    told = api.problem(FORECASTS)

    assert (told["kind"], told["status"]) == ("no-good-night", 404)
    assert told["detail"].endswith("silver of 2026-03-01 blocked: sales: no row for 20 days")


def test_a_night_that_is_not_there_names_the_newest(plant, api):
    plant.night()

    told = api.problem(FORECASTS, params={"night": "2026-02-01"})

    assert (told["kind"], told["status"]) == ("unknown-night", 404)
    assert told["detail"] == "'acme' has no good night of 2026-02-01; the newest is 2026-03-01"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("limit=0", "query limit: Input should be greater than or equal to 1"),
        ("limit=10001", "query limit: Input should be less than or equal to 10000"),
        ("limit=many", "query limit"),
        ("night=yesterday", "query night"),
        ("from=2026-13-01", "query from"),
        ("from=2026-03-09&to=2026-03-08", "query from: 2026-03-09 is after to=2026-03-08"),
        ("format=xml", "query format"),
        ("sites=ankara", "query sites: Extra inputs are not permitted"),
        ("site=", "query site 0"),
        ("site=" + "x" * 101, "query site 0"),
        ("&".join(["site=x"] * 201), "query site"),
        ("limit=5&limit=6", "query limit: given twice"),
        ("format=csv&limit=5", "query limit, cursor: CSV and Arrow come whole, leave them out"),
        ("format=csv&cursor=x", "query limit, cursor: CSV and Arrow come whole, leave them out"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(plant, api, params, said):
    plant.night()

    told = api.problem(f"{FORECASTS}?{params}")

    assert (told["kind"], told["status"]) == ("bad-request", 422)
    assert said in told["detail"]


@pytest.mark.parametrize("text", ["!", "x", "e30", cursor()])
def test_a_cursor_that_cannot_be_read_is_refused(plant, api, text):
    plant.night()

    assert_unreadable(api.problem(FORECASTS, params={"cursor": text}))


@pytest.mark.parametrize(
    "place",
    [(0, "2026-03-01", ["r"]), (0, "tomorrow", ["r"], 5), (0, "2026-03-01", ["r"], -5), (-1, "2026-03-01", ["r"], 5),
     (0, "2026-03-01", 3, 5)],
)  # fmt: skip
def test_a_cursor_of_this_query_to_a_place_that_no_page_gave_is_refused(plant, api, place):
    plant.night()
    given = parse_qs(urlsplit(api.get(f"{FORECASTS}?limit=1").json()["next"]).query)["cursor"][0]
    asked = json.loads(base64.urlsafe_b64decode(given + "=="))[0]

    assert_unreadable(api.problem(FORECASTS, params={"cursor": cursor(asked, *place)}))


def assert_unreadable(told):
    assert (told["kind"], told["status"]) == ("bad-cursor", 400)
    assert "cannot be read" in told["detail"]


@pytest.mark.parametrize(
    ("address", "params"),
    [
        (FORECASTS, {"site": "ankara"}),
        (FORECASTS, {"night": "2026-03-01"}),
        ("/v1/tenants/other/forecasts", {}),
        ("/v1/tenants/acme/series", {}),
    ],
)
def test_a_cursor_of_another_query_is_refused(plant, api, address, params):
    plant.night()
    plant.night("other")
    taken = api.get(FORECASTS, params={"limit": 5}).json()["next"].rpartition("cursor=")[2]

    told = api.problem(address, params={**params, "cursor": taken})

    assert (told["kind"], told["status"]) == ("bad-cursor", 400)
    assert told["detail"] == "the cursor is of another query: begin again without it"


def test_a_forecast_that_is_not_there_says_where_ids_come_from(plant, api):
    plant.night()

    told = api.problem(f"{FORECASTS}/4be1")

    assert (told["kind"], told["status"]) == ("unknown-forecast", 404)
    assert "take the id from a row" in told["detail"]


def test_an_unknown_address_points_to_the_list(api):
    told = api.problem("/v2/tenants")

    assert (told["kind"], told["detail"]) == (
        "not-found",
        "there is nothing at /v2/tenants: the addresses are listed at /docs",
    )


def test_a_method_that_an_address_does_not_take_is_refused(api):
    answer = api.post(FORECASTS)

    assert answer.headers["allow"] == "GET"
    assert (answer.status_code, answer.json()["detail"]) == (
        405,
        "this address does not take POST: what it takes is listed at /docs",
    )


@pytest.mark.parametrize("host", ["uretimiq.example", "10.0.0.7:8300", "127.0.0.1.example:8300", "", "[::2]:8300"])
def test_a_request_meant_for_another_host_is_refused(api, host):
    told = api.problem("/v1/status", headers={"host": host})

    assert (told["kind"], told["status"]) == ("host-refused", 421)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8300", "localhost:8300", "LOCALHOST", "[::1]:8300", "[::1]"])
def test_a_request_meant_for_loopback_is_answered(api, host):
    assert api.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("tenant", ["a%2Fb", " acme", "a=b", "a%0Ab", "x" * 101])
def test_what_cannot_be_a_tenant_is_not_looked_up(plant, api, tenant):
    plant.night()

    assert api.problem(f"/v1/tenants/{tenant}/series")["kind"] in ("bad-request", "not-found")


def test_a_failure_inside_shows_a_handle_and_no_trace(plant, api, monkeypatch, caplog):
    plant.night()
    monkeypatch.setattr("serving.tenants.json_page", lambda *_: 1 / 0)

    told = api.problem(FORECASTS)

    assert (told["kind"], told["status"]) == ("internal", 500)
    assert "division" not in told["detail"]
    assert told["detail"].rpartition(" ")[2] in caplog.text


def test_files_that_are_gone_for_good_are_told_and_logged(plant, api, caplog):
    plant.night()
    shutil.rmtree(f"{plant.settings.place(DEMAND_FORECAST)}/tenant=acme")

    told = api.problem(FORECASTS)

    assert (told["kind"], told["status"]) == ("unreadable", 503)
    assert str(plant.settings.home) not in told["detail"]
    assert "cannot read" in caplog.text


def test_a_store_that_does_not_answer_is_told_and_status_still_answers(plant, make_api):
    away = {"lake": "s3://lake/x", "s3_endpoint": "http://127.0.0.1:9", "s3_access_key": "k", "s3_secret_key": "s"}
    api = make_api(replace(plant.settings, **away))

    assert api.problem("/readyz")["kind"] == "unreadable"
    assert api.problem(FORECASTS)["kind"] == "unreadable"
    status = api.get("/v1/status").json()
    assert {table["state"] for table in status["tables"]} == {"unreadable"}
    assert (status["jobs"], status["champions"]) == (None, None)


def test_a_night_once_read_is_served_while_the_store_fails(plant, api, monkeypatch):
    plant.night()
    assert api.get("/readyz").status_code == 200
    assert len(api.rows()) == 84

    def fail(*_, **__):
        raise OSError("the store is away")

    monkeypatch.setattr("serving.lake.DeltaTable", fail)
    api.clock.later(100)  # beyond REOPEN_SECONDS: the table is opened afresh, which fails

    assert api.problem("/readyz")["kind"] == "unreadable"
    assert len(api.rows()) == 84


def test_an_answer_of_a_problem_keeps_to_one_line(plant, api):
    plant.night("other")
    plant.run("acme", date(2026, 3, 1), job="silver", status="failed", reason="first\n  second\tthird")

    assert api.problem(FORECASTS)["detail"].endswith("failed: first second third")


def test_readyz_answers_while_every_thread_waits_for_something(plant, api):
    plant.night()

    async def ask():
        threads = to_thread.current_default_thread_limiter()
        for _ in range(int(threads.total_tokens)):
            await threads.acquire_on_behalf_of(object())
        transport = httpx.ASGITransport(app=api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            with fail_after(20):
                return await client.get("/readyz")

    assert run(ask).status_code == 200
