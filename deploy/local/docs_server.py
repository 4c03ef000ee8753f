"""Data Docs: what the doors reported, as files in the home that a browser reads."""

from __future__ import annotations

import os
import sys

from deploy.local.airflow_server import fetch
from deploy.local.home import Home
from deploy.local.process import Server


def _ready(home: Home) -> str:
    try:
        fetch(f"{home.url('docs')}/")
    except OSError:
        return "its first page"
    return ""


def server(home: Home) -> Server:
    """A page elsewhere cannot link to a file: so they are sent, on loopback."""
    folder = home.path / "data_docs"
    folder.mkdir(parents=True, exist_ok=True)
    where = ["--bind", "127.0.0.1", "--directory", str(folder)]
    command = [sys.executable, "-m", "http.server", str(home.port_of("docs")), *where]
    return Server("docs", command, dict(os.environ), ["docs"], lambda: _ready(home))
