"""How good the forecasts of a tenant's series were, by what became of those of the last nights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from expectations.tables import DEMAND_SCORES
from serving.lake import Lake, NotThereError, Snapshot
from serving.nights import Shelf

NIGHTS = 90  # before the night that is answered
WINDOWS = (7, 28)  # days after a night by which it is judged
SHELF_BYTES = 64 * 2**20  # one tenant of 10,000 series takes 2 MB

_SUMS = """
    SELECT site, product, days, count(DISTINCT night) AS nights, sum(units) AS units, sum(forecast_units) AS forecast_units,
        sum(absolute_error) AS absolute_error, sum(naive_absolute_error) AS naive_absolute_error,
        sum(covered_days)::BIGINT AS covered_days, sum(known_days)::BIGINT AS known_days
    FROM files WHERE tenant = $tenant AND night_month BETWEEN $first_month AND $last_month AND night BETWEEN $first AND $last
    GROUP BY site, product, days
"""
_MEASURES = """
    SELECT days, max(nights) AS nights, sum(units) AS units, sum(absolute_error) / nullif(sum(units), 0) AS wape,
        (sum(forecast_units) - sum(units)) / nullif(sum(units), 0) AS bias,
        sum(naive_absolute_error) / nullif(sum(units), 0) AS naive_wape,
        1 - sum(absolute_error) / nullif(sum(naive_absolute_error), 0) AS value_added,
        sum(covered_days) / nullif(sum(known_days), 0) AS covered
    FROM rows JOIN wanted USING (site, product) GROUP BY days
"""
NOT_JUDGED = {"nights": 0} | dict.fromkeys(("units", "wape", "bias", "naive_wape", "value_added", "covered"))


@dataclass(frozen=True)
class Judged:
    """The sums of each series' scores over NIGHTS nights, as one version of the table has them."""

    key: tuple[str, date, tuple[str, int]]
    rows: pa.Table

    @property
    def bytes(self) -> int:
        return int(self.rows.nbytes)


class Accuracy:
    """Reads `demand_scores`. A table that is not there yet is an empty one."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._table = lake.table(DEMAND_SCORES)
        self._shelf: Shelf[Judged] = Shelf(SHELF_BYTES)

    def of(self, tenant: str, night: date, wanted: pa.Table) -> list[dict[str, Any]]:
        """A row for each of WINDOWS, over the series of `wanted` (site, product) and the last nights up to `night`.

        Raises UnreadableError.
        """
        try:
            judged = self._lake.read(self._table, lambda snapshot: self._judged(snapshot, tenant, night))
        except NotThereError:
            return [{"days": days, **NOT_JUDGED} for days in WINDOWS]
        found = {
            row["days"]: row for row in self._lake.query(_MEASURES, {}, rows=judged.rows, wanted=wanted).to_pylist()
        }
        return [found.get(days, {"days": days, **NOT_JUDGED}) for days in WINDOWS]

    def version(self) -> object:
        """What tells one state of the scores from another."""
        try:
            return self._table.snapshot().identity
        except NotThereError:
            return None

    def _judged(self, snapshot: Snapshot, tenant: str, night: date) -> Judged:
        key = tenant, night, snapshot.identity
        return self._shelf.get(key, lambda: Judged(key, self._sums(snapshot, tenant, night)))

    def _sums(self, snapshot: Snapshot, tenant: str, night: date) -> pa.Table:
        first = night - timedelta(days=NIGHTS - 1)
        params: dict[str, object] = {"tenant": tenant, "first": first, "last": night}
        params |= {"first_month": f"{first:%Y-%m}", "last_month": f"{night:%Y-%m}"}
        files = snapshot.dataset([("tenant", "=", tenant), ("night_month", ">=", f"{first:%Y-%m}")])
        return self._lake.query(_SUMS, params, files=files)
