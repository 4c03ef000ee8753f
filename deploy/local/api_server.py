"""The API: `uretimiq-api` on the home's own port."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.local.airflow_server import fetch
from deploy.local.home import Home
from deploy.local.process import Server


def _ready(home: Home) -> str:
    try:
        fetch(f"{home.url('api')}/healthz")
    except OSError:
        return "its health page"
    return ""


def server(home: Home) -> Server:
    program = str(Path(sys.executable).with_name("uretimiq-api"))
    environ = {**os.environ, "URETIMIQ_HOME": str(home.path), "URETIMIQ_PORT": str(home.port)}
    command = [program, "--host", "127.0.0.1", "--port", str(home.port_of("api"))]
    return Server("api", command, environ, ["api"], lambda: _ready(home))
