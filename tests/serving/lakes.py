"""A lake of real Delta tables, written with delta-rs as the jobs would write them, and a clock that the test turns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from argon2 import PasswordHasher
from deltalake import DeltaTable, write_deltalake

from expectations.contract import Contract
from expectations.settings import Settings
from expectations.tables import (
    DEMAND_EXPLANATIONS,
    DEMAND_FORECAST,
    DEMAND_FORECAST_SUMS,
    DEMAND_SCORES,
    DEMAND_SERIES,
    JOB_RUNS,
    PROMOTIONS,
)

NIGHT = date(2026, 3, 1)
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SERIES = (("ankara", "P-1"), ("ankara", "P-2"), ("bursa", "P-1"))
# Name, group, sub-group and price of the products that have them.
PRODUCTS = {
    "P-1": ("Çelik Pompa İthal", "pumps", "steel pumps", 100.0),
    "P-2": ("Musluk", "taps", "kitchen taps", None),
}

GROUPS = (("ankara", None), ("bursa", None), ("ankara", "pumps"), ("ankara", "taps"), ("bursa", "pumps"))
PIECES = (
    *(("day", date(2026, 3, day), 1) for day in range(2, 30)),
    ("month", date(2026, 3, 1), 28),
    *(("week", date(2026, 3, day), 7) for day in (2, 9, 16, 23)),
)


@dataclass
class Plant:
    """The tables of a lake, written as the jobs would."""

    settings: Settings
    runs: int = 0
    expected: dict[tuple[str, date], list[dict[str, Any]]] = field(default_factory=dict)

    def write(self, contract: Contract, rows: list[dict[str, Any]], predicate: str | None = None) -> None:
        write_deltalake(
            self.settings.place(contract),
            pa.Table.from_pylist(rows, schema=pa.schema([c.field for c in contract.columns])),
            partition_by=list(contract.partitioned_by) or None,
            mode="overwrite" if predicate else "append",
            predicate=predicate,
            storage_options=self.settings.delta_rs_options or None,
        )

    def night(
        self,
        tenant: str = "acme",
        night: date = NIGHT,
        series: Iterable[tuple[str, str]] = SERIES,
        *,
        days: int = 28,
        status: str | None = "ok",
        again: bool = False,
        **more: Any,
    ) -> str:
        """Write a night, and how its run ended (None: nothing noted yet). `again` replaces the night. Gives the run."""
        self.runs += 1
        run = f"run-{self.runs}"
        rows = [
            forecast_row(tenant, night, site, product, day, run) | more
            for site, product in sorted(series, reverse=True)  # the API owes its order to itself
            for day in range(1, days + 1)
        ]
        where = f"tenant = '{tenant}' AND night_month = '{night:%Y-%m}' AND night = '{night}'" if again else None
        self.write(DEMAND_FORECAST, rows, where)
        self.expected[tenant, night] = sorted(rows, key=lambda r: (r["site"], r["product"], r["date"]))
        if status:
            self.run(tenant, night, status=status, run=run)
        return run

    def sums(
        self, run: str, tenant: str = "acme", night: date = NIGHT, *, again: bool = False, **more: Any
    ) -> list[dict[str, Any]]:
        """Write the sums of a night as the run that wrote its forecasts does: sites and groups by day, week and month."""
        rows = [sum_row(tenant, night, site, group, *piece, run) | more for site, group in GROUPS for piece in PIECES]
        where = f"tenant = '{tenant}' AND night_month = '{night:%Y-%m}' AND night = '{night}'" if again else None
        self.write(DEMAND_FORECAST_SUMS, rows[::-1], where)
        return rows

    def series(
        self,
        tenant: str = "acme",
        night: date = NIGHT,
        series: Iterable[tuple[str, str]] = SERIES,
        *,
        days: int = 60,
        **more: Any,
    ) -> list[dict[str, Any]]:
        """Write what is known of the series at a night, in the place of what was known of the tenant's before.

        The n-th series has n*100 units a day and one more each day, until the night.
        """
        rows = [known_series_row(tenant, night, *of, n, days) | more for n, of in enumerate(sorted(series), 1)]
        self.write(DEMAND_SERIES, rows[::-1], f"tenant = '{tenant}'")
        return rows

    def scores(
        self,
        tenant: str = "acme",
        night: date = NIGHT - timedelta(days=28),
        series: Iterable[tuple[str, str]] = SERIES,
        *,
        days: int = 7,
        **more: Any,
    ) -> list[dict[str, Any]]:
        """Write what became of the forecasts of a night in the `days` after it."""
        rows = [score_row(tenant, night, *of, days) | more for of in series]
        self.write(DEMAND_SCORES, rows)
        return rows

    def explain(
        self,
        tenant: str = "acme",
        night: date = NIGHT,
        series: Iterable[tuple[str, str]] = SERIES,
        *,
        early: bool = False,
        **more: Any,
    ) -> None:
        """Write the explanations of a night; `early`: of an older writing of it."""
        self.write(DEMAND_EXPLANATIONS, [explanation_row(tenant, night, *of, early) | more for of in series])

    def run(
        self,
        tenant: str = "acme",
        night: date | None = NIGHT,
        *,
        job: str = "forecast-demand",
        status: str = "ok",
        reason: str | None = None,
        run: str = "",
    ) -> None:
        """Note a run of a job; each one ends a second after the one before."""
        self.runs += 1
        ended = datetime(2026, 3, 2, 3, 45, tzinfo=UTC) + timedelta(seconds=self.runs)
        row = {"run_id": run or f"run-{self.runs}", "job": job, "tenant": tenant, "date": night, "status": status}
        row |= {"reason": reason, "rows": 84, "seconds": 2.5, "started_at": ended, "ended_at": ended}
        self.write(JOB_RUNS, [row | {"code_version": "1", "table_versions": "{}"}])

    def promotion(self, tenant: str, version: str, *, promoted: bool = True, day: int = 1) -> None:
        row = {"run_id": f"train-{version}", "tenant": tenant, "model_name": f"demand-{tenant}"}
        row |= {"model_version": version, "champion_version": None, "promoted": promoted, "reason": "beats naive"}
        self.write(PROMOTIONS, [row | {"evidence": "{}", "decided_at": datetime(2026, 2, day, tzinfo=UTC)}])

    def table(self, contract: Contract = DEMAND_FORECAST) -> DeltaTable:
        return DeltaTable(self.settings.place(contract))

    def vacuum(self, contract: Contract = DEMAND_FORECAST) -> None:
        """Delete every file that the newest version does not need."""
        gone = self.table(contract).vacuum(
            retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True
        )
        assert gone, "the vacuum was to take something away"


def forecast_row(tenant: str, night: date, site: str, product: str, day: int, run: str) -> dict[str, Any]:
    handle = hashlib.sha256(repr((tenant, night, site, product, day, run)).encode()).hexdigest()
    middle = 10 + int(handle[:4], 16) / 1000
    six = datetime.combine(night, datetime.min.time(), UTC) + timedelta(hours=27)
    return {
        "forecast_id": handle,
        "tenant": tenant,
        "night": night,
        "site": site,
        "product": product,
        "date": night + timedelta(days=day),
        "period": "day",
        "horizon": day,
        "units_q10": middle * 0.8,
        "units_q50": middle,
        "units_q90": middle * 1.3,
        "units_point": middle,
        "method": "champion",
        "fallback_reason": None,
        "model_name": f"demand-{tenant}",
        "model_version": "7",
        "cut_off": six,
        "table_versions": json.dumps({"demand_features": 3}),
        "run_id": run,
        "available_at": six + timedelta(minutes=40),
        "night_month": f"{night:%Y-%m}",
    }


def sum_row(
    tenant: str, night: date, site: str, group: str | None, period: str, first: date, days: int, run: str
) -> dict[str, Any]:
    six = datetime.combine(night, datetime.min.time(), UTC) + timedelta(hours=27)
    return {
        "tenant": tenant,
        "night": night,
        "period": period,
        "level": "site/group" if group else "site",
        "site": site,
        "product_group": group,
        "product_sub_group": None,
        "product": None,
        "date": first,
        "days": days,
        "units_point": 100.0 * days,
        "units_q10": 80.0 * days,
        "units_q50": 99.0 * days,
        "units_q90": 120.0 * days,
        "series": 2,
        "series_by_fallback": 0,
        "model_name": f"demand-{tenant}",
        "model_version": "7",
        "cut_off": six,
        "table_versions": json.dumps({"demand_features": 3}),
        "run_id": run,
        "available_at": six + timedelta(minutes=40),
        "night_month": f"{night:%Y-%m}",
    }


def known_series_row(tenant: str, night: date, site: str, product: str, n: int, days: int) -> dict[str, Any]:
    six = datetime.combine(night, datetime.min.time(), UTC) + timedelta(hours=27)
    name, group, sub_group, price = PRODUCTS.get(product, (None, None, None, None))
    events = [
        {"date": night - timedelta(days=3), "kind": "holiday", "name": "Bayram"},
        {"date": night + timedelta(days=4), "kind": "promotion", "name": None},
    ]
    return {
        "tenant": tenant,
        "night": night,
        "site": site,
        "product": product,
        "product_name": name,
        "product_group": group,
        "product_sub_group": sub_group,
        "unit_price": price,
        "period": "day",
        "first_date": night - timedelta(days=days - 1),
        "units": json.dumps([100.0 * n + day for day in range(days)]),
        "events": json.dumps(events, default=str),
        "cut_off": six,
        "run_id": f"series-{night}",
        "available_at": six + timedelta(minutes=45),
    }


def score_row(tenant: str, night: date, site: str, product: str, days: int) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "night": night,
        "days": days,
        "site": site,
        "product": product,
        "method": "champion",
        "model_version": "7",
        "challenger_version": None,
        "known_days": days,
        "units": 100.0,
        "forecast_units": 110.0,
        "absolute_error": 20.0,
        "naive_absolute_error": 40.0,
        "challenger_absolute_error": None,
        "value_added": 0.5,
        "covered_days": days - 1,
        "pinball": 0.1,
        "naive_pinball": 0.2,
        "challenger_pinball": None,
        "run_id": "run-0",
        "available_at": datetime.combine(night, datetime.min.time(), UTC) + timedelta(days=days + 1),
        "night_month": f"{night:%Y-%m}",
    }


def explanation_row(tenant: str, night: date, site: str, product: str, early: bool) -> dict[str, Any]:
    drivers = dict(
        zip(
            ("level", "season", "trend", "price", "holiday", "factor", "other"), (279, 2, 1, 0, -3, 1.0, 0), strict=True
        )
    )
    case = {
        "night": "2025-03-02",
        "series": f"{site}/{product}",
        "distance": 0.4,
        "units_weeks": [7.0] * 4,
        "units": 28.0,
    }
    seven = datetime.combine(night, datetime.min.time(), UTC) + timedelta(hours=26 if early else 28)
    return {
        "tenant": tenant,
        "night": night,
        "site": site,
        "product": product,
        "units_q50": 280.0,
        **{f"units_{name}": value for name, value in drivers.items()},
        "by_day": json.dumps({name: [value / 28] * 28 for name, value in drivers.items()}),
        "factors": json.dumps({"temperature": [1 / 28] * 28}),
        "cases": json.dumps([case]),
        "method": "champion",
        "model_name": f"demand-{tenant}",
        "model_version": "7",
        "text_tr": "Önümüzdeki 28 gün için 280 adet.",
        "text_en": "280 pieces in the next 28 days.",
        "run_id": "run-0",
        "available_at": seven,
        "night_month": f"{night:%Y-%m}",
    }


@dataclass
class Clock:
    """`now` of the answers, and the seconds by which the API decides to look for a newer version."""

    now: datetime = NOW
    seconds: float = 0.0

    def later(self, seconds: float = 6.0) -> None:
        """Time passes; by default so much that the next request waits for a look into storage."""
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds
