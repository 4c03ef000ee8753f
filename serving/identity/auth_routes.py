"""/v1/auth: signing in and out, for programs by the forms of OAuth 2.0, for pages by a cookie that scripts cannot read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from serving.identity import forms, schemas
from serving.identity.access import address_of, caller_of
from serving.identity.documents import told
from serving.identity.limits import Limits
from serving.identity.lockout import LockedError
from serving.identity.service import Identity
from serving.identity.sessions import REFRESH_GOOD_FOR, Opened, RefreshError
from serving.identity.signin import CodeNeededError, NewPasswordNeededError, SignInError
from serving.identity.tokens import GOOD_FOR, TokenError
from serving.problems import Problem
from serving.schemas import Health

HASHES = 2  # passwords hashed at a time: each takes 64 MiB and a core
COOKIE, COOKIE_PATH = "uretimiq_refresh", "/v1/auth/browser"
CSRF_HEADER = "uretimiq-csrf"
T = TypeVar("T")


class Door:
    """What every sign-in passes: its rate, few at a time, its refusals as problems."""

    def __init__(self, limits: Limits, rate: int) -> None:
        self._limits = limits
        self._rate = rate
        self._few = CapacityLimiter(HASHES)

    async def admit(self, request: Request) -> None:
        """Count a sign-in. Raises Problem where there were too many."""
        wait = await self._limits.wait(f"sign-in:{address_of(request)}", self._rate)
        if wait:
            raise Problem("too-many-requests", f"more than {self._rate} sign-ins a minute: wait {wait} s", wait)

    async def run(self, request: Request, work: Callable[[], T], oauth: bool = False) -> T:
        """`work` in a thread. Raises Problem; with `oauth` it has the code of RFC 6749."""
        await self.admit(request)
        try:
            return await to_thread.run_sync(work, limiter=self._few)
        except LockedError as locked:
            raise Problem("locked", str(locked), locked.seconds) from locked
        except CodeNeededError as needed:
            raise _refused(needed, "code-needed", "mfa_required" if oauth else None) from needed
        except NewPasswordNeededError as needed:
            oauth_code = "new_password_required" if oauth else None
            raise _refused(needed, "new-password-needed", oauth_code) from needed
        except SignInError as wrong:
            raise _refused(wrong, "sign-in-refused", "invalid_grant" if oauth else None) from wrong
        except ValueError as bad:
            raise Problem("bad-request", str(bad)) from bad


class AuthRoutes:
    """The addresses; `router` holds them."""

    def __init__(self, identity: Identity, door: Door) -> None:
        self._identity = identity
        self._door = door
        self.router = APIRouter(prefix="/v1/auth", tags=["sign-in"])
        self._add("/token", self.token, schemas.Token, schemas.TOKEN, _TOKEN_KINDS, _TOKEN_FORM)
        self._add("/revoke", self.revoke, Health, schemas.OK, ("bad-token-request",), _REVOKE_FORM)
        browser = (*_SIGN_IN_KINDS, "cross-site")
        self._add("/browser/sign-in", self.browser_sign_in, schemas.Token, schemas.BROWSER_TOKEN, browser)
        refresh = ("unauthorized", "cross-site")
        self._add("/browser/refresh", self.browser_refresh, schemas.Token, schemas.BROWSER_TOKEN, refresh)
        self._add("/browser/sign-out", self.browser_sign_out, Health, schemas.OK, ("cross-site",))

    def _add(
        self,
        path: str,
        endpoint: Callable[..., Any],
        model: type,
        example: object,
        kinds: tuple[str, ...],
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            response_model=model,
            responses=told(example, *kinds),
            openapi_extra=extra,
        )

    async def token(self, request: Request) -> JSONResponse:
        """An access token and a refresh token, for name and password or for a refresh token (RFC 6749)."""
        fields = await forms.read_form(request)
        grant = forms.needed(fields, "grant_type")
        if grant == "password":
            name, password = forms.needed(fields, "username"), forms.needed(fields, "password")
            code, new = fields.get("code", ""), fields.get("new_password", "")
            opened = await self._sign_in(request, name, password, code, new, oauth=True)
        elif grant == "refresh_token":
            opened = await self._refresh(request, forms.needed(fields, "refresh_token"))
        else:
            raise forms.bad("form: grant_type is password or refresh_token", "unsupported_grant_type")
        return self._answer(opened, opened.refresh_token)

    async def revoke(self, request: Request) -> JSONResponse:
        """End the session of a refresh or access token (RFC 7009). An unknown token is answered like a known one."""
        token = forms.needed(await forms.read_form(request), "token")
        sessions, caller = self._identity.sessions, caller_of(request)
        try:
            session_id = self._identity.tokens.read(token).session_id
        except TokenError:
            await run_in_threadpool(sessions.revoke, token, caller)
        else:
            await run_in_threadpool(sessions.end, session_id, caller)
        return JSONResponse(schemas.OK)

    async def browser_sign_in(self, request: Request, asked: schemas.Credentials) -> JSONResponse:
        """An access token for the page to hold, and the refresh token in a cookie that the page cannot read."""
        self._check_same_site(request)
        opened = await self._sign_in(request, asked.username, asked.password, asked.code, asked.new_password)
        return self.with_cookie(self._answer(opened, None), opened.refresh_token)

    async def browser_refresh(self, request: Request) -> JSONResponse:
        """The next access token, for the cookie; the cookie is changed."""
        self._check_same_site(request)
        token = request.cookies.get(COOKIE, "")
        if not token:
            raise Problem("unauthorized", "there is no session in this browser: sign in")
        try:
            opened = await run_in_threadpool(self._identity.sessions.refresh, token, caller_of(request), is_page=True)
        except RefreshError as error:
            raise Problem("unauthorized", str(error)) from error
        return self.with_cookie(self._answer(opened, None), opened.refresh_token)

    async def browser_sign_out(self, request: Request) -> JSONResponse:
        """End the session of the cookie, and take the cookie away."""
        self._check_same_site(request)
        token = request.cookies.get(COOKIE, "")
        await run_in_threadpool(self._identity.sessions.revoke, token, caller_of(request))
        answer = JSONResponse(schemas.OK, headers={"Cache-Control": "no-store"})
        answer.delete_cookie(COOKIE, COOKIE_PATH, secure=True, httponly=True, samesite="strict")
        return answer

    @staticmethod
    def with_cookie(answer: Any, refresh_token: str) -> Any:
        """The answer, with the refresh token in the cookie."""
        seconds = int(REFRESH_GOOD_FOR.total_seconds())
        answer.set_cookie(
            COOKIE, refresh_token, seconds, path=COOKIE_PATH, secure=True, httponly=True, samesite="strict"
        )
        return answer

    async def _sign_in(
        self, request: Request, name: str, password: str, code: str, new: str, oauth: bool = False
    ) -> Opened:
        known = name.strip().lower()[:100]
        request.state.actor = f"user:{known}"
        request.state.tenant = await run_in_threadpool(self._identity.audit.home_of, known.replace("\0", ""))
        caller = caller_of(request)
        sign_in = self._identity.sign_in
        return await self._door.run(request, lambda: sign_in.by_password(caller, name, password, code, new), oauth)

    async def _refresh(self, request: Request, token: str) -> Opened:
        try:
            return await run_in_threadpool(self._identity.sessions.refresh, token, caller_of(request))
        except RefreshError as error:
            raise _refused(error, "sign-in-refused", "invalid_grant") from error

    def _answer(self, opened: Opened, refresh_token: str | None) -> JSONResponse:
        content = {
            "access_token": self._identity.tokens.issue(opened.user_id, opened.session_id),
            "token_type": "Bearer",
            "expires_in": int(GOOD_FOR.total_seconds()),
            "refresh_token": refresh_token,
        }
        return JSONResponse(content, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    def _check_same_site(self, request: Request) -> None:
        """Refuse what a page elsewhere makes a browser send: besides SameSite, by origin and by a header of our own.

        A page elsewhere cannot set the header without asking first (CORS), which is answered for no cookie.
        """
        origin = request.headers.get("origin")
        is_ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
        is_same = request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
        if not (is_ours and is_same and CSRF_HEADER in request.headers):
            raise Problem("cross-site", f"send it from a page of this server, with the header {CSRF_HEADER}: 1")


def _refused(error: Exception, kind: str, oauth: str | None) -> Problem:
    """The problem of that kind; where tokens are asked for, the one that RFC 6749 wants, with its code."""
    return Problem("invalid-grant", str(error), error=oauth) if oauth else Problem(kind, str(error))


_SIGN_IN_KINDS = ("sign-in-refused", "code-needed", "new-password-needed", "locked")
_TOKEN_KINDS = ("invalid-grant", "bad-token-request", "locked")
_TOKEN_FORM = forms.body(
    {"grant_type": "password", "username": "ayse", "password": "...", "code": "492039"},
    grant_type="password or refresh_token",
    username="With password",
    password="With password",  # noqa: S106 - what the field is
    needed=("grant_type",),
    code="With password: of the second factor, or a recovery code",
    new_password="With a password for one time: the one from now on",  # noqa: S106 - what the field is
    refresh_token="With refresh_token: the one of the last answer",  # noqa: S106 - what the field is
)
_REVOKE_FORM = forms.body({"token": "urt_refresh_..."}, needed=("token",), token="A refresh or an access token")  # noqa: S106
