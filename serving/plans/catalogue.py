"""What is known of a tenant's series beside their forecasts: names, groups, prices, what was sold."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from serving.demand import DemandSeries, TenantSeries
from serving.lake import NotThereError
from serving.plans.arithmetic import PERIOD_DAYS, Change, Hierarchy

KEPT_SERIES = 300_000  # entries held in memory, of 0.5 KB
Key = tuple[str, str]  # site and product
_SOLD = """
    SELECT site, product, first_date, units, period FROM files JOIN wanted USING (site, product)
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

    def series(self, change: Change) -> list[Key]:
        """The series of a change's node."""
        return [self._keys[i] for i in self._hierarchy.series(change.node)]

    @cached_property
    def _keys(self) -> list[Key]:
        return list(self.entries)

    @cached_property
    def _hierarchy(self) -> Hierarchy:
        entries = list(self.entries.values())
        return Hierarchy(
            {
                "site": [site for site, _ in self._keys],
                "product": [product for _, product in self._keys],
                "product_group": [entry.product_group for entry in entries],
                "product_sub_group": [entry.product_sub_group for entry in entries],
            }
        )

    @cached_property
    def names(self) -> dict[str, str]:
        """The names of products, of those that have one."""
        return {product: entry.name for (_, product), entry in self.entries.items() if entry.name}


class Sold:
    """What some series sold, by the period of `days` days that begins at a date."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """`rows`: site, product, first_date, units (a JSON list, null where unknown) and period of each series."""
        self.days = PERIOD_DAYS[rows[0]["period"]] if rows else 1
        self._first = min((row["first_date"] for row in rows), default=date.min)
        units = [json.loads(row["units"]) for row in rows]
        begins = [(row["first_date"] - self._first).days // self.days for row in rows]
        long = max((begin + len(of) for begin, of in zip(begins, units, strict=True)), default=0)
        self._units = np.full((len(rows), long), np.nan)
        for i, (begin, of) in enumerate(zip(begins, units, strict=True)):
            self._units[i, :begin] = 0.0  # before it began nothing was sold
            self._units[i, begin : begin + len(of)] = of
        self._places = {(row["site"], row["product"]): i for i, row in enumerate(rows)}

    def units(self, series: Iterable[Key], days: Sequence[date]) -> dict[date, float]:
        """The units of all these series together, of those of `days` for which each one's are known."""
        places = [self._places.get(key, -1) for key in series]
        if not places or -1 in places:
            return {}
        found: dict[date, float] = {}
        for day in days:
            column, rest = divmod((day - self._first).days, self.days)
            if not rest and 0 <= column < self._units.shape[1]:
                total = float(self._units[places, column].sum())
                if not np.isnan(total):
                    found[day] = total
        return found


class Catalogue:
    """What plans ask of `demand_series`. A table that is not there yet is an empty one."""

    def __init__(self, demand: DemandSeries) -> None:
        self._demand = demand
        self._held: OrderedDict[str, Known] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, tenant: str) -> Known:
        """What is known of a tenant's series. Raises UnreadableError."""
        try:
            return self._demand.read(tenant, self._known)
        except NotThereError:
            return Known()

    def sold(self, tenant: str, series: Collection[Key]) -> Sold:
        """What these series sold. Raises UnreadableError."""
        sites, products = ([key[i] for key in series] for i in (0, 1))
        wanted = pa.table({"site": pa.array(sites, pa.string()), "product": pa.array(products, pa.string())})
        try:
            return self._demand.read(tenant, lambda of: Sold(of.query(_SOLD, wanted=wanted).to_pylist()))
        except NotThereError:
            return Sold([])

    def _known(self, series: TenantSeries) -> Known:
        tenant = series.tenant
        with self._lock:
            held = self._held.get(tenant)
        if held and held.version == series.version:
            return held
        found = Known(
            series.version,
            {
                (r["site"], r["product"]): Entry(
                    r["product_name"], r["product_group"], r["product_sub_group"], r["unit_price"]
                )
                for r in series.known().to_pylist()
            },
        )
        with self._lock:
            self._held[tenant] = found
            self._held.move_to_end(tenant)
            while len(self._held) > 1 and sum(len(k.entries) for k in self._held.values()) > KEPT_SERIES:
                self._held.popitem(last=False)
        return found
