"""`uretimiq-api user`, `key` and `migrate`: each error in one line, nothing secret in a list."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from serving.cli import main
from serving.state.database import connect, open_state

PASSWORD = "korrekt pferd batterie\n"


@pytest.fixture
def run(plant, monkeypatch):
    """Runs a command in a home of its own; passwords come by standard input."""
    monkeypatch.setenv("URETIMIQ_HOME", str(plant.settings.home))

    def command(*words, given=PASSWORD):
        return CliRunner().invoke(main, words, input=given)

    return command


@pytest.fixture
def ayse(run):
    done = run("user", "add", "ayse", "--role", "admin", "--tenant", "acme", "--password-stdin")
    assert (done.exit_code, done.output) == (0, "user ayse added: admin of acme\n")
    return "ayse"


def refused(result, said):
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert said in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ayse", "--role", "boss", "--tenant", "acme"), "role 'boss': use one of viewer, operator, auditor, admin"),
        (("ayse", "--role", "admin", "--tenant", "a/b"), "tenant 'a/b': give the code"),
        (("Ayşe!", "--role", "admin", "--tenant", "acme"), "user name 'Ayşe!': use 1 to 100 letters"),
    ],
)
def test_a_user_that_cannot_be_is_refused(run, words, said):
    refused(run("user", "add", *words, "--password-stdin"), said)


def test_a_password_that_will_not_do_is_refused(run):
    words = ("user", "add", "ayse", "--role", "admin", "--tenant", "acme", "--password-stdin")
    refused(run(*words, given="short\n"), "password: use 12 to 256 characters")


def test_a_user_is_added_once(run, ayse):
    words = ("user", "add", "ayse", "--role", "viewer", "--tenant", "acme", "--password-stdin")

    refused(run(*words), "there is a user 'ayse' already")
    assert run(*words, "--or-keep").output == "user ayse is there already\n"
    assert json.loads(run("user", "list", "--json").output)[0]["roles"] == {"acme": "admin"}


def test_a_list_shows_roles_and_nothing_secret(run, ayse):
    run("user", "grant", "ayse", "--role", "viewer", "--tenant", "zebra")

    listed = run("user", "list").output

    assert "name=ayse  roles=acme:admin,zebra:viewer" in listed
    assert "argon2" not in listed + run("user", "list", "--json").output


def test_a_role_is_taken_once(run, ayse):
    assert run("user", "take", "ayse", "--tenant", "acme").output == "user ayse: no role at acme\n"

    refused(run("user", "take", "ayse", "--tenant", "acme"), "user 'ayse' has no role at 'acme'")


def test_before_the_first_user_the_list_says_how_to_add_one(run):
    assert run("user", "list").output == "no user yet: `uretimiq-api user add`\n"


@pytest.mark.parametrize("words", [("disable",), ("reset", "--password-stdin")])
def test_an_unknown_user_is_told(run, words):
    refused(run("user", words[0], "nobody", *words[1:]), "no user 'nobody'")


def test_a_disabled_user_is_shown_as_such_until_reset(run, ayse):
    run("user", "disable", "ayse")
    assert json.loads(run("user", "list", "--json").output)[0]["disabled_at"]

    assert run("user", "reset", "ayse", "--password-stdin").exit_code == 0
    assert json.loads(run("user", "list", "--json").output)[0]["disabled_at"] is None


def test_a_key_is_printed_once_listed_and_revoked(run):
    key = run("key", "add", "excel", "--tenant", "acme", "--scope", "forecasts:read").output.strip()
    prefix = key[:16]

    assert key.startswith("urt_key_")
    assert key not in run("key", "list").output
    assert run("key", "revoke", prefix).output == f"key {prefix} revoked\n"
    refused(run("key", "revoke", prefix), f"no key {prefix} that could be revoked")


def test_a_key_with_a_scope_that_there_is_not_is_refused(run):
    refused(run("key", "add", "excel", "--tenant", "acme", "--scope", "all"), "scope 'all': use one or more of")


def test_what_a_command_changes_is_written_down(run, ayse, plant):
    state = open_state(plant.settings)
    with state.read() as connection:
        rows = connection.exec_driver_sql("SELECT actor, action, target FROM audit_log").all()

    assert [row[1] for row in rows] == ["user.added", "user.role_given"]
    assert rows[0][0].startswith("command-line:")


def test_a_database_of_its_own_is_migrated_by_command_alone(run, plant, empty_postgresql, monkeypatch):
    monkeypatch.setenv("URETIMIQ_STATE", empty_postgresql)
    refused(run("user", "list"), "run `uretimiq-api migrate`")
    refused(run("--port", "15999"), "run `uretimiq-api migrate`")

    assert run("migrate").output == "state database: none -> 0005\n"

    assert run("migrate").output == "state database: 0005\n"
    assert run("user", "list").exit_code == 0
    connect(replace(plant.settings, state=empty_postgresql)).check()


def test_a_bad_setting_is_told_in_one_line(run, monkeypatch):
    monkeypatch.setenv("URETIMIQ_RATE_USER", "many")

    refused(run("user", "list"), "URETIMIQ_RATE_USER=many: use a number of requests a minute")


def test_outside_development_nothing_starts_without_a_secret_of_its_own(run, monkeypatch):
    monkeypatch.setenv("URETIMIQ_ENVIRONMENT", "production")

    refused(run("user", "list"), "URETIMIQ_SECRET_KEY is missing")
