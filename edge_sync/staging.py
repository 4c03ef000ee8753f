"""Writes the objects of one import into a staging folder and makes them real all at once."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from edge_sync.journal import Imported
from edge_sync.outbox import Outbox, data_name, manifest_name, sole, sync_file, sync_folder
from expectations.contract import Contract
from expectations.manifest import DECLARED, OBSERVED, Manifest

MAX_ROWS = 1_000_000
# Of Arrow memory; some 10 MB as Parquet, so that a poor line loses little when a PUT breaks off.
MAX_BYTES = 96 << 20


@dataclass(frozen=True, kw_only=True)
class Label:
    """What the manifests of one import share."""

    tenant: str
    site: str
    contract: Contract
    source: str
    fingerprint: str
    declared: bool  # whether the known time is what the map says
    now: datetime


@dataclass(frozen=True)
class _Written:
    path: Path
    sha256: str
    rows: int
    period: tuple[date | None, date | None]


class Duplicate(Exception):
    """The same import was finished by another process meanwhile."""

    def __init__(self, earlier: Imported) -> None:
        super().__init__(earlier.id)
        self.earlier = earlier


@dataclass
class Staging:
    """Use in a `with`: `add` tables, then `commit`; leaving without it leaves nothing behind."""

    outbox: Outbox
    label: Label
    max_rows: int = MAX_ROWS
    duplicate_keys: int = 0  # rows that share their key with another row of their object
    _held: list[pa.Table] = field(default_factory=list)
    _written: list[_Written] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.id = uuid4().hex
        self.folder = self.outbox.staging / self.id
        self._locked = ExitStack()
        with self.outbox.door():
            self._locked.enter_context(sole(self.folder / "lock", "this import"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._locked.close()

    def add(self, table: pa.Table) -> None:
        """Take rows; an object is written as soon as enough have come together."""
        while table.num_rows:
            room = self.max_rows - sum(t.num_rows for t in self._held)
            self._held.append(table.slice(0, room))
            table = table.slice(room)
            if table.num_rows or sum(t.nbytes for t in self._held) >= MAX_BYTES:
                self._flush()

    def commit(self, again: bool) -> list[Manifest]:
        """Make the import real and put its objects into the outbox.

        Raises Duplicate if the same was imported meanwhile, unless it is to be imported `again`.
        """
        self._flush()
        label, manifests = self.label, []
        with self.outbox.journal() as journal:
            with journal.transaction():
                earlier = journal.imported(label.fingerprint)
                if earlier and not again:
                    raise Duplicate(earlier)
                rows = sum(w.rows for w in self._written)
                journal.add_import(self.id, label.fingerprint, label.source, label.contract.name, rows, label.now)
                for written in self._written:
                    size = written.path.stat().st_size
                    sequence = journal.next_sequence(self.id, written.sha256, size, written.rows)
                    manifest = self._manifest(written, sequence, size)
                    journal.set_key(sequence, manifest.data_key())
                    manifests.append(manifest)
                    written.path.rename(self.folder / data_name(sequence))
                    path = self.folder / manifest_name(sequence)
                    path.write_text(manifest.to_json(), encoding="utf-8")
                    sync_file(path)
                sync_folder(self.folder)
                sync_folder(self.outbox.staging)
            self.outbox.publish(journal, self.folder)
        return manifests

    def _flush(self) -> None:
        if not self._held:
            return
        table = _as_landed(pa.concat_tables(self._held, promote_options="default"), self.label.contract)
        self._held.clear()
        self.duplicate_keys += _shared_keys(table, self.label.contract)
        path = self.folder / f"part-{len(self._written):06d}.parquet"
        pq.write_table(table, path, compression="zstd")
        sync_file(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._written.append(_Written(path, digest, table.num_rows, _period(table, self.label.contract)))

    def _manifest(self, written: _Written, sequence: int, size: int) -> Manifest:
        label = self.label
        return Manifest(
            tenant=label.tenant,
            site=label.site,
            contract=label.contract.name,
            contract_version=label.contract.version,
            gateway=self.outbox.name,
            sequence=sequence,
            sha256=written.sha256,
            bytes=size,
            rows=written.rows,
            period_start=written.period[0],
            period_end=written.period[1],
            created_at=label.now,
            source=label.source,
            known_time=DECLARED if label.declared else OBSERVED,
        )


def _as_landed(table: pa.Table, contract: Contract) -> pa.Table:
    """Columns in the contract's order, extras behind; null is allowed only where there is one, so that such a row travels."""
    wanted = contract.landing_schema
    extras = [f for f in table.schema if f.name not in wanted.names]
    columns = [table[name] for name in wanted.names] + [table[f.name] for f in extras]
    fields = [f.with_nullable(f.nullable or table[f.name].null_count > 0) for f in wanted]
    return pa.table(columns, schema=pa.schema([*fields, *extras]))


def _period(table: pa.Table, contract: Contract) -> tuple[date | None, date | None]:
    if contract.event_time is None:
        return None, None
    ends = pc.min_max(table[contract.event_time])
    return tuple(v.date() if isinstance(v, datetime) else v for v in (ends["min"].as_py(), ends["max"].as_py()))  # type: ignore[return-value]


def _shared_keys(table: pa.Table, contract: Contract) -> int:
    """How many rows share their key, and their known time, with another: of those only one will be the current row."""
    keys = [k for k in (*contract.keys, contract.known_time) if k in table.column_names]
    counts = table.select(keys).drop_null().group_by(keys).aggregate([([], "count_all")])["count_all"]
    return int(pc.sum(pc.if_else(pc.greater(counts, 1), counts, 0)).as_py() or 0)
