"""What was known of a tenant's series at its newest night: one of them whole, or all of them laid out to be summed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from serving.demand import DemandSeries, TenantSeries
from serving.lake import AnswerError, NotThereError
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
    """What the addresses of series ask of it."""

    def __init__(self, demand: DemandSeries) -> None:
        self._demand = demand
        self._shelf: Shelf[Past] = Shelf(SHELF_BYTES)

    def one(self, tenant: str, site: str, product: str) -> dict[str, Any]:
        """The row of one series, with `units` and `events` as lists.

        Raises NoSeriesError, UnknownSeriesError, UnreadableError.
        """

        def work(series: TenantSeries) -> dict[str, Any]:
            place = {"site": site, "product": product}
            rows = series.query(_ONE, place).to_pylist()
            if not rows and len(series.query(_ANY)):
                raise UnknownSeriesError(tenant, place)
            if not rows:
                raise NoSeriesError(tenant)
            return rows[0] | {name: json.loads(rows[0][name]) for name in ("units", "events")}

        return self._read(tenant, work)

    def past(self, tenant: str) -> Past:
        """All series of the tenant. Raises NoSeriesError, UnreadableError."""

        def work(series: TenantSeries) -> Past:
            key = tenant, series.version
            return self._shelf.get(key, lambda: _lay_out(series, key))

        return self._read(tenant, work)

    def promotions(self, tenant: str, product: str, site: str | None) -> list[Event]:
        """Of a product at a site, or at any. Raises NoSeriesError, UnreadableError."""

        def work(series: TenantSeries) -> list[Event]:
            rows = series.query(_OF_PRODUCT, {"product": product}).to_pylist()
            events = [e for row in rows if site in (None, row["site"]) for e in json.loads(row["events"])]
            return [event for event in events if event["kind"] == PROMOTION]

        return self._read(tenant, work)

    def _read(self, tenant: str, work: Callable[[TenantSeries], T]) -> T:
        try:
            return self._demand.read(tenant, work)
        except NotThereError as error:
            raise NoSeriesError(tenant) from error


def _lay_out(series: TenantSeries, key: Key) -> Past:
    rows = series.query(_PAST)
    if not len(rows):
        raise NoSeriesError(series.tenant)
    return Past.of(key, rows, series.query(_EVENTS).to_pylist())
