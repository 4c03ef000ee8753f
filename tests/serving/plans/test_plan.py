"""The plan: baseline, override and final, kept apart."""

import csv
import io
import time
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from serving.identity.roles import Caller
from serving.plans import examples, schemas
from serving.plans.arithmetic import Change

PLAN = "/v1/tenants/acme/plan"
NIGHT = date(2026, 3, 1)


def test_without_overrides_the_plan_is_the_forecast(plant, ayse):
    rows = ayse.plan()

    told = [(r["site"], r["product"], r["date"], r["baseline"], r["final"], r["override"]) for r in rows]
    assert told == [
        (r["site"], r["product"], r["date"].isoformat(), r["units_point"], r["units_point"], None)
        for r in plant.expected["acme", NIGHT]
    ]


def test_an_override_changes_its_days_and_nothing_else(ayse):
    before = ayse.plan()
    made = ayse.override()

    changed = [row for row, old in zip(ayse.plan(), before, strict=True) if row != old]
    assert [(r["site"], r["product"], r["date"]) for r in changed] == [
        ("ankara", "P-1", "2026-03-02"),
        ("ankara", "P-1", "2026-03-03"),
    ]
    for row in changed:
        assert (row["override"], row["final"], row["override_id"]) == (500.0, 500.0, made["override_id"])


def test_the_baseline_stays_what_was_forecast(plant, api, ayse):
    forecasts = api.get("/v1/tenants/acme/forecasts").content
    before = [row["baseline"] for row in ayse.plan()]
    ayse.override(how="percent", value=50.0, site=None, product=None)

    assert [row["baseline"] for row in ayse.plan()] == before
    assert api.get("/v1/tenants/acme/forecasts").content == forecasts


def test_an_override_of_a_group_adds_up_over_its_series(ayse):
    ayse.override(site=None, product=None, product_group="pumps")

    rows = [row for row in ayse.plan(product_group="pumps") if row["override"] is not None]

    assert {row["product"] for row in rows} == {"P-1"}
    assert {row["site"] for row in rows} == {"ankara", "bursa"}
    for day in ("2026-03-02", "2026-03-03"):
        assert sum(row["final"] for row in rows if row["date"] == day) == pytest.approx(500.0)


def test_the_later_of_two_overrides_wins_where_they_meet(ayse):
    ayse.override(value=500.0, last="2026-03-04")
    ayse.override(value=300.0, first="2026-03-03", last="2026-03-03")

    assert [row["final"] for row in ayse.plan(product="P-1", site="ankara")[:3]] == [500.0, 300.0, 500.0]


def test_an_override_that_is_said_anew_is_the_later_one(ayse, change):
    first = ayse.override(value=500.0)
    ayse.override(value=300.0)
    ayse.ask("PUT", f"overrides/{first['override_id']}", json=change | {"value": 700.0}, headers={"If-Match": '"1"'})

    assert ayse.plan(product="P-1")[0]["final"] == 700.0


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 84),
        ({"site": "ankara"}, 56),
        ({"product": "P-1"}, 56),
        ({"site": "ankara", "product": "P-1"}, 28),
        ({"product_group": "taps"}, 28),
        ({"product_group": "none"}, 0),
        ({"from": "2026-03-10"}, 60),
        ({"to": "2026-03-03"}, 6),
        ({"from": "2026-03-02", "to": "2026-03-02", "site": "bursa"}, 1),
    ],
)
def test_the_plan_is_filtered(ayse, asked, count):
    assert len(ayse.plan(**asked)) == count


def test_pages_hold_on_to_their_night(plant, api, ayse):
    ayse.override()
    whole, seen, address = ayse.plan(), [], f"{PLAN}?limit=50"
    while address:
        answer = api.get(address).json()
        seen += answer["plan"]
        address = answer["next"]
        plant.night(night=NIGHT + timedelta(1))
        api.clock.later()

    assert seen == whole


def test_who_has_the_plan_already_is_told_so_until_it_changes(api, ayse):
    ayse.override(expires_at="2026-03-02T09:10:00Z")
    tag = api.get(PLAN).headers["ETag"]

    def again():
        return api.get(PLAN, headers={"If-None-Match": tag}).status_code

    assert again() == 304
    api.clock.later(601)  # the override expires
    assert again() == 200
    ayse.override(expires_at="2026-03-02T10:00:00Z")
    assert again() == 200


