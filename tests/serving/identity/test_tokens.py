"""Attacks on tokens: each is refused, and stands in the audit log."""

import base64
import json
from datetime import timedelta

import jwt
import pytest

from serving.state.database import open_state

ADDRESS = "/v1/tenants/acme/forecasts"


@pytest.fixture
def claims(visitor):
    """A good token's claims, its key and its header."""
    token = visitor.token("viewer-acme").json()["access_token"]
    tokens = visitor.api.identity.tokens
    kid = jwt.get_unverified_header(token)["kid"]
    return jwt.decode(token, options={"verify_signature": False}), tokens._keys[kid], {"kid": kid}


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def refused(visitor, token):
    before = len(visitor.denied())
    told = visitor.api.problem(ADDRESS, headers={"Authorization": f"Bearer {token}".encode("latin-1")})
    assert (told["kind"], told["status"]) == ("unauthorized", 401)
    assert len(visitor.denied()) == before + 1
    assert visitor.audit("denied")[0]["target"] == f"GET {ADDRESS}"
    return told["detail"]


def test_a_good_token_opens_what_its_user_may_see(plant, visitor):
    plant.night()

    answer = visitor.api.get(ADDRESS, headers=visitor.headers("viewer-acme"))

    assert answer.status_code == 200


def test_a_token_without_signature_is_refused(visitor, claims):
    said, _, header = claims

    refused(visitor, f"{part({'alg': 'none', 'typ': 'JWT', **header})}.{part(said)}.")


@pytest.mark.parametrize("algorithm", ["HS512", "HS384"])
def test_a_token_of_another_algorithm_is_refused_though_the_key_is_right(visitor, claims, algorithm):
    said, key, header = claims

    refused(visitor, jwt.encode(said, key, algorithm, header))


def test_a_token_signed_by_another_key_is_refused(visitor, claims):
    said, _, header = claims

    refused(visitor, jwt.encode(said, b"x" * 32, "HS256", header))


@pytest.mark.parametrize("header", [{}, {"kid": "nobody"}, {"kid": "../../etc/passwd"}, {"kid": "' OR 1=1--"}])
def test_a_token_of_an_unknown_key_is_refused(visitor, claims, header):
    said, key, _ = claims

    refused(visitor, jwt.encode(said, key, "HS256", header))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody"},
        {"aud": "another-api"},
        {"sub": "nobody"},
        {"sid": "none"},
        {"exp": None},
        {"exp": "soon"},
        {"sid": None},
        {"iat": 99_999_999_999},
    ],
)
def test_a_token_that_says_something_else_is_refused(visitor, claims, change):
    said, key, header = claims
    changed = {name: value for name, value in (said | change).items() if value is not None}

    refused(visitor, jwt.encode(changed, key, "HS256", header))


def test_another_users_name_in_ones_own_session_is_refused(visitor, claims):
    said, key, header = claims
    other = jwt.decode(visitor.token("root").json()["access_token"], options={"verify_signature": False})["sub"]

    refused(visitor, jwt.encode(said | {"sub": other}, key, "HS256", header))


@pytest.mark.parametrize("token", ["x", "a.b.c", "....", "é", "urt_key_", "urt_refresh_x", "Bearer", "null"])
def test_what_is_no_token_is_refused(visitor, token):
    refused(visitor, token)


def test_a_token_whose_claims_were_changed_is_refused(visitor):
    head, _, signature = visitor.token("viewer-acme").json()["access_token"].split(".")

    refused(visitor, f"{head}.{part({'sub': 'root'})}.{signature}")


def test_a_token_is_good_for_fifteen_minutes(plant, visitor):
    plant.night()
    headers = visitor.headers("viewer-acme")

    visitor.api.clock.later(15 * 60 - 1)
    assert visitor.api.get(ADDRESS, headers=headers).status_code == 200
    visitor.api.clock.later(1)
    assert visitor.api.problem(ADDRESS, headers=headers)["detail"].startswith("the access token has expired")


def test_another_scheme_is_not_read(visitor):
    told = visitor.api.problem(ADDRESS, headers={"Authorization": "Basic cm9vdDpyb290"})

    assert told["kind"] == "unauthorized"


def test_a_refused_token_is_answered_with_the_scheme_that_is_wanted(visitor):
    answer = visitor.api.get(ADDRESS, headers={"Authorization": ""})

    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_refresh_token_gives_the_next_pair(visitor):
    first = visitor.token("viewer-acme").json()

    second = visitor.refresh(first["refresh_token"]).json()

    assert second["refresh_token"] != first["refresh_token"]
    assert visitor.refresh(second["refresh_token"]).status_code == 200


