"""/v1/auth/oidc: to the company's own login and back, for browsers."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import IntegrityError

from serving.identity.access import caller_of
from serving.identity.auth_routes import AuthRoutes, Door
from serving.identity.oidc import PATIENCE, Company, CompanyRefusedError, CompanyUnavailableError
from serving.identity.service import Identity
from serving.identity.sessions import Opened
from serving.problems import Problem, responses

log = logging.getLogger(__name__)

T = TypeVar("T")
COOKIE, PATH = "uretimiq_oidc", "/v1/auth/oidc"
PROBLEM = "sign-in"  # in the page's address: the kind of a problem
Text = Annotated[str, Query(max_length=4096, description="As the company's login sends it")]


class OidcRoutes:
    """The addresses; `router` holds them. Without `company` they say that there is no such login."""

    def __init__(self, identity: Identity, company: Company | None, door: Door) -> None:
        self._identity = identity
        self._company = company
        self._door = door
        self.router = APIRouter(prefix=PATH, tags=["sign-in"])
        away = {303: {"description": "To the login, or back to the page"}}
        start = away | responses("no-company-login", "login-unavailable")
        back = start | responses("no-company-login", "login-unavailable", "sign-in-refused")
        for path, endpoint, told in (("/start", self.start, start), ("/callback", self.callback, back)):
            self.router.add_api_route(
                path, endpoint, status_code=303, response_class=RedirectResponse, response_model=None, responses=told
            )

    async def start(self, request: Request) -> RedirectResponse:
        """Send the browser to the company's own login; a person whom it cannot be sent for is told by the page."""
        return await _told(request, self._start(request))

    async def callback(self, request: Request, state: Text = "", code: Text = "", iss: Text = "") -> RedirectResponse:
        """Back from there: open a session in this browser; a person who is refused is told by the page."""
        return await _told(request, self._callback(request, state, code, iss))

    async def _start(self, request: Request) -> RedirectResponse:
        company = self._there()
        await self._door.admit(request)
        address, state = await run_in_threadpool(_asked, company.start)
        answer = RedirectResponse(address, 303, {"Cache-Control": "no-store"})
        seconds = int(PATIENCE.total_seconds())
        # Lax, since the browser comes back from another site; it is worth nothing without the code.
        answer.set_cookie(COOKIE, state, seconds, path=PATH, secure=True, httponly=True, samesite="lax")
        return answer

    async def _callback(self, request: Request, state: str, code: str, iss: str) -> RedirectResponse:
        company = self._there()
        begun = request.cookies.get(COOKIE, "")
        if not (code and state and secrets.compare_digest(begun.encode(), state.encode())):
            raise Problem(
                "sign-in-refused", "the sign-in was not begun in this browser, or was broken off: begin again"
            )
        if iss and iss != company.config.issuer:  # RFC 9207
            raise Problem("sign-in-refused", "the answer is of another login than was asked: begin again")
        opened = await run_in_threadpool(self._open, company, request, code, state)
        answer = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
        answer.delete_cookie(COOKIE, PATH, secure=True, httponly=True, samesite="lax")
        AuthRoutes.with_cookie(answer, opened.refresh_token)
        return answer

    def _open(self, company: Company, request: Request, code: str, state: str) -> Opened:
        vouched = _asked(lambda: company.finish(code, state))
        request.state.actor = f"user:{vouched.name[:100]}"
        caller = caller_of(request)
        issuer = company.config.issuer
        try:
            user_id = self._identity.users.external(caller, issuer, vouched.subject, vouched.name, vouched.grants)
        except ValueError as error:
            raise Problem("sign-in-refused", str(error)) from error
        except IntegrityError as error:  # his first visit, twice at once
            raise Problem("sign-in-refused", "you signed in twice at once: begin again") from error
        return self._identity.sign_in.by_company(caller, user_id)

    def _there(self) -> Company:
        if self._company is None:
            raise Problem("no-company-login", "no login of a company is set up: oidc.yaml in the home names it")
        return self._company


async def _told(request: Request, work: Awaitable[RedirectResponse]) -> RedirectResponse:
    """What `work` gives; a problem goes to the page where a browser shows the answer to a person. Raises Problem."""
    try:
        return await work
    except Problem as problem:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        request.state.refused = (problem.kind, str(problem))  # for the audit log, as if it were answered
        answer = RedirectResponse(f"/app/?{PROBLEM}={problem.kind}", 303, {"Cache-Control": "no-store"})
        answer.delete_cookie(COOKIE, PATH, secure=True, httponly=True, samesite="lax")
        return answer


def _asked(work: Callable[[], T]) -> T:
    """What the company's login says. Raises Problem."""
    try:
        return work()
    except CompanyRefusedError as error:
        raise Problem("sign-in-refused", str(error)) from error
    except CompanyUnavailableError as error:
        log.warning("the company's login does not answer as it should: %s", error.__cause__ or "its discovery is wrong")
        raise Problem(
            "login-unavailable", "the company's login does not answer: try again, or use a password"
        ) from error
