"""The forecasts of a night, as JSON and CSV."""

import csv
import io
from datetime import date

import pytest

from expectations.tables import DEMAND_FORECAST
from serving.rows import NOT_IN_ROWS

FORECASTS = "/v1/tenants/acme/forecasts"
HORIZON = [f"2026-03-{day:02d}" for day in range(2, 30)]


def as_answered(row):
    """A row of the table as the API shows it."""
    shown = {name: value for name, value in row.items() if name not in NOT_IN_ROWS}
    return {
        **shown,
        "night": str(row["night"]),
        "date": str(row["date"]),
        "cut_off": f"{row['cut_off']:%Y-%m-%dT%H:%M:%SZ}",
    }


def test_all_rows_of_the_night_come_in_order_with_every_column(plant, api):
    plant.night()

    assert api.rows() == [as_answered(row) for row in plant.expected["acme", date(2026, 3, 1)]]


def test_a_row_has_the_columns_of_the_contract_that_differ_within_a_night(plant, api):
    plant.night()

    left_out = {"tenant", "table_versions", "run_id", "available_at", "night_month", "units_hierarchy"}
    assert set(api.rows()[0]) == {c.name for c in DEMAND_FORECAST.columns} - left_out


@pytest.mark.parametrize(
    ("query", "sites", "products", "dates"),
    [
        ("", ["ankara", "bursa"], ["P-1", "P-2"], HORIZON),
        ("site=ankara", ["ankara"], ["P-1", "P-2"], HORIZON),
        ("site=bursa", ["bursa"], ["P-1"], HORIZON),
        ("site=bursa&site=ankara&site=bursa", ["ankara", "bursa"], ["P-1", "P-2"], HORIZON),
        ("product=P-2", ["ankara"], ["P-2"], HORIZON),
        ("product=P-1", ["ankara", "bursa"], ["P-1"], HORIZON),
        ("site=ankara&product=P-2", ["ankara"], ["P-2"], HORIZON),
        ("site=ankara&product=P-2&product=P-1&product=none", ["ankara"], ["P-1", "P-2"], HORIZON),
        ("site=bursa&product=P-2", [], [], []),
        ("site=izmir", [], [], []),
        ("site=ANKARA", [], [], []),
        ("from=2026-03-28", ["ankara", "bursa"], ["P-1", "P-2"], HORIZON[26:]),
        ("to=2026-03-02", ["ankara", "bursa"], ["P-1", "P-2"], HORIZON[:1]),
        ("from=2026-03-05&to=2026-03-06&site=bursa", ["bursa"], ["P-1"], HORIZON[3:5]),
        ("from=2027-01-01", [], [], []),
    ],
)
def test_filters_choose_rows(plant, api, query, sites, products, dates):
    plant.night()

    answer = api.get(f"{FORECASTS}?{query}").json()
    rows = answer["forecasts"]

    assert sorted({row["site"] for row in rows}) == sites
    assert sorted({row["product"] for row in rows}) == products
    assert sorted({row["date"] for row in rows}) == dates
    assert answer["total"] == len(rows)
    assert rows == sorted(rows, key=lambda r: (r["site"], r["product"], r["date"]))


def test_the_head_says_which_night_and_how_old_it_is(plant, api):
    plant.night()  # known on 2 March at 03:40 UTC; the clock stands at 09:00

    answer = api.get(FORECASTS).json()

    assert {name: value for name, value in answer.items() if name not in ("forecasts", "next", "total")} == {
        "tenant": "acme",
        "night": "2026-03-01",
        "period": "day",
        "cut_off": "2026-03-02T03:00:00Z",
        "available_at": "2026-03-02T03:40:00Z",
        "age_seconds": 5 * 3600 + 20 * 60,
        "age_days": 1,
        "model_name": "demand-acme",
        "model_version": "7",
        "newer_night": None,
    }


@pytest.mark.parametrize("form", ["json", "csv"])
def test_the_headers_say_it_too(plant, api, form):
    plant.night()

    headers = api.get(FORECASTS, params={"format": form}).headers

    assert headers["uretimiq-night"] == "2026-03-01"
    assert headers["uretimiq-cut-off"] == "2026-03-02T03:00:00Z"
    assert headers["uretimiq-age-seconds"] == "19200"
    assert headers["uretimiq-age-days"] == "1"
    assert headers["uretimiq-model-version"] == "7"
    assert headers["vary"].startswith("Accept")


def test_where_fallbacks_stood_in_for_all_there_is_no_model(plant, api):
    plant.night(method="seasonal_naive", fallback_reason="no champion yet", model_name=None, model_version=None)

    answer = api.get(FORECASTS)

    assert (answer.json()["model_name"], answer.json()["model_version"]) == (None, None)
    assert answer.json()["forecasts"][0]["fallback_reason"] == "no champion yet"
    assert answer.headers["uretimiq-model-version"] == ""


def test_a_number_that_is_none_is_null(plant, api):
    plant.night(units_q90=float("nan"))

    assert api.rows()[0]["units_q90"] is None


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("query", ["", "site=ankara", "product=P-1&from=2026-03-20", "site=izmir"])
def test_csv_equals_json(plant, api, query):
    plant.night(
        series=[("ankara", "P-1"), ("ankara", 'P "2", çelik'), ("İzmir", "P-1")], fallback_reason='said "no",\nthen'
    )

    as_json = api.get(f"{FORECASTS}?{query}").json()["forecasts"]
    as_csv = read_csv(api.get(f"{FORECASTS}?{query}&format=csv").text)

    assert len(as_csv) == len(as_json)
    for one, other in zip(as_csv, as_json, strict=True):
        assert list(one) == list(other)
        for name, value in other.items():
            assert (float(one[name]) if isinstance(value, float) else one[name]) == (
                value if isinstance(value, float) else "" if value is None else str(value)
            )


