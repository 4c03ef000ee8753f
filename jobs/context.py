"""What a job is given: settings, the lake, the clock, the tenants and the night; and where it notes how each fared."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from expectations.settings import Settings
from jobs.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


Day = date  # in a class with a field `date` the type has no name of its own


def utc_now() -> datetime:
    return datetime.now(UTC)


def to_stderr(text: str) -> None:
    """A line of progress, with the time of this machine."""
    sys.stderr.write(f"{datetime.now(UTC).astimezone():%H:%M:%S} {text}\n")
    sys.stderr.flush()


@cache
def code_version() -> str:
    """Version of the code that runs: the commit, with + where the work tree differs; the package's outside git."""
    root = Path(__file__).resolve().parent.parent
    describe = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        from importlib.metadata import version

        return version("uretimiq")


@dataclass(frozen=True)
class Outcome:
    """How one tenant fared in one job: `status` is ok, failed or blocked."""

    status: str
    rows: int = 0
    reason: str | None = None


@dataclass
class Context:
    """One run, of one job or of a whole night. `asked` names tenants (empty: all); `date` is the night."""

    settings: Settings
    asked: tuple[str, ...] = ()
    date: date | None = None
    now: Callable[[], datetime] = utc_now
    progress: Callable[[str], None] = to_stderr
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    table_versions: str = "{}"  # what the job read, as Lake.versions tells it
    # Tenants of this job, settled by the runner: those asked for, less those that an earlier step stopped.
    tenants: tuple[str, ...] = ()

    @cached_property
    def spark(self) -> SparkSession:
        from jobs import session

        self.progress("starting Spark")
        return session.start(self.settings)

    @contextmanager
    def spark_ahead(self) -> Iterator[None]:
        """Start Spark beside what is done without it."""
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(lambda: self.spark)
            yield
            starting.result()

    @cached_property
    def lake(self) -> Lake:
        return Lake(lambda: self.spark, self.settings)

    @property
    def night(self) -> Day:
        """The night's date: the last day whose data is used; yesterday if none was asked for."""
        return self.date or (self.now() - timedelta(days=1)).date()

    def done(self, tenant: str, rows: int = 0) -> None:
        """Note that `tenant` is done, unless it has already failed."""
        self.outcomes.setdefault(tenant, Outcome("ok", rows))

    def fail(self, tenant: str, reason: str) -> None:
        self._stop(tenant, Outcome("failed", reason=_one_line(reason)))

    def block(self, tenant: str, reason: str) -> None:
        self._stop(tenant, Outcome("blocked", reason=_one_line(reason)))

    def _stop(self, tenant: str, outcome: Outcome) -> None:
        self.outcomes[tenant] = outcome
        self.progress(f"tenant {tenant} {outcome.status}: {outcome.reason}")

    @property
    def active(self) -> Sequence[str]:
        """The tenants of this job that have not failed in it so far."""
        return [t for t in self.tenants if t not in self.outcomes or self.outcomes[t].status == "ok"]


def _one_line(text: str) -> str:
    return " ".join(str(text).split())[:500]
