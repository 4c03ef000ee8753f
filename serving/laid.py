"""Tables laid in files that all processes of the server map into memory: made once, shared, gone without harm."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyarrow import ipc

log = logging.getLogger(__name__)

FORM = 2  # of what is laid: a file of another form is not found
MAX_BYTES = 16 * 2**30  # on disk: the nights of 300 tenants of 10,000 series take 7 GB
BATCH_ROWS = 16_384  # a series' columns lie within 2 MB of each other
STALE_SECONDS = 3600.0  # what is half written since then was interrupted
ENDING, UNFINISHED = ".arrow", ".new"
END = b"end."
READ_BYTES = 2**20
END_BYTES = len(END) + 4  # with the checksum; eight, since Arrow wants its tables at such distances

Tables = tuple[pa.Table, ...]


class LaidFolder:
    """A folder of tables by name, those opened longest ago deleted above `max_bytes`.

    Every process may use it at once: what is made under a lock appears whole, by its renaming. Who has a deleted file open
    keeps it. What the disk does not take is given from memory.
    """

    def __init__(self, place: Path, max_bytes: int = MAX_BYTES) -> None:
        self._place = place
        self._max_bytes = max_bytes

    def get(self, name: tuple[object, ...], make: Callable[[], Tables]) -> tuple[Tables, bool]:
        """The tables of that name, made if they are not here; and whether they are mapped from a file."""
        path = self._place / f"{hashlib.sha256(repr((FORM, *name)).encode()).hexdigest()[:32]}{ENDING}"
        found = _open(path)
        if found is None:
            with self.alone(path.name[:2]):  # of 256 locks: a night waits for few others
                found = _open(path)
                if found is None:
                    made = make()
                    found = self._lay(path, made)
                    return (found, True) if found else (made, False)
        return found, True

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold the lock of that name, which no other process or thread then holds."""
        try:
            self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = (self._place / f"{name}.lock").open("a")
        except OSError:  # where no lock can be written, neither can tables
            yield
            return
        with file:
            with suppress(OSError):  # some file systems have no locks: then a night may be laid twice, each whole
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _lay(self, path: Path, tables: Tables) -> Tables | None:
        new = path.with_suffix(UNFINISHED)
        try:
            new.unlink(missing_ok=True)  # not written over: whoever else had it open would write into ours
            with os.fdopen(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
                for table in tables:
                    with ipc.new_stream(file, table.schema) as writer:
                        writer.write_table(table, max_chunksize=BATCH_ROWS)
                file.write(_end(file, file.tell()))
                file.flush()
                os.fsync(file.fileno())  # else a power cut could leave a whole name with half a file
            new.rename(path)
            self._make_room(path)
        except OSError as error:
            log.warning("cannot lay a night in %s, it is read by each process: %s", self._place, error)
            with suppress(OSError):
                new.unlink(missing_ok=True)
            return None
        return _open(path)

    def _make_room(self, kept: Path) -> None:
        """Delete what was interrupted, and of the rest but `kept` the oldest above the bound."""
        total, since = kept.stat().st_size, time.time() - STALE_SECONDS
        others = [(path, _stat(path)) for path in self._place.iterdir() if path != kept]
        there = [(stat.st_mtime, stat.st_size, path) for path, stat in others if stat]
        for modified, size, path in sorted(there, reverse=True):
            if path.suffix == ENDING:
                total += size
            if (path.suffix == ENDING and total > self._max_bytes) or (path.suffix == UNFINISHED and modified < since):
                with suppress(OSError):  # gone, or nothing that we laid
                    path.unlink()


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:  # another process has deleted it
        return None


def _end(file: BinaryIO, size: int) -> bytes:
    """What stands behind the first `size` bytes of a file, where it is left."""
    file.seek(0)
    crc = 0
    for begin in range(0, size, READ_BYTES):  # not through the map, whose pages would count as the process's
        crc = zlib.crc32(file.read(min(READ_BYTES, size - begin)), crc)
    return END + crc.to_bytes(4, "little")


def _open(path: Path) -> Tables | None:
    """The tables of a file, mapped: their pages are read when they are used, and are the system's to take back.

    A file whose checksum is not that of its bytes is not believed: Arrow would give wrong rows of it, or end the process.
    """
    try:
        with path.open("rb") as file:
            end = max(os.fstat(file.fileno()).st_size - END_BYTES, 0)
            if _end(file, end) != file.read():
                raise pa.ArrowInvalid("it is not as it was written")
        with pa.memory_map(str(path)) as mapped:
            found = []
            while mapped.tell() < end:
                found.append(ipc.open_stream(mapped).read_all())
        os.utime(path)  # what is used stays
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowInvalid) as error:
        log.warning("%s cannot be read and is made anew: %s", path, error)
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return None
    return tuple(found)
