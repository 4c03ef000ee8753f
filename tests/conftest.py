"""What tests share: one Spark session, one S3 server, and a context with a lake of its own for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from expectations import settings as settings_module
from expectations.settings import Settings

# A test's Spark lives for seconds: the second compiler never pays back what it takes from two cores.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
REPOSITORY = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The Spark session of all tests."""
    from jobs import session

    home = tmp_path_factory.mktemp("spark")
    started = session.start(replace(settings_module.load({}), home=home, spark_memory="2g", spark_master="local[2]"))
    yield started
    started.stop()


@pytest.fixture
def lake_settings(tmp_path: Path) -> Settings:
    """Settings of a home of its own, without an S3 server."""
    return replace(settings_module.load({}), home=tmp_path / "home", spark_memory="2g")


@pytest.fixture
def make_ctx(spark: Any, lake_settings: Settings) -> Callable[..., Any]:
    """Makes a jobs.context.Context on the shared session; the clock stands at NOW unless told otherwise."""
    from jobs.context import Context

    def make(**more: Any) -> Context:
        ctx = Context(**{"settings": lake_settings, "now": lambda: NOW, "progress": lambda _: None, **more})
        ctx.__dict__["spark"] = spark
        return ctx

    return make


@pytest.fixture
def ctx(make_ctx: Callable[..., Any]) -> Any:
    return make_ctx()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; a test that needs it is skipped where it is missing."""
    folder = Path(os.environ.get("URETIMIQ_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
    if not (folder / "README.md").exists():
        pytest.skip(f"real data is not at {folder}: set URETIMIQ_DATA to its folder")
    return folder
