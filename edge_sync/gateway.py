"""Which gateway this is, and which gateways have a folder here."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from edge_sync.importer import check_code
from expectations.settings import Settings


def gateway_name(settings: Settings, given: str | None) -> str:
    """The given name, else that of the settings, else the machine's. Raises EdgeError if it cannot be part of a key."""
    name = given or settings.gateway or re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname()).strip("-") or "gateway"
    check_code("gateway", name)
    return name


def gateways_here(home: Path) -> list[str]:
    """Names of the gateways with a folder under `home`, sorted."""
    return sorted(path.parent.name for path in (home / "edge").glob("*/journal.sqlite"))
