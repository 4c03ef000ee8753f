"""/users: an admin manages the users of his tenant, and reaches nothing beyond it."""

import threading

import pytest

from serving.identity.roles import EVERY, SCOPES, Caller
from serving.problems import Problem

SETUP = Caller("test")
PASSWORD = "korrekt pferd batterie"
OWN = "kendi uzun cümlem"
USERS = "/v1/tenants/acme/users"


@pytest.fixture
def admin(visitor):
    return visitor.headers("admin-acme")


def kind(answer):
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def add(visitor, headers, name="mehmet", role="operator"):
    return visitor.api.post(USERS, json={"name": name, "role": role}, headers=headers)


def roles(visitor):
    return {user["name"]: user["roles"] for user in visitor.api.identity.users.list()}


def test_those_with_a_role_at_the_tenant_are_listed_and_nobody_else(visitor, admin):
    listed = visitor.api.get(USERS, headers=admin).json()["users"]

    assert [(user["name"], user["role"]) for user in listed] == [
        (f"{role}-acme", role) for role in ("admin", "auditor", "operator", "viewer")
    ]


def test_a_new_user_chooses_his_own_password_at_his_first_sign_in(visitor, admin):
    made = add(visitor, admin, " Mehmet ")
    once = made.json()["password"]
    assert (made.status_code, made.headers["location"]) == (201, f"{USERS}/mehmet")

    alone = visitor.token("mehmet", once)
    chosen = visitor.token("mehmet", once, new_password=OWN)

    assert (alone.status_code, alone.json()["error"]) == (400, "new_password_required")
    assert chosen.status_code == 200
    assert visitor.token("mehmet", OWN).status_code == 200
    assert visitor.token("mehmet", once, new_password=OWN + "!").status_code == 400


@pytest.mark.parametrize("own", ["kurz", "{once}"])
def test_his_own_password_is_long_and_another(visitor, admin, own):
    once = add(visitor, admin).json()["password"]

    assert kind(visitor.token("mehmet", once, new_password=own.format(once=once))) == (422, "bad-request")
    assert visitor.token("mehmet", once, new_password=OWN).status_code == 200


def test_a_one_time_password_ends_after_a_week(visitor, admin):
    once = add(visitor, admin).json()["password"]
    visitor.api.clock.later(7 * 86_400)

    assert visitor.token("mehmet", once, new_password=OWN).json()["detail"] == "name, password or code is wrong"


def test_an_own_password_is_not_asked_for_another(visitor):
    assert visitor.token("viewer-acme", new_password=OWN).status_code == 200
    assert visitor.token("viewer-acme").status_code == 200


def test_a_name_that_somebody_has_anywhere_is_taken(visitor, admin):
    for name in ("viewer-zebra", "viewer-acme", "root"):
        assert kind(add(visitor, admin, name)) == (409, "name-taken")


def test_a_role_is_changed(visitor, admin):
    answer = visitor.api.put(f"{USERS}/viewer-acme", json={"role": "operator"}, headers=admin)

    assert answer.json()["role"] == "operator"
    assert roles(visitor)["viewer-acme"] == {"acme": "operator"}


def test_a_role_that_is_taken_leaves_those_elsewhere(visitor, admin):
    visitor.api.identity.users.grant(SETUP, "viewer-acme", {"zebra": "viewer"})

    assert visitor.api.delete(f"{USERS}/viewer-acme", headers=admin).status_code == 204
    assert roles(visitor)["viewer-acme"] == {"zebra": "viewer"}


@pytest.mark.parametrize("name", ["viewer-zebra", "root", "nobody", "%C4%B0"])
def test_who_has_no_role_here_is_answered_like_one_whom_there_is_not(visitor, admin, name):
    api, before = visitor.api, roles(visitor)
    answers = [
        api.put(f"{USERS}/{name}", json={"role": "viewer"}, headers=admin),
        api.delete(f"{USERS}/{name}", headers=admin),
        api.post(f"{USERS}/{name}/reset", headers=admin),
    ]

    assert [kind(answer) for answer in answers] == [(404, "unknown-user")] * 3
    assert roles(visitor) == before


@pytest.mark.parametrize("role", ["viewer", "operator", "auditor"])
def test_none_but_an_admin_changes_users(visitor, role):
    assert kind(add(visitor, visitor.headers(f"{role}-acme"))) == (403, "forbidden")


def test_the_last_admin_can_neither_step_down_nor_be_taken(visitor, admin):
    api = visitor.api
    asked = {"role": "viewer"}

    assert kind(api.put(f"{USERS}/admin-acme", json=asked, headers=admin)) == (409, "last-admin")
    assert kind(api.delete(f"{USERS}/admin-acme", headers=admin)) == (409, "last-admin")
    add(visitor, admin, "zeynep", "admin")
    assert api.put(f"{USERS}/admin-acme", json=asked, headers=admin).status_code == 200


def test_a_disabled_admin_is_not_another_one(visitor, admin):
    visitor.api.identity.users.add(SETUP, "gone", PASSWORD, {"acme": "admin"})
    visitor.api.identity.users.disable(SETUP, "gone")

    assert kind(visitor.api.delete(f"{USERS}/admin-acme", headers=admin)) == (409, "last-admin")


