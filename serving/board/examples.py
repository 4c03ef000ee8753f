"""One example of each answer of the board, as OpenAPI shows it; a test holds them against the models."""

from __future__ import annotations

from typing import Any

from serving.examples import HEAD

LINKS = {"airflow": "http://127.0.0.1:8380", "mlflow": "http://127.0.0.1:8350", "data_docs": None}
_NO_SERIES = {"site": None, "product": None, "name": None}
_SERIES = {"site": "ankara", "product": "P-0017", "name": "Çelik Pompa"}
OVERVIEW: dict[str, Any] = {
    **HEAD,
    "currency": "TRY",
    "totals": {
        "units": 81_204.5,
        "units_before": 77_910.0,
        "units_same": 78_340.5,
        "value": 4_120_300.0,
        "value_of_series": 39,
        "series": 41,
        "by_fallback": 2,
    },
    "freshness": [
        {
            "contract": "demand_forecast",
            "zone": "gold",
            "state": "there",
            "last_commit": "2026-03-02T03:41:20Z",
            "age_seconds": 102_520,
            "is_late": True,
        },
        {
            "contract": "promotions",
            "zone": "operations",
            "state": "missing",
            "last_commit": None,
            "age_seconds": None,
            "is_late": False,
        },
    ],
    "last_night": {
        "night": "2026-03-02",
        "steps": [
            {
                "job": "silver",
                "status": "blocked",
                "reason": HEAD["newer_night"]["reason"],
                "ended_at": "2026-03-03T03:09:41Z",
                "seconds": 41.2,
            }
        ],
    },
    "exceptions": [
        {
            "kind": "blocked",
            "severity": "high",
            **_NO_SERIES,
            "job": "silver",
            "reason": HEAD["newer_night"]["reason"],
            "status": "blocked",
            "night": "2026-03-02",
        },
        {
            "kind": "change",
            "severity": "high",
            **_SERIES,
            "units_same": 5020.0,
            "units_before": 2240.0,
            "value_change": 139_000.0,
        },
        {
            "kind": "alert",
            "severity": "medium",
            **_NO_SERIES,
            "measure": "level",
            "evidence": 1.7,
            "night": "2026-02-27",
        },
        {
            "kind": "error",
            "severity": "medium",
            **_SERIES,
            "days": 7,
            "nights": 28,
            "units": 19_800.0,
            "wape": 0.31,
            "naive_wape": 0.27,
        },
        {
            "kind": "stale_override",
            "severity": "medium",
            **_SERIES,
            "override_id": "4be1c07ad2f93c55",
            "product_group": None,
            "product_sub_group": None,
            "made_by": "user:ayse",
            "why": "baseline_moved",
            "share": 0.22,
            "expires_at": None,
            "period": None,
        },
        {"kind": "fallback", "severity": "low", **_SERIES, "reason": "fewer than 56 days of sales"},
    ],
    "exceptions_total": {"blocked": 1, "alert": 1, "stale_override": 1, "error": 1, "change": 1, "fallback": 2},
}
RUNS: dict[str, Any] = {
    "tenant": "acme",
    "links": LINKS,
    "next": "/v1/tenants/acme/runs?limit=1&cursor=WyI4ZjNh",
    "runs": [
        {
            "run_id": "20260302T030500Z-1f2e",
            "job": "forecast-demand",
            "date": "2026-03-01",
            "status": "ok",
            "reason": None,
            "rows": 1148,
            "seconds": 184.0,
            "started_at": "2026-03-02T03:38:08Z",
            "ended_at": "2026-03-02T03:41:12Z",
            "code_version": "0.1.0",
        }
    ],
}
CHECKS: dict[str, Any] = {
    "tenant": "acme",
    "links": LINKS,
    "quarantine": [{"contract": "sales", "rule": "units_not_negative", "rows": 12, "last_at": "2026-03-02T03:06:02Z"}],
    "next": None,
    "checks": [
        {
            "run_id": "20260302T030500Z-77aa",
            "door": "silver",
            "contract": "sales",
            "rule": "unit_price_plausible",
            "severity": "warns",
            "rows_checked": 1148,
            "rows_failed": 3,
            "sample": [{"site": "ankara", "product": "P-0017", "date": "2026-03-01"}],
            "checked_at": "2026-03-02T03:08:30Z",
        }
    ],
}
