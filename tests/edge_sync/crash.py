"""Runs an import or a sync again and again in a child process and kills it at every line that moves something.

Run as a program by the crash tests, so that the test process itself is never forked:
`crash.py import FOLDER`, `crash.py sync FOLDER STEP` or `crash.py body FOLDER TENANT`. Prints how many kills it made; a broken law ends it with a trace.
"""

import hashlib
import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pandas as pd  # noqa: F401 - pyarrow looks for it at its first array, and every child would pay for that
import pyarrow.parquet as pq

from edge_sync import s3, sync
from edge_sync.importer import Import, import_file
from edge_sync.mapfile import read_map
from edge_sync.outbox import Outbox, read_pair
from expectations import settings as settings_module
from expectations.tables import TABLES

NOW = datetime(2024, 5, 6, tzinfo=UTC)
MAP = "time_zone: UTC\ncolumns: {site: {constant: s}, product: urun, date: tarih, units: miktar}\n"
ROWS = 5
PER_OBJECT = 3  # so that an import makes two objects
# The functions that move something; a kill elsewhere finds the same state as one at their borders.
IMPORT = {"commit", "publish", "_flush", "set_ready", "transaction", "__exit__"}
SYNC = {"sync", "_send", "_move", "put_once", "set_sent", "_finish"}


