"""Cursors of lists that are not of a night: where the next page begins, for the query that they continue alone."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from serving.problems import Problem


def pack(asked: str, *parts: int | str) -> str:
    """URL-safe text; `asked` is the fingerprint of the query that it continues."""
    return base64.urlsafe_b64encode(json.dumps([asked, *parts]).encode()).decode().rstrip("=")


def unpack(text: str, asked: str, *kinds: type) -> list[Any]:
    """The parts back, each of its kind; numbers are 0 to 2**31. Raises Problem."""
    try:
        of, *parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if [type(part) for part in parts] != list(kinds):
            raise ValueError("other parts")
        if not all(0 <= part < 2**31 for part in parts if isinstance(part, int)):
            raise ValueError("out of range")
    except (ValueError, TypeError, binascii.Error) as error:
        raise Problem("bad-cursor", "the cursor cannot be read: take it from `next` of the page before") from error
    if of != asked:
        raise Problem("bad-cursor", "the cursor is of another query: begin again without it")
    return parts
