"""The second factor: a code counts once, and a recovery code too."""

import threading
from dataclasses import replace
from datetime import timedelta
from urllib.parse import unquote

import pyotp
import pytest

from serving.identity.lockout import LockedError
from serving.identity.roles import Caller
from serving.identity.signin import SignInError
from serving.state.database import connect

SETUP = Caller("test")
PASSWORD = "korrekt pferd batterie"
ME = "/v1/me/second-factor"


def test_with_a_second_factor_the_password_alone_opens_nothing(visitor):
    secret, _ = visitor.enrol("viewer-acme")

    alone = visitor.token("viewer-acme")
    both = visitor.token("viewer-acme", code=pyotp.TOTP(secret).at(visitor.api.clock.now))

    assert (alone.status_code, alone.json()["error"]) == (400, "mfa_required")
    assert both.status_code == 200


def test_a_second_factor_is_not_asked_for_before_it_was_confirmed(visitor):
    visitor.api.post(ME, json={"password": PASSWORD}, headers=visitor.headers("viewer-acme"))

    assert visitor.token("viewer-acme").status_code == 200


def test_a_code_counts_once(visitor):
    secret, _ = visitor.enrol("viewer-acme")
    code = pyotp.TOTP(secret).at(visitor.api.clock.now)
    assert visitor.token("viewer-acme", code=code).status_code == 200

    replayed = visitor.token("viewer-acme", code=code)

    assert (replayed.status_code, replayed.json()["detail"]) == (400, "name, password or code is wrong")
    assert visitor.denied()[0] == ("invalid-grant", "user:viewer-acme")


def test_an_older_code_than_the_last_is_refused(visitor):
    secret, _ = visitor.enrol("viewer-acme")
    before = pyotp.TOTP(secret).at(visitor.api.clock.now)
    visitor.api.clock.later(30)
    visitor.token("viewer-acme", code=pyotp.TOTP(secret).at(visitor.api.clock.now))

    assert visitor.token("viewer-acme", code=before).status_code == 400


@pytest.mark.parametrize(("off", "status"), [(-60, 400), (-30, 200), (0, 200), (30, 200), (60, 400)])
def test_a_clock_may_be_thirty_seconds_off(visitor, off, status):
    secret, _ = visitor.enrol("viewer-acme")
    visitor.api.clock.later(120)
    code = pyotp.TOTP(secret).at(visitor.api.clock.now + timedelta(seconds=off))

    assert visitor.token("viewer-acme", code=code).status_code == status


