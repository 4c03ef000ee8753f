"""A workbook of the plan comes back: what it changes is told cell by cell, then made overrides of, all or none."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from books import cells, edited, part, repacked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from pydantic import TypeAdapter

from serving.exchange import difference, export, schemas
from serving.exchange.imports import MOST_WAITING
from serving.identity.roles import Caller
from serving.plans.overrides import Overrides
from serving.state.database import connect

HERE = "/v1/tenants/acme"
IMPORTS = f"{HERE}/plan/imports"
NIGHT = date(2026, 3, 1)
DAYS = [NIGHT + timedelta(days=i) for i in range(1, 29)]


@pytest.fixture
def planned(plant, api):
    """A night of acme, and another tenant's."""
    plant.night()
    plant.series()
    plant.night("zebra", series=[("zebra-site", "zebra-1")])
    return api


def export_of(api, tenant="acme", **asked):
    answer = api.get(f"/v1/tenants/{tenant}/plan", params={"format": "xlsx", "language": "en"} | asked)
    assert answer.status_code == 200, answer.text
    return answer.content


def bring(api, body, tenant="acme", **more):
    return api.post(f"/v1/tenants/{tenant}/plan/imports", content=body, **more)


def take(api, import_id, reason="A tender", **more):
    return api.post(f"{IMPORTS}/{import_id}/take", json={"reason": reason} | more)


def told(answer, status=201):
    assert answer.status_code == status, answer.text
    return answer.json()


def kind(answer):
    assert answer.status_code >= 400, answer.text
    return answer.json()["type"].rpartition(":")[2]


def plan(api):
    rows = told(api.get(f"{HERE}/plan", params={"limit": 10_000}), 200)["plan"]
    return {(r["site"], r["product"], r["date"]): r["final"] for r in rows}


def overrides(api):
    return told(api.get(f"{HERE}/overrides"), 200)["overrides"]


def test_a_workbook_has_the_plan_as_it_is(plant, planned):
    answer = planned.get(f"{HERE}/plan", params={"format": "xlsx"})

    sheet = load_workbook(io.BytesIO(answer.content))["Plan"]
    rows = [[cell.value for cell in row] for row in sheet]
    now = plan(planned)
    assert rows[0] == ["Tesis", "Ürün", "Ürün adı", *(datetime.combine(d, datetime.min.time()) for d in DAYS)]
    assert [row[:2] for row in rows[1:]] == [["ankara", "P-1"], ["ankara", "P-2"], ["bursa", "P-1"]]
    assert [row[3:] for row in rows[1:]] == [
        [round(now[site, product, d.isoformat()], 4) for d in DAYS] for site, product, *_ in rows[1:]
    ]
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''plan_acme_2026-03-01.xlsx"
    assert answer.headers["content-type"] == export.XLSX


def test_products_have_their_names_where_they_are_known(planned):
    known = planned.get(f"{HERE}/series").json()["series"]
    sheet = load_workbook(io.BytesIO(export_of(planned)))["Plan"]

    names = {(row[0].value, row[1].value): row[2].value for row in sheet.iter_rows(min_row=2)}
    assert any(names.values())
    assert names == {(s["site"], s["product"]): s.get("name", names[s["site"], s["product"]]) for s in known}


def test_filters_hold_for_a_workbook(planned):
    body = export_of(planned, site="ankara", product="P-2", **{"from": "2026-03-04", "to": "2026-03-05"})

    rows = [[cell.value for cell in row] for row in load_workbook(io.BytesIO(body))["Plan"]]
    assert [row[:2] for row in rows] == [["Site", "Product"], ["ankara", "P-2"]]
    assert rows[0][3:] == [datetime(2026, 3, 4), datetime(2026, 3, 5)]


def test_what_is_overridden_is_marked_in_the_workbook(planned):
    change = {"site": "ankara", "product": "P-1", "first": "2026-03-03", "last": "2026-03-03", "how": "units"}
    told(planned.post(f"{HERE}/overrides", json=change | {"value": 777.0, "reason": "x"}))

    book = load_workbook(io.BytesIO(export_of(planned)))

    assert [(c.value, c.font.b) for c in book["Plan"][2][3:6]][1] == (777, True)
    assert [c.font.b for c in book["Plan"][2][3:6]] == [False, True, False]
    assert book["Baseline"]["E2"].value == pytest.approx(
        told(planned.get(f"{HERE}/plan", params={"site": "ankara", "product": "P-1"}), 200)["plan"][1]["baseline"],
        abs=1e-4,
    )