def test_the_plan_comes_as_arrow_too(ayse):
    ayse.override()
    table = pa.ipc.open_stream(ayse.ask("GET", "plan?format=arrow").content).read_all()

    assert table.num_rows == 84
    assert table["final"].to_pylist()[:2] == [500.0, 500.0]


def test_csv_comes_whole(ayse):
    ayse.override()
    answer = ayse.ask("GET", "plan?format=csv&bom=true")

    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["final"] for row in rows[:2]] == ["500", "500"]
    assert (len(rows), rows[2]["override"], rows[0]["is_stale"]) == (84, "", "false")
    assert "plan_acme_2026-03-01.csv" in answer.headers["content-disposition"]


def test_csv_is_as_a_turkish_spreadsheet_reads_it_where_that_is_asked(plant, ayse):
    plant.night(series=[("ankara", "@SUM(1)")], again=True)

    answer = ayse.ask("GET", "plan?format=csv&language=tr")

    head, first = answer.content.decode().splitlines()[:2]
    assert head.startswith("site;product;date;baseline")
    assert first.startswith('"ankara";"\'@SUM(1)";2026-03-02;')
    assert "," in first.split(";")[3]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("from=2026-03-09&to=2026-03-02", "from: 2026-03-09 is after"),
        ("nonsense=1", "nonsense"),
        ("format=csv&limit=5", "come whole, leave them out"),
        ("limit=0", "limit"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(api, ayse, asked, said):
    told = api.problem(f"{PLAN}?{asked}")

    assert told["kind"] == "bad-request"
    assert said in told["detail"]


def test_groups_that_are_not_known_are_refused_and_series_are_not(plant, api, make_planner):
    plant.night()
    ayse = make_planner("ayse")
    ayse.override()

    assert api.problem(f"{PLAN}?product_group=pumps")["kind"] == "no-groups"
    assert ayse.plan(site="ankara")[0]["final"] == 500.0


def test_a_plan_that_is_answered_is_as_declared(api, ayse):
    ayse.override()

    TypeAdapter(schemas.PlanPage).validate_json(api.get(PLAN).text)


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (schemas.PlanPage, examples.PLAN),
        (schemas.OverrideWhole, examples.WHOLE),
        (schemas.OverridePage, examples.OVERRIDES),
        (schemas.OverrideAsked, examples.NEW_OVERRIDE),
    ],
)
def test_each_example_is_as_declared(model, example):
    TypeAdapter(model).validate_python(example)


def test_a_plan_of_weeks_is_changed_by_weeks(plant, make_planner):
    monday = date(2026, 3, 2)
    for week in range(4):
        plant.night(series=[("ankara", "P-1")], days=1, status=None, date=monday + timedelta(7 * week), period="week")
    plant.run(run="run-1")
    ayse = make_planner("ayse")
    made = ayse.override(first="2026-03-05", last="2026-03-11", value=70.0)

    assert [row["override"] for row in ayse.plan()] == [70.0, 70.0, None, None]
    assert made["expires_at"] == "2026-03-16T00:00:00Z"


@pytest.mark.slow
def test_a_page_of_ten_thousand_series_with_two_hundred_overrides_takes_little(plant, make_planner):
    """By the processor's clock: a machine that does other things at the same time is no reason to fail."""
    plant.night(series=[(f"site-{n % 10}", f"P-{n // 10}") for n in range(10_000)])
    ayse = make_planner("ayse")
    plans = ayse.api.app.state.plans
    seen, ends = plans.current("acme"), datetime(2026, 4, 1, tzinfo=UTC)
    nodes = [(f"site-{n % 10}", None if n % 4 == 0 else f"P-{n}") for n in range(200)]
    changes = [Change(NIGHT, NIGHT + timedelta(7), "units", 500.0, *node) for node in nodes]
    plans.overrides.make(Caller("user:ayse"), "acme", [plans.say(seen, each, "x", ends) for each in changes])

    begin = time.process_time()
    rows = ayse.plan(limit=1000)
    seconds = time.process_time() - begin

    assert len(rows) == 1000
    assert any(row["override"] is not None for row in rows)
    assert seconds < 0.2
