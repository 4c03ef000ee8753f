"""Idempotency-Key: what is sent twice is made once."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError

from serving.idempotency import Asked, Idempotency
from serving.identity.roles import Caller
from serving.identity.secret import Secret
from serving.problems import Problem
from serving.state.database import State

KEYS = "/v1/tenants/acme/keys"
NEW = {"name": "Excel of the planners", "scopes": ["forecasts:read"]}
ASKED = Asked("acme", "user:ayse", "k-1", "a" * 64)


@pytest.fixture
def admin(api):
    made = api.identity.keys.add(Caller("test"), "acme", "admin", ["keys:write", "keys:read", "forecasts:read"])
    return {"Authorization": f"Bearer {made.key}"}


@pytest.fixture
def kept(state, clock):
    return Idempotency(state, Secret(("k7Zt0pQ2vXw9LrB4mN8cY1sD6fG3hJ5a",)), lambda: clock.now)


def post(api, admin, key="k-1", address=KEYS, **more):
    return api.post(address, json=NEW | more, headers=admin | {"Idempotency-Key": key})


def names(api):
    return [row["name"] for row in api.identity.keys.list("acme")]


def kind(answer):
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_the_same_request_with_the_same_key_makes_one_thing_and_is_answered_alike(api, admin):
    first, again = (post(api, admin) for _ in range(2))

    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.headers["content-type"] == again.headers["content-type"]
    assert [answer.headers.get("idempotency-replayed") for answer in (first, again)] == [None, "true"]
    assert names(api).count(NEW["name"]) == 1


def test_without_a_key_each_request_makes_a_thing(api, admin):
    for _ in range(2):
        api.post(KEYS, json=NEW, headers=admin)

    assert names(api).count(NEW["name"]) == 2


def test_another_key_makes_another_thing(api, admin):
    first, other = post(api, admin), post(api, admin, "k-2")

    assert first.json()["prefix"] != other.json()["prefix"]


@pytest.mark.parametrize("change", [{"name": "other"}, {"address": f"{KEYS}?x=1"}])
def test_a_key_that_was_sent_with_another_request_is_refused(api, admin, change):
    post(api, admin)

    assert kind(post(api, admin, **change)) == (422, "key-used")


def test_a_key_is_its_users_own(api, admin):
    other = api.identity.keys.add(Caller("test"), "acme", "other admin", ["keys:write", "forecasts:read"]).key

    first, theirs = post(api, admin), post(api, {"Authorization": f"Bearer {other}"})

    assert theirs.status_code == 200
    assert first.json()["prefix"] != theirs.json()["prefix"]


def test_a_key_is_of_one_tenant(api):
    everywhere = {"Authorization": api.headers["Authorization"]}
    made = api.identity.keys.add(Caller("test"), "*", "all", ["keys:write", "forecasts:read"])
    everywhere = {"Authorization": f"Bearer {made.key}"}

    answers = [post(api, everywhere, address=f"/v1/tenants/{tenant}/keys").json() for tenant in ("acme", "zebra")]

    assert [answer["tenant"] for answer in answers] == ["acme", "zebra"]


def test_a_refused_request_leaves_its_key_free(api, admin):
    assert post(api, admin, name="two\nlines").status_code == 422
    assert post(api, admin, scopes=["keys:read", "audit:read"]).status_code == 403

    assert post(api, admin).status_code == 200


def test_who_may_not_ask_gets_no_answer_that_is_kept(api, admin):
    post(api, admin)
    prefix = admin["Authorization"].split()[1][:16]
    api.identity.keys.revoke(Caller("test"), prefix)
    api.clock.later()

    assert post(api, admin).status_code == 401


def test_after_a_day_a_key_is_new_again(api, admin):
    first = post(api, admin)
    api.clock.later(timedelta(hours=24).total_seconds() - 1)
    assert post(api, admin).json()["prefix"] == first.json()["prefix"]

    api.clock.later(1)

    assert post(api, admin).json()["prefix"] != first.json()["prefix"]


@pytest.mark.parametrize("key", ["", "x" * 101, "two words", "ü"])
def test_a_key_that_can_be_none_is_refused(api, admin, key):
    answer = api.post(KEYS, json=NEW, headers=[*admin.items(), ("Idempotency-Key", key.encode("latin-1"))])

    assert kind(answer) == (422, "bad-request")
    assert "idempotency-key" in answer.json()["detail"].lower()


def test_what_is_kept_shows_no_secret(plant, api, admin):
    made = post(api, admin).json()["key"]

    held = b"".join(file.read_bytes() for file in (plant.settings.home / "state").glob("state.db*"))
    assert b"k-1" in held
    assert made.encode() not in held


def test_two_at_once_make_one_thing(api, admin, monkeypatch):
    began, go_on = threading.Event(), threading.Event()
    add = api.identity.keys.add

    def slow(*given):
        began.set()
        assert go_on.wait(10)
        return add(*given)

    monkeypatch.setattr(api.identity.keys, "add", slow)
    answers = []
    first = threading.Thread(target=lambda: answers.append(post(api, admin)))
    first.start()
    assert began.wait(10)
    second = post(api, admin)
    go_on.set()
    first.join()

    assert (kind(second), second.headers["retry-after"]) == ((409, "key-busy"), "5")
    assert answers[0].status_code == 200


def test_a_request_that_fails_leaves_its_key_free(api, admin, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(api.identity.keys, "add", lambda *_: 1 / 0)
        assert post(api, admin).status_code == 500

    assert post(api, admin).status_code == 200


def test_an_answer_comes_back_whole_from_either_database(kept):
    assert kept.begin(ASKED) is None
    kept.keep(ASKED, Response("ğ".encode(), 201, {"Location": "/v1/x", "ETag": '"1"'}, "application/json"))

    again = kept.begin(ASKED)

    assert (again.status_code, again.body) == (201, "ğ".encode())
    assert (again.headers["location"], again.headers["etag"]) == ("/v1/x", '"1"')


def test_a_request_whose_process_died_can_be_sent_again_after_five_minutes(kept, clock):
    kept.begin(ASKED)
    clock.later(299)
    with pytest.raises(Problem, match="under way"):
        kept.begin(ASKED)

    clock.later(1)

    assert kept.begin(ASKED) is None


def test_an_answer_that_cannot_be_opened_any_more_is_told(kept, state, clock):
    kept.begin(ASKED)
    kept.keep(ASKED, Response(b"x"))
    other = Idempotency(state, Secret(("another-7Zt0pQ2vXw9LrB4mN8cY1sD6",)), lambda: clock.now)

    with pytest.raises(Problem, match="cannot be read any more"):
        other.begin(ASKED)


def failing(kept, monkeypatch):
    """A request that fails as the state database does."""
    with monkeypatch.context() as broken:
        broken.setattr(State, "write", lambda _: (_ for _ in ()).throw(OperationalError("", {}, OSError("gone"))))
        kept.drop(ASKED)


def test_a_request_that_failed_with_the_database_can_be_sent_again_once_that_is_back(kept, monkeypatch):
    kept.begin(ASKED)
    failing(kept, monkeypatch)

    assert kept.begin(ASKED) is None
    with pytest.raises(Problem, match="under way"):
        kept.begin(ASKED)


def test_the_key_of_who_has_begun_anew_elsewhere_is_not_freed(kept, state, clock, monkeypatch):
    other = Idempotency(state, kept._secret, lambda: clock.now)
    kept.begin(ASKED)
    failing(kept, monkeypatch)
    clock.later(300)
    other.begin(ASKED)

    kept.begin(replace(ASKED, key="k-2"))

    with pytest.raises(Problem, match="under way"):
        kept.begin(ASKED)
