"""Servers are started once, found again and stopped whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local import process, up
from deploy.local.home import Home, LocalError
from deploy.local.process import Server

SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]
# Ignores SIGTERM, has a child in a session of its own that outlives it and one that is renamed.
STUBBORN_CODE = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleep = "import time; time.sleep(300)"
renamed = "from setproctitle import setproctitle; setproctitle('x' * 2000); " + sleep
for code in (sleep, renamed):
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
time.sleep(300)
"""
STUBBORN = [sys.executable, "-c", STUBBORN_CODE]


def server(command: list[str], ready: str = "", ports: tuple[str, ...] = (), patience: float = 20) -> Server:
    return Server("thing", command, dict(os.environ), ports, lambda: ready, patience)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield Home(tmp_path, 45_000)
    process.stop(tmp_path, "thing", seconds=0)


def wait_for_members(home: Home, count: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 20
    while len(found := process.family(home.path, "thing")) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == count
    return found


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_a_started_server_is_found_by_its_pid(home: Home) -> None:
    assert process.find(home.path, "thing") is None
    assert process.start(home.path, server(SLEEP)) == process.find(home.path, "thing")


def test_stop_leaves_no_process_of_a_stubborn_family(home: Home) -> None:
    process.start(home.path, server(STUBBORN))
    members = wait_for_members(home, 3)
    assert process.stop(home.path, "thing", seconds=0.2)
    assert alive(members) == []


def test_children_that_outlived_a_killed_server_are_stopped(home: Home) -> None:
    pid = process.start(home.path, server(STUBBORN))
    members = wait_for_members(home, 3)
    psutil.Process(pid).kill()
    psutil.Process(pid).wait(10)
    assert process.find(home.path, "thing") is None
    assert process.stop(home.path, "thing", seconds=0.2)
    assert alive(members) == []


def test_a_renamed_process_keeps_its_mark(home: Home) -> None:
    process.start(home.path, server(STUBBORN))
    members = wait_for_members(home, 3)
    parent = next(p for p in members if p.pid == process.find(home.path, "thing"))
    parent.kill()
    parent.wait(10)
    assert len(process.family(home.path, "thing")) == 2


@pytest.mark.parametrize("text", ["", "soon", "-1", "99999999"])
def test_a_useless_pid_file_counts_as_not_running(home: Home, text: str) -> None:
    home.run.mkdir()
    (home.run / "thing.pid").write_text(text)
    assert process.find(home.path, "thing") is None
    assert not process.stop(home.path, "thing")


def test_a_pid_that_has_gone_to_another_program_is_left_alone(home: Home) -> None:
    home.run.mkdir()
    with subprocess.Popen(SLEEP) as other:
        (home.run / "thing.pid").write_text(str(other.pid))
        try:
            assert process.find(home.path, "thing") is None
            assert not process.stop(home.path, "thing")
            assert other.poll() is None
        finally:
            other.kill()


def test_the_server_of_another_home_is_left_alone(home: Home, tmp_path: Path) -> None:
    pid = process.start(home.path, server(SLEEP))
    assert not process.stop(tmp_path / "other", "thing")
    assert process.find(home.path, "thing") == pid


def test_up_twice_starts_it_once(home: Home) -> None:
    said: list[str] = []
    up.bring_up(home, [server(SLEEP)], said.append)
    pid = process.find(home.path, "thing")
    up.bring_up(home, [server(SLEEP)], said.append)
    assert process.find(home.path, "thing") == pid
    assert "  thing: runs already" in said


def test_a_taken_port_is_told_with_its_holder_and_the_remedy(home: Home) -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = Home(home.path, holder.getsockname()[1])
        with pytest.raises(LocalError) as told:
            up.bring_up(taken, [server(SLEEP, ports=("api",))], lambda _: None)
    assert f"port {taken.port} (api) is taken by pid {os.getpid()}" in str(told.value)
    assert "URETIMIQ_PORT" in str(told.value)
    assert "\n" not in str(told.value)
    assert process.find(home.path, "thing") is None


def test_a_server_that_ends_while_it_starts_is_told_with_its_last_words(home: Home) -> None:
    dying = [sys.executable, "-c", "raise SystemExit('no config')"]
    with pytest.raises(LocalError, match="no config"):
        up.bring_up(home, [server(dying, ready="its page")], lambda _: None)


def test_a_server_that_never_works_is_told_with_what_it_waits_for(home: Home) -> None:
    with pytest.raises(LocalError, match="waits for its page"):
        up.bring_up(home, [server(SLEEP, ready="its page", patience=0.5)], lambda _: None)
