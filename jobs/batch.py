"""One ingest batch: planned objects become bronze rows, quarantine rows and finished rows of the ledger.

Every step may be repeated. Bronze and quarantine are appended in Delta transactions named after contract and batch,
so a batch that was interrupted is worked again and finds what is there already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.tables import QUARANTINE, TABLES
from jobs import doors, ledger
from jobs.context import Context
from jobs.delta_reader import query, read_rows, read_transaction
from jobs.entries import NO_CONTRACT, WHOLE, Batch, Entry, name_of, settle, succeed
from jobs.errors import JobError
from jobs.inspection import Inspected, Problem
from jobs.landing import Body, Landing
from jobs.ledger import DONE, DUPLICATE, QUARANTINED, Row
from jobs.split import Split, SplitRows


def work(ctx: Context, landing: Landing, batch: Batch, known: Sequence[Row]) -> list[Row]:
    """Write the batch and mark it done; returns its rows of the ledger. `known` is the ledger before it.

    Raises JobError when landed, bronze and quarantine don't agree; then nothing is marked.
    """
    contracts = [c for c in TABLES.landed if batch.of(c)]
    whole = _open_whole(ctx) if batch.resumed else []
    if batch.resumed:
        for contract in contracts:
            _count_bronze(ctx, contract, batch)
            _count_quarantine(ctx, contract, batch)
    settle(batch, known, whole)
    # Before any row: from this commit on it is settled which objects the batch takes.
    _quarantine_whole(ctx, batch, [e for e in batch.entries if e.problem])
    with ctx.spark_ahead():  # for the door
        for contract in contracts:
            _write(ctx, landing, contract, batch)
        import expectations.suites  # noqa: F401 - takes as long as Spark's start
    for contract in contracts:
        if any(entry.bronze for entry in batch.of(contract)):
            check_bronze(ctx, contract, batch.number)
    _close_replayed(ctx, batch, whole)
    finished = [_finished(entry, batch.moment) for entry in batch.entries]
    ledger.finish(ctx, finished, batch.number)
    return finished


def _open_whole(ctx: Context) -> list[Row]:
    """The open rows of objects that are in quarantine whole."""
    rows = read_rows(ctx.settings, QUARANTINE, filters=[("row_index", "=", WHOLE)]).to_pylist()
    return [row for row in rows if row["replayed_at"] is None]


def _write(ctx: Context, landing: Landing, contract: Contract, batch: Batch) -> None:
    """Good rows of all the contract's objects to bronze, then the bad ones, if any, to quarantine."""
    txn = (ledger.transaction(contract.name), batch.number)
    in_bronze = batch.resumed and _committed(ctx, contract, Zone.BRONZE, txn)
    if not in_bronze:
        _append_good(ctx, landing, contract, batch, txn)
    _count_bronze(ctx, contract, batch)
    short = [e for e in batch.of(contract) if e.readable and e.remaining]
    if short and not (batch.resumed and _committed(ctx, QUARANTINE, Zone.OPERATIONS, txn)):
        _append_bad(ctx, landing, contract, batch, txn, in_bronze=in_bronze)
    if short:
        _count_quarantine(ctx, contract, batch)


def check_bronze(ctx: Context, contract: Contract, number: int) -> None:
    """The door of bronze, for the rows of one batch. The split let through what passes: a block is a defect in it."""
    counts = doors.counted(ctx.settings, contract, Zone.BRONZE, "batch = $batch", {"batch": number})
    rows = ctx.lake.read(contract, Zone.BRONZE).where(f"batch = {number}")
    for tenant, reason in doors.check(ctx, rows, contract, Zone.BRONZE, counts=counts).blocked.items():
        ctx.block(tenant, reason)


def _committed(ctx: Context, contract: Contract, zone: Zone, txn: tuple[str, int]) -> bool:
    last = read_transaction(ctx.settings, contract, zone, txn[0])
    return last is not None and last >= txn[1]


def _append_good(ctx: Context, landing: Landing, contract: Contract, batch: Batch, txn: tuple[str, int]) -> None:
    """The rows for bronze of every readable object."""
    with _split(ctx, contract, batch) as split:
        while entries := [e for e in batch.of(contract) if e.readable]:
            rows = SplitRows(landing, [e.found for e in entries], split.good)
            if _append(ctx, batch, rows, contract, Zone.BRONZE, txn):
                return


def _append_bad(
    ctx: Context, landing: Landing, contract: Contract, batch: Batch, txn: tuple[str, int], *, in_bronze: bool
) -> None:
    """The other rows. `in_bronze`: an earlier run brought the good ones there, so whatever is not there is bad."""
    with _split(ctx, contract, batch) as split:
        while entries := {e.key: e for e in batch.of(contract) if e.readable and e.remaining}:
            taken = _taken(ctx, contract, batch, list(entries)) if in_bronze else {}

            def bad(body: Body, what: Inspected, taken: dict[str, pa.Array] = taken) -> Iterator[pa.RecordBatch]:
                return split.bad(body, what, taken.get(what.object.key))

            rows = SplitRows(landing, [e.found for e in entries.values()], bad)
            if _append(ctx, batch, rows, QUARANTINE, QUARANTINE.zone, txn):
                return


