"""Brings servers up, in order, and down again."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.local import process, s3
from deploy.local.home import Home, LocalError, is_free

Say = Callable[[str], None]
_POLL_SECONDS = 0.3
_SAY_SECONDS = 10


def check_ports(home: Home, server: process.Server) -> None:
    """Raises LocalError naming the first port that another program holds."""
    for name in server.ports:
        port = home.port_of(name)
        if not is_free(port):
            holder = process.listener(port)
            raise LocalError(
                f"port {port} ({name}) is taken{f' by {holder}' if holder else ''}: stop that program, or move all of "
                f"our ports by URETIMIQ_PORT (now {home.port}; the next hundred: {home.port + 100})"
            )


def _last_lines(log: Path, count: int = 3) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(line.strip()[:200] for line in lines[-count:])


def wait_ready(home: Home, server: process.Server, pid: int, say: Say) -> None:
    """Poll until the server works. Raises LocalError when it ends or takes too long."""
    log = process.log_file(home.run, server.name)
    begun = said = time.monotonic()
    while reason := server.ready():
        now = time.monotonic()
        if process.find(home.path, server.name) != pid:
            raise LocalError(f"{server.name} ended while it started: see {log}; its last words: {_last_lines(log)}")
        if now - begun > server.patience:
            raise LocalError(
                f"{server.name} is not ready after {server.patience:.0f} s, it waits for {reason}: see {log}"
            )
        if now - said > _SAY_SECONDS:
            say(f"  {server.name}: {now - begun:.0f} s, waits for {reason}")
            said = now
        time.sleep(_POLL_SECONDS)
    say(f"  {server.name}: ready after {time.monotonic() - begun:.0f} s")


def start(home: Home, server: process.Server, say: Say) -> bool:
    """Start the server unless it runs, without waiting; returns whether it was started."""
    if process.find(home.path, server.name) is not None:
        say(f"  {server.name}: runs already")
        return False
    # What a crash has left of it would hold its ports and its files.
    if process.stop(home.path, server.name):
        say(f"  {server.name}: ended what an earlier start had left")
    check_ports(home, server)
    process.start(home.path, server)
    return True


def bring_up(home: Home, servers: Sequence[process.Server], say: Say) -> None:
    """Start all that do not run, then wait for each. Raises LocalError; what was started then stays for a look."""
    for server in servers:
        if process.find(home.path, server.name) is None:
            check_ports(home, server)
    for server in servers:
        start(home, server, say)
    for server in servers:
        pid = process.find(home.path, server.name)
        if pid is None:
            log = process.log_file(home.run, server.name)
            raise LocalError(f"{server.name} ended at once: see {log}; its last words: {_last_lines(log)}")
        wait_ready(home, server, pid, say)


def bring_down(home: Home, names: Collection[str], say: Say, *, seconds: float = process.STOP_SECONDS) -> None:
    """Stop the servers; nothing of them is left when it returns. S3 goes last: a job that ends may still write."""

    def stop(name: str) -> None:
        say(f"  {name}: {'stopped' if process.stop(home.path, name, seconds=seconds) else 'did not run'}")

    with ThreadPoolExecutor() as pool:
        list(pool.map(stop, [name for name in names if name != "s3"]))
    if "s3" in names:
        stop("s3")
        s3.remove_sockets(home)
