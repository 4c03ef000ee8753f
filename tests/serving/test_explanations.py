"""Why a series' forecast is what it is, of the night that is served."""

import json
from datetime import date

import pytest

from expectations.tables import DEMAND_EXPLANATIONS
from models.demand.drivers import DRIVERS
from serving.schemas import Drivers, DriversByDay

ADDRESS = "/v1/tenants/acme/forecasts/ankara/P-1/explanation"


def test_the_drivers_of_code_table_and_answer_are_the_same():
    columns = [c.name.removeprefix("units_") for c in DEMAND_EXPLANATIONS.columns if c.name.startswith("units_")]
    assert [c for c in columns if c not in ("q50", "change")] == list(DRIVERS)
    assert list(Drivers.model_fields) == list(DriversByDay.model_fields) == list(DRIVERS)


def test_a_series_is_explained(plant, api):
    plant.night()
    plant.explain()

    answer = api.get(ADDRESS).json()

    told = answer["explanation"]
    assert (answer["night"], told["site"], told["product"]) == ("2026-03-01", "ankara", "P-1")
    assert sum(told["drivers"].values()) == told["units_q50"] == 280
    assert len(told["by_day"]["level"]) == 28
    assert told["cases"][0]["night"] == "2025-03-02"
    assert told["changes"] is None
    assert told["text"]["tr"].startswith("Önümüzdeki 28 gün için")


def test_an_earlier_night_is_explained(plant, api):
    for night in (date(2026, 2, 28), date(2026, 3, 1)):
        plant.night(night=night)
        plant.explain(night=night, text_en=f"of {night}")

    assert api.get(f"{ADDRESS}?night=2026-02-28").json()["explanation"]["text"]["en"] == "of 2026-02-28"


def test_the_night_that_is_served_is_the_one_explained(plant, api):
    plant.night()
    plant.explain()
    plant.night(night=date(2026, 3, 2), status="blocked")
    plant.explain(night=date(2026, 3, 2))

    assert api.get(ADDRESS).json()["night"] == "2026-03-01"


def test_an_explanation_of_before_there_was_a_driver_tells_nothing_of_it(plant, api):
    plant.night()
    before = {"level": 280.0, "season": 2.0, "trend": 1.0, "price": 0.0, "holiday": -3.0, "other": 0.0}
    changes = {"night": "2026-02-28", "drivers": before}
    by_day = json.dumps({n: [v / 28] * 28 for n, v in before.items()})
    plant.explain(by_day=by_day, changes=json.dumps(changes), units_factor=None, factors=None)

    told = api.get(ADDRESS).json()["explanation"]

    for driver in ("factor", "hierarchy"):
        assert told["drivers"][driver] == told["changes"]["drivers"][driver] == 0.0
        assert told["by_day"][driver] == [0.0] * 28
    assert told["factors"] == told["changes"]["factors"] == {}
    assert list(told["by_day"]) == list(DRIVERS)


@pytest.mark.parametrize("product", ["P-9", "P-1"])
def test_without_an_explanation_it_says_what_to_run(plant, api, product):
    plant.night()
    if product == "P-9":
        plant.explain()

    told = api.problem(f"/v1/tenants/acme/forecasts/ankara/{product}/explanation")

    assert (told["kind"], told["status"]) == ("unknown-explanation", 404)
    assert "run `uretimiq run explain-demand --date 2026-03-01`" in told["detail"]


def test_a_night_written_anew_is_not_explained_by_what_was_said_of_the_old_one(plant, api):
    plant.night()
    plant.explain(early=True)

    assert api.problem(ADDRESS)["kind"] == "unknown-explanation"


def test_a_misspelt_question_is_refused(plant, api):
    plant.night()
    plant.explain()

    assert "nigth" in api.problem(f"{ADDRESS}?nigth=2026-03-01")["detail"]


def test_the_explanation_of_another_tenants_series_is_not_shown(plant, api):
    plant.night()
    plant.night("zebra")
    plant.explain("zebra")

    assert api.problem(ADDRESS)["kind"] == "unknown-explanation"
