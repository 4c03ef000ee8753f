"""Which S3 keys a gateway uses for a tenant and site."""

from __future__ import annotations

import os
from pathlib import Path

from edge_sync.errors import EdgeError
from edge_sync.s3 import Bucket
from expectations import settings as settings_module
from expectations.settings import Settings


def bucket_for(settings: Settings, env_file: Path | None, tenant: str, site: str) -> Bucket:
    """The landing bucket with the keys of `env_file`, else of HOME/keys for the site or the tenant, else the settings'."""
    candidates = [settings.home / "keys" / f"{name}.env" for name in (f"{tenant}.{site}", tenant)]
    path = env_file or next((c for c in candidates if c.exists()), None)
    return Bucket(_with(path) if path else settings)


def _with(path: Path) -> Settings:
    """The settings with what the file says above all: it holds the narrower key."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise EdgeError(f"{path}: cannot be read: {error.strerror}; name the file with the gateway's keys") from None
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return settings_module.load({**os.environ, **{key.strip(): value.strip() for key, value in pairs}})
