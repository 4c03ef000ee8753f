"""Runs a job: takes its lease, settles its tenants, notes how each fared, and fails at the end if any did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from expectations.contract import Zone
from expectations.tables import INGEST_LEDGER, JOB_RUNS
from jobs.context import Context, code_version
from jobs.delta_reader import read_rows
from jobs.errors import JobError, TenantsFailed
from jobs.lease import lease


@dataclass(frozen=True)
class Job:
    """One job. `load` imports it only when it runs; `after` names the jobs whose failure for a tenant stops it."""

    name: str
    help: str
    load: Callable[[], Callable[[Context], None]]
    after: tuple[str, ...] = ()
    by_tenant: bool = True


def known_tenants(ctx: Context) -> list[str]:
    """All tenants that have landed something."""
    rows = read_rows(ctx.settings, INGEST_LEDGER, columns=["tenant"])
    return sorted(set(rows.column("tenant").to_pylist()))


def stopped_earlier(ctx: Context, job: Job) -> dict[str, str]:
    """Tenants whose last run of an earlier step of this night did not succeed, with the reason."""
    if not job.after:
        return {}
    return {
        row["tenant"]: f"{row['job']} {row['status']}: {row['reason']}"
        for row in last_runs(ctx, ctx.night)
        if row["job"] in job.after and row["status"] != "ok"
    }


def last_runs(ctx: Context, night: date) -> list[dict[str, str]]:
    """The newest row of job_runs for each job and tenant of `night`."""
    table = read_rows(
        ctx.settings,
        JOB_RUNS,
        columns=["job", "tenant", "date", "status", "reason", "ended_at", "rows", "seconds"],
        filters=[("date", "=", night)],
    )
    newest: dict[tuple[str, str], dict[str, str]] = {}
    for row in sorted(table.to_pylist(), key=lambda r: r["ended_at"]):
        newest[row["job"], row["tenant"]] = row
    return list(newest.values())


def _settle_tenants(ctx: Context, job: Job) -> tuple[str, ...]:
    known = known_tenants(ctx)
    wanted = list(dict.fromkeys(ctx.asked)) or known
    unknown = [t for t in wanted if t not in known]
    if unknown:
        there = ", ".join(known[:20]) or "none; land a file and run `uretimiq run ingest`"
        raise JobError(f"no tenant {unknown[0]!r} has landed anything; there are: {there}")
    stopped = stopped_earlier(ctx, job)
    for tenant in (t for t in wanted if t in stopped):
        ctx.progress(f"tenant {tenant} left out: {stopped[tenant]}")
    return tuple(t for t in wanted if t not in stopped)


def run(ctx: Context, job: Job) -> None:
    """Run `job`. Raises TenantsFailed when some tenants failed, JobError when it could not run at all."""
    with lease(ctx.settings, f"job-{job.name}"):
        ctx.outcomes = {}
        ctx.table_versions = "{}"
        ctx.tenants = _settle_tenants(ctx, job) if job.by_tenant else ctx.asked
        if job.by_tenant and not ctx.tenants:
            ctx.progress(f"{job.name}: no tenant to work")
            return
        started, clock = ctx.now(), time.monotonic()
        try:
            job.load()(ctx)
        finally:
            _note(ctx, job, started, time.monotonic() - clock)
    failed = {t: str(o.reason) for t, o in ctx.outcomes.items() if o.status != "ok"}
    if failed:
        raise TenantsFailed(job.name, failed)


def _note(ctx: Context, job: Job, started: object, seconds: float) -> None:
    if not ctx.outcomes:
        return
    ended = ctx.now()
    records = [
        {
            "run_id": ctx.run_id,
            "job": job.name,
            "tenant": tenant,
            "date": ctx.night,
            "status": outcome.status,
            "reason": outcome.reason,
            "rows": outcome.rows,
            "seconds": seconds,
            "started_at": started,
            "ended_at": ended,
            "code_version": code_version(),
            "table_versions": ctx.table_versions,
        }
        for tenant, outcome in sorted(ctx.outcomes.items())
    ]
    ctx.lake.append(ctx.lake.table(JOB_RUNS, records), JOB_RUNS, Zone.OPERATIONS)
    ctx.progress(f"{job.name}: {len(records)} tenants in {seconds:.1f} s")


def run_all(ctx: Context, jobs: list[Job]) -> None:
    """Run `jobs` in order in one session; a tenant that fails in one is left out of those after it."""
    failures: dict[str, str] = {}
    for job in jobs:
        try:
            run(ctx, job)
        except TenantsFailed as failed:
            failures |= {t: f"{job.name}: {why}" for t, why in failed.reasons.items() if t not in failures}
    if failures:
        raise TenantsFailed("nightly", failures)
