"""`uretimiq status`: what landed and where it is, what waits, and how the jobs fared. No JVM."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import click

from expectations import settings as settings_module
from expectations.settings import Settings
from expectations.tables import INGEST_LEDGER, JOB_RUNS
from jobs import ledger
from jobs.audit import differences
from jobs.delta_reader import query
from jobs.errors import JobError
from jobs.landing import LandedObject, Landing
from jobs.ledger import DUPLICATE, PLANNED, QUARANTINED, Row

COUNTS = ("landed", "bronze", "rescued", "quarantined")
SHOWN = 10  # differences told one by one
_LEDGER = "SELECT * FROM rows WHERE len($tenants) = 0 OR list_contains($tenants, tenant) ORDER BY tenant, contract, object_key"
_LAST_RUNS = """
    WITH mine AS (SELECT * FROM rows WHERE len($tenants) = 0 OR list_contains($tenants, tenant)),
         newest AS (SELECT job, max(ended_at) AS ended_at FROM mine GROUP BY job)
    SELECT job, max(date) AS night, max(ended_at) AS ended_at, max(seconds) AS seconds, sum(rows)::BIGINT AS rows,
           count(*) AS tenants, count(*) FILTER (status <> 'ok') AS failed,
           list(tenant || ': ' || reason ORDER BY tenant) FILTER (status <> 'ok') AS reasons
    FROM mine JOIN newest USING (job, ended_at) GROUP BY job ORDER BY ended_at
"""


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """By tenant and contract: objects by state, rows landed and where they are, and whether that adds up."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["tenant"], row["contract"] or "unknown"].append(row)
    found = []
    for (tenant, contract), members in sorted(groups.items()):
        states = [r["status"] for r in members]
        counts = {f"rows_{kind}": sum(r[f"rows_{kind}"] for r in members) for kind in COUNTS}
        found.append(
            {
                "tenant": tenant,
                "contract": contract,
                "objects": len(members),
                "quarantined_objects": states.count(QUARANTINED),
                "duplicate_objects": states.count(DUPLICATE),
                "unfinished_objects": states.count(PLANNED),
                **counts,
                "agrees": all(_agrees(r) for r in members),
                "ingested_at": max((r["ingested_at"] for r in members if r["ingested_at"]), default=None),
            }
        )
    return found


def _agrees(row: Row) -> bool:
    """Whether each row landed is in bronze or in quarantine; an unfinished object is not yet judged."""
    return row["status"] == PLANNED or bool(row["rows_landed"] == row["rows_bronze"] + row["rows_quarantined"])


def backlog(settings: Settings, tenants: Sequence[str]) -> list[LandedObject]:
    """Objects that lie in the landing bucket and are not in the ledger. Raises JobError when the bucket is away."""
    return ledger.seen(settings).new(Landing(settings).objects(tenants))


@click.command("status")
@click.option("--tenant", "tenants", multiple=True, help="Only this tenant; may be repeated. Default: all.")
@click.option("--files", is_flag=True, help="A line for each object instead of each tenant and contract.")
@click.option("--verify", is_flag=True, help="Count the tables themselves and compare: the auditor's check.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def status(tenants: tuple[str, ...], files: bool, verify: bool, as_json: bool) -> None:
    """Rows landed, in bronze and in quarantine; what waits in the landing bucket; the last run of each job.

    Exit status 1 when landed, bronze and quarantine don't agree.
    """
    settings = settings_module.load()
    rows = query(settings, INGEST_LEDGER, None, _LEDGER, {"tenants": list(tenants)})
    told: dict[str, Any] = {
        "tables": summary(rows),
        "jobs": query(settings, JOB_RUNS, None, _LAST_RUNS, {"tenants": list(tenants)}),
    }
    told |= _waiting(settings, tenants)
    if files:
        told["files"] = [{**row, "agrees": _agrees(row)} for row in rows]
    wrong = [f"{r['object_key']}: {r['rows_landed']} rows landed" for r in rows if not _agrees(r)]
    if verify:
        wrong = told["differences"] = differences(settings, [r for r in rows if r["status"] != PLANNED], tenants)
    click.echo(json.dumps(told, default=str, ensure_ascii=False) if as_json else "\n".join(_lines(told)))
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise JobError(
            f"ledger and tables differ for {len(wrong)} objects: {'; '.join(wrong[:SHOWN])}{more}: report this"
        )


def _waiting(settings: Settings, tenants: Sequence[str]) -> dict[str, Any]:
    try:
        new = backlog(settings, tenants)
    except JobError as away:
        return {"backlog": None, "backlog_unknown": str(away)}
    oldest = min((o.landed_at for o in new), default=None)
    return {"backlog": {"objects": len(new), "bytes": sum(o.bytes for o in new), "oldest": oldest}}


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [_file_line(r) for r in told["files"]] if "files" in told else [_table_line(r) for r in told["tables"]]
    if not told["tables"]:
        lines.append("nothing has been ingested yet: land a file, then `uretimiq run ingest`")
    waiting = told["backlog"]
    if waiting is None:
        lines.append(f"waiting: unknown: {told['backlog_unknown']}")
    elif waiting["objects"]:
        lines.append(
            f"waiting: {waiting['objects']} objects since {waiting['oldest']:%Y-%m-%d %H:%M} UTC: `uretimiq run ingest`"
        )
    else:
        lines.append("waiting: nothing")
    lines += [_job_line(run) for run in told["jobs"]]
    if "differences" in told:
        lines.append(f"verified: {len(told['differences'])} differences between the ledger and the tables")
    return lines


def _counts(row: Row) -> str:
    rescued = f" ({row['rows_rescued']} with rescued columns)" if row["rows_rescued"] else ""
    sign = "=" if row["agrees"] else "IS NOT"
    return f"{row['rows_landed']} rows landed {sign} {row['rows_bronze']} in bronze{rescued} + {row['rows_quarantined']} in quarantine"


def _table_line(row: Row) -> str:
    kinds = ("quarantined", "duplicate", "unfinished")
    odd = [f"{row[f'{kind}_objects']} {kind}" for kind in kinds if row[f"{kind}_objects"]]
    return f"{row['tenant']} {row['contract']}: {row['objects']} objects{_in_brackets(odd)}, {_counts(row)}"


def _file_line(row: Row) -> str:
    said = f": {row['message']}" if row["message"] else ""
    return f"{row['object_key']}: {row['status']}, {_counts(row)}{said}"


def _job_line(run: Row) -> str:
    failed = f", {run['failed']} failed ({'; '.join(run['reasons'])})" if run["failed"] else ""
    return f"job {run['job']}: {run['ended_at']:%Y-%m-%d %H:%M} UTC, {run['seconds']:.0f} s, {run['tenants']} tenants{failed}"


def _in_brackets(words: Sequence[str]) -> str:
    return f" ({', '.join(words)})" if words else ""
