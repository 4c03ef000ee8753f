"""One writer a table: a lease that the kernel, or the object store, takes back when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from expectations.settings import Settings
from jobs.errors import JobError

POLL_SECONDS = 0.2
EXPIRES_SECONDS = 120.0
BEAT_SECONDS = 30.0


class LeaseTaken(JobError):
    """Somebody else holds the lease."""


@contextmanager
def lease(settings: Settings, name: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lease `name` of the lake. Raises LeaseTaken when it is still held after `wait_seconds`.

    A lake in a folder is guarded by a file lock, which a killed holder loses at once; a lake on S3 by an object
    that is created if absent, kept alive by a heartbeat and taken over when the heartbeat stops.
    """
    deadline = time.monotonic() + wait_seconds
    acquire = _s3_lease if settings.lake_uri.startswith("s3://") else _file_lease
    with acquire(settings, name, deadline):
        yield


def _whoami() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "token": uuid.uuid4().hex}


def _taken(name: str, holder: str) -> LeaseTaken:
    return LeaseTaken(f"{name} is being written by {holder}: wait until it is done, or stop it")


@contextmanager
def _file_lease(settings: Settings, name: str, deadline: float) -> Iterator[None]:
    folder = Path(settings.lake_uri.removeprefix("file://")) / "_leases"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a+") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    handle.seek(0)
                    raise _taken(name, f"process {handle.read() or '?'}") from None
                time.sleep(POLL_SECONDS)
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        yield  # closing the file gives the lock back


class _S3Lease:
    """The lease object on S3; every change of it is conditional, so two can never both succeed."""

    def __init__(self, settings: Settings, name: str) -> None:
        import boto3

        self.name = name
        self.me = _whoami()
        bucket, _, prefix = settings.lake_uri.removeprefix("s3://").partition("/")
        self.place = {"Bucket": bucket, "Key": f"{prefix}/_leases/{name}.json".lstrip("/")}
        self.s3 = boto3.client(
            "s3",
            endpoint_url=settings.s3_url,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key,
        )
        self.etag: str | None = None
        self.stop = threading.Event()

    def _put(self, **condition: str) -> bool:
        from botocore.exceptions import ClientError

        body = json.dumps({**self.me, "beat": time.time()}).encode()
        try:
            self.etag = self.s3.put_object(Body=body, **self.place, **condition)["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"):
                return False
            raise
        return True

    def try_acquire(self) -> str | None:
        """None when it is ours, else who holds it."""
        from botocore.exceptions import ClientError

        if self._put(IfNoneMatch="*"):
            return None
        try:
            answer = self.s3.get_object(**self.place)
        except ClientError:
            return "a holder that just left"
        holder = json.loads(answer["Body"].read())
        if time.time() - holder["beat"] > EXPIRES_SECONDS and self._put(IfMatch=answer["ETag"]):
            return None
        return f"process {holder['pid']} on {holder['host']}"

    def beat(self) -> None:
        while not self.stop.wait(BEAT_SECONDS):
            if not self._put(IfMatch=str(self.etag)):
                os._exit(75)  # somebody took over: writing on would be the second writer

    def release(self) -> None:
        self.stop.set()
        self.s3.delete_object(**self.place)


@contextmanager
def _s3_lease(settings: Settings, name: str, deadline: float) -> Iterator[None]:
    held = _S3Lease(settings, name)
    while (holder := held.try_acquire()) is not None:
        if time.monotonic() >= deadline:
            raise _taken(name, holder)
        time.sleep(POLL_SECONDS)
    beating = threading.Thread(target=held.beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        held.release()
        beating.join(timeout=5)