def test_too_many_series_are_refused_with_what_to_do(planned, monkeypatch):
    monkeypatch.setattr(export, "MOST_SERIES", 2)

    answer = planned.get(f"{HERE}/plan", params={"format": "xlsx"})
    assert (answer.status_code, "choose by site" in answer.json()["detail"]) == (422, True)
    assert export_of(planned, site="ankara")


def test_no_series_make_an_empty_workbook(planned):
    assert told(bring(planned, export_of(planned, site="nowhere")))["total"] == 0


@pytest.mark.parametrize("asked", [{"limit": 5}, {"language": "de"}])
def test_a_workbook_that_cannot_be_meant_is_refused(planned, asked):
    assert planned.get(f"{HERE}/plan", params={"format": "xlsx"} | asked).status_code == 422


def test_a_workbook_without_a_change_is_an_empty_difference_and_nothing_to_take(planned):
    made = told(bring(planned, export_of(planned)))

    assert (made["changes"], made["total"], made["problems"], made["night"]) == ([], 0, [], "2026-03-01")
    assert kind(take(planned, made["import_id"])) == "touches-nothing"


def test_the_difference_has_each_cell_and_changes_nothing_yet(planned):
    before = plan(planned)

    answer = bring(planned, edited(export_of(planned), cells(D2=5, E4="1.234,5")))

    made = told(answer)
    assert answer.headers["location"] == f"{IMPORTS}/{made['import_id']}"
    assert [(c["site"], c["product"], c["date"], c["cell"], c["after"]) for c in made["changes"]] == [
        ("ankara", "P-1", "2026-03-02", "D2", 5.0),
        ("bursa", "P-1", "2026-03-03", "E4", 1234.5),
    ]
    first = made["changes"][0]
    assert first["before"] == first["baseline"] == before["ankara", "P-1", "2026-03-02"]
    assert (plan(planned), overrides(planned)) == (before, [])
    assert told(planned.get(f"{IMPORTS}/{made['import_id']}"), 200) == made


def test_real_answers_are_as_declared(planned):
    made = bring(planned, edited(export_of(planned), cells(D2=5)))
    taken = take(planned, made.json()["import_id"])

    TypeAdapter(schemas.Import).validate_json(made.text)
    TypeAdapter(schemas.Taken).validate_json(taken.text)


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (schemas.Import, schemas.IMPORT),
        (schemas.Taken, schemas.TAKEN),
        (schemas.LinkMade, schemas.LINK_MADE),
        (schemas.LinkList, schemas.LINKS),
    ],
)
def test_each_example_is_an_answer_as_declared(model, example):
    TypeAdapter(model).validate_python(example)


CELLS = st.tuples(st.integers(2, 4), st.integers(4, 31))
UNITS = st.floats(0, 1e6).map(lambda value: round(value, 3))


@given(st.dictionaries(CELLS, UNITS, min_size=1, max_size=30))
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_taken_is_in_the_next_workbook_and_nothing_else(planned, edits):
    """Overrides of the example before are the plan of the next one."""
    body, before = export_of(planned), plan(planned)

    def change(sheet):
        for (row, column), units in edits.items():
            sheet.cell(row, column).value = units

    made = told(bring(planned, edited(body, change)))
    if made["total"]:
        told(take(planned, made["import_id"]))

    series = [("ankara", "P-1"), ("ankara", "P-2"), ("bursa", "P-1")]
    expected = {(*series[row - 2], DAYS[column - 4].isoformat()): units for (row, column), units in edits.items()}
    assert plan(planned) == before | expected
    sheet = load_workbook(io.BytesIO(export_of(planned)))["Plan"]
    assert {cell: sheet.cell(*cell).value for cell in edits} == edits
    assert told(bring(planned, export_of(planned)))["total"] == 0


