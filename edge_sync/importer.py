"""The import of one file: read, reshape, land, and put into the outbox all at once or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from edge_sync.addup import add_up
from edge_sync.errors import EdgeError, ShapeError, SourceError
from edge_sync.filemap import FileMap
from edge_sync.inspect_file import Inspected, inspect_file
from edge_sync.land import land, land_ragged
from edge_sync.lookup import Lookup, open_lookup
from edge_sync.outbox import Outbox
from edge_sync.read import read
from edge_sync.reshape import reshape
from edge_sync.staging import MAX_ROWS, Duplicate, Label, Staging
from edge_sync.tally import Tally
from expectations.contract import CODE, Contract
from expectations.manifest import MANIFESTS, Manifest

Progress = Callable[[int, float], None]  # rows read, share of the file


@dataclass(frozen=True, kw_only=True)
class Import:
    """What to import, as what. `now` is the moment of the import: the known time where the map declares none."""

    tenant: str
    site: str
    contract: Contract
    file_map: FileMap
    now: datetime
    again: bool = False
    max_rows: int = MAX_ROWS
    progress: Progress = field(default=lambda _rows, _share: None)

    def __post_init__(self) -> None:
        check_code("tenant", self.tenant)
        check_code("site", self.site)


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `status` is imported, already imported or dry run; `first` holds rows of a dry run."""

    file: Path
    status: str
    tally: Tally
    manifests: tuple[Manifest, ...] = ()
    duplicate_keys: int = 0
    earlier: str = ""  # when the same was imported before
    first: pa.Table | None = None

    def record(self) -> dict[str, object]:
        objects = [
            {"object_key": m.data_key(), "sequence": m.sequence, "rows": m.rows, "bytes": m.bytes}
            for m in self.manifests
        ]
        return {
            "file": str(self.file),
            "status": self.status,
            **self.tally.record(),
            "duplicate_keys": self.duplicate_keys,
            "objects": objects,
            **({"earlier": self.earlier} if self.earlier else {}),
            **({"first_rows": self.first.to_pylist()} if self.first is not None else {}),
        }


def check_code(name: str, value: str) -> None:
    """Raises EdgeError unless `value` can be a part of an object's key."""
    if re.fullmatch(CODE, value) is None or value == MANIFESTS:
        raise EdgeError(
            f"{name} {value!r}: is no code: 1 to 100 printable characters without / or =, no blank at an end"
        )


def import_file(task: Import, path: Path, outbox: Outbox) -> Outcome:
    """Import one file. Raises EdgeError in one line; then nothing of the file is in the outbox."""
    inspected = inspect_file(path, task.file_map.source)
    lookups = _lookups(task)
    fingerprint = _fingerprint(task, inspected, lookups)
    with outbox.journal() as journal:
        outbox.recover(journal)
        earlier = journal.imported(fingerprint)
    if earlier and not task.again:
        return Outcome(path, "already imported", Tally(), earlier=earlier.imported_at)
    label = Label(
        tenant=task.tenant,
        site=task.site,
        contract=task.contract,
        source=path.name,
        fingerprint=fingerprint,
        declared=task.file_map.known_time is not None,
        now=task.now,
    )
    tally = Tally()
    try:
        with Staging(outbox, label, task.max_rows) as staging:
            for table in _tables(task, path, lookups, tally):
                staging.add(table)
            inspected.check_unchanged()
            manifests = staging.commit(task.again)
            return Outcome(path, "imported", tally, tuple(manifests), staging.duplicate_keys)
    except Duplicate as duplicate:
        return Outcome(path, "already imported", Tally(), earlier=duplicate.earlier.imported_at)
    except OSError as error:
        raise SourceError(
            f"{path}: not imported: {error.strerror or error} ({outbox.folder}); make room or mend it, then import again"
        ) from None


def dry_run(task: Import, path: Path, rows: int = 10) -> Outcome:
    """Read the whole file as an import would, keep the first `rows`, write nothing."""
    inspect_file(path, task.file_map.source)
    tally = Tally()
    first: list[pa.Table] = []
    for table in _tables(task, path, _lookups(task), tally):
        if sum(t.num_rows for t in first) < rows:
            first.append(table.slice(0, rows))
    shown = pa.concat_tables(first, promote_options="default").slice(0, rows)
    return Outcome(path, "dry run", tally, first=shown)


def _tables(task: Import, path: Path, lookups: tuple[Lookup, ...], tally: Tally) -> Iterator[pa.Table]:
    tables = landed_tables(task, path, lookups, tally)
    summed = task.file_map.add_up
    return add_up(tables, task.contract, summed, tally) if summed else tables


def landed_tables(task: Import, path: Path, lookups: tuple[Lookup, ...], tally: Tally) -> Iterator[pa.Table]:
    """The rows of `path` as they land, piece by piece. Raises SourceError if there are none or nothing fits the map."""
    file_map = task.file_map
    seen: set[str] = set()
    try:
        for chunk in read(path, file_map.source, file_map.notation.decimal, _wanted(file_map)):
            tally.read += chunk.table.num_rows + chunk.blank + len(chunk.ragged)
            tally.blank += chunk.blank
            shaped = reshape(chunk.table, file_map, lookups, seen)
            tally.filtered += shaped.filtered
            tally.empty += shaped.empty
            yield land(shaped, file_map, task.contract, task.now, tally)
            if (ragged := land_ragged(chunk.ragged, task.contract, tally)) is not None:
                yield ragged
            tally.check_map()
            task.progress(tally.read, chunk.share)
    except ShapeError as error:
        raise SourceError(f"{path}: {error}") from None
    if tally.read == tally.blank:
        raise SourceError(f"{path}: has no rows below its header")
    if tally.landed == 0:
        left = "its filter lets none through" if tally.filtered else "its cells are empty"
        raise SourceError(f"{path}: of {tally.read} rows nothing is left to import; {left} ({file_map.path.name})")


def _lookups(task: Import) -> tuple[Lookup, ...]:
    return tuple(open_lookup(join, task.file_map.notation.decimal) for join in task.file_map.joins)


def _wanted(file_map: FileMap) -> frozenset[str] | None:
    """The columns of the source that the map uses; None for all."""
    if file_map.keep_extra or file_map.wide:
        return None
    named = {c.source for c in file_map.columns.values()}
    named |= {c.factor.by for c in file_map.columns.values() if c.factor}
    named |= {s.column for s in file_map.splits} | {c.column for c in file_map.conditions}
    named |= {name for join in file_map.joins for name in join.match} | set(file_map.once_per or ())
    named |= {file_map.known_time.column} if file_map.known_time else set()
    return frozenset(name for name in named if name)


def _fingerprint(task: Import, inspected: Inspected, lookups: tuple[Lookup, ...]) -> str:
    """What makes two imports the same: the file's bytes, what they become and how, and the files looked up."""
    parts = (
        inspected.sha256,
        task.tenant,
        task.site,
        task.contract.name,
        task.contract.version,
        task.file_map.meaning,
        *(lookup.sha256 for lookup in lookups),
    )
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
