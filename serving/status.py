"""/v1/status: how old each table is, how the jobs' last runs went, which models are champions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from expectations.contract import Contract, Zone
from expectations.tables import TABLES
from serving import examples, schemas
from serving.answers import UNCHANGED, Reply, steady
from serving.identity.access import Access, Where
from serving.lake import Lake, NotThereError, Snapshot, UnreadableError
from serving.problems import responses
from serving.render import json_bytes
from serving.runs import Ledger

STATUS_THREADS = 8  # tables are asked for side by side: each look at S3 takes tens of milliseconds
PLACES = tuple(
    (contract, zone)
    for contract in TABLES.contracts
    for zone in ((Zone.BRONZE, Zone.SILVER) if contract.landed else (contract.zone,))
)


class StatusRoutes:
    """The address; `router` holds it."""

    def __init__(self, tables: EachTable, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._tables = tables
        self._ledger = ledger
        self._now = now
        needs = [Depends(Access("status:read", Where.QUERY))]
        self.router = APIRouter(tags=["status"], dependencies=needs)
        answers = {200: {"content": {"application/json": {"example": examples.STATUS}}}, **UNCHANGED, **responses()}
        self.router.add_api_route("/v1/status", self.status, response_model=schemas.Status, responses=answers)

    def status(
        self,
        request: Request,
        tenant: Annotated[str | None, Query(max_length=100, description="Only what concerns this tenant")] = None,
    ) -> Response:
        """State of the tables, the jobs and the champions: of all tenants (the operator's view), or of one."""
        now = self._now()

        def work(snapshot: Snapshot) -> dict[str, Any]:
            committed = snapshot.committed_at
            return {
                "version": snapshot.version,
                "last_commit": committed,
                "age_seconds": int((now - committed).total_seconds()) if committed else None,
                "rows": snapshot.rows if tenant is None else None,  # other tenants' rows are not this one's business
            }

        content = {
            "now": now,
            "tenant": tenant,
            "tables": self._tables.tell(work, "version", "last_commit", "age_seconds", "rows"),
            "jobs": _or_none(lambda: _jobs(_of(tenant, self._ledger.runs().latest), now)),
            "champions": _or_none(lambda: [_champion(c) for c in _of(tenant, self._ledger.champions())]),
        }
        reply = Reply(request, {}, steady(content))
        return reply.unchanged() if reply.is_known else reply.json(json_bytes(content))


class EachTable:
    """Asks all tables side by side."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._threads = ThreadPoolExecutor(STATUS_THREADS, "status")

    def tell(self, work: Callable[[Snapshot], dict[str, Any]], *names: str) -> list[dict[str, Any]]:
        """By contract and zone whether the table is there, and what `work` tells of it: `names`, null where it is not."""

        def told(place: tuple[Contract, Zone]) -> dict[str, Any]:
            contract, zone = place
            row = {"contract": contract.name, "zone": zone.value, "state": "there", **dict.fromkeys(names)}
            try:
                row |= self._lake.read(self._lake.table(contract, zone), work)
            except NotThereError:
                row["state"] = "missing"
            except UnreadableError:
                row["state"] = "unreadable"
            return row

        return list(self._threads.map(told, PLACES))


def _or_none(work: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]] | None:
    """What `work` gives; None where its table cannot be read, so that the rest of the status is still told."""
    try:
        return work()
    except UnreadableError:
        return None


def _of(tenant: str | None, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if tenant in (None, row["tenant"])]


def _jobs(runs: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    return [_job(job, [r for r in runs if r["job"] == job], now) for job in sorted({r["job"] for r in runs})]


def _job(job: str, runs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """The last run of `job` for each tenant, counted; those that did not go well are listed."""
    count = {status: sum(r["status"] == status for r in runs) for status in ("ok", "failed", "blocked")}
    last = max(r["ended_at"] for r in runs)
    told = ("tenant", "run_id", "date", "status", "reason", "ended_at")
    return {
        "job": job,
        "last_ended_at": last,
        "age_seconds": int((now - last).total_seconds()),
        **count,
        "not_ok": [{name: r[name] for name in told} for r in runs if r["status"] != "ok"],
    }


def _champion(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in ("tenant", "model_name", "model_version", "reason")}
    return {**told, "promoted_at": row["decided_at"]}
