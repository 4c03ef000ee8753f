"""The tables of a tenant that counts in weeks, from Monday to Sunday: two nights of it with all that planners look at."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta
from typing import Any

from lakes import NIGHT, explanation_row, forecast_row, known_series_row, sum_row
from morning import NAMES, SERIES

from expectations.tables import DEMAND_EXPLANATIONS, DEMAND_FORECAST, DEMAND_FORECAST_SUMS, DEMAND_SERIES

WEEKS, PAST = 13, 100
QUANTITIES = {"units_point": 1.0, "units_q10": 0.8, "units_q50": 1.0, "units_q90": 1.25}


def write_weeks(plant: Any, tenant: str = "acme") -> None:
    """18 series whose first has changed much since the night before and whose second is a stopgap."""
    rows = []
    for night in (NIGHT - timedelta(days=1), NIGHT):
        run = f"weeks-{night}"
        plant.run(tenant, night=night, run=run)
        rows += [row for n, of in enumerate(SERIES) for row in _forecasts(tenant, night, n, *of, run)]
    plant.write(DEMAND_FORECAST, rows)
    plant.write(DEMAND_FORECAST_SUMS, _sums(tenant, rows))
    plant.write(DEMAND_SERIES, [_known(tenant, n, *of) for n, of in enumerate(SERIES)], f"tenant = '{tenant}'")
    plant.write(DEMAND_EXPLANATIONS, [explanation_row(tenant, NIGHT, *of, False) for of in SERIES])
    for days in (7, 28):
        night = NIGHT - timedelta(days=days + 7)
        plant.scores(tenant, night, SERIES[1:], days=days)
        far = {"units": 4200.0, "absolute_error": 3900.0, "naive_absolute_error": 2100.0}
        plant.scores(tenant, night, SERIES[:1], days=days, **far)


def _forecasts(tenant: str, night: Any, n: int, site: str, product: str, run: str) -> list[dict[str, Any]]:
    level = (280 + 90 * n) * (1.8 if n == 0 and night == NIGHT else 1)
    reason = "first sold 9 weeks ago, a model needs 26" if n == 1 else None
    rows = []
    for week in range(WEEKS):
        units = level * (1 + 0.02 * week)
        row = forecast_row(tenant, night, site, product, week + 1, run)
        row |= {"date": NIGHT + timedelta(days=7 * week + 1), "period": "week", "fallback_reason": reason}
        rows.append(row | {name: units * share for name, share in QUANTITIES.items()})
    return rows


def _sums(tenant: str, forecasts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sums: dict[tuple[Any, ...], dict[str, float]] = defaultdict(lambda: dict.fromkeys((*QUANTITIES, "series"), 0))
    for row in forecasts:
        _, group, sub_group, _ = NAMES[row["product"]]
        places = [
            ("tenant", None, None, None),
            ("site", row["site"], None, None),
            ("site/group", row["site"], group, None),
            ("site/sub_group", row["site"], group, sub_group),
        ]
        for place in places:
            found = sums[row["night"], row["run_id"], row["date"], *place]
            found["series"] += 1
            for name in QUANTITIES:
                found[name] += row[name]
    return [
        sum_row(tenant, night, site, group, "week", day, 7, run)
        | {"level": level, "product_sub_group": sub_group}
        | found
        for (night, run, day, level, site, group, sub_group), found in sums.items()
    ]


def _known(tenant: str, n: int, site: str, product: str) -> dict[str, Any]:
    name, group, sub_group, price = NAMES[product]
    units = [float(280 + 90 * n + 20 * (week % 5)) for week in range(PAST)]
    return known_series_row(tenant, NIGHT, site, product, n + 1, 1) | {
        "product_name": name,
        "product_group": group,
        "product_sub_group": sub_group,
        "unit_price": price,
        "period": "week",
        "first_date": NIGHT - timedelta(days=7 * PAST - 1),
        "units": json.dumps(units),
    }
