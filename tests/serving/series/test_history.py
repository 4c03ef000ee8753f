"""Sums of what was sold, and the accuracy of their forecasts."""

import json
from datetime import date, timedelta

import pytest
from pydantic import TypeAdapter

from expectations.tables import DEMAND_SERIES
from serving.series import schemas

HISTORY = "/v1/tenants/acme/history"
NIGHT = date(2026, 3, 1)


@pytest.fixture
def lay(plant):
    """Write series whose units are drawn: by "site/product" its units until the night; more columns are of all."""

    def write(drawn, tenant="acme", **more):
        first = plant.series(tenant, series=[tuple(key.split("/")) for key in drawn])
        rows = []
        for row in first:
            units = drawn[f"{row['site']}/{row['product']}"]
            days = 7 if more.get("period") == "week" else 1
            begin = NIGHT - timedelta(days=days * (len(units) - 1))
            rows.append(row | {"units": json.dumps(units), "first_date": begin} | more)
        plant.write(DEMAND_SERIES, rows, f"tenant = '{tenant}'")

    plant.night()
    return write


def told(api, **asked):
    answer = api.get(HISTORY, params=asked)
    assert answer.status_code == 200, answer.text[:300]
    TypeAdapter(schemas.SumOfPast).validate_json(answer.text)
    return answer.json()


def past(api, **asked):
    history = told(api, **asked)["history"]
    return history["first_date"], history["units"]


def test_units_are_summed_from_the_first_of_any_series_on(api, lay):
    lay({"ankara/P-1": [1, 2, 3], "ankara/P-2": [10], "bursa/P-1": [100, 200]})

    assert past(api) == ("2026-02-27", [1.0, 102.0, 213.0])


@pytest.mark.parametrize(
    ("asked", "units"),
    [
        ({"site": "ankara"}, [3.0]),
        ({"site": "bursa"}, [4.0]),
        ({"product_group": "pumps"}, [5.0]),
        ({"product_group": "pumps", "site": "ankara"}, [1.0]),
        ({"product_sub_group": "kitchen taps"}, [2.0]),
        ({"product": "P-1"}, [5.0]),
        ({"site": "ankara", "product": "P-1"}, [1.0]),
    ],
)
def test_a_place_holds_its_series(api, lay, asked, units):
    lay({"ankara/P-1": [1], "ankara/P-2": [2], "bursa/P-1": [4]})

    assert past(api, **asked)[1] == units


def test_what_is_of_no_group_can_be_asked(api, lay):
    lay({"ankara/P-1": [1], "ankara/P-9": [2]})

    assert past(api, product_group="")[1] == [2.0]


def test_a_day_that_one_site_has_not_reported_is_not_known(api, lay):
    lay({"ankara/P-1": [1, 2, 3], "bursa/P-1": [1, 1, None]})

    assert past(api)[1] == [2.0, 3.0, None]
    assert past(api, site="ankara")[1] == [1.0, 2.0, 3.0]


def test_a_site_that_has_told_nothing_for_four_weeks_is_not_waited_for(api, lay):
    lay({"ankara/P-1": [1] * 40, "bursa/P-1": [1] * 11 + [None] * 29})
    assert past(api)[1] == [2.0] * 11 + [1.0] * 29

    lay({"ankara/P-1": [1] * 40, "bursa/P-1": [1] * 12 + [None] * 28})
    api.clock.later()
    assert past(api)[1] == [2.0] * 12 + [None] * 28


def test_a_site_that_has_told_nothing_at_all_is_not_waited_for(api, lay):
    lay({"ankara/P-1": [1, 2], "bursa/P-1": [None, None]})

    assert past(api) == ("2026-02-28", [1.0, 2.0])
    assert past(api, site="bursa")[1] == [None, None]


def test_weeks_are_summed_by_their_mondays(api, lay):
    lay({"ankara/P-1": [1, 2, 3], "bursa/P-1": [10]}, period="week")

    assert past(api) == ("2026-02-15", [1.0, 2.0, 13.0])


def test_sums_are_told_without_the_dust_of_adding(api, lay):
    lay({"ankara/P-1": [0.1], "bursa/P-1": [0.2]})

    assert past(api)[1] == [0.3]


def test_events_are_those_of_the_sites_each_once(api, lay):
    lay({"ankara/P-1": [1], "ankara/P-2": [1], "bursa/P-1": [1]})

    assert told(api)["events"] == [{"date": "2026-02-26", "kind": "holiday", "name": "Bayram"}]


def test_of_one_product_promotions_are_told_too(api, lay):
    lay({"ankara/P-1": [1], "bursa/P-1": [1]})

    assert [event["kind"] for event in told(api, product="P-1")["events"]] == ["holiday", "promotion"]


def test_accuracy_is_over_all_that_the_place_holds(plant, api, lay):
    lay({"ankara/P-1": [1], "ankara/P-2": [1], "bursa/P-1": [1]})
    plant.scores(series=[("ankara", "P-1")], absolute_error=10.0)
    plant.scores(series=[("ankara", "P-2")], absolute_error=30.0, units=300.0)
    plant.scores(series=[("bursa", "P-1")], absolute_error=90.0)

    assert told(api, site="ankara")["accuracy"][0]["wape"] == 40 / 400
    assert told(api)["accuracy"][0]["wape"] == 130 / 500


def test_the_place_is_told(api, lay):
    lay({"ankara/P-1": [1], "bursa/P-1": [1]})

    answer = told(api, product="P-1")

    assert (answer["node"]["level"], answer["node"]["product"], answer["series"]) == ("product", "P-1", 2)


def test_a_newer_night_of_the_table_is_summed_and_has_another_tag(api, lay):
    lay({"ankara/P-1": [1]})
    tag = {"If-None-Match": api.get(HISTORY).headers["ETag"]}
    assert api.get(HISTORY, headers=tag).status_code == 304
    lay({"ankara/P-1": [7]})
    api.clock.later()

    assert api.get(HISTORY, headers=tag).status_code == 200
    assert past(api)[1] == [7.0]


def test_another_tenants_sales_do_not_count(api, lay):
    lay({"ankara/P-1": [1]})
    lay({"ankara/P-1": [1000], "zebra/P-1": [1000]}, tenant="zebra")
    api.clock.later()

    assert past(api)[1] == [1.0]