def test_neighbours_with_the_same_units_become_one_override(planned):
    made = told(bring(planned, edited(export_of(planned), cells(D2=0, E2=0, F2=7, H2=0, D3=0))))

    taken = told(take(planned, made["import_id"], reason="Closed"))

    assert [(o["product"], o["first"][-2:], o["last"][-2:], o["value"]) for o in taken["overrides"]] == [
        ("P-1", "02", "03", 0),
        ("P-1", "04", "04", 7),
        ("P-1", "06", "06", 0),
        ("P-2", "02", "02", 0),
    ]
    assert {o["reason"] for o in overrides(planned)} == {"Closed"}


@pytest.fixture
def weekly(plant, api):
    """A night of acme that forecasts four weeks, from Monday the 2nd to Sunday the 29th."""
    for week in range(4):
        monday = date(2026, 3, 2) + timedelta(7 * week)
        plant.night(series=[("ankara", "P-1")], days=1, status=None, date=monday, period="week")
    plant.run(run="run-1")
    return api


@pytest.mark.parametrize(
    ("sent", "ends"), [({}, "2026-03-16T00:00:00Z"), ({"expires_at": "2026-03-20T21:00:00Z"}, "2026-03-20T21:00:00Z")]
)
def test_a_week_that_is_taken_lasts_through_its_sunday(weekly, sent, ends):
    made = told(bring(weekly, edited(export_of(weekly), cells(D2=5.0, E2=5.0))))

    (taken,) = told(take(weekly, made["import_id"], **sent))["overrides"]

    assert (taken["first"], taken["last"], taken["expires_at"]) == ("2026-03-02", "2026-03-15", ends)
    weekly.clock.now = datetime(2026, 3, 15, 23, 59, tzinfo=UTC)
    assert list(plan(weekly).values())[:2] == [5.0, 5.0]


def test_weeks_follow_each_other_by_seven_days(plant, api):
    from serving.exchange.difference import Cell

    week = [NIGHT + timedelta(days=7 * i) for i in range(3)]
    asked = [Cell("a", "P", None, day, "D2", 1.0, 1.0, 5.0, None) for day in week]

    assert [(c.first, c.last) for c in difference.as_changes(asked, 7)] == [(week[0], week[2] + timedelta(6))]
    assert len(difference.as_changes(asked, 1)) == 3


def test_an_end_that_is_given_holds_for_each_override(planned):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5, E3=6))))

    taken = told(take(planned, made["import_id"], expires_at="2026-03-20T12:00:00Z"))
    assert {o["expires_at"] for o in taken["overrides"]} == {"2026-03-20T12:00:00Z"}


def test_without_one_each_holds_until_the_end_of_its_last_day(planned):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5, E3=6))))

    taken = told(take(planned, made["import_id"]))
    assert [o["expires_at"] for o in taken["overrides"]] == ["2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"]


@pytest.mark.parametrize(
    ("more", "said"),
    [({"expires_at": "2026-03-01T12:00:00Z"}, "would have ended"), ({"reason": "  "}, "reason"), ({"x": 1}, "x")],
)
def test_a_taking_that_cannot_be_meant_is_refused(planned, more, said):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5))))

    answer = take(planned, made["import_id"], **more)

    assert (answer.status_code, said in answer.json()["detail"]) == (422, True)
    assert overrides(planned) == []


def test_each_override_and_the_import_are_written_down(planned):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5, E3=6))))
    taken = told(take(planned, made["import_id"]))

    log = [(r["action"], r["target"]) for r in planned.identity.audit.page("acme", 20) if r["action"] != "key.added"]
    assert log == [
        ("import.taken", made["import_id"]),
        *(("override.made", o["override_id"]) for o in taken["overrides"][::-1]),
        ("import.made", made["import_id"]),
    ]


def test_an_import_is_taken_once(planned):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5))))
    told(take(planned, made["import_id"]))

    assert kind(take(planned, made["import_id"])) == "import-over"
    assert len(overrides(planned)) == 1


