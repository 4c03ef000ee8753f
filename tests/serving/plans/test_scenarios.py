"""Scenarios: copied, changed, compared and brought to the last night, without touching the plan."""

import threading
from datetime import date, timedelta

import pytest
from pydantic import TypeAdapter

from serving.identity.audit import Audit
from serving.identity.roles import Caller
from serving.plans import scenario_schemas as schemas
from serving.plans import scenarios as module
from serving.plans.arithmetic import Change
from serving.plans.scenarios import Scenarios
from serving.problems import Problem

NIGHT = date(2026, 3, 1)
MORE = {"site": "ankara", "first": "2026-03-02", "last": "2026-03-03", "how": "percent", "value": 10.0}


def make(planner, **more):
    answer = planner.ask("POST", "scenarios", json={"name": "What if"} | more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def put(planner, made, *changes, version=None, name="What if"):
    address, version = f"scenarios/{made['scenario_id']}", version or made["version"]
    body = {"name": name, "changes": list(changes)}
    return planner.ask("PUT", address, json=body, headers={"If-Match": f'"{version}"'})


def compare(planner, made, **asked):
    answer = planner.ask("GET", f"scenarios/{made['scenario_id']}/difference", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def kind(answer):
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_a_scenario_begins_with_the_forecast_and_its_night(ayse):
    ayse.override()
    made = make(ayse)

    assert (made["night"], made["changes"], made["is_behind"], made["made_by"]) == (
        "2026-03-01",
        [],
        False,
        "user:ayse",
    )
    assert compare(ayse, made, to="baseline")["totals"]["difference"] == 0.0


def test_one_that_begins_with_the_plan_in_force_is_like_it(ayse):
    ayse.override()
    ayse.override(value=300.0, first="2026-03-03", last="2026-03-05", product_group="pumps", product=None, site=None)
    made = make(ayse, copy_of="final")

    assert [change["value"] for change in made["changes"]] == [500.0, 300.0]
    rows = compare(ayse, made, to="final", level="product", by="date")["rows"]
    assert {row["difference"] for row in rows} == {0.0}
    assert compare(ayse, made)["totals"]["difference"] > 100


def test_a_copy_of_another_has_its_night_and_changes_and_goes_its_own_way(plant, api, ayse):
    first = put(ayse, make(ayse), MORE).json()
    plant.night(night=NIGHT + timedelta(1))
    api.clock.later()
    copy = make(ayse, copy_of=first["scenario_id"])
    put(ayse, copy)

    assert (copy["night"], copy["changes"]) == ("2026-03-01", first["changes"])
    assert ayse.ask("GET", f"scenarios/{first['scenario_id']}").json()["changes"] == first["changes"]


def test_a_scenario_does_not_touch_the_plan(ayse):
    before = ayse.plan()
    put(ayse, make(ayse), MORE)

    assert ayse.plan() == before


def test_a_change_shows_in_the_difference(plant, ayse):
    made = put(ayse, make(ayse), MORE).json()
    forecast = [r for r in plant.expected["acme", NIGHT] if r["site"] == "ankara" and r["date"] <= date(2026, 3, 3)]
    units = sum(r["units_point"] for r in forecast)

    found = compare(ayse, made, level="site", by="total")

    (ankara, bursa) = found["rows"]
    assert ankara["difference"] == pytest.approx(0.1 * units)
    assert (bursa["site"], bursa["difference"]) == ("bursa", 0.0)
    pumps = sum(r["units_point"] for r in forecast if r["product"] == "P-1")
    assert ankara["value_difference"] == pytest.approx(0.1 * pumps * 100)
    assert (found["totals"]["series"], found["totals"]["series_with_price"]) == (3, 2)


def test_the_later_change_wins(ayse):
    made = put(ayse, make(ayse), MORE, MORE | {"how": "units", "value": 7.0, "last": "2026-03-02"}).json()

    first = compare(ayse, made, level="site", by="date")["rows"][0]

    assert first["units"] == pytest.approx(7.0)


def test_two_scenarios_are_compared(ayse):
    one = put(ayse, make(ayse), MORE).json()
    other = put(ayse, make(ayse), MORE | {"value": 30.0}).json()

    there, back = compare(ayse, one, to=other["scenario_id"]), compare(ayse, other, to=one["scenario_id"])

    assert there["totals"]["difference"] == pytest.approx(-back["totals"]["difference"])
    assert there["totals"]["difference"] < 0


def test_it_stays_on_its_night_until_it_is_rebased(plant, api, ayse):
    made = put(ayse, make(ayse), MORE).json()
    plant.night(night=NIGHT + timedelta(1), units_point=50.0)
    api.clock.later()
    here = ayse.ask("GET", f"scenarios/{made['scenario_id']}").json()
    assert (here["night"], here["is_behind"]) == ("2026-03-01", True)
    assert compare(ayse, made, to="final")["other_night"] == "2026-03-02"

    moved = ayse.ask("POST", f"scenarios/{made['scenario_id']}/rebase", headers={"If-Match": '"2"'})

    assert (moved.json()["night"], moved.json()["is_behind"], moved.headers["ETag"]) == ("2026-03-02", False, '"3"')
    assert compare(ayse, made, level="site", by="date")["rows"][0]["units"] == pytest.approx(110.0)
    assert ayse.ask("POST", f"scenarios/{made['scenario_id']}/rebase").json()["version"] == 4


def test_changes_that_are_over_stay_and_new_ones_must_touch_something(plant, api, ayse):
    made = put(ayse, make(ayse), MORE).json()
    plant.night(night=NIGHT + timedelta(5))
    api.clock.later()
    made = ayse.ask("POST", f"scenarios/{made['scenario_id']}/rebase").json()
    later = MORE | {"first": "2026-03-10", "last": "2026-03-11"}

    assert put(ayse, made, *made["changes"], later).status_code == 200
    assert kind(put(ayse, made, MORE | {"value": 11.0}, version=4)) == (422, "touches-nothing")


def test_days_are_not_compared_with_weeks(plant, api, ayse):
    made = make(ayse)
    plant.night(night=NIGHT + timedelta(1), period="week")
    api.clock.later()

    assert kind(ayse.ask("GET", f"scenarios/{made['scenario_id']}/difference?to=final")) == (409, "not-alike")


def test_the_second_of_two_who_saw_the_same_version_is_told(ayse, mehmet):
    made = make(ayse)
    put(ayse, made, MORE)

    assert kind(put(mehmet, made)) == (412, "version-changed")
    address = f"scenarios/{made['scenario_id']}"
    assert kind(mehmet.ask("DELETE", address, headers={"If-Match": '"1"'})) == (412, "version-changed")
    assert kind(mehmet.ask("POST", f"{address}/rebase", headers={"If-Match": '"1"'})) == (412, "version-changed")
    assert kind(mehmet.ask("PUT", address, json={"name": "x", "changes": []})) == (428, "version-needed")


def test_what_is_deleted_is_gone_and_told_of(api, ayse):
    made = make(ayse)
    address = f"scenarios/{made['scenario_id']}"

    assert ayse.ask("DELETE", address, headers={"If-Match": '"1"'}).status_code == 204
    for answer in (ayse.ask("GET", address), ayse.ask("DELETE", address), ayse.ask("GET", f"{address}/difference")):
        assert kind(answer) == (404, "unknown-scenario")
    rows = [row for row in api.identity.audit.page("acme", 10) if row["action"].startswith("scenario.")]
    assert [(row["action"], row["actor"], row["target"]) for row in rows] == [
        ("scenario.deleted", "user:ayse", made["scenario_id"]),
        ("scenario.made", "user:ayse", made["scenario_id"]),
    ]


def test_every_change_is_in_the_audit_log(api, ayse, mehmet):
    made = make(ayse)
    put(mehmet, made, MORE)
    ayse.ask("POST", f"scenarios/{made['scenario_id']}/rebase")

    rows = [row for row in api.identity.audit.page("acme", 10) if row["action"].startswith("scenario.")]
    assert [(row["action"], row["actor"]) for row in rows] == [
        ("scenario.rebased", "user:ayse"),
        ("scenario.changed", "user:mehmet"),
        ("scenario.made", "user:ayse"),
    ]
    assert rows[1]["detail"]["changes"][0]["value"] == 10.0


def test_scenarios_are_listed_in_pages(ayse):
    made = [make(ayse, name=f"What if {n}")["scenario_id"] for n in range(5)]
    found, address = [], "scenarios?limit=2"
    while address:
        answer = ayse.ask("GET", address).json()
        found += [entry["scenario_id"] for entry in answer["scenarios"]]
        address = answer["next"] and answer["next"].removeprefix("/v1/tenants/acme/")

    assert sorted(found) == sorted(made)
    assert len(found) == 5


def test_rows_of_a_difference_come_in_pages_the_largest_first(ayse):
    made = put(ayse, make(ayse), MORE, MORE | {"product": "P-2", "value": 90.0}).json()
    whole = compare(ayse, made, level="product")
    found, address = [], f"scenarios/{made['scenario_id']}/difference?level=product&limit=2"
    while address:
        answer = ayse.ask("GET", address).json()
        found += answer["rows"]
        address = answer["next"] and answer["next"].removeprefix("/v1/tenants/acme/")

    assert found == whole["rows"]
    sizes = [abs(row["difference"]) for row in found]
    assert (sizes, len(sizes)) == (sorted(sizes, reverse=True), 3)


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": " "}, {"name": "x\x00"}, {"copy_of": "something"}, {"changes": []}, {"name": "x" * 101}],
)
def test_what_cannot_be_meant_is_refused(ayse, wrong):
    assert kind(ayse.ask("POST", "scenarios", json={"name": "What if"} | wrong)) == (422, "bad-request")


def test_too_many_changes_are_refused(ayse):
    assert kind(put(ayse, make(ayse), *([MORE] * 1001))) == (422, "bad-request")


def test_too_many_scenarios_are_refused(ayse, monkeypatch):
    monkeypatch.setattr(module, "MOST_SCENARIOS", 2)
    for _ in range(2):
        make(ayse)

    assert kind(ayse.ask("POST", "scenarios", json={"name": "One more"})) == (409, "too-many-scenarios")


def test_another_tenants_scenario_is_not_found(plant, ayse, make_planner):
    made = make(ayse)
    plant.night("zebra")
    ayse.api.clock.later()
    zoe = make_planner("zoe", "operator", "zebra")

    assert kind(zoe.ask("GET", f"scenarios/{made['scenario_id']}")) == (404, "unknown-scenario")
    assert kind(put(zoe, made)) == (404, "unknown-scenario")
    assert kind(zoe.ask("POST", "scenarios", json={"name": "x", "copy_of": made["scenario_id"]})) == (
        404,
        "unknown-scenario",
    )
    own = make(zoe)
    compared = zoe.ask("GET", f"scenarios/{own['scenario_id']}/difference?to={made['scenario_id']}")
    assert kind(compared) == (404, "unknown-scenario")
    assert [entry["scenario_id"] for entry in zoe.ask("GET", "scenarios").json()["scenarios"]] == [own["scenario_id"]]


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_who_may_only_read_makes_none(ayse, make_planner, role):
    made, reader = make(ayse), make_planner("reader", role)

    assert compare(reader, made)["totals"]["difference"] == 0.0
    assert kind(reader.ask("POST", "scenarios", json={"name": "x"})) == (403, "forbidden")
    assert kind(put(reader, made)) == (403, "forbidden")


def test_answers_are_as_declared(ayse):
    made = put(ayse, make(ayse), MORE).json()

    TypeAdapter(schemas.Scenario).validate_python(made)
    TypeAdapter(schemas.ScenarioPage).validate_python(ayse.ask("GET", "scenarios").json())
    for by in ("total", "date"):
        TypeAdapter(schemas.DifferenceTable).validate_python(compare(ayse, made, level="group", by=by))


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (schemas.Scenario, schemas.SCENARIO),
        (schemas.ScenarioPage, schemas.SCENARIOS),
        (schemas.DifferenceTable, schemas.DIFFERENCE),
        (schemas.NewScenario, schemas.NEW_SCENARIO),
        (schemas.ScenarioAsked, schemas.CHANGED),
    ],
)
def test_each_example_is_as_declared(model, example):
    TypeAdapter(model).validate_python(example)


def test_of_many_who_change_one_version_at_once_one_succeeds(state, clock):
    scenarios = Scenarios(state, Audit(state, lambda: clock.now), lambda: clock.now)
    made = scenarios.make(Caller("user:ayse"), "acme", "What if", NIGHT, [])
    begin, got = threading.Barrier(8), []

    def change(n):
        begin.wait(10)
        one = (Change(NIGHT, NIGHT, "units", float(n)),)
        try:
            got.append(scenarios.change(Caller(f"user:{n}"), "acme", made.scenario_id, [1], "changed", changes=one))
        except Problem as problem:
            got.append(problem.kind)

    threads = [threading.Thread(target=change, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    done = [each for each in got if not isinstance(each, str)]
    assert (len(got), len(done), set(got) - set(done)) == (8, 1, {"version-changed"})
    assert scenarios.one("acme", made.scenario_id) == done[0]
