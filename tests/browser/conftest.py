"""A real Chromium before a real server over a lake of real tables; the test turns the server's clock."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyotp
import pytest
import uvicorn
from lakes import CHEAP, Clock, Plant
from morning import write_morning

from expectations import settings as settings_module
from serving.app import create_app
from serving.identity.passwords import Passwords
from serving.identity.roles import EVERY, Caller
from serving.identity.service import Identity
from serving.state.database import embedded

PASSWORD = "korrekt pferd batterie"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium here: `apt install chromium`, or `.venv/bin/playwright install --with-deps chromium`"
OIDC = """
issuer: https://login.example
client_id: uretimiq
redirect: https://uretimiq.example/v1/auth/oidc/callback
grants: [{claim: groups, value: planners, tenant: acme, role: operator}]
"""
WIDTHS = {360: 740, 1280: 800}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("slow")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium as installed on the machine, or by Playwright; without one the tests skip."""
    api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed here")
    with api.sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, NAMES)), None) or playwright.chromium.executable_path
        if not Path(found).exists():
            pytest.skip(MISSING)
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses root otherwise
        started = playwright.chromium.launch(executable_path=found, args=arguments)
        yield started
        started.close()


@dataclass
class Site:
    """A running server, its tables, its users, its clock."""

    plant: Plant
    clock: Clock
    identity: Identity
    address: str
    caller: Caller = field(default_factory=lambda: Caller("test"))
    secrets: dict[str, str] = field(default_factory=dict)

    def user(self, name: str = "ayse", **roles: str) -> str:
        """A user with roles by tenant; by default a planner of acme."""
        self.identity.users.add(self.caller, name, PASSWORD, roles or {"acme": "operator"})
        return name

    def second_factor(self, name: str) -> list[str]:
        """Give a user a second factor; returns the recovery codes."""
        sign_in, caller = self.identity.sign_in, Caller(f"user:{name}")
        user_id = sign_in.by_password(caller, name, PASSWORD).user_id
        self.secrets[name] = sign_in.enrol(caller, name, PASSWORD).secret
        codes = sign_in.confirm(caller, user_id, name, self.code(name))
        self.clock.later(60)  # the code that confirmed it is used
        return codes

    def code(self, name: str) -> str:
        """What the user's app shows now."""
        return pyotp.TOTP(self.secrets[name]).at(self.clock.now)


@pytest.fixture(scope="package")
def empty_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated state database, to copy."""
    home = tmp_path_factory.mktemp("browser-state")
    embedded(home).migrate()
    return home / "state"


@pytest.fixture
def make_site(tmp_path: Path, empty_state: Path) -> Iterator[Callable[..., Site]]:
    """Starts servers on free ports; with `oidc` a company's own login is set up, `more` are settings."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def make(oidc: bool = False, **more: Any) -> Site:
        home = tmp_path / f"home-{len(running)}"
        shutil.copytree(empty_state, home / "state")
        if oidc:
            (home / "oidc.yaml").write_text(OIDC)
            more["oidc_client_secret"] = "the company's own"
        settings = replace(settings_module.load({}), home=home, rate_sign_in=10_000, **more)
        clock = Clock()
        app = create_app(settings, lambda: clock.now, lambda: clock.seconds, Passwords(CHEAP))
        listening = socket.create_server(("127.0.0.1", 0))
        # Without its lifespan: what is looked for in the background before the test has written it stays unseen, since
        # the test's clock stands.
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        running.append((server, thread))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        return Site(Plant(settings), clock, app.state.identity, address)

    yield make
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """With the planner ayse, and one good night of acme."""
    made = make_site()
    made.plant.night()
    made.user()
    return made


@pytest.fixture
def make_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens windows, each with cookies of its own; an error in the console fails the test that has it."""
    contexts: list[Any] = []
    errors: list[str] = []

    def make(site: Site, width: int = 1280, **more: Any) -> Any:
        size = {"width": width, "height": WIDTHS.get(width, 800)}
        context = browser.new_context(base_url=site.address, viewport=size, timezone_id="Europe/Istanbul", **more)
        context.set_default_timeout(60_000)  # a machine may be busy with more than this
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and _is_ours(said.text) and errors.append(said.text))
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []


def _is_ours(text: str) -> bool:
    """A refused request is told in the page; the browser writes it down besides."""
    return "Failed to load resource" not in text


@pytest.fixture
def enter() -> Callable[..., None]:
    """Signs somebody in by the page's own form."""

    def sign_in(page: Any, site: Site, name: str = "ayse", password: str = PASSWORD) -> None:
        page.goto("/")
        page.locator("[name=username]").fill(name)
        page.locator("[name=password]").fill(password)
        page.keyboard.press("Enter")
        if name in site.secrets:
            page.locator("[name=code]").fill(site.code(name))
            page.keyboard.press("Enter")
        if password == PASSWORD:
            page.locator(".who").wait_for(state="attached")

    return sign_in


__all__ = ["EVERY", "MISSING", "PASSWORD", "WIDTHS", "Site"]


@pytest.fixture
def rich_site(make_site: Callable[..., Site]) -> Site:
    """With an admin of acme, and something to see in every place."""
    made = make_site(airflow_url="https://airflow.example", mlflow_url="https://mlflow.example")
    write_morning(made.plant)
    made.user("admin", acme="admin", zebra="viewer")
    made.identity.keys.add(Caller("user:admin"), "acme", "Excel of the planners", ["forecasts:read"])
    made.identity.audit.denied(Caller("user:mehmet", "10.0.0.7", "5d1f", "acme"), "GET /v1/x", "forbidden", "not his")
    return made
