"""One ingest batch: planned objects become bronze rows, quarantine rows and finished rows of the ledger.

Every step may be repeated. Bronze and quarantine are appended in Delta transactions named after contract and batch,
so a batch that was interrupted is worked again and finds what is there already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from expectations.contract import Contract, Zone
from expectations.tables import QUARANTINE, TABLES
from jobs import doors, ledger
from jobs.context import Context
from jobs.delta_reader import query, read_rows, read_transaction
from jobs.errors import JobError
from jobs.inspection import Inspected, Problem
from jobs.landing import Landing
from jobs.ledger import DONE, DUPLICATE, QUARANTINED, Row
from jobs.split import good_rows, is_good, landed_rows, quarantine_rows
from jobs.unreadable import is_of_the_data, without_unreadable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

WHOLE = -1  # row_index in quarantine of an object quarantined whole
NO_CONTRACT = "unknown"


@dataclass
class Entry:
    """One object of the batch: its planned row, what it is now, and what was found of it."""

    row: Row
    inspected: Inspected | None  # None: gone from the landing bucket
    problem: Problem | None = None
    duplicate_of: str | None = None
    settled: bool = False  # an earlier run of the batch has put it in quarantine whole
    bronze: int = 0
    rescued: int = 0
    quarantined: int = 0

    @property
    def key(self) -> str:
        return str(self.row["object_key"])

    @property
    def readable(self) -> bool:
        return self.problem is None and self.duplicate_of is None

    @property
    def remaining(self) -> int:
        """Rows landed that are neither in bronze nor in quarantine."""
        return int(self.row["rows_landed"]) - self.bronze - self.quarantined


@dataclass(frozen=True)
class Batch:
    """A planned batch. `resumed`: something of it may have been written before."""

    number: int
    entries: Sequence[Entry]
    moment: datetime
    resumed: bool = False

    def of(self, contract: Contract) -> list[Entry]:
        return [e for e in self.entries if e.row["contract"] == contract.name]


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
    _settle(batch, known, whole)
    # Before any row: from this commit on it is settled which objects the batch takes.
    _quarantine_whole(ctx, batch, [e for e in batch.entries if e.problem])
    for contract in contracts:
        _write(ctx, landing, contract, batch)
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


def _settle(batch: Batch, known: Iterable[Row], whole: Iterable[Row]) -> None:
    """Find each object's problem, or the object whose bytes it repeats."""
    settled = {_name(row): Problem(row["rules"][0], row["reason"]) for row in whole if row["batch"] == batch.number}
    first = {
        _content(row): row["object_key"] for row in known if row["status"] == DONE and row["batch"] != batch.number
    }
    for entry in sorted(batch.entries, key=lambda e: (e.bronze == 0, e.row["landed_at"], e.key)):
        taken = entry.bronze + entry.quarantined
        if taken and not entry.remaining:
            entry.problem = None
        elif _name(entry.row) in settled:
            entry.problem, entry.settled = settled[_name(entry.row)], True
        elif entry.inspected is None or entry.inspected.sha256 != entry.row["content_hash"]:
            entry.problem = _gone(entry)
        elif not taken:
            entry.problem = entry.inspected.problem
        if taken or entry.problem is None:
            earlier = first.setdefault(_content(entry.row), entry.key)
            entry.duplicate_of = earlier if earlier != entry.key and not taken else None


def _name(row: Row) -> tuple[str, str]:
    return row["object_key"], row["content_hash"]


def _content(row: Row) -> tuple[str, str, str]:
    """The same bytes count twice for two tenants, or two contracts."""
    return row["tenant"], row["contract"], row["content_hash"]


def _gone(entry: Entry) -> Problem:
    what = "was overwritten in the landing bucket" if entry.inspected else "vanished from the landing bucket"
    taken = entry.bronze + entry.quarantined
    part = f" after {taken} of its {entry.row['rows_landed']} rows" if taken else ""
    return Problem(
        "object_there",
        f"{entry.key} {what} before it was ingested{part}: send the file again under a new sequence number",
    )


def _write(ctx: Context, landing: Landing, contract: Contract, batch: Batch) -> None:
    """Good rows of all the contract's objects to bronze, then the bad ones, if any, to quarantine."""
    txn = (ledger.transaction(contract.name), batch.number)
    in_bronze = batch.resumed and _committed(ctx, contract, Zone.BRONZE, txn)
    if not in_bronze:
        _append_good(ctx, landing, contract, batch, txn)
    _count_bronze(ctx, contract, batch)
    short = [e for e in batch.of(contract) if e.readable and e.remaining]
    if short and not (batch.resumed and _committed(ctx, QUARANTINE, Zone.OPERATIONS, txn)):
        rows = _rows(ctx, landing, contract, short, batch, originals=True)
        bad = _not_in_bronze(ctx, rows, contract, batch) if in_bronze else rows.where(f"NOT ({is_good(contract)})")
        ctx.lake.append(quarantine_rows(bad, contract, moment=batch.moment, run_id=ctx.run_id), QUARANTINE, txn=txn)
    if short:
        _count_quarantine(ctx, contract, batch)


def check_bronze(ctx: Context, contract: Contract, number: int) -> None:
    """The door of bronze, for the rows of one batch. The split let through what passes: a block is a defect in it."""
    rows = ctx.lake.read(contract, Zone.BRONZE).where(f"batch = {number}")
    for tenant, reason in doors.check(ctx, rows, contract, Zone.BRONZE).blocked.items():
        ctx.block(tenant, reason)


def _committed(ctx: Context, contract: Contract, zone: Zone, txn: tuple[str, int]) -> bool:
    last = read_transaction(ctx.settings, contract, zone, txn[0])
    return last is not None and last >= txn[1]


def _append_good(ctx: Context, landing: Landing, contract: Contract, batch: Batch, txn: tuple[str, int]) -> None:
    """Append, and leave out objects that turn out to be unreadable only now: one file must not stop the others."""
    entries = [e for e in batch.of(contract) if e.readable]
    if not entries:
        return
    try:
        ctx.lake.append(
            good_rows(_rows(ctx, landing, contract, entries, batch), contract), contract, Zone.BRONZE, txn=txn
        )
    except Exception as error:
        if not is_of_the_data(error):
            raise
        ctx.progress(f"{contract.name}: an object of batch {batch.number} cannot be read; looking for it")
        found = without_unreadable(entries, lambda some: _rows(ctx, landing, contract, some, batch))
        if not found:
            raise
        for entry, problem in found:
            entry.problem = problem
        _quarantine_whole(ctx, batch, [entry for entry, _ in found])
        _append_good(ctx, landing, contract, batch, txn)


def _rows(
    ctx: Context,
    landing: Landing,
    contract: Contract,
    entries: Sequence[Entry],
    batch: Batch,
    *,
    originals: bool = False,
) -> DataFrame:
    objects = [e.inspected for e in entries if e.inspected]
    return landed_rows(ctx, landing, contract, objects, batch=batch.number, moment=batch.moment, originals=originals)


def _not_in_bronze(ctx: Context, rows: DataFrame, contract: Contract, batch: Batch) -> DataFrame:
    there = ctx.lake.read(contract, Zone.BRONZE).where(f"batch = {batch.number}")
    return rows.join(
        there.select("object_key", "content_hash", "row_index"),
        on=["object_key", "content_hash", "row_index"],
        how="left_anti",
    )


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
    taken = {_name(e.row) for e in batch.entries if not e.problem}
    closed = [
        {**row, "replayed_at": batch.moment} for row in whole if row["batch"] < batch.number and _name(row) in taken
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
