"""Live links: a tenant's rows as CSV for whoever has the address, until it ends; the secret is in no log."""

import csv
from datetime import timedelta

import pytest
from sqlalchemy import select

from serving.exchange.links import MOST_LINKS, Links
from serving.identity.audit import Audit
from serving.identity.roles import ROLES, Caller
from serving.identity.secret import LINK_MARK, masked
from serving.problems import Problem
from serving.state.tables import LINKS

ADDRESS = "/v1/tenants/acme/links"
ASKED = {"name": "Toplantı", "what": "forecasts"}


@pytest.fixture
def link(plant, api):
    """A function that makes a link and gives the answer."""
    plant.night()
    plant.night("zebra", series=[("zebra-site", "zebra-1")])

    def make(**more):
        answer = api.post(ADDRESS, json=ASKED | more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


def fetch(api, made, **params):
    return api.get(made["url"], params=params, headers={"Authorization": ""})


def rows(text, separator=","):
    return list(csv.DictReader(text.splitlines(), delimiter=separator))


def test_a_link_gives_the_tenants_rows_to_one_who_has_not_signed_in(plant, api, link):
    answer = fetch(api, link())

    expected = [row for (tenant, _), found in plant.expected.items() for row in found if tenant == "acme"]
    told = [(r["site"], r["product"], r["date"], float(r["units_point"])) for r in rows(answer.text)]
    assert told == [(r["site"], r["product"], r["date"].isoformat(), r["units_point"]) for r in expected]
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "zebra" not in answer.text


def test_turkish_has_semicolons_between_fields_and_commas_before_decimals(api, link):
    made = link()

    turkish, english = fetch(api, made, language="tr"), fetch(api, made)

    numbers = [float(r["units_point"].replace(",", ".")) for r in rows(turkish.text, ";")]
    assert numbers == [float(r["units_point"]) for r in rows(english.text)]
    assert "." not in "".join(r["units_point"] for r in rows(turkish.text, ";"))


def test_a_byte_order_mark_comes_where_it_is_asked_for(api, link):
    made = link()

    assert fetch(api, made, bom=True).content.startswith(b"\xef\xbb\xbfforecast_id")
    assert fetch(api, made).content.startswith(b"forecast_id")


def test_filters_hold_for_what_the_link_gives(api, link):
    filters = {"site": ["ankara"], "product": ["P-2"], "from": "2026-03-04", "to": "2026-03-05"}

    found = rows(fetch(api, link(filters=filters)).text)

    assert [(r["site"], r["product"], r["date"]) for r in found] == [
        ("ankara", "P-2", "2026-03-04"),
        ("ankara", "P-2", "2026-03-05"),
    ]


def test_a_newer_night_is_given_by_the_same_link(plant, api, link):
    made = link()
    fetch(api, made)

    plant.night(
        night=plant.expected["acme", next(n for t, n in plant.expected if t == "acme")][0]["night"] + timedelta(days=1)
    )
    api.clock.later()

    assert {r["night"] for r in rows(fetch(api, made).text)} == {"2026-03-02"}


def test_a_text_that_a_spreadsheet_would_run_is_given_as_text(plant, api):
    plant.night(series=[("ankara", '-2+3"x')])
    made = api.post(ADDRESS, json=ASKED).json()

    assert {r["product"] for r in rows(fetch(api, made).text)} == {"'-2+3\"x"}


def test_the_address_is_shown_once_and_the_secret_is_not_kept(api, link):
    made = link()

    listed = api.get(ADDRESS)
    with api.identity.audit._state.read() as connection:
        kept = repr(connection.execute(select(LINKS)).all())
    assert LINK_MARK not in listed.text
    assert made["url"].rpartition("/")[2] not in kept
    assert listed.json()["links"] == [{k: v for k, v in made.items() if k != "url"}]


def test_a_revoked_link_is_refused_at_once(api, link):
    made = link()
    fetch(api, made)

    assert api.delete(f"{ADDRESS}/{made['link_id']}").status_code == 204

    assert fetch(api, made).json()["type"].endswith("link-refused")
    assert api.delete(f"{ADDRESS}/{made['link_id']}").status_code == 404


def test_a_link_at_its_end_is_refused(api, link):
    until = (api.clock.now + timedelta(hours=1)).isoformat()
    made = link(expires_at=until)

    api.clock.later(3599)
    assert fetch(api, made).status_code == 200
    api.clock.later(1)
    assert fetch(api, made).status_code == 404


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_a_link_ends_in_the_future_and_within_a_year(api, link, days):
    answer = api.post(ADDRESS, json=ASKED | {"expires_at": (api.clock.now + timedelta(days=days)).isoformat()})

    assert (answer.status_code, "expires_at" in answer.json()["detail"]) == (422, True)


def test_a_link_that_asks_too_often_waits_and_another_does_not(api, link):
    first, second = link(), link()

    codes = [fetch(api, first).status_code for _ in range(31)]

    assert codes == [200] * 30 + [429]
    assert fetch(api, second).status_code == 200


def test_a_refused_link_is_written_down_without_its_secret(api, link):
    made = link()
    api.delete(f"{ADDRESS}/{made['link_id']}")

    fetch(api, made)
    api.get(f"{made['url']}/more", headers={"Authorization": ""})

    denied = api.identity.audit.page(None, 10, action="denied")
    assert [row["detail"]["kind"] for row in denied] == ["not-found", "link-refused"]
    assert made["url"].rpartition("/")[2] not in repr(denied)
    assert denied[1]["target"] == f"GET /v1/live/{LINK_MARK}..."


def test_masking_leaves_what_is_no_secret():
    assert masked("GET /v1/tenants/acme/links") == "GET /v1/tenants/acme/links"


def test_making_and_revoking_are_written_down(api, link):
    made = link()
    api.delete(f"{ADDRESS}/{made['link_id']}")

    found = [row for row in api.identity.audit.page("acme", 10) if row["action"].startswith("link.")]
    assert [(row["action"], row["target"]) for row in found] == [
        ("link.revoked", made["link_id"]),
        ("link.added", made["link_id"]),
    ]


def test_another_tenants_link_is_neither_listed_nor_revoked(api, link):
    made = link()

    assert api.get("/v1/tenants/zebra/links").json()["links"] == []
    assert api.delete(f"/v1/tenants/zebra/links/{made['link_id']}").status_code == 404
    assert fetch(api, made).status_code == 200


def test_a_key_gives_no_rows_that_it_may_not_read_itself(api, link):
    key = api.identity.keys.add(Caller("test"), "acme", "writes", ["plans:write"]).key

    answer = api.post(ADDRESS, json=ASKED, headers={"Authorization": f"Bearer {key}"})

    assert (answer.status_code, answer.json()["detail"][-37:]) == (403, "may not give forecasts:read at 'acme'")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "  "}, "body name"),
        ({"name": "a\x00b"}, "body name"),
        ({"what": "salaries"}, "body what"),
        ({"filters": {"sites": ["x"]}}, "body filters sites"),
        ({"filters": {"product_group": ["x"]}}, "forecasts know no groups"),
        ({"filters": {"site": ["a\x00b"]}}, "body filters site"),
        ({"filters": {"from": "2026-03-05", "to": "2026-03-04"}}, "is after to"),
        ({"expires_at": "2026-06-01T00:00:00"}, "body expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "body expires_at"),
    ],
)
def test_a_link_that_cannot_be_made_is_told(api, more, said):
    answer = api.post(ADDRESS, json=ASKED | more)

    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.text


