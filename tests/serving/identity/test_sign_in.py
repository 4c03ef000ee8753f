"""Signing in: what is wrong is never told apart."""

import json
import statistics
import threading
import time

import pyotp
import pytest

from serving.identity.passwords import Passwords, check_password
from serving.identity.roles import Caller
from serving.identity.signin import CodeNeededError, SignInError

SETUP = Caller("test")
PASSWORD = "korrekt pferd batterie"
NEXT = "ein ganz anderer satz"
ME = "/v1/me/second-factor"


def test_name_and_password_open_a_session(visitor):
    me = visitor.api.get("/v1/me", headers=visitor.headers("viewer-acme")).json()

    assert (me["name"], me["roles"], me["second_factor"]) == ("viewer-acme", {"acme": "viewer"}, False)
    assert [row["actor"] for row in visitor.audit("session.opened")] == ["user:viewer-acme"]


def test_a_name_is_known_in_capitals_too(visitor):
    assert visitor.token(" Viewer-ACME ").status_code == 200


@pytest.mark.parametrize(
    "name", ["nobody", "' OR 1=1 --", "viewer-acme'--", "a\x00b", "ü", "x" * 300, "../../etc/passwd"]
)
def test_an_unknown_name_is_answered_like_a_wrong_password_and_written_down(visitor, name):
    wrong = visitor.token("viewer-acme", "not the password")

    unknown = visitor.token(name)

    assert (unknown.status_code, unknown.text) == (wrong.status_code, wrong.text) == (400, wrong.text)
    assert [kind for kind, _ in visitor.denied()] == ["invalid-grant"] * 2


def test_a_disabled_user_is_answered_like_a_wrong_password(visitor):
    wrong = visitor.token("viewer-acme", "not the password")
    visitor.api.identity.users.disable(SETUP, "viewer-acme")

    assert visitor.token("viewer-acme").text == wrong.text


def test_an_unknown_name_takes_as_long_as_a_wrong_password():
    passwords = Passwords()
    known = passwords.hash(PASSWORD)

    def took(of):
        began = time.process_time()
        assert not passwords.is_right(of, "not the password")
        return time.process_time() - began

    both = [statistics.median(took(of) for _ in range(3)) for of in (known, None)]
    assert max(both) < 3 * min(both)
    assert min(both) > 0.01


def test_a_password_is_hashed_by_argon2id_and_never_kept(plant, visitor):
    kept = b"".join(file.read_bytes() for file in (plant.settings.home / "state").glob("state.db*"))

    assert b"$argon2id$" in kept
    assert PASSWORD.encode() not in kept


def test_a_hash_of_less_work_is_made_anew_at_the_next_sign_in(state, clock, cheap):
    from serving.identity import secret, service

    key = secret.Secret(("k7Zt0pQ2vXw9LrB4mN8cY1sD6fG3hJ5a",))
    service.build(state, key, lambda: clock.now, Passwords(cheap)).users.add(SETUP, "ayse", PASSWORD, {})
    today = service.build(state, key, lambda: clock.now)

    today.sign_in.by_password(SETUP, "ayse", PASSWORD)

    with state.read() as connection:
        hashed = connection.exec_driver_sql("SELECT password_hash FROM users").scalar()
    assert not Passwords().is_old(hashed)


@pytest.mark.parametrize("password", ["short", "", "x" * 257, "aaaaaaaaaaaaaaaa", "ayse yilmaz 1234"])
def test_a_password_that_will_not_do_is_refused_and_not_repeated(password):
    with pytest.raises(ValueError, match=r"^password: ") as told:
        check_password(password, "ayse")

    assert not password or password not in str(told.value)


