"""Which night is served: the last good one of each tenant, and a new one without a restart."""

import time
from datetime import date, timedelta

import pytest

from expectations.tables import DEMAND_FORECAST

FORECASTS = "/v1/tenants/acme/forecasts"
FIRST, SECOND, THIRD = date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)


def served(api, tenant="acme"):
    return api.get(f"/v1/tenants/{tenant}/forecasts").json()["night"]


def test_the_first_night_ever_is_picked_up_without_a_restart(plant, api):
    assert api.problem(FORECASTS)["kind"] == "no-night-yet"

    plant.night()
    api.clock.later()

    assert served(api) == "2026-03-01"


def test_a_new_night_is_picked_up_without_a_restart(plant, api):
    plant.night(night=SECOND)
    assert served(api) == "2026-02-28"

    plant.night(night=THIRD)
    api.clock.later()

    assert served(api) == "2026-03-01"


def test_storage_is_looked_at_once_a_second_at_most(plant, api):
    plant.night(night=SECOND)
    assert served(api) == "2026-02-28"

    plant.night(night=THIRD)
    api.clock.later(0.9)
    assert [served(api) for _ in range(5)] == ["2026-02-28"] * 5

    api.clock.later(0.2)
    deadline = time.monotonic() + 20
    while served(api) != "2026-03-01":  # a thread looks meanwhile, and requests do not wait for it
        assert time.monotonic() < deadline


def test_what_was_looked_at_five_seconds_ago_is_not_served_without_a_look(plant, api):
    plant.night(night=SECOND)
    assert served(api) == "2026-02-28"

    plant.night(night=THIRD)
    api.clock.later(5.1)

    assert served(api) == "2026-03-01"


def test_each_tenant_has_its_own_last_night(plant, api):
    plant.night("acme", FIRST)
    plant.night("other", THIRD)

    assert (served(api, "acme"), served(api, "other")) == ("2026-02-27", "2026-03-01")


def test_a_night_written_after_a_later_one_does_not_go_before_it(plant, api):
    plant.night(night=THIRD)
    plant.night(night=FIRST)

    assert served(api) == "2026-03-01"


@pytest.mark.parametrize("status", ["failed", "blocked"])
@pytest.mark.parametrize("job", ["silver", "features", "forecast-demand"])
def test_when_the_night_failed_the_last_good_one_is_served_with_its_age_and_why(plant, api, job, status):
    plant.night(night=THIRD)
    plant.run(night=THIRD + timedelta(days=1), job=job, status=status, reason="no rows of sales")
    api.clock.later(24 * 3600)

    answer = api.get(FORECASTS).json()

    assert (answer["night"], answer["age_days"], answer["age_seconds"]) == ("2026-03-01", 2, 19200 + 24 * 3600)
    assert answer["newer_night"] == {"night": "2026-03-02", "job": job, "status": status, "reason": "no rows of sales"}


def test_of_several_failures_the_one_that_stopped_the_newest_night_is_told(plant, api):
    plant.night(night=FIRST)
    plant.run(night=SECOND, job="features", status="failed", reason="old")
    plant.run(night=THIRD, job="forecast-demand", status="blocked", reason="silver failed: new")
    plant.run(night=THIRD, job="silver", status="failed", reason="new")

    assert api.get(FORECASTS).json()["newer_night"]["reason"] == "new"


@pytest.mark.parametrize("job", ["train-demand", "housekeeping", "ingest"])
def test_a_failure_outside_the_night_is_not_told(plant, api, job):
    plant.night(night=SECOND)
    plant.run(night=THIRD, job=job, status="failed", reason="worse than naive")

    assert api.get(FORECASTS).json()["newer_night"] is None


def test_a_failure_that_was_mended_is_no_longer_told(plant, api):
    plant.night(night=SECOND)
    plant.run(night=THIRD, job="silver", status="failed")
    plant.run(night=THIRD, job="silver", status="ok")

    assert api.get(FORECASTS).json()["newer_night"] is None


def test_another_tenants_failure_is_not_told(plant, api):
    plant.night(night=SECOND)
    plant.run("other", night=THIRD, job="silver", status="failed", reason="secret")

    assert api.get(FORECASTS).json()["newer_night"] is None


