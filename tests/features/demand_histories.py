"""Histories to test with: rows of silver drawn by hand or made at random, and the frames that they are."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.tables import PRODUCTS, SALES, SITES

Row = dict[str, Any]
DAY = timedelta(days=1)
BEGIN = date(2024, 2, 20)  # before the spring's clock change; a year on comes the next
ZONES = ("Europe/Istanbul", "America/Los_Angeles", "Europe/Berlin", "Asia/Dhaka", "Pacific/Auckland")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def versions(rows: Iterable[Row], keys: tuple[str, ...]) -> list[Row]:
    """`rows` as silver keeps them: each with `superseded_at`, when the next version of its key became known."""
    by_key: dict[tuple[Any, ...], dict[datetime, Row]] = {}
    for row in rows:
        by_key.setdefault(tuple(row[k] for k in keys), {})[row["available_at"]] = row
    made = []
    for known in by_key.values():
        moments = [*sorted(known), None]
        made += [{**known[m], "superseded_at": after} for m, after in pairwise(moments) if m]
    return made


def frame(spark: Any, contract: Contract, rows: Iterable[Row]) -> Any:
    """A frame of silver; a column that a row does not have is null."""
    schema = pa.schema([f.with_nullable(True) for f in contract.schema_in(Zone.SILVER)])
    full = [{name: row.get(name) for name in schema.names} for row in rows]
    return spark.createDataFrame(pa.Table.from_pylist(full, schema=schema))


def sale(tenant: str, site: str, product: str, day: date, units: float, known: datetime, **more: Any) -> Row:
    row = {"tenant": tenant, "site": site, "product": product, "date": day, "units": units, "available_at": known}
    return {"unit_price": None, "promotion": None, "year": day.year, **row, **more}


def random_history(tenant: str, seed: int, days: int) -> tuple[list[Row], list[Row], list[Row]]:
    """Sales, sites and products of one tenant: gaps, closed days, late rows, corrections, moved products."""
    chance = random.Random(seed)
    late, gaps = chance.choice([0.0, 0.05, 0.3, 1.0]), chance.choice([0.0, 0.3, 0.8])
    closed = {
        n for n in range(days) if n % 7 == 6 or chance.random() < 0.03 or 40 < n < chance.choice([0, 50, 75, 130])
    }
    sales, sites = [], []
    for site in ("north", "south"):
        if chance.random() < 0.8:
            for n in range(chance.choice([1, 1, 2])):
                known = datetime(2024, 1, 1, tzinfo=UTC) + chance.randrange(days + 50) * DAY * n
                zone = chance.choice(ZONES)
                sites.append(
                    {"tenant": tenant, "site": site, "country": "TR", "time_zone": zone, "available_at": known}
                )
        for product in ("a", "b", "c"):
            begin = chance.choice([0, 0, 5, days // 2])
            for n in range(begin, days):
                if n in closed or chance.random() < gaps:
                    continue
                sales += _versions_of_a_day(chance, tenant, site, product, BEGIN + n * DAY, late)
    return sales, sites, [p for product in "ab" for p in _product(chance, tenant, product, days)]


def _versions_of_a_day(
    chance: random.Random, tenant: str, site: str, product: str, day: date, late: float
) -> list[Row]:
    known = datetime(day.year, day.month, day.day, tzinfo=UTC) + chance.randrange(20, 29) * DAY / 24
    if chance.random() < late:
        known += chance.choice([1, 1, 2, 5, 30, 200]) * DAY
    rows = []
    for _ in range(1 + (chance.random() < late / 3) + (chance.random() < late / 9)):
        price = chance.choice([None, round(chance.uniform(1, 9), 2)])
        promotion = chance.choice([None, True, False])
        units = chance.choice([0.0, 0.0, round(chance.uniform(0, 500), 3), chance.uniform(0, 1e-3), 1e6])
        rows.append(sale(tenant, site, product, day, units, known, unit_price=price, promotion=promotion))
        known += chance.choice([1, 3, 24, 24 * 40]) * DAY / 24
    return rows


def _product(chance: random.Random, tenant: str, product: str, days: int) -> list[Row]:
    rows = []
    for n in range(chance.choice([0, 1, 1, 2])):
        known = (
            datetime(2024, 1, 1, tzinfo=UTC)
            + chance.choice([0, 0, 1]) * chance.randrange(days + 50) * DAY
            + n * DAY * 60
        )
        group = chance.choice(["g", "h"])
        rows.append(
            {
                "tenant": tenant,
                "product": product,
                "product_group": group,
                "product_sub_group": group * 2,
                "available_at": known,
            }
        )
    return rows


def frames(spark: Any, sales: list[Row], sites: list[Row], products: list[Row]) -> tuple[Any, Any, Any]:
    return frame(spark, SALES, sales), frame(spark, SITES, sites), frame(spark, PRODUCTS, products)
