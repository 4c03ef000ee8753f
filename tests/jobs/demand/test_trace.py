"""The way back from a forecast to the files, without a JVM."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from expectations.contract import Zone
from expectations.tables import DEMAND_FORECAST
from jobs import forecast_demand
from jobs import trace as trace_module
from jobs.delta_reader import read_rows
from jobs.errors import JobError
from jobs.trace import trace


@pytest.fixture(scope="module")
def forecasts(trained: Any) -> list[dict[str, Any]]:
    forecast_demand.run(trained.context("acme", "young"))
    return read_rows(trained.settings, DEMAND_FORECAST, Zone.GOLD).to_pylist()


def _one(forecasts: list[dict[str, Any]], tenant: str) -> dict[str, Any]:
    return next(f for f in forecasts if f["tenant"] == tenant and f["product"] == "A00" and f["horizon"] == 3)


def test_it_leads_to_the_model_and_its_training(trained: Any, forecasts: list[dict[str, Any]]) -> None:
    found = trace(trained.settings, _one(forecasts, "acme")["forecast_id"])
    assert found.forecast == _one(forecasts, "acme")
    assert (found.model["name"], found.model["version"]) == ("demand-acme", "1")
    assert found.model["promotion"]["reason"].startswith("Promoted")
    manifest = found.model["manifest"]
    assert manifest["night"] == "2025-07-24"
    assert set(manifest["table_versions"]) == {"silver/sales", "features/demand_features", "features/calendar_features"}
    assert len(manifest["frame_hash"]) == 64
    assert manifest["code_version"]


def test_it_leads_to_the_rows_and_the_files(trained: Any, forecasts: list[dict[str, Any]]) -> None:
    found = trace(trained.settings, _one(forecasts, "acme")["forecast_id"])
    assert found.rows["count"] == 200
    assert [str(found.rows[k]) for k in ("first", "last")] == ["2025-01-06", "2025-07-24"]
    assert [str(r["date"]) for r in found.rows["recent"]] == [f"2025-07-{d}" for d in (20, 21, 22, 23, 24)]
    assert [f["object_key"][-12:] for f in found.files] == ["0002.parquet", "0001.parquet"]
    assert [f["rows_of_series"] for f in found.files] == [100, 100]
    assert {(f["gateway"], f["rows_landed"]) for f in found.files} == {("gw-1", 600)}
    assert {r["content_hash"] for r in found.rows["recent"]} == {found.files[0]["sha256"]}


def test_where_the_landing_bucket_is_away_it_says_so_and_goes_on(trained: Any, forecasts: list[dict[str, Any]]) -> None:
    found = trace(trained.settings, _one(forecasts, "acme")["forecast_id"])
    assert [f["source"] for f in found.files] == [None, None]
    assert all("does not answer" in f["source_unknown"] for f in found.files)


def test_a_fallback_has_no_model_and_says_why(trained: Any, forecasts: list[dict[str, Any]]) -> None:
    found = trace(trained.settings, _one(forecasts, "young")["forecast_id"])
    assert found.model is None
    assert "model: none; seasonal_naive stood in: no champion yet" in trace_module._lines(found)


def test_the_command_prints_it_for_people_and_as_json(
    trained: Any, forecasts: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_module.settings_module, "load", lambda: trained.settings)
    forecast_id = _one(forecasts, "acme")["forecast_id"]
    shown = CliRunner().invoke(trace_module.command, [forecast_id])
    assert shown.exit_code == 0
    for part in (forecast_id, "demand-acme version 1", "gateway gw-1", "silver/sales", "training set:"):
        assert part in shown.output
    as_json = json.loads(CliRunner().invoke(trace_module.command, [forecast_id, "--json"]).output)
    assert as_json["model"]["version"] == "1"
    assert as_json["files"][0]["sequence"] == 2


@pytest.mark.parametrize("unknown", ["20250724" + "0" * 16, "nonsense", "", "20259999" + "0" * 16, "'; --"])
def test_an_unknown_forecast_is_told_in_one_line(trained: Any, forecasts: list[dict[str, Any]], unknown: str) -> None:
    with pytest.raises(JobError, match="no forecast") as told:
        trace(trained.settings, unknown)
    assert "\n" not in str(told.value)
