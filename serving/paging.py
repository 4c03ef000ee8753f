"""Paging: a cursor holds on to the night that the first page came from, whatever night arrives meanwhile."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import date

from serving.nights import NightKey
from serving.problems import Problem


@dataclass(frozen=True)
class Cursor:
    """Where the next page begins: the night, the table's version that had it, the rows already given."""

    key: NightKey
    version: int
    offset: int


def fingerprint(*asked: object) -> str:
    """What tells one query from another; tenant and filters go into it, the page's size does not."""
    return hashlib.blake2b(repr(asked).encode(), digest_size=6).hexdigest()


def encode(cursor: Cursor, query: str) -> str:
    """The cursor as URL-safe text; `query` is the fingerprint of the query that it continues."""
    parts = [query, cursor.version, cursor.key.night.isoformat(), list(cursor.key.runs), cursor.offset]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(text: str, tenant: str, query: str) -> Cursor:
    """The cursor back, for the tenant of the address alone. Raises Problem."""
    try:
        asked, version, night, runs, offset = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        key = NightKey(tenant, date.fromisoformat(night), tuple(map(str, runs)))
        cursor = Cursor(key, int(version), int(offset))
        if cursor.offset < 0 or cursor.version < 0:
            raise ValueError("below zero")
    except (ValueError, TypeError, binascii.Error) as error:
        raise Problem("bad-cursor", "the cursor cannot be read: take it from `next` of the page before") from error
    if asked != query:
        raise Problem("bad-cursor", "the cursor is of another query: begin again without it")
    return cursor
