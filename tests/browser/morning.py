"""The tables of an ordinary morning, in which not all is well: for what a planner, an engineer and an auditor look at."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from lakes import NIGHT, forecast_row, known_series_row

from expectations.tables import CHECK_RESULTS, DEMAND_FORECAST, DEMAND_MONITOR, DEMAND_SERIES, QUARANTINE

SITES_OF = ("ankara", "bursa", "izmir")
NAMES = {
    "RLM-6204": ("Rulman 6204 2RS", "Rulmanlar", "Bilyalı", 84.5),
    "RLM-6305": ("Rulman 6305 ZZ", "Rulmanlar", "Bilyalı", 132.0),
    "KYS-A42": ("V kayışı A42", "Kayışlar", "V kayışları", 61.9),
    "KYS-B68": ("V kayışı B68, ısıya dayanıklı", "Kayışlar", "V kayışları", None),
    "CNT-M08": ("Conta takımı M8 (çelik, 100'lü)", "Contalar", "Metal", 219.0),
    "FLT-900": ("Yağ filtresi 900", "Filtreler", "Yağ", 310.0),
}
SERIES = [(site, product) for site in SITES_OF for product in NAMES]
CHANGED = {
    ("ankara", "RLM-6204"): 2.4,
    ("bursa", "KYS-A42"): 0.55,
    ("izmir", "FLT-900"): 1.7,
    ("ankara", "CNT-M08"): 1.3,
}
FALLBACKS = {
    ("izmir", "KYS-B68"): "first sold 12 days ago, a model needs 56",
    ("bursa", "CNT-M08"): "nothing sold for 180 days",
}
EARLY = datetime(2026, 3, 2, 3, 30, tzinfo=UTC)


def write_morning(plant: Any, tenant: str = "acme") -> None:
    """Two nights of 18 series, of which some changed, some are stopgaps, some were far off; checks, drift, quarantine."""
    _night(plant, tenant, NIGHT - timedelta(days=1), {})
    plant.run(tenant, NIGHT - timedelta(days=1))
    for job in ("silver", "features"):
        plant.run(tenant, job=job)
    run = _night(plant, tenant, NIGHT, CHANGED)
    plant.run(tenant, run=run)
    plant.run(tenant, job="explain-demand")
    plant.run(tenant, job="follow-demand", status="failed", reason="mlflow at http://127.0.0.1:8350 does not answer")
    _series(plant, tenant)
    plant.scores(
        tenant,
        series=[("bursa", "FLT-900"), ("izmir", "RLM-6305")],
        units=420.0,
        absolute_error=390.0,
        naive_absolute_error=210.0,
    )
    plant.scores(tenant, series=[("ankara", "KYS-A42")])
    _evidence(plant, tenant)


def _night(plant: Any, tenant: str, night: date, changed: dict[tuple[str, str], float]) -> str:
    run = f"night-{tenant}-{night}"
    rows = []
    for n, (site, product) in enumerate(SERIES):
        level = (40 + 13 * n) * changed.get((site, product), 1 + 0.03 * (n % 3 - 1))
        for day in range(1, 29):
            row = forecast_row(tenant, night, site, product, day, run)
            units = level * (1 + 0.2 * ((night + timedelta(days=day)).weekday() < 5))
            row |= {"units_point": units, "units_q50": units, "units_q10": 0.8 * units, "units_q90": 1.25 * units}
            if (site, product) in FALLBACKS and night == NIGHT:
                row |= {"method": "short_history", "fallback_reason": FALLBACKS[site, product]}
            rows.append(row)
    plant.write(DEMAND_FORECAST, rows)
    return run


def _series(plant: Any, tenant: str) -> None:
    rows = []
    for n, (site, product) in enumerate(SERIES):
        row = known_series_row(tenant, NIGHT, site, product, n + 1, 60)
        name, group, sub_group, price = NAMES[product]
        rows.append(
            row | {"product_name": name, "product_group": group, "product_sub_group": sub_group, "unit_price": price}
        )
    plant.write(DEMAND_SERIES, rows, f"tenant = '{tenant}'")


def _evidence(plant: Any, tenant: str) -> None:
    known = {"tenant": tenant, "run_id": "run-1"}
    alarm = {
        "night": NIGHT - timedelta(days=2),
        "measure": "level",
        "value": 1.4,
        "chance": 0.01,
        "evidence": 6.2,
        "alarm": True,
    }
    plant.write(DEMAND_MONITOR, [known | alarm | {"available_at": EARLY}])
    check = known | {"door": "silver", "contract": "sales", "checked_at": EARLY, "sample": None}
    checks = [
        ("unit_price_plausible", "warns", 41),
        ("site_is_known", "blocks", 7),
        ("date_not_in_future", "blocks", 0),
    ]
    rows = [check | {"rule": r, "severity": s, "rows_checked": 51_840, "rows_failed": f} for r, s, f in checks]
    plant.write(CHECK_RESULTS, rows)
    refused = {
        "tenant": tenant, "contract": "sales", "content_hash": "0" * 64, "object_key": "acme/ankara/sales.csv", "rows": 1,
        "rules": ["site_is_known"], "reason": "The site is none of the tenant's.", "original": "{}", "gateway": "gw-1",
        "batch": 1, "quarantined_at": EARLY, "run_id": "run-1", "replayed_at": None,
    }  # fmt: skip
    plant.write(QUARANTINE, [refused | {"row_index": i} for i in range(7)])
