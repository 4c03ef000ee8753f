"""What holds for every request: its id, size and rate, headers of safety, pages elsewhere, refusals written down."""

import re
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import InterfaceError, InternalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from serving.state.database import connect

FORECASTS = "/v1/tenants/acme/forecasts"


def kinds(api):
    return [row["detail"]["kind"] for row in api.identity.audit.page(None, 100, action="denied")]


@pytest.mark.parametrize("address", ["/", "/healthz", FORECASTS, "/nowhere", "/v1/auth/token"])
def test_every_answer_has_the_headers_of_safety(api, address):
    headers = api.get(address).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_https_is_asked_for_where_others_call_the_api_by_name(plant, make_api):
    at_home = make_api(plant.settings)
    away = make_api(replace(plant.settings, hosts="uretimiq.example"))

    assert "strict-transport-security" not in at_home.get("/healthz").headers
    assert "max-age" in away.get("/healthz").headers["strict-transport-security"]


def test_a_failure_inside_has_them_too_and_its_id_is_the_requests(plant, api, monkeypatch, caplog):
    plant.night()
    monkeypatch.setattr("serving.tenants.json_page", lambda *_: 1 / 0)

    answer = api.get(FORECASTS, headers={"X-Request-ID": "mine"})

    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "mine")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "mine" in answer.json()["detail"]
    assert "request mine failed" in caplog.text


def test_a_request_has_an_id_that_its_caller_may_choose(api):
    assert api.get("/healthz", headers={"X-Request-ID": "planner-7"}).headers["x-request-id"] == "planner-7"
    made = {api.get("/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "<script>", "a\tb"])
def test_an_id_that_would_not_do_in_a_log_is_replaced(api, given):
    found = api.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"]

    assert re.fullmatch("[0-9a-f]{16}", found)


def test_a_host_that_is_named_in_the_settings_is_answered(plant, make_api):
    api = make_api(replace(plant.settings, hosts="uretimiq.example, other.example"))

    told = [
        api.get("/healthz", headers={"host": host}).status_code for host in ("Uretimiq.Example:443", "evil.example")
    ]

    assert told == [200, 421]
    assert kinds(api) == ["host-refused"]


@pytest.mark.parametrize("address", [FORECASTS, "/v1/auth/token", "/v1/auth/revoke", "/nowhere"])
def test_a_body_that_is_too_large_is_refused_and_written_down(api, address):
    answer = api.post(address, content=b"x" * (1024 * 1024 + 1))

    assert (answer.status_code, answer.json()["type"]) == (413, "urn:uretimiq:problem:too-large")
    assert kinds(api) == ["too-large"]


@pytest.mark.parametrize("address", ["/v1/auth/token", "/v1/auth/browser/sign-in", "/v1/tenants/acme/keys"])
def test_a_body_that_hides_its_length_is_refused_too(api, address):
    def pieces():
        for _ in range(20):
            yield b"x" * 100_000

    form = {"Content-Type": "application/x-www-form-urlencoded" if address.endswith("token") else "application/json"}
    answer = api.post(address, content=pieces(), headers=form | {"Uretimiq-CSRF": "1"})

    assert (answer.status_code, answer.json()["type"]) == (413, "urn:uretimiq:problem:too-large")
    assert kinds(api) == ["too-large"]


@pytest.mark.parametrize("length", ["-1", "many", "1e9"])
def test_a_length_that_is_none_is_refused(api, length):
    assert api.post(FORECASTS, content=b"x", headers={"Content-Length": length}).status_code == 413


def test_an_address_that_asks_too_often_waits(plant, make_api):
    api = make_api(replace(plant.settings, rate_address=3))

    answers = [api.get("/healthz") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[3].headers["retry-after"]) > 0
    assert kinds(api) == ["too-many-requests"]
    api.clock.later(120)
    assert api.get("/healthz").status_code == 200


def test_a_key_that_asks_too_often_waits_and_another_does_not(plant, make_api):
    plant.night()
    api = make_api(replace(plant.settings, rate_user=3))
    other = api.identity.keys.add(_setup(), "acme", "other", ["forecasts:read"]).key

    codes = [api.get(FORECASTS).status_code for _ in range(4)]

    assert codes == [200, 200, 200, 429]
    assert api.get(FORECASTS, headers={"Authorization": f"Bearer {other}"}).status_code == 200
    assert kinds(api) == ["too-many-requests"]


def test_a_flood_of_refusals_does_not_fill_the_log(api):
    for _ in range(310):
        assert api.get(FORECASTS, headers={"Authorization": ""}).status_code == 401

    assert len(api.identity.audit.page(None, 1000)) <= 302


def test_another_sites_page_is_answered_only_where_the_settings_name_it(plant, make_api):
    ask = {"Origin": "https://planning.example", "Access-Control-Request-Method": "GET"}
    closed = make_api(plant.settings)
    opened = make_api(replace(plant.settings, origins="https://planning.example"))

    assert "access-control-allow-origin" not in closed.options(FORECASTS, headers=ask).headers
    allowed = opened.options(FORECASTS, headers=ask).headers
    assert allowed["access-control-allow-origin"] == "https://planning.example"
    assert "access-control-allow-credentials" not in allowed
    other = opened.options(FORECASTS, headers=ask | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    "address",
    [
        "/v1/tenants/../../etc/passwd",
        "/v1/tenants/%2e%2e%2f%2e%2e%2fetc%2fpasswd/forecasts",
        "/v1/tenants/acme/forecasts/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/tenants/acme%00/forecasts",
        "/v1/tenants/acme/../zebra/forecasts",
        "/static/../../settings.env",
        "/v1/tenants/'%20OR%201=1--/forecasts",
    ],
)
def test_a_path_or_code_that_reaches_for_more_is_refused_and_written_down(plant, api, address):
    plant.night()
    key = api.identity.keys.add(_setup(), "acme", "k", ["forecasts:read"]).key

    answer = api.get(address, headers={"Authorization": f"Bearer {key}"})

    assert answer.status_code in {403, 404}
    assert "root:" not in answer.text
    assert len(kinds(api)) == 1


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "'; DROP TABLE files; --", "P-1' UNION SELECT * FROM files --", "%", "*"]
)
def test_sql_in_a_filter_finds_nothing(plant, api, text):
    plant.night()

    for name in ("site", "product"):
        assert api.rows(FORECASTS, **{name: text}) == []
    assert api.get(f"{FORECASTS}/{text.replace('/', '')}").status_code == 404
    assert len(api.rows(FORECASTS)) == 84


