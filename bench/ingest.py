"""Ingest against its floor, and ingest with nothing new.

    python bench/ingest.py throughput --rows 20000000 --files 200
    python bench/ingest.py idle --known 100 20000

`throughput` lands made-up sales of 10 tenants (6 years of days in every file) on an S3 server of its own. The floor is
pyarrow reading the same files from it and delta-rs writing one Delta table of the landed columns: no checks, no
lineage, no partitions, no second look. Then `uretimiq run ingest`, as a process of its own: whole, and without the
start of Spark. `idle` lands so many files, takes them in, and times `uretimiq run ingest` with nothing new, in turn.

Prints JSON; times are wall times in seconds, of a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # deploy is no part of the installed packages

from deploy.local import s3, up  # noqa: E402
from deploy.local.home import Home  # noqa: E402
from expectations.contract import Contract  # noqa: E402
from expectations.manifest import DECLARED, Manifest  # noqa: E402
from expectations.tables import SALES  # noqa: E402

TENANTS = 10
DAYS = 2000
FIRST_DAY = date(2019, 1, 1)
AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Ground:
    """A home with an S3 server of its own."""

    home: Home
    key: s3.Key

    @property
    def environ(self) -> dict[str, str]:
        given = {"HOME": str(self.home.path), "PORT": str(self.home.port), "S3_ENDPOINT": self.key.endpoint}
        clean = {k: v for k, v in os.environ.items() if not k.startswith("URETIMIQ_")}
        return {**clean, **{f"URETIMIQ_{name}": value for name, value in given.items()}}


@contextmanager
def ground(port: int, folder: Path | None) -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="uretimiq-bench-", dir=folder) as path:
        home = Home(Path(path), port)
        try:
            up.bring_up(home, [s3.server(home)], lambda _: None)
            yield Ground(home, s3.admin_key(home))
        finally:
            up.bring_down(home, ["s3"], lambda _: None, seconds=0)


def sales(number: int, rows: int) -> pa.Table:
    """Rows of one site: `rows / DAYS` products of DAYS days."""
    rng = np.random.default_rng(number)
    products = max(1, rows // DAYS)
    product = np.repeat(np.arange(products), DAYS)[:rows]
    day = np.tile(np.arange(DAYS), products)[:rows] + FIRST_DAY.toordinal() - date(1970, 1, 1).toordinal()
    values = {
        "site": pa.repeat(f"site-{number:04d}", len(product)),
        "product": pa.array([f"P-{i:05d}" for i in range(products)]).take(pa.array(product)),
        "date": pa.array(day.astype("int32")).cast(pa.date32()),
        "units": pa.array(rng.poisson(20, len(product)).astype("float64")),
        "unit_price": pa.array(rng.integers(100, 900, len(product)) / 100.0),
        "promotion": pa.array(rng.random(len(product)) < 0.1),
        "available_at": pa.array((day.astype("int64") + 1) * 86_400_000_000).cast(pa.timestamp("us", "UTC")),
    }
    return pa.table(values).cast(SALES.landing_schema)


def land_object(client: Any, tenant: str, contract: Contract, sequence: int, rows: pa.Table) -> int:
    """Land one object with its manifest, as a gateway does; returns its bytes."""
    file = io.BytesIO()
    pq.write_table(rows, file, compression="zstd")
    content = file.getvalue()
    made = Manifest(
        tenant=tenant,
        site="plant",
        contract=contract.name,
        contract_version=contract.version,
        gateway="gw",
        sequence=sequence,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        rows=rows.num_rows,
        period_start=None,
        period_end=None,
        created_at=AT,
        source="bench",
        known_time=DECLARED,
    )
    client.put_object(Bucket="landing", Key=made.manifest_key(), Body=made.to_json().encode())
    client.put_object(Bucket="landing", Key=made.data_key(), Body=content)
    return len(content)


def land(ground: Ground, files: int, rows_each: int) -> int:
    """Land `files` objects with their manifests; returns their bytes."""
    client = ground.key.client(max_pool_connections=8)

    def one(number: int) -> int:
        return land_object(client, f"tenant-{number % TENANTS:02d}", SALES, number + 1, sales(number, rows_each))

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(one, range(files)))


def floor(ground: Ground, place: Path) -> float:
    """Read every object with pyarrow, write one table with delta-rs."""
    from deltalake import WriterProperties, write_deltalake
    from pyarrow.fs import FileSelector, S3FileSystem

    key = ground.key
    server = S3FileSystem(
        access_key=key.access_key, secret_key=key.secret_key, endpoint_override=key.endpoint, region="us-east-1"
    )
    started = time.perf_counter()
    found = [
        f.path for f in server.get_file_info(FileSelector("landing", recursive=True)) if f.path.endswith(".parquet")
    ]

    def batches() -> Iterator[pa.RecordBatch]:
        for path in found:
            yield from pq.read_table(path, filesystem=server).to_batches()

    reader = pa.RecordBatchReader.from_batches(SALES.landing_schema, batches())
    write_deltalake(str(place), reader, writer_properties=WriterProperties(compression="ZSTD"))
    return time.perf_counter() - started


_TIMED = """
import time

