"""Each series of a night in one row, beside the night before."""

from datetime import date

import pytest

from serving.demand import DemandSeries
from serving.forecasts import Forecasts
from serving.laid import LaidFolder
from serving.lake import Lake
from serving.runs import Ledger
from serving.totals import Totals

BEFORE, NIGHT = date(2026, 2, 28), date(2026, 3, 1)
ONE = [("ankara", "P-1")]


@pytest.fixture
def of(plant, clock):
    """The rows of the totals of acme's last night."""
    lake = Lake(plant.settings, lambda: clock.seconds)
    forecasts = Forecasts(lake, Ledger(lake), LaidFolder(plant.settings.home / "cache"))
    totals = Totals(lake, forecasts, DemandSeries(lake))

    def rows(tenant="acme"):
        clock.later()
        return totals.of(forecasts.night(tenant)).rows.to_pylist()

    return rows


def said(plant, night, first=date(2026, 3, 2), last=date(2026, 3, 28), tenant="acme"):
    return sum(r["units_point"] for r in plant.expected[tenant, night] if first <= r["date"] <= last)


def test_days_that_both_nights_forecast_are_compared(plant, of):
    plant.night(night=BEFORE, series=ONE)
    plant.night(night=NIGHT, series=ONE)

    (row,) = of()

    assert row["units"] == pytest.approx(said(plant, NIGHT, last=date(2026, 3, 29)))
    assert row["units_same"] == pytest.approx(said(plant, NIGHT))
    assert row["units_before"] == pytest.approx(said(plant, BEFORE))


def test_without_a_night_before_there_is_nothing_to_compare(plant, of):
    plant.night(series=ONE)

    assert (of()[0]["units_same"], of()[0]["units_before"]) == (None, None)


def test_a_series_that_is_new_has_nothing_before(plant, of):
    plant.night(night=BEFORE, series=ONE)
    plant.night(series=[*ONE, ("bursa", "P-1")])

    assert [row["units_before"] is None for row in of()] == [False, True]


@pytest.mark.parametrize("status", ["failed", "blocked"])
def test_a_night_that_may_not_be_served_is_not_compared_with(plant, of, status):
    plant.night(night=date(2026, 2, 27), series=ONE)
    plant.night(night=BEFORE, series=ONE, status=status)
    plant.night(series=ONE)

    assert of()[0]["units_before"] == pytest.approx(said(plant, date(2026, 2, 27), last=date(2026, 3, 27)))


def test_another_tenants_night_is_not_compared_with(plant, of):
    plant.night("zebra", BEFORE, ONE)
    plant.night(series=ONE)

    assert of()[0]["units_before"] is None


def test_names_and_prices_are_those_of_the_series(plant, of):
    plant.night()
    plant.series()
    plant.series("zebra", product_name="zebra", unit_price=7.0)

    found = {(row["site"], row["product"]): (row["name"], row["unit_price"]) for row in of()}

    assert found["ankara", "P-1"] == ("Çelik Pompa İthal", 100.0)
    assert found["ankara", "P-2"] == ("Musluk", None)


def test_series_that_are_not_known_have_no_name(plant, of):
    plant.night(series=ONE)

    assert (of()[0]["name"], of()[0]["unit_price"]) == (None, None)


def test_a_fallback_is_told_with_its_reason(plant, of):
    plant.night(series=ONE, method="seasonal_naive", fallback_reason="too young")

    assert (of()[0]["by_fallback"], of()[0]["fallback_reason"]) == (True, "too young")


@pytest.mark.parametrize("change", ["series", "night", "before"])
def test_what_is_written_anew_is_read_anew(plant, of, change):
    plant.night(night=BEFORE, series=ONE)
    plant.night(series=ONE)
    plant.series()
    first = of()
    if change == "series":
        plant.series(product_name="other")
    else:
        plant.night(night=NIGHT if change == "night" else BEFORE, series=ONE, again=True, units_point=1.0)

    assert of() != first


def test_a_week_is_not_compared_with_a_day(plant, of):
    plant.night(night=BEFORE, series=ONE, period="week")
    plant.night(series=ONE)

    assert of()[0]["units_before"] is None


def test_one_reader_of_what_is_known_serves_all_addresses(plant, make_api, monkeypatch):
    watched, table = [], Lake.table

    def watch(lake, contract):
        watched.append(contract.name)
        return table(lake, contract)

    monkeypatch.setattr(Lake, "table", watch)
    make_api(plant.settings)

    assert watched.count("demand_series") == 1
