"""Airflow: its settings, and whether all of its components are well."""

from __future__ import annotations

import base64
import http.client
import json
import os
import sys
import urllib.request
from pathlib import Path

from deploy.local.home import Home, write_private
from deploy.local.process import Server

ROOT = Path(__file__).resolve().parents[2]
USER = "admin"
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


def passwords_file(home: Home) -> Path:
    return home.path / "airflow" / "passwords.json"


def password(home: Home) -> str:
    """The password of the user `admin`, generated for this home."""
    word = home.secret("AIRFLOW_PASSWORD", characters=16)
    wanted = json.dumps({USER: word})
    path = passwords_file(home)
    if not path.exists() or path.read_text().strip() != wanted:
        write_private(path, wanted + "\n")
    return word


def settings(home: Home, *, paused: bool = False) -> dict[str, str]:
    """Airflow's own settings, SECTION__OPTION to value; README has what a person may want to know of them."""
    folder = home.path / "airflow"
    url = home.url("airflow")
    return {
        "CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": str(paused),
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file(home)),
        "CORE__FERNET_KEY": base64.urlsafe_b64encode(home.secret("AIRFLOW_FERNET").encode()).decode(),
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # the default asks the name server
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(home.port_of("airflow")),
        "API__BASE_URL": url,
        "API__WORKERS": "1",
        "API__SECRET_KEY": home.secret("AIRFLOW_API_SECRET"),
        "API__INSTANCE_NAME": "ÜretimIQ",
        "API_AUTH__JWT_SECRET": home.secret("AIRFLOW_JWT_SECRET", characters=64),
        "LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # One machine, one SQLite: fewer heartbeats, fewer locks to wait for.
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
        "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "60",
        "DAG_PROCESSOR__HEALTH_CHECK_THRESHOLD": "120",
    }


def environ(home: Home, *, paused: bool = False) -> dict[str, str]:
    """The environment of Airflow and so of every task: nothing of another Airflow's is left in it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")}
    ours = {f"AIRFLOW__{name}": value for name, value in settings(home, paused=paused).items()}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return kept | ours | {
        "AIRFLOW_HOME": str(home.path / "airflow"),
        "PATH": programs,
        "PYTHONPATH": str(ROOT),  # DAGs import `dags`
        "URETIMIQ_HOME": str(home.path),
        "URETIMIQ_PORT": str(home.port),
        "SCARF_ANALYTICS": "false",
        "DO_NOT_TRACK": "1",
    }  # fmt: skip


def fetch(url: str, *, seconds: float = 5) -> bytes:
    """GET of one of our own servers, past any proxy of the environment. Raises OSError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=seconds) as answer:
            return bytes(answer.read())
    except http.client.HTTPException as error:  # a port above 32767 may connect to itself while nobody listens
        raise OSError(str(error)) from error


def ready(home: Home) -> str:
    """Whether all components report to be well."""
    try:
        health = json.loads(fetch(f"{home.url('airflow')}/api/v2/monitor/health"))
    except (OSError, ValueError):
        return "its API"
    unwell = [name for name in COMPONENTS if (health.get(name) or {}).get("status") != "healthy"]
    return f"its {', '.join(unwell)}" if unwell else ""


def server(home: Home, *, paused: bool = False) -> Server:
    """Airflow with its four components. `paused`: DAGs seen for the first time wait until they are unpaused by hand;
    else their schedules count at once, and the last night that was due is run.
    """
    (home.path / "airflow").mkdir(parents=True, exist_ok=True)
    password(home)
    command = [sys.executable, "-m", "deploy.local.airflow_components"]
    return Server("airflow", command, environ(home, paused=paused), ["airflow"], lambda: ready(home), patience=600)
