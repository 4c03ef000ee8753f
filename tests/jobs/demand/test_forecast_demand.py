"""The night's forecast as a job: every series, each row's origin, one tenant's trouble its own, and the same again."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from expectations.contract import Zone
from expectations.tables import DEMAND_FORECAST, DEMAND_FORECAST_SUMS
from jobs import forecast_demand
from jobs.delta_reader import read_rows
from jobs.forecast_demand import forecast_ids
from models.registry import Registry, RegistryError


def _gold(lake: Any, tenant: str) -> pd.DataFrame:
    rows = read_rows(lake.settings, DEMAND_FORECAST, Zone.GOLD, filters=[("tenant", "=", tenant)]).to_pandas()
    return rows.sort_values(["product", "date"], ignore_index=True)


def _sums(lake: Any, tenant: str) -> pd.DataFrame:
    rows = read_rows(lake.settings, DEMAND_FORECAST_SUMS, Zone.GOLD, filters=[("tenant", "=", tenant)]).to_pandas()
    return rows.sort_values(
        ["level", "period", "product_group", "product_sub_group", "product", "date"], ignore_index=True
    )


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


def test_sums_add_up_to_the_series_that_are_served(trained: Any, night: Any) -> None:
    rows, sums = _gold(trained, "acme"), _sums(trained, "acme")
    for (level, period), of in sums.groupby(["level", "period"]):
        assert of["units_point"].sum() == pytest.approx(rows["units_point"].sum(), abs=1e-6), (level, period)
    site = sums[(sums["level"] == "site") & (sums["period"] == "day")]
    by_day = rows.groupby("date")["units_point"].sum()
    assert site["units_point"].tolist() == pytest.approx(by_day.tolist(), abs=1e-9)


def test_sums_are_of_every_level_and_period_and_tell_their_origin(trained: Any, night: Any) -> None:
    sums = _sums(trained, "acme")
    assert set(zip(sums["level"], sums["period"], strict=True)) == {
        *((level, period) for level in ("site", "site/group") for period in ("day", "week", "month")),
        ("site/product", "week"),
        ("site/product", "month"),
    }
    weeks = sums[(sums["level"] == "site") & (sums["period"] == "week")]
    assert weeks["date"].tolist() == [date(2025, 7, 21) + timedelta(weeks=w) for w in range(5)]
    assert weeks["days"].tolist() == [3, 7, 7, 7, 4]
    assert set(sums["model_version"]) == {"1"}
    assert set(sums["run_id"]) == {night.run_id}
    assert sums.loc[sums["level"] == "site", "product"].isna().all()


def test_a_tenant_without_a_champion_has_no_sums_and_says_why(trained: Any) -> None:
    told: list[str] = []
    forecast_demand.run(trained.context("young", progress=told.append))
    assert _sums(trained, "young").empty
    assert "  young: sums are not forecast: no champion yet" in told


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
    before, sums = _gold(trained, "acme"), _sums(trained, "acme")
    again = trained.context("acme")
    forecast_demand.run(again)
    after = _gold(trained, "acme")
    assert _sums(trained, "acme").drop(columns="run_id").equals(sums.drop(columns="run_id"))
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


def test_a_champion_that_knows_no_sums_leaves_none_of_the_night(
    trained: Any, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with monkeypatch.context() as older:
        older.setattr("models.demand.model.Sums.load", lambda folder: None)
        forecast_demand.run(trained.context("acme", progress=told.append))
    assert any("acme: sums are not forecast: its champion is older than sums are" in line for line in told)
    assert _sums(trained, "acme").empty
    assert len(_gold(trained, "acme")) == 6 * 28
    forecast_demand.run(trained.context("acme"))
    assert not _sums(trained, "acme").empty


def test_a_tenant_whose_sums_are_blocked_keeps_forecast_and_sums(
    trained: Any, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, sums = _gold(trained, "acme"), _sums(trained, "acme")
    real = forecast_demand.sums
    monkeypatch.setattr(forecast_demand, "sums", lambda *given: real(*given).assign(units_q10=-1.0))
    ctx = trained.context("acme")
    forecast_demand.run(ctx)
    assert ctx.outcomes["acme"].status == "blocked"
    assert _gold(trained, "acme").equals(before)
    assert _sums(trained, "acme").equals(sums)


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
