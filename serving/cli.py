"""`uretimiq-api`: serves the API on loopback."""

from __future__ import annotations

import ipaddress
import socket

import click

from expectations import settings as shared


@click.command(context_settings={"show_default": True})
@click.option("--host", default="127.0.0.1", help="Loopback address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), show_default="URETIMIQ_PORT, 8300", help="Port to listen on.")
@click.version_option(package_name="uretimiq")
def main(host: str, port: int | None) -> None:
    """Serve forecasts and status over HTTP, from the lake under URETIMIQ_HOME or at URETIMIQ_LAKE.

    It answers on this machine only, since there is no login yet. A new night is served without a restart.
    """
    try:
        settings = shared.load()
    except shared.SettingsError as error:
        raise click.ClickException(str(error)) from error
    address = _loopback(host)
    listening = _listen(address, port or settings.port)
    _serve(settings, listening)


def _loopback(host: str) -> str:
    """The address of `host`, if it is loopback."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise click.ClickException(f"--host {host}: give an address, such as 127.0.0.1") from error
    if not address.is_loopback:
        raise click.ClickException(
            f"--host {host}: refused, since the API has no login yet and would show every tenant's data; use 127.0.0.1"
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


def _serve(settings: shared.Settings, listening: socket.socket) -> None:
    import uvicorn  # here, since a refused host or --help need not load the server

    from serving.app import create_app

    address, port = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    click.echo(f"ÜretimIQ API: http://{shown}:{port}/ reads {settings.lake_uri}; Ctrl-C stops it")
    level = settings.log_level.lower()
    config = uvicorn.Config(create_app(settings), log_level=level, access_log=level == "debug", server_header=False)
    uvicorn.Server(config).run(sockets=[listening])
