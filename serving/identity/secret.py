"""The server's own secret: signs access tokens and workbooks, seals the secrets of second factors, hashes what is random itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from expectations.settings import Settings, SettingsError

BYTES = 32
LINK_MARK = "urt_link_"  # a live link's secret begins so: it stands in an address, which logs like to keep
_LINK = re.compile(rf"{LINK_MARK}[\w-]+")
_LIKELY = ("secret", "password", "change", "default", "example", "uretimiq", "12345", "abcde", "test")


class Secret:
    """Keys made from the setting `secret_key`; of several, the first signs and seals, the others still read."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.signing = {hashlib.sha256(k.encode()).hexdigest()[:8]: _derived(k, b"access tokens") for k in keys}
        sealing = [Fernet(base64.urlsafe_b64encode(_derived(k, b"second factors"))) for k in keys]
        self._sealing = MultiFernet(sealing)
        self._refresh = _derived(keys[0], b"refresh tokens")
        self._workbooks = [_derived(k, b"workbooks") for k in keys]

    def seal(self, text: str) -> str:
        return self._sealing.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """The text again; None where it was sealed by a key that is gone."""
        try:
            return self._sealing.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None

    def successor(self, token: str, address: str) -> str:
        """What follows a refresh token that is used from `address`: the same each time, and not to be had without the key."""
        digest = hmac.digest(self._refresh, f"{token} {address}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def sign(self, content: bytes) -> str:
        """What proves that a workbook's `content` was written here, in hexadecimal."""
        return _signature(self._workbooks[0], content)

    def has_signed(self, content: bytes, signature: str) -> bool:
        """Whether `signature` is that of `content`, by any of the keys."""
        given = signature.encode()
        return any(hmac.compare_digest(_signature(key, content).encode(), given) for key in self._workbooks)


def load(settings: Settings) -> Secret:
    """The secret of `settings`; in development one is made in the home at the first start. Raises SettingsError."""
    if settings.secret_key:
        keys = tuple(key.strip() for key in settings.secret_key.split(",") if key.strip())
        is_weak = any(_is_weak(key, settings.environment) for key in keys)
        if is_weak or not keys:
            raise SettingsError(
                f"URETIMIQ_SECRET_KEY is too weak: take {BYTES} random bytes, `openssl rand -base64 {BYTES}`"
            )
        return Secret(keys)
    if settings.environment != "development":
        raise SettingsError(
            "URETIMIQ_SECRET_KEY is missing: outside development give it, or its file by URETIMIQ_SECRET_KEY_FILE, "
            f"or vault:PATH#FIELD; `openssl rand -base64 {BYTES}` makes one"
        )
    return Secret((_of_home(settings.home),))


def fingerprint(token: str) -> str:
    """How a random token is kept: of 128 random bits or more nothing is found by trying."""
    return hashlib.sha256(token.encode()).hexdigest()


def readable_code() -> str:
    """Eighty random bits in four groups of letters and digits, for people to read and type."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[i : i + 4] for i in range(0, 16, 4))


def masked(text: str) -> str:
    """The text for a log: without the secrets of live links."""
    return _LINK.sub(f"{LINK_MARK}...", text)


def _is_weak(key: str, environment: str) -> bool:
    if len(key.encode()) < BYTES or len(set(key)) < 10:
        return True
    return environment != "development" and any(word in key.lower() for word in _LIKELY)


def _of_home(home: Path) -> str:
    file = home / "state" / "secret.key"
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text()
    with os.fdopen(descriptor, "w") as opened:
        opened.write(secrets.token_urlsafe(BYTES))
    return file.read_text()


def _signature(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def _derived(key: str, use: bytes) -> bytes:
    return HKDF(SHA256(), BYTES, None, b"uretimiq " + use).derive(key.encode())
