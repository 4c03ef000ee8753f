"""The MLflow server: SQLite and a folder of artifacts in the home."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.local.airflow_server import fetch
from deploy.local.home import Home
from deploy.local.process import Server


def _ready(home: Home) -> str:
    try:
        fetch(f"{home.url('mlflow')}/health")
    except OSError:
        return "its health page"
    return ""


def server(home: Home) -> Server:
    """The server on the database that programs use themselves while it does not run.

    Artifacts are files of the home, not sent through the server: so a run can be read with the server and without.
    """
    folder = home.path / "mlflow"
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    command = [
        str(Path(sys.executable).with_name("mlflow")), "server", "--host", "127.0.0.1",
        "--port", str(home.port_of("mlflow")), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--no-serve-artifacts", "--default-artifact-root", str(folder / "artifacts"),
    ]  # fmt: skip
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")} | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its jobs judge language models; we have none
    }
    return Server("mlflow", command, environ, ["mlflow"], lambda: _ready(home), patience=180)
