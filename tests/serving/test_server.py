"""The console script: on loopback alone, light, in one line when it cannot; and the API over a lake in S3."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner

from serving.cli import main
from serving.identity.secret import LINK_MARK
from serving.state.database import open_state

# Of the packages here, those that the extra `api` does not bring.
NOT_INSTALLED = (
    *("pyspark", "delta", "tensorflow", "keras", "mlflow", "airflow", "great_expectations", "lightgbm", "prophet"),
    *("boto3", "pandas", "pytz", "dateutil", "uvloop", "httptools", "orjson", "psutil"),
    *("jobs", "models", "features", "edge_sync", "dags", "deploy"),
)


def run(*arguments):
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "192.168.1.20"])
def test_a_host_beyond_loopback_is_refused_in_one_line_that_says_why(host):
    result = run("--host", host)

    assert result.exit_code == 1
    assert result.output == (
        f"Error: --host {host}: refused while URETIMIQ_HOSTS is empty: name there the hosts by which the API is called from "
        "elsewhere, with a proxy for TLS before it; or use 127.0.0.1\n"
    )


def test_a_host_beyond_loopback_is_taken_where_its_names_are_known(monkeypatch):
    monkeypatch.setenv("URETIMIQ_HOSTS", "uretimiq.example")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        result = run("--host", "0.0.0.0", "--port", str(taken.getsockname()[1]))

    assert "of 0.0.0.0 cannot be used (Address already in use)" in result.output


def test_a_host_that_is_no_address_is_refused():
    result = run("--host", "uretimiq.example")

    assert (result.exit_code, result.output) == (
        1,
        "Error: --host uretimiq.example: give an address, such as 127.0.0.1\n",
    )


def test_a_port_in_use_is_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--port", str(port))

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: port {port} of 127.0.0.1 cannot be used (Address already in use)")
    assert result.output.count("\n") == 1


def test_a_bad_setting_is_told_in_one_line(monkeypatch):
    monkeypatch.setenv("URETIMIQ_PORT", "80")

    assert run().output == "Error: URETIMIQ_PORT=80: use a number from 1024 to 45000\n"


def test_the_api_answers_where_only_its_extra_is_installed(plant):
    plant.night()
    code = f"""
import asyncio, sys

class Missing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {NOT_INSTALLED}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from starlette.requests import Request
from expectations.settings import load
from serving.app import create_app

at = {{route.path: getattr(route, "endpoint", None) for route in create_app(load()).routes}}
asked = Request({{"type": "http", "path": "/", "headers": [], "query_string": b"", "server": ("a", 80)}})
print(asyncio.run(at["/v1/tenants/{{tenant}}/forecasts"]("acme", asked)).status_code)
print(at["/v1/status"](asked).status_code)
"""
    environ = {**os.environ, "URETIMIQ_HOME": str(plant.settings.home)}

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, timeout=60, check=False
    )

    assert (done.stdout, done.returncode) == ("200\n200\n", 0), done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_server_answers_and_leaves_when_told(plant, workers):
    plant.night()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("uretimiq-api"))
    environ = {**os.environ, "URETIMIQ_HOME": str(plant.settings.home)}
    key = ["key", "add", "test", "--tenant", "acme", "--scope", "forecasts:read", "--json"]
    made = json.loads(subprocess.run([program, *key], env=environ, capture_output=True, check=True).stdout)
    command = [program, "--port", str(port), "--workers", workers]
    server = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        address = f"http://127.0.0.1:{port}/v1/tenants/acme/forecasts?site=bursa"
        assert b'"site":"bursa"' in fetch(address, made["key"])
    finally:
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=20)
    assert f"http://127.0.0.1:{port}/" in output


@pytest.mark.parametrize("workers", [1, 2])
def test_the_log_of_accesses_has_no_secret_of_a_live_link(plant, workers):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("uretimiq-api"))
    environ = {**os.environ, "URETIMIQ_HOME": str(plant.settings.home), "URETIMIQ_LOG_LEVEL": "DEBUG"}
    line = [program, "--port", str(port), "--workers", str(workers)]
    server = subprocess.Popen(line, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(f"http://127.0.0.1:{port}/v1/live/{LINK_MARK}sehr-geheim_1?language=tr", "nobody")
    finally:
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=20)
    assert f'"GET /v1/live/{LINK_MARK}...?language=tr HTTP/1.1" 404' in output
    assert "geheim" not in output


@pytest.mark.parametrize(("proxies", "seen"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.7")])
def test_an_address_told_by_a_header_counts_only_from_a_proxy_that_is_named(plant, proxies, seen):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("uretimiq-api"))
    environ = {**os.environ, "URETIMIQ_HOME": str(plant.settings.home), "URETIMIQ_PROXIES": proxies}
    server = subprocess.Popen([program, "--port", str(port)], env=environ, stdout=subprocess.DEVNULL)
    try:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(f"http://127.0.0.1:{port}/v1/audit", "nobody", **{"X-Forwarded-For": "203.0.113.7"})
    finally:
        server.terminate()
        server.wait(20)
    with open_state(plant.settings).read() as connection:
        assert connection.exec_driver_sql("SELECT address FROM audit_log").scalars().all() == [seen]


def fetch(address, key, seconds=30, **headers):
    """What the address answers, once it answers."""
    deadline = time.monotonic() + seconds
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"} | headers)
    while True:
        try:
            return urllib.request.urlopen(asked, timeout=5).read()
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_lake_in_s3_is_served_like_a_folder(plant, make_api, settings):
    s3 = {"aws_access_key_id": settings.s3_access_key, "aws_secret_access_key": settings.s3_secret_key}
    client = boto3.client("s3", endpoint_url=settings.s3_url, region_name=settings.s3_region, **s3)
    client.create_bucket(Bucket="serving-lake")
    plant.settings = replace(settings, lake="s3://serving-lake/lake")
    api = make_api(plant.settings)
    assert api.problem("/readyz")["kind"] == "no-night-yet"

    plant.night("Çelik & Oğul")
    api.clock.later()

    assert len(api.rows("/v1/tenants/Çelik & Oğul/forecasts", site="bursa")) == 28
    assert api.get("/v1/status").json()["jobs"][0]["ok"] == 1
