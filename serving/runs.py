"""What the jobs noted of their runs: which nights may be served, which tenant's newest night failed, who is champion."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from expectations.tables import JOB_RUNS, PROMOTIONS
from serving.lake import Lake, NotThereError, Snapshot

FORECAST_JOB = "forecast-demand"  # the job whose verdict decides whether its night is served
NIGHT_JOBS = ("silver", "features", FORECAST_JOB)  # a tenant that fails in one of them gets no forecast that night

_LATEST = """
    SELECT job, tenant, run_id, date, status, reason, seconds, started_at, ended_at FROM runs
    QUALIFY row_number() OVER (PARTITION BY job, tenant ORDER BY ended_at DESC) = 1
    ORDER BY job, tenant
"""
_WITHHELD = """
    SELECT tenant, run_id FROM runs WHERE job = $job
    QUALIFY row_number() OVER (PARTITION BY tenant, run_id ORDER BY ended_at DESC) = 1 AND status <> 'ok'
"""
_CHAMPIONS = """
    SELECT tenant, model_name, model_version, run_id, reason, decided_at FROM promotions
    WHERE promoted OR decision = 'rolled_back'
    QUALIFY promoted AND row_number() OVER (PARTITION BY tenant, model_name ORDER BY decided_at DESC, promoted DESC) = 1
    ORDER BY tenant, model_name
"""


@dataclass(frozen=True)
class Runs:
    """The state of `job_runs` at one version.

    `latest` has a row for each job and tenant, `withheld` the forecast runs (tenant, run_id) that failed or were
    blocked: nothing ungated is served.
    """

    version: tuple[str, int] = ("", -1)
    latest: tuple[dict[str, Any], ...] = ()
    withheld: frozenset[tuple[str, str]] = frozenset()
    by_tenant: dict[str, list[dict[str, Any]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.latest:
            self.by_tenant.setdefault(row["tenant"], []).append(row)

    def failed_since(self, tenant: str, night: date | None) -> dict[str, Any] | None:
        """The run that stopped the tenant's newest night after `night`, or None when none failed since."""
        rows = [
            r for r in self.by_tenant.get(tenant, ()) if r["job"] in NIGHT_JOBS and r["status"] != "ok" and r["date"]
        ]
        rows = [r for r in rows if night is None or r["date"] > night]
        # What failed comes before what was blocked by it, and of those the newest night, the earliest step.
        rows.sort(key=lambda r: (-r["date"].toordinal(), r["status"] != "failed", r["ended_at"]))
        return rows[0] if rows else None


class Ledger:
    """Reads `job_runs` and `promotions`, once for each version of them. A table not there yet is an empty one."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._lock = threading.Lock()
        self._runs = Runs()
        self._champions: tuple[tuple[str, int], list[dict[str, Any]]] = (("", -1), [])
        self.job_runs = lake.table(JOB_RUNS)
        self._promotions = lake.table(PROMOTIONS)

    def runs(self) -> Runs:
        """The newest state. Raises UnreadableError."""
        try:
            return self._lake.read(self.job_runs, self._runs_of)
        except NotThereError:
            return Runs()

    def tenants(self) -> list[str]:
        """Every tenant of which a run is noted. Raises UnreadableError."""
        return sorted(self.runs().by_tenant)

    @property
    def at_hand(self) -> Runs | None:
        """The runs as known WAIT_SECONDS ago at most, if that can be told without a look into storage."""
        held = self.job_runs.held
        known = self._runs if held else Runs()
        is_known = self.job_runs.is_recent and (held is None or held.identity == known.version)
        return known if is_known else None

    def champions(self) -> list[dict[str, Any]]:
        """The last promoted version of each tenant's models, unless it was rolled back. Raises UnreadableError."""
        try:
            return self._lake.read(self._promotions, self._champions_of)
        except NotThereError:
            return []

    def _runs_of(self, snapshot: Snapshot) -> Runs:
        if self._runs.version != snapshot.identity:
            with self._lock:
                if self._runs.version != snapshot.identity:
                    runs = snapshot.dataset()
                    latest = self._lake.query(_LATEST, {}, runs=runs).to_pylist()
                    withheld = self._lake.query(_WITHHELD, {"job": FORECAST_JOB}, runs=runs).to_pylist()
                    refused = frozenset((r["tenant"], r["run_id"]) for r in withheld)
                    self._runs = Runs(snapshot.identity, tuple(latest), refused)
        return self._runs

    def _champions_of(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        identity, rows = self._champions
        if identity != snapshot.identity:
            rows = self._lake.query(_CHAMPIONS, {}, promotions=snapshot.dataset()).to_pylist()
            self._champions = (snapshot.identity, rows)
        return rows
