"""How soon the planner's page can be used, in a real Chromium, over a lake of many tenants.

    python bench/page.py --tenants 300 --series 41 --visits 10

Writes a lake of two made-up nights of each tenant into a temporary folder, starts `uretimiq-api` over it on loopback, signs a planner in, and
opens the page again and again: with an empty cache, as at a first visit, and with what the browser has kept. Prints JSON: the
seconds from the first request until the overview is there, at p50 and the worst, with how many requests and kilobytes.
Browser and server share the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from api import NIGHT, ROOT, server, write_lake
from deltalake import write_deltalake
from playwright.sync_api import sync_playwright

from expectations.settings import Settings
from expectations.tables import JOB_RUNS

TENANT, PASSWORD = "tenant-0", "korrekt pferd batterie"
JOBS = ("silver", "features", "forecast-demand", "explain-demand", "follow-demand")
ENDED = datetime(2026, 3, 2, 3, 45, tzinfo=UTC)


def write_runs(home: Path, tenants: int) -> None:
    """What the jobs of the night noted of each tenant."""
    row = {"run_id": "run-1", "date": NIGHT, "status": "ok", "reason": None, "rows": 1148, "seconds": 90.0}
    row |= {"started_at": ENDED, "ended_at": ENDED, "code_version": "1", "table_versions": "{}"}
    rows = [row | {"tenant": f"tenant-{n}", "job": job} for n in range(tenants) for job in JOBS]
    schema = pa.schema([column.field for column in JOB_RUNS.columns])
    write_deltalake(Settings(home=home).place(JOB_RUNS), pa.Table.from_pylist(rows, schema=schema))


def add_planner(home: Path) -> None:
    add = [
        sys.executable,
        "-m",
        "serving.cli",
        "user",
        "add",
        "bench",
        "--tenant",
        TENANT,
        "--role",
        "operator",
        "--password-stdin",
    ]
    environ = {**os.environ, "URETIMIQ_HOME": str(home)}
    subprocess.run(add, cwd=ROOT, env=environ, input=PASSWORD, text=True, capture_output=True, check=True)


def visit(context: Any, address: str) -> dict[str, float]:
    """Open the page in a window of `context`; seconds until the overview is there, requests, kilobytes."""
    page = context.new_page()
    began = time.perf_counter()
    page.goto(f"{address}/app/", wait_until="commit")
    page.locator(".figures").wait_for()
    took = time.perf_counter() - began
    sizes = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.transferSize)")
    page.close()
    return {"seconds": took, "requests": len(sizes) + 1, "kilobytes": sum(sizes) / 1000}


def sign_in(context: Any, address: str) -> None:
    page = context.new_page()
    page.goto(f"{address}/app/")
    page.locator("[name=username]").fill("bench")
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator(".figures").wait_for()
    page.close()


def told(visits: list[dict[str, float]]) -> dict[str, float]:
    seconds = [one["seconds"] for one in visits]
    least = {name: visits[0][name] for name in ("requests", "kilobytes")}
    return {"p50_seconds": statistics.median(seconds), "worst_seconds": max(seconds), **least}


def measure(address: str, visits: int) -> dict[str, Any]:
    """First visits, each in a browser that has kept nothing but its session, and visits after them."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        context = browser.new_context()
        sign_in(context, address)
        chromium = context.new_cdp_session(context.new_page())
        first = []
        for _ in range(visits):
            chromium.send("Network.clearBrowserCache")
            first.append(visit(context, address))
        kept = [visit(context, address) for _ in range(visits)]
        browser.close()
    return {"first_visit": told(first), "later_visit": told(kept)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=300)
    parser.add_argument("--series", type=int, default=41)
    parser.add_argument("--visits", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="uretimiq-bench-") as folder:
        home = Path(folder)
        for night in (NIGHT - timedelta(days=1), NIGHT):  # what changed since the night before is on the page
            write_lake(home, asked.tenants, asked.series, night)
        write_runs(home, asked.tenants)
        add_planner(home)
        with server(home, workers=1) as (port, _, _):
            print(json.dumps({**vars(asked), **measure(f"http://127.0.0.1:{port}", asked.visits)}, indent=1))


if __name__ == "__main__":
    main()
