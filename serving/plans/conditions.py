"""ETag and If-Match: who changes something says which version of it he has seen."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header

from serving.problems import Problem

IfMatch = Annotated[
    str | None, Header(max_length=1000, description='The ETag of the version that you have seen, such as "3"')
]
_TAG = re.compile(r'\s*(?:"(\d{1,9})"|(?:W/)?"[^"]*")\s*')


def tag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def seen(if_match: str | None, is_needed: bool = True) -> list[int] | None:
    """The versions that If-Match names; None where any will do. Raises Problem where it is needed and missing."""
    if if_match is None:
        if is_needed:
            raise Problem(
                "version-needed",
                'send the header If-Match with the ETag of the version that you have seen, such as "3"',
            )
        return None
    if if_match.strip() == "*":
        return None
    found = [_TAG.fullmatch(part) for part in if_match.split(",")]
    if not all(found):
        raise Problem("bad-request", 'header If-Match: give an ETag as it was answered, such as "3"')
    return [int(match[1]) for match in found if match and match[1]]
