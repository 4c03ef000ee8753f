"""Overrides: said, said anew, withdrawn, out of date; each version kept, each change under a name."""

from datetime import date, timedelta

import pytest

NIGHT = date(2026, 3, 1)
HERE = "/v1/tenants/acme"


def put(planner, made, version=1, **change):
    keep = ("site", "product", "product_group", "product_sub_group", "first", "last", "how", "value", "reason")
    body = {name: made[name] for name in keep} | change
    return planner.ask("PUT", f"overrides/{made['override_id']}", json=body, headers={"If-Match": f'"{version}"'})


def withdraw(planner, made, version=1):
    return planner.ask("DELETE", f"overrides/{made['override_id']}", headers={"If-Match": f'"{version}"'})


def listed(planner, **asked):
    return [o["override_id"] for o in planner.ask("GET", "overrides", params=asked).json()["overrides"]]


def kind(answer):
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_an_override_says_what_it_was_made_from_and_what_it_makes(plant, ayse):
    made = ayse.override()

    forecast = [r["units_point"] for r in plant.expected["acme", NIGHT][:2]]
    assert made["days"] == [
        {"date": day, "baseline_then": units, "baseline_now": units, "final": 500.0}
        for day, units in zip(("2026-03-02", "2026-03-03"), forecast, strict=True)
    ]
    assert (made["state"], made["is_stale"], made["stale"]) == ("active", False, [])
    assert (made["made_by"], made["made_on_night"], made["version"]) == ("user:ayse", "2026-03-01", 1)


def test_it_is_found_where_it_was_said_to_be(ayse, change):
    answer = ayse.ask("POST", "overrides", json=change)

    found = ayse.api.get(answer.headers["Location"])
    assert found.json() == answer.json()
    assert found.headers["ETag"] == answer.headers["ETag"] == '"1"'


def test_the_same_override_sent_again_is_made_once(ayse, change):
    answers = [ayse.ask("POST", "overrides", json=change, headers={"Idempotency-Key": "k1"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert len(listed(ayse)) == 1


def test_it_ends_with_its_last_day_unless_something_else_is_said(ayse):
    assert ayse.override()["expires_at"] == "2026-03-04T00:00:00Z"
    assert ayse.override(expires_at="2026-03-03T12:00:00+03:00")["expires_at"] == "2026-03-03T09:00:00Z"


def test_every_version_stays_in_the_history_with_who_said_it(ayse, mehmet):
    made = ayse.override()
    put(mehmet, made, value=600.0, reason="A larger tender")
    withdraw(ayse, made, 2)

    history = ayse.ask("GET", f"overrides/{made['override_id']}").json()["history"]

    assert [(v["version"], v["value"], v["made_by"], v["is_withdrawn"], v["reason"]) for v in history] == [
        (1, 500.0, "user:ayse", False, "A tender"),
        (2, 600.0, "user:mehmet", False, "A larger tender"),
        (3, 600.0, "user:ayse", True, "A larger tender"),
    ]


def test_every_change_is_in_the_audit_log_of_the_tenant(api, ayse, mehmet):
    made = ayse.override()
    put(mehmet, made, value=600.0)
    withdraw(ayse, made, 2)

    rows = [row for row in api.identity.audit.page("acme", 20) if row["action"].startswith("override.")]
    assert [(row["action"], row["actor"], row["target"]) for row in rows] == [
        ("override.withdrawn", "user:ayse", made["override_id"]),
        ("override.changed", "user:mehmet", made["override_id"]),
        ("override.made", "user:ayse", made["override_id"]),
    ]
    assert rows[1]["detail"]["value"] == 600.0
    assert rows[1]["detail"]["reason"] == "A tender"


def test_a_withdrawn_override_has_no_effect(ayse):
    before = ayse.plan()
    answer = withdraw(ayse, ayse.override())

    assert answer.json()["state"] == "withdrawn"
    assert ayse.plan() == before


def test_an_expired_override_has_no_effect(api, ayse):
    before = ayse.plan()
    made = ayse.override(expires_at="2026-03-02T09:10:00Z")
    assert ayse.plan() != before

    api.clock.later(601)

    assert ayse.plan() == before
    assert ayse.ask("GET", f"overrides/{made['override_id']}").json()["state"] == "expired"


@pytest.mark.parametrize("end", ["withdrawn", "expired"])
def test_what_is_over_is_not_changed_any_more(api, ayse, end):
    made = ayse.override(expires_at="2026-03-02T09:10:00Z")
    if end == "withdrawn":
        withdraw(ayse, made)
    else:
        api.clock.later(601)
    version = 2 if end == "withdrawn" else 1

    for answer in (put(ayse, made, version, expires_at=None), withdraw(ayse, made, version)):
        assert kind(answer) == (409, "override-over")


def test_the_second_of_two_who_saw_the_same_version_is_told(ayse, mehmet):
    made = ayse.override()

    assert put(ayse, made, value=600.0).headers["ETag"] == '"2"'
    late = put(mehmet, made, value=700.0)

    assert kind(late) == (412, "version-changed")
    assert "is at version 2 by now, by user:ayse" in late.json()["detail"]
    assert kind(withdraw(mehmet, made)) == (412, "version-changed")
    assert ayse.plan()[0]["final"] == 600.0


def test_who_does_not_say_what_he_saw_is_refused(ayse, change):
    made = ayse.override()

    for method, body in (("PUT", change), ("DELETE", None)):
        assert kind(ayse.ask(method, f"overrides/{made['override_id']}", json=body)) == (428, "version-needed")


@pytest.mark.parametrize(
    ("given", "status"),
    [('"1"', 200), ("*", 200), ('"7", "1"', 200), ('W/"1"', 412), ('"x"', 412), ("1", 422), ("nonsense", 422)],
)
def test_if_match_is_read_as_the_standard_has_it(ayse, given, status):
    made = ayse.override()

    answer = ayse.ask("DELETE", f"overrides/{made['override_id']}", headers={"If-Match": given})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"value": -1.0}, "value of units: use 0 to"),
        ({"how": "percent", "value": -101.0}, "value of percent: use -100 to"),
        ({"value": "many"}, "value"),
        ({"last": "2026-03-01"}, "give days in order"),
        ({"last": "2028-03-01"}, "at most 400 apart"),
        ({"first": 1772409600}, "give it as text"),
        ({"first": "9999-12-01", "last": "9999-12-31"}, "use the years 2000 to 2099"),
        ({"expires_at": "9999-12-31T23:59:59-23:00"}, "use the years 2000 to 2099"),
        ({"reason": "   "}, "not blanks alone"),
        ({"reason": ""}, "reason"),
        ({"reason": "\x00"}, "reason"),
        ({"how": "guess"}, "how"),
        ({"produkt": "P-1"}, "produkt"),
        ({"expires_at": "2026-03-02T08:00:00Z"}, "would have ended"),
        ({"expires_at": "2026-03-09T08:00:00"}, "expires_at"),
        ({"first": "2026-02-01", "last": "2026-02-02"}, "would have ended"),
    ],
)
def test_what_cannot_be_meant_is_refused(ayse, change, wrong, said):
    answer = ayse.ask("POST", "overrides", json=change | wrong)

    assert kind(answer) == (422, "bad-request")
    assert said in answer.json()["detail"]
    assert listed(ayse) == []


