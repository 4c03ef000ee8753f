"""A company's own login, against a real provider on loopback: whom it vouches for gets in, and nobody else."""

import base64
import hmac
import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient
from provider import CLIENT_SECRET, Provider

from serving.identity.roles import Caller

BACK = "http://127.0.0.1:8300/v1/auth/oidc/callback"
GRANTS = [
    {"claim": "groups", "value": "planners", "tenant": "acme", "role": "operator"},
    {"claim": "groups", "value": "everybody", "tenant": "acme", "role": "viewer"},
    {"claim": "groups", "value": "quality", "tenant": "zebra", "role": "auditor"},
]
OURS = {"Uretimiq-CSRF": "1", "Origin": "https://127.0.0.1:8300"}


@pytest.fixture
def provider(clock):
    made = Provider(lambda: clock.now)
    yield made
    made.close()


def write(plant, **told):
    plant.settings.home.mkdir(parents=True, exist_ok=True)
    (plant.settings.home / "oidc.yaml").write_text(yaml.safe_dump(told))


@pytest.fixture
def api(plant, make_api, provider, clock):
    write(plant, issuer=provider.issuer, client_id="uretimiq", redirect=BACK, grants=GRANTS)
    return make_api(replace(plant.settings, oidc_client_secret=CLIENT_SECRET), clock)


@pytest.fixture
def browser(api):
    return TestClient(api.app, base_url="https://127.0.0.1:8300", follow_redirects=False)


def go(browser):
    """The browser's way: to the provider, and back with its code. Gives the address to come back to."""
    started = browser.get("/v1/auth/oidc/start")
    assert started.status_code == 303, started.text
    return httpx.get(started.headers["location"]).headers["location"]


def come_back(browser, address):
    return browser.get(address.replace("http://127.0.0.1:8300", ""))


def sign_in(browser):
    return come_back(browser, go(browser))


def me(browser):
    token = browser.post("/v1/auth/browser/refresh", headers=OURS).json()["access_token"]
    return browser.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).json()


def denied(api):
    return [row["detail"]["kind"] for row in api.identity.audit.page(None, 100, action="denied")]


def test_whom_the_company_vouches_for_is_let_in_with_the_role_that_its_claims_give(browser, provider, api):
    done = sign_in(browser)

    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert (me(browser)["name"], me(browser)["roles"]) == ("fatma", {"acme": "operator"})
    assert me(browser)["own_login"] == provider.issuer
    assert [row["detail"]["by"] for row in api.identity.audit.page(None, 9, action="session.opened")] == ["own_login"]


def test_the_request_carries_pkce_state_and_nonce(browser):
    query = parse_qs(urlsplit(browser.get("/v1/auth/oidc/start").headers["location"]).query)

    assert query["code_challenge_method"] == ["S256"]
    assert len(query["state"][0]) > 40 < len(query["nonce"][0])
    assert query["redirect_uri"] == [BACK]


def test_at_the_next_sign_in_roles_are_as_the_claims_are_then(browser, provider, api):
    sign_in(browser)
    provider.groups = ["quality"]

    sign_in(browser)

    assert me(browser)["roles"] == {"zebra": "auditor"}
    taken = api.identity.audit.page(None, 9, action="user.role_taken")
    assert [(row["tenant"], row["target"]) for row in taken] == [("acme", "user:fatma")]


def test_of_two_roles_at_a_tenant_the_wider_counts(browser, provider):
    provider.groups = ["everybody", "planners"]
    sign_in(browser)

    assert me(browser)["roles"] == {"acme": "operator"}


def test_who_has_no_role_here_is_refused(browser, provider, api):
    provider.groups = ["canteen"]

    told = sign_in(browser)

    assert (told.status_code, "gives you no role here" in told.text) == (403, True)
    assert denied(api) == ["sign-in-refused"]
    assert api.identity.users.list() == []


def other_key(provider):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return lambda claims: jwt.encode(claims, other, "RS256", headers={"kid": provider.kid})


def part(value):
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def unsigned(claims):
    return f"{part({'alg': 'none'})}.{part(claims)}."


def by_public_key(provider):
    """The old trick: the public key, which everybody knows, as a shared secret."""
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(claims):
        text = f"{part({'alg': 'HS256', 'kid': provider.kid})}.{part(claims)}"
        return f"{text}.{part(hmac.digest(provider.key.public_key().public_bytes(*form), text.encode(), 'sha256'))}"

    return sign


@pytest.mark.parametrize(
    "sign",
    [other_key, by_public_key, lambda _: unsigned, lambda _: lambda claims: "x.y.z", lambda _: lambda claims: ""],
    ids=["another key", "public key as secret", "none", "no token", "empty"],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(browser, provider, api, sign):
    provider.sign = sign(provider)

    assert sign_in(browser).status_code == 403
    assert denied(api) == ["sign-in-refused"]
    assert "uretimiq_refresh" not in browser.cookies


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["uretimiq", "another"], "azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 99_999_999_999},
        {"sub": None},
    ],
)
def test_a_token_that_says_something_else_is_refused(browser, provider, api, change):
    provider.change = change

    assert sign_in(browser).status_code == 403
    assert denied(api) == ["sign-in-refused"]