@pytest.mark.parametrize("status", ["failed", "blocked"])
def test_a_night_whose_forecast_run_did_not_end_well_is_withheld(plant, api, status):
    plant.night(night=SECOND)
    plant.night(night=THIRD, status=status)
    withheld = plant.expected["acme", THIRD][0]["forecast_id"]

    assert served(api) == "2026-02-28"
    assert api.problem(FORECASTS, params={"night": "2026-03-01"})["kind"] == "unknown-night"
    assert api.problem(f"{FORECASTS}/{withheld}")["kind"] == "unknown-forecast"


def test_a_night_judged_after_it_was_written_is_withheld_from_then_on(plant, api):
    plant.night(night=SECOND)
    run = plant.night(night=THIRD, status=None)
    assert served(api) == "2026-03-01"

    plant.run(night=THIRD, status="blocked", run=run)
    api.clock.later()

    assert served(api) == "2026-02-28"


def test_a_failed_repetition_that_wrote_nothing_leaves_the_night_served(plant, api):
    plant.night(night=THIRD)
    plant.run(night=THIRD, status="failed", reason="out of memory")

    assert served(api) == "2026-03-01"


def test_a_run_that_went_well_when_repeated_is_served(plant, api):
    run = plant.night(night=THIRD, status="failed")
    plant.run(night=THIRD, status="ok", run=run)

    assert served(api) == "2026-03-01"


def test_a_night_of_last_month_is_found_when_this_months_were_withheld(plant, api):
    plant.night(night=date(2025, 12, 31))
    plant.night(night=THIRD, status="blocked")

    assert served(api) == "2025-12-31"


def test_a_tenant_with_withheld_nights_alone_is_told_why(plant, api):
    plant.run(night=THIRD, status="blocked", reason="q90 not finite", run=plant.night(night=THIRD, status=None))

    told = api.problem(FORECASTS)

    assert told["kind"] == "no-good-night"
    assert told["detail"].endswith("forecast-demand of 2026-03-01 blocked: q90 not finite")


def test_a_night_repeated_shows_its_new_rows(plant, api):
    plant.night(night=THIRD)
    before = api.rows()

    plant.night(night=THIRD, again=True, model_version="8")
    api.clock.later()

    assert len(api.rows()) == len(before) == 84
    assert {row["model_version"] for row in api.rows()} == {"8"}


def test_files_vacuumed_away_between_look_and_read_are_found_anew(plant, api):
    plant.night(night=THIRD)
    plant.night(night=THIRD + timedelta(days=1))
    assert api.get("/readyz").status_code == 200  # the API holds this version, and has read none of its files

    plant.table().optimize.compact()
    plant.vacuum()

    assert served(api) == "2026-03-02"  # within the second: the API has not looked for a newer version by itself


def test_a_compacted_table_gives_the_same_rows(plant, api):
    for day in range(5):
        plant.night(night=THIRD + timedelta(days=day))
    before = api.rows()

    plant.table().optimize.compact()
    plant.vacuum()
    api.clock.later()

    assert api.rows() == before


def test_a_lake_wiped_and_begun_anew_is_noticed(plant, api, tmp_path):
    plant.night(night=SECOND)
    plant.night(night=SECOND, again=True)
    assert served(api) == "2026-02-28"

    (tmp_path / "home" / "lake").rename(tmp_path / "away")
    plant.night(night=FIRST)
    api.clock.later(61)

    assert served(api) == "2026-02-27"


@pytest.mark.slow
def test_a_night_that_spark_wrote_is_served_and_so_is_its_repetition(plant, make_ctx, make_api, lake_settings):
    plant.settings = lake_settings
    plant.night(night=THIRD, status=None)
    rows = plant.table().to_pyarrow_table().to_pylist()
    (lake_settings.home / "lake" / "gold").rename(lake_settings.home / "written-by-delta-rs")
    lake, api = make_ctx().lake, make_api(lake_settings)

    lake.append(lake.rows(DEMAND_FORECAST, rows), DEMAND_FORECAST)
    before = api.rows()
    again = [{**row, "run_id": "again", "model_version": "8"} for row in rows]
    lake.replace(lake.rows(DEMAND_FORECAST, again), DEMAND_FORECAST, where="tenant = 'acme' AND night = '2026-03-01'")
    api.clock.later()

    assert len(before) == 84
    assert api.rows() == [{**row, "model_version": "8"} for row in before]
