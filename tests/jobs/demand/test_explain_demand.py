"""The explanations of two nights as a job: they add up to what was published, and tell what changed between the nights."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from expectations.contract import Zone
from expectations.tables import DEMAND_EXPLANATIONS, DEMAND_FORECAST, DEMAND_FORECAST_SUMS
from jobs import explain_demand, forecast_demand, train_demand
from jobs.delta_reader import read_rows
from models.demand.arrays import day
from models.demand.drivers import DRIVERS
from models.demand.paths import BACK, Paths
from models.demand.reconcile import Doubt, Reconciliation

NIGHT = date(2025, 7, 24)
BEFORE = NIGHT - timedelta(days=1)


def _rows(lake: Any, contract: Any, tenant: str, night: date = NIGHT) -> pd.DataFrame:
    filters = [("tenant", "=", tenant), ("night", "=", night)]
    return read_rows(lake.settings, contract, Zone.GOLD, filters=filters).to_pandas().sort_values("product")


@pytest.fixture(scope="module")
def lake(make_lake: Any) -> Any:
    """Tenant acme has a champion, young has none, bare has nothing; two nights were forecast and explained."""
    lake = make_lake()
    lake.land("acme", lake.weekly())
    lake.land("young", lake.weekly(products=2, days=200).recent(60))
    train_demand.run(lake.context("acme"))
    for night in (BEFORE, NIGHT):
        forecast_demand.run(lake.context("acme", "young", night=night))
        lake.last = lake.context("acme", "young", "bare", night=night)
        explain_demand.run(lake.last)
    return lake


@pytest.mark.parametrize(("tenant", "series"), [("acme", 6), ("young", 2)])
def test_every_series_is_explained_and_its_drivers_add_up_to_what_was_published(
    lake: Any, tenant: str, series: int
) -> None:
    rows = _rows(lake, DEMAND_EXPLANATIONS, tenant)
    published = _rows(lake, DEMAND_FORECAST, tenant).groupby("product")["units_q50"].sum()
    assert len(rows) == series
    assert np.abs(rows[[f"units_{d}" for d in DRIVERS]].sum(axis=1).to_numpy() - published.to_numpy()).max() < 1e-6
    assert np.abs(rows["units_q50"].to_numpy() - published.to_numpy()).max() < 1e-6


def test_each_day_adds_up_too(lake: Any) -> None:
    published = _rows(lake, DEMAND_FORECAST, "acme").sort_values(["product", "date"])["units_q50"].to_numpy()
    said = [json.loads(text) for text in _rows(lake, DEMAND_EXPLANATIONS, "acme")["by_day"]]
    total = np.array([np.sum([by_day[d] for d in DRIVERS], axis=0) for by_day in said])
    assert np.abs(total - published.reshape(6, 28)).max() < 1e-3


def test_the_version_that_was_published_is_the_one_explained(lake: Any) -> None:
    rows = _rows(lake, DEMAND_EXPLANATIONS, "acme")
    assert set(zip(rows["method"], rows["model_version"], strict=True)) == {("champion", "1")}


def test_a_fallback_is_explained_with_its_reason(lake: Any) -> None:
    rows = _rows(lake, DEMAND_EXPLANATIONS, "young")
    assert set(rows["fallback_reason"]) == {"no champion yet"}
    assert rows["text_en"].str.startswith("In place of a model, last week is repeated").all()
    assert (rows["units_trend"] == 0).all()


def test_the_change_since_the_night_before_is_that_of_the_days_both_forecast(lake: Any) -> None:
    now, then = (_rows(lake, DEMAND_FORECAST, "acme", night) for night in (NIGHT, BEFORE))
    common = set(now["date"]) & set(then["date"])
    assert len(common) == 27
    a, b = (r[r["date"].isin(common)].groupby("product")["units_q50"].sum().to_numpy() for r in (now, then))
    rows = _rows(lake, DEMAND_EXPLANATIONS, "acme")
    assert np.abs(rows["units_change"].to_numpy() - (a - b)).max() < 1e-2
    for text, change in zip(rows["changes"], rows["units_change"], strict=True):
        told = json.loads(text)
        assert told["night"] == str(BEFORE)
        assert told["periods"] == 27
        assert not told["model_changed"]
        assert sum(told["drivers"].values()) == pytest.approx(change, abs=1e-2)


def test_the_first_night_is_compared_with_none(lake: Any) -> None:
    rows = _rows(lake, DEMAND_EXPLANATIONS, "acme", BEFORE)
    assert rows["night_before"].isna().all()
    assert rows["changes"].isna().all()


def test_cases_are_past_nights_whose_four_weeks_are_over(lake: Any) -> None:
    found = [json.loads(text) for text in _rows(lake, DEMAND_EXPLANATIONS, "acme")["cases"]]
    assert all(len(cases) == 3 for cases in found)
    assert all(date.fromisoformat(c["night"]) <= NIGHT - timedelta(days=28) for cases in found for c in cases)


def test_a_tenant_without_a_forecast_fails_alone(lake: Any) -> None:
    assert lake.last.outcomes["bare"].status == "failed"
    assert "run `uretimiq run forecast-demand --tenant bare --date 2025-07-24`" in lake.last.outcomes["bare"].reason
    assert lake.last.outcomes["acme"].status == "ok"


def test_the_same_night_again_leaves_the_same_table(lake: Any) -> None:
    before = _rows(lake, DEMAND_EXPLANATIONS, "acme")
    explain_demand.run(lake.context("acme"))
    after = _rows(lake, DEMAND_EXPLANATIONS, "acme")
    assert after.drop(columns="run_id").equals(before.drop(columns="run_id"))
    assert len(_rows(lake, DEMAND_EXPLANATIONS, "young")) == 2


def test_an_explanation_that_fails_leaves_the_forecast(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("no explanation")

    monkeypatch.setattr(explain_demand, "explain", broken)
    ctx = lake.context("acme")
    explain_demand.run(ctx)
    assert ctx.outcomes["acme"].reason == "no explanation"
    assert len(_rows(lake, DEMAND_FORECAST, "acme")) == 6 * 28


def test_what_forecasts_of_sums_moved_is_published_added_up_and_explained(
    lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site is said to sell half as much again as its series are forecast; the last of this lake's tests."""
    before = _rows(lake, DEMAND_FORECAST, "acme")
    whole = before["units_point"].sum() / 28
    nothing = np.zeros((1, 28))
    site = Paths(
        np.array(["gebze/site///"], dtype=object), day(NIGHT) - BACK, np.full((1, 150), 2 * whole), nothing, nothing
    )
    made = Reconciliation({"theta": site}, Doubt(np.ones(4), {"site": np.full(4, 1e-3)}, 7))
    monkeypatch.setattr("models.demand.model.Reconciliation.load", lambda folder: made)
    for job in (forecast_demand, explain_demand):
        job.run(lake.context("acme"))
    rows, told = (_rows(lake, contract, "acme") for contract in (DEMAND_FORECAST, DEMAND_EXPLANATIONS))
    sums = _rows(lake, DEMAND_FORECAST_SUMS, "acme")
    assert rows["units_point"].sum() > 1.1 * before["units_point"].sum()
    by_day = sums[(sums["level"] == "site") & (sums["period"] == "day")].sort_values("date")["units_point"]
    assert by_day.tolist() == pytest.approx(rows.groupby("date")["units_point"].sum().tolist(), abs=1e-9)
    by_product = rows.groupby("product")[["units_hierarchy", "units_q50"]].sum()
    assert told["units_hierarchy"].to_numpy() == pytest.approx(by_product["units_hierarchy"].to_numpy(), abs=1e-6)
    drivers = told[[f"units_{d}" for d in DRIVERS]].sum(axis=1).to_numpy()
    assert drivers == pytest.approx(by_product["units_q50"].to_numpy(), abs=1e-6)
    assert told["text_tr"].str.contains("grup, tesis ve toplam tahminleriyle uyum").all()
