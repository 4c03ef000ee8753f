"""A home: the folder of all state, its ports and its secrets.

Knows the defaults of `expectations/settings.py` and writes what that reads: `settings.env` in the home.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_HOME = ".uretimiq"
DEFAULT_PORT = 8300
REGION = "us-east-1"
LANDING = "landing"

# Distance of each server's port from that of the API. A home takes the hundred ports from its first one.
OFFSETS = {
    "api": 0,
    "s3": 33,
    "s3 grpc": 34,
    "s3 filer": 35,
    "s3 filer grpc": 36,
    "s3 master": 37,
    "s3 master grpc": 38,
    "s3 volume": 39,
    "s3 volume grpc": 40,
    "mlflow": 50,
    "docs": 60,
    "airflow": 80,
}


class LocalError(RuntimeError):
    """Something that a person has to mend; the message is one line with the remedy."""


@dataclass(frozen=True)
class Home:
    """`path` is absolute; `port` is the API's, from which all others follow."""

    path: Path
    port: int

    @property
    def run(self) -> Path:
        """Where pid files and logs lie."""
        return self.path / "run"

    def port_of(self, name: str) -> int:
        return self.port + OFFSETS[name]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port_of(name)}"

    @property
    def settings(self) -> dict[str, str]:
        return read_env(self.path / "settings.env")

    def write_settings(self, **changes: str | None) -> None:
        """Set or, with None, remove settings in settings.env; it is written only when that changes it."""
        before = self.settings
        after = {k: v for k, v in {**before, **changes}.items() if v is not None}
        if after != before:
            write_env(self.path / "settings.env", after)

    def secret(self, name: str, *, characters: int = 32, make: Callable[[], str] | None = None) -> str:
        """A secret of this home, made at its first use and kept in `secrets.env`, which programs do not read."""
        path = self.path / "secrets.env"
        known = read_env(path)
        if name not in known:
            write_env(path, {**known, name: make() if make else token(characters)})
        return read_env(path)[name]


def token(characters: int) -> str:
    """A random word of letters and digits."""
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
    return "".join(secrets.choice(alphabet) for _ in range(characters))


def read_env(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in lines}


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone reads, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def write_env(path: Path, values: Mapping[str, str]) -> None:
    write_private(path, "".join(f"{key}={value}\n" for key, value in values.items()))


def load(environ: Mapping[str, str] | None = None) -> Home:
    """The home that URETIMIQ_HOME and URETIMIQ_PORT name. Raises LocalError for a bad port."""
    given = os.environ if environ is None else environ
    path = Path(given.get("URETIMIQ_HOME") or DEFAULT_HOME).expanduser().resolve()
    text = given.get("URETIMIQ_PORT") or read_env(path / "settings.env").get("URETIMIQ_PORT") or str(DEFAULT_PORT)
    if not text.isdigit() or not 1024 <= int(text) <= 45000:
        raise LocalError(f"URETIMIQ_PORT={text}: use a number from 1024 to 45000")
    return Home(path, int(text))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
