"""The overview of a tenant's morning: totals of its night, how fresh the tables are, how the night went, what to look at first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from serving.answers import head_of
from serving.board.exceptions import Exceptions, Source
from serving.board.freshness import freshness
from serving.forecasts import Forecasts
from serving.lake import Lake
from serving.runs import Runs
from serving.status import EachTable
from serving.totals import NightTotals, Totals

_TOTALS = """
    SELECT sum(units) AS units, sum(units_before) AS units_before, sum(units_same) AS units_same,
        sum(units * unit_price) AS value, count(unit_price) AS value_of_series, count(*) AS series,
        count(*) FILTER (by_fallback) AS by_fallback
    FROM totals
"""
_STEP = ("job", "status", "reason", "ended_at", "seconds")


class Overview:
    """Puts it together. `currency` tells what a tenant's prices are in, `more` gives exceptions of other parts."""

    def __init__(
        self,
        lake: Lake,
        forecasts: Forecasts,
        totals: Totals,
        tables: EachTable,
        currency: Callable[[str], str | None],
        now: Callable[[], datetime],
        more: Sequence[Source] = (),
    ) -> None:
        self._lake = lake
        self._forecasts = forecasts
        self._tables = tables
        self._now = now
        self._totals = totals
        self._currency = currency
        self._exceptions = Exceptions(lake, more)

    def of(self, tenant: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Head and rest of the tenant's overview.

        Raises UnknownTenantError, NoGoodNightError, NotThereError, UnreadableError.
        """
        found, now = self._forecasts.night(tenant), self._now()
        totals = self._totals.of(found)
        exceptions, count = self._exceptions.of(found, totals)
        return head_of(found, now), {
            "currency": self._currency(tenant),
            "totals": self._sum(totals),
            "freshness": freshness(self._tables, now),
            "last_night": night_of(found.runs, tenant),
            "exceptions": exceptions,
            "exceptions_total": count,
        }

    def _sum(self, totals: NightTotals) -> dict[str, Any]:
        row: dict[str, Any] = self._lake.query(_TOTALS, {}, totals=totals.rows).to_pylist()[0]
        return row


def night_of(runs: Runs, tenant: str) -> dict[str, Any]:
    """How the jobs of the tenant's newest night went, good or not, in their order."""
    rows = [run for run in runs.by_tenant.get(tenant, ()) if run["date"]]
    newest = max((run["date"] for run in rows), default=None)
    steps = sorted((run for run in rows if run["date"] == newest), key=lambda run: run["ended_at"])
    return {"night": newest, "steps": [{name: run[name] for name in _STEP} for run in steps]}
