"""A small client of Airflow's REST API v2: pause and trigger DAGs, follow a run, read a task's log."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

ENDED = ("success", "failed")
POLL_SECONDS = 2.0


class AirflowError(RuntimeError):
    """Airflow did not do what it was asked; the message is one line."""


@dataclass(frozen=True)
class Task:
    """A task of a run as it stands; `seconds` since its start, or from start to end."""

    name: str
    state: str
    tries: int
    seconds: float | None


class Airflow:
    """Airflow at `url`, with the user's password."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        self._token = ""
        # The servers are our own, on loopback: no proxy of the environment.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, accept: str = "application/json"
    ) -> Any:
        headers = {"Content-Type": "application/json", "Accept": accept}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers, method=method)  # noqa: S310 - ours, http
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 401 and self._token:  # a token ends after a day, a run may not
                self._token = ""
                self._sign_in()
                return self._ask(method, path, body, accept)
            told = error.read().decode(errors="replace")[:300]
            raise AirflowError(f"Airflow: {method} {path}: {error.code} {told}") from None
        except OSError as error:
            raise AirflowError(f"Airflow does not answer at {self.url}: {error}; see `make status`") from None

    def _sign_in(self) -> None:
        self._token = self._ask("POST", "/auth/token", self._login)["access_token"]

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer of /api/v2/PATH. Raises AirflowError."""
        if not self._token:
            self._sign_in()
        return self._ask(method, f"/api/v2/{path}", body)

    def wait_for_dags(self, names: tuple[str, ...], seconds: float = 120) -> None:
        """Wait until the DAGs have been read. Raises AirflowError naming those that were not."""
        deadline = time.monotonic() + seconds
        while missing := set(names) - {d["dag_id"] for d in self.ask("GET", "dags?limit=100")["dags"]}:
            if time.monotonic() > deadline:
                broken = "; ".join(
                    e["stack_trace"].strip().splitlines()[-1] for e in self.ask("GET", "importErrors")["import_errors"]
                )
                raise AirflowError(f"Airflow has not read {', '.join(sorted(missing))} in {seconds:.0f} s. {broken}")
            time.sleep(POLL_SECONDS)

    def set_paused(self, dag: str, paused: bool) -> None:
        self.ask("PATCH", f"dags/{dag}?update_mask=is_paused", {"is_paused": paused})

    def trigger(self, dag: str, conf: Mapping[str, Any]) -> str:
        """Start a run with the trigger form's values `conf`; returns its id."""
        return str(self.ask("POST", f"dags/{dag}/dagRuns", {"logical_date": None, "conf": dict(conf)})["dag_run_id"])

    def active_runs(self, dag: str) -> list[str]:
        """Runs that have not ended."""
        found = self.ask("GET", f"dags/{dag}/dagRuns?state=queued&state=running&limit=100")["dag_runs"]
        return [r["dag_run_id"] for r in found]

    def state(self, dag: str, run: str) -> str:
        return str(self.ask("GET", f"dags/{dag}/dagRuns/{quote(run, safe='')}")["state"])

    def tasks(self, dag: str, run: str) -> list[Task]:
        found = self.ask("GET", f"dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances")["task_instances"]
        return [Task(t["task_id"], t["state"] or "waiting", t["try_number"], t["duration"]) for t in found]

    def log(self, dag: str, run: str, task: Task) -> str:
        """The text of the task's last try."""
        path = f"dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances/{task.name}/logs/{max(1, task.tries)}"
        answer = self.ask("GET", f"{path}?full_content=true")
        lines = (entry["event"] if isinstance(entry, dict) else str(entry) for entry in answer["content"])
        return "\n".join(lines)

    def changes(self, dag: str, run: str, seconds: float) -> Iterator[Task]:
        """Each task when its state changes, until the run has ended. Raises AirflowError after `seconds`."""
        deadline, known = time.monotonic() + seconds, dict[str, str]()
        while True:
            ended = self.state(dag, run) in ENDED
            for task in self.tasks(dag, run):
                if known.get(task.name, "waiting") != task.state:
                    known[task.name] = task.state
                    yield task
            if ended:
                return
            if time.monotonic() > deadline:
                raise AirflowError(f"{dag} {run} has not ended after {seconds:.0f} s: see {self.url}/dags/{dag}")
            time.sleep(POLL_SECONDS)

    def follow(self, dag: str, run: str, seconds: float, say: Callable[[Task], None]) -> str:
        """Tell each change of a task's state until the run has ended; returns the run's state."""
        for task in self.changes(dag, run, seconds):
            say(task)
        return self.state(dag, run)
