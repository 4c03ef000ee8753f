"""The command line `uretimiq-edge`: files of the ERP into the outbox, the outbox to the landing bucket."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from edge_sync.errors import EdgeError
from edge_sync.filemap import FileMap
from edge_sync.gateway import gateway_name, gateways_here
from edge_sync.importer import Import, dry_run, import_file
from edge_sync.mapfile import read_map, read_maps
from edge_sync.outbox import Outbox
from edge_sync.report import Progress, plural, show_outcome, warnings
from edge_sync.sets import read_set, shipped_sets
from edge_sync.status import status_of
from edge_sync.sync import Sent, sync
from expectations import settings as settings_module
from expectations.contract import Contract
from expectations.settings import SettingsError
from expectations.tables import TABLES

KEEP_DAYS = 7
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_GATEWAY = click.option("--gateway", help="Name of the gateway. Default: URETIMIQ_GATEWAY, else the machine's name.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="uretimiq")
def cli() -> None:
    """The gateway of a plant: brings the files of the ERP to the landing bucket, each row once.

    Exit status: 0 done; 1 it could not be done, with the reason in one line; 2 wrong usage.
    """


def _import_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--tenant", required=True, help="Whose data it is."),
            _GATEWAY,
            click.option("--again", is_flag=True, help="Import even what was imported before with the same map."),
            click.option("--dry-run", "dry", is_flag=True, help="Show the first rows and the counts; write nothing."),
            click.option("--sync", "send", is_flag=True, help="Then upload the outbox, as `uretimiq-edge sync` does."),
            _JSON,
        )
    ):
        command = option(command)
    return command


@cli.command("import")
@click.option("--site", required=True, help="Where the gateway stands; the rows' own site comes from the map.")
@click.option(
    "--contract",
    "contract_name",
    help="Table that the files are for, as sales; not needed where the map names its own.",
)
@click.option(
    "--map", "map_path", required=True, type=click.Path(path_type=Path), help="File map (YAML), see docs/maps.md."
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_import_options
def import_command(
    site: str,
    contract_name: str | None,
    map_path: Path,
    files: tuple[Path, ...],
    gateway: str | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Read FILES (CSV, Excel, Parquet) by a map and put them into the outbox as Parquet with a manifest.

    Each file is imported whole or not at all; the same file with the same map is imported once. Files before one
    that fails stay imported, so the same command can be given again after mending it.
    """
    maps = read_maps(map_path, _contract(contract_name) if contract_name else None, TABLES)
    _import_all(_outbox(gateway), site, [(file_map, files) for file_map in maps], as_json, **how)


@cli.command("import-set")
@click.argument("name", metavar="SET")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data. Default: URETIMIQ_DATA.")
@click.option("--site", help="Where the gateway stands. Default: as the set says.")
@_import_options
def import_set_command(
    name: str, data: Path | None, site: str | None, gateway: str | None, as_json: bool, **how: Any
) -> None:
    """Import the files of a SET in order: a YAML file, or one of those shipped."""
    chosen = read_set(name, data or Path(settings_module.load().data), TABLES)
    entries = [(read_map(e.map, _contract(e.contract)), e.files) for e in chosen.entries]
    _import_all(_outbox(gateway), site or chosen.site, entries, as_json, **how)


import_set_command.help = f"{import_set_command.help}\n\nShipped: {', '.join(shipped_sets())}."


def _import_all(
    outbox: Outbox,
    site: str,
    entries: Iterable[tuple[FileMap, tuple[Path, ...]]],
    quiet: bool,
    *,
    tenant: str,
    again: bool,
    dry: bool,
    send: bool,
) -> None:
    """Import each file by its maps, show or print what became of it, and upload it where that is asked."""
    if send and dry:
        raise click.UsageError("--dry-run writes nothing that --sync could send")
    outcomes = []
    for file_map, files in entries:
        for path in files:
            task = Import(
                tenant=tenant,
                site=site,
                contract=file_map.contract,
                file_map=file_map,
                now=datetime.now(UTC),
                again=again,
                progress=Progress(path.name),
            )
            outcome = dry_run(task, path) if dry else import_file(task, path, outbox)
            outcomes.append(outcome)
            if not quiet:
                show_outcome(outcome)
            else:
                for line in warnings(outcome):
                    click.echo(f"warning: {line}", err=True)
    if quiet:
        _print([o.record() for o in outcomes])
    if send:
        _send(outbox.name, as_json=quiet)