@pytest.mark.parametrize("code", ["000000", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-1", "' OR 1=1"])
def test_a_wrong_code_is_refused(visitor, code):
    visitor.enrol("viewer-acme")

    assert visitor.token("viewer-acme", code=code).status_code == 400


def test_codes_cannot_be_tried_through(visitor):
    visitor.enrol("viewer-acme")

    codes = [visitor.token("viewer-acme", code=f"{i:06}").status_code for i in range(6)]

    assert codes == [400] * 5 + [429]


def test_the_password_without_a_code_does_not_wipe_out_wrong_codes(visitor):
    visitor.enrol("viewer-acme")
    for i in range(3):
        visitor.token("viewer-acme", code=f"{i:06}")
    visitor.token("viewer-acme")
    visitor.token("viewer-acme", code="000009")

    assert visitor.token("viewer-acme", code="000010").status_code == 429


def test_each_of_ten_recovery_codes_opens_once(visitor):
    _, codes = visitor.enrol("viewer-acme")

    assert len(set(codes)) == 10
    assert visitor.token("viewer-acme", code=codes[0].upper()).status_code == 200
    assert visitor.token("viewer-acme", code=codes[0]).status_code == 400
    assert visitor.token("viewer-acme", code=codes[1].replace("-", "")).status_code == 200
    assert [row["detail"]["by"] for row in visitor.audit("session.opened")][:2] == ["recovery_code"] * 2


def test_a_recovery_code_of_somebody_else_opens_nothing(visitor):
    _, codes = visitor.enrol("viewer-acme")
    visitor.enrol("admin-acme")

    assert visitor.token("admin-acme", code=codes[0]).status_code == 400


def test_neither_secret_nor_recovery_codes_are_kept_as_they_are(plant, visitor):
    secret, codes = visitor.enrol("viewer-acme")

    kept = b"".join(file.read_bytes() for file in (plant.settings.home / "state").glob("state.db*"))

    assert not any(text.encode() in kept for text in (secret, *codes))


def test_a_code_that_two_bring_at_once_opens_for_one(identity, clock, meet, monkeypatch):
    identity.users.add(SETUP, "ayse", PASSWORD, {})
    secret = identity.sign_in.enrol(SETUP, "ayse", PASSWORD).secret
    user_id = identity.sign_in.by_password(SETUP, "ayse", PASSWORD).user_id
    identity.sign_in.confirm(SETUP, user_id, "ayse", pyotp.TOTP(secret).at(clock.now))
    clock.later(60)
    code, opened = pyotp.TOTP(secret).at(clock.now), []
    monkeypatch.setattr(identity.sign_in._second, "_use", meet(identity.sign_in._second._use))

    def sign_in():
        try:
            identity.sign_in.by_password(SETUP, "ayse", PASSWORD, code)
        except (SignInError, LockedError):
            return
        opened.append(1)

    threads = [threading.Thread(target=sign_in) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(opened) == 1


def test_a_second_factor_is_begun_with_the_password_alone(visitor):
    headers = visitor.headers("viewer-acme")

    assert visitor.api.post(ME, json={"password": "wrong"}, headers=headers).status_code == 403


def test_the_qr_code_is_a_picture_of_the_address_on_white(visitor):
    begun = visitor.api.post(ME, json={"password": PASSWORD}, headers=visitor.headers("viewer-acme")).json()

    kind, _, picture = begun["qr"].partition(",")
    assert kind == "data:image/svg+xml;charset=utf-8"
    assert 'fill="#fff"' in unquote(picture).replace("'", '"')
    assert begun["secret"] in begun["address"]
    assert begun["secret"] not in begun["qr"]


def test_a_wrong_first_code_does_not_confirm(visitor):
    headers = visitor.headers("viewer-acme")
    visitor.api.post(ME, json={"password": PASSWORD}, headers=headers)

    assert visitor.api.post(f"{ME}/confirm", json={"code": "000000"}, headers=headers).status_code == 403
    assert visitor.token("viewer-acme").status_code == 200


def test_a_second_factor_is_not_replaced_while_there_is_one(visitor):
    secret, _ = visitor.enrol("viewer-acme")
    headers = visitor.headers("viewer-acme", code=pyotp.TOTP(secret).at(visitor.api.clock.now))

    told = visitor.api.post(ME, json={"password": PASSWORD}, headers=headers)

    assert (told.status_code, told.json()["detail"]) == (422, "there is a second factor already: remove it first")


@pytest.mark.parametrize("right", [True, False])
def test_a_second_factor_is_removed_by_password_and_code(visitor, right):
    secret, _ = visitor.enrol("viewer-acme")
    headers = visitor.headers("viewer-acme", code=pyotp.TOTP(secret).at(visitor.api.clock.now))
    visitor.api.clock.later(60)
    code = pyotp.TOTP(secret).at(visitor.api.clock.now) if right else "000000"

    done = visitor.api.post(f"{ME}/remove", json={"password": PASSWORD, "code": code}, headers=headers)

    assert done.status_code == (200 if right else 403)
    assert visitor.token("viewer-acme").status_code == (200 if right else 400)


def test_a_users_whole_way_on_postgresql(plant, make_api, make_visitor, empty_postgresql):
    settings = replace(plant.settings, state=empty_postgresql)
    connect(settings).migrate()
    api = make_api(settings)
    api.identity.users.add(SETUP, "ayse", PASSWORD, {"acme": "admin"})
    visitor = make_visitor(api, settings)
    secret, codes = visitor.enrol("ayse")
    headers = visitor.headers("ayse", code=pyotp.TOTP(secret).at(api.clock.now))
    new = {"name": "excel", "scopes": ["keys:read"]}
    key = api.post("/v1/tenants/acme/keys", json=new, headers=headers).json()
    by_key = {"Authorization": f"Bearer {key['key']}"}

    assert [row["name"] for row in api.get("/v1/tenants/acme/keys", headers=by_key).json()["keys"]] == ["excel"]
    assert visitor.token("ayse", code=codes[0]).status_code == 200
    assert api.post(f"/v1/tenants/acme/keys/{key['prefix']}/revoke", headers=headers).status_code == 200
    api.clock.later()
    assert api.get("/v1/tenants/acme/keys", headers=by_key).status_code == 401
    rows = api.get("/v1/tenants/acme/audit?limit=4", headers=headers).json()["rows"]
    assert [row["action"] for row in rows] == ["key.revoked", "session.opened", "key.added", "session.opened"]
