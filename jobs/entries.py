"""The objects of one ingest batch: what each is, which of them repeat others, and what became of their rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from expectations.contract import Contract
from jobs.inspection import Inspected, Problem, gone
from jobs.ledger import DONE, Row

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


def settle(batch: Batch, known: Iterable[Row], whole: Iterable[Row]) -> None:
    """Find each object's problem, or the object whose bytes it repeats."""
    settled = {name_of(row): Problem(row["rules"][0], row["reason"]) for row in whole if row["batch"] == batch.number}
    first = {
        _content(row): row["object_key"] for row in known if row["status"] == DONE and row["batch"] != batch.number
    }
    for entry in sorted(batch.entries, key=lambda e: (e.bronze == 0, e.row["landed_at"], e.key)):
        taken = entry.bronze + entry.quarantined
        if taken and not entry.remaining:
            entry.problem = None
        elif name_of(entry.row) in settled:
            entry.problem, entry.settled = settled[name_of(entry.row)], True
        elif entry.inspected is None or entry.inspected.sha256 != entry.row["content_hash"]:
            entry.problem = gone(entry.key, there=entry.inspected is not None, taken=taken, of=entry.row["rows_landed"])
        elif not taken:
            entry.problem = entry.inspected.problem
        if taken or entry.problem is None:
            earlier = first.setdefault(_content(entry.row), entry.key)
            entry.duplicate_of = earlier if earlier != entry.key and not taken else None


def name_of(row: Row) -> tuple[str, str]:
    return row["object_key"], row["content_hash"]


def _content(row: Row) -> tuple[str, str, str]:
    """The same bytes count twice for two tenants, or two contracts."""
    return row["tenant"], row["contract"], row["content_hash"]


def succeed(batch: Batch, refused: Collection[str]) -> None:
    """Let the next object of the same bytes be taken in the place of each of `refused`, which will not be."""
    heirs: dict[str, str] = {}
    for entry in batch.entries:
        if entry.duplicate_of and entry.duplicate_of in refused:
            heir = heirs.setdefault(entry.duplicate_of, entry.key)
            entry.duplicate_of = heir if heir != entry.key else None
