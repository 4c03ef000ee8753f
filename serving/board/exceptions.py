"""What a planner should look at first, most severe first: what stopped, what drifts, what changed, what was wrong, what is a stopgap."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa

from expectations.contract import Contract
from expectations.tables import DEMAND_MONITOR, DEMAND_SCORES
from serving.forecasts import Found
from serving.lake import Filters, Lake, NotThereError, Snapshot
from serving.nights import Night
from serving.runs import NIGHT_JOBS
from serving.totals import NightTotals

SEVERITIES = ("high", "medium", "low")
KINDS = ("blocked", "alert", "stale_override", "error", "change", "fallback")
MOST = 50
LEAST_PIECES = 10  # over the horizon, or of error: what is less is no planner's business
JUDGED_DAYS, JUDGED_NIGHTS = 7, 28  # errors of the first week ahead, in the last four weeks of nights that are judged
JUDGED_BACK = 120  # days in which those nights are looked for
ALERT_DAYS = 28
KEPT = 1000  # tenants of which the answers are kept until their tables change

# A change by half or to the double is high, whichever way it goes. Ordered by money, else by pieces.
_CHANGES = """
    SELECT site, product, name, units_same, units_before, (units_same - units_before) * unit_price AS value_change,
        CASE WHEN ratio >= 2 THEN 'high' WHEN ratio >= 1.5 THEN 'medium' ELSE 'low' END AS severity, count(*) OVER () AS total
    FROM (SELECT *, greatest(units_same, units_before) / least(units_same, units_before) AS ratio FROM totals)
    WHERE abs(units_same - units_before) >= $least AND ratio >= 1.25
    ORDER BY severity = 'low', severity = 'medium', abs(value_change) DESC NULLS LAST,
        abs(units_same - units_before) DESC, site, product
    LIMIT $most
"""
_FALLBACKS = """
    SELECT site, product, name, fallback_reason AS reason, 'low' AS severity, count(*) OVER () AS total FROM totals
    WHERE by_fallback ORDER BY units * unit_price DESC NULLS LAST, units DESC, site, product LIMIT $most
"""
# One cause for all of them, as before the first champion, is one thing to know.
_FALLBACK_OF_ALL = """
    SELECT NULL AS site, NULL AS product, NULL AS name, any_value(fallback_reason) AS reason, 'medium' AS severity
    FROM totals HAVING count(*) > 1 AND bool_and(by_fallback) AND count(DISTINCT fallback_reason) = 1
"""
# Worse than seasonal naive is medium, by half high; as good, and still off by half of the units, is low.
_ERRORS = """
    SELECT judged.*, name, count(*) OVER () AS total, CASE WHEN error > 1.5 * naive THEN 'high'
        WHEN error > 1.1 * naive THEN 'medium' ELSE 'low' END AS severity
    FROM judged JOIN (SELECT site, product, name, unit_price FROM totals) USING (site, product)
    WHERE error >= $least AND (error > 1.1 * naive OR error > 0.5 * units)
    ORDER BY severity = 'low', severity = 'medium', (error - naive) * unit_price DESC NULLS LAST, error DESC, site, product
    LIMIT $most
"""
_JUDGED = """
    SELECT site, product, sum(units) AS units, sum(absolute_error) AS error, sum(naive_absolute_error) AS naive,
        count(*) AS nights
    FROM files WHERE tenant = $tenant AND days = $days AND night > (
        SELECT max(night) FROM files WHERE tenant = $tenant AND days = $days) - $nights
    GROUP BY site, product
"""
_ALERTS = """
    SELECT measure, night, evidence FROM files WHERE tenant = $tenant AND alarm AND night > $since AND night <= $until
    ORDER BY night DESC, evidence DESC
