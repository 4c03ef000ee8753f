"""Reads the form of a token request as RFC 6749 wants it, and tells how OpenAPI shows it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request

from serving.problems import Problem

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS, _LONGEST = 20, 4096


async def read_form(request: Request) -> dict[str, str]:
    """The fields of the body; one left empty is one left out. Raises Problem."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise bad(f"send the form as {FORM}")
    try:
        pairs = parse_qsl((await request.body()).decode(), errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise bad("the form is not UTF-8, or has too many fields") from error
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise bad("form: a field is given twice")
    if any(len(value) > _LONGEST for value in fields.values()):
        raise bad(f"form: a field has more than {_LONGEST} characters")
    return fields


def needed(fields: dict[str, str], name: str) -> str:
    """The field. Raises Problem where it is missing."""
    if name not in fields:
        raise bad(f"form: {name} is missing")
    return fields[name]


def bad(why: str, error: str = "invalid_request") -> Problem:
    """A token request that cannot be read."""
    return Problem("bad-token-request", why, error=error)


def body(example: dict[str, str], needed: tuple[str, ...], **fields: str) -> dict[str, Any]:
    """The form as OpenAPI tells it: `fields` with what each is, and which must be there."""
    properties = {name: {"type": "string", "description": told} for name, told in fields.items()}
    schema = {"type": "object", "properties": properties, "required": list(needed)}
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema, "example": example}}}}