def test_an_import_waits_for_a_day(planned):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5))))

    planned.clock.later(24 * 3600 - 1)
    assert planned.get(f"{IMPORTS}/{made['import_id']}").status_code == 200
    planned.clock.later(1)
    assert (
        kind(take(planned, made["import_id"]))
        == kind(planned.get(f"{IMPORTS}/{made['import_id']}"))
        == "unknown-import"
    )


def test_the_oldest_imports_give_way(planned):
    body = export_of(planned)
    made = []
    for _ in range(MOST_WAITING + 1):
        made.append(told(bring(planned, body))["import_id"])
        planned.clock.later(1)

    answers = [planned.get(f"{IMPORTS}/{import_id}").status_code for import_id in made]
    assert answers == [404] + [200] * MOST_WAITING


def test_an_import_with_a_problem_is_told_and_not_taken(planned):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5, E2="1.234", F2=-3))))

    assert made["problems"] == [
        {"cell": "E2", "kind": "ambiguous_number", "value": "1.234"},
        {"cell": "F2", "kind": "negative", "value": "-3"},
    ]
    answer = take(planned, made["import_id"])
    assert (kind(answer), "E2, F2" in answer.json()["detail"]) == ("import-has-problems", True)
    assert overrides(planned) == []


def override(api, value, day="2026-03-02"):
    change = {"site": "ankara", "product": "P-1", "first": day, "last": day, "how": "units", "value": value}
    return told(api.post(f"{HERE}/overrides", json=change | {"reason": "x"}))


def test_a_cell_that_others_have_changed_since_is_refused_by_its_name(planned):
    body = edited(export_of(planned), cells(D2=5, E2=6))
    override(planned, 300.0)

    answer = bring(planned, body)

    assert (answer.status_code, kind(answer)) == (409, "plan-changed")
    assert "D2 (" in answer.json()["detail"]
    assert "now 300)" in answer.json()["detail"]
    assert "E2" not in answer.json()["detail"]


def test_what_others_have_changed_elsewhere_does_not_matter(planned):
    body = edited(export_of(planned), cells(E2=6))
    override(planned, 300.0)

    assert [c["cell"] for c in told(bring(planned, body))["changes"]] == ["E2"]


def test_what_others_have_changed_to_the_same_is_no_change_any_more(planned):
    body = edited(export_of(planned), cells(D2=300))
    override(planned, 300.0)

    assert told(bring(planned, body))["changes"] == []


def test_a_change_by_others_after_the_difference_was_shown_is_refused_too(planned):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5, E2=6))))
    override(planned, 300.0, "2026-03-03")

    answer = take(planned, made["import_id"])

    assert (kind(answer), "E2 (" in answer.json()["detail"]) == ("plan-changed", True)
    assert len(overrides(planned)) == 1


def test_a_newer_night_is_named_as_what_has_changed_the_plan(plant, planned):
    body = edited(export_of(planned), cells(D2=5, E2=6))
    plant.night(night=date(2026, 3, 2))
    planned.clock.later()

    answer = bring(planned, body)

    detail = answer.json()["detail"]
    assert kind(answer) == "plan-changed"
    assert "by the night of 2026-03-02, the workbook is of 2026-03-01" in detail


def test_a_change_between_the_look_and_the_making_is_noticed(planned, monkeypatch):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5, E2=6))))
    make_in, seen = Overrides.make_in, []

    def late(self, connection, caller, tenant, said):
        if not seen:  # as another's transaction that ended just before
            seen.append(make_in(self, connection, Caller("user:late"), tenant, said[:1]))
        return make_in(self, connection, caller, tenant, said)

    monkeypatch.setattr(Overrides, "make_in", late)
    taken = told(take(planned, made["import_id"]))

    assert taken["plan_version"] == 1
    assert "user:late" not in {o["made_by"] for o in overrides(planned)}
    assert len(overrides(planned)) == 2


def test_a_taking_that_fails_leaves_nothing(planned, monkeypatch):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5, E2=6))))
    note = planned.identity.audit.note

    def fail(connection, caller, action, *rest, **more):
        if action == "import.taken":
            raise RuntimeError("lost")
        return note(connection, caller, action, *rest, **more)

    monkeypatch.setattr(planned.identity.audit, "note", fail)
    assert take(planned, made["import_id"]).status_code == 500

    monkeypatch.undo()
    assert overrides(planned) == []
    assert len(told(take(planned, made["import_id"]))["overrides"]) == 2


