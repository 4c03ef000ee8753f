"""The commands of `uretimiq-api`: users, keys of machines, the state database. They need no running server."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from expectations import settings as shared

if TYPE_CHECKING:  # what it needs to hash and to migrate is slow to import
    from serving.identity.roles import Caller
    from serving.identity.service import Identity

_as_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")
_tenant = click.option("--tenant", required=True, help="Customer; '*' for all of them.")
_stdin = click.option("--password-stdin", is_flag=True, help="Take the password from standard input, not by asking.")


@contextmanager
def _told() -> Iterator[None]:
    """Errors in one line."""
    from serving.state.database import StateError

    try:
        yield
    except (shared.SettingsError, StateError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _open() -> tuple[Identity, Caller]:
    """Identity over the state database of this home, and who changes it."""
    from serving.identity import secret, service
    from serving.identity.roles import Caller
    from serving.state.database import open_state

    settings = shared.load()
    found = service.build(open_state(settings), secret.load(settings), lambda: datetime.now(UTC))
    return found, Caller(f"command-line:{getpass.getuser()}")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@click.command()
def migrate() -> None:
    """Bring the state database to the newest revision; `uretimiq-api` does so itself for the one in the home."""
    from serving.state.database import connect

    with _told():
        before, after = connect(shared.load()).migrate()
    click.echo(f"state database: {before or 'none'} -> {after}" if before != after else f"state database: {after}")


@click.group()
def user() -> None:
    """Users and their roles: admin, operator, viewer, auditor."""


@user.command("add")
@click.argument("name")
@click.option("--role", required=True, help="admin, operator, viewer or auditor.")
@_tenant
@_stdin
@click.option("--or-keep", is_flag=True, help="Leave a user of that name as it is.")
def user_add(name: str, role: str, tenant: str, password_stdin: bool, or_keep: bool) -> None:
    """Add user NAME with a role at a tenant."""
    with _told():
        identity, caller = _open()
        if or_keep and any(known["name"] == name for known in identity.users.list()):
            click.echo(f"user {name} is there already")
            return
        identity.users.add(caller, name, _password(password_stdin), {tenant: role})
    click.echo(f"user {name} added: {role} of {tenant}")


@user.command("grant")
@click.argument("name")
@click.option("--role", required=True, help="admin, operator, viewer or auditor.")
@_tenant
def user_grant(name: str, role: str, tenant: str) -> None:
    """Give user NAME a role at a tenant, in place of the one there."""
    with _told():
        identity, caller = _open()
        identity.users.grant(caller, name, {tenant: role})
    click.echo(f"user {name}: {role} of {tenant}")


@user.command("take")
@click.argument("name")
@_tenant
def user_take(name: str, tenant: str) -> None:
    """Take the role of user NAME at a tenant."""
    with _told():
        identity, caller = _open()
        identity.users.take(caller, name, tenant)
    click.echo(f"user {name}: no role at {tenant}")


@user.command("list")
@_as_json
def user_list(as_json: bool) -> None:
    """Every user, with roles."""
    with _told():
        rows = _open()[0].users.list()
    _show(rows, as_json, ("name", "roles", "second_factor", "disabled_at"), "no user yet: `uretimiq-api user add`")


@user.command("disable")
@click.argument("name")
def user_disable(name: str) -> None:
    """User NAME signs in no more; his sessions end. `reset` enables him again."""
    with _told():
        identity, caller = _open()
        identity.users.disable(caller, name)
    click.echo(f"user {name} disabled")


@user.command("reset")
@click.argument("name")
@_stdin
def user_reset(name: str, password_stdin: bool) -> None:
    """A new password for user NAME, without second factor; his sessions end."""
    with _told():
        identity, caller = _open()
        identity.users.reset(caller, name, _password(password_stdin))
    click.echo(f"user {name} reset: no second factor, a new password")


@click.group()
def key() -> None:
    """API keys of machines."""


@key.command("add")
@click.argument("name")
@_tenant
@click.option("--scope", multiple=True, required=True, help="For instance forecasts:read; repeat for several.")
@click.option("--days", default=365, help="Until it ends.")
@_as_json
def key_add(name: str, tenant: str, scope: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a key, and print it this once. NAME says what it is for."""
    with _told():
        identity, caller = _open()
        made = identity.keys.add(caller, tenant, name, scope, days)
    click.echo(json.dumps(made.row | {"key": made.key}, default=str) if as_json else made.key)


@key.command("list")
@click.option("--tenant", help="Only of this customer.")
@_as_json
def key_list(tenant: str | None, as_json: bool) -> None:
    """Every key, without what is secret of it."""
    with _told():
        rows = _open()[0].keys.list(tenant)
    told = ("prefix", "tenant", "name", "scopes", "expires_at", "revoked_at")
    _show(rows, as_json, told, "no key yet: `uretimiq-api key add`")


@key.command("revoke")
@click.argument("prefix")
def key_revoke(prefix: str) -> None:
    """End the key of that PREFIX."""
    with _told():
        identity, caller = _open()
        if not identity.keys.revoke(caller, prefix):
            raise ValueError(f"no key {prefix} that could be revoked: `uretimiq-api key list` names them")
    click.echo(f"key {prefix} revoked")


def _show(rows: list[dict[str, Any]], as_json: bool, told: Iterable[str], none: str) -> None:
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=1))
        return
    for row in rows:
        click.echo("  ".join(f"{name}={_text(row[name])}" for name in told))
    if not rows:
        click.echo(none)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{tenant}:{role}" for tenant, role in value.items())
    return ",".join(value) if isinstance(value, list) else f"{value or '-'}"
