"""Errors as the API tells them: application/problem+json (RFC 9457), one line each, no stack trace."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from serving.lake import AnswerError, NotThereError, UnreadableError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:uretimiq:problem:"
RETRY_SECONDS = 30


@dataclass(frozen=True)
class Kind:
    """One sort of error: its HTTP status, its title, and a detail as in an answer."""

    status: int
    title: str
    example: str


KINDS = {
    "bad-request": Kind(422, "The request cannot be read", "query limit: Input should be less than or equal to 10000"),
    "bad-cursor": Kind(
        400, "The cursor does not belong here", "the cursor is of another query: begin again without it"
    ),
    "cursor-gone": Kind(
        410, "The cursor's night is gone", "the night of 2026-03-01 was written anew: begin again without cursor"
    ),
    "unknown-tenant": Kind(404, "No such tenant", "nothing is known of tenant 'acme': check the spelling"),
    "no-good-night": Kind(
        404, "No good night yet", "no night of 'acme' can be served: silver of 2026-03-01 failed: no rows"
    ),
    "unknown-night": Kind(404, "No such night", "'acme' has no good night of 2026-03-01; the newest is 2026-02-28"),
    "unknown-forecast": Kind(
        404, "No such forecast", "'acme' has no forecast 4be1: take the id from a row of its forecasts"
    ),
    "unknown-explanation": Kind(
        404,
        "No such explanation",
        "'acme' has no explanation of ankara/P-9 in the night of 2026-03-01: take the series from /v1/tenants/acme/series",
    ),
    "no-sums": Kind(
        404,
        "No sums of the night",
        "the night of 2026-03-01 of 'acme' has no sums: they need a champion that knows them",
    ),
    "not-found": Kind(404, "No such address", "there is nothing at /v2: the addresses are listed at /"),
    "not-allowed": Kind(405, "Not possible here", "the API only reads: use GET"),
    "host-refused": Kind(
        421, "Host refused", "without login the API answers on loopback only: use http://127.0.0.1 with the port"
    ),
    "no-night-yet": Kind(503, "No night has run yet", str(NotThereError())),
    "unreadable": Kind(503, "The lake cannot be read", str(UnreadableError())),
    "internal": Kind(500, "The server failed", "the server failed on this request: its log names the cause under 5d1f"),
}


class Problem(AnswerError):
    """A request that cannot be answered as it is: `kind` is a key of KINDS, `detail` one line with the remedy."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def answer(kind: str, detail: str) -> JSONResponse:
    """The problem as a response."""
    headers = {"Retry-After": str(RETRY_SECONDS)} if KINDS[kind].status == 503 else None
    return JSONResponse(body(kind, detail), KINDS[kind].status, headers, MEDIA_TYPE)


def body(kind: str, detail: str) -> dict[str, Any]:
    """The members of a problem."""
    spec = KINDS[kind]
    return {
        "type": TYPE_PREFIX + kind,
        "title": spec.title,
        "status": spec.status,
        "detail": " ".join(detail.split()),
    }


def responses(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of errors, each with its example."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in (*kinds, "bad-request", "host-refused", "internal"):
        spec = KINDS[kind]
        entry = found.setdefault(spec.status, {"description": spec.title, "content": {MEDIA_TYPE: {"examples": {}}}})
        if spec.title not in entry["description"]:
            entry["description"] += f"; {spec.title[0].lower()}{spec.title[1:]}"
        content = entry["content"][MEDIA_TYPE]
        content["schema"] = {"$ref": "#/components/schemas/Problem"}
        content["examples"][kind] = {"value": body(kind, spec.example)}
    return found


def told(errors: Iterable[Mapping[str, Any]]) -> str:
    """What pydantic found wrong, in one line."""
    return "; ".join(f"{' '.join(map(str, e['loc']))}: {e['msg']}" for e in errors)[:500]


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""

    @app.exception_handler(AnswerError)
    async def lake(_: Request, error: AnswerError) -> JSONResponse:
        return answer(error.kind, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer("bad-request", told(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            return answer("not-allowed", KINDS["not-allowed"].example)
        if error.status_code == 404:
            return answer("not-found", f"there is nothing at {request.url.path}: the addresses are listed at /")
        return answer("bad-request", str(error.detail))

    @app.exception_handler(Exception)
    async def internal(_: Request, __: Exception) -> JSONResponse:
        handle = uuid.uuid4().hex[:8]
        log.error("request %s failed; the cause follows", handle)  # uvicorn logs the stack trace itself
        return answer("internal", f"the server failed on this request: its log names the cause under {handle}")