@cli.command("sync")
@click.option("--gateway", help="Only this gateway. Default: every one with a folder here.")
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    help="File with URETIMIQ_S3_ENDPOINT, _ACCESS_KEY and _SECRET_KEY. Default: HOME/keys/TENANT.SITE.env or TENANT.env.",
)
@click.option(
    "--keep-days", default=KEEP_DAYS, show_default=True, help="How long sent files are kept in the folder `sent`."
)
@_JSON
def sync_command(gateway: str | None, env_file: Path | None, keep_days: int, as_json: bool) -> None:
    """Upload the outbox to the landing bucket. What was sent is not sent again; what fails waits for the next run."""
    _send(gateway, env_file, keep_days, as_json)


def _send(gateway: str | None, env_file: Path | None = None, keep_days: int = KEEP_DAYS, as_json: bool = False) -> None:
    from edge_sync.keys import bucket_for  # boto3 takes a second that no other command should pay

    settings = settings_module.load()
    done: dict[str, Sent] = {}
    for name in [gateway] if gateway else gateways_here(settings.home):
        done[name] = sync(
            Outbox(settings.home, gateway_name(settings, name)),
            lambda tenant, site: bucket_for(settings, env_file, tenant, site),
            lambda: datetime.now(UTC),
            keep_days,
            lambda manifest: click.echo(f"sent {manifest.data_key()} ({manifest.rows:,} rows)", err=True),
        )
    if as_json:
        _print({name: vars(sent) for name, sent in done.items()})
    else:
        for name, sent in done.items():
            there = f", {sent.there} of them had arrived before" if sent.there else ""
            click.echo(
                f"{name}: {plural(sent.objects, 'object')} sent, {plural(sent.rows, 'row')}, {sent.bytes:,} bytes{there}"
            )
    if not done:
        click.echo(f"no gateway has imported anything under {settings.home / 'edge'}; nothing to send", err=True)
    if refused := [line for sent in done.values() for line in sent.refused]:
        raise EdgeError("\n".join(refused))


@cli.command("status")
@click.option("--gateway", help="Only this gateway. Default: every one with a folder here.")
@_JSON
def status_command(gateway: str | None, as_json: bool) -> None:
    """What waits in the outbox, what was sent, and the last error."""
    settings = settings_module.load()
    found = [
        status_of(Outbox(settings.home, name)) for name in ([gateway] if gateway else gateways_here(settings.home))
    ]
    if as_json:
        _print(found)
    elif not found:
        click.echo(f"no gateway has imported anything under {settings.home / 'edge'}")
    for state in [] if as_json else found:
        click.echo(f"gateway {state['gateway']}")
        for what in ("waiting", "sent"):
            totals = state[what]
            click.echo(
                f"  {what}: {plural(totals['objects'], 'object')}, {plural(totals['rows'], 'row')}, {totals['bytes']:,} bytes"
            )
        click.echo(f"  oldest waiting: {state['oldest_waiting'] or '-'}")
        click.echo(f"  last sync: {state['last_sync'] or '-'}")
        click.echo(f"  last error: {state['last_error'] or '-'}")


def _contract(name: str) -> Contract:
    landed = [c.name for c in TABLES.landed]
    if name not in landed:
        raise EdgeError(f"--contract {name}: no such table takes files; there are: {', '.join(landed)}")
    return TABLES[name]


def _outbox(gateway: str | None) -> Outbox:
    settings = settings_module.load()
    return Outbox(settings.home, gateway_name(settings, gateway))


def _print(record: object) -> None:
    click.echo(json.dumps(record, ensure_ascii=False, indent=1, default=str))


def _log_trace() -> Path:
    """Append the trace of the error in hand to HOME/log/edge.log; gives its path."""
    path = Path(os.environ.get("URETIMIQ_HOME") or ".uretimiq") / "log" / "edge.log"
    with contextlib.suppress(OSError):  # a full disk must not hide the first error
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC).isoformat()} {' '.join(sys.argv)}\n{traceback.format_exc()}\n")
    return path


def main() -> None:
    """Entry point: a known failure is one line and exit status 1, never a stack trace."""
    try:
        cli(standalone_mode=True)
    except (EdgeError, SettingsError) as error:
        click.echo(f"uretimiq-edge: {error}", err=True)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last line of defence: the trace goes to the log
        first = (str(error).strip() or "no message").splitlines()[0]
        click.echo(f"uretimiq-edge: {type(error).__name__}: {first[:300]} (stack trace in {_log_trace()})", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