@pytest.mark.parametrize(
    "wrong",
    [{"product": "P-9"}, {"site": "P-1"}, {"product_group": "taps"}, {"first": "2026-04-01", "last": "2026-04-02"}],
)
def test_what_touches_nothing_is_refused(ayse, change, wrong):
    assert kind(ayse.ask("POST", "overrides", json=change | wrong)) == (422, "touches-nothing")


def test_of_a_group_where_none_is_known_is_refused(plant, make_planner, change):
    plant.night()
    ayse = make_planner("ayse")

    answer = ayse.ask("POST", "overrides", json=change | {"product_group": "pumps"})

    assert kind(answer) == (409, "no-groups")


def test_an_override_that_there_is_not_is_told(ayse):
    for method in ("GET", "DELETE"):
        answer = ayse.ask(method, f"overrides/{'0' * 16}", headers={"If-Match": "*"})
        assert kind(answer) == (404, "unknown-override")


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_who_may_only_read_changes_nothing(ayse, make_planner, role, change):
    made, reader = ayse.override(), make_planner("reader", role)

    assert reader.ask("GET", "overrides").status_code == 200
    assert kind(reader.ask("POST", "overrides", json=change)) == (403, "forbidden")
    assert kind(put(reader, made)) == kind(withdraw(reader, made)) == (403, "forbidden")


def test_another_tenants_override_is_not_found_nor_changed(plant, ayse, make_planner):
    made = ayse.override()
    plant.night("zebra")
    ayse.api.clock.later()
    zoe = make_planner("zoe", "operator", "zebra")

    assert kind(zoe.ask("GET", f"overrides/{made['override_id']}")) == (404, "unknown-override")
    assert kind(put(zoe, made)) == kind(withdraw(zoe, made)) == (404, "unknown-override")
    assert listed(zoe) == []
    assert {row["override"] for row in zoe.plan()} == {None}


