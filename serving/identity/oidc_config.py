"""`oidc.yaml` in the home: the company's own login, and which of its claims gives which role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from expectations.settings import Settings, SettingsError
from serving.identity.roles import ROLES, check_grants

FILE = "oidc.yaml"
CALLBACK = "/v1/auth/oidc/callback"
_NEEDED = {"issuer", "client_id", "redirect", "grants"}
_KNOWN = _NEEDED | {"name", "scopes"}
_GRANT = {"claim", "value", "tenant", "role"}


@dataclass(frozen=True)
class Grant:
    """Who has `value` in the claim has the role at the tenant."""

    claim: str
    value: str
    tenant: str
    role: str


@dataclass(frozen=True)
class Config:
    """The file. `name` is the claim that users are named by."""

    issuer: str
    client_id: str
    redirect: str
    grants: tuple[Grant, ...]
    name: str = "preferred_username"
    scopes: str = "openid profile email"

    def grants_of(self, claims: Mapping[str, Any]) -> dict[str, str]:
        """Roles by tenant of who has these claims; of several at a tenant the one with the most scopes."""
        found: dict[str, str] = {}
        for grant in self.grants:
            held = claims.get(grant.claim)
            if grant.value in (held if isinstance(held, list) else [held]):
                known = found.get(grant.tenant)
                if known is None or len(ROLES[known]) < len(ROLES[grant.role]):
                    found[grant.tenant] = grant.role
        return found


def load(settings: Settings) -> Config | None:
    """The file of this home; None where there is none. Raises SettingsError, which names what is wrong in it."""
    path = settings.home / FILE
    if not path.exists():
        return None
    try:
        return _read(path, is_open=settings.environment == "development")
    except (ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from error


def _read(path: Path, is_open: bool) -> Config:
    told = yaml.safe_load(path.read_text())
    if not isinstance(told, dict) or set(told) - _KNOWN or _NEEDED - set(told):
        raise ValueError(f"give {', '.join(sorted(_NEEDED))} and, if wished, {', '.join(sorted(_KNOWN - _NEEDED))}")
    grants = told.pop("grants")
    if not isinstance(grants, list) or not grants or not all(isinstance(g, dict) and set(g) == _GRANT for g in grants):
        raise ValueError(f"grants: a list, of {', '.join(sorted(_GRANT))} each")
    made = tuple(Grant(**{name: str(value) for name, value in grant.items()}) for grant in grants)
    for grant in made:
        check_grants({grant.tenant: grant.role})
    config = Config(**{name: str(value) for name, value in told.items()}, grants=made)
    for name, address in (("issuer", config.issuer), ("redirect", config.redirect)):
        parts = urlsplit(address)
        is_here = is_open and parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
        if parts.scheme != "https" and not is_here:
            raise ValueError(f"{name}: {address}: use https://")
    if urlsplit(config.redirect).path != CALLBACK:
        raise ValueError(f"redirect: {config.redirect}: it ends in {CALLBACK}")
    if "openid" not in config.scopes.split():
        raise ValueError(f"scopes: {config.scopes}: openid is missing")
    return config
