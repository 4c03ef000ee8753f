"""The audit log: who, what, when, from where; read by those who may, page by page."""

import inspect
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from serving.identity import audit
from serving.identity.roles import Caller

LOG = "/v1/tenants/acme/audit"


def caller(i=0, tenant="acme"):
    return Caller(f"user:u{i}", "10.0.0.7", f"r{i}", tenant)


def add(identity, count, tenant="acme"):
    for i in range(count):
        identity.audit.denied(caller(i, tenant), f"GET /{i}", "forbidden", "no")


def test_a_row_says_who_what_when_and_from_where(identity):
    identity.audit.denied(caller(), "GET /x", "forbidden", "may not")

    row = identity.audit.page("acme", 10)[0]
    assert row.pop("audit_id") > 0
    assert row == {
        "at": datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        "actor": "user:u0",
        "tenant": "acme",
        "action": "denied",
        "target": "GET /x",
        "address": "10.0.0.7",
        "request_id": "r0",
        "detail": {"kind": "forbidden", "why": "may not"},
    }


def test_what_somebody_sends_is_kept_in_one_line_and_short(identity):
    who = Caller("user:a\x00\nb" + "x" * 500, tenant="acme")
    identity.audit.denied(who, "GET /\r\n" + "y" * 500, "forbidden", "z" * 999)

    row = identity.audit.page("acme", 10)[0]
    assert (row["actor"][:10], len(row["actor"]), len(row["target"])) == ("user:a  bx", 110, 300)
    assert row["target"].isprintable()


def test_nothing_in_the_code_of_the_log_changes_or_deletes():
    source = inspect.getsource(audit)

    assert "insert(AUDIT_LOG)" in source
    assert [word for word in ("update(", "delete(", "text(") if word in source] == []


def test_pages_give_every_row_once_newest_first_whatever_is_added_meanwhile(visitor):
    add(visitor.api.identity, 25)
    headers = visitor.headers("auditor-acme")
    seen, address = [], f"{LOG}?limit=10&action=denied"

    while address:
        page = visitor.api.get(address, headers=headers).json()
        seen += [row["target"] for row in page["rows"]]
        address = page["next"]
        add(visitor.api.identity, 3)

    assert seen == [f"GET /{i}" for i in reversed(range(25))]


def test_a_tenants_log_shows_no_other_tenants_rows(visitor):
    add(visitor.api.identity, 2, "zebra")

    rows = visitor.api.get(LOG, headers=visitor.headers("auditor-acme")).json()["rows"]

    assert rows
    assert {row["tenant"] for row in rows} == {"acme"}


def test_the_whole_log_is_for_those_of_all_tenants(visitor):
    add(visitor.api.identity, 1, "zebra")

    rows = visitor.api.get("/v1/audit?limit=1000", headers=visitor.headers("root")).json()["rows"]

    assert {"acme", "zebra", None} <= {row["tenant"] for row in rows}


@pytest.mark.parametrize("query", ["actor=user:u1", "action=denied&actor=user:u1"])
def test_the_log_is_filtered(visitor, query):
    add(visitor.api.identity, 3)

    rows = visitor.api.get(f"{LOG}?{query}", headers=visitor.headers("auditor-acme")).json()["rows"]

    assert [row["actor"] for row in rows] == ["user:u1"]


@pytest.mark.parametrize("cursor", ["x", "e30", "WyJ4IiwgMV0", "' OR 1=1--", "x" * 300])
def test_a_cursor_that_is_not_the_logs_own_is_refused(visitor, cursor):
    answer = visitor.api.get(LOG, params={"cursor": cursor}, headers=visitor.headers("auditor-acme"))

    assert answer.status_code in {400, 422}


def test_a_cursor_of_another_tenants_log_is_refused(visitor):
    add(visitor.api.identity, 5, "zebra")
    theirs = visitor.api.get("/v1/tenants/zebra/audit?limit=2", headers=visitor.headers("root")).json()["next"]

    answer = visitor.api.get(f"{LOG}?{theirs.partition('?')[2]}", headers=visitor.headers("auditor-acme"))

    assert answer.status_code == 400


@pytest.mark.parametrize("query", ["actor=%00", "limit=0", "limit=1001", "action=" + "x" * 200])
def test_a_filter_that_cannot_be_is_told(visitor, query):
    assert visitor.api.get(f"{LOG}?{query}", headers=visitor.headers("auditor-acme")).status_code == 422


@pytest.mark.parametrize("text", ["' OR 1=1 --", "'; DROP TABLE users; --", "%", "_"])
def test_sql_in_a_filter_finds_nothing(visitor, text):
    answer = visitor.api.get(LOG, params={"actor": text}, headers=visitor.headers("auditor-acme"))

    assert (answer.status_code, answer.json()["rows"]) == (200, [])


def test_a_change_that_fails_is_not_written_down(visitor):
    with pytest.raises(ValueError, match="there is a user 'root' already"):
        visitor.api.identity.users.add(caller(), "root", "korrekt pferd batterie", {})

    assert [row["actor"] for row in visitor.audit("user.added")] == ["test"] * 9


def test_a_tenants_auditor_sees_how_its_users_signed_in_and_failed_to(visitor):
    headers = visitor.headers("auditor-acme")
    visitor.token("viewer-acme", "wrong")
    visitor.token("viewer-zebra", "wrong")
    visitor.token("nobody", "wrong")
    stolen = visitor.token("viewer-acme").json()["refresh_token"]
    for _ in range(2):
        visitor.refresh(stolen)

    rows = visitor.api.get(f"{LOG}?limit=6", headers=headers).json()["rows"]

    assert [(row["action"], row["target"]) for row in rows[:4]] == [
        ("session.refresh_reused", "user:viewer-acme"),
        ("session.opened", "user:viewer-acme"),
        ("denied", "POST /v1/auth/token"),
        ("session.opened", "user:auditor-acme"),
    ]


def test_another_tenants_user_who_was_refused_here_stands_in_the_log_of_his_own(visitor):
    here, theirs = visitor.headers("auditor-acme"), visitor.headers("auditor-zebra")
    asked = "/v1/tenants/acme/forecasts"
    assert visitor.api.get(asked, headers=theirs).status_code == 403

    ours = visitor.api.get(LOG, headers=here)
    others = visitor.api.get("/v1/tenants/zebra/audit?action=denied", headers=theirs).json()["rows"]

    assert "zebra" not in ours.text
    assert [(row["actor"], row["target"]) for row in others] == [("user:auditor-zebra", f"GET {asked}")]


def test_ones_own_user_without_the_scope_stands_in_the_log(visitor):
    visitor.api.get("/v1/tenants/acme/audit", headers=visitor.headers("viewer-acme"))

    rows = visitor.api.get(f"{LOG}?action=denied", headers=visitor.headers("auditor-acme")).json()["rows"]

    assert [(row["actor"], row["detail"]["kind"]) for row in rows] == [("user:viewer-acme", "forbidden")]


def test_a_refusal_that_cannot_be_written_down_is_one_all_the_same(visitor, monkeypatch, caplog):
    def fail(*_, **__):
        raise OperationalError("INSERT", {}, OSError("disk full"))

    monkeypatch.setattr(visitor.api.identity.audit, "note", fail)

    assert visitor.api.get(LOG, headers={"Authorization": ""}).status_code == 401
    assert "could not be written down" in caplog.text
