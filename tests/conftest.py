"""What tests share: one Spark session, one S3 server, and a context with a lake of its own for each test."""

from __future__ import annotations

import logging
import os
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.local import s3, up
from deploy.local.home import OFFSETS, Home, LocalError, is_free
from deploy.local.s3 import Key
from expectations import settings as settings_module
from expectations.settings import Settings

# A test's Spark lives for seconds: the second compiler never pays back what it takes from two cores. Without it Java
# would keep room for 48 MB of code only; once that is full it compiles no more.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m")
# pytest-xdist's processes have a main module without a file, for which pyspark.sql.connect takes the interpreter to be one
# that runs its doctests, and ends it.
vars(sys.modules["__main__"]).setdefault("__file__", str(Path(pytest.__file__).with_name("__main__.py")))
REPOSITORY = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


_SLOW_FIXTURES = {"spark", "s3_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need Spark or a server are slow, and the slow ones come last."""
    for item in items:
        if _SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The Spark session of all tests."""
    from jobs import session

    home = tmp_path_factory.mktemp("spark")
    started = session.start(replace(settings_module.load({}), home=home, spark_memory="2g", spark_master="local[2]"))
    yield started
    started.stop()
    # Its connections say that they close when Python ends, to a stream that pytest has closed by then.
    logging.getLogger("py4j.clientserver").setLevel(logging.WARNING)


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


@dataclass(frozen=True)
class S3Server:
    """A running S3 server with the bucket `landing`; `admin` reaches everything."""

    home: Home
    admin: Key

    def gateway(self, tenant: str, site: str | None = None) -> Key:
        """A gateway's key: reads, lists and writes the tenant's prefix alone. It takes effect within a moment."""
        key, _ = s3.gateway_key(self.home, tenant, site)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                key.client().list_objects_v2(
                    Bucket="landing", Prefix=f"{tenant}/{site}/" if site else f"{tenant}/", MaxKeys=1
                )
            except ClientError:
                time.sleep(0.05)
            else:
                return key
        raise AssertionError(f"the key of {tenant} did not take effect within 10 s")


def free_home(path: Path) -> Home:
    """A home at `path` on a hundred ports of which all that we use are free."""
    for port in random.SystemRandom().sample(range(11_000, 32_000, 100), 100):
        home = Home(path, port)
        if all(is_free(home.port_of(name)) for name in OFFSETS):
            return home
    raise AssertionError("no hundred free ports between 11000 and 32000")


@pytest.fixture(scope="session")
def second_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home beside that of `s3_server`, for servers that a test starts itself."""
    return free_home(tmp_path_factory.mktemp("home").resolve())


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server of all tests: SeaweedFS in a home of its own. Use a tenant of your own name in it."""
    home = free_home(tmp_path_factory.mktemp("s3").resolve())
    try:
        server = s3.server(home)
    except LocalError as error:
        pytest.skip(str(error))
    try:
        up.bring_up(home, [server], lambda _: None)
        yield S3Server(home, s3.admin_key(home))
    finally:
        up.bring_down(home, ["s3"], lambda _: None, seconds=0)  # its data is thrown away


@pytest.fixture
def settings(s3_server: S3Server, tmp_path: Path) -> Settings:
    """Settings of a home of its own on the S3 server of all tests."""
    admin = s3_server.admin
    return replace(
        settings_module.load({}),
        home=tmp_path / "home",
        s3_endpoint=admin.endpoint,
        s3_access_key=admin.access_key,
        s3_secret_key=admin.secret_key,
        spark_memory="2g",
    )


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of a real PostgreSQL server; a test that needs it is skipped where its wheel is missing."""
    server = pytest.importorskip("pgserver", reason="the wheel pgserver (a real PostgreSQL) is not installed here")
    folder = tempfile.mkdtemp(prefix="uretimiq-pg-")
    with server.get_server(folder, cleanup_mode="delete") as running:
        yield running.get_uri()


@pytest.fixture
def empty_postgresql(postgresql: str) -> Iterator[str]:
    """Address of a PostgreSQL database without tables."""
    from sqlalchemy import create_engine, make_url

    name = f"test_{uuid.uuid4().hex}"
    server = create_engine(postgresql.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield make_url(postgresql).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.dispose()
