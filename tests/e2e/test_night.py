"""A whole night without Airflow: an ERP's files, the gateway, S3, one Spark session, the API. All of it real."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from deploy.local import s3
from expectations import settings as settings_module
from serving.app import create_app
from serving.identity.roles import Caller

TENANT = "e2e-night"
NIGHT = "2026-03-01"


@dataclass(frozen=True)
class Night:
    """What a night left: its own answer, the programs in its home, the rows that were sent."""

    answer: dict[str, Any]
    programs: Any
    sent: int

    def get(self, path: str) -> Any:
        settings = settings_module.load(self.programs.environ)
        app = create_app(settings)
        key = app.state.identity.keys.add(Caller("test"), TENANT, "test", ["forecasts:read"]).key
        with TestClient(app, base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"}) as api:
            answer = api.get(f"/v1/tenants/{TENANT}/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def night(s3_server, programs_in, tmp_path_factory) -> Night:
    folder: Path = tmp_path_factory.mktemp("night")
    server = {
        "URETIMIQ_S3_ENDPOINT": s3_server.admin.endpoint,
        "URETIMIQ_S3_ACCESS_KEY": s3_server.admin.access_key,
        "URETIMIQ_S3_SECRET_KEY": s3_server.admin.secret_key,
    }
    programs = programs_in(folder / "home", **server)
    s3_server.gateway(TENANT)
    _, key_file = s3.gateway_key(s3_server.home, TENANT)
    sent = programs.land(folder / "erp", TENANT, key_file=key_file)
    return Night(programs.json("uretimiq", "run", "nightly", "--tenant", TENANT, "--date", NIGHT), programs, sent)


def test_the_night_is_done_without_a_failure(night):
    assert night.answer["failed"] == {}


def test_every_row_sent_is_in_bronze_or_in_quarantine(night):
    counts = night.programs.json("uretimiq", "status", "--tenant", TENANT, "--verify")["tables"]
    assert sum(c["rows_landed"] for c in counts) == night.sent
    assert sum(c["rows_bronze"] + c["rows_quarantined"] for c in counts) == night.sent
    assert sum(c["rows_quarantined"] for c in counts) == 1


def test_every_series_has_28_days_from_the_day_after_the_night(night):
    rows = night.get("forecasts?limit=1000")["forecasts"]
    first = date.fromisoformat(NIGHT) + timedelta(days=1)
    days = [(str(first + timedelta(days=n)), product) for product in ("P1", "P2", "P3") for n in range(28)]
    assert [(r["date"], r["product"]) for r in rows] == days


def test_without_a_champion_a_stated_fallback_repeats_the_week(night):
    rows = night.get("forecasts?product=P2&limit=7")["forecasts"]
    assert {r["method"] for r in rows} == {"seasonal_naive"}
    assert all(r["fallback_reason"] for r in rows)
    # From Monday: twice what WEEK in conftest.py says.
    assert [r["units_q50"] for r in rows] == pytest.approx([20, 24, 22, 18, 28, 10, 0], abs=0.5)


def test_a_forecast_leads_back_to_the_file_of_the_erp(night):
    one = night.get("forecasts?product=P1&limit=1")["forecasts"][0]
    assert "made of satis.csv" in night.programs.run("uretimiq", "trace", one["forecast_id"])


def test_the_same_night_again_leaves_the_same_forecasts(night):
    before = night.get("forecasts?limit=1000")
    night.programs.run("uretimiq", "run", "nightly", "--tenant", TENANT, "--date", NIGHT)
    after = night.get("forecasts?limit=1000")
    assert after["total"] == before["total"]
    figures = ("date", "product", "units_q10", "units_q50", "units_q90")
    assert [[r[f] for f in figures] for r in after["forecasts"]] == [
        [r[f] for f in figures] for r in before["forecasts"]
    ]
