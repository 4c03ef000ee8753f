"""Secrets that lie in HashiCorp Vault or OpenBao: a field of a secret of the KV engine, version 2.

`VAULT_ADDR` names the server; `VAULT_TOKEN`, or `VAULT_ROLE_ID` and `VAULT_SECRET_ID` (AppRole), open it, each of them
also by a file, as in `VAULT_TOKEN_FILE`; `VAULT_NAMESPACE` and `VAULT_CACERT` where they are needed.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

SECONDS = 10
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class VaultError(ValueError):
    """Vault does not give it; the message is one line without any secret."""


class Vault:
    """One server, by the variables of `environ`; it signs in at the first secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._token = ""
        self._read: dict[str, dict[str, Any]] = {}

    def field(self, place: str) -> str:
        """The field of `place`, which is PATH#FIELD, for instance secret/data/uretimiq#secret_key. Raises VaultError."""
        path, _, field = place.partition("#")
        if "/data/" not in path or not field:
            raise VaultError("give MOUNT/data/PATH#FIELD, for instance vault:secret/data/uretimiq#secret_key")
        if path not in self._read:
            self._token = self._token or self._sign_in()
            self._read[path] = self._ask(path)
        found = (self._read[path].get("data") or {}).get("data") or {}
        if not isinstance(found.get(field), str) or not found[field]:
            raise VaultError(f"Vault's {path} has no field {field}")
        return str(found[field])

    def _sign_in(self) -> str:
        token = self._given("VAULT_TOKEN")
        if token:
            return token
        role, secret = self._given("VAULT_ROLE_ID"), self._given("VAULT_SECRET_ID")
        if not (role and secret):
            raise VaultError("set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID")
        answer = self._ask("auth/approle/login", {"role_id": role, "secret_id": secret})
        token = str((answer.get("auth") or {}).get("client_token") or "")
        if not token:
            raise VaultError("Vault's AppRole gave no token")
        return token

    def _given(self, name: str) -> str:
        file = self._environ.get(f"{name}_FILE")
        return read_file(Path(file)) if file else self._environ.get(name, "")

    def _ask(self, path: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        address = self._environ.get("VAULT_ADDR", "").rstrip("/")
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise VaultError(f"VAULT_ADDR={address}: use https:// (http:// on loopback alone)")
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        headers |= {"X-Vault-Token": self._token} if self._token else {}
        if namespace := self._environ.get("VAULT_NAMESPACE"):
            headers["X-Vault-Namespace"] = namespace
        body = json.dumps(form).encode() if form else None
        asked = urllib.request.Request(f"{address}/v1/{quote(path)}", body, headers)  # noqa: S310 - as checked above
        try:
            with urllib.request.urlopen(asked, timeout=SECONDS, context=self._trust(parts.scheme)) as answer:  # noqa: S310
                told = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise VaultError(f"Vault answers {error.code} to {path}: check the path and the policy") from error
        except (OSError, ValueError) as error:
            raise VaultError(f"Vault at {address} does not answer as it should: {str(error)[:100]}") from error
        return told if isinstance(told, dict) else {}

    def _trust(self, scheme: str) -> ssl.SSLContext | None:
        if scheme != "https":
            return None
        return ssl.create_default_context(cafile=self._environ.get("VAULT_CACERT"))


def read_file(path: Path) -> str:
    """The text of a file that holds one secret, without the line's end. Raises VaultError."""
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise VaultError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from error
