"""The state database: SQLite in the home by default, PostgreSQL by setting; one path of migrations for both."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from expectations.settings import Settings

WAIT_SECONDS = 10  # for another writer of SQLite, for a connection to PostgreSQL
_MIGRATIONS = Path(__file__).with_name("migrations")


class StateError(RuntimeError):
    """The state database cannot be used; the message is one line with the remedy."""


class State:
    """The database, by `read()` and `write()`."""

    def __init__(self, engine: Engine, folder: Path | None = None) -> None:
        self.engine = engine
        self._reader = engine.execution_options(reads_only=True)
        self._folder = folder  # of SQLite alone

    @property
    def is_embedded(self) -> bool:
        """Whether it is the file in the home, which nobody else looks after."""
        return self._folder is not None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that waits for no writer."""
        with self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing."""
        with self.engine.begin() as connection:
            yield connection

    def migrate(self) -> tuple[str | None, str]:
        """Bring the tables to the newest revision; one process at a time. Returns the revisions before and after."""
        with self._only_one(), _told(self.engine):
            before = self.revision()
            self.alembic(lambda config: command.upgrade(config, "head"))
            return before, newest()

    def alembic(self, work: Callable[[Config], None]) -> None:
        """Run a command of Alembic in one transaction."""
        with self.engine.connect() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            raw: Any = connection.connection.driver_connection
            if is_sqlite:  # with foreign keys on, a table altered by copying it would empty those that refer to it
                raw.execute("PRAGMA foreign_keys = OFF")
            try:
                with connection.begin():
                    if not is_sqlite:
                        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(8300)")
                    config = Config()
                    config.set_main_option("script_location", str(_MIGRATIONS))
                    config.attributes["connection"] = connection
                    work(config)
                    if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise StateError("a migration left rows that refer to nothing: nothing was changed")
            finally:
                if is_sqlite:
                    raw.execute("PRAGMA foreign_keys = ON")

    def check(self) -> None:
        """Raises StateError unless the tables are at the newest revision."""
        found = self.revision()
        if found != newest():
            raise StateError(
                f"the state database is at revision {found or 'none'}, this program needs {newest()}: "
                "run `uretimiq-api migrate`"
            )

    def revision(self) -> str | None:
        """The revision that the tables are at; None before the first. Raises StateError, also for one of a newer program."""
        with _told(self.engine), self.read() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        if found and found not in _revisions():
            raise StateError(
                f"the state database is at revision {found}, which this program does not know: run the newer version "
                "that wrote it, or bring back the backup from before it"
            )
        return found

    def _only_one(self) -> AbstractContextManager[None]:
        return _locked(self._folder / "migrate.lock") if self._folder else nullcontext()


def open_state(settings: Settings) -> State:
    """The database of `settings.state`. An embedded one is made and migrated; another must have been. Raises StateError."""
    if settings.state:
        state = State(_engine(settings.state))
        state.check()
        return state
    state = embedded(settings.home)
    if state.revision() != newest():
        state.migrate()
    return state


def connect(settings: Settings) -> State:
    """The database of `settings.state` as it is."""
    return State(_engine(settings.state)) if settings.state else embedded(settings.home)


def embedded(home: Path) -> State:
    """SQLite in HOME/state, which its owner alone reads."""
    folder = home / "state"
    file = folder / "state.db"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
    except OSError as error:
        why = f"the state database {file} cannot be written ({error.strerror}): look at its owner and its disk"
        raise StateError(why) from error
    return State(_engine(f"sqlite:///{file}"), folder)


def insert_or(connection: Connection, table: Table) -> Any:
    """An INSERT that can say what to do where the row is there (`on_conflict_do_update`), of SQLite or of PostgreSQL."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def _revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}


def newest() -> str:
    """The newest revision that this program knows."""
    head = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    if head is None:
        raise StateError(f"no migrations in {_MIGRATIONS}: install the package anew")
    return head


def _engine(address: str) -> Engine:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise StateError(
            "URETIMIQ_STATE is no database address: give postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": WAIT_SECONDS})
    if url.get_backend_name() != "sqlite":
        raise StateError(f"URETIMIQ_STATE: {url.drivername} is not known here: use postgresql://, or leave it out")
    engine = create_engine(url, connect_args={"timeout": WAIT_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # sqlite3 itself begins nothing: it would do so too late to be safe
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its turn at once: what read first and then wants to write is refused, whatever the timeout.
    reads = connection.get_execution_options().get("reads_only")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    """Tell in one line that the database does not answer; without the password, which stands in its address."""
    try:
        yield
    except SQLAlchemyError as error:
        shown = engine.url.render_as_string(hide_password=True)
        why = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
        raise StateError(f"the state database {shown} cannot be used: {why}: check URETIMIQ_STATE") from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