def _append(ctx: Context, batch: Batch, rows: SplitRows, contract: Contract, zone: Zone, txn: tuple[str, int]) -> bool:
    """Whether the rows were appended. If not, an object could only now be seen to be unreadable, and is left out: it
    goes to quarantine with its remaining rows, and must not stop the others.
    """
    try:
        ctx.lake.append(rows.reader(contract, zone), contract, zone, txn=txn)
    except Exception:
        if rows.error:  # the writer tells it in its own words, and not in a line
            raise rows.error from None
        if not rows.problems:
            raise
    else:
        return True
    refused = [e for e in batch.entries if e.key in rows.problems]
    ctx.progress(f"batch {batch.number}: {len(refused)} objects cannot be read")
    for entry in refused:
        entry.problem = rows.problems[entry.key]
    _quarantine_whole(ctx, batch, refused)
    succeed(batch, rows.problems)
    return False


@contextmanager
def _split(ctx: Context, contract: Contract, batch: Batch) -> Iterator[Split]:
    import duckdb

    with duckdb.connect() as connection:
        yield Split(connection, contract, batch.number, batch.moment, ctx.run_id)


def _taken(ctx: Context, contract: Contract, batch: Batch, keys: list[str]) -> dict[str, pa.Array]:
    """Positions in bronze of the batch's rows of each of the objects `keys`."""
    where = [("batch", "=", batch.number), ("object_key", "in", keys)]
    names = read_rows(ctx.settings, contract, Zone.BRONZE, columns=["object_key", "row_index"], filters=where)
    by_object = names.group_by("object_key").aggregate([("row_index", "list")]).to_pydict()
    there = dict(zip(by_object["object_key"], by_object["row_index_list"], strict=True))
    return {key: pa.array(there.get(key, []), pa.int64()) for key in keys}


def _count_bronze(ctx: Context, contract: Contract, batch: Batch) -> None:
    """What bronze really holds of each object of the batch."""
    sql = "SELECT object_key, count(*) AS rows, count(rescued) AS rescued FROM rows WHERE batch = $batch GROUP BY object_key"
    counted = query(ctx.settings, contract, Zone.BRONZE, sql, {"batch": batch.number})
    found = {row["object_key"]: (row["rows"], row["rescued"]) for row in counted}
    for entry in batch.of(contract):
        entry.bronze, entry.rescued = found.get(entry.key, (0, 0))


def _count_quarantine(ctx: Context, contract: Contract, batch: Batch) -> None:
    where = "batch = $batch AND contract = $contract AND row_index >= 0"
    sql = f"SELECT object_key, count(*) AS rows FROM rows WHERE {where} GROUP BY object_key"  # noqa: S608 - ours alone
    counted = query(ctx.settings, QUARANTINE, None, sql, {"batch": batch.number, "contract": contract.name})
    found = {row["object_key"]: row["rows"] for row in counted}
    for entry in (e for e in batch.of(contract) if e.readable):
        entry.quarantined = found.get(entry.key, 0)


def _quarantine_whole(ctx: Context, batch: Batch, entries: Sequence[Entry]) -> None:
    """One row for each object, with the number of its rows that are nowhere else. Repeatable: by key."""
    rows = [_whole_row(e, e.problem, batch, ctx.run_id) for e in entries if e.problem and not e.settled]
    if rows:
        ctx.lake.upsert(ctx.lake.table(QUARANTINE, rows), QUARANTINE)
    for entry in entries:
        entry.quarantined += entry.remaining


def _whole_row(entry: Entry, problem: Problem, batch: Batch, run_id: str) -> Row:
    return {
        "tenant": entry.row["tenant"],
        "contract": entry.row["contract"] or NO_CONTRACT,
        "content_hash": entry.row["content_hash"],
        "object_key": entry.key,
        "row_index": WHOLE,
        "rows": entry.remaining,
        "rules": [problem.rule],
        "reason": problem.message,
        "gateway": entry.row["gateway"],
        "batch": batch.number,
        "quarantined_at": batch.moment,
        "run_id": run_id,
    }


def _close_replayed(ctx: Context, batch: Batch, whole: Iterable[Row]) -> None:
    """Close the open row of each object that was quarantined whole in an earlier batch and is taken now."""
    taken = {name_of(e.row) for e in batch.entries if not e.problem}
    closed = [
        {**row, "replayed_at": batch.moment} for row in whole if row["batch"] < batch.number and name_of(row) in taken
    ]
    if closed:
        ctx.lake.upsert(ctx.lake.table(QUARANTINE, closed), QUARANTINE)


def _finished(entry: Entry, moment: datetime) -> Row:
    """The ledger row of a worked object. Raises JobError when rows are missing or double."""
    landed = 0 if entry.duplicate_of else int(entry.row["rows_landed"])
    if landed != entry.bronze + entry.quarantined:
        raise JobError(
            f"{entry.key}: {landed} rows landed, but {entry.bronze} are in bronze and {entry.quarantined} in quarantine: "
            f"batch {entry.row['batch']} is not marked done; keep the lake as it is and report this"
        )
    status, message = DONE, None
    if entry.duplicate_of:
        status, message = DUPLICATE, f"the same bytes as {entry.duplicate_of}: its rows are taken once"
    elif entry.problem:
        status, message = QUARANTINED, entry.problem.message
    return {
        **entry.row,
        "status": status,
        "message": message,
        "rows_landed": landed,
        "rows_bronze": entry.bronze,
        "rows_rescued": entry.rescued,
        "rows_quarantined": entry.quarantined,
        "ingested_at": moment,
    }
