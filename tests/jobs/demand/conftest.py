"""A lake in which two made-up tenants' nights have come as far as features: what the demand jobs begin with."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from expectations import settings as settings_module
from expectations.contract import Contract, Zone
from expectations.settings import Settings
from expectations.tables import CALENDAR_FEATURES, DEMAND_FEATURES, INGEST_LEDGER, SALES
from jobs.lake import loose_schema

NIGHT = date(2025, 7, 24)
FIRST_MONDAY = date(2022, 1, 3)  # of made-up weeks
DEMAND_YAML = """
members: [seasonal_naive, lightgbm]
threads: 1
max_rows: 15000
trees: {rounds: 40, tail_rounds: 30, leaves: 15, learning_rate: 0.15}
"""


def _worlds() -> Any:
    """The made-up plants of the tests of the models."""
    path = Path(__file__).parents[2] / "models" / "conftest.py"
    spec = importlib.util.spec_from_file_location("demand_worlds", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def file_hash(tenant: str, part: int) -> str:
    return hashlib.sha256(f"{tenant}/{part}".encode()).hexdigest()


@dataclass
class DemandLake:
    """Writes silver, features and ledger rows of made-up tenants, and makes contexts for the night."""

    settings: Settings
    spark: Any
    worlds: Any
    outcomes: dict[str, Any] = field(default_factory=dict)

    def context(self, *tenants: str, night: date = NIGHT, **more: Any) -> Any:
        from jobs.context import Context

        given = {"now": lambda: datetime(2025, 7, 25, 4, 0, tzinfo=UTC), "progress": lambda _: None, "date": night}
        ctx = Context(self.settings, **given | more)
        ctx.__dict__["spark"] = self.spark
        ctx.tenants = tenants
        return ctx

    def weekly(self, **more: Any) -> Any:
        return self.worlds.weekly(**more)

    @staticmethod
    def weeks(weeks: int = 150, seed: int = 4) -> pd.DataFrame:
        """Three products whose weeks, dated by their Mondays, follow a rhythm of four, which repeating the last one misses."""
        chance = np.random.default_rng(seed)
        made = []
        for product, size in (("A00", 10.0), ("A01", 20.0), ("B00", 40.0)):
            units = size * np.resize([8.0, 10.0, 12.0, 10.0], weeks) * np.exp(chance.normal(0, 0.05, weeks))
            made += [("gebze", product, FIRST_MONDAY + timedelta(weeks=w), float(u)) for w, u in enumerate(units)]
        return pd.DataFrame(made, columns=["site", "product", "date", "units"])

    def land_weeks(self, tenant: str, rows: pd.DataFrame) -> None:
        """Silver rows of weeks: a file a week, which comes on the Tuesday after it."""
        monday = pd.to_datetime(rows["date"])
        at = (monday + pd.Timedelta(days=8, hours=9)).dt.tz_localize("UTC")
        told = {"unit_price": None, "promotion": None, "superseded_at": pd.NaT, "content_hash": file_hash(tenant, 0)}
        rows = rows.assign(tenant=tenant, available_at=at, row_index=range(len(rows)), year=monday.dt.year, **told)
        self.append(rows, SALES, Zone.SILVER)

    def append(self, frame: pd.DataFrame, contract: Contract, zone: Zone) -> None:
        schema = loose_schema(contract, zone)
        rows = pa.Table.from_pylist(
            [{k: _plain(r.get(k)) for k in schema.names} for r in frame.to_dict("records")], schema=schema
        )
        self.context().lake.append(rows, contract, zone)

    def correct(self, tenant: str, sales: pd.DataFrame, **columns: Any) -> None:
        """Silver rows of `sales` that came in the second file, with other values in some columns."""
        self.append(silver_rows(tenant, sales, part=1).assign(**columns), SALES, Zone.SILVER)

    def land(self, tenant: str, world: Any, nights: list[int] | None = None) -> None:
        """Silver sales of the world in two files, their ledger rows, and the feature rows of its days."""
        self.append(silver_rows(tenant, world.sales()), SALES, Zone.SILVER)
        self.append(world.features(nights).assign(tenant=tenant), DEMAND_FEATURES, Zone.FEATURES)
        calendar = world.calendar().assign(tenant=tenant)
        self.append(calendar, CALENDAR_FEATURES, Zone.FEATURES)
        self.append(pd.DataFrame([_ledger_row(tenant, part) for part in (0, 1)]), INGEST_LEDGER, Zone.OPERATIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and np.isnan(value):
        return None
    if value is pd.NaT:
        return None
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


def silver_rows(tenant: str, sales: pd.DataFrame, *, part: int | None = None) -> pd.DataFrame:
    """Known at the end of each day in Istanbul; the first 100 days came in one file, the rest in another."""
    day = pd.to_datetime(sales["date"])
    later = (day >= day.min() + pd.Timedelta(days=100)).astype(int) if part is None else part
    return sales.assign(
        tenant=tenant,
        unit_price=None,
        promotion=None,
        available_at=(day + pd.Timedelta(days=1)).dt.tz_localize("Europe/Istanbul").dt.tz_convert("UTC"),
        superseded_at=pd.NaT,
        content_hash=[file_hash(tenant, p) for p in np.broadcast_to(later, len(sales))],
        row_index=range(len(sales)),
        year=day.dt.year,
    )


def _ledger_row(tenant: str, part: int) -> dict[str, Any]:
    at = datetime(2025, 7, 25, 1, part, tzinfo=UTC)
    return {
        "tenant": tenant,
        "content_hash": file_hash(tenant, part),
        "object_key": f"{tenant}/gebze/sales/gw-1-{part + 1:010d}.parquet",
        "etag": "e",
        "bytes": 1,
        "contract": "sales",
        "contract_version": "1.0.0",
        "gateway": "gw-1",
        "sequence": part + 1,
        "batch": 1,
        "status": "done",
        "rows_landed": 600,
        "rows_bronze": 600,
        "rows_rescued": 0,
        "rows_quarantined": 0,
        "landed_at": at,
        "ingested_at": at + timedelta(minutes=5),
        "run_id": "r",
    }


@pytest.fixture(scope="package")
def make_lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], DemandLake]:
    """Makes an empty lake in a home of its own, whose demand.yaml asks for small models."""
    worlds = _worlds()

    def make() -> DemandLake:
        home = tmp_path_factory.mktemp("demand") / "home"
        home.mkdir()
        (home / "demand.yaml").write_text(DEMAND_YAML)
        return DemandLake(replace(settings_module.load({}), home=home, spark_memory="2g"), spark, worlds)

    return make


@pytest.fixture(scope="package")
def trained(make_lake: Callable[[], DemandLake]) -> DemandLake:
    """Tenant acme has 200 days and a champion; young has 60 days; bare has nothing in features."""
    from jobs.train_demand import run

    lake = make_lake()
    lake.land("acme", lake.weekly())
    lake.land("young", lake.weekly(products=2, days=200).recent(60))
    ctx = lake.context("acme", "young", "bare")
    run(ctx)
    lake.outcomes = ctx.outcomes
    return lake
