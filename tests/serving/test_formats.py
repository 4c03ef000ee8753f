"""ETags, Arrow and compression: the same answer, made only once and only as large as it has to be."""

import gzip
from datetime import date

import pyarrow as pa
import pytest
from pyarrow import ipc

from expectations.tables import DEMAND_FORECAST, DEMAND_FORECAST_SUMS
from serving.rows import ROW_COLUMNS
from serving.sums import SUM_COLUMNS

FORECASTS = "/v1/tenants/acme/forecasts"
SUMS = f"{FORECASTS}/sums"
ARROW = "application/vnd.apache.arrow.stream"
TAGGED = (
    FORECASTS,
    f"{FORECASTS}?format=csv",
    f"{FORECASTS}?format=arrow",
    f"{FORECASTS}?from=2026-03-05",
    SUMS,
    f"{SUMS}?format=csv",
    f"{FORECASTS}/ankara/P-1/explanation",
    "/v1/tenants/acme/series",
    "/v1/status",
    "/v1/status?tenant=acme",
)


@pytest.fixture
def night(plant):
    plant.sums(plant.night())
    plant.explain()
    return plant


def tag(api, address, **headers):
    answer = api.get(address, headers=headers)
    assert answer.status_code == 200, answer.text[:300]
    return answer.headers["etag"]


def again(api, address, given, **headers):
    return api.get(address, headers={"If-None-Match": given, **headers})


@pytest.mark.parametrize("address", TAGGED)
def test_who_has_an_answer_is_told_that_nothing_has_changed(night, api, address):
    given = tag(api, address)
    api.clock.later(7)

    answer = again(api, address, given)

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == given
    assert answer.headers["cache-control"] == "private, no-cache"


def test_a_forecast_by_its_id_has_a_tag_too(night, api):
    address = f"{FORECASTS}/{api.rows()[0]['forecast_id']}"

    assert again(api, address, tag(api, address)).status_code == 304


@pytest.mark.parametrize("address", TAGGED)
def test_no_body_is_made_for_who_has_it(night, api, address, monkeypatch):
    given = tag(api, address)
    for name in ("tenants.json_page", "tenants.json_bytes", "status.json_bytes", "answers.csv_pieces"):
        monkeypatch.setattr(f"serving.{name}", lambda *_: 1 / 0)
    monkeypatch.setattr("serving.answers.arrow_pieces", lambda *_: 1 / 0)

    assert again(api, address, given).status_code == 304


def test_a_304_tells_the_age_anew(night, api):
    given = tag(api, FORECASTS)
    api.clock.later(100)

    assert again(api, FORECASTS, given).headers["uretimiq-age-seconds"] == "19300"


@pytest.mark.parametrize("given", ['"x"', "x", "", 'W/""', '"a", "b"'])
def test_another_tag_is_answered_in_full(night, api, given):
    assert again(api, FORECASTS, given).status_code == 200


@pytest.mark.parametrize("form", ["{}", "*", '"a", {}', '{},W/"b"'])
def test_tags_come_as_lists_and_without_the_mark_of_weakness(night, api, form):
    given = tag(api, FORECASTS)

    assert again(api, FORECASTS, form.format(given)).status_code == 304
    assert again(api, FORECASTS, form.format(given.removeprefix("W/"))).status_code == 304


@pytest.mark.parametrize(
    "other",
    [
        "?site=ankara",
        "?limit=5",
        "?format=csv",
        "?format=arrow",
        "?night=2026-03-01",
        "/sums",
    ],
)
def test_another_question_has_another_tag(night, api, other):
    assert tag(api, FORECASTS) != tag(api, FORECASTS + other)


def test_another_format_by_the_header_has_another_tag(night, api):
    assert len({tag(api, FORECASTS, Accept=kind) for kind in ("*/*", "text/csv", ARROW)}) == 3


def test_another_tenant_has_another_tag(night, api):
    night.night("zebra")

    assert tag(api, FORECASTS) != tag(api, FORECASTS.replace("acme", "zebra"))


@pytest.mark.parametrize("change", ["new night", "written anew", "failed since", "another day"])
@pytest.mark.parametrize("address", [FORECASTS, "/v1/tenants/acme/series"])
def test_what_changes_the_answer_changes_the_tag(night, api, address, change):
    given = tag(api, address)
    if change == "new night":
        night.night(night=date(2026, 3, 2))
    elif change == "written anew":
        night.night(again=True)
    elif change == "failed since":
        night.run(night=date(2026, 3, 2), job="silver", status="failed", reason="x")
    api.clock.later(86_400 if change == "another day" else 6)

    assert again(api, address, given).status_code == 200