"""

Source = Callable[[str], Sequence[dict[str, Any]]]


class Exceptions:
    """Finds them. `more` are those of other parts, by tenant: each with its kind and severity, the most severe first."""

    def __init__(self, lake: Lake, more: Sequence[Source] = ()) -> None:
        self._lake = lake
        self._more = more
        self._scores, self._monitor = lake.table(DEMAND_SCORES), lake.table(DEMAND_MONITOR)
        self._kept: OrderedDict[Hashable, pa.Table] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, found: Found[Night], totals: NightTotals) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """The first MOST of all kinds, and how many there are of each. Raises UnreadableError."""
        tenant = found.night.key.tenant
        by_kind = {
            "blocked": _blocked(found),
            "alert": self._alerts(found),
            "error": self._errors(tenant, totals),
            "change": self._rows(_CHANGES, {"least": LEAST_PIECES, "most": MOST}, totals=totals.rows),
            "fallback": self._rows(_FALLBACK_OF_ALL, {}, totals=totals.rows)
            or self._rows(_FALLBACKS, {"most": MOST}, totals=totals.rows),
        }
        listed = [{"kind": kind, **row} for kind, rows in by_kind.items() for row in rows]
        listed += [row for source in self._more for row in source(tenant)]
        count = Counter(row["kind"] for row in listed)
        for kind, rows in by_kind.items():
            count[kind] = rows[0].get("total", len(rows)) if rows else 0
        first = [{name: value for name, value in row.items() if name != "total"} for row in in_turn(listed)[:MOST]]
        return first, {kind: count[kind] for kind in KINDS}

    def _rows(self, sql: str, params: dict[str, object], **sources: pa.Table) -> list[dict[str, Any]]:
        return self._lake.query(sql, params, **sources).to_pylist()

    def _errors(self, tenant: str, totals: NightTotals) -> list[dict[str, Any]]:
        first = totals.key.night - timedelta(days=JUDGED_BACK)
        params = {"tenant": tenant, "days": JUDGED_DAYS, "nights": JUDGED_NIGHTS}
        recent = [("tenant", "=", tenant), ("night_month", ">=", f"{first:%Y-%m}")]
        judged = self._read(DEMAND_SCORES, _JUDGED, params, recent)
        if judged is None:
            return []
        rows = self._rows(_ERRORS, {"least": LEAST_PIECES, "most": MOST}, judged=judged, totals=totals.rows)
        for row in rows:
            error, naive = row.pop("error"), row.pop("naive")
            row |= {"days": JUDGED_DAYS, "wape": _share(error, row["units"]), "naive_wape": _share(naive, row["units"])}
        return rows

    def _alerts(self, found: Found[Night]) -> list[dict[str, Any]]:
        key = found.night.key
        params = {"tenant": key.tenant, "since": key.night - timedelta(days=ALERT_DAYS), "until": key.night}
        rows = self._read(DEMAND_MONITOR, _ALERTS, params, None)
        return [{"severity": "medium", **_NO_SERIES, **row} for row in rows.to_pylist()] if rows else []

    def _read(self, contract: Contract, sql: str, params: dict[str, Any], filters: Filters | None) -> pa.Table | None:
        """What a table says, read once for each version of it; None where it is not there yet."""

        def work(snapshot: Snapshot) -> pa.Table:
            asked = (contract.name, snapshot.identity, *params.values())
            with self._lock:
                if asked in self._kept:
                    return self._kept[asked]
            rows = self._lake.query(sql, params, files=snapshot.dataset(filters))
            with self._lock:
                self._kept[asked] = rows
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return rows

        try:
            return self._lake.read(self._lake.table(contract), work)
        except NotThereError:
            return None


_NO_SERIES = dict.fromkeys(("site", "product", "name"))


def in_turn(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The most severe first; among those the first of each kind, then the second: none hides the others."""
    place: Counter[tuple[str, str]] = Counter()
    keyed = []
    for row in rows:
        of = (row["severity"], row["kind"])
        keyed.append(((SEVERITIES.index(row["severity"]), place[of], KINDS.index(row["kind"])), row))
        place[of] += 1
    return [row for _, row in sorted(keyed, key=lambda pair: pair[0])]


def _blocked(found: Found[Night]) -> list[dict[str, Any]]:
    """The run that stopped a newer night, then the jobs whose last run did not go well since this one."""
    key = found.night.key
    stopped = found.runs.failed_since(key.tenant, key.night)
    rows = [run for run in found.runs.by_tenant.get(key.tenant, ()) if run["status"] != "ok" and run is not stopped]
    rows = [run for run in rows if run["job"] not in NIGHT_JOBS and (run["date"] is None or run["date"] >= key.night)]
    return [
        {
            "severity": "high" if run is stopped else "medium",
            **_NO_SERIES,
            "job": run["job"],
            "reason": run["reason"],
            "status": run["status"],
            "night": run["date"],
        }
        for run in ([stopped] if stopped else []) + sorted(rows, key=lambda run: run["ended_at"], reverse=True)
    ]


def _share(error: float, units: float) -> float | None:
    return error / units if units else None
