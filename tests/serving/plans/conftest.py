"""Planners of a tenant, who make overrides by the API."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from serving.identity.roles import Caller

PASSWORD = "korrekt pferd batterie"
HERE = "/v1/tenants/acme"


class Planner:
    """Somebody who is signed in."""

    def __init__(self, api: Any, name: str, role: str = "operator", tenant: str = "acme") -> None:
        self.api, self.name, self.tenant = api, name, tenant
        api.identity.users.add(Caller("test"), name, PASSWORD, {tenant: role})
        self.sign_in()

    def sign_in(self) -> None:
        """A token is good for 15 minutes, of which a test may let more pass."""
        form = {"grant_type": "password", "username": self.name, "password": PASSWORD}
        answer = self.api.post("/v1/auth/token", data=form, headers={"Authorization": ""})
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def ask(self, method: str, rest: str, **more: Any) -> Any:
        """The answer of an address of the tenant."""
        headers = self.headers | more.pop("headers", {})
        return self.api.request(method, f"/v1/tenants/{self.tenant}/{rest}", headers=headers, **more)

    def override(self, **change: Any) -> dict[str, Any]:
        """Make an override: 500 units of P-1 at ankara on 2 and 3 March, unless told otherwise."""
        answer = self.ask("POST", "overrides", json=CHANGE | change)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def plan(self, **asked: Any) -> list[dict[str, Any]]:
        answer = self.ask("GET", "plan", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()["plan"]


CHANGE = {
    "site": "ankara",
    "product": "P-1",
    "first": "2026-03-02",
    "last": "2026-03-03",
    "how": "units",
    "value": 500.0,
    "reason": "A tender",
}


@pytest.fixture
def change():
    return CHANGE


@pytest.fixture
def make_planner(api):
    return lambda name, *more: Planner(api, name, *more)


@pytest.fixture
def ayse(plant, make_planner):
    """A planner of acme, whose night has been forecast and whose groups are known."""
    plant.night()
    plant.series()
    return make_planner("ayse")


@pytest.fixture
def mehmet(make_planner):
    """Another one."""
    return make_planner("mehmet")


@pytest.fixture
def two():
    """The two days of CHANGE."""
    return [date(2026, 3, 2), date(2026, 3, 3)]
