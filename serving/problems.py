"""Errors as the API tells them: application/problem+json (RFC 9457), one line each, no stack trace."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from starlette.exceptions import HTTPException

from serving.lake import AnswerError, NotThereError, UnreadableError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:uretimiq:problem:"
RETRY_SECONDS = 30
OF_ALL = ("bad-request", "host-refused", "too-large", "too-many-requests", "internal")
OF_GUARDED = ("unauthorized", "forbidden", "state-unavailable")


@dataclass(frozen=True)
class Kind:
    """One sort of error: its HTTP status, its title, and a detail as in an answer."""

    status: int
    title: str
    example: str
    audited: bool = False  # an access that was refused, not a question without an answer


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
    "unknown-series": Kind(
        404,
        "No such series",
        "'acme' has no series of site ankara, product P-9: take codes from /v1/tenants/acme/series",
    ),
    "no-series": Kind(
        404,
        "What was sold is not there yet",
        "what was sold of the series of 'acme' has not been written yet: run `uretimiq run demand-series --tenant acme`",
    ),
    "unauthorized": Kind(
        401, "Not signed in", "sign in at /v1/auth/token, or send an API key: Authorization: Bearer ...", audited=True
    ),
    "sign-in-refused": Kind(403, "Sign-in refused", "name, password or code is wrong", audited=True),
    "code-needed": Kind(
        403, "A second factor is needed", "a code of the second factor is needed: send it as `code`", audited=True
    ),
    "invalid-grant": Kind(400, "Sign-in refused", "name, password or code is wrong", audited=True),
    "bad-token-request": Kind(400, "The form cannot be read", "form: grant_type is missing"),
    "new-password-needed": Kind(
        403,
        "A password of your own is needed",
        "this password is for one time: choose your own, and send it as `new_password`",
        audited=True,
    ),
    "unknown-user": Kind(404, "No such user", "'acme' has no user 'mehmet': take the name from /v1/tenants/acme/users"),
    "name-taken": Kind(
        409,
        "The user name is taken",
        "the user name 'mehmet' is taken: choose another, or ask who runs the server for a role here",
    ),
    "last-admin": Kind(409, "The last admin", "'ayse' is the last admin of 'acme': make another one first"),
    "user-not-yours": Kind(
        409,
        "Not the tenant's to change",
        "user 'mehmet' has a role at another tenant too: who runs the server resets him",
    ),
    "forbidden": Kind(403, "Not allowed", "user:ayse may not use keys:write at 'acme'", audited=True),
    "cross-site": Kind(403, "Refused from another page", "the request comes from another site", audited=True),
    "too-many-requests": Kind(429, "Too many requests", "more requests than allowed: try again in 20 s", audited=True),
    "locked": Kind(429, "Too many failed sign-ins", "too many failed sign-ins: try again in 60 s", audited=True),
    "too-large": Kind(413, "The body is too large", "a body may have 1048576 bytes at most", audited=True),
    "unknown-key": Kind(404, "No such key", "'acme' has no API key urt_key_4be1c07a that could be revoked"),
    "unknown-link": Kind(404, "No such link", "'acme' has no link 9c41d07ab2f93c55 that could be revoked"),
    "link-refused": Kind(
        404, "The link is refused", "the link is unknown, revoked or at its end: make another one", audited=True
    ),
    "too-many-links": Kind(409, "Too many links", "'acme' has 200 links: revoke one that is not used"),
    "workbook-refused": Kind(
        422,
        "The workbook cannot be taken",
        "the workbook was not written here, or its hidden sheet was changed: export the plan again and edit that",
    ),
    "plan-changed": Kind(
        409,
        "The plan has changed since",
        "these cells have changed since: D2 (104.5, now 120): export the plan again",
    ),
    "unknown-import": Kind(
        404,
        "No such import",
        "'acme' has no import 5d1f0c7ab2f93c55: it is kept for 24 hours, import the workbook again",
    ),
    "import-over": Kind(409, "The import was taken", "import 5d1f0c7ab2f93c55 was taken already"),
    "import-has-problems": Kind(
        409, "The import cannot be taken whole", "1 cells cannot be taken (E2): mend them and import the workbook again"
    ),
    "busy": Kind(503, "The server is busy", "other workbooks are being written or read: ask again in 30 s"),
    "unknown-override": Kind(404, "No such override", "'acme' has no override 9c41d07a: take the id from the list"),
    "unknown-scenario": Kind(404, "No such scenario", "'acme' has no scenario 5d1f0c7a: take the id from the list"),
    "too-many-scenarios": Kind(409, "Too many scenarios", "'acme' has 500 scenarios: delete one that is not needed"),
    "not-alike": Kind(
        409, "Plans that cannot be compared", "one plan counts days, the other weeks: rebase the scenario first"
    ),
    "override-over": Kind(
        409, "The override is over", "override 9c41d07a was withdrawn, or is at its end: make a new one"
    ),
    "touches-nothing": Kind(
        422, "The change touches nothing", "no forecast of site=ankara product=P-9 from 2026-03-02 to 2026-03-08"
    ),
    "no-groups": Kind(
        409, "Groups are not known yet", "the groups of 'acme' are not known yet: leave product_group out"
    ),
    "version-needed": Kind(
        428, "Say which version you have seen", 'send the header If-Match with the ETag that you have seen, such as "3"'
    ),
    "version-changed": Kind(
        412, "Somebody else has changed it", "it is at version 4 by now, not 3: read it again, then change it"
    ),
    "key-used": Kind(
        422,
        "The Idempotency-Key is used",
        "Idempotency-Key 7f1c was sent with another request: take a new one for this",
    ),
    "key-busy": Kind(
        409, "The first request is under way", "the request with Idempotency-Key 7f1c is under way: ask again in 5 s"
    ),
    "no-company-login": Kind(404, "No login of a company", "no login of a company is set up"),
    "login-unavailable": Kind(503, "The company's login does not answer", "the company's login does not answer"),
    "not-found": Kind(
        404, "No such address", "there is nothing at /v2: the addresses are listed at /docs", audited=True
    ),
    "not-allowed": Kind(
        405, "Not possible here", "this address does not take POST: it is listed at /docs", audited=True
    ),
    "host-refused": Kind(
        421,
        "Host refused",
        "this name is not one of the API's: use http://127.0.0.1 with the port, or set URETIMIQ_HOSTS",
        audited=True,
    ),
    "no-night-yet": Kind(503, "No night has run yet", str(NotThereError())),
    "state-unavailable": Kind(
        503,
        "The state database does not answer",
        "the state database cannot be read, or takes no changes, at present: the server's log names the cause",
    ),
    "unreadable": Kind(503, "The lake cannot be read", str(UnreadableError())),
    "internal": Kind(500, "The server failed", "the server failed on this request: its log names the cause under 5d1f"),
}


class Problem(AnswerError):
    """A request that cannot be answered as it is: `kind` is a key of KINDS, `detail` one line with the remedy.

    `retry` says in how many seconds to ask again; `error` is the code of RFC 6749, for those who read that.
    """

    def __init__(self, kind: str, detail: str, retry: int | None = None, error: str | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.retry = retry
        self.error = error


def answer(kind: str, detail: str, retry: int | None = None, error: str | None = None) -> JSONResponse:
    """The problem as a response."""
    status, headers = KINDS[kind].status, {}
    if retry or status == 503:
        headers["Retry-After"] = str(retry or RETRY_SECONDS)
    if status == 401:  # where RFC 6750 wants the code
        headers["WWW-Authenticate"] = 'Bearer realm="uretimiq"' + (f', error="{error}"' if error else "")
        error = None
    if error:
        headers["Cache-Control"] = "no-store"
    more = {"error": error} if error else {}
    return JSONResponse(body(kind, detail) | more, status, headers, MEDIA_TYPE)


def refused(request: Request, error: AnswerError) -> JSONResponse:
    """The problem as a response, noted on the request for the audit log."""
    request.state.refused = (error.kind, str(error))
    if isinstance(error, Problem):
        return answer(error.kind, str(error), error.retry, error.error)
    return answer(error.kind, str(error))


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
    merge(found, *kinds, *OF_ALL)
    return found


def merge(found: dict[Any, dict[str, Any]], *kinds: str) -> None:
    """Add the entries of more errors to `found`, which is keyed by status: as a number, or as a document has it, as text."""
    texts = any(isinstance(status, str) for status in found)
    for kind in kinds:
        spec = KINDS[kind]
        status: int | str = str(spec.status) if texts else spec.status
        entry = found.setdefault(status, {"description": spec.title, "content": {MEDIA_TYPE: {"examples": {}}}})
        if spec.title not in entry["description"]:
            entry["description"] += f"; {spec.title[0].lower()}{spec.title[1:]}"
        content = entry["content"][MEDIA_TYPE]
        content["schema"] = {"$ref": "#/components/schemas/Problem"}
        content["examples"][kind] = {"value": body(kind, spec.example)}


def told(errors: Iterable[Mapping[str, Any]]) -> str:
    """What pydantic found wrong, in one line."""
    return "; ".join(f"{' '.join(map(str, e['loc']))}: {e['msg']}" for e in errors)[:500]


# Not there, full or locked; a standby that takes no writes; lost in between; all its connections in use.
_AWAY = (OperationalError, InternalError, InterfaceError, NoConnectionError)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""

    @app.exception_handler(AnswerError)
    async def known(request: Request, error: AnswerError) -> JSONResponse:
        return refused(request, error)

    async def state(_: Request, error: Exception) -> JSONResponse:
        why = getattr(error, "orig", None) or error
        log.error("the state database does not answer: %s", " ".join(str(why).split())[:300])
        return answer("state-unavailable", KINDS["state-unavailable"].example)

    for away in _AWAY:
        app.add_exception_handler(away, state)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer("bad-request", told(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            why = f"this address does not take {request.method}: what it takes is listed at /docs"
            told = refused(request, Problem("not-allowed", why))
            told.headers.update(error.headers or {})  # Allow, which names the methods
            return told
        if error.status_code == 404:
            why = f"there is nothing at {request.url.path}: the addresses are listed at /docs"
            return refused(request, Problem("not-found", why))
        if error.status_code == 413:
            return refused(request, Problem("too-large", str(error.detail)))
        return answer("bad-request", str(error.detail))
