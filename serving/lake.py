"""The lake as the API sees it: read-only snapshots of Delta tables, renewed while the server runs."""

from __future__ import annotations

import logging
import re
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from pyarrow.fs import FileSystem

from expectations.contract import Contract, Zone
from expectations.settings import Settings

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0  # a newer version is looked for at most this often
WAIT_SECONDS = 5.0  # what was looked at longer ago is not served while a thread looks: the request waits for it
REOPEN_SECONDS = 60.0  # delta-rs does not notice that a table was wiped and begun anew; opening it afresh does
COMMITS = 20  # by which the rhythm of a table is told
DUCKDB_MEMORY = "2GB"
# A store that is away is told within seconds, not after the three minutes that delta-rs tries by default.
_S3_PATIENCE = {"max_retries": "2", "retry_timeout": "5s", "connect_timeout": "2s", "timeout": "20s"}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

Filters = list[tuple[str, str, str]]
T = TypeVar("T")


class AnswerError(Exception):
    """An answer to the caller, other than rows: reading once more would not change it.

    `kind` names the problem that the caller is told, the message is its detail.
    """

    kind = "internal"


class NotThereError(AnswerError):
    """The table has not been written yet."""

    kind = "no-night-yet"

    def __init__(self) -> None:
        super().__init__("no night has run yet: run `make demo` or `uretimiq run nightly`")


class UnreadableError(AnswerError):
    """The table is there, or may be, but storage does not give it; the cause is chained and logged."""

    kind = "unreadable"

    def __init__(self) -> None:
        super().__init__("the tables cannot be read at present: the server's log names the cause")


def one_line(error: BaseException) -> str:
    """An error's text for the log: one line of at most 300 characters."""
    return " ".join(_COLOURS.sub("", str(error)).split())[:300] or type(error).__name__


class Snapshot:
    """One version of one table. It never changes; its files may be vacuumed away under it."""

    def __init__(self, delta: DeltaTable, files: FileSystem) -> None:
        self._delta = delta
        self._files = files
        self.version: int = delta.version()
        self.identity: tuple[str, int] = (str(delta.metadata().id), self.version)  # a table begun anew has another id

    def dataset(self, filters: Filters | None = None) -> ds.Dataset:
        """The rows of the partitions that `filters` name, e.g. [("tenant", "=", "acme")]; nothing is read yet."""
        return self._delta.to_pyarrow_dataset(filesystem=self._files, file_pruning_predicate=filters)

    @cached_property
    def files_by_month(self) -> dict[tuple[str, str], frozenset[str]]:
        """The names of the files of a table partitioned by `tenant` and `night_month`, by these two."""
        added = pa.table(self._delta.get_add_actions(flatten=True))
        columns = [added[name].to_pylist() for name in ("partition.tenant", "partition.night_month", "path")]
        files: dict[tuple[str, str], set[str]] = {}
        for tenant, month, path in zip(*columns, strict=True):
            files.setdefault((tenant, month), set()).add(path)
        return {partition: frozenset(paths) for partition, paths in files.items()}

    @cached_property
    def months_by_tenant(self) -> dict[str, list[str]]:
        """The months of a table partitioned by `tenant` and `night_month`: by tenant, newest first."""
        months: dict[str, list[str]] = {}
        for tenant, month in self.files_by_month:
            months.setdefault(tenant, []).append(month)
        return {tenant: sorted(found, reverse=True) for tenant, found in months.items()}

    @cached_property
    def rows(self) -> int:
        """Rows of the table, from the statistics of its files."""
        return int(self._delta.count())

    @cached_property
    def committed_at(self) -> datetime | None:
        """When this version was committed; None where the log no longer tells."""
        last = self._delta.history(1)
        return datetime.fromtimestamp(last[0]["timestamp"] / 1000, UTC) if last else None

    @cached_property
    def commits(self) -> list[datetime]:
        """When the last COMMITS versions were committed, newest first, as far back as the log tells."""
        return [datetime.fromtimestamp(entry["timestamp"] / 1000, UTC) for entry in self._delta.history(COMMITS)]


