"""Runs Airflow's four components under one process: sets up the database, then starts each and starts it again
should it end. Ends them all on SIGTERM.

`airflow standalone` does the first half; it leaves its children behind when it is told to end, and does not notice
when one of them has ended.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

POOL, POOL_SLOTS = "lake_writer", 1  # one task at a time writes the lake; the DAGs name this pool
# No log servers: they listen on every interface of the machine, and the API reads the same files itself.
COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
RESTART_SECONDS = 5
LEAVE_SECONDS = 15


def set_up() -> None:
    """Bring the database to this version's schema and make the pool."""
    from airflow.models.pool import Pool
    from airflow.utils import db

    db.initdb()
    Pool.create_or_update_pool(
        name=POOL, slots=POOL_SLOTS, description="One writer of the lake at a time", include_deferred=True
    )


def _start(name: str) -> subprocess.Popen[bytes]:
    airflow = str(Path(sys.executable).with_name("airflow"))
    print(f"uretimiq | starting {name}", flush=True)
    return subprocess.Popen([airflow, *COMPONENTS[name]], stdin=subprocess.DEVNULL)


def _stop(running: dict[str, subprocess.Popen[bytes]]) -> None:
    for process in running.values():
        process.terminate()
    for name, process in running.items():
        try:
            process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"uretimiq | {name} does not leave: killed", flush=True)
            process.kill()


def main() -> None:
    ending = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    # In a process of its own: the supervisor stays small.
    subprocess.run([sys.executable, "-m", "deploy.local.airflow_components", "set-up"], check=True)
    running = {name: _start(name) for name in COMPONENTS}
    while not ending.wait(1):
        for name, process in running.items():
            if process.poll() is not None and not ending.wait(RESTART_SECONDS):
                print(f"uretimiq | {name} ended with {process.returncode}", flush=True)
                running[name] = _start(name)
    _stop(running)


if __name__ == "__main__":
    if sys.argv[1:] == ["set-up"]:
        set_up()
    else:
        main()
