"""`python -m deploy.local` with the real servers: two homes side by side, keys, and nothing left after down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
from botocore.exceptions import ClientError

from deploy import showing
from deploy.local import airflow_components, api_server, process, s3
from deploy.local.home import OFFSETS, Home, LocalError, load, read_env

ROOT = Path(__file__).resolve().parents[2]
Local = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def home(second_home: Home) -> Home:
    return second_home


@pytest.fixture(scope="module")
def local(home: Home) -> Iterator[Local]:
    """Runs a command of deploy.local on `home`."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        ours = {"URETIMIQ_HOME": str(home.path), "URETIMIQ_PORT": str(home.port)}
        command = [sys.executable, "-m", "deploy.local", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, **ours, **environ}, capture_output=True, text=True, check=False
        )

    yield run
    run("down")


def ours(home: Home) -> list[psutil.Process]:
    """Every process that knows the home from its environment, however it was started."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.environ().get("URETIMIQ_HOME") == str(home.path) and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except psutil.Error:
            continue
    return found


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


@pytest.mark.slow
def test_a_second_home_runs_beside_the_first(s3_server: Any, home: Home, local: Local) -> None:
    done = local("up", "--only", "s3")
    assert done.returncode == 0, done.stderr
    assert home.url("s3") in done.stdout
    first, second = s3_server.admin.client(), s3.admin_key(home).client()
    second.put_object(Bucket="landing", Key="only-in-the-second", Body=b"")
    with pytest.raises(ClientError, match="404"):
        first.head_object(Bucket="landing", Key="only-in-the-second")


@pytest.mark.slow
def test_the_keys_of_two_homes_differ(s3_server: Any, home: Home, local: Local) -> None:
    assert s3_server.admin.secret_key != s3.admin_key(home).secret_key


@pytest.mark.slow
def test_up_twice_leaves_the_running_server(home: Home, local: Local) -> None:
    local("up", "--only", "s3")
    pid = (home.run / "s3.pid").read_text()
    done = local("up", "--only", "s3")
    assert "s3: runs already" in done.stdout
    assert (home.run / "s3.pid").read_text() == pid


@pytest.mark.slow
def test_a_gateways_key_and_object_survive_a_crash_of_the_server(home: Home, local: Local) -> None:
    local("up", "--only", "s3")
    path = Path(local("key", "acme").stdout.strip())
    values = read_env(path)
    assert mode(path) == "0o600"
    key = s3.Key(values["URETIMIQ_S3_ENDPOINT"], values["URETIMIQ_S3_ACCESS_KEY"], values["URETIMIQ_S3_SECRET_KEY"])
    key.client(retries={"total_max_attempts": 5}).put_object(Bucket="landing", Key="acme/a", Body=b"a")
    process.stop(home.path, "s3", seconds=0)
    local("up", "--only", "s3")
    assert key.client().get_object(Bucket="landing", Key="acme/a")["Body"].read() == b"a"
    assert read_env(Path(local("key", "acme").stdout.strip())) == values


@pytest.mark.slow
def test_files_with_secrets_are_for_their_owner_alone(home: Home, local: Local) -> None:
    local("up", "--only", "s3")
    assert mode(home.path / "settings.env") == "0o600"
    assert mode(s3.identities_file(home)) == "0o600"


@pytest.mark.slow
def test_another_port_for_a_running_home_is_refused_in_one_line(home: Home, local: Local) -> None:
    local("up", "--only", "s3")
    done = local("up", "--only", "s3", URETIMIQ_PORT=str(home.port + 100))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert f"URETIMIQ_PORT={home.port}" in done.stderr


@pytest.mark.slow
def test_a_taken_port_is_told_in_one_line_and_nothing_is_started(home: Home, local: Local, tmp_path: Path) -> None:
    local("up", "--only", "s3")
    done = local("up", "--only", "s3", URETIMIQ_HOME=str(tmp_path))
    assert done.returncode == 1
    assert f"port {home.port_of('s3')} (s3) is taken by pid" in done.stderr
    assert "(weed)" in done.stderr
    assert done.stderr.count("\n") == 1
    assert ours(Home(tmp_path, home.port)) == []


@pytest.mark.slow
def test_down_leaves_no_process_and_no_socket(home: Home, local: Local) -> None:
    local("up", "--only", "s3")
    assert len(ours(home)) > 0
    assert local("down").returncode == 0
    assert ours(home) == []
    ports = [str(home.port_of(name)) for name in OFFSETS]
    assert [p for p in Path("/tmp").glob("seaweedfs-*.sock") if any(port in p.name for port in ports)] == []


@pytest.mark.slow
def test_airflow_and_mlflow_work_know_our_dags_and_leave_nothing_behind(home: Home, local: Local) -> None:
    done = local("up", "--only", "mlflow", "--only", "airflow", "--paused")
    assert done.returncode == 0, done.stderr
    assert read_env(home.path / "settings.env")["URETIMIQ_MLFLOW_URI"] == home.url("mlflow")
    body = json.dumps({"username": "admin", "password": home.secret("AIRFLOW_PASSWORD")}).encode()
    asked = urllib.request.Request(
        f"{home.url('airflow')}/auth/token", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked) as answer:
        assert "access_token" in json.load(answer)
    # Scheduler, API, DAG processor, triggerer and their supervisor, MLflow and its worker.
    assert len(ours(home)) >= 7
    foreign = [c.laddr for p in ours(home) for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert foreign
    assert {address.ip for address in foreign} == {"127.0.0.1"}
    assert local("down").returncode == 0
    assert ours(home) == []
    assert "URETIMIQ_MLFLOW_URI" not in read_env(home.path / "settings.env")


@pytest.mark.slow
def test_data_docs_are_sent_on_loopback_and_the_api_links_to_what_runs(home: Home, local: Local) -> None:
    (home.path / "data_docs").mkdir(parents=True, exist_ok=True)
    (home.path / "data_docs" / "index.html").write_text("what the doors reported")
    assert local("up", "--only", "docs").returncode == 0
    address = read_env(home.path / "settings.env")["URETIMIQ_DATA_DOCS_URL"]
    assert address == home.url("docs")
    with urllib.request.urlopen(f"{address}/") as answer:
        assert answer.read() == b"what the doors reported"
    foreign = [c.laddr for p in ours(home) for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert {place.ip for place in foreign} == {"127.0.0.1"}
    assert local("down", "--only", "docs").returncode == 0
    assert "URETIMIQ_DATA_DOCS_URL" not in read_env(home.path / "settings.env")


@pytest.mark.slow
def test_up_prints_how_the_first_admin_signs_in_to_the_api_and_does_so_again(home: Home, local: Local) -> None:
    done = [local("up", "--only", "api") for _ in range(2)]
    assert [one.returncode for one in done] == [0, 0], done[0].stderr
    password = home.secret("API_PASSWORD")
    assert all(f"{home.url('api')}   user admin, password {password}" in one.stdout for one in done)
    form = urlencode({"grant_type": "password", "username": "admin", "password": password}).encode()
    with urllib.request.urlopen(f"{home.url('api')}/v1/auth/token", data=form) as answer:
        assert json.load(answer)["token_type"] == "Bearer"
    assert mode(home.path / "state" / "state.db") == "0o600"
    assert local("down", "--only", "api").returncode == 0


@pytest.mark.slow
def test_the_homes_api_key_is_made_once_and_reads(home: Home, local: Local) -> None:
    assert local("up", "--only", "api").returncode == 0
    key = api_server.key(home)
    assert api_server.key(home) == key
    assert showing.champion(home.url("api"), key, "nobody") is None
    with pytest.raises(showing.ApiError, match="401"):
        showing.champion(home.url("api"), "urt_key_wrong", "nobody")
    assert local("down", "--only", "api").returncode == 0


def test_a_home_whose_state_is_damaged_says_so(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.db").write_bytes(b"no database" * 500)
    with pytest.raises(LocalError, match="file is not a database"):
        api_server.add_admin(Home(tmp_path, 9000))


def test_status_of_what_does_not_run_says_so_and_fails(local: Local, tmp_path: Path) -> None:
    done = local("status", "--json", URETIMIQ_HOME=str(tmp_path))
    assert done.returncode == 1
    assert {row["server"]: row["works"] for row in json.loads(done.stdout)["servers"]} == {
        "s3": False,
        "mlflow": False,
        "airflow": False,
        "docs": False,
        "api": False,
    }


@pytest.mark.parametrize("tenant", ["*", "a/b", "..", "a?", "", "_manifests", "ac me", "a" * 64])
def test_a_tenant_that_would_widen_the_pattern_gets_no_key(tenant: str, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="letters, digits"):
        s3.gateway_key(Home(tmp_path, 9000), tenant)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("port", ["80", "45001", "x", "-1", "8300.0"])
def test_a_port_out_of_range_is_refused(port: str, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=f"URETIMIQ_PORT={port}: use a number"):
        load({"URETIMIQ_HOME": str(tmp_path), "URETIMIQ_PORT": port})


def test_home_and_ports_are_those_that_programs_read(tmp_path: Path) -> None:
    from expectations import settings

    environ = {"URETIMIQ_HOME": str(tmp_path), "URETIMIQ_PORT": "9000"}
    theirs, mine = settings.load(environ), load(environ)
    assert theirs.home == mine.path
    assert (theirs.port, theirs.port_s3, theirs.port_mlflow, theirs.port_airflow) == tuple(
        mine.port_of(name) for name in ("api", "s3", "mlflow", "airflow")
    )
    assert theirs.s3_url == mine.url("s3")
    assert settings.load({}).port == load({}).port


def test_what_up_writes_is_what_programs_read(tmp_path: Path) -> None:
    from expectations import settings

    home = Home(tmp_path, 9000)
    home.write_settings(URETIMIQ_PORT="9000", URETIMIQ_MLFLOW_URI=home.url("mlflow"))
    key = s3.admin_key(home)
    read = settings.load({"URETIMIQ_HOME": str(tmp_path)})
    assert (read.port, read.mlflow_uri) == (9000, home.url("mlflow"))
    assert (read.s3_url, read.s3_access_key, read.s3_secret_key) == (key.endpoint, key.access_key, key.secret_key)


def test_the_pool_is_the_one_that_the_dags_name() -> None:
    from dags.steps import WRITER_POOL

    assert airflow_components.POOL == WRITER_POOL
