"""A client of the API over a lake of real tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from lakes import CHEAP, Clock, Plant

from expectations import settings as settings_module
from expectations.settings import Settings
from serving.app import create_app
from serving.identity.passwords import Passwords
from serving.identity.roles import EVERY, READS, Caller
from serving.identity.service import Identity
from serving.state.database import State, connect, embedded


class Api(TestClient):
    """The API over a plant's lake."""

    clock: Clock

    @property
    def identity(self) -> Identity:
        return self.app.state.identity

    def rows(self, address: str = "/v1/tenants/acme/forecasts", **params: Any) -> list[dict[str, Any]]:
        answer = self.get(address, params=params)
        assert answer.status_code == 200, answer.text[:300]
        return answer.json()["forecasts"]

    def problem(self, address: str, **more: Any) -> dict[str, Any]:
        """The problem that an address answers with; every problem is checked for its form."""
        answer = self.get(address, **more)
        assert answer.headers["content-type"] == "application/problem+json", answer.text[:300]
        told = answer.json()
        assert told["status"] == answer.status_code >= 400
        assert set(told) == {"type", "title", "status", "detail"}
        assert told["detail"]
        assert not any(inside in told["detail"] for inside in ("\n", "Traceback"))
        return {**told, "kind": told["type"].rpartition(":")[2]}


@pytest.fixture
def cheap() -> PasswordHasher:
    """Argon2 with as little work as it does."""
    return CHEAP


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(replace(settings_module.load({}), home=tmp_path / "home"))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated state database, to copy: migrating takes longer than most tests."""
    home = tmp_path_factory.mktemp("migrated")
    embedded(home).migrate()
    return home / "state"


@pytest.fixture
def make_api(migrated: Path) -> Iterator[Callable[..., Api]]:
    """Makes a client over the lake of some settings, with a key that reads everything."""

    def make(settings: Settings, clock: Clock | None = None) -> Api:
        clock = clock or Clock()
        if not (settings.home / "state").exists():
            shutil.copytree(migrated, settings.home / "state")
        app = create_app(settings, lambda: clock.now, lambda: clock.seconds, Passwords(CHEAP))
        client = Api(app, base_url="http://127.0.0.1:8300", raise_server_exceptions=False)
        client.clock = clock
        made = app.state.identity.keys.add(Caller("test"), EVERY, "reads all", READS)
        client.headers["Authorization"] = f"Bearer {made.key}"
        return client

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, plant: Plant) -> Iterator[State]:
    """The state database, migrated: the same test runs on both."""
    settings = plant.settings
    if request.param == "postgresql":
        settings = replace(settings, state=request.getfixturevalue("empty_postgresql"))
    state = connect(settings)
    state.migrate()
    yield state
    state.engine.dispose()


@pytest.fixture
def api(plant: Plant, make_api: Callable[..., Api]) -> Api:
    return make_api(plant.settings)
