"""What is known of a tenant's series beside their forecasts: names, groups, prices, what was sold."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import pyarrow as pa

from expectations.tables import DEMAND_SERIES
from serving.lake import Lake, NotThereError, Snapshot

KEPT_SERIES = 300_000  # entries held in memory, of 0.5 KB
Key = tuple[str, str]  # site and product
_KNOWN = """
    SELECT site, product, product_name, product_group, product_sub_group, unit_price FROM files WHERE tenant = $tenant
"""
_SOLD = """
    SELECT site, product, night, first_date, units, period FROM files JOIN wanted USING (site, product)
    WHERE tenant = $tenant
"""


@dataclass(frozen=True)
class Entry:
    """One series."""

    name: str | None = None
    product_group: str | None = None
    product_sub_group: str | None = None
    unit_price: float | None = None


@dataclass(frozen=True)
class Known:
    """The series of a tenant at one version of their table; `entries` is empty where nothing is known."""

    version: tuple[str, int] = ("", -1)
    entries: dict[Key, Entry] = field(default_factory=dict)

    @cached_property
    def names(self) -> dict[str, str]:
        """The names of products, of those that have one."""
        return {product: entry.name for (_, product), entry in self.entries.items() if entry.name}


@dataclass(frozen=True)
class Sold:
    """What a series sold: `units` of each period from `first` to the night, None where unknown."""

    first: date
    night: date
    days: int
    units: list[float | None]

    def at(self, day: date) -> float | None:
        """The units of the period that begins at `day`, 0 before the series began; None where they are not known."""
        if day < self.first:
            return 0.0
        place, rest = divmod((day - self.first).days, self.days)
        return self.units[place] if not rest and place < len(self.units) else None


class Catalogue:
    """Reads `demand_series`. A table that is not there yet is an empty one."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._table = lake.table(DEMAND_SERIES)
        self._held: OrderedDict[str, Known] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, tenant: str) -> Known:
        """What is known of a tenant's series. Raises UnreadableError."""
        try:
            return self._lake.read(self._table, lambda snapshot: self._known(snapshot, tenant))
        except NotThereError:
            return Known()

    def sold(self, tenant: str, series: Iterable[Key]) -> dict[Key, Sold]:
        """What these series sold. Raises UnreadableError."""
        sites, products = zip(*series, strict=True) if (series := list(series)) else ((), ())
        wanted = pa.table({"site": pa.array(sites, pa.string()), "product": pa.array(products, pa.string())})

        def work(snapshot: Snapshot) -> dict[Key, Sold]:
            rows = self._lake.query(_SOLD, {"tenant": tenant}, files=snapshot.dataset(), wanted=wanted).to_pylist()
            return {
                (r["site"], r["product"]): Sold(
                    r["first_date"], r["night"], 7 if r["period"] == "week" else 1, json.loads(r["units"])
                )
                for r in rows
            }

        try:
            return self._lake.read(self._table, work)
        except NotThereError:
            return {}

    def _known(self, snapshot: Snapshot, tenant: str) -> Known:
        with self._lock:
            held = self._held.get(tenant)
        if held and held.version == snapshot.identity:
            return held
        rows = self._lake.query(_KNOWN, {"tenant": tenant}, files=snapshot.dataset()).to_pylist()
        found = Known(
            snapshot.identity,
            {
                (r["site"], r["product"]): Entry(
                    r["product_name"], r["product_group"], r["product_sub_group"], r["unit_price"]
                )
                for r in rows
            },
        )
        with self._lock:
            self._held[tenant] = found
            self._held.move_to_end(tenant)
            while len(self._held) > 1 and sum(len(k.entries) for k in self._held.values()) > KEPT_SERIES:
                self._held.popitem(last=False)
        return found
