"""The list of series: with names, groups and prices, found by what people call them."""

import csv
from datetime import date

import pytest
from pyarrow import ipc

from expectations.tables import DEMAND_SERIES
from serving.series.search import fold

SERIES = "/v1/tenants/acme/series"


def found(api, **asked):
    answer = api.get(SERIES, params=asked)
    assert answer.status_code == 200, answer.text[:300]
    answer = answer.json()
    assert answer["total"] == len(answer["series"])
    return [f"{row['site']}/{row['product']}" for row in answer["series"]]


def test_a_series_has_its_name_place_and_price(plant, api):
    plant.night()
    plant.series()

    assert api.get(SERIES).json()["series"][1] == {
        "site": "ankara",
        "product": "P-2",
        "first_date": "2026-03-02",
        "last_date": "2026-03-29",
        "periods": 28,
        "name": "Musluk",
        "product_group": "taps",
        "product_sub_group": "kitchen taps",
        "unit_price": None,
    }


@pytest.mark.parametrize("table", [False, True])
def test_without_the_table_of_series_they_are_answered_without_names(plant, api, table):
    plant.night()
    if table:
        plant.series("zebra")

    row = api.get(SERIES).json()["series"][0]

    assert {row[name] for name in ("name", "product_group", "product_sub_group", "unit_price")} == {None}
    assert found(api, q="p-2") == ["ankara/P-2"]


@pytest.mark.parametrize(
    ("words", "series"),
    [
        ("çelik", ["ankara/P-1", "bursa/P-1"]),
        ("CELIK pompa", ["ankara/P-1", "bursa/P-1"]),
        ("pompa çel", ["ankara/P-1", "bursa/P-1"]),
        ("ithal", ["ankara/P-1", "bursa/P-1"]),
        ("ITHAL", ["ankara/P-1", "bursa/P-1"]),
        ("p-2", ["ankara/P-2"]),
        ("musluk p-1", []),
        ("%", []),
    ],
)
def test_a_search_finds_parts_of_code_and_name_with_and_without_turkish_letters(plant, api, words, series):
    plant.night()
    plant.series()

    assert found(api, q=words) == series


@pytest.mark.parametrize(
    ("text", "folded"), [("IĞDIR ışığı", "igdir isigi"), ("İçöz ŞÜKRÂN", "icoz sukran"), ("Straße", "strasse")]
)
def test_letters_are_folded(text, folded):
    assert fold(text) == fold(folded) == folded


def test_filters_go_together(plant, api):
    plant.night()
    plant.series()

    assert found(api, product_group="pumps") == ["ankara/P-1", "bursa/P-1"]
    assert found(api, product_group=["pumps", "taps"], site="ankara") == ["ankara/P-1", "ankara/P-2"]
    assert found(api, q="pompa", site="bursa") == ["bursa/P-1"]
    assert found(api, product_group="none") == []


def test_pages_of_a_search_together_are_the_whole(plant, api):
    plant.night()
    plant.series()
    first = api.get(SERIES, params={"q": "çelik", "limit": 1}).json()

    second = api.get(first["next"]).json()

    assert [row["site"] for row in (*first["series"], *second["series"])] == ["ankara", "bursa"]
    assert (first["total"], second["next"]) == (2, None)


def test_a_cursor_of_another_search_is_refused(plant, api):
    plant.night()
    cursor = api.get(f"{SERIES}?limit=1").json()["next"].rpartition("cursor=")[2]

    assert api.problem(f"{SERIES}?q=p&cursor={cursor}")["kind"] == "bad-cursor"


def test_a_name_that_comes_later_is_answered_and_has_another_tag(plant, api):
    plant.night()
    plant.series(product_name="old")
    before = api.get(SERIES)
    assert api.get(SERIES, headers={"If-None-Match": before.headers["ETag"]}).status_code == 304
    plant.series(product_name="new")
    api.clock.later()

    after = api.get(SERIES, headers={"If-None-Match": before.headers["ETag"]})

    assert (after.status_code, after.json()["series"][0]["name"]) == (200, "new")
    assert found(api, q="new")[0] == "ankara/P-1"


def test_a_series_of_the_table_that_the_night_does_not_forecast_is_not_listed(plant, api):
    plant.night(series=[("ankara", "P-1")])
    plant.series()

    assert found(api) == ["ankara/P-1"]


def test_another_tenants_names_do_not_show(plant, api):
    plant.night()
    plant.series("zebra", product_name="stripes")

    assert api.get(SERIES).json()["series"][0]["name"] is None
    assert found(api, q="stripes") == []


def test_an_earlier_night_is_answered_with_the_names_of_today(plant, api):
    plant.night()
    plant.night(night=date(2026, 3, 2))
    plant.series(night=date(2026, 3, 2))

    assert api.get(SERIES, params={"night": "2026-03-01"}).json()["series"][0]["name"] == "Çelik Pompa İthal"


def test_the_series_table_is_written_by_its_contract(plant):
    plant.series()

    assert plant.table(DEMAND_SERIES).metadata().partition_columns == ["tenant"]


@pytest.mark.parametrize("asked", [{"params": {"format": "csv", "q": "pompa"}}, {"headers": {"Accept": "text/csv"}}])
def test_the_list_comes_as_csv_whole(plant, api, asked):
    plant.night()
    plant.series()

    answer = api.get(SERIES, **asked)

    told = list(csv.DictReader(answer.text.splitlines()))
    expected = api.get(SERIES, params=asked.get("params", {}) | {"format": "json"}).json()["series"]
    assert [(row["site"], row["product"], row["name"]) for row in told] == [
        (row["site"], row["product"], row["name"]) for row in expected
    ]
    assert told[0].keys() == expected[0].keys()


def test_the_list_comes_as_arrow_whole(plant, api):
    plant.night()
    plant.series()

    answer = api.get(SERIES, headers={"Accept": "application/vnd.apache.arrow.stream"})

    rows = ipc.open_stream(answer.content).read_all()
    told = api.get(SERIES).json()["series"]
    assert rows["product"].to_pylist() == [row["product"] for row in told]
    assert rows["unit_price"].to_pylist() == [row["unit_price"] for row in told]
    assert api.get(SERIES, params={"format": "arrow", "limit": 1}).status_code == 422
