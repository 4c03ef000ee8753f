"""The API under load: one series' 28 days beside an endpoint of the same app that returns a constant.

    python bench/api.py --seconds 8 --clients 32
    python bench/api.py --tenants 300 --series 10000 --workers 2 --rate 200 --seconds 60 --requests 200000

Writes a lake of made-up nights into a temporary folder, starts `uretimiq-api` over it on loopback and asks it from this
process with keep-alive connections. Without --rate each sends its next request when the answer is there (a closed loop);
with it requests are due at that rate, and latency counts from when one was due, so that waiting in line counts too.
Prints JSON: for each endpoint requests a second, the latency [ms] at p50, p95 and p99, and the server's processor time
for one request [ms]; with --requests the server's memory [MiB] over so many requests for one series. Client and server
share the machine, so the constant endpoint is the measure, not the absolute figures; on a machine that is busy otherwise
only the processor time says something.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import psutil
import pyarrow as pa
from deltalake import write_deltalake

from expectations.settings import Settings
from expectations.tables import DEMAND_FORECAST

NIGHT = date(2026, 3, 1)
PRODUCTS = 41
WARM_UP = 0.1  # part of the time
ROWS_AT_ONCE = 3_000_000  # in memory, of a lake that is written
ROOT = Path(__file__).resolve().parents[1]
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ROWS = """
    SELECT strftime($night, '%Y%m%d') || left(sha256(concat(t, i, d)), 16) AS forecast_id, 'tenant-' || t AS tenant, $night AS night,
        'site-' || (i // $products) AS site, 'P-' || (i % $products) AS product,
        $night + d::INTEGER AS date, 'day' AS period, d::INTEGER AS horizon,
        random() * 10 AS units_q10, 10 + random() * 10 AS units_q50, 20 + random() * 10 AS units_q90,
        10 + random() * 10 AS units_point, 0.0 AS units_hierarchy,
        'champion' AS method, NULL::VARCHAR AS fallback_reason,
        'demand-tenant-' || t AS model_name, '7' AS model_version, $cut_off AS cut_off,
        '{"demand_features": 3}' AS table_versions, 'run-1' AS run_id, $cut_off AS available_at,
        strftime($night, '%Y-%m') AS night_month
    FROM range($first, $end) a(t), range($series) b(i), range(1, 29) c(d)
"""


@dataclass(frozen=True)
class Load:
    """What is asked: paths in turn, each with the same headers."""

    port: int
    key: str
    path: Callable[[], str]
    headers: str = ""

    def request(self) -> bytes:
        more = f"Host: 127.0.0.1\r\nAuthorization: Bearer {self.key}\r\n{self.headers}"
        return f"GET {self.path()} HTTP/1.1\r\n{more}\r\n".encode()


def write_lake(home: Path, tenants: int, series: int, night: date = NIGHT) -> None:
    """One night of `tenants` tenants with `series` series each, in the lake of `home`."""
    at_once = max(1, ROWS_AT_ONCE // (series * 28))
    schema = pa.schema([c.field for c in DEMAND_FORECAST.columns])
    place = Settings(home=home).place(DEMAND_FORECAST)
    for first in range(0, tenants, at_once):
        params = {
            "night": night,
            "cut_off": datetime(night.year, night.month, night.day, 23, tzinfo=UTC),
            "first": first,
            "end": min(first + at_once, tenants),
            "series": series,
            "products": PRODUCTS,
        }
        rows = duckdb.connect().sql(_ROWS, params=params).to_arrow_table()
        table = pa.table([rows[name].cast(schema.field(name).type) for name in schema.names], schema=schema)
        write_deltalake(place, table, partition_by=list(DEMAND_FORECAST.partitioned_by), mode="append")


@contextmanager
def server(home: Path, workers: int) -> Iterator[tuple[int, int, str]]:
    """A running API over the lake of `home`; gives its port, its process, and a key that reads all forecasts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "serving.cli"]  # of this checkout
    unlimited = {"URETIMIQ_RATE_USER": "10000000", "URETIMIQ_RATE_ADDRESS": "10000000"}
    environ = {**os.environ, **unlimited, "URETIMIQ_HOME": str(home), "URETIMIQ_LOG_LEVEL": "WARNING"}
    made = [*program, "key", "add", "bench", "--tenant", "*", "--scope", "forecasts:read"]
    key = subprocess.run(made, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout.strip()
    command = [*program, "--port", str(port), "--workers", str(workers)]
    running = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/readyz", running)
        yield port, running.pid, key
    finally:
        running.terminate()
        running.wait(20)


def _wait(address: str, running: subprocess.Popen, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and running.poll() is None:
        with suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.05)
    raise SystemExit(f"the API did not answer at {address} within {seconds} s")


async def _client(load: Load, requests: Iterator[float], took: list[float]) -> None:
    """Ask again and again, when the next of `requests` is due; note how many seconds after that each answer was there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    for due in requests:
        began = time.perf_counter()
        if due > began:
            await asyncio.sleep(due - began)
        begin = due or began
        writer.write(load.request())
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 304")):
            raise SystemExit(f"not an answer to measure: {head.decode()}")
        await reader.readexactly(int(length[1]) if length else 0)
        took.append(time.perf_counter() - begin)
    writer.close()


async def _run(load: Load, clients: int, requests: Iterator[float]) -> list[float]:
    took: list[float] = []
    await asyncio.gather(*(_client(load, requests, took) for _ in range(clients)))
    return sorted(took)


def _due(seconds: float, rate: float) -> Iterator[float]:
    """When each request is due: at `rate` a second, or with 0 as soon as a client is free."""
    begin = time.perf_counter()
    for n in itertools.count():
        due = begin + n / rate if rate else 0.0
        if max(due, time.perf_counter()) >= begin + seconds:
            return
        yield due


def _tree(pid: int) -> list[psutil.Process]:
    """The server's process and its workers."""
    server = psutil.Process(pid)
    return [server, *server.children(recursive=True)]


def _cpu_seconds(pid: int) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in _tree(pid))


