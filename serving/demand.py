"""The one reader of `demand_series`: what is known of a tenant's series at its newest night, and what they sold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from expectations.tables import DEMAND_SERIES
from serving.lake import AnswerError, Lake, Snapshot

T = TypeVar("T")
_KNOWN = ("site", "product", "product_name", "product_group", "product_sub_group", "unit_price")
# sites that told none count with those that did
_CURRENCIES = (
    "SELECT tenant, any_value(currency) AS currency FROM files GROUP BY tenant HAVING count(DISTINCT currency) = 1"
)
NONE_KNOWN = pa.schema([DEMAND_SERIES.by_name[name].field for name in _KNOWN])


@dataclass(frozen=True)
class TenantSeries:
    """The rows of one tenant at one version of the table. Every query is of that tenant: by partition, and again in SQL."""

    lake: Lake
    snapshot: Snapshot
    tenant: str

    @property
    def version(self) -> tuple[str, int]:
        return self.snapshot.identity

    def query(self, sql: str, params: Mapping[str, object] | None = None, **tables: pa.Table) -> pa.Table:
        """`sql` over `files`, which are the tenant's, and over `tables`; it names `$tenant`."""
        files = self.snapshot.dataset([("tenant", "=", self.tenant)])
        return self.lake.query(sql, {"tenant": self.tenant, **(params or {})}, files=files, **tables)

    def known(self) -> pa.Table:
        """Names, groups and prices: the columns of NONE_KNOWN, a row a series."""
        return self.query(f"SELECT {', '.join(_KNOWN)} FROM files WHERE tenant = $tenant")  # noqa: S608 - names of ours


class DemandSeries:
    """The table."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._table = lake.table(DEMAND_SERIES)
        self._currencies: tuple[object, dict[str, str]] = (None, {})

    def read(self, tenant: str, work: Callable[[TenantSeries], T]) -> T:
        """What `work` makes of a tenant's rows. Raises NotThereError, UnreadableError, and what `work` raises."""
        return self._lake.read(self._table, lambda snapshot: work(TenantSeries(self._lake, snapshot, tenant)))

    def currency_of(self, tenant: str) -> str | None:
        """What a tenant's prices are in (ISO 4217); None where its sites tell none or several, or the table none at all."""
        try:
            return self._lake.read(self._table, self._currencies_at).get(tenant)
        except AnswerError:  # prices are not there either, and their reader says why
            return None

    def _currencies_at(self, snapshot: Snapshot) -> dict[str, str]:
        version, known = self._currencies
        if version != snapshot.identity:
            files = snapshot.dataset()
            is_told = "currency" in files.schema.names  # since version 1.1 of the contract
            rows = self._lake.query(_CURRENCIES, {}, files=files).to_pylist() if is_told else []
            known = {row["tenant"]: row["currency"] for row in rows}
            self._currencies = snapshot.identity, known
        return known
