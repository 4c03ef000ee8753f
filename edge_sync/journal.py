"""The gateway's memory: which files were imported, which objects came of them, what was sent. One SQLite file.

A sequence number is given in the transaction that makes an import real and is never given again, so the numbers of
a gateway have no gaps and no doubles, whoever dies when.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

STAGED, READY, SENT = "staged", "ready", "sent"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS imports (
    id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, source TEXT NOT NULL, contract TEXT NOT NULL,
    rows INTEGER NOT NULL, imported_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS imports_by_fingerprint ON imports (fingerprint);
CREATE TABLE IF NOT EXISTS objects (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, import_id TEXT NOT NULL REFERENCES imports (id),
    object_key TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, rows INTEGER NOT NULL,
    state TEXT NOT NULL, sent_at TEXT
);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, text TEXT NOT NULL, at TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Imported:
    """An earlier import of the same content with the same map."""

    id: str
    source: str
    rows: int
    imported_at: str


@dataclass(frozen=True)
class Totals:
    objects: int
    rows: int
    bytes: int


class Journal:
    """Opens or makes the journal of a gateway's folder. Close it after use, or use it in a `with`."""

    def __init__(self, folder: Path, last_sequence: int = 0) -> None:
        self._db = sqlite3.connect(folder / "journal.sqlite", timeout=60, isolation_level=None)
        self._db.execute("PRAGMA synchronous = FULL")  # what is committed survives a power cut
        self._db.executescript(_SCHEMA)
        if (
            last_sequence
            and self._db.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'objects'").fetchone() is None
        ):
            self._db.execute("INSERT INTO sqlite_sequence VALUES ('objects', ?)", (last_sequence,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One writer at a time, across processes; all or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def imported(self, fingerprint: str) -> Imported | None:
        """The last import with this fingerprint."""
        row = self._db.execute(
            "SELECT id, source, rows, imported_at FROM imports WHERE fingerprint = ? ORDER BY imported_at DESC LIMIT 1",
            (fingerprint,),
        ).fetchone()
        return Imported(*row) if row else None

    def is_import(self, import_id: str) -> bool:
        return self._db.execute("SELECT 1 FROM imports WHERE id = ?", (import_id,)).fetchone() is not None

    def add_import(self, import_id: str, fingerprint: str, source: str, contract: str, rows: int, at: datetime) -> None:
        values = (import_id, fingerprint, source, contract, rows, at.isoformat())
        self._db.execute("INSERT INTO imports VALUES (?, ?, ?, ?, ?, ?)", values)

    def next_sequence(self, import_id: str, sha256: str, size: int, rows: int) -> int:
        """Book an object of an import; its key follows with `set_key`."""
        values = (import_id, sha256, size, rows, STAGED)
        made = self._db.execute(
            "INSERT INTO objects (import_id, object_key, sha256, bytes, rows, state) VALUES (?, '', ?, ?, ?, ?)", values
        )
        return int(made.lastrowid or 0)

    def set_key(self, sequence: int, key: str) -> None:
        self._db.execute("UPDATE objects SET object_key = ? WHERE sequence = ?", (key, sequence))

    def sequences(self, import_id: str, state: str) -> list[int]:
        query = "SELECT sequence FROM objects WHERE import_id = ? AND state = ? ORDER BY sequence"
        return [row[0] for row in self._db.execute(query, (import_id, state))]

    def state(self, sequence: int) -> str | None:
        row = self._db.execute("SELECT state FROM objects WHERE sequence = ?", (sequence,)).fetchone()
        return str(row[0]) if row else None

    def set_ready(self, sequence: int) -> None:
        """It lies in the outbox now, unless an upload was quicker and has sent it already."""
        self._db.execute("UPDATE objects SET state = ? WHERE sequence = ? AND state = ?", (READY, sequence, STAGED))

    def set_sent(self, sequence: int, at: datetime) -> None:
        self._db.execute(
            "UPDATE objects SET state = ?, sent_at = ? WHERE sequence = ?", (SENT, at.isoformat(), sequence)
        )

    def totals(self, *states: str) -> Totals:
        marks = ", ".join("?" * len(states))
        query = (
            f"SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM objects WHERE state IN ({marks})"  # noqa: S608 - marks alone
        )
        return Totals(*self._db.execute(query, states).fetchone())

    def note(self, name: str, text: str, at: datetime) -> None:
        """Keep the last word on something, such as the last error."""
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (name, text, at.isoformat()))

    def noted(self, name: str) -> tuple[str, str] | None:
        """The text and when it was written."""
        row = self._db.execute("SELECT text, at FROM notes WHERE name = ?", (name,)).fetchone()
        return (row[0], row[1]) if row else None
