"""Paging: a cursor holds on to the night that the first page came from, whatever night arrives meanwhile."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from serving.nights import NightKey
from serving.problems import Problem

MOST = 2**31  # rows or versions: no table has more


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
    return pack(query, cursor.version, cursor.key.night.isoformat(), list(cursor.key.runs), cursor.offset)


def decode(text: str, tenant: str, query: str) -> Cursor:
    """The cursor back, for the tenant of the address alone. Raises Problem."""
    place = unpack(text, query)
    try:
        version, night, runs, offset = place
        key = NightKey(tenant, date.fromisoformat(night), tuple(map(str, runs)))
        cursor = Cursor(key, int(version), int(offset))
    except (ValueError, TypeError, OverflowError) as error:
        raise unreadable() from error
    if not (0 <= cursor.offset < MOST and 0 <= cursor.version < MOST):
        raise unreadable()
    return cursor


def pack(query: str, *place: object) -> str:
    """Where the next page begins, as URL-safe text; `query` is the fingerprint of the query that it continues."""
    return base64.urlsafe_b64encode(json.dumps([query, *place], separators=(",", ":")).encode()).decode().rstrip("=")


def unpack(text: str, query: str) -> list[Any]:
    """The place again, of whatever types a caller has put into it. Raises Problem."""
    try:
        asked, *place = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise unreadable() from error
    if asked != query:
        raise Problem("bad-cursor", "the cursor is of another query: begin again without it")
    return place


def unpack_as(text: str, query: str, *kinds: type) -> list[Any]:
    """The place again, whose parts are of these kinds; numbers are 0 to MOST. Raises Problem."""
    place = unpack(text, query)
    if [type(part) for part in place] != list(kinds):
        raise unreadable()
    if not all(0 <= part < MOST for part in place if isinstance(part, int)):
        raise unreadable()
    return place


def moment_of(part: object) -> datetime:
    """A moment in a place, which was packed in ISO's form; in UTC. Raises Problem."""
    try:
        at = datetime.fromisoformat(part if isinstance(part, str) else "")
        if at.tzinfo is None:
            raise unreadable()
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise unreadable() from error


def unreadable() -> Problem:
    """Of a cursor that no page has given."""
    return Problem("bad-cursor", "the cursor cannot be read: take it from `next` of the page before")
