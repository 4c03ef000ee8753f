"""One example of each answer of the addresses of plans, as OpenAPI shows it; a test holds them against the models."""

from __future__ import annotations

from typing import Any

from serving.examples import HEAD

AT, ENDS_AT = "2026-03-02T08:10:00Z", "2026-03-09T00:00:00Z"
OVERRIDE_ID = "9c41d07ab2f93c55"
ROW = {
    "site": "ankara",
    "product": "P-0017",
    "date": "2026-03-02",
    "baseline": 104.5,
    "override": 140.0,
    "final": 140.0,
    "override_id": OVERRIDE_ID,
    "is_stale": False,
}
PLAN = {
    **HEAD,
    "plan_version": 12,
    "total": 1148,
    "next": "/v1/tenants/acme/plan?site=ankara&limit=1&cursor=WyI4ZjNh",
    "plan": [ROW],
}
CHANGE: dict[str, Any] = {
    "site": "ankara",
    "product": "P-0017",
    "first": "2026-03-02",
    "last": "2026-03-08",
    "how": "units",
    "value": 140.0,
}
NEW_OVERRIDE = {**CHANGE, "reason": "A campaign that the ERP does not know of yet", "expires_at": ENDS_AT}
SAID = {
    "version": 1,
    **CHANGE,
    "product_group": None,
    "product_sub_group": None,
    "reason": NEW_OVERRIDE["reason"],
    "expires_at": ENDS_AT,
    "made_by": "user:ayse",
    "made_at": AT,
    "made_on_night": "2026-03-01",
}
OVERRIDE = {
    "override_id": OVERRIDE_ID,
    "state": "stale",
    "is_stale": True,
    "stale": [{"kind": "baseline_moved", "share": 0.31, "expires_at": None, "period": None}],
    **SAID,
    "days": [{"date": "2026-03-02", "baseline_then": 104.5, "baseline_now": 136.9, "final": 140.0}],
}
WHOLE = {**OVERRIDE, "history": [{**SAID, "is_withdrawn": False}]}
OVERRIDES = {**HEAD, "total": 1, "next": None, "overrides": [OVERRIDE]}
VALUE = {
    **HEAD,
    "values": [
        {
            "by": "user:ayse",
            "name": "ayse",
            "overrides": 31,
            "periods": 188,
            "units": 20_310.0,
            "baseline_error": 4110.0,
            "final_error": 3430.0,
            "value_added": 0.165,
            "low": 0.04,
            "high": 0.29,
            "verdict": "helps",
        }
    ],
}
