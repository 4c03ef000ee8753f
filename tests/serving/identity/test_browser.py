"""Signing in with a browser: the refresh token in a cookie out of reach of scripts and of other sites."""

import pytest
from fastapi.testclient import TestClient

PASSWORD = "korrekt pferd batterie"
OURS = {"Uretimiq-CSRF": "1", "Origin": "https://127.0.0.1:8300", "Sec-Fetch-Site": "same-origin"}
WHO = {"username": "viewer-acme", "password": PASSWORD}
SIGN_IN, REFRESH, SIGN_OUT = (f"/v1/auth/browser/{name}" for name in ("sign-in", "refresh", "sign-out"))


@pytest.fixture
def browser(visitor):
    """Keeps cookies; https, since the cookie is for that alone."""
    return TestClient(visitor.api.app, base_url="https://127.0.0.1:8300", raise_server_exceptions=False)


@pytest.fixture
def signed_in(browser):
    answer = browser.post(SIGN_IN, json=WHO, headers=OURS)
    assert answer.status_code == 200, answer.text
    return answer


def test_the_page_gets_an_access_token_and_never_the_refresh_token(browser, signed_in):
    token = signed_in.json()

    assert token["refresh_token"] is None
    assert browser.get("/v1/me", headers={"Authorization": f"Bearer {token['access_token']}"}).status_code == 200
    assert browser.cookies["uretimiq_refresh"] not in signed_in.text


def test_the_cookie_is_out_of_reach(signed_in):
    parts = {part.strip().lower() for part in signed_in.headers["set-cookie"].split(";")[1:]}

    assert parts >= {"httponly", "secure", "samesite=strict", "path=/v1/auth/browser", "max-age=604800"}


def test_the_cookie_alone_opens_nothing(browser, signed_in):
    assert browser.get("/v1/me").status_code == 401
    assert browser.get("/v1/tenants/acme/forecasts").status_code == 401


def test_the_cookie_gives_the_next_access_token_and_is_changed(browser, signed_in):
    before = browser.cookies["uretimiq_refresh"]

    answer = browser.post(REFRESH, headers=OURS)

    assert answer.json()["access_token"]
    assert browser.cookies["uretimiq_refresh"] != before


@pytest.fixture
def reloaded(browser, signed_in):
    """The browser after a refresh whose answer it has lost: it has the cookie from before still."""
    before = browser.cookies["uretimiq_refresh"]
    browser.post(REFRESH, headers=OURS)
    given = browser.cookies["uretimiq_refresh"]

    def again(cookie=before):
        return browser.post(REFRESH, headers=OURS | {"Cookie": f"uretimiq_refresh={cookie}"})

    browser.cookies.clear()
    again.before, again.given = before, given
    return again


def cookie_of(answer):
    return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]


def test_a_page_that_was_reloaded_as_it_asked_is_given_the_same_successor(reloaded, visitor):
    visitor.api.clock.later(9)

    answer = reloaded()

    assert answer.status_code == 200
    assert cookie_of(answer) == reloaded.given
    assert reloaded(reloaded.given).status_code == 200
    assert [row["target"] for row in visitor.audit("session.refresh_repeated")] == ["user:viewer-acme"]


def test_a_replay_after_the_grace_ends_the_whole_family(reloaded, visitor):
    visitor.api.clock.later(11)

    assert reloaded().status_code == 401
    assert reloaded(reloaded.given).status_code == 401
    assert [row["target"] for row in visitor.audit("session.refresh_reused")] == ["user:viewer-acme"]


def test_a_clock_that_was_set_back_gives_no_longer_grace(reloaded, visitor):
    visitor.api.clock.later(-50)

    assert reloaded().status_code == 401
    assert [row["target"] for row in visitor.audit("session.refresh_reused")] == ["user:viewer-acme"]


def test_a_replay_once_the_successor_is_used_ends_the_whole_family(reloaded):
    last = cookie_of(reloaded(reloaded.given))

    assert reloaded().status_code == 401
    assert reloaded(last).status_code == 401


def test_a_replay_from_another_address_ends_the_whole_family(reloaded, visitor):
    elsewhere = TestClient(visitor.api.app, base_url="https://127.0.0.1:8300", client=("203.0.113.9", 40000))
    stolen = reloaded.before

    answer = elsewhere.post(REFRESH, headers=OURS | {"Cookie": f"uretimiq_refresh={stolen}"})

    assert answer.status_code == 401
    assert reloaded(reloaded.given).status_code == 401


def test_a_session_that_was_ended_has_no_grace(reloaded, visitor, browser):
    browser.post(SIGN_OUT, headers=OURS | {"Cookie": f"uretimiq_refresh={reloaded.given}"})

    assert reloaded().status_code == 401


def test_a_stolen_cookie_ends_the_session_once_both_used_it(browser, signed_in, visitor):
    stolen = browser.cookies["uretimiq_refresh"]
    browser.post(REFRESH, headers=OURS)

    assert visitor.refresh(stolen).status_code == 400
    assert browser.post(REFRESH, headers=OURS).status_code == 401


def test_signing_out_takes_the_cookie_and_ends_the_session(browser, signed_in, visitor):
    token = browser.cookies["uretimiq_refresh"]

    assert browser.post(SIGN_OUT, headers=OURS).status_code == 200

    assert "uretimiq_refresh" not in browser.cookies
    assert visitor.refresh(token).status_code == 400
    assert browser.post(REFRESH, headers=OURS).status_code == 401


@pytest.mark.parametrize("address", [SIGN_IN, REFRESH, SIGN_OUT])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Uretimiq-CSRF": "1", "Origin": "https://evil.example"},
        {"Uretimiq-CSRF": "1", "Origin": "null"},
        {"Uretimiq-CSRF": "1", "Origin": "https://127.0.0.1:8300.evil.example"},
        {"Uretimiq-CSRF": "1", "Sec-Fetch-Site": "cross-site"},
        {"Uretimiq-CSRF": "1", "Sec-Fetch-Site": "same-site"},
        {"Origin": "https://127.0.0.1:8300"},
    ],
)
def test_what_a_page_elsewhere_sends_is_refused_and_written_down(browser, signed_in, visitor, address, headers):
    answer = browser.post(address, json=WHO, headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:uretimiq:problem:cross-site")
    assert visitor.denied()[0][0] == "cross-site"
    assert browser.post(REFRESH, headers=OURS).status_code == 200


def test_a_form_of_a_page_elsewhere_signs_nobody_in(browser):
    """A form needs no permission to be sent, but cannot send JSON or our header."""
    answer = browser.post(SIGN_IN, data=WHO, headers=OURS)

    assert answer.status_code == 422


def test_a_wrong_password_sets_no_cookie(browser):
    answer = browser.post(SIGN_IN, json=WHO | {"password": "wrong"}, headers=OURS)

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:uretimiq:problem:sign-in-refused")
    assert "set-cookie" not in answer.headers


def test_a_page_is_told_that_a_code_is_needed(browser, visitor):
    visitor.enrol("viewer-acme")

    answer = browser.post(SIGN_IN, json=WHO, headers=OURS)

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:uretimiq:problem:code-needed")
