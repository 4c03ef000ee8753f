"""One ingest batch: planned objects become bronze rows, quarantine rows and finished rows of the ledger.

Every step may be repeated. Bronze and quarantine are appended in Delta transactions named after contract and batch,
so a batch that was interrupted is worked again and finds what is there already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from expectations.contract import Contract, Zone
from expectations.tables import QUARANTINE, TABLES
from jobs import doors, ledger
from jobs.context import Context
from jobs.delta_reader import query, read_rows, read_transaction
from jobs.errors import JobError
from jobs.inspection import Inspected, Problem, gone
from jobs.landing import Landing
from jobs.ledger import DONE, DUPLICATE, QUARANTINED, Row
from jobs.split import Split, SplitRows

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
    def found(self) -> Inspected:
        """What was found of an object that is readable."""
        if self.inspected is None:
            raise ValueError(f"{self.key} was not there")
        return self.inspected

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
            entry.problem = gone(entry.key, there=entry.inspected is not None, taken=taken, of=entry.row["rows_landed"])
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
    """Append, and leave out objects that turn out to be unreadable only now: one file must not stop the others."""
    entries = {e.key: e for e in batch.of(contract) if e.readable}
    if not entries:
        return
    with _split(ctx, contract, batch) as split:
        rows = SplitRows(landing, [e.found for e in entries.values()], split.good)
        try:
            ctx.lake.append(rows.reader(contract, Zone.BRONZE), contract, Zone.BRONZE, txn=txn)
            return
        except Exception:
            if not rows.problems:
                raise
    ctx.progress(f"{contract.name}: {len(rows.problems)} objects of batch {batch.number} cannot be read")
    for key, problem in rows.problems.items():
        entries[key].problem = problem
    _quarantine_whole(ctx, batch, [entries[key] for key in rows.problems])
    _append_good(ctx, landing, contract, batch, txn)


def _append_bad(
    ctx: Context, landing: Landing, contract: Contract, batch: Batch, txn: tuple[str, int], *, in_bronze: bool
) -> None:
    """`in_bronze`: an earlier run brought the good rows there, so whatever is not there is bad."""
    taken = _taken(ctx, contract, batch) if in_bronze else {}
    objects = [e.found for e in batch.of(contract) if e.readable and e.remaining]
    with _split(ctx, contract, batch) as split:
        rows = SplitRows(landing, objects, lambda body, what: split.bad(body, what, taken.get(what.object.key)))
        ctx.lake.append(rows.reader(QUARANTINE, QUARANTINE.zone), QUARANTINE, txn=txn)


@contextmanager
def _split(ctx: Context, contract: Contract, batch: Batch) -> Iterator[Split]:
    import duckdb

    with duckdb.connect() as connection:
        yield Split(connection, contract, batch.number, batch.moment, ctx.run_id)


def _taken(ctx: Context, contract: Contract, batch: Batch) -> dict[str, pa.Array]:
    """Positions of the batch's rows in bronze, by object."""
    names = read_rows(
        ctx.settings,
        contract,
        Zone.BRONZE,
        columns=["object_key", "row_index"],
        filters=[("batch", "=", batch.number)],
    )
    by_object = names.group_by("object_key").aggregate([("row_index", "list")])
    keys, positions = by_object["object_key"].to_pylist(), by_object["row_index_list"].combine_chunks()
    return {key: positions[i].values for i, key in enumerate(keys)}


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