def test_a_tenant_has_so_many_good_links_and_no_more(state, clock):
    links = Links(state, Audit(state, lambda: clock.now), lambda: clock.now)
    asked = (Caller("test"), "acme", "n", "forecasts", {}, None)
    made = [links.add(*asked) for _ in range(MOST_LINKS)]

    with pytest.raises(Problem, match="revoke one that is not used"):
        links.add(*asked)

    links.revoke(Caller("test"), "acme", made[0].row["link_id"])
    assert links.find(links.add(*asked).secret)["tenant"] == "acme"
    assert links.find(made[0].secret) is None


def test_a_link_asked_for_again_with_the_same_key_is_made_once(plant, api, link):
    once = {"Idempotency-Key": "4be1"}

    first, again = (api.post(ADDRESS, json=ASKED, headers=once) for _ in range(2))

    assert first.json() == again.json()
    assert len(api.get(ADDRESS).json()["links"]) == 1


@pytest.fixture
def of_ayse(api, link):
    """The answer to a link that a planner made."""
    api.identity.users.add(Caller("test"), "ayse", "korrekt pferd batterie", {"acme": "operator", "zebra": "viewer"})
    form = {"grant_type": "password", "username": "ayse", "password": "korrekt pferd batterie"}
    token = api.post("/v1/auth/token", data=form, headers={"Authorization": ""}).json()["access_token"]
    made = api.post(ADDRESS, json=ASKED, headers={"Authorization": f"Bearer {token}"}).json()
    assert fetch(api, made).status_code == 200
    return lambda: fetch(api, made)


@pytest.mark.parametrize(
    "happens",
    [
        lambda users: users.disable(Caller("test"), "ayse"),
        lambda users: users.take(Caller("test"), "ayse", "acme"),
        lambda users: users.grant(Caller("test"), "ayse", {"acme": "no-longer-known"}),
    ],
    ids=["disabled", "role taken", "role gone"],
)
def test_a_link_ends_with_its_makers_right_to_read_and_that_is_written_down(api, of_ayse, happens, monkeypatch):
    monkeypatch.setitem(ROLES, "no-longer-known", frozenset())
    happens(api.identity.users)

    answer = of_ayse()

    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (404, "link-refused")
    denied = api.identity.audit.page("acme", 1)[0]
    assert (denied["action"], denied["detail"]["kind"]) == ("denied", "link-refused")
    assert denied["actor"].startswith("link:")


def test_a_link_that_a_key_made_ends_with_the_key(api, link):
    made = link()
    (key,) = [key["prefix"] for key in api.identity.keys.list() if made["created_by"] == f"key:{key['prefix']}"]

    api.identity.keys.revoke(Caller("test"), key)

    assert fetch(api, made).status_code == 404


def test_a_link_goes_on_when_its_maker_has_another_role_that_reads(api, of_ayse):
    api.identity.users.grant(Caller("test"), "ayse", {"acme": "auditor"})

    assert of_ayse().status_code == 200