class Table:
    """One table, of which `snapshot()` gives the newest version."""

    def __init__(self, settings: Settings, uri: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.uri = uri
        self._options = {**options, **_S3_PATIENCE} if (options := settings.delta_rs_options) else None
        self._files = settings.arrow_files(uri)
        self._clock = clock
        self._lock = threading.Lock()
        self._probe: DeltaTable | None = None
        self._held: Snapshot | None = None
        self._problem: AnswerError | None = None
        self._checked = self._opened = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether the next `snapshot()` will look into storage."""
        return self._clock() - self._checked >= CHECK_SECONDS

    @property
    def is_recent(self) -> bool:
        """Whether what is held may be served without waiting for a look."""
        return self._clock() - self._checked <= WAIT_SECONDS

    @property
    def held(self) -> Snapshot | None:
        """The version held, without a look."""
        return self._held

    def snapshot(self, fresh: bool = False) -> Snapshot:
        """The newest version, or the one held if that was looked at within CHECK_SECONDS and `fresh` is not asked.

        One thread looks; the others go on with what is held. Storage that fails leaves the held version in use.
        Raises NotThereError, UnreadableError.
        """
        if fresh or self.is_due:
            stale = self._clock() - self._checked > WAIT_SECONDS
            if self._lock.acquire(timeout=-1 if fresh else WAIT_SECONDS if stale else 0):
                try:
                    if fresh or self.is_due:
                        self._look(reopen=fresh)
                finally:
                    self._lock.release()
        held, problem = self._held, self._problem
        if held is None:
            raise problem or UnreadableError()
        return held

    def check(self) -> None:
        """Raise what went wrong when storage was last asked, though an older version may still be served."""
        self.snapshot()
        if self._problem:
            raise self._problem

    def at(self, version: int) -> Snapshot:
        """An earlier version. Raises UnreadableError once the log or the files of it are gone."""
        held = self.snapshot()
        if held.version == version:
            return held
        try:
            return self._snapshot(version)
        except Exception as error:
            raise UnreadableError from error

    def _look(self, reopen: bool) -> None:
        now = self._clock()
        try:
            if self._probe is None or reopen or now - self._opened >= REOPEN_SECONDS:
                self._probe = DeltaTable(self.uri, storage_options=self._options)
                self._opened = now
            else:
                self._probe.update_incremental()
            self._take(self._probe)
            self._problem = None
        except TableNotFoundError:
            self._probe = self._held = None
            self._problem = NotThereError()
        except Exception as error:  # noqa: BLE001 - whatever fails, the version held is served on
            log.warning("cannot read %s: %s", self.uri, one_line(error))
            self._probe = None
            self._problem = UnreadableError()
            self._problem.__cause__ = error
        self._checked = self._clock()

    def _take(self, probe: DeltaTable) -> None:
        """Hold the version of `probe` as a snapshot of its own, since the probe moves on."""
        held = self._held
        if held is None or held.identity != (str(probe.metadata().id), probe.version()):
            self._held = self._snapshot(probe.version())

    def _snapshot(self, version: int) -> Snapshot:
        return Snapshot(DeltaTable(self.uri, version=version, storage_options=self._options), self._files)


class Lake:
    """All tables by contract and zone, and DuckDB over what they give."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._tables: dict[str, Table] = {}
        # DuckDB sees only the Arrow sources registered with a query: no file, no network, no Python variable.
        self._duckdb = duckdb.connect(
            config={
                "temp_directory": tempfile.gettempdir(),
                "memory_limit": DUCKDB_MEMORY,
                "python_enable_replacements": "false",
            }
        )
        self._duckdb.execute("SET TimeZone = 'UTC'")
        self._duckdb.execute("SET enable_external_access = false")

    def table(self, contract: Contract, zone: Zone | None = None) -> Table:
        """The table of `contract` in `zone`; it need not be there yet."""
        uri = self._settings.place(contract, zone)
        return self._tables.setdefault(uri, Table(self._settings, uri, self._clock))

    def read(self, table: Table, work: Callable[[Snapshot], T]) -> T:
        """`work` on the newest snapshot; once more on a fresh one where files were compacted or vacuumed away under it.

        Raises NotThereError, UnreadableError, and what AnswerError `work` raises.
        """
        try:
            return work(table.snapshot())
        except AnswerError:
            raise
        except Exception as error:  # noqa: BLE001 - delta-rs, Arrow and DuckDB each raise their own
            log.info("reading %s anew: %s", table.uri, one_line(error))
        try:
            return work(table.snapshot(fresh=True))
        except AnswerError:
            raise
        except Exception as error:
            log.exception("cannot read %s", table.uri)
            raise UnreadableError from error

    def query(self, sql: str, params: dict[str, object], **sources: ds.Dataset | pa.Table) -> pa.Table:
        """Run `sql` over `sources`, which it names as tables; values come in as $parameters only."""
        with self._duckdb.cursor() as cursor:
            for name, source in sources.items():
                cursor.register(name, source)
            return cursor.sql(sql, params=params).to_arrow_table()
