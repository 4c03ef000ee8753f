"""Each series of a night in one row: what is forecast in all, what the night before said of the same days, its product's name and price."""

from __future__ import annotations

import pyarrow as pa

from serving.demand import NONE_KNOWN, DemandSeries, TenantSeries
from serving.forecasts import Forecasts, Found
from serving.lake import Lake, NotThereError, Snapshot
from serving.nights import Held, Night, NightKey, Shelf
from serving.rows import files_of, month_of

SHELF_BYTES = 64 * 2**20  # one tenant of 10,000 series takes 1 MB
CHAMPION = "champion"  # the method of a forecast for which no fallback stood in

_TOTALS = """
    WITH pairs AS (
        SELECT rows.site, rows.product, rows.method, rows.fallback_reason, rows.units_point AS now,
            before.units_point AS was FROM rows LEFT JOIN before
            ON rows.site = before.site AND rows.product = before.product AND rows.date = before.date
            AND rows.period = before.period
    ), summed AS (
        SELECT site, product, sum(now) AS units, sum(now) FILTER (was IS NOT NULL) AS units_same, sum(was) AS units_before,
            bool_or(method <> $champion) AS by_fallback, any_value(fallback_reason) AS fallback_reason
        FROM pairs GROUP BY site, product
    )
    SELECT summed.*, known.product_name AS name, known.product_group, known.product_sub_group, known.unit_price
    FROM summed LEFT JOIN known USING (site, product) ORDER BY site, product
"""
_BEFORE = "SELECT site, product, date, period, units_point FROM files WHERE tenant = $tenant AND night = $night"
_NONE_BEFORE = pa.schema(
    [
        ("site", pa.string()),
        ("product", pa.string()),
        ("date", pa.date32()),
        ("period", pa.string()),
        ("units_point", pa.float64()),
    ]
)


class NightTotals(Held):
    """`rows` has a row for each series, ordered by site and product: site, product, units, units_same, units_before,
    by_fallback, fallback_reason, name, product_group, product_sub_group, unit_price.

    `units` are those of the point forecast over the horizon [piece]; `units_before` what the night `before` said of those
    days that both forecast, `units_same` this night of the same days; both null where there are none.
    """

    before: NightKey | None


class Totals:
    """Makes them, and keeps those of the nights used last."""

    def __init__(self, lake: Lake, forecasts: Forecasts, demand: DemandSeries) -> None:
        self._lake = lake
        self._forecasts = forecasts
        self._files = forecasts.table
        self._demand = demand
        self._shelf: Shelf[NightTotals] = Shelf(SHELF_BYTES)

    def of(self, found: Found[Night]) -> NightTotals:
        """The totals of a night that is served. Raises UnreadableError."""
        before = self._forecasts.before(found.night.key)
        try:
            return self._demand.read(found.night.key.tenant, lambda known: self._get(found.night, before, known))
        except NotThereError:
            return self._get(found.night, before, None)

    def _get(self, night: Night, before: NightKey | None, known: TenantSeries | None) -> NightTotals:
        sources = (*(before.runs if before else ()), str(known and known.version))
        key = NightKey(night.key.tenant, night.key.night, (*night.key.runs, *sources))
        return self._shelf.get(key, lambda: self._make(key, night, before, known))

    def _make(self, key: NightKey, night: Night, before: NightKey | None, known: TenantSeries | None) -> NightTotals:
        products = known.known() if known else NONE_KNOWN.empty_table()
        sources = {"rows": night.rows, "before": self._said(before), "known": products}
        made = NightTotals(key, self._lake.query(_TOTALS, {"champion": CHAMPION}, **sources), night.summary)
        made.before = before
        return made

    def _said(self, night: NightKey | None) -> pa.Table:
        """The point forecasts of a night."""
        if night is None:
            return _NONE_BEFORE.empty_table()
        params: dict[str, object] = {"tenant": night.tenant, "night": night.night}

        def work(snapshot: Snapshot) -> pa.Table:
            return self._lake.query(_BEFORE, params, files=files_of(snapshot, night.tenant, month_of(night.night)))

        return self._lake.read(self._files, work)