def test_a_refresh_token_used_twice_ends_its_whole_family_and_is_written_down(plant, visitor):
    plant.night()
    first = visitor.token("viewer-acme").json()
    second = visitor.refresh(first["refresh_token"]).json()

    stolen = visitor.refresh(first["refresh_token"])

    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert visitor.refresh(second["refresh_token"]).status_code == 400
    visitor.api.clock.later()
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    assert visitor.api.get(ADDRESS, headers=headers).status_code == 401
    assert [row["target"] for row in visitor.audit("session.refresh_reused")] == ["user:viewer-acme"]


def test_another_session_of_the_user_goes_on_when_one_was_stolen(visitor):
    first, other = (visitor.token("viewer-acme").json()["refresh_token"] for _ in range(2))
    visitor.refresh(first)
    visitor.refresh(first)

    assert visitor.refresh(other).status_code == 200


def test_a_refresh_token_is_good_for_seven_days(visitor):
    tokens = [visitor.token("viewer-acme").json()["refresh_token"] for _ in range(2)]

    visitor.api.clock.later(timedelta(days=7).total_seconds() - 1)
    assert visitor.refresh(tokens[0]).status_code == 200
    visitor.api.clock.later(1)
    assert visitor.refresh(tokens[1]).status_code == 400


def test_a_session_ends_after_ninety_days_however_often_it_was_refreshed(visitor):
    token = visitor.token("viewer-acme").json()["refresh_token"]
    for _ in range(15):
        visitor.api.clock.later(timedelta(days=6).total_seconds())
        answer = visitor.refresh(token)
        token = answer.json().get("refresh_token", "")

    assert answer.status_code == 400


def test_what_can_be_used_no_more_is_not_kept(visitor):
    def kept():
        with open_state(visitor.settings).read() as connection:
            counts = "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM refresh_tokens)"
            return tuple(connection.exec_driver_sql(counts).one())

    token = visitor.token("viewer-acme").json()["refresh_token"]
    for _ in range(4):
        visitor.api.clock.later(timedelta(days=6).total_seconds())
        token = visitor.refresh(token).json()["refresh_token"]
    assert kept() == (1, 2)

    visitor.api.clock.later(timedelta(days=8).total_seconds())
    visitor.token("viewer-acme")
    assert kept() == (1, 1)


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
def test_a_revoked_session_opens_nothing_any_more(plant, visitor, which):
    plant.night()
    pair = visitor.token("viewer-acme").json()

    done = visitor.api.post("/v1/auth/revoke", data={"token": pair[which]}, headers={"Authorization": ""})

    visitor.api.clock.later()
    assert done.status_code == 200
    assert visitor.refresh(pair["refresh_token"]).status_code == 400
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert visitor.api.get(ADDRESS, headers=headers).status_code == 401


def test_revoking_an_unknown_token_is_answered_like_a_known_one(visitor):
    known = visitor.token("viewer-acme").json()["refresh_token"]

    told = [visitor.api.post("/v1/auth/revoke", data={"token": token}) for token in (known, "urt_refresh_x", "x.y.z")]

    assert {(answer.status_code, answer.text) for answer in told} == {(200, told[0].text)}


def test_neither_token_is_kept_as_it_is(visitor, plant):
    pair = visitor.token("viewer-acme").json()

    kept = b"".join(file.read_bytes() for file in (plant.settings.home / "state").glob("state.db*"))

    assert pair["refresh_token"].encode() not in kept
    assert pair["access_token"].encode() not in kept


def test_a_disabled_users_token_opens_nothing_any_more(plant, visitor):
    pair = visitor.token("viewer-acme").json()
    visitor.api.identity.users.disable(_setup(), "viewer-acme")

    visitor.api.clock.later()
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert visitor.api.get(ADDRESS, headers=headers).status_code == 401
    assert visitor.refresh(pair["refresh_token"]).status_code == 400


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "username": "x"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": ["password", "password"]}, "invalid_request"),
        ({"grant_type": "password", "username": "x" * 5000, "password": "y"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "urt_refresh_x"}, "invalid_grant"),
    ],
)
def test_a_form_that_is_wrong_is_told_by_the_codes_of_the_standard(visitor, form, error):
    answer = visitor.api.post("/v1/auth/token", data=form)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b'{"grant_type": "password"}', "application/json"), (b"a=%FF%FE", "application/x-www-form-urlencoded")],
)
def test_a_body_that_is_no_form_is_refused(visitor, content, kind):
    answer = visitor.api.post("/v1/auth/token", content=content, headers={"Content-Type": kind})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_an_answer_with_tokens_is_kept_by_no_cache(visitor):
    assert visitor.token("viewer-acme").headers["cache-control"] == "no-store"


def _setup():
    from serving.identity.roles import Caller

    return Caller("test")
