"""One series: its last two years, what happened in them, how good its forecasts were."""

from datetime import date

import pytest
from pydantic import TypeAdapter

from serving.series import schemas

ONE = "/v1/tenants/acme/series/ankara/P-1"
MEASURES = ("units", "wape", "bias", "naive_wape", "value_added", "covered")


def one(api, address=ONE):
    answer = api.get(address)
    assert answer.status_code == 200, answer.text[:300]
    TypeAdapter(schemas.OneSeries).validate_json(answer.text)
    return answer.json()["series"]


def test_a_series_is_told_with_history_and_events(plant, api):
    plant.night()
    plant.series(days=3)

    series = one(api)

    assert {k: v for k, v in series.items() if k != "accuracy"} == {
        "site": "ankara",
        "product": "P-1",
        "name": "Çelik Pompa İthal",
        "product_group": "pumps",
        "product_sub_group": "steel pumps",
        "unit_price": 100.0,
        "period": "day",
        "history": {"first_date": "2026-02-27", "units": [100.0, 101.0, 102.0]},
        "events": [
            {"date": "2026-02-26", "kind": "holiday", "name": "Bayram"},
            {"date": "2026-03-05", "kind": "promotion", "name": None},
        ],
    }


def test_what_is_not_known_is_null(plant, api):
    plant.night()
    plant.series(units="[1,null,2.5]")

    assert one(api)["history"]["units"] == [1.0, None, 2.5]


def test_accuracy_is_weighed_by_units_over_nights(plant, api):
    plant.night()
    plant.series()
    plant.scores(night=date(2026, 2, 1))
    plant.scores(night=date(2026, 2, 2), units=300.0, absolute_error=40.0, forecast_units=250.0, covered_days=4)

    week, month = one(api)["accuracy"]

    assert week == {
        "days": 7,
        "nights": 2,
        "units": 400.0,
        "wape": 60 / 400,
        "bias": (360 - 400) / 400,
        "naive_wape": 80 / 400,
        "value_added": 1 - 60 / 80,
        "covered": 10 / 14,
    }
    assert month == {"days": 28, "nights": 0} | dict.fromkeys(MEASURES)


@pytest.mark.parametrize("table", [False, True])
def test_a_series_that_is_not_judged_yet_says_so(plant, api, table):
    plant.night()
    plant.series()
    if table:
        plant.scores("zebra")

    assert {row["nights"] for row in one(api)["accuracy"]} == {0}
    assert {row[name] for row in one(api)["accuracy"] for name in MEASURES} == {None}


def test_without_units_there_is_no_share_of_them(plant, api):
    plant.night()
    plant.series()
    plant.scores(units=0.0, naive_absolute_error=0.0, known_days=0)

    row = one(api)["accuracy"][0]

    assert [row[name] for name in MEASURES] == [0.0, None, None, None, None, None]


@pytest.mark.parametrize(("night", "nights"), [(date(2025, 12, 2), 1), (date(2025, 12, 1), 0), (date(2026, 3, 2), 0)])
def test_the_last_90_nights_are_judged(plant, api, night, nights):
    plant.night()
    plant.series()
    plant.scores(night=night)

    assert one(api)["accuracy"][0]["nights"] == nights


def test_scores_that_come_later_are_answered_and_have_another_tag(plant, api):
    plant.night()
    plant.series()
    plant.scores(night=date(2026, 2, 1))
    tag = {"If-None-Match": api.get(ONE).headers["ETag"]}
    assert api.get(ONE, headers=tag).status_code == 304
    plant.scores(night=date(2026, 2, 2))
    api.clock.later()

    assert api.get(ONE, headers=tag).status_code == 200
    assert one(api)["accuracy"][0]["nights"] == 2


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("address", [ONE, "/v1/tenants/acme/history"])
def test_an_older_lake_says_what_to_run(plant, api, table, address):
    plant.night()
    if table:
        plant.series("zebra")

    told = api.problem(address)

    assert (told["kind"], told["status"]) == ("no-series", 404)
    assert "run `uretimiq run demand-series --tenant acme`" in told["detail"]


@pytest.mark.parametrize(
    "address", ["series/ankara/P-9", "history?site=izmir", "history?product=P-9", "hierarchy?site=izmir"]
)
def test_a_series_that_there_is_not_is_not_found(plant, api, address):
    plant.night()
    plant.series()

    told = api.problem(f"/v1/tenants/acme/{address}")

    assert told["kind"] == "unknown-series"
    assert ("izmir" in told["detail"]) == ("izmir" in address)


def test_another_tenants_series_is_not_found(plant, api):
    plant.night()
    plant.series()
    plant.series("zebra", series=[("ankara", "zebra-1")])

    assert api.problem("/v1/tenants/acme/series/ankara/zebra-1")["kind"] == "unknown-series"


@pytest.mark.parametrize("code", ["P'1", "ı ş%", "a;b"])
def test_any_code_can_be_asked(plant, api, code):
    plant.night(series=[("ankara", code)])
    plant.series(series=[("ankara", code)])

    answer = api.get(f"/v1/tenants/acme/series/ankara/{code.replace('%', '%25')}")

    assert answer.json()["series"]["product"] == code
