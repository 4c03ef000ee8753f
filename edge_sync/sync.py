"""Uploads the outbox: manifest first, then data; a pair that is there is never sent again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from edge_sync.errors import EdgeError, SyncError
from edge_sync.journal import SENT, Journal
from edge_sync.outbox import Outbox, data_name, manifest_name, read_pair, sole, sync_folder
from expectations.manifest import Manifest

LAST_ERROR, LAST_SYNC = "last_error", "last_sync"


class Door(Protocol):
    """Where pairs go; `s3.Bucket` is one."""

    def put_once(self, key: str, body: Path | bytes, sha256: str) -> bool: ...


@dataclass
class Sent:
    """What one sync did. `there` counts pairs that a killed sync had sent already."""

    objects: int = 0
    rows: int = 0
    bytes: int = 0
    there: int = 0
    refused: list[str] = field(default_factory=list)


def sync(
    outbox: Outbox,
    door_of: Callable[[str, str], Door],
    now: Callable[[], datetime],
    keep_days: int = 7,
    progress: Callable[[Manifest], None] = lambda _: None,
) -> Sent:
    """Send what waits in `outbox`, oldest first; `door_of` gives the door for a tenant and site.

    Raises AlreadyRunning, or SyncError where going on makes no sense (network, keys); a pair that conflicts or is
    damaged is refused and the others go on.
    """
    with sole(outbox.folder / "sync.lock", f"sync of gateway {outbox.name}"), outbox.journal() as journal:
        outbox.recover(journal)
        done = Sent()
        doors: dict[tuple[str, str], Door] = {}
        try:
            for path in outbox.waiting():
                try:
                    manifest, data = read_pair(path)
                    if journal.state(manifest.sequence) != SENT:
                        place = (manifest.tenant, manifest.site)
                        if place not in doors:
                            doors[place] = door_of(*place)
                        _send(doors[place], manifest, path, data, done)
                        journal.set_sent(manifest.sequence, now())
                        progress(manifest)
                    _move(outbox, manifest.sequence, now())
                except SyncError:
                    raise
                except EdgeError as error:
                    done.refused.append(str(error))
        except SyncError as error:
            journal.note(LAST_ERROR, str(error), now())
            raise
        _finish(outbox, journal, done, now(), keep_days)
        return done


def _send(door: Door, manifest: Manifest, path: Path, data: Path, done: Sent) -> None:
    if not data.exists() or data.stat().st_size != manifest.bytes:
        raise EdgeError(
            f"{data}: is not the file that its manifest describes; import {manifest.source} again with --again"
        )
    text = path.read_bytes()
    new = door.put_once(manifest.manifest_key(), text, hashlib.sha256(text).hexdigest())
    new = door.put_once(manifest.data_key(), data, manifest.sha256) and new
    done.there += not new
    done.objects += 1
    done.rows += manifest.rows
    done.bytes += manifest.bytes


def _move(outbox: Outbox, sequence: int, now: datetime) -> None:
    """Out of the outbox, data last: while the data is there, so is its place in the queue."""
    for name in (data_name(sequence), manifest_name(sequence)):
        if (outbox.ready / name).exists():
            os.utime(outbox.ready / name, (now.timestamp(), now.timestamp()))  # from now on it is kept `keep_days`
            (outbox.ready / name).rename(outbox.sent / name)
    sync_folder(outbox.ready)


def _finish(outbox: Outbox, journal: Journal, done: Sent, now: datetime, keep_days: int) -> None:
    journal.note(LAST_SYNC, f"{done.objects} objects", now)
    journal.note(LAST_ERROR, done.refused[0] if done.refused else "", now)
    oldest = (now - timedelta(days=keep_days)).timestamp()
    for path in outbox.sent.iterdir():
        if path.stat().st_mtime < oldest:
            path.unlink()