def test_too_many_changes_are_refused_with_what_to_do(planned, monkeypatch):
    monkeypatch.setattr(difference, "MOST_CHANGES", 2)

    answer = bring(planned, edited(export_of(planned), cells(D2=5, E2=6, F2=7)))
    assert (kind(answer), "3 cells were changed" in answer.json()["detail"]) == ("workbook-refused", True)


def test_another_tenants_workbook_and_import_are_refused(planned):
    made = told(bring(planned, edited(export_of(planned), cells(D2=5))))

    assert kind(bring(planned, export_of(planned, "zebra"))) == "workbook-refused"
    address = f"/v1/tenants/zebra/plan/imports/{made['import_id']}"
    assert kind(planned.get(address)) == kind(planned.post(f"{address}/take", json={"reason": "x"})) == "unknown-import"


def test_a_viewer_reads_the_workbook_and_brings_none_back(planned):
    key = planned.identity.keys.add(Caller("test"), "acme", "views", ["plans:read"]).key
    own = {"Authorization": f"Bearer {key}"}

    assert planned.get(f"{HERE}/plan?format=xlsx", headers=own).status_code == 200
    assert bring(planned, export_of(planned), headers=own).status_code == 403


def test_a_workbook_may_be_larger_than_other_bodies_up_to_its_own_bound(planned):
    body = repacked(export_of(planned), xl__media__image1_0png=b"\x89PNG" + Random(1).randbytes(3 * 2**20))

    assert len(body) > 2**21
    assert told(bring(planned, body))["total"] == 0
    answer = bring(planned, b"x" * (16 * 2**20 + 1))
    assert (answer.status_code, answer.json()["detail"]) == (413, "a body may have 16777216 bytes at most")
    assert planned.post(f"{IMPORTS}/x/take", content=b"x" * (2**20 + 1)).status_code == 413


def test_a_body_that_is_no_workbook_is_refused(planned):
    for body in (b"", b"site,product", part(export_of(planned), "[Content_Types].xml")):
        assert kind(bring(planned, body)) == "workbook-refused"


def test_another_process_takes_a_workbook_too(plant, planned, make_api):
    """The signature is of the server's key, not of the process."""
    body = export_of(planned)
    other = make_api(plant.settings)
    other.headers["Authorization"] = planned.headers["Authorization"]

    assert told(bring(other, body))["total"] == 0


def test_a_live_link_gives_the_plan(planned):
    override(planned, 300.0)
    asked = {"name": "n", "what": "plan", "filters": {"site": ["ankara"], "product": ["P-1"], "to": "2026-03-03"}}
    made = told(planned.post(f"{HERE}/links", json=asked))

    lines = planned.get(made["url"], params={"language": "tr"}).text.splitlines()
    assert lines[0] == "site;product;date;baseline;override;final;override_id;is_stale"
    assert lines[1].split(";")[:3] == ['"ankara"', '"P-1"', "2026-03-02"]
    assert lines[1].split(";")[4:6] == ["300", "300"]
    assert len(lines) == 3


def test_a_link_to_a_group_gives_its_series(planned):
    known = told(planned.get(f"{HERE}/plan", params={"product_group": "pumps"}), 200)["total"]
    made = told(
        planned.post(f"{HERE}/links", json={"name": "n", "what": "plan", "filters": {"product_group": ["pumps"]}})
    )

    assert known
    assert len(planned.get(made["url"]).text.splitlines()) == known + 1


def test_on_postgresql_an_import_is_taken_as_well(plant, make_api, empty_postgresql):
    settings = replace(plant.settings, state=empty_postgresql)
    connect(settings).migrate()
    plant.night()
    api = make_api(settings)
    key = api.identity.keys.add(Caller("test"), "acme", "plans", ["plans:read", "plans:write"]).key
    api.headers["Authorization"] = f"Bearer {key}"
    made = told(bring(api, edited(export_of(api), cells(D2=5, E2=6))))

    assert len(told(take(api, made["import_id"]))["overrides"]) == 2
    assert told(bring(api, export_of(api)))["total"] == 0
