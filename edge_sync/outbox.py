"""The folder of a gateway: `staging` while an import runs, `outbox` for what waits, `sent` for what is there.

An import becomes real in one transaction of the journal; until then it lies in a staging folder that nobody reads,
after it each pair only has to be moved, which whoever comes next finishes if the importer died.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from edge_sync.errors import AlreadyRunning, EdgeError
from edge_sync.journal import STAGED, Journal
from expectations.manifest import Manifest


class Outbox:
    """The folders of gateway `name` under `home`; makes them on first use."""

    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        self.folder = home / "edge" / name
        self.staging = self.folder / "staging"
        self.ready = self.folder / "outbox"
        self.sent = self.folder / "sent"
        try:
            for folder in (self.staging, self.ready, self.sent):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EdgeError(
                f"{self.folder}: cannot be made: {error.strerror}; set URETIMIQ_HOME to a folder of yours"
            ) from None

    def journal(self) -> Journal:
        """The journal; should it have been lost, a new one goes on after the highest number of the files here."""
        numbers = [int(path.name[:10]) for folder in (self.ready, self.sent) for path in folder.glob("*.manifest.json")]
        return Journal(self.folder, last_sequence=max(numbers, default=0))

    def waiting(self) -> list[Path]:
        """The manifests of whole pairs, oldest first."""
        return sorted(self.ready.glob("*.manifest.json"))

    def recover(self, journal: Journal) -> None:
        """Finish what a killed import left: move what is real, throw away what is not."""
        with self.door():
            for folder in sorted(self.staging.iterdir()):
                with _lock(folder / "lock") as ours:
                    if not ours:
                        continue  # an import that lives
                    if journal.is_import(folder.name):
                        self.publish(journal, folder)
                    shutil.rmtree(folder, ignore_errors=True)

    def door(self) -> AbstractContextManager[bool]:
        """Held for a moment by whoever makes or clears a staging folder, so that none is cleared half made."""
        return _lock(self.folder / "staging.lock", wait=True)

    def publish(self, journal: Journal, folder: Path) -> None:
        """Move the pairs of a real import into the outbox, data first: a manifest there has its data."""
        for sequence in journal.sequences(folder.name, STAGED):
            for name in (data_name(sequence), manifest_name(sequence)):
                if (folder / name).exists():
                    (folder / name).rename(self.ready / name)
            sync_folder(self.ready)
            journal.set_ready(sequence)


def data_name(sequence: int) -> str:
    return f"{sequence:010d}.parquet"


def manifest_name(sequence: int) -> str:
    return f"{sequence:010d}.manifest.json"


def read_pair(manifest_path: Path) -> tuple[Manifest, Path]:
    """A manifest of the outbox and its data file. Raises EdgeError if the manifest has been tampered with."""
    try:
        manifest = Manifest.from_json(manifest_path.read_bytes())
    except ValueError as error:
        raise EdgeError(f"{manifest_path}: {error}; import its source again with --again and remove the pair") from None
    return manifest, manifest_path.with_name(data_name(manifest.sequence))


@contextmanager
def sole(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path`. Raises AlreadyRunning if another process does; the system frees it when we die."""
    with _lock(path) as ours:
        if not ours:
            raise AlreadyRunning(f"{what} is already running ({path} is locked); wait for it to end")
        yield


@contextmanager
def _lock(path: Path, wait: bool = False) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def sync_file(path: Path) -> None:
    """Have the file's bytes on the disk before anything refers to it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
