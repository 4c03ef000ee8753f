"""The API under load: one series' 28 days beside an endpoint of the same app that returns a constant.

    python bench/api.py --seconds 8 --clients 32

Writes a lake of made-up nights into a temporary folder, starts `uretimiq-api` over it on loopback and asks it from this
process with keep-alive connections, each of which sends its next request when the answer is there (a closed loop).
Prints JSON: for each endpoint requests a second, the latency [ms] at p50, p95 and p99, and the server's processor time
for one request [ms]. Client and server share the machine, so the constant endpoint is the measure, not the absolute
figures; on a machine that is busy otherwise only the processor time says something.
"""

from __future__ import annotations

import argparse
import asyncio
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
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pyarrow as pa
from deltalake import write_deltalake

from expectations.settings import Settings
from expectations.tables import DEMAND_FORECAST

NIGHT = date(2026, 3, 1)
PRODUCTS = 41
WARM_UP = 0.1  # part of the time
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ROWS = """
    SELECT sha256(concat(t, i, d)) AS forecast_id, 'tenant-' || t AS tenant, $night AS night,
        'site-' || (i // $products) AS site, 'P-' || (i % $products) AS product,
        $night + d::INTEGER AS date, 'day' AS period, d::INTEGER AS horizon,
        random() * 10 AS units_q10, 10 + random() * 10 AS units_q50, 20 + random() * 10 AS units_q90,
        10 + random() * 10 AS units_point, 0.0 AS units_hierarchy,
        'champion' AS method, NULL::VARCHAR AS fallback_reason,
        'demand-tenant-' || t AS model_name, '7' AS model_version, $cut_off AS cut_off,
        '{"demand_features": 3}' AS table_versions, 'run-1' AS run_id, $cut_off AS available_at,
        strftime($night, '%Y-%m') AS night_month
    FROM range($tenants) a(t), range($series) b(i), range(1, 29) c(d)
"""


def write_lake(home: Path, tenants: int, series: int) -> None:
    """One night of `tenants` tenants with `series` series each, in the lake of `home`."""
    params = {
        "night": NIGHT,
        "cut_off": datetime(2026, 3, 2, 3, tzinfo=UTC),
        "tenants": tenants,
        "series": series,
        "products": PRODUCTS,
    }
    rows = duckdb.connect().sql(_ROWS, params=params).to_arrow_table()
    schema = pa.schema([c.field for c in DEMAND_FORECAST.columns])
    table = pa.table([rows[name].cast(schema.field(name).type) for name in schema.names], schema=schema)
    place = Settings(home=home).place(DEMAND_FORECAST)
    write_deltalake(place, table, partition_by=list(DEMAND_FORECAST.partitioned_by))


@contextmanager
def server(home: Path) -> Iterator[tuple[int, int, str]]:
    """A running API over the lake of `home`; gives its port, its process, and a key that reads all forecasts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("uretimiq-api"))
    unlimited = {"URETIMIQ_RATE_USER": "10000000", "URETIMIQ_RATE_ADDRESS": "10000000"}
    environ = {**os.environ, **unlimited, "URETIMIQ_HOME": str(home), "URETIMIQ_LOG_LEVEL": "WARNING"}
    made = [program, "key", "add", "bench", "--tenant", "*", "--scope", "forecasts:read"]
    key = subprocess.run(made, env=environ, capture_output=True, text=True, check=True).stdout.strip()
    running = subprocess.Popen([program, "--port", str(port)], env=environ, stdout=subprocess.DEVNULL)
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


async def _client(port: int, key: str, path: Callable[[], str], until: float, took: list[float]) -> None:
    """Ask again and again until the time `until`; note how many seconds each answer took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (began := time.perf_counter()) < until:
        writer.write(f"GET {path()} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200") or not length:
            raise SystemExit(f"not an answer to measure: {head.decode()}")
        await reader.readexactly(int(length[1]))
        took.append(time.perf_counter() - began)
    writer.close()


async def _load(port: int, key: str, path: Callable[[], str], clients: int, seconds: float) -> list[float]:
    took: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_client(port, key, path, until, took) for _ in range(clients)))
    return sorted(took)


def _cpu_seconds(pid: int) -> float:
    """Processor time that a process has used; of Linux alone, 0 elsewhere."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def measure(port: int, pid: int, key: str, path: Callable[[], str], clients: int, seconds: float) -> dict[str, Any]:
    """What `clients` clients see that ask for `path()` for so many seconds."""
    asyncio.run(_load(port, key, path, clients, seconds * WARM_UP))
    before = _cpu_seconds(pid)
    took = asyncio.run(_load(port, key, path, clients, seconds))
    cpu = 1000 * (_cpu_seconds(pid) - before) / len(took)
    at = {f"p{p}_ms": round(1000 * took[min(len(took) * p // 100, len(took) - 1)], 2) for p in (50, 95, 99)}
    with _ask(port, key, path()) as answer:
        size = len(answer.read())
    return {
        "requests": len(took),
        "requests_per_second": round(len(took) / seconds),
        **at,
        "server_cpu_ms": round(cpu, 3),
        "bytes": size,
    }


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
    options = parser.parse_args()
    draw = random.Random(1)

    def tenant() -> str:
        return f"/v1/tenants/tenant-{draw.randrange(options.tenants)}"

    def one_series() -> str:
        i = draw.randrange(options.series)
        return f"{tenant()}/forecasts?site=site-{i // PRODUCTS}&product={quote(f'P-{i % PRODUCTS}')}"

    endpoints = {
        "constant": lambda: "/healthz",
        "one_series": one_series,
        "page_of_1000": lambda: f"{tenant()}/forecasts",
    }
    with tempfile.TemporaryDirectory() as folder:
        write_lake(Path(folder), options.tenants, options.series)
        with server(Path(folder)) as (port, pid, key):
            first = first_answers(port, key, options.tenants)
            found = {
                name: measure(port, pid, key, path, options.clients, options.seconds)
                for name, path in endpoints.items()
            }
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    stack = {
        "http": "httptools" if find_spec("httptools") else "h11",
        "loop": "uvloop" if find_spec("uvloop") else "asyncio",
    }
    print(json.dumps({**vars(options), **machine, **stack, "first_answer": first, "endpoints": found}, indent=2))


if __name__ == "__main__":
    main()
