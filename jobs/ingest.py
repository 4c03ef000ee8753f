"""Ingest: new objects of the landing bucket go to bronze, their bad rows and bad objects to quarantine.

Every object is noted in the ledger before and after. Killed at any moment and started again, the planned batch is
finished first, with exactly its objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from jobs import ledger
from jobs.batch import work
from jobs.context import Context
from jobs.entries import Batch, Entry
from jobs.inspection import Inspected, inspect_all
from jobs.landing import LandedObject, Landing
from jobs.ledger import Row

# A batch is one commit a contract: large enough that commits don't count, small enough that progress shows.
BATCH_BYTES = 2 << 30
BATCH_OBJECTS = 5000


def run(ctx: Context) -> None:
    """Take what is new, of all tenants or of those asked for. Raises JobError when the landing bucket is away."""
    landing = Landing(ctx.settings)
    with ThreadPoolExecutor(1) as pool:  # while the server makes its list, delta-rs is imported and the ledger read
        objects = pool.submit(landing.objects, ctx.tenants)
        seen = ledger.seen(ctx.settings)
    new = seen.new(objects.result())
    if not new and not seen.unfinished:
        ctx.progress(f"ingest: nothing new; {len(seen.objects)} objects are known")
        return
    rows = Counter[str]()
    for finished in chain(resume(ctx, landing, seen.unfinished), _take(ctx, landing, new)):
        rows.update(_bronze_rows(ctx, finished))
    for tenant, count in rows.items():
        ctx.done(tenant, count)


def resume(ctx: Context, landing: Landing, unfinished: Sequence[int]) -> Iterator[list[Row]]:
    """Finish the batches that were begun, each with its planned objects."""
    for number in unfinished:
        known = ledger.rows(ctx.settings)
        planned = [row for row in known if row["batch"] == number]
        ctx.progress(f"batch {number}: was interrupted, finishing its {len(planned)} objects")
        found = inspect_all(landing, [row["object_key"] for row in planned])
        entries = [Entry(row, inspected) for row, inspected in zip(planned, found, strict=True)]
        yield work(ctx, landing, Batch(number, entries, ctx.now(), resumed=True), known)


def _take(ctx: Context, landing: Landing, new: Sequence[LandedObject]) -> Iterator[list[Row]]:
    for objects in _batches(new):
        known = ledger.rows(ctx.settings)
        found = [i for i in inspect_all(landing, [o.key for o in objects]) if i is not None]
        found = _without_known(ctx, found, known)
        if not found:
            continue
        number = ledger.next_batch(ctx.settings, known)
        ctx.progress(f"batch {number}: {len(found)} objects, {sum(i.rows for i in found)} rows")
        planned = [ledger.planned_row(inspected, number, ctx.run_id) for inspected in found]
        ledger.plan(ctx, planned)
        entries = [Entry(row, inspected) for row, inspected in zip(planned, found, strict=True)]
        yield work(ctx, landing, Batch(number, entries, ctx.now()), known)


def _batches(objects: Sequence[LandedObject]) -> Iterator[list[LandedObject]]:
    batch: list[LandedObject] = []
    size = 0
    for landed in objects:
        if batch and (size + landed.bytes > BATCH_BYTES or len(batch) == BATCH_OBJECTS):
            yield batch
            batch, size = [], 0
        batch.append(landed)
        size += landed.bytes
    if batch:
        yield batch


def _without_known(ctx: Context, found: Sequence[Inspected], known: Sequence[Row]) -> list[Inspected]:
    """Leave out objects whose very bytes were seen under their very name: their ETag alone is new, and noted."""
    there = {(row["object_key"], row["content_hash"]): row for row in known}
    again = [i for i in found if (i.object.key, i.sha256) in there]
    if again:
        ledger.amend(ctx, [{**there[i.object.key, i.sha256], "etag": i.object.etag} for i in again])
    return [i for i in found if (i.object.key, i.sha256) not in there]


def _bronze_rows(ctx: Context, finished: Sequence[Row]) -> Counter[str]:
    """Rows in bronze by tenant; says what was not taken."""
    rows = Counter[str]()
    for row in finished:
        rows[row["tenant"]] += row["rows_bronze"]
        if row["message"]:
            ctx.progress(f"tenant {row['tenant']}: {row['status']}: {row['message']}")
        elif row["rows_quarantined"]:
            ctx.progress(f"tenant {row['tenant']}: {row['object_key']}: {row['rows_quarantined']} rows to quarantine")
    return rows
