"""API keys: shown once, with a tenant, scopes and an end."""

from datetime import timedelta

import pytest

from serving.identity.roles import Caller

SETUP = Caller("test")
KEYS = "/v1/tenants/acme/keys"
NEW = {"name": "Excel of the planners", "scopes": ["forecasts:read"]}


@pytest.fixture
def admin(visitor):
    return visitor.headers("admin-acme")


def make(visitor, admin, **more):
    answer = visitor.api.post(KEYS, json=NEW | more, headers=admin)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_key_opens_what_its_scopes_say(plant, visitor, admin):
    plant.night()
    made = make(visitor, admin)

    headers = {"Authorization": f"Bearer {made['key']}"}

    assert visitor.api.get("/v1/tenants/acme/forecasts", headers=headers).status_code == 200
    assert visitor.api.get("/v1/status?tenant=acme", headers=headers).status_code == 403


def test_a_list_shows_prefixes_and_nothing_secret(visitor, admin):
    made = make(visitor, admin)

    listed = visitor.api.get(KEYS, headers=admin)

    assert [row["prefix"] for row in listed.json()["keys"]] == [made["prefix"]]
    assert made["key"].startswith(made["prefix"])
    assert made["key"].removeprefix(made["prefix"]) not in listed.text


def test_another_tenants_keys_are_not_listed(visitor, admin):
    visitor.api.identity.keys.add(SETUP, "zebra", "theirs", ["forecasts:read"])

    assert visitor.api.get(KEYS, headers=admin).json()["keys"] == []


def test_a_key_is_not_kept_as_it_is(plant, visitor, admin):
    made = make(visitor, admin)

    kept = b"".join(file.read_bytes() for file in (plant.settings.home / "state").glob("state.db*"))

    assert made["prefix"].encode() in kept
    assert made["key"].encode() not in kept


def test_a_revoked_key_opens_nothing_any_more(plant, visitor, admin):
    plant.night()
    made = make(visitor, admin)
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert visitor.api.get("/v1/tenants/acme/forecasts", headers=headers).status_code == 200

    done = visitor.api.post(f"{KEYS}/{made['prefix']}/revoke", headers=admin)

    visitor.api.clock.later()
    assert (done.status_code, done.json()["revoked_at"]) == (200, "2026-03-02T09:00:00Z")
    assert visitor.api.get("/v1/tenants/acme/forecasts", headers=headers).status_code == 401


def test_a_key_ends_when_it_is_due(plant, visitor, admin):
    plant.night()
    headers = {"Authorization": f"Bearer {make(visitor, admin, days=2)['key']}"}

    visitor.api.clock.later(timedelta(days=2).total_seconds() - 5)
    assert visitor.api.get("/v1/tenants/acme/forecasts", headers=headers).status_code == 200
    visitor.api.clock.later(5)
    assert visitor.api.get("/v1/tenants/acme/forecasts", headers=headers).status_code == 401


@pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key + "x", str.upper, lambda key: key[:16]])
def test_a_key_that_is_not_whole_opens_nothing(visitor, admin, change):
    key = make(visitor, admin)["key"]

    answer = visitor.api.get("/v1/tenants/acme/forecasts", headers={"Authorization": f"Bearer {change(key)}"})

    assert answer.status_code == 401


def test_a_key_is_revoked_once_and_by_its_own_tenant(visitor, admin):
    made = make(visitor, admin)
    theirs = visitor.headers("admin-zebra")

    other = visitor.api.post(f"/v1/tenants/zebra/keys/{made['prefix']}/revoke", headers=theirs)
    codes = [visitor.api.post(f"{KEYS}/{made['prefix']}/revoke", headers=admin).status_code for _ in range(2)]

    assert (other.status_code, codes) == (404, [200, 404])


def test_nobody_gives_a_scope_that_he_lacks(visitor):
    made = visitor.api.identity.keys.add(SETUP, "acme", "makes keys", ["keys:write"])
    headers = {"Authorization": f"Bearer {made.key}"}

    told = visitor.api.post(KEYS, json=NEW, headers=headers)

    assert (told.status_code, told.json()["type"]) == (403, "urn:uretimiq:problem:forbidden")
    assert visitor.denied()[0] == ("forbidden", f"key:{made.row['prefix']}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scopes": ["forecasts:write"]}, "may not give forecasts:write"),
        ({"scopes": []}, "body scopes"),
        ({"days": 0}, "body days"),
        ({"days": 9999}, "body days"),
        ({"name": ""}, "body name"),
        ({"name": "two\nlines"}, "name: use 1 to 100 printable characters"),
        ({"owner": "me"}, "body owner"),
    ],
)
def test_a_key_that_cannot_be_is_told(visitor, admin, change, said):
    answer = visitor.api.post(KEYS, json=NEW | change, headers=admin)

    assert answer.status_code in {403, 422}
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "prefix", ["urt_key_", "urt_key_xxxxxxxx", "%27%20OR%201=1--", "urt_key_00000000%00", "%2e%2e"]
)
def test_a_prefix_that_can_be_none_revokes_nothing(visitor, admin, prefix):
    made = make(visitor, admin)

    assert visitor.api.post(f"{KEYS}/{prefix}/revoke", headers=admin).status_code in {404, 422}
    assert visitor.api.get(KEYS, headers=admin).json()["keys"][0]["prefix"] == made["prefix"]
    assert visitor.api.get(KEYS, headers=admin).json()["keys"][0]["revoked_at"] is None


def test_what_becomes_of_a_key_is_written_down_with_who_and_from_where(visitor, admin):
    made = make(visitor, admin)
    visitor.api.post(f"{KEYS}/{made['prefix']}/revoke", headers=admin | {"X-Request-ID": "my-request"})

    revoked, added = visitor.audit()[:2]

    assert (added["action"], revoked["action"]) == ("key.added", "key.revoked")
    assert {row["actor"] for row in (added, revoked)} == {"user:admin-acme"}
    assert (revoked["tenant"], revoked["target"]) == ("acme", made["prefix"])
    assert (revoked["address"], revoked["request_id"]) == ("testclient", "my-request")


def test_keys_live_in_either_database(identity, clock):
    made = identity.keys.add(SETUP, "acme", "k", ["forecasts:read", "forecasts:read"], 1)

    found = identity.keys.principal(made.key)

    assert (found.actor, dict(found.scopes)) == (f"key:{made.row['prefix']}", {"acme": {"forecasts:read"}})
    assert identity.keys.list("acme")[0]["scopes"] == ["forecasts:read"]
    clock.later(timedelta(days=1).total_seconds())
    assert identity.keys.principal(made.key) is None


@pytest.mark.parametrize("tenant", ["a/b", "", "a=b", " acme", "x" * 101])
def test_a_key_is_of_a_tenant_that_there_can_be(identity, tenant):
    with pytest.raises(ValueError, match=r"^tenant '"):
        identity.keys.add(SETUP, tenant, "k", ["forecasts:read"])