def measure(load: Load, pid: int, clients: int, seconds: float, rate: float) -> dict[str, Any]:
    """What `clients` clients see that ask for so many seconds."""
    asyncio.run(_run(load, clients, _due(seconds * WARM_UP, rate)))
    before = _cpu_seconds(pid)
    took = asyncio.run(_run(load, clients, _due(seconds, rate)))
    cpu = 1000 * (_cpu_seconds(pid) - before) / len(took)
    at = {f"p{p}_ms": round(1000 * took[min(len(took) * p // 100, len(took) - 1)], 2) for p in (50, 95, 99)}
    return {
        "requests": len(took),
        "requests_per_second": round(len(took) / seconds),
        **at,
        "server_cpu_ms": round(cpu, 3),
    }


def memory(load: Load, pid: int, clients: int, requests: int) -> list[float]:
    """The memory [MiB] of the server and its workers together: before, and after each tenth of so many requests.

    Pages of mapped files are not counted: they are the system's, which takes them back when somebody needs them.
    """
    found = []
    for _ in range(11):
        own = (info.rss - info.shared for info in (process.memory_info() for process in _tree(pid)))
        found.append(round(sum(own) / 2**20, 1))
        if len(found) < 11:
            asyncio.run(_run(load, clients, itertools.repeat(0.0, requests // 10)))
    return found


def _ask(port: int, key: str, path: str) -> Any:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {key}"})
    return urllib.request.urlopen(asked)


def first_answers(port: int, key: str, tenants: int) -> dict[str, float]:
    """How long the first answer of each tenant takes [ms], for which its night is read."""
    took = []
    for t in range(tenants):
        began = time.perf_counter()
        _ask(port, key, f"/v1/tenants/tenant-{t}/forecasts?limit=28").close()
        took.append(1000 * (time.perf_counter() - began))
    return {"median_ms": round(statistics.median(took), 1), "max_ms": round(max(took), 1)}


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description="Load the API on loopback and print latencies as JSON.")
    parser.add_argument("--seconds", type=float, default=8, help="measured for each endpoint")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--tenants", type=int, default=20)
    parser.add_argument("--series", type=int, default=154, help="of each tenant")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: as many as the clients get")
    parser.add_argument("--home", type=Path, help="a folder that keeps the lake for the next run; else it is deleted")
    parser.add_argument("--requests", type=int, default=0, help="over which the server's memory is watched")
    options = parser.parse_args()
    draw = random.Random(1)

    def tenant() -> str:
        return f"/v1/tenants/tenant-{draw.randrange(options.tenants)}"

    def one_series() -> str:
        i = draw.randrange(options.series)
        return f"{tenant()}/forecasts?site=site-{i // PRODUCTS}&product={quote(f'P-{i % PRODUCTS}')}"

    with nullcontext(options.home) if options.home else tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if not (home / "lake").exists():
            write_lake(home, options.tenants, options.series)
        with server(home, options.workers) as (port, pid, key):
            first = first_answers(port, key, options.tenants)
            known = one_series()
            with _ask(port, key, known) as answer:
                tag = answer.headers["ETag"]
            loads = {
                "constant": Load(port, key, lambda: "/healthz"),
                "one_series": Load(port, key, one_series),
                "one_series_known": Load(port, key, lambda: known, f"If-None-Match: {tag}\r\n"),
                "page_of_1000": Load(port, key, lambda: f"{tenant()}/forecasts"),
                "page_of_1000_gzip": Load(port, key, lambda: f"{tenant()}/forecasts", "Accept-Encoding: gzip\r\n"),
            }
            found = {
                name: measure(load, pid, options.clients, options.seconds, options.rate) for name, load in loads.items()
            }
            watched = memory(loads["one_series"], pid, options.clients, options.requests) if options.requests else []
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    stack = {
        "http": "httptools" if find_spec("httptools") else "h11",
        "loop": "uvloop" if find_spec("uvloop") else "asyncio",
    }
    print(
        json.dumps(
            {**vars(options), **machine, **stack, "first_answer": first, "endpoints": found, "memory_mib": watched},
            indent=2,
            default=str,
        )
    )


if __name__ == "__main__":
    main()