def test_an_answer_that_only_finds_nothing_is_not_written_down(plant, api):
    plant.night()

    assert api.get(f"{FORECASTS}/4be1").status_code == 404
    assert api.get(f"{FORECASTS}?limit=0").status_code == 422
    assert kinds(api) == []


def _setup():
    from serving.identity.roles import Caller

    return Caller("test")


def test_a_state_database_that_went_away_is_told_and_logged(plant, make_api, empty_postgresql, caplog):
    settings = replace(plant.settings, state=empty_postgresql)
    connect(settings).migrate()
    api = make_api(settings)
    assert api.get("/v1/status").status_code == 200
    server = create_engine(make_url(empty_postgresql).set(drivername="postgresql+psycopg", database="postgres"))
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = make_url(empty_postgresql).database
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    api.clock.later()

    told = api.problem("/v1/status")

    assert (told["kind"], told["status"]) == ("state-unavailable", 503)
    assert "does not answer" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        InternalError("INSERT", {}, OSError("cannot execute INSERT in a read-only transaction")),  # a standby
        InterfaceError("SELECT", {}, OSError("the connection is closed")),
        NoConnectionError("QueuePool limit of size 5 overflow 10 reached"),
    ],
)
def test_a_state_database_that_takes_nothing_is_told_as_one_that_is_away(api, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(api.identity.audit, "page", fail)

    told = api.problem("/v1/audit")
    assert told["kind"] == "state-unavailable"
    assert "cannot be read, or takes no changes" in told["detail"]


@pytest.mark.parametrize("address", ["/healthz", "/readyz", FORECASTS, "/app/", "/openapi.json"])
def test_head_is_answered_like_get_without_its_body(plant, api, address):
    plant.night()
    got, head = api.get(address), api.head(address)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


def test_head_is_refused_like_get(api):
    assert api.head(FORECASTS, headers={"Authorization": ""}).status_code == 401
    assert api.head("/v1/auth/token").headers["allow"] == "POST"
    assert "HEAD /v1/auth/token" in [row["target"] for row in api.identity.audit.page(None, 10)]