def test_csv_of_no_rows_is_its_header(plant, api):
    plant.night()

    text = api.get(f"{FORECASTS}?site=izmir&format=csv").text

    assert text.count("\n") == 1
    assert text.startswith('"forecast_id","night","site"')


def test_csv_comes_whole_beyond_one_page_and_one_piece(plant, api):
    plant.night(series=[("ankara", f"P-{i:03d}") for i in range(400)])

    rows = read_csv(api.get(f"{FORECASTS}?format=csv").text)

    assert len(rows) == 400 * 28
    assert len({row["forecast_id"] for row in rows}) == 400 * 28


def test_csv_begins_with_a_byte_order_mark_only_if_asked(plant, api):
    plant.night()

    assert api.get(f"{FORECASTS}?format=csv&bom=true").content.startswith(b'\xef\xbb\xbf"forecast_id"')
    assert api.get(f"{FORECASTS}?format=csv").content.startswith(b'"forecast_id"')


def test_csv_is_saved_under_tenant_and_night(plant, api):
    plant.night("Çelik A.Ş.")

    headers = api.get("/v1/tenants/Çelik A.Ş./forecasts?format=csv").headers

    assert (
        headers["content-disposition"] == "attachment; filename*=UTF-8''forecast_%C3%87elik%20A.%C5%9E._2026-03-01.csv"
    )


@pytest.mark.parametrize(
    ("accept", "query", "kind"),
    [
        ("*/*", "", "application/json"),
        ("text/csv", "", "text/csv; charset=utf-8"),
        ("text/csv, application/json", "", "application/json"),
        ("text/csv, application/json;q=0.5", "", "text/csv; charset=utf-8"),
        ("text/csv;q=0.1, application/json", "", "application/json"),
        ("text/html,*/*;q=0.8", "", "application/json"),
        ("text/csv;q=nonsense", "", "application/json"),
        ("text/csv", "format=json", "application/json"),
        ("application/json", "format=csv", "text/csv; charset=utf-8"),
    ],
)
def test_the_caller_says_which_form(plant, api, accept, query, kind):
    plant.night()

    assert api.get(f"{FORECASTS}?{query}", headers={"accept": accept}).headers["content-type"] == kind


@pytest.mark.parametrize("tenant", ["Çelik & Oğul A.Ş.", "O'Neil", "100%", "a+b?", 'say "x"', "tenant"])
def test_a_tenant_of_any_name_finds_its_rows(plant, api, tenant):
    plant.night("acme")
    plant.night(tenant, series=[("ankara", "P-1")])

    answer = api.get("/v1/tenants/" + tenant.replace("%", "%25").replace("?", "%3F") + "/forecasts?limit=10").json()

    assert (answer["tenant"], answer["total"]) == (tenant, 28)
    assert api.get(answer["next"]).json()["forecasts"][0]["horizon"] == 11


def test_an_earlier_night_can_be_asked_for(plant, api):
    plant.night(night=date(2026, 2, 27))
    plant.night(night=date(2026, 2, 28))
    plant.night(night=date(2026, 3, 1))

    answer = api.get(FORECASTS, params={"night": "2026-02-27"}).json()

    assert (answer["night"], answer["age_days"]) == ("2026-02-27", 3)
    assert {row["night"] for row in answer["forecasts"]} == {"2026-02-27"}


def test_one_forecast_shows_all_that_leads_back(plant, api):
    run = plant.night()
    row = plant.expected["acme", date(2026, 3, 1)][5]

    answer = api.get(f"{FORECASTS}/{row['forecast_id']}").json()

    assert answer["trace"] == f"uretimiq trace {row['forecast_id']}"
    assert answer["age_seconds"] == 19200
    assert answer["forecast"]["run_id"] == run
    assert answer["forecast"]["table_versions"] == {"demand_features": 3}
    assert answer["forecast"]["units_q50"] == row["units_q50"]
    assert set(answer["forecast"]) == {c.name for c in DEMAND_FORECAST.columns} - {"night_month"}


def test_one_forecast_of_months_ago_is_found(plant, api):
    plant.night(night=date(2025, 11, 3))
    plant.night()
    row = plant.expected["acme", date(2025, 11, 3)][0]

    assert api.get(f"{FORECASTS}/{row['forecast_id']}").json()["forecast"]["night"] == "2025-11-03"


def test_series_are_listed_with_their_days(plant, api):
    plant.night()

    answer = api.get("/v1/tenants/acme/series").json()

    days = {"first_date": "2026-03-02", "last_date": "2026-03-29", "periods": 28}
    days |= dict.fromkeys(("name", "product_group", "product_sub_group", "unit_price"))
    assert answer["night"] == "2026-03-01"
    assert answer["total"] == 3
    assert answer["series"] == [
        {"site": "ankara", "product": "P-1", **days},
        {"site": "ankara", "product": "P-2", **days},
        {"site": "bursa", "product": "P-1", **days},
    ]


def test_series_are_filtered_and_paged(plant, api):
    plant.night()

    first = api.get("/v1/tenants/acme/series?product=P-1&limit=1").json()
    second = api.get(first["next"]).json()

    assert [s["site"] for s in first["series"] + second["series"]] == ["ankara", "bursa"]
    assert second["next"] is None


def test_the_page_at_the_root_lists_the_addresses_and_loads_nothing_from_outside(api):
    page = api.get("/docs").text

    assert "/v1/tenants/{tenant}/forecasts" in page
    assert '<a href="/v1/status">' in page
    assert not any(outside in page for outside in ("http://", "https://", "<script"))