def in_child(work: Callable[[], None], kill_at: int = 0, functions: frozenset[str] | set[str] = frozenset()) -> int:
    """Exit status of `work` in a child; killed by SIGKILL at the given line executed in `functions` of edge_sync."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        if kill_at:
            trace_to(kill_at, functions)
        work()
    except BaseException:  # noqa: BLE001 - the child must never return into the parent's code
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def trace_to(kill_at: int, functions: frozenset[str] | set[str]) -> None:
    lines = 0
    folder = str(Path(sync.__file__).parent)

    def on_line(frame, event, _arg):
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return on_line

    def on_call(frame, _event, _arg):
        code = frame.f_code
        return on_line if code.co_name in functions and code.co_filename.startswith(folder) else None

    sys.settrace(on_call)


def run_import(folder: Path, tenant: str = "acme") -> None:
    file_map = read_map(folder.parent / "map.yaml", TABLES["sales"])
    task = Import(tenant=tenant, site="s", contract=TABLES["sales"], file_map=file_map, now=NOW, max_rows=PER_OBJECT)
    import_file(task, folder.parent / "sales.csv", Outbox(folder, "gw"))


def check_pairs_are_whole(folder: Path) -> None:
    """Whatever a reader sees in the outbox at any moment, it is whole."""
    box = Outbox(folder, "gw")
    for path in box.waiting():
        manifest, data = read_pair(path)
        assert hashlib.sha256(data.read_bytes()).hexdigest() == manifest.sha256, path


def check_once(folder: Path) -> None:
    """Every row of the source is in the outbox exactly once, the numbers have no gap, nothing else lies about."""
    box = Outbox(folder, "gw")
    pairs = [read_pair(path) for path in box.waiting()]
    assert [m.sequence for m, _ in pairs] == [1, 2], pairs
    units = [u for _, data in pairs for u in pq.read_table(data)["units"].to_pylist()]
    assert sorted(units) == list(range(ROWS)), units
    assert len(list(box.ready.iterdir())) == 4
    assert list(box.staging.iterdir()) == []


def check_after_kill(folder: Path) -> None:
    check_pairs_are_whole(folder)
    run_import(folder)
    check_pairs_are_whole(folder)
    check_once(folder)


def crash_import(base: Path) -> int:
    kills = 0
    while True:
        folder = base / f"home-{kills}"
        status = in_child(lambda f=folder: run_import(f), kills + 1, IMPORT)
        if status == 0:
            assert in_child(lambda f=folder: check_once(f)) == 0
            return kills
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        kills += 1
        assert in_child(lambda f=folder: check_after_kill(f)) == 0, f"killed at line {kills}"


def run_sync(folder: Path) -> None:
    settings = replace(settings_module.load(), home=folder)
    sync.sync(Outbox(folder, "gw"), lambda _tenant, _site: s3.Bucket(settings), lambda: NOW)


def objects(tenant: str) -> dict[str, str]:
    settings = settings_module.load()
    client = boto3.client(
        "s3",
        endpoint_url=settings.s3_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
    )
    found = client.list_objects_v2(Bucket="landing", Prefix=f"{tenant}/").get("Contents", [])
    return {
        o["Key"]: hashlib.sha256(client.get_object(Bucket="landing", Key=o["Key"])["Body"].read()).hexdigest()
        for o in found
    }


def check_landed(folder: Path, tenant: str, whole: bool) -> None:
    """What is in the bucket is as its manifest says, and a data object has its manifest; if `whole`, all is there."""
    there = objects(tenant)
    box = Outbox(folder, "gw")
    for path in sorted([*box.ready.glob("*.json"), *box.sent.glob("*.json")]):
        manifest, _ = read_pair(path)
        assert there.get(manifest.data_key(), manifest.sha256) == manifest.sha256
        assert manifest.manifest_key() in there or manifest.data_key() not in there
        assert not whole or manifest.data_key() in there
    if whole:
        assert len(there) == 4, there
        assert list(box.ready.iterdir()) == []
        assert len(list(box.sent.iterdir())) == 4


def check_after_kill_of_sync(folder: Path, tenant: str) -> None:
    check_landed(folder, tenant, whole=False)
    run_sync(folder)
    check_landed(folder, tenant, whole=True)


def crash_sync(base: Path, step: int) -> int:
    kills = 0
    boto3.setup_default_session()
    while True:
        folder, tenant = base / f"home-{kills}", f"crash-{kills}"
        assert in_child(lambda f=folder, t=tenant: run_import(f, t)) == 0
        status = in_child(lambda f=folder: run_sync(f), kills * step + 1, SYNC)
        if status == 0:
            assert in_child(lambda f=folder, t=tenant: check_landed(f, t, whole=True)) == 0
            return kills
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        kills += 1
        assert in_child(lambda f=folder, t=tenant: check_after_kill_of_sync(f, t)) == 0, f"killed at line {kills}"


def crash_body(base: Path, tenant: str) -> int:
    """Kill in the midst of the body of a PUT: nothing is visible; the next try puts the whole."""
    path, key = base / "big", f"{tenant}/big"
    path.write_bytes(os.urandom(8 << 20))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    class Dying(io.FileIO):
        """Dies after two thirds of what is sent; before that the body is read once whole for its signature."""

        left = (8 << 20) * 5 // 3

        def read(self, size: int = -1) -> bytes:
            content = super().read(size)
            self.left -= len(content)
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return content

    def dying() -> None:
        bucket = s3.Bucket(settings_module.load())
        real = bucket._put
        bucket._put = lambda key, _body, *rest: real(key, Dying(path), *rest)
        bucket.put_once(key, path, digest)

    assert os.WTERMSIG(in_child(dying)) == signal.SIGKILL
    assert in_child(lambda: check_nothing(tenant)) == 0
    assert in_child(lambda: s3.Bucket(settings_module.load()).put_once(key, path, digest)) == 0
    return 1


def check_nothing(tenant: str) -> None:
    assert objects(tenant) == {}


if __name__ == "__main__":
    base = Path(sys.argv[2])
    (base / "map.yaml").write_text(MAP)
    (base / "sales.csv").write_text("urun,tarih,miktar\n" + "".join(f"A{i},2024-01-01,{i}\n" for i in range(ROWS)))
    match sys.argv[1]:
        case "import":
            print(crash_import(base))
        case "sync":
            print(crash_sync(base, int(sys.argv[3])))
        case "body":
            print(crash_body(base, sys.argv[3]))
