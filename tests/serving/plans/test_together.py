"""Several people at the same plan at once: the second is told, and nothing is lost. On SQLite and on PostgreSQL."""

import threading
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from serving.identity.audit import Audit
from serving.identity.roles import Caller
from serving.plans.arithmetic import Change
from serving.plans.overrides import Overrides, Said
from serving.problems import Problem
from serving.state.tables import OVERRIDES, PLANS

DAY = date(2026, 3, 2)
MANY = 12


def said(value=500.0):
    change = Change(DAY, DAY, "units", value, "ankara", "P-1")
    return Said(change, "A tender", datetime(2026, 4, 1, tzinfo=UTC), date(2026, 3, 1), "day", {DAY: 104.5})


@pytest.fixture
def overrides(state, clock):
    return Overrides(state, Audit(state, lambda: clock.now), lambda: clock.now)


def at_once(*work):
    """What each of them gave or raised, all begun at the same moment."""
    begin, got = threading.Barrier(len(work)), [None] * len(work)

    def run(i):
        begin.wait(10)
        try:
            got[i] = work[i]()
        except Problem as problem:
            got[i] = problem.kind

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return got


def test_of_many_who_change_one_version_one_succeeds_and_the_others_are_told(overrides):
    (made,) = overrides.make(Caller("user:ayse"), "acme", [said()])

    def change(n):
        return lambda: overrides.change(Caller(f"user:{n}"), "acme", made.override_id, [1], said(float(n)))

    got = at_once(*(change(n) for n in range(MANY)))

    done = [override for override in got if not isinstance(override, str)]
    assert len(done) == 1
    assert [told for told in got if isinstance(told, str)] == ["version-changed"] * (MANY - 1)
    assert overrides.history("acme", made.override_id) == [made, done[0]]


def test_one_who_changes_and_one_who_withdraws_do_not_both(overrides):
    (made,) = overrides.make(Caller("user:ayse"), "acme", [said()])

    got = at_once(
        lambda: overrides.change(Caller("user:ayse"), "acme", made.override_id, [1], said(9.0)),
        lambda: overrides.withdraw(Caller("user:mehmet"), "acme", made.override_id, [1]),
    )

    assert sum(isinstance(told, str) for told in got) == 1
    assert len(overrides.history("acme", made.override_id)) == 2


def test_what_many_say_at_once_is_all_there_each_with_a_place_of_its_own(overrides):
    got = at_once(*(lambda n=n: overrides.make(Caller(f"user:{n}"), "acme", [said(float(n))] * 2) for n in range(MANY)))

    book = overrides.book("acme")
    assert {o.override_id for o in book.overrides} == {o.override_id for made in got for o in made}
    assert [o.plan_version for o in book.overrides] == [1 + n // 2 for n in range(2 * MANY)]
    assert book.plan_version == MANY


def test_tenants_count_their_changes_apart(overrides):
    overrides.make(Caller("user:ayse"), "acme", [said()])
    overrides.make(Caller("user:zoe"), "zebra", [said()])

    assert [overrides.book(tenant).plan_version for tenant in ("acme", "zebra", "nobody")] == [1, 1, 0]
    assert [len(overrides.every_version(tenant)) for tenant in ("acme", "zebra", "nobody")] == [1, 1, 0]


def test_a_change_that_fails_leaves_nothing(overrides, state, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the log is full")

    monkeypatch.setattr(Audit, "note_all", fail)
    with pytest.raises(RuntimeError):
        overrides.make(Caller("user:ayse"), "acme", [said()])

    with state.read() as connection:
        assert connection.execute(select(PLANS)).all() == connection.execute(select(OVERRIDES)).all() == []


@pytest.mark.parametrize("change", [update(OVERRIDES).values(value=0.0), delete(OVERRIDES)])
def test_what_was_said_is_not_changed_even_by_sql(overrides, state, change):
    overrides.make(Caller("user:ayse"), "acme", [said()])

    with pytest.raises(DBAPIError, match="append-only"), state.write() as connection:
        connection.execute(change)


def test_what_is_kept_comes_back_as_it_was_said(overrides):
    (made,) = overrides.make(Caller("user:ayse"), "acme", [said(1 / 3)])

    assert overrides.book("acme").overrides == (made,)
    assert made.change.value == 1 / 3
    assert made.baseline == {DAY: 104.5}


def test_what_another_server_says_is_in_force_here_at_once(overrides, state, clock):
    other = Overrides(state, Audit(state, lambda: clock.now), lambda: clock.now)
    assert overrides.book("acme").overrides == ()

    made = other.make(Caller("user:ayse"), "acme", [said()])

    assert overrides.book("acme").overrides == tuple(made)


def test_what_another_process_changes_is_read_anew_and_nothing_else_is(state, clock, overrides):
    other = Overrides(state, Audit(state, lambda: clock.now), lambda: clock.now)
    kept, changed, withdrawn = overrides.make(Caller("user:ayse"), "acme", [said(value) for value in (1.0, 2.0, 3.0)])
    before = other.book("acme")

    overrides.change(Caller("user:ayse"), "acme", changed.override_id, [1], said(20.0))
    overrides.withdraw(Caller("user:ayse"), "acme", withdrawn.override_id, [1])
    overrides.make(Caller("user:ayse"), "acme", [said(4.0)])
    after = other.book("acme")

    assert [o.change.value for o in before.overrides] == [1.0, 2.0, 3.0]
    assert [o.change.value for o in after.overrides] == [1.0, 20.0, 4.0]
    assert after.overrides[0] is before.overrides[0]
    assert kept.override_id == after.overrides[0].override_id
    fresh = Overrides(state, Audit(state, lambda: clock.now), lambda: clock.now)
    assert after == fresh.book("acme")
