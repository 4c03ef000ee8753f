"""What holds for every request: its id, its host, its size, its rate; headers of safety; refusals in the audit log."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from urllib.parse import unquote

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import problems
from serving.identity.limits import Limits
from serving.identity.roles import Caller

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MOST_BYTES, MOST_WORKBOOK_BYTES = 2**20, 16 * 2**20
_WORKBOOK = re.compile(r"/v1/tenants/[^/]+/plan/imports")
MOST_DENIALS = 300  # of an address a minute that are written down, lest a flood of them fills the disk
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
}
HSTS = {"Strict-Transport-Security": "max-age=31536000"}

Denied = Callable[[Caller, str, str, str], None]


class Shield:
    """The outermost layer of the app.

    `hosts` are the names by which the API may be called besides loopback's; `rate` is the requests a minute of one address.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...], rate: int, limits: Limits, denied: Denied) -> None:
        self._app = app
        self._hosts = {name.lower() for name in (*LOOPBACK, *hosts)}
        safety = SAFETY | (HSTS if hosts else {})
        self._safety = [(name.lower().encode(), value.encode()) for name, value in safety.items()]
        self._rate = rate
        self._limits = limits
        self._denied = denied

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        state = scope.setdefault("state", {})
        state["request_id"] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)

        is_begun = False

        async def finish(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                sent = [*message.get("headers", ()), (b"x-request-id", state["request_id"].encode())]
                names = {name for name, _ in sent}
                message["headers"] = sent + [pair for pair in self._safety if pair[0] not in names]
                await self._audit(scope)
            await send(message)

        problem = await self._refusal(scope, headers)
        if problem:
            await self._refuse(problem, scope, receive, finish)
            return
        # HEAD is asked like GET: the server, whose own the scope stays, leaves the body out.
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self._app(asked, _counted(receive, _most(scope)), finish)
        except Exception:
            log.exception("request %s failed", state["request_id"])
            if is_begun:
                raise
            why = f"the server failed on this request: its log names the cause under {state['request_id']}"
            await problems.answer("internal", why)(scope, receive, finish)

    async def _refusal(self, scope: Scope, headers: Headers) -> problems.Problem | None:
        wait = await self._limits.wait(f"address:{_address(scope)}", self._rate)
        if wait:
            why = f"more than {self._rate} requests a minute from your address: wait {wait} s"
            return problems.Problem("too-many-requests", why, wait)
        host = headers.get("host", "")
        name = host if host.endswith("]") else host.rsplit(":", 1)[0]
        if name.lower() not in self._hosts:
            return problems.Problem("host-refused", problems.KINDS["host-refused"].example)
        length = headers.get("content-length", "0")
        most = _most(scope)
        if not length.isdigit() or int(length) > most:
            return problems.Problem("too-large", _too_large(most))
        return None

    async def _refuse(self, problem: problems.Problem, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["refused"] = (problem.kind, str(problem))
        await problems.answer(problem.kind, str(problem), problem.retry)(scope, receive, send)

    async def _audit(self, scope: Scope) -> None:
        """Write a refusal down before it is told."""
        state = scope["state"]
        kind, detail = state.get("refused", ("", ""))
        if not kind or not problems.KINDS[kind].audited:
            return
        address = _address(scope)
        caller = Caller(state.get("actor", "anonymous"), address, state["request_id"], state.get("tenant"))
        if await self._limits.wait(f"denied:{address}", MOST_DENIALS):
            log.warning("denied: %s %r from %s, among too many to write each down", kind, caller.actor, address)
            return
        asked = f"{scope['method']} {unquote(scope['path'])}"
        try:
            await run_in_threadpool(self._denied, caller, asked, kind, detail)
        except SQLAlchemyError:  # refused it is all the same
            log.exception("denied: %s %r from %s, which could not be written down", kind, caller.actor, address)


def _most(scope: Scope) -> int:
    """How many bytes a body may have: 1 MiB, a workbook more."""
    is_workbook = scope["method"] == "POST" and _WORKBOOK.fullmatch(scope["path"])
    return MOST_WORKBOOK_BYTES if is_workbook else MOST_BYTES


def _too_large(most: int) -> str:
    return f"a body may have {most} bytes at most"


def _counted(receive: Receive, most: int) -> Receive:
    """`receive` that ends where a body without, or with a false, length becomes too large."""
    seen = 0

    async def count() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, _too_large(most))
        return message

    return count


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""
