"""The state database: one path of migrations on SQLite and on PostgreSQL, and what each write owes."""

import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, String, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from serving.state.database import StateError, connect, newest, open_state
from serving.state.tables import AUDIT_LOG, GRANTS, METADATA, USERS

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
USER = {"user_id": "u1", "name": "ayse", "created_at": NOW}
ROW = {"at": NOW, "actor": "user:ayse", "action": "x", "target": "", "address": "", "request_id": "", "detail": {}}


def test_an_embedded_database_is_made_and_migrated_when_it_is_opened(plant):
    state = open_state(plant.settings)

    state.check()
    assert state.is_embedded


def test_only_its_owner_reads_an_embedded_database(plant):
    open_state(plant.settings)

    folder = plant.settings.home / "state"
    assert (folder.stat().st_mode & 0o077, (folder / "state.db").stat().st_mode & 0o077) == (0, 0)


def test_another_database_is_not_migrated_unasked(empty_postgresql, plant):
    with pytest.raises(StateError, match=f"revision none, this program needs {newest()}: run `uretimiq-api migrate`"):
        open_state(replace(plant.settings, state=empty_postgresql))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("no address", "URETIMIQ_STATE is no database address"),
        ("mysql://x:secret@y/z", "mysql is not known here: use postgresql://"),
        ("postgresql://x:secret@127.0.0.1:9/z", "the state database postgresql+psycopg://x:***@127.0.0.1:9/z"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_one_line_without_its_password(plant, address, said):
    with pytest.raises(StateError) as told:
        open_state(replace(plant.settings, state=address))

    assert said in str(told.value)
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


def test_migrated_tables_are_those_that_the_code_declares(state):
    with state.read() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA)

    assert found == []


def test_a_migration_can_be_taken_back_and_run_again(state):
    state.alembic(lambda config: command.downgrade(config, "base"))
    with pytest.raises(StateError, match="revision none"):
        state.check()

    assert state.migrate() == (None, newest())
    state.check()


def test_migrating_twice_changes_nothing(state):
    assert state.migrate() == (newest(), newest())


def test_two_processes_that_migrate_at_once_do_it_once(plant):
    states = [connect(plant.settings) for _ in range(2)]
    failed = []

    def migrate(state):
        try:
            state.migrate()
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=migrate, args=(state,)) for state in states]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    states[0].check()


def test_a_moment_comes_back_in_utc(state):
    istanbul = timezone(timedelta(hours=3))
    with state.write() as connection:
        connection.execute(insert(USERS).values(USER | {"created_at": NOW.astimezone(istanbul)}))

    with state.read() as connection:
        found = connection.execute(select(USERS.c.created_at)).scalar_one()
    assert (found, found.utcoffset()) == (NOW, timedelta(0))


def test_a_moment_without_time_zone_is_refused(state):
    with pytest.raises(Exception, match="has no time zone"), state.write() as connection:
        connection.execute(insert(USERS).values(USER | {"created_at": datetime(2026, 3, 2)}))


def test_a_row_that_refers_to_nothing_is_refused(state):
    with pytest.raises(IntegrityError), state.write() as connection:
        connection.execute(insert(GRANTS).values(user_id="nobody", tenant="acme", role="viewer"))


def test_a_transaction_that_fails_leaves_nothing(state):
    def half():
        with state.write() as connection:
            connection.execute(insert(USERS).values(USER))
            connection.execute(insert(GRANTS).values(user_id="nobody", tenant="acme", role="viewer"))

    with pytest.raises(IntegrityError):
        half()

    with state.read() as connection:
        assert connection.execute(select(func.count()).select_from(USERS)).scalar_one() == 0


@pytest.mark.parametrize("change", [update(AUDIT_LOG).values(actor="nobody"), delete(AUDIT_LOG)])
def test_the_audit_log_is_not_changed_even_by_sql(state, change):
    with state.write() as connection:
        connection.execute(insert(AUDIT_LOG).values(ROW))

    with pytest.raises(DBAPIError, match="append-only"), state.write() as connection:
        connection.execute(change)


def test_sqlite_keeps_a_write_ahead_log_and_foreign_keys(plant):
    state = open_state(plant.settings)

    with state.read() as connection:
        found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "foreign_keys")]
    assert found == ["wal", 1]


def test_who_reads_sqlite_does_not_wait_for_who_writes(plant):
    state = open_state(plant.settings)

    with state.write() as writer, state.read() as reader:
        writer.execute(insert(USERS).values(USER))
        assert reader.execute(select(func.count()).select_from(USERS)).scalar_one() == 0


def test_a_writer_of_sqlite_has_his_turn_from_the_beginning(plant):
    """Who reads before he writes would else be refused once another has written meanwhile."""
    state, is_in = open_state(plant.settings), threading.Event()

    def write():
        with state.write():
            is_in.set()

    other = threading.Thread(target=write)
    with state.write() as connection:
        connection.execute(select(USERS.c.name))
        other.start()
        assert not is_in.wait(0.3)
    assert is_in.wait(10)
    other.join()


def test_a_table_that_a_migration_copies_keeps_the_rows_that_refer_to_it(plant):
    state = open_state(plant.settings)
    with state.write() as connection:
        connection.execute(insert(USERS).values(USER))
        connection.execute(insert(GRANTS).values(user_id="u1", tenant="acme", role="viewer"))

    def copy(config):
        operations = Operations(MigrationContext.configure(config.attributes["connection"]))
        with operations.batch_alter_table("users", recreate="always") as users:
            users.add_column(Column("more", String(5)))

    state.alembic(copy)

    with state.read() as connection:
        assert connection.execute(select(GRANTS.c.user_id)).scalars().all() == ["u1"]
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_damaged_file_is_told_in_one_line(plant):
    open_state(plant.settings)
    for file in (plant.settings.home / "state").glob("state.db*"):
        file.write_bytes(b"no database" * 500)

    with pytest.raises(StateError, match=r"cannot be used: .*check URETIMIQ_STATE"):
        open_state(plant.settings)


def test_a_database_of_a_newer_program_is_told_in_one_line(plant):
    with open_state(plant.settings).write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StateError, match="revision 9999, which this program does not know: run the newer version"):
        open_state(plant.settings)


def test_a_home_that_cannot_be_written_is_told_in_one_line(plant):
    plant.settings.home.mkdir(parents=True, exist_ok=True)
    (plant.settings.home / "state").touch()  # stands in for a folder that refuses, which root is never refused

    with pytest.raises(StateError, match=r"state/state.db cannot be written \(File exists\): look at its owner"):
        open_state(plant.settings)


def test_the_file_is_a_plain_sqlite_database(plant):
    open_state(plant.settings)

    with sqlite3.connect(plant.settings.home / "state" / "state.db") as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names >= {table.name for table in METADATA.sorted_tables}


def test_a_database_of_its_own_is_not_embedded(plant, empty_postgresql):
    assert not connect(replace(plant.settings, state=empty_postgresql)).is_embedded
