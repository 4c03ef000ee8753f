"""`uretimiq-api`: serves the API; its commands look after users, keys and the state database."""

from __future__ import annotations

import ipaddress
import logging
import socket
from typing import TYPE_CHECKING

import click

from expectations import settings as shared
from serving import commands

if TYPE_CHECKING:
    from fastapi import FastAPI


@click.group(invoke_without_command=True, context_settings={"show_default": True})
@click.option("--host", default="127.0.0.1", help="Address to listen on; beyond loopback only with URETIMIQ_HOSTS.")
@click.option("--port", type=click.IntRange(1, 65535), show_default="URETIMIQ_PORT, 8300", help="Port to listen on.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, help="Processes; they share the nights laid in HOME/cache."
)
@click.version_option(package_name="uretimiq")
@click.pass_context
def main(context: click.Context, host: str, port: int | None, workers: int) -> None:
    """Serve forecasts and status over HTTP, from the lake under URETIMIQ_HOME or at URETIMIQ_LAKE.

    It answers those who sign in or send an API key: `uretimiq-api user add` makes the first user. A new night is served
    without a restart.
    """
    if context.invoked_subcommand:
        return
    try:
        settings = shared.load()
    except shared.SettingsError as error:
        raise click.ClickException(str(error)) from error
    address = _address(host, settings)
    listening = _listen(address, port or settings.port)
    _serve(settings, listening, workers)


for command in (commands.user, commands.key, commands.migrate):
    main.add_command(command)


def _address(host: str, settings: shared.Settings) -> str:
    """The address of `host`, if it is loopback or the names by which others call it are known."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise click.ClickException(f"--host {host}: give an address, such as 127.0.0.1") from error
    if not address.is_loopback and not settings.hosts:
        raise click.ClickException(
            f"--host {host}: refused while URETIMIQ_HOSTS is empty: name there the hosts by which the API is called "
            "from elsewhere, with a proxy for TLS before it; or use 127.0.0.1"
        )
    return str(address)


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        why = f"port {port} of {address} cannot be used ({error.strerror}): give another --port or set URETIMIQ_PORT"
        raise click.ClickException(why) from error
    return listening


def make_app() -> FastAPI:
    """The app of the environment's settings, in a process that uvicorn has begun and whose loggers are set up."""
    from serving.app import create_app

    _mask_log()
    return create_app(shared.load())


def _serve(settings: shared.Settings, listening: socket.socket, workers: int) -> None:
    import uvicorn  # here, since a refused host or --help need not load the server
    from uvicorn.supervisors import Multiprocess

    from serving.app import create_app
    from serving.state.database import StateError

    try:
        app = create_app(settings)
    except (shared.SettingsError, StateError) as error:
        raise click.ClickException(str(error)) from error
    address, port = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    click.echo(f"ÜretimIQ API: http://{shown}:{port}/ reads {settings.lake_uri}; Ctrl-C stops it")
    level = settings.log_level.lower()
    config = uvicorn.Config(
        app if workers == 1 else "serving.cli:make_app",
        factory=workers > 1,
        workers=workers,
        log_level=level,
        access_log=level == "debug",
        server_header=False,
        proxy_headers=bool(settings.proxies),  # else anybody could name the address that is counted for him
        forwarded_allow_ips=settings.proxies or None,
    )
    if workers > 1:
        Multiprocess(config, sockets=[listening]).run()
        return
    _mask_log()  # here: Config has set the loggers up
    uvicorn.Server(config).run(sockets=[listening])


def _mask_log() -> None:
    """Leave the secrets of live links out of uvicorn's log."""
    from serving.identity.secret import masked

    def mask(record: logging.LogRecord) -> bool:
        record.args = tuple(masked(arg) if isinstance(arg, str) else arg for arg in record.args or ())
        return True

    logging.getLogger("uvicorn.access").addFilter(mask)


if __name__ == "__main__":
    main()