def test_another_tenants_night_does_not_change_the_tag(night, api):
    given = tag(api, FORECASTS)
    night.night("zebra", date(2026, 3, 2))
    api.clock.later()

    assert again(api, FORECASTS, given).status_code == 304


def test_a_run_changes_the_tag_of_the_status(night, api):
    given = tag(api, "/v1/status")
    night.run("zebra")
    api.clock.later()

    assert again(api, "/v1/status", given).status_code == 200


def test_who_may_not_read_is_told_nothing_by_a_tag(night, api):
    given = tag(api, FORECASTS)

    for known in (given, "*"):
        assert again(api, FORECASTS, known, Authorization="").status_code == 401


def table(answer):
    assert answer.headers["content-type"] == ARROW
    return ipc.open_stream(answer.content).read_all()


@pytest.mark.parametrize("how", [{"params": {"format": "arrow"}}, {"headers": {"Accept": ARROW}}])
def test_forecasts_come_as_arrow_with_the_types_of_the_contract(night, api, how):
    found = table(api.get(FORECASTS, **how))

    assert tuple(found.column_names) == ROW_COLUMNS
    for field in found.schema:
        plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        assert plain == DEMAND_FORECAST.by_name[field.name].type, field.name
    expected = night.expected["acme", date(2026, 3, 1)]
    assert found.to_pylist() == [{name: row.get(name) for name in ROW_COLUMNS} for row in expected]


def test_sums_come_as_arrow_and_as_csv(night, api):
    found = table(api.get(SUMS, params={"format": "arrow", "level": "site"}))
    csv = api.get(SUMS, params={"format": "csv", "level": "site"})

    assert tuple(found.column_names) == SUM_COLUMNS
    assert found["date"].type == DEMAND_FORECAST_SUMS.by_name["date"].type
    assert found.num_rows == len(csv.text.splitlines()) - 1 == 66
    assert "forecast_sums_acme_2026-03-01.csv" in csv.headers["content-disposition"]


def test_nothing_found_is_a_table_without_rows(night, api):
    found = table(api.get(FORECASTS, params={"format": "arrow", "site": "nowhere"}))

    assert (found.num_rows, tuple(found.column_names)) == (0, ROW_COLUMNS)


def test_arrow_in_pieces_is_the_same_table(night, api, monkeypatch):
    whole = table(api.get(FORECASTS, params={"format": "arrow"}))
    monkeypatch.setattr("serving.render.PIECE_ROWS", 10)

    assert table(api.get(FORECASTS, params={"format": "arrow"})).equals(whole)


@pytest.mark.parametrize("form", ["csv", "arrow"])
@pytest.mark.parametrize("address", [FORECASTS, SUMS])
@pytest.mark.parametrize("more", [{"limit": 5}, {"cursor": "x"}])
def test_a_table_comes_whole(night, api, address, form, more):
    told = api.problem(address, params={"format": form, **more})

    assert (told["status"], "come whole" in told["detail"]) == (422, True)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (f"{ARROW};q=0.5, application/json;q=0.4", ARROW),
        (f"{ARROW};q=0.4, application/json;q=0.5", "application/json"),
        (f"{ARROW}, text/csv;q=0.9", ARROW),
        (f"text/csv, {ARROW};q=0.9", "text/csv; charset=utf-8"),
        (f"application/*, {ARROW}", "application/json"),
        (f"{ARROW};q=0", "application/json"),
    ],
)
def test_the_header_weighs_the_formats(night, api, accept, kind):
    assert api.get(FORECASTS, headers={"Accept": accept}).headers["content-type"] == kind


@pytest.mark.parametrize("form", ["json", "csv", "arrow"])
def test_a_large_answer_is_compressed_for_who_takes_that(night, api, form):
    plain = api.get(FORECASTS, params={"format": form}, headers={"Accept-Encoding": "identity"})
    packed = api.get(FORECASTS, params={"format": form}, headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content  # the client has unpacked it
    assert "Accept-Encoding" in packed.headers["vary"]


def test_a_small_answer_is_not_compressed(night, api):
    answer = api.get(FORECASTS, params={"site": "bursa"}, headers={"Accept-Encoding": "gzip"})

    assert len(answer.content) < 14_000
    assert "content-encoding" not in answer.headers


def test_a_compressed_answer_is_smaller(night, api):
    with api.stream("GET", FORECASTS, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())

    assert len(raw) < len(gzip.decompress(raw)) / 3
