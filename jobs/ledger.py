"""The ingest ledger: which objects ingest has seen, in which batch, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from expectations.contract import Zone
from expectations.settings import Settings
from expectations.tables import INGEST_LEDGER, QUARANTINE, TABLES
from jobs.context import Context
from jobs.delta_reader import read_rows, read_transaction
from jobs.inspection import Inspected
from jobs.landing import LandedObject

PLANNED, DONE, QUARANTINED, DUPLICATE = "planned", "done", "quarantined", "duplicate"
Row = dict[str, Any]  # one row of the ledger


def transaction(contract_name: str) -> str:
    """Delta's application name under which the rows of a contract are written, numbered by batch."""
    return f"ingest-{contract_name}"


@dataclass
class Seen:
    """What discovery needs of the ledger: the objects known, and the batches that were begun and not finished."""

    objects: set[tuple[str, str]] = field(default_factory=set)  # key and ETag
    unfinished: list[int] = field(default_factory=list)

    def new(self, objects: Iterable[LandedObject]) -> list[LandedObject]:
        return [o for o in objects if (o.key, o.etag) not in self.objects]


def seen(settings: Settings) -> Seen:
    """Read what was seen; three columns only, since this is the whole work of a run with nothing new."""
    table = read_rows(settings, INGEST_LEDGER, columns=["object_key", "etag", "status", "batch"])
    columns = [table.column(n).to_pylist() for n in table.column_names]
    planned = {batch for status, batch in zip(columns[2], columns[3], strict=True) if status == PLANNED}
    return Seen(set(zip(columns[0], columns[1], strict=True)), sorted(planned))


def rows(settings: Settings) -> list[Row]:
    """The whole ledger."""
    found: list[Row] = read_rows(settings, INGEST_LEDGER).to_pylist()
    return found


def next_batch(settings: Settings, ledger: Sequence[Row]) -> int:
    """A number above that of every batch written, noted in the ledger or not."""
    written = [read_transaction(settings, c, Zone.BRONZE, transaction(c.name)) for c in TABLES.landed]
    written += [read_transaction(settings, QUARANTINE, None, transaction(c.name)) for c in TABLES.landed]
    return 1 + max([0, *(row["batch"] for row in ledger), *(number for number in written if number is not None)])


def planned_row(inspected: Inspected, batch: int, run_id: str) -> Row:
    """The row of an object before its batch is worked."""
    landed, manifest, name = inspected.object, inspected.manifest, inspected.name
    return {
        "tenant": inspected.tenant,
        "content_hash": inspected.sha256,
        "object_key": landed.key,
        "etag": landed.etag,
        "bytes": landed.bytes,
        "contract": name.contract if name else None,
        "contract_version": manifest.contract_version if manifest else None,
        "gateway": name.gateway if name else None,
        "sequence": name.sequence if name else None,
        "batch": batch,
        "status": PLANNED,
        "message": None,
        "rows_landed": inspected.rows,
        "rows_bronze": 0,
        "rows_rescued": 0,
        "rows_quarantined": 0,
        "landed_at": landed.landed_at,
        "ingested_at": None,
        "run_id": run_id,
    }


def plan(ctx: Context, planned: Sequence[Row]) -> None:
    """Note what the batch will take, in one commit, before anything of it is written."""
    ctx.lake.append(ctx.lake.table(INGEST_LEDGER, planned), INGEST_LEDGER)


def finish(ctx: Context, finished: Sequence[Row], batch: int) -> None:
    """Put the batch's finished rows in the place of its planned ones, in one commit."""
    ctx.lake.replace(ctx.lake.table(INGEST_LEDGER, finished), INGEST_LEDGER, where=f"batch = {batch}")


def amend(ctx: Context, changed: Sequence[Row]) -> None:
    """Update single rows, by their keys, in one commit."""
    ctx.lake.upsert(ctx.lake.table(INGEST_LEDGER, changed), INGEST_LEDGER)
