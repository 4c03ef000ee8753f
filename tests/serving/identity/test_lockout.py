"""Guessing gets slower, for a name that nobody has as for any other."""

import threading
from datetime import timedelta

import pytest

from serving.identity.lockout import LONGEST_WAIT, Allowance, LockedError, Lockout
from serving.identity.roles import Caller


def test_after_five_failures_a_name_waits_each_time_twice_as_long(visitor):
    for _ in range(5):
        assert visitor.token("viewer-acme", "wrong").status_code == 400

    waits = []
    for _ in range(7):
        locked = visitor.token("viewer-acme")
        assert (locked.status_code, locked.json()["type"]) == (429, "urn:uretimiq:problem:locked")
        waits.append(int(locked.headers["retry-after"]))
        visitor.api.clock.later(waits[-1])
        assert visitor.token("viewer-acme", "wrong").status_code == 400

    assert waits == [30, 60, 120, 240, 480, 900, 900]
    assert visitor.denied()[1] == ("locked", "user:viewer-acme")


def test_an_unknown_name_is_locked_like_a_known_one(visitor):
    told = []
    for name in ("viewer-acme", "nobody"):
        answers = [visitor.token(name, "wrong") for _ in range(6)]
        told.append([(answer.status_code, answer.text) for answer in answers])

    assert told[0] == told[1]


def test_the_right_password_after_the_wait_opens_and_forgets_the_failures(visitor):
    for _ in range(5):
        visitor.token("viewer-acme", "wrong")
    visitor.api.clock.later(30)

    assert visitor.token("viewer-acme").status_code == 200
    assert visitor.token("viewer-acme", "wrong").status_code == 400
    assert visitor.token("viewer-acme").status_code == 200


def test_failures_of_one_name_do_not_keep_out_another(visitor):
    for _ in range(6):
        visitor.token("viewer-acme", "wrong")

    assert visitor.token("admin-acme").status_code == 200


def test_failures_are_forgotten_after_a_day(visitor):
    for _ in range(4):
        visitor.token("viewer-acme", "wrong")
    visitor.api.clock.later(timedelta(hours=25).total_seconds())

    for _ in range(4):
        assert visitor.token("viewer-acme", "wrong").status_code == 400
    assert visitor.token("viewer-acme").status_code == 200


def test_an_address_that_tries_many_names_waits_too(state, clock):
    lockout = Lockout(state, lambda: clock.now, Allowance(user=5, address=10))
    for i in range(10):
        lockout.begin(f"name-{i}", "10.0.0.7")

    with pytest.raises(LockedError) as told:
        lockout.begin("another", "10.0.0.7")
    assert told.value.seconds == 30
    lockout.begin("another", "10.0.0.8")


def test_who_signs_in_rightly_from_an_office_does_not_use_up_its_allowance(state, clock):
    lockout = Lockout(state, lambda: clock.now, Allowance(user=5, address=3))

    for i in range(10):
        lockout.begin(f"name-{i}", "10.0.0.7")
        lockout.succeeded(f"name-{i}", "10.0.0.7")


def test_an_account_of_ones_own_does_not_buy_more_guesses(state, clock):
    lockout = Lockout(state, lambda: clock.now, Allowance(user=5, address=3))

    def guess(i):
        lockout.begin("own", "10.0.0.7")
        lockout.succeeded("own", "10.0.0.7")
        lockout.begin(f"victim-{i}", "10.0.0.7")

    for i in range(3):
        guess(i)
    with pytest.raises(LockedError):
        guess(3)


def test_of_many_guesses_at_once_no_more_are_judged_than_allowed(state, clock):
    lockout = Lockout(state, lambda: clock.now)
    judged = []

    def guess():
        try:
            lockout.begin("ayse", "10.0.0.7")
        except LockedError:
            return
        judged.append(1)

    threads = [threading.Thread(target=guess) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(judged) == 5


def test_no_wait_is_longer_than_a_quarter_of_an_hour(state, clock):
    lockout = Lockout(state, lambda: clock.now)
    for _ in range(40):
        lockout.begin("ayse", "10.0.0.7")
        clock.later(LONGEST_WAIT.total_seconds())

    lockout.begin("ayse", "10.0.0.7")


def test_sign_ins_of_an_address_are_limited_by_the_minute(plant, make_api):
    from dataclasses import replace

    api = make_api(replace(plant.settings, rate_sign_in=3))
    form = {"grant_type": "password", "username": "x", "password": "y"}

    codes = [api.post("/v1/auth/token", data=form).status_code for _ in range(4)]

    assert codes == [400, 400, 400, 429]
    assert api.identity.audit.page(None, 1)[0]["detail"]["kind"] == "too-many-requests"


def test_a_user_whose_password_was_reset_need_not_wait(visitor):
    for _ in range(6):
        visitor.token("viewer-acme", "wrong")
    visitor.api.identity.users.reset(Caller("test"), "viewer-acme", "ein anderes langes wort")

    assert visitor.token("viewer-acme", "ein anderes langes wort").status_code == 200


def test_names_that_were_tried_long_ago_are_not_kept(state, clock):
    lockout = Lockout(state, lambda: clock.now)
    for i in range(20):
        lockout.begin(f"name-{i}", f"10.0.0.{i}")
    clock.later(timedelta(hours=25).total_seconds())
    lockout.begin("ayse", "10.0.1.1")

    lockout.succeeded("ayse", "10.0.1.1")

    with state.read() as connection:
        assert connection.exec_driver_sql("SELECT subject FROM sign_in_failures").scalars().all() == [
            "address:10.0.1.1"
        ]