import jobs.session
from jobs.cli import main

real = jobs.session.start


def start(settings):
    begun = time.perf_counter()
    spark = real(settings)
    print("SPARK", time.perf_counter() - begun, flush=True)
    return spark


jobs.session.start = start
main()
"""


def ingest(ground: Ground) -> dict[str, Any]:
    """`uretimiq run ingest`: wall seconds of the process, of Spark's start in it, and its processor time."""
    # A file and not `-c`: without one pyspark takes the program for its own doctests, and ends it.
    program = ground.home.path / "timed_ingest.py"
    program.write_text(_TIMED)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(program), "run", "ingest", "--json"],
        env=ground.environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode or "ingest: " not in done.stderr:
        raise SystemExit(f"ingest failed:\n{done.stderr[-3000:]}")
    spark = sum(float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("SPARK"))
    return {"seconds": seconds, "without_spark_start": seconds - spark, "said": done.stderr.splitlines()[-3:]}


def throughput(options: argparse.Namespace) -> dict[str, Any]:
    rows = options.rows // options.files
    with ground(options.port, options.folder) as at:
        size = land(at, options.files, rows)
        floors, ingests = [], []
        for _ in range(options.repeat):
            floors.append(floor(at, at.home.path / "floor"))
            shutil.rmtree(at.home.path / "floor")
            ingests.append(ingest(at))
            held = _held(at)
            shutil.rmtree(at.home.path / "lake")
    best, fastest = min(floors), min(ingests, key=lambda i: i["seconds"])
    return {
        "rows": rows * options.files,
        "files": options.files,
        "landed_bytes": size,
        "floor_seconds": floors,
        "ingest": ingests,
        "bronze": held,
        "times_the_floor": fastest["seconds"] / best,
        "times_the_floor_without_spark_start": fastest["without_spark_start"] / best,
    }


def _held(ground: Ground) -> dict[str, int]:
    from deltalake import DeltaTable

    table = DeltaTable(str(ground.home.path / "lake" / "bronze" / "sales"))
    files = pa.table(table.get_add_actions(flatten=True))
    return {
        "files": files.num_rows,
        "bytes": sum(files["size_bytes"].to_pylist()),
        "rows": sum(files["num_records"].to_pylist()),
    }


def idle(options: argparse.Namespace) -> dict[str, Any]:
    found: dict[int, dict[str, Any]] = {}
    for known in options.known:
        with ground(options.port, options.folder) as at:
            land(at, known, 1)
            taken = ingest(at)["seconds"]
            times = [ingest(at)["seconds"] for _ in range(options.repeat)]
            found[known] = {
                "first_run_seconds": taken,
                "nothing_new_seconds": times,
                "median": statistics.median(times),
            }
    medians = [found[known]["median"] for known in options.known]
    return {"known": found, "times_the_first": medians[-1] / medians[0]}


def machine() -> dict[str, Any]:
    names = (
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"processor": next(names, platform.machine()), "cores": os.cpu_count(), "memory_gb": round(memory / 2**30)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=21_800, help="first of a hundred free ports")
    parser.add_argument("--folder", type=Path, help="where the data goes (a temporary folder)")
    modes = parser.add_subparsers(dest="mode", required=True)
    much = modes.add_parser("throughput")
    much.add_argument("--rows", type=int, default=20_000_000)
    much.add_argument("--files", type=int, default=200)
    much.add_argument("--repeat", type=int, default=3)
    nothing = modes.add_parser("idle")
    nothing.add_argument("--known", type=int, nargs="+", default=[100, 20_000])
    nothing.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    result = {"throughput": throughput, "idle": idle}[options.mode](options)
    date_of_run = f"{datetime.now(UTC):%Y-%m-%d}"
    print(json.dumps({"mode": options.mode, "machine": machine(), "date": date_of_run, **result}, indent=2))


if __name__ == "__main__":
    main()
