"""Passwords: Argon2id (RFC 9106), and as much work for a name that nobody has as for one that somebody has."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 256


class Passwords:
    """Hashes and compares. By default 64 MiB and 3 passes, some 50 ms."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def is_right(self, known: str | None, password: str) -> bool:
        """Whether `password` is that of the hash `known`; as long does it take where there is none."""
        try:
            self._hasher.verify(known or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return False
        return known is not None

    def is_old(self, known: str) -> bool:
        """Whether the hash was made with less work than is asked today."""
        return self._hasher.check_needs_rehash(known)


def check_password(password: str, name: str) -> str:
    """The password, if it will do. Raises ValueError, which does not repeat it."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"password: use {SHORTEST} to {LONGEST} characters, a sentence for example")
    if name in password.lower() and len(name) > 3:
        raise ValueError("password: leave the user's name out of it")
    if len(set(password)) < 5:
        raise ValueError("password: use five different characters at least")
    return password