def test_of_two_admins_who_take_each_other_one_stays(identity, meet):
    for name in ("a-b", "c-d"):
        identity.users.add(SETUP, name, PASSWORD, {"acme": "admin"})
    by = [identity.users.principal(*_session(identity, name)) for name in ("a-b", "c-d")]
    begin, refused = meet(lambda: None), []

    def take(who, name):
        begin()
        try:
            identity.members.take(SETUP, who, "acme", name)
        except Problem as problem:
            refused.append(problem.kind)

    threads = [threading.Thread(target=take, args=given) for given in zip(by, ("c-d", "a-b"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert refused == ["last-admin"]
    assert len(identity.members.list("acme")) == 1


def _session(identity, name):
    opened = identity.sign_in.by_password(SETUP, name, PASSWORD)
    return opened.user_id, opened.session_id


def test_who_lost_his_phone_is_reset(visitor, admin):
    visitor.enrol("viewer-acme")
    for _ in range(6):
        visitor.token("viewer-acme", "wrong")

    once = visitor.api.post(f"{USERS}/viewer-acme/reset", headers=admin).json()["password"]

    assert visitor.token("viewer-acme", once, new_password=OWN).status_code == 200


def test_a_reset_ends_the_sessions(visitor, admin):
    session = visitor.token("viewer-acme").json()["refresh_token"]
    visitor.api.post(f"{USERS}/viewer-acme/reset", headers=admin)

    assert visitor.refresh(session).status_code == 400


def test_who_is_also_elsewhere_is_not_reset_here(visitor, admin):
    for tenant in ("zebra", EVERY):
        visitor.api.identity.users.grant(SETUP, "viewer-acme", {tenant: "viewer"})
        assert kind(visitor.api.post(f"{USERS}/viewer-acme/reset", headers=admin)) == (409, "user-not-yours")
        visitor.api.identity.users.take(SETUP, "viewer-acme", tenant)


def test_nobody_resets_himself_and_so_gets_rid_of_his_second_factor(visitor, admin):
    assert kind(visitor.api.post(f"{USERS}/admin-acme/reset", headers=admin)) == (409, "user-not-yours")


def test_whom_the_server_disabled_a_tenant_does_not_enable(visitor, admin):
    visitor.api.identity.users.disable(SETUP, "viewer-acme")

    assert kind(visitor.api.post(f"{USERS}/viewer-acme/reset", headers=admin)) == (409, "user-not-yours")


def test_roles_that_the_companys_login_gives_are_changed_there(visitor, admin):
    visitor.api.identity.users.external(SETUP, "https://login.example", "1", "emel", {"acme": "viewer"})

    answer = visitor.api.put(f"{USERS}/emel", json={"role": "admin"}, headers=admin)

    assert kind(answer) == (409, "user-not-yours")


def test_a_key_gives_no_role_that_may_do_more_than_the_key(visitor, api):
    made = api.identity.keys.add(SETUP, "acme", "users alone", ["users:write"])
    headers = {"Authorization": f"Bearer {made.key}"}

    assert kind(add(visitor, headers)) == (403, "forbidden")
    assert kind(api.post(f"{USERS}/viewer-acme/reset", headers=headers)) == (403, "forbidden")
    assert kind(api.delete(f"{USERS}/viewer-acme", headers=headers)) == (403, "forbidden")


def test_each_change_stands_in_the_tenants_log_by_who_made_it(visitor):
    root = visitor.headers("root")  # he has no role at acme itself
    add(visitor, root)
    visitor.api.put(f"{USERS}/mehmet", json={"role": "viewer"}, headers=root)
    visitor.api.post(f"{USERS}/mehmet/reset", headers=root)
    visitor.api.delete(f"{USERS}/mehmet", headers=root)

    told = [(row["action"], row["tenant"], row["actor"]) for row in visitor.audit() if row["target"] == "user:mehmet"]
    actions = ["user.role_taken", "user.reset", "user.role_given", "user.role_given", "user.added"]
    assert told == [(action, "acme", "user:root") for action in actions]


def test_a_user_is_added_once_whose_answer_was_lost(visitor, admin):
    asked = {"json": {"name": "mehmet", "role": "viewer"}, "headers": {**admin, "Idempotency-Key": "k1"}}
    first, again = (visitor.api.post(USERS, **asked) for _ in range(2))

    assert (again.status_code, again.json()) == (201, first.json())


def test_an_admin_whose_role_was_taken_changes_nothing_from_that_moment_on(visitor, admin):
    visitor.api.get(USERS, headers=admin)  # so that who he is is known for two seconds
    visitor.api.identity.users.grant(SETUP, "admin-acme", {"acme": "viewer"})

    answer = visitor.api.put(f"{USERS}/admin-acme", json={"role": "admin"}, headers=admin)

    assert kind(answer) == (403, "forbidden")


def test_a_key_that_was_revoked_changes_nothing_from_that_moment_on(visitor, api):
    made = api.identity.keys.add(SETUP, "acme", "all", SCOPES)
    headers = {"Authorization": f"Bearer {made.key}"}
    api.get(USERS, headers=headers)
    api.identity.keys.revoke(SETUP, made.row["prefix"])

    assert kind(add(visitor, headers)) == (401, "unauthorized")
