"""The API: `uretimiq-api` on the home's own port, its first admin, and a key for the demo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from deploy.local.airflow_server import fetch
from deploy.local.home import Home, LocalError
from deploy.local.process import Server

USER = "admin"
_PROGRAM = str(Path(sys.executable).with_name("uretimiq-api"))
_READS = ("--scope", "forecasts:read", "--scope", "status:read")


def password(home: Home) -> str:
    """The password that `add_admin` gives; who has changed it since knows it himself."""
    return home.secret("API_PASSWORD")


def add_admin(home: Home) -> None:
    """Make the first admin, of all tenants, unless he is there. Raises LocalError."""
    words = ["user", "add", USER, "--role", "admin", "--tenant", "*", "--password-stdin", "--or-keep"]
    _run(home, words, password(home))


def key(home: Home) -> str:
    """An API key of this home that reads all tenants' forecasts, made at its first use. Raises LocalError."""
    made = ["key", "add", "make demo", "--tenant", "*", *_READS]
    return home.secret("API_KEY", make=lambda: _run(home, made))


def _environ(home: Home) -> dict[str, str]:
    return {**os.environ, "URETIMIQ_HOME": str(home.path), "URETIMIQ_PORT": str(home.port)}


def _run(home: Home, words: list[str], given: str = "") -> str:
    """What a command of the API's program prints."""
    done = subprocess.run(
        [_PROGRAM, *words], env=_environ(home), input=f"{given}\n", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LocalError(done.stderr.strip().removeprefix("Error: ") or f"uretimiq-api {words[0]} failed")
    return done.stdout.strip()


def _ready(home: Home) -> str:
    try:
        fetch(f"{home.url('api')}/healthz")
    except OSError:
        return "its health page"
    return ""


def server(home: Home) -> Server:
    command = [_PROGRAM, "--host", "127.0.0.1", "--port", str(home.port_of("api"))]
    return Server("api", command, _environ(home), ["api"], lambda: _ready(home))
