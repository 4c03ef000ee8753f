"""Idempotency-Key: a POST that is sent again, as after a lost connection, makes its thing once and is answered alike.

    router.add_api_route(path, once(self.add), methods=["POST"], responses=told(EXAMPLE, *KINDS))

The key is the caller's own word, of a tenant and of a user or API key; it holds for a day. Kept is the answer of a request
that made something: one that was refused has made nothing, so its key is free again.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Annotated, Any

from fastapi import Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from serving.identity.access import principal_of
from serving.identity.roles import EVERY
from serving.identity.secret import Secret
from serving.problems import Problem
from serving.state.database import State
from serving.state.tables import ANSWERS, NAME

KINDS = ("key-used", "key-busy")
GOOD_FOR = timedelta(days=1)
PATIENCE = timedelta(minutes=5)  # a request that has taken longer died with its process: its key is free again
BUSY_SECONDS = 5
REPLAYED = "Idempotency-Replayed"
_FIELD = "idempotency_key"
_HEADER = inspect.Parameter(
    _FIELD,
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        str | None,
        Header(
            max_length=NAME,
            pattern="^[!-~]+$",
            description="A word of your own, new for each thing to be made, such as a UUID: the same request sent again "
            "with it within 24 hours makes nothing more and is answered alike",
        ),
    ],
)


@dataclass(frozen=True)
class Asked:
    """A request that is to be done once: whose it is, its key, and what tells it from another."""

    tenant: str
    actor: str
    key: str
    request_hash: str

    @property
    def row(self) -> ColumnElement[bool]:
        return and_(ANSWERS.c.tenant == self.tenant, ANSWERS.c.actor == self.actor, ANSWERS.c.key == self.key)


class Idempotency:
    """Keeps the answers."""

    def __init__(self, state: State, secret: Secret, now: Callable[[], datetime]) -> None:
        self._state = state
        self._secret = secret
        self._now = now
        self._failed: dict[Asked, datetime] = {}  # when each failed whose key could not be freed: the database was gone

    def begin(self, asked: Asked) -> Response | None:
        """The answer that was given before; None where the request is to be done now, and ends by `keep` or `drop`.

        Raises Problem where the key is of another request, or the first one is still under way.
        """
        now = self._now()
        row = {"tenant": asked.tenant, "actor": asked.actor, "key": asked.key, "request_hash": asked.request_hash}
        try:
            with self._state.write() as connection:
                connection.execute(delete(ANSWERS).where(_is_over(now)))
                freed = list(self._failed.items())
                for failed, at in freed:
                    connection.execute(delete(ANSWERS).where(_is_unanswered(failed), ANSWERS.c.begun_at <= at))
                connection.execute(insert(ANSWERS).values(row | {"begun_at": now}))
        except IntegrityError:
            return self._before(asked)
        for failed, _ in freed:
            self._failed.pop(failed, None)
        return None

    def keep(self, asked: Asked, response: Response) -> None:
        """The request is answered so."""
        if response.status_code >= 300:
            self.drop(asked)
            return
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in response.raw_headers]
        whole = json.dumps([response.status_code, headers, base64.b64encode(bytes(response.body)).decode()])
        sealed = self._secret.seal(base64.b64encode(zlib.compress(whole.encode())).decode())
        with self._state.write() as connection:
            connection.execute(update(ANSWERS).where(asked.row).values(answer=sealed))

    def drop(self, asked: Asked) -> None:
        """The request has made nothing: its key is free, at the latest when this process sees the database again."""
        try:
            with self._state.write() as connection:
                connection.execute(delete(ANSWERS).where(_is_unanswered(asked)))
        except SQLAlchemyError:
            self._failed[asked] = self._now()

    def _before(self, asked: Asked) -> Response:
        with self._state.read() as connection:
            found = connection.execute(select(ANSWERS.c.request_hash, ANSWERS.c.answer).where(asked.row)).first()
        if found and found.request_hash != asked.request_hash:
            raise Problem(
                "key-used", f"Idempotency-Key {asked.key} was sent with another request: take a new one for this"
            )
        if not found or found.answer is None:
            why = f"the request with Idempotency-Key {asked.key} is under way: ask again in {BUSY_SECONDS} s"
            raise Problem("key-busy", why, BUSY_SECONDS)
        text = self._secret.open(found.answer)
        if text is None:  # the server's key was changed, and the old one not kept beside it
            raise Problem(
                "key-used", f"the answer to Idempotency-Key {asked.key} cannot be read any more: take a new one"
            )
        status, headers, body = json.loads(zlib.decompress(base64.b64decode(text)))
        response = Response(base64.b64decode(body), status)
        response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        response.headers[REPLAYED] = "true"
        return response


def once(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """`endpoint`, done once for each Idempotency-Key; without the header, each time.

    It takes `request` among its parameters, answers by a Response that has its body, not a stream, and is guarded by
    `Access`; it may be a coroutine or not. Put KINDS among the errors of its route.
    """

    @wraps(endpoint)
    async def wrapped(**given: Any) -> Response:
        key = given.pop(_FIELD, None)
        request: Request = given["request"]
        if key is None:
            return await _call(endpoint, given)
        store: Idempotency = request.app.state.idempotency
        asked = await _asked(request, key)
        before = await run_in_threadpool(store.begin, asked)
        if before:
            return before
        try:
            response = await _call(endpoint, given)
        except Exception:
            await run_in_threadpool(store.drop, asked)
            raise
        await run_in_threadpool(store.keep, asked, response)
        return response

    signature = inspect.signature(endpoint)
    wrapped.__signature__ = signature.replace(parameters=[*signature.parameters.values(), _HEADER])  # type: ignore[attr-defined]
    return wrapped


async def _call(endpoint: Callable[..., Any], given: dict[str, Any]) -> Response:
    if inspect.iscoroutinefunction(endpoint):
        response: Response = await endpoint(**given)
    else:
        response = await run_in_threadpool(endpoint, **given)
    return response


async def _asked(request: Request, key: str) -> Asked:
    url, body = request.url, await request.body()
    whole = b"\n".join((f"{request.method} {url.path}?{url.query}".encode(), body))
    tenant = request.path_params.get("tenant", EVERY)
    return Asked(tenant, principal_of(request).actor, key, hashlib.sha256(whole).hexdigest())


def _is_unanswered(asked: Asked) -> ColumnElement[bool]:
    return and_(asked.row, ANSWERS.c.answer.is_(None))


def _is_over(now: datetime) -> ColumnElement[bool]:
    is_dead = and_(ANSWERS.c.answer.is_(None), ANSWERS.c.begun_at <= now - PATIENCE)
    return or_(ANSWERS.c.begun_at <= now - GOOD_FOR, is_dead)
