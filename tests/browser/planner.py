"""What a planner works with: the ordinary morning with sums over the hierarchy, explanations and two years of sales."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta
from typing import Any

from lakes import NIGHT, explanation_row, known_series_row, sum_row
from morning import NAMES, SERIES, write_morning

from expectations.tables import DEMAND_EXPLANATIONS, DEMAND_FORECAST, DEMAND_FORECAST_SUMS, DEMAND_SERIES

DAYS = 400
QUANTITIES = ("units_point", "units_q10", "units_q50", "units_q90")
BEFORE = NIGHT - timedelta(days=1)


def write_planner(plant: Any, tenant: str = "acme") -> None:
    """The morning of `write_morning` with all that the planner's views show."""
    write_morning(plant, tenant)
    _past(plant, tenant)
    _sums(plant, tenant)
    _explanations(plant, tenant)
    for days in (7, 28):
        for ago in range(2):
            plant.scores(tenant, NIGHT - timedelta(days=days + 1 + ago), SERIES, days=days)


def _past(plant: Any, tenant: str) -> None:
    rows = []
    for n, (site, product) in enumerate(SERIES, 1):
        name, group, sub_group, price = NAMES[product]
        level = 40 + 13 * (n - 1)
        units = [float(round(level * (1.2 if day % 7 < 5 else 0.3) * (1 + 0.1 * (day % 3)))) for day in range(DAYS)]
        more = {"product_name": name, "product_group": group, "product_sub_group": sub_group, "unit_price": price}
        rows.append(known_series_row(tenant, NIGHT, site, product, n, DAYS) | more | {"units": json.dumps(units)})
    plant.write(DEMAND_SERIES, rows, f"tenant = '{tenant}'")


def _sums(plant: Any, tenant: str) -> None:
    """The sums of each night, of the very rows of its forecasts."""
    sums: dict[tuple[Any, ...], dict[str, float]] = defaultdict(lambda: dict.fromkeys((*QUANTITIES, "series"), 0))
    for row in plant.table(DEMAND_FORECAST).to_pyarrow_table().to_pylist():
        _, group, sub_group, _ = NAMES[row["product"]]
        site, night, run = row["site"], row["night"], row["run_id"]
        places = [
            ("tenant", None, None, None),
            ("site", site, None, None),
            ("site/group", site, group, None),
            ("site/sub_group", site, group, sub_group),
        ]
        for place in places:
            found = sums[night, run, row["date"], *place]
            for quantity in QUANTITIES:
                found[quantity] += row[quantity]
            found["series"] += 1
    rows = []
    for (night, run, day, level, site, group, sub_group), found in sums.items():
        row = sum_row(tenant, night, site, group, "day", day, 1, run)
        rows.append(row | {"level": level, "product_sub_group": sub_group} | found)
    plant.write(DEMAND_FORECAST_SUMS, rows)


def _explanations(plant: Any, tenant: str) -> None:
    rows = []
    for n, (site, product) in enumerate(SERIES):
        row = explanation_row(tenant, NIGHT, site, product, False)
        units = 1000.0 + 350 * n
        drivers = {"level": 0.92, "season": 0.05, "trend": 0.02, "price": 0.04, "holiday": -0.06, "factor": 0.03}
        parts = {name: units * share for name, share in drivers.items()}
        moved = dict.fromkeys((*drivers, "hierarchy", "other"), 0.0) | {"level": 70.0, "price": 20.0, "holiday": -5.0}
        changes = {
            "night": str(BEFORE),
            "periods": 27,
            "units_before": units - 85,
            "units_now": units,
            "units": 85.0,
            "share": 85 / (units - 85),
            "drivers": moved,
            "factors": {},
            "method_changed": False,
            "model_changed": True,
            "model_version": "7",
            "model_version_before": "6",
        }
        row |= {f"units_{name}": part for name, part in parts.items()}
        row |= {"units_q50": units, "factors": json.dumps({"temperature": [parts["factor"] / 28] * 28})}
        row |= {"night_before": BEFORE, "units_change": 85.0, "changes": json.dumps(changes)}
        rows.append(row)
    plant.write(DEMAND_EXPLANATIONS, rows)