def test_a_code_counts_once(browser):
    address = go(browser)
    assert come_back(browser, address).status_code == 303

    assert come_back(browser, address).status_code == 403


def test_a_code_that_another_browser_fetched_is_refused(browser, api):
    """Else somebody could sign another one in as himself."""
    address = go(browser)
    victim = TestClient(api.app, base_url="https://127.0.0.1:8300", follow_redirects=False)

    assert come_back(victim, address).status_code == 403


def test_a_state_that_was_never_given_is_refused(browser):
    address = go(browser)
    browser.cookies.set("uretimiq_oidc", "made-up", domain="127.0.0.1", path="/v1/auth/oidc")

    assert browser.get(f"/v1/auth/oidc/callback?code=x&state=made-up&{address[:0]}").status_code == 403


def test_an_answer_of_another_provider_is_refused(browser):
    address = go(browser)

    assert come_back(browser, address.partition("&iss=")[0] + "&iss=https://evil.example").status_code == 403


def test_a_sign_in_that_took_too_long_is_refused(browser, clock):
    address = go(browser)
    clock.later(601)

    assert come_back(browser, address).status_code == 403


@pytest.mark.parametrize(
    "query", ["", "error=access_denied&state=x", "code=x", "state=x", "code=x&state=%27%20OR%201=1"]
)
def test_coming_back_without_having_been_sent_is_refused(browser, query):
    assert browser.get(f"/v1/auth/oidc/callback?{query}").status_code == 403


def test_a_name_that_a_user_of_this_server_has_is_not_taken_over(browser, api):
    api.identity.users.add(Caller("test"), "fatma", "korrekt pferd batterie", {"acme": "admin"})

    told = sign_in(browser)

    assert (told.status_code, "belongs to a user of this server" in told.text) == (403, True)
    assert api.identity.users.list()[0]["roles"] == {"acme": "admin"}


def test_the_same_person_under_a_new_name_is_the_same_user(browser, provider, api):
    sign_in(browser)
    provider.user["preferred_username"] = "fatma.yilmaz"
    sign_in(browser)

    assert [user["name"] for user in api.identity.users.list()] == ["fatma"]


def test_who_is_disabled_here_is_refused_whatever_the_company_says(browser, api):
    sign_in(browser)
    api.identity.users.disable(Caller("test"), "fatma")

    assert sign_in(browser).status_code == 403


@pytest.mark.parametrize("name", ["", "a b", "x" * 200, "Ünal"])
def test_a_name_that_cannot_be_kept_is_refused(browser, provider, name):
    provider.user["preferred_username"] = name

    assert sign_in(browser).status_code == 403


@pytest.mark.parametrize("curve", [False, True])
def test_new_keys_of_the_provider_are_found_by_themselves(browser, provider, curve):
    sign_in(browser)
    provider.turn_keys("second", curve)

    assert sign_in(browser).status_code == 303


def test_discovery_and_keys_are_asked_for_once_an_hour(browser, provider, clock):
    sign_in(browser)
    asked = len([path for path in provider.asked if not path.endswith("/authorize")])
    sign_in(browser)
    assert len([path for path in provider.asked if not path.endswith("/authorize")]) == asked == 2

    clock.later(3601)
    sign_in(browser)
    assert len([path for path in provider.asked if not path.endswith("/authorize")]) == 4


def test_a_provider_that_does_not_answer_is_told_and_passwords_go_on(browser, provider, api):
    api.identity.users.add(Caller("test"), "ayse", "korrekt pferd batterie", {"acme": "admin"})
    provider.is_down = True

    told = browser.get("/v1/auth/oidc/start")

    assert (told.status_code, told.json()["type"]) == (503, "urn:uretimiq:problem:login-unavailable")
    form = {"grant_type": "password", "username": "ayse", "password": "korrekt pferd batterie"}
    assert browser.post("/v1/auth/token", data=form).status_code == 200


@pytest.mark.parametrize("discovery", [{"issuer": "https://evil.example"}, {"token_endpoint": None}, {"jwks_uri": 5}])
def test_a_discovery_that_is_not_the_issuers_is_refused(browser, provider, discovery):
    provider.discovery = discovery

    assert browser.get("/v1/auth/oidc/start").status_code == 503


def test_a_wrong_client_secret_is_refused_by_the_provider(browser, provider):
    provider.secret = "another"

    assert sign_in(browser).status_code == 403


def test_without_a_login_of_a_company_the_addresses_say_so(plant, make_api):
    told = make_api(plant.settings).problem("/v1/auth/oidc/start")

    assert (told["kind"], told["status"]) == ("no-company-login", 404)


def test_a_person_who_is_refused_comes_back_to_the_page_and_the_refusal_is_written_down(browser, api):
    answer = browser.get("/v1/auth/oidc/callback?state=x&code=y", headers={"Accept": "text/html,*/*;q=0.8"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/app/?sign-in=sign-in-refused")
    assert "uretimiq_refresh" not in answer.headers.get("set-cookie", "")
    assert api.identity.audit.page(None, 1)[0]["detail"]["kind"] == "sign-in-refused"


def test_a_person_is_told_by_the_page_that_the_companys_login_is_gone(browser, provider):
    provider.is_down = True

    answer = browser.get("/v1/auth/oidc/start", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/app/?sign-in=login-unavailable")
