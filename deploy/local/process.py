"""Starts servers that outlive the command, finds them again and stops them with all their children.

Every process of a server carries a mark in its environment (home and name). So a stale pid file or a pid that has
gone to another program is recognised, and a child that left its parent's session or outlived it is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "_URETIMIQ_SERVER"  # the underscore keeps it apart from the settings, which refuse unknown names
STOP_SECONDS = 40.0  # SeaweedFS and Airflow take up to 20 s to leave
_BEGIN_SECONDS = 5.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Server:
    """One server of a home.

    `ports` are the names (home.OFFSETS) that it listens on; `ready` returns "" once it works, before that what it
    waits for.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    ports: Sequence[str]
    ready: Callable[[], str]
    patience: float = 120.0  # seconds to become ready


def mark(home: Path, name: str) -> str:
    return f"{home}:{name}"


def _pid_file(run: Path, name: str) -> Path:
    return run / f"{name}.pid"


def log_file(run: Path, name: str) -> Path:
    return run / f"{name}.log"


def _has_mark(process: psutil.Process, text: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == text
    except (psutil.Error, OSError):
        return False


def find(home: Path, name: str) -> int | None:
    """Pid of the running server, None if it does not run."""
    try:
        pid = int(_pid_file(home / "run", name).read_text())
        process = psutil.Process(pid)
    except (OSError, ValueError, psutil.Error):
        return None
    return pid if _has_mark(process, mark(home, name)) else None


def family(home: Path, name: str) -> list[psutil.Process]:
    """Every living process of the server: by its mark, and whatever descends from such a one."""
    text = mark(home, name)
    found = {p.pid: p for p in psutil.process_iter() if _has_mark(p, text)}
    for process in list(found.values()):
        with contextlib.suppress(psutil.Error):
            found |= {child.pid: child for child in process.children(recursive=True)}
    mine = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    return [p for pid, p in sorted(found.items()) if pid not in mine]


def start(home: Path, server: Server) -> int:
    """Start the server in a session of its own, its output in HOME/run/NAME.log; returns its pid."""
    run = home / "run"
    run.mkdir(parents=True, exist_ok=True)
    # SPT_NOENV: Airflow renames its processes by setproctitle, which would overwrite the mark.
    environ = {**server.environ, MARK: mark(home, server.name), "SPT_NOENV": "1"}
    with log_file(run, server.name).open("ab") as log:
        process = subprocess.Popen(
            list(server.command),
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            start_new_session=True,
        )
    _pid_file(run, server.name).write_text(f"{process.pid}\n")
    # For an instant after it began a process shows an empty environment, and would not be taken for ours.
    deadline = time.monotonic() + _BEGIN_SECONDS
    while process.poll() is None and find(home, server.name) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return process.pid


def signal_all(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def stop(home: Path, name: str, *, seconds: float = STOP_SECONDS) -> bool:
    """Stop the server and all its children; returns whether anything ran. Nothing is left when it returns."""
    main = find(home, name)
    members = family(home, name)
    ran = bool(members)
    # The main process first: it ends its children in order. Whoever is left is told itself, then killed.
    signal_all([p for p in members if p.pid == main] or members, signal.SIGTERM)
    _wait_gone(members, seconds / 2)
    rest = family(home, name)
    signal_all(rest, signal.SIGTERM)
    _wait_gone(rest, seconds / 2)
    while rest := family(home, name):
        signal_all(rest, signal.SIGKILL)
        psutil.wait_procs(rest, timeout=1)
    _pid_file(home / "run", name).unlink(missing_ok=True)
    return ran


def _wait_gone(members: Sequence[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and members:
        _, alive = psutil.wait_procs(members, timeout=0.5)
        members = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def listener(port: int) -> str:
    """Who listens on a port, as far as the system tells: "pid 12 (python)", or ""."""
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return f"pid {process.pid} ({process.info['name']})"
    return ""
