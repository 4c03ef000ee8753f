"""The night's forecast as a job: every series, each row's origin, one tenant's trouble its own, and the same again."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Any

import pandas as pd
import pytest

from expectations.contract import Zone
from expectations.tables import DEMAND_FORECAST
from jobs import forecast_demand
from jobs.delta_reader import read_rows
from jobs.forecast_demand import forecast_ids
from models.registry import Registry, RegistryError


def _gold(lake: Any, tenant: str) -> pd.DataFrame:
    rows = read_rows(lake.settings, DEMAND_FORECAST, Zone.GOLD, filters=[("tenant", "=", tenant)]).to_pandas()
    return rows.sort_values(["product", "date"], ignore_index=True)


@pytest.fixture(scope="module")
def night(trained: Any) -> Any:
    ctx = trained.context("acme", "young", "bare")
    forecast_demand.run(ctx)
    return ctx


def test_every_series_of_every_tenant_has_28_days(trained: Any, night: Any) -> None:
    for tenant, series in (("acme", 6), ("young", 2)):
        rows = _gold(trained, tenant)
        assert rows.groupby(["site", "product"]).size().tolist() == [28] * series
        assert (rows["date"].min(), rows["date"].max()) == (date(2025, 7, 25), date(2025, 8, 21))
        assert night.outcomes[tenant].rows == 28 * series


def test_each_row_says_where_it_comes_from(trained: Any, night: Any) -> None:
    rows = _gold(trained, "acme")
    assert set(rows["method"]) == {"champion"}
    assert set(zip(rows["model_name"], rows["model_version"], strict=True)) == {("demand-acme", "1")}
    assert set(rows["run_id"]) == {night.run_id}
    assert set(rows["cut_off"]) == {pd.Timestamp("2025-07-25 03:00", tz="UTC")}
    assert set(json.loads(rows["table_versions"].iloc[0])) == {"features/demand_features", "features/calendar_features"}
    assert rows["forecast_id"].is_unique


def test_a_tenant_without_a_champion_has_a_stated_fallback(trained: Any, night: Any) -> None:
    rows = _gold(trained, "young")
    assert set(zip(rows["method"], rows["fallback_reason"], strict=True)) == {("seasonal_naive", "no champion yet")}
    assert rows["model_version"].isna().all()


def test_a_tenant_without_features_fails_alone(night: Any) -> None:
    assert night.outcomes["bare"].status == "failed"
    assert "run `uretimiq run features --tenant bare --date 2025-07-24`" in night.outcomes["bare"].reason
    assert night.outcomes["acme"].status == "ok"


def test_the_forecast_is_near_what_the_world_would_sell(trained: Any, night: Any) -> None:
    rows = _gold(trained, "acme")
    friday, sunday = (rows[pd.to_datetime(rows["date"]).dt.weekday == d]["units_q50"].mean() for d in (4, 6))
    assert 5 < friday / sunday < 9  # 1.4 to 0.2 by the formula
    assert (rows["units_q10"] <= rows["units_q50"]).all()
    assert (rows["units_q50"] <= rows["units_q90"]).all()


def test_a_tenant_whose_settings_cannot_be_fails_alone(
    trained: Any, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = trained.settings.home / "demand.yaml"
    before = file.read_text()
    file.write_text(before + "tenants: {young: {period: month}}\n")
    try:
        ctx = trained.context("acme", "young")
        forecast_demand.run(ctx)
    finally:
        file.write_text(before)
    assert ctx.outcomes["young"].reason == f"{file}: period='month': a tenant counts in one of day, week"
    assert ctx.outcomes["acme"].status == "ok"


def test_the_same_night_again_leaves_the_same_table(trained: Any, night: Any) -> None:
    before = _gold(trained, "acme")
    again = trained.context("acme")
    forecast_demand.run(again)
    after = _gold(trained, "acme")
    changing = ["forecast_id", "run_id"]
    assert after.drop(columns=changing).equals(before.drop(columns=changing))
    assert set(after["run_id"]) == {again.run_id}
    assert len(_gold(trained, "young")) == 2 * 28, "another tenant's rows stay"


def test_a_blocked_tenant_keeps_its_last_good_forecast(
    trained: Any, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _gold(trained, "acme")
    real = forecast_demand.forecast_of

    def negative(*given: Any) -> pd.DataFrame:
        rows = real(*given)
        return rows.assign(units_q10=-1.0) if len(rows) > 60 else rows

    monkeypatch.setattr(forecast_demand, "forecast_of", negative)
    ctx = trained.context("acme", "young")
    forecast_demand.run(ctx)
    assert ctx.outcomes["acme"].status == "blocked"
    assert "units_q10_not_negative" in ctx.outcomes["acme"].reason
    assert ctx.outcomes["young"].status == "ok"
    assert _gold(trained, "acme").equals(before)


def test_a_champion_that_cannot_be_loaded_fails_its_tenant_alone(
    trained: Any, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any) -> None:
        raise RegistryError("demand-acme version 1: its files are not to be had: gone")

    monkeypatch.setattr(Registry, "load", lost)
    ctx = trained.context("acme", "young")
    forecast_demand.run(ctx)
    assert ctx.outcomes["acme"].reason == "demand-acme version 1: its files are not to be had: gone"
    assert ctx.outcomes["young"].status == "ok"


def test_a_forecast_id_is_the_hash_of_key_and_run() -> None:
    rows = pd.DataFrame({"site": ["gebze"], "product": ["pump"], "horizon": [3]})
    found = forecast_ids("acme", date(2026, 1, 31), rows, "run1")
    wanted = hashlib.sha256(b"acme/20260131/gebze/pump/3/run1").hexdigest()[:16]
    assert found == ["20260131" + wanted]
    assert forecast_ids("acme", date(2026, 1, 31), rows, "run2") != found
