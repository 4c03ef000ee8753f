"""Two tenants' users, and ways to sign in as one of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pyotp
import pytest

from expectations.settings import Settings
from serving.identity import secret, service
from serving.identity.passwords import Passwords
from serving.identity.roles import EVERY, ROLES, Caller

SETUP = Caller("test", "", "")
PASSWORD = "korrekt pferd batterie"
SECRET = "k7Zt0pQ2vXw9LrB4mN8cY1sD6fG3hJ5a"


class Visitor:
    """Somebody who uses the API without the key that `api` sends by itself."""

    def __init__(self, api: Any, settings: Settings) -> None:
        self.api = api
        self.settings = settings

    def token(self, name: str, password: str = PASSWORD, **more: str) -> Any:
        """The answer of the token endpoint."""
        form = {"grant_type": "password", "username": name, "password": password, **more}
        return self.api.post("/v1/auth/token", data=form, headers={"Authorization": ""})

    def refresh(self, token: str) -> Any:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return self.api.post("/v1/auth/token", data=form, headers={"Authorization": ""})

    def headers(self, name: str, **more: str) -> dict[str, str]:
        """Headers of somebody who has signed in."""
        answer = self.token(name, **more)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def enrol(self, name: str) -> tuple[str, list[str]]:
        """Give a user a second factor; returns its secret and the recovery codes."""
        headers = self.headers(name)
        begun = self.api.post("/v1/me/second-factor", json={"password": PASSWORD}, headers=headers).json()
        code = pyotp.TOTP(begun["secret"]).at(self.api.clock.now)
        done = self.api.post("/v1/me/second-factor/confirm", json={"code": code}, headers=headers)
        assert done.status_code == 200, done.text
        self.api.clock.later(60)  # the code that confirmed it is used
        return begun["secret"], done.json()["recovery_codes"]

    def audit(self, action: str | None = None) -> list[dict[str, Any]]:
        """The audit log, newest first."""
        return self.api.identity.audit.page(None, 1000, action=action)

    def denied(self) -> list[tuple[str, str]]:
        """What was refused, and to whom; newest first."""
        return [(row["detail"]["kind"], row["actor"]) for row in self.audit("denied")]


@pytest.fixture
def make_visitor() -> type[Visitor]:
    return Visitor


@pytest.fixture
def visitor(api: Any, plant: Any) -> Visitor:
    """With the users ROLE-TENANT of two tenants, and `root`, admin of all."""
    for tenant in ("acme", "zebra"):
        for role in ROLES:
            api.identity.users.add(SETUP, f"{role}-{tenant}", PASSWORD, {tenant: role})
    api.identity.users.add(SETUP, "root", PASSWORD, {EVERY: "admin"})
    return Visitor(api, plant.settings)


@pytest.fixture
def meet() -> Callable[..., Any]:
    """Makes a function that two threads begin at the same moment, where the database lets both come so far."""
    both = threading.Barrier(2)

    def together(work: Callable[..., Any]) -> Callable[..., Any]:
        def wait_and_work(*given: Any) -> Any:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(1)
            return work(*given)

        return wait_and_work

    return together


@pytest.fixture
def identity(state: Any, clock: Any, cheap: Any) -> service.Identity:
    """Identity over SQLite and over PostgreSQL, without HTTP."""
    return service.build(state, secret.Secret((SECRET,)), lambda: clock.now, Passwords(cheap))
