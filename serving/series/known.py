"""What was known of a tenant's series at its newest night: one of them whole, or all of them laid out to be summed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pyarrow as pa

from expectations.tables import DEMAND_SERIES
from serving.lake import AnswerError, Lake, NotThereError, Snapshot
from serving.nights import Shelf
from serving.series.past import PROMOTION, Event, Key, Past

T = TypeVar("T")
SHELF_BYTES = 256 * 2**20  # one tenant of 10,000 series takes 60 MB

_ONE = "SELECT * FROM files WHERE tenant = $tenant AND site = $site AND product = $product"
_ANY = "SELECT 1 FROM files WHERE tenant = $tenant LIMIT 1"
_PAST = """
    SELECT site, product, product_group, product_sub_group, night, period, first_date,
        from_json(units, '["DOUBLE"]') AS units
    FROM files WHERE tenant = $tenant ORDER BY site, product
"""
# the shortest has the fewest promotions beside what is the site's
_EVENTS = "SELECT site, arg_min(events, length(events)) AS events FROM files WHERE tenant = $tenant GROUP BY site"
_OF_PRODUCT = "SELECT site, events FROM files WHERE tenant = $tenant AND product = $product"


class UnknownSeriesError(AnswerError):
    """Nothing is known of the series, or of any at a place of the hierarchy."""

    kind = "unknown-series"

    def __init__(self, tenant: str, place: Mapping[str, str | None]) -> None:
        told = ", ".join(f"{name} {value or 'not known'}" for name, value in place.items())
        super().__init__(f"'{tenant}' has no series of {told}: take codes from /v1/tenants/{tenant}/series")


class NoSeriesError(AnswerError):
    """The table is not there, or has nothing of the tenant: its nights are older than the table."""

    kind = "no-series"

    def __init__(self, tenant: str) -> None:
        super().__init__(
            f"what was sold of the series of '{tenant}' has not been written yet: run `uretimiq run demand-series "
            f"--tenant {tenant}` with the --date of its last night"
        )


class Known:
    """Reads `demand_series`. Every query is of one tenant: by partition, and again in SQL."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._table = lake.table(DEMAND_SERIES)
        self._shelf: Shelf[Past] = Shelf(SHELF_BYTES)

    def one(self, tenant: str, site: str, product: str) -> dict[str, Any]:
        """The row of one series, with `units` and `events` as lists.

        Raises NoSeriesError, UnknownSeriesError, UnreadableError.
        """

        def work(snapshot: Snapshot) -> dict[str, Any]:
            place = {"site": site, "product": product}
            rows = self._query(snapshot, _ONE, tenant, place).to_pylist()
            if not rows and len(self._query(snapshot, _ANY, tenant)):
                raise UnknownSeriesError(tenant, place)
            if not rows:
                raise NoSeriesError(tenant)
            return rows[0] | {name: json.loads(rows[0][name]) for name in ("units", "events")}

        return self._read(tenant, work)

    def past(self, tenant: str) -> Past:
        """All series of the tenant. Raises NoSeriesError, UnreadableError."""

        def work(snapshot: Snapshot) -> Past:
            key = tenant, snapshot.identity
            return self._shelf.get(key, lambda: self._lay_out(snapshot, key))

        return self._read(tenant, work)

    def promotions(self, tenant: str, product: str, site: str | None) -> list[Event]:
        """Of a product at a site, or at any. Raises NoSeriesError, UnreadableError."""

        def work(snapshot: Snapshot) -> list[Event]:
            rows = self._query(snapshot, _OF_PRODUCT, tenant, {"product": product}).to_pylist()
            events = [e for row in rows if site in (None, row["site"]) for e in json.loads(row["events"])]
            return [event for event in events if event["kind"] == PROMOTION]

        return self._read(tenant, work)

    def _lay_out(self, snapshot: Snapshot, key: Key) -> Past:
        rows = self._query(snapshot, _PAST, key[0])
        if not len(rows):
            raise NoSeriesError(key[0])
        return Past.of(key, rows, self._query(snapshot, _EVENTS, key[0]).to_pylist())

    def _query(self, snapshot: Snapshot, sql: str, tenant: str, more: Mapping[str, object] | None = None) -> pa.Table:
        files = snapshot.dataset([("tenant", "=", tenant)])
        return self._lake.query(sql, {"tenant": tenant, **(more or {})}, files=files)

    def _read(self, tenant: str, work: Callable[[Snapshot], T]) -> T:
        try:
            return self._lake.read(self._table, work)
        except NotThereError as error:
            raise NoSeriesError(tenant) from error