def test_a_forecast_that_moved_far_makes_an_override_stale(plant, api, ayse):
    made = ayse.override()
    plant.night(units_point=100.0, night=NIGHT, again=True)
    api.clock.later()

    then = sum(day["baseline_then"] for day in made["days"])
    now = ayse.ask("GET", f"overrides/{made['override_id']}").json()

    assert (now["state"], now["is_stale"]) == ("stale", True)
    (told,) = now["stale"]
    assert (told["kind"], told["share"]) == ("baseline_moved", pytest.approx((200.0 - then) / then))
    assert [day["baseline_now"] for day in now["days"]] == [100.0, 100.0]
    assert [row["is_stale"] for row in ayse.plan()[:3]] == [True, True, False]
    assert ayse.plan()[0]["final"] == 500.0


def test_a_forecast_that_moved_little_does_not(plant, api, ayse):
    made = ayse.override()
    plant.night(units_point=made["days"][0]["baseline_then"] * 1.01, night=NIGHT, again=True)
    plant.night(units_point=sum(day["baseline_then"] for day in made["days"]) / 2 * 1.1, night=NIGHT, again=True)
    api.clock.later()

    assert ayse.ask("GET", f"overrides/{made['override_id']}").json()["stale"] == []


def test_an_override_that_ends_before_its_days_warns(ayse):
    made = ayse.override(last="2026-03-20", expires_at="2026-03-04T00:00:00Z")

    assert made["stale"] == [
        {"kind": "expires_soon", "share": None, "expires_at": "2026-03-04T00:00:00Z", "period": None}
    ]


@pytest.mark.parametrize("zone", ["+14:00", "+03:00", "+00:00", "-12:00"])
def test_an_override_that_ends_with_its_last_day_where_its_planner_is_does_not_warn(ayse, zone):
    made = ayse.override(expires_at=f"2026-03-03T23:59:59{zone}")

    assert (made["state"], made["stale"]) == ("active", [])


def test_an_override_whose_days_are_over_and_that_was_to_hold_longer_warns(plant, api, ayse):
    made = ayse.override(expires_at="2026-04-01T00:00:00Z")
    plant.night(night=NIGHT + timedelta(5))
    api.clock.later()

    assert [told["kind"] for told in ayse.ask("GET", f"overrides/{made['override_id']}").json()["stale"]] == ["past"]


def test_what_was_said_of_days_has_no_effect_on_weeks(plant, api, ayse):
    made = ayse.override()
    plant.night(series=[("ankara", "P-1")], days=1, period="week", again=True)
    api.clock.later()

    told = ayse.ask("GET", f"overrides/{made['override_id']}").json()["stale"]
    assert [(t["kind"], t["period"]) for t in told] == [("period_changed", "day")]
    assert [row["override"] for row in ayse.plan()] == [None]


def test_a_list_is_of_one_state_where_that_is_asked(plant, api, ayse):
    fine = ayse.override()["override_id"]
    stale = ayse.override(last="2026-03-20", expires_at="2026-03-04T00:00:00Z")["override_id"]
    gone = ayse.override()
    withdraw(ayse, gone)
    over = ayse.override(expires_at="2026-03-02T09:01:00Z")["override_id"]
    api.clock.later(61)

    found = {state: listed(ayse, state=state) for state in ("active", "stale", "expired", "withdrawn")}

    assert found == {"active": [fine], "stale": [stale], "expired": [over], "withdrawn": [gone["override_id"]]}
    assert listed(ayse) == [over, gone["override_id"], stale, fine]


@pytest.mark.parametrize("state", [None, "active"])
def test_a_list_comes_in_pages(ayse, state):
    made = [ayse.override(site="bursa" if n % 2 else "ankara")["override_id"] for n in range(5)]
    found, address = [], f"{HERE}/overrides?limit=2" + (f"&state={state}" if state else "")
    while address:
        answer = ayse.api.get(address).json()
        found += [o["override_id"] for o in answer["overrides"]]
        address = answer["next"]

    assert found == made[::-1]
    assert listed(ayse, site="bursa", limit=1) == [made[3]]


def test_a_cursor_of_another_list_is_refused(api, ayse):
    for _ in range(2):
        ayse.override()
    cursor = api.get(f"{HERE}/overrides?limit=1").json()["next"].rpartition("cursor=")[2]

    assert api.problem(f"{HERE}/overrides?limit=1&state=active&cursor={cursor}")["kind"] == "bad-cursor"
    assert api.problem(f"{HERE}/overrides?cursor=nonsense")["kind"] == "bad-cursor"


def test_the_board_gets_the_overrides_that_are_out_of_date_and_those_alone(api, plant, ayse):
    ayse.override()
    stale = ayse.override(last="2026-03-20", expires_at="2026-03-04T00:00:00Z")

    (told,) = api.app.state.plans.stale("acme")

    assert (told["override_id"], told["made_by"]) == (stale["override_id"], "user:ayse")
    assert (told["site"], told["product"], told["name"]) == ("ankara", "P-1", "Çelik Pompa İthal")
    assert [reason["kind"] for reason in told["stale"]] == ["expires_soon"]
