"""The command line: `python -m deploy.local up|down|status|key|run-s3`."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable

import click

from deploy.local import airflow_server, api_server, docs_server, mlflow_server, process, s3, up
from deploy.local.home import Home, LocalError, load, read_env, write_env

SERVERS: dict[str, Callable[[Home], process.Server]] = {
    "s3": s3.server,
    "mlflow": mlflow_server.server,
    "airflow": airflow_server.server,
    "docs": docs_server.server,
    "api": api_server.server,
}

# Where the page links to; without the server there is no link.
LINKED = {"airflow": "URETIMIQ_AIRFLOW_URL", "mlflow": "URETIMIQ_MLFLOW_URL", "docs": "URETIMIQ_DATA_DOCS_URL"}


def _addresses(home: Home) -> dict[str, str]:
    return {name: home.url(name) for name in SERVERS}


def _check_same_ports(home: Home) -> None:
    """A home whose servers run on other ports is not started a second time."""
    written = home.settings.get("URETIMIQ_PORT")
    if written and written != str(home.port) and any(process.find(home.path, name) for name in SERVERS):
        raise LocalError(f"{home.path} runs with URETIMIQ_PORT={written}: `make down` it first, or take that port")


def _print_addresses(home: Home, names: list[str]) -> None:
    click.echo(f"Home {home.path}")
    for name, address in _addresses(home).items():
        if name in names:
            who = {"airflow": airflow_server, "api": api_server}.get(name)
            more = f"   user {who.USER}, password {who.password(home)}" if who else ""
            click.echo(f"  {name:8} {address}{more}")


@click.group()
def main() -> None:
    """The servers of one machine, on loopback, under URETIMIQ_HOME (default .uretimiq), from URETIMIQ_PORT on."""


_only = click.option("--only", type=click.Choice(list(SERVERS)), multiple=True, help="These servers alone.")


@main.command("up")
@_only
@click.option("--paused", is_flag=True, help="DAGs new to this home wait until somebody unpauses them.")
def up_command(only: tuple[str, ...], *, paused: bool) -> None:
    """Start the servers, wait until each works, print their addresses."""
    home = load()
    _check_same_ports(home)
    names = [name for name in SERVERS if not only or name in only]
    # `make down` takes the address of MLflow away again: without the server, programs use its database directly.
    tracking = home.url("mlflow") if "mlflow" in names else home.settings.get("URETIMIQ_MLFLOW_URI")
    links: dict[str, str | None] = {LINKED[name]: home.url(name) for name in names if name in LINKED}
    home.write_settings(URETIMIQ_PORT=str(home.port), URETIMIQ_MLFLOW_URI=tracking, **links)
    for path in (home.path / "keys").glob("*.env"):
        write_env(path, read_env(path) | {"URETIMIQ_S3_ENDPOINT": home.url("s3")})
    makers = SERVERS | {"airflow": functools.partial(airflow_server.server, paused=paused)}
    up.bring_up(home, [makers[name](home) for name in names], click.echo)
    if "api" in names:
        api_server.add_admin(home)
    _print_addresses(home, names)


@main.command()
@_only
def down(only: tuple[str, ...]) -> None:
    """Stop the servers; no process of theirs is left."""
    home = load()
    names = [name for name in SERVERS if not only or name in only]
    home.write_settings(**{LINKED[name]: None for name in names if name in LINKED})
    if "mlflow" in names:
        home.write_settings(URETIMIQ_MLFLOW_URI=None)
    up.bring_down(home, names, click.echo)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(as_json: bool) -> None:
    """Which servers run and work; exit code 1 if one does not."""
    home = load()
    found = []
    for name, make in SERVERS.items():
        pid = process.find(home.path, name)
        waits_for = make(home).ready() if pid else "make up"
        found.append(
            {"server": name, "address": home.url(name), "pid": pid, "works": not waits_for, "waits_for": waits_for}
        )
    if as_json:
        click.echo(json.dumps({"home": str(home.path), "servers": found}, indent=1))
    for row in found if not as_json else []:
        click.echo(
            f"  {row['server']:8} {row['address']}  {'works' if row['works'] else 'waits for ' + str(row['waits_for'])}"
        )
    sys.exit(0 if all(row["works"] for row in found) else 1)


@main.command()
@click.argument("tenant")
@click.option("--site", help="Limit the key to the gateway of one site.")
def key(tenant: str, site: str | None) -> None:
    """Make the key of TENANT's gateway: it reads, lists and writes landing/TENANT/ and nothing else."""
    _, path = s3.gateway_key(load(), tenant, site)
    click.echo(path)


@main.command("run-s3")
def run_s3() -> None:
    """Run the S3 server alone in the foreground, until Ctrl-C."""
    server = s3.server(load())
    sys.exit(subprocess.call(list(server.command), env=dict(server.environ)))


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except LocalError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