def test_a_refresh_token_that_two_bring_at_once_counts_once_and_ends_the_session(identity, meet, monkeypatch):
    identity.users.add(SETUP, "ayse", PASSWORD, {})
    token, got = identity.sign_in.by_password(SETUP, "ayse", PASSWORD).refresh_token, []
    monkeypatch.setattr(identity.sessions, "_use", meet(identity.sessions._use))

    def refresh():
        try:
            got.append(identity.sessions.refresh(token, SETUP))
        except Exception:  # noqa: BLE001
            return

    threads = [threading.Thread(target=refresh) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 1
    assert identity.users.principal(got[0].user_id, got[0].session_id) is None


def test_a_new_password_ends_every_other_session(visitor):
    other = visitor.token("viewer-acme").json()["refresh_token"]
    headers, new = visitor.headers("viewer-acme"), "ein anderes langes wort"

    done = visitor.api.post("/v1/me/password", json={"old": PASSWORD, "new": new}, headers=headers)

    visitor.api.clock.later()
    assert done.status_code == 200
    assert visitor.refresh(other).status_code == 400
    assert visitor.api.get("/v1/me", headers=headers).status_code == 200
    assert visitor.token("viewer-acme").status_code == 400
    assert visitor.token("viewer-acme", new).status_code == 200


@pytest.mark.parametrize(
    ("old", "new", "status"), [("wrong", "ein anderes langes wort", 403), (PASSWORD, "short", 422)]
)
def test_a_password_is_not_changed_by_one_who_does_not_know_it_or_to_one_that_will_not_do(visitor, old, new, status):
    done = visitor.api.post("/v1/me/password", json={"old": old, "new": new}, headers=visitor.headers("viewer-acme"))

    assert done.status_code == status
    assert visitor.token("viewer-acme").status_code == 200


def test_a_user_without_password_does_not_sign_in_by_one(visitor):
    visitor.api.identity.users.add(SETUP, "extern", None, {"acme": "viewer"})

    assert visitor.token("extern", "").status_code == 400
    assert visitor.token("extern", "None").status_code == 400


@pytest.mark.parametrize("body", [{"password": "\ud800"}, {"password": "x" * 300}, {"password": 5}, {}, {"x": 1}, []])
def test_a_body_that_is_not_as_declared_is_told(visitor, body):
    answer = visitor.api.post(ME, content=json.dumps(body), headers=visitor.headers("viewer-acme"))

    assert answer.status_code == 422


@pytest.mark.parametrize("ended_by", ["reset", "disable"])
@pytest.mark.parametrize("asked", ["by_password", "change_password", "enrol", "remove"])
def test_what_was_begun_with_a_password_that_ends_meanwhile_is_refused(identity, monkeypatch, asked, ended_by):
    identity.users.add(SETUP, "ayse", PASSWORD, {})
    judge = Passwords.is_right

    def judge_slowly(*given):
        monkeypatch.undo()
        is_right = judge(*given)
        more = [NEXT] if ended_by == "reset" else []
        getattr(identity.users, ended_by)(SETUP, "ayse", *more)
        return is_right

    more = {"change_password": ["und noch ein satz", "s"], "remove": ["123456"]}
    monkeypatch.setattr(Passwords, "is_right", judge_slowly)
    with pytest.raises(SignInError):
        getattr(identity.sign_in, asked)(SETUP, "ayse", PASSWORD, *more.get(asked, []))
    if ended_by == "reset":
        assert identity.sign_in.by_password(SETUP, "ayse", NEXT)


def test_a_second_factor_confirmed_while_the_password_is_judged_is_asked_for(identity, clock, monkeypatch):
    user = identity.users.add(SETUP, "ayse", PASSWORD, {})
    made = identity.sign_in.enrol(SETUP, "ayse", PASSWORD)
    judge = Passwords.is_right

    def judge_slowly(*given):
        identity.sign_in.confirm(SETUP, user, "ayse", pyotp.TOTP(made.secret).at(clock.now))
        return judge(*given)

    monkeypatch.setattr(Passwords, "is_right", judge_slowly)
    with pytest.raises(CodeNeededError):
        identity.sign_in.by_password(SETUP, "ayse", PASSWORD)
