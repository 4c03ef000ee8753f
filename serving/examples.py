"""One example of each answer, as OpenAPI shows it; a test holds them against the models."""

from __future__ import annotations

import json
import re
from typing import Any

from serving.render import ARROW

_NIGHT = "2026-03-01"
_IS_DATE = re.compile(r"\d{4}-\d\d-\d\d")
ROW: dict[str, Any] = {
    "forecast_id": "4be1c07ad2f93c55",
    "night": _NIGHT,
    "site": "ankara",
    "product": "P-0017",
    "date": "2026-03-02",
    "period": "day",
    "horizon": 1,
    "units_q10": 81.0,
    "units_q50": 104.5,
    "units_q90": 131.0,
    "units_point": 104.5,
    "method": "champion",
    "fallback_reason": None,
    "model_name": "demand-acme",
    "model_version": "7",
    "cut_off": "2026-03-02T03:00:00Z",
}
NEWER = {
    "night": "2026-03-02",
    "job": "silver",
    "status": "blocked",
    "reason": "sales: newest event 2026-02-12 is older than 14 days: send the export",
}
HEAD: dict[str, Any] = {
    "tenant": "acme",
    "night": _NIGHT,
    "cut_off": "2026-03-02T03:00:00Z",
    "available_at": "2026-03-02T03:41:12Z",
    "age_seconds": 102_528,
    "age_days": 2,
    "period": "day",
    "model_name": "demand-acme",
    "model_version": "7",
    "newer_night": NEWER,
}
PAGE = {
    **HEAD,
    "total": 1148,
    "next": "/v1/tenants/acme/forecasts?site=ankara&limit=1&cursor=WyI4ZjNh",
    "forecasts": [ROW],
}
SUM: dict[str, Any] = {
    "night": _NIGHT,
    "period": "week",
    "level": "site/group",
    "site": "ankara",
    "product_group": "pumps",
    "product_sub_group": None,
    "product": None,
    "date": "2026-03-02",
    "days": 7,
    "units_point": 5120.5,
    "units_q10": 4710.0,
    "units_q50": 5098.0,
    "units_q90": 5563.0,
    "series": 12,
    "series_by_fallback": 1,
    "model_name": "demand-acme",
    "model_version": "7",
    "cut_off": "2026-03-02T03:00:00Z",
}
SUMS = {
    **{k: v for k, v in HEAD.items() if k != "period"},
    "total": 20,
    "next": "/v1/tenants/acme/forecasts/sums?level=site%2Fgroup&period=week&limit=1&cursor=WyI4ZjNh",
    "sums": [SUM],
}
ONE = {
    "forecast": {
        "forecast_id": ROW["forecast_id"],
        "tenant": "acme",
        **{k: v for k, v in ROW.items() if k != "forecast_id"},
        "units_hierarchy": 0.5,
        "run_id": "20260302T030500Z-1f2e",
        "available_at": "2026-03-02T03:41:12Z",
        "table_versions": {"demand_features": 212, "calendar_features": 9},
    },
    "age_seconds": 102_528,
    "trace": "uretimiq trace 4be1c07ad2f93c55",
}
EXPLANATION = {
    **HEAD,
    "explanation": {
        "site": "ankara",
        "product": "P-0017",
        "units_q50": 202.5,
        "night_before": "2026-02-28",
        "units_change": 9.0,
        "drivers": {
            "level": 202.0,
            "season": 4.0,
            "trend": 3.5,
            "price": 0.0,
            "holiday": -16.0,
            "factor": 8.0,
            "hierarchy": 0.5,
            "other": 0.5,
        },
        "by_day": {
            "level": [101.0, 101.0],
            "season": [2.0, 2.0],
            "trend": [1.5, 2.0],
            "price": [0.0, 0.0],
            "holiday": [0.0, -16.0],
            "factor": [4.0, 4.0],
            "hierarchy": [0.5, 0.0],
            "other": [0.5, 0.0],
        },
        "factors": {"temperature": [4.0, 4.0]},
        "cases": [
            {
                "night": "2025-03-02",
                "series": "ankara/P-0017",
                "distance": 0.41,
                "units_weeks": [700.0, 690.0, 640.0, 720.0],
                "units": 2750.0,
            }
        ],
        "changes": {
            "night": "2026-02-28",
            "periods": 1,
            "units_before": 95.5,
            "units_now": 104.5,
            "units": 9.0,
            "share": 0.094,
            "drivers": {
                "level": 8.0,
                "season": 0.0,
                "trend": 1.0,
                "price": 0.0,
                "holiday": 0.0,
                "factor": 0.0,
                "hierarchy": 0.0,
                "other": 0.0,
            },
            "factors": {"temperature": 0.0},
            "method_changed": False,
            "model_changed": False,
            "model_version": "7",
            "model_version_before": "7",
        },
        "method": "champion",
        "fallback_reason": None,
        "model_name": "demand-acme",
        "model_version": "7",
        "text": {
            "tr": "Önümüzdeki 2 gün için 202 adet: son dört haftanın düzeyi 202, tatil ve olaylar −16, dış etken temperature +8.",
            "en": "202 pieces in the next 2 days: level of the last four weeks 202, holidays and events −16, external factor temperature +8.",
        },
    },
}
STATUS = {
    "now": "2026-03-03T08:10:00Z",
    "tenant": None,
    "tables": [
        {
            "contract": "demand_forecast",
            "zone": "gold",
            "state": "there",
            "version": 61,
            "last_commit": "2026-03-02T03:41:20Z",
            "age_seconds": 102_520,
            "rows": 68_880,
        },
        {
            "contract": "promotions",
            "zone": "operations",
            "state": "missing",
            "version": None,
            "last_commit": None,
            "age_seconds": None,
            "rows": None,
        },
    ],
    "jobs": [
        {
            "job": "silver",
            "last_ended_at": "2026-03-03T03:09:41Z",
            "age_seconds": 18_019,
            "ok": 1,
            "failed": 0,
            "blocked": 1,
            "not_ok": [
                {
                    "tenant": "acme",
                    "run_id": "20260303T030500Z-77aa",
                    "date": "2026-03-02",
                    "status": "blocked",
                    "reason": NEWER["reason"],
                    "ended_at": "2026-03-03T03:09:41Z",
                }
            ],
        }
    ],
    "champions": [
        {
            "tenant": "acme",
            "model_name": "demand-acme",
            "model_version": "7",
            "reason": "beats seasonal naive by 11 % and version 6 by 2 % on 4 of 4 folds",
            "promoted_at": "2026-02-01T04:20:00Z",
        }
    ],
}
HEALTH = {"status": "ok"}


def as_tables(page: dict[str, Any]) -> dict[str, Any]:
    """The `content` of an answer that comes as CSV and Arrow beside the JSON of `page`."""
    return {
        "text/csv": {"example": csv_of(page), "schema": {"type": "string"}},
        ARROW: {"example": "(binary)", "schema": {"type": "string", "format": "binary"}},
    }


def csv_of(page: dict[str, Any]) -> str:
    """The first row of a page as CSV has it."""
    row = next(value[0] for value in page.values() if isinstance(value, list))
    return "".join(f"{','.join(map(_field, line))}\n" for line in (row, row.values()))


def _field(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, dict | list):
        value = json.dumps(value).replace('"', '""')
    return f'"{value}"' if isinstance(value, str) and not _IS_DATE.fullmatch(value) else str(value)
