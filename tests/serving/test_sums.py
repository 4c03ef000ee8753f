"""The sums of the night that is served."""

from datetime import date
from typing import get_args

import pytest

from expectations.tables import DEMAND_FORECAST_SUMS
from serving.queries import Level, SumsQuery
from serving.rows import NOT_IN_ROWS

SUMS = "/v1/tenants/acme/forecasts/sums"
FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


def rows(api, **params):
    answer = api.get(SUMS, params=params)
    assert answer.status_code == 200, answer.text[:300]
    return answer.json()["sums"]


def as_answered(row):
    shown = {name: value for name, value in row.items() if name not in NOT_IN_ROWS}
    moments = {"night": str(row["night"]), "date": str(row["date"]), "cut_off": f"{row['cut_off']:%Y-%m-%dT%H:%M:%SZ}"}
    return shown | moments


def key(row):
    return [row[name] or "" for name in ("period", "level", "site", "product_group", "date")]


def test_all_sums_of_the_night_come_in_order_with_every_column(plant, api):
    written = plant.sums(plant.night())

    assert rows(api) == sorted((as_answered(row) for row in written), key=key)


def test_the_head_says_which_night_and_no_period_for_each_row_has_its_own(plant, api):
    plant.sums(plant.night())

    head = api.get(SUMS).json()

    assert (head["night"], head["age_days"], head["model_version"]) == ("2026-03-01", 1, "7")
    assert "period" not in head


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"period": "month"}, 5),
        ({"period": ["month", "week"]}, 25),
        ({"level": "site"}, 66),
        ({"level": "site/group", "site": "ankara"}, 66),
        ({"level": "site/group", "site": "ankara", "product_group": "taps", "period": "week"}, 4),
        ({"product_group": ["pumps", "taps"]}, 99),
        ({"site": ["bursa", "none"], "period": "month"}, 2),
        ({"product_sub_group": "none"}, 0),
        ({"product": "P-1"}, 0),
    ],
)
def test_filters_choose_sums(plant, api, asked, found):
    plant.sums(plant.night())

    answer = api.get(SUMS, params=asked).json()

    assert answer["total"] == len(answer["sums"]) == found
    for name, value in asked.items():
        assert {row[name] for row in answer["sums"]} <= set([value] if isinstance(value, str) else value)


def test_the_levels_that_can_be_asked_are_those_of_the_table():
    known = next(rule.values for rule in DEMAND_FORECAST_SUMS.rules if rule.name == "level_known")
    assert set(get_args(Level)) == set(known)
    periods = next(rule.values for rule in DEMAND_FORECAST_SUMS.rules if rule.name == "period_known")
    assert SumsQuery(period=list(periods)).wanted["period"] == periods


@pytest.mark.parametrize("asked", ["level=shop", "period=year", "sites=ankara", "limit=0"])
def test_what_there_is_not_cannot_be_asked(plant, api, asked):
    plant.sums(plant.night())

    told = api.problem(f"{SUMS}?{asked}")

    assert (told["kind"], asked.partition("=")[0] in told["detail"]) == ("bad-request", True)


def test_pages_together_are_the_rows_of_no_paging_whatever_night_arrives(plant, api):
    plant.sums(plant.night())
    whole, found, address = rows(api), [], f"{SUMS}?limit=40"
    while address:
        answer = api.get(address).json()
        found, address = found + answer["sums"], answer["next"]
        if len(found) == 40:
            plant.sums(plant.night(night=SECOND), night=SECOND)
            api.clock.later()

    assert found == whole
    assert api.get(SUMS).json()["night"] == "2026-03-02"


def test_a_night_repeated_between_pages_is_read_from_the_version_of_the_first_page(plant, api, make_api):
    plant.sums(plant.night())
    whole = rows(api)
    first = api.get(f"{SUMS}?limit=100").json()
    plant.sums(plant.night(again=True), again=True, units_point=1.0)

    rest = make_api(plant.settings).get(first["next"]).json()  # a server that does not hold the night in memory

    assert first["sums"] + rest["sums"] == whole
    assert {row["units_point"] for row in rows(make_api(plant.settings))} == {1.0}


def test_a_night_repeated_and_vacuumed_between_pages_is_gone(plant, api, make_api):
    plant.sums(plant.night())
    following = api.get(f"{SUMS}?limit=100").json()["next"]
    plant.sums(plant.night(again=True), again=True)
    plant.vacuum(DEMAND_FORECAST_SUMS)

    assert make_api(plant.settings).problem(following)["kind"] == "cursor-gone"


def test_a_night_withheld_between_pages_is_gone(plant, api):
    run = plant.night(status=None)
    plant.sums(run)
    following = api.get(f"{SUMS}?limit=100").json()["next"]
    plant.run(status="blocked", run=run)
    api.clock.later()

    assert api.problem(following)["kind"] == "cursor-gone"


def test_a_cursor_of_other_filters_is_refused(plant, api):
    plant.sums(plant.night())
    cursor = api.get(f"{SUMS}?limit=10").json()["next"].rpartition("cursor=")[2]

    assert api.problem(f"{SUMS}?period=day&cursor={cursor}")["kind"] == "bad-cursor"
    assert api.problem(f"/v1/tenants/acme/forecasts?cursor={cursor}")["kind"] == "bad-cursor"


def test_an_earlier_night_has_its_own_sums(plant, api):
    for night, units in ((FIRST, 1.0), (SECOND, 2.0)):
        plant.sums(plant.night(night=night), night=night, units_point=units)

    assert {row["units_point"] for row in rows(api)} == {2.0}
    assert {row["units_point"] for row in rows(api, night="2026-03-01")} == {1.0}


@pytest.mark.parametrize("table", [False, True])
def test_a_night_without_sums_says_what_they_need(plant, api, table):
    plant.night()
    if table:
        plant.sums(plant.night("other"), "other")

    told = api.problem(SUMS)

    assert (told["kind"], told["status"]) == ("no-sums", 404)
    assert "run `uretimiq run monthly --tenant acme`" in told["detail"]


def test_sums_of_an_older_writing_of_the_night_are_not_shown(plant, api):
    plant.sums(plant.night())
    plant.night(again=True)

    assert api.problem(SUMS)["kind"] == "no-sums"


def test_sums_are_of_the_last_good_night(plant, api):
    plant.sums(plant.night())
    plant.sums(plant.night(night=SECOND, status="blocked"), night=SECOND)

    assert api.get(SUMS).json()["night"] == "2026-03-01"
