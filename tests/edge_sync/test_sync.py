"""Against a real S3 server: what waits is sent once, whole, and never over something else; what fails stays."""

import hashlib
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_sync.errors import AlreadyRunning, SyncError
from edge_sync.outbox import Outbox, read_pair
from edge_sync.outbox import sole as hold
from edge_sync.s3 import Bucket
from edge_sync.status import status_of
from edge_sync.sync import Sent, sync

NOW = datetime(2024, 5, 6, 8, 0, tzinfo=UTC)
TEXT = "tarih,urun,miktar\n" + "".join(f"2024-01-{day:02d},A,{day}\n" for day in range(1, 11))
OTHER = TEXT.replace(",A,", ",B,")


@pytest.fixture
def tenant() -> str:
    """A tenant of its own in the server that all tests share."""
    return f"edge-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def send(gateway, settings) -> Callable[..., Sent]:
    def run(keep_days: int = 7, now: datetime = NOW, **changed) -> Sent:
        used = replace(settings, **changed)
        return sync(gateway.outbox, lambda _tenant, _site: Bucket(used), lambda: now, keep_days)

    return run


@pytest.fixture
def there(s3_server, tenant) -> Callable[[], dict[str, bytes]]:
    """Key -> content of what the tenant has in the landing bucket."""

    def read() -> dict[str, bytes]:
        client = s3_server.admin.client()
        found = client.list_objects_v2(Bucket="landing", Prefix=f"{tenant}/").get("Contents", [])
        return {o["Key"]: client.get_object(Bucket="landing", Key=o["Key"])["Body"].read() for o in found}

    return read


def put(s3_server, key: str, content: bytes) -> None:
    s3_server.admin.client().put_object(Bucket="landing", Key=key, Body=content)


# ------------------------------------------------------------------ what fails


def test_without_a_network_nothing_is_lost_and_the_next_run_sends(gateway, tenant, send, there) -> None:
    gateway.run(TEXT, tenant=tenant)
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(SyncError, match=f"^{address}: not reached .*; nothing is lost, run sync again"):
            send(s3_endpoint=address)
    assert len(gateway.pairs()) == 1
    assert "not reached" in status_of(gateway.outbox)["last_error"]
    assert send().objects == 1
    assert status_of(gateway.outbox)["last_error"] is None
    assert len(there()) == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"s3_access_key": "", "s3_secret_key": ""}, "no S3 keys: set URETIMIQ_S3_ACCESS_KEY"),
        ({"s3_access_key": "nobody"}, "the server doesn't know the keys (InvalidAccessKeyId)"),
        ({"s3_secret_key": "wrong"}, "the server doesn't know the keys (SignatureDoesNotMatch)"),
        ({"landing": "s3://elsewhere"}, "no such bucket; check URETIMIQ_LANDING"),
        ({"s3_endpoint": "nowhere"}, "URETIMIQ_S3_ENDPOINT=nowhere"),
    ],
)
def test_wrong_settings_are_told_and_nothing_is_lost(gateway, tenant, send, changed, message) -> None:
    gateway.run(TEXT, tenant=tenant)
    with pytest.raises(SyncError) as told:
        send(**changed)
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert len(gateway.pairs()) == 1


def test_a_key_of_another_tenant_is_told(gateway, tenant, send, s3_server, there) -> None:
    gateway.run(TEXT, tenant=tenant)
    other = s3_server.gateway(f"{tenant}-other")
    with pytest.raises(SyncError, match="access denied: the key reaches another tenant's prefix"):
        send(s3_access_key=other.access_key, s3_secret_key=other.secret_key)
    assert there() == {}


def test_a_key_that_may_only_write_cannot_tell_whose_object_it_is(gateway, tenant, settings) -> None:
    """A server that answers 412 to the PUT and 403 to the HEAD, as a write-only key gets it."""
    import botocore.exceptions

    def answer(status: int):
        def refuse(**_request: object) -> None:
            parts = {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise botocore.exceptions.ClientError(parts, "Put")

        return refuse

    bucket = Bucket(settings)
    bucket._client.put_object, bucket._client.head_object = answer(412), answer(403)
    gateway.run(TEXT, tenant=tenant)
    with pytest.raises(SyncError, match="an object lies there, and the key may not read it"):
        sync(gateway.outbox, lambda _tenant, _site: bucket, lambda: NOW)


def test_another_object_at_the_key_is_never_overwritten(gateway, tenant, send, s3_server, there) -> None:
    key = f"{tenant}/gebze/sales/gw-0000000001.parquet"
    put(s3_server, key, b"of another gateway")
    gateway.run(TEXT, tenant=tenant)
    gateway.run(OTHER, tenant=tenant)
    sent = send()
    assert sent.objects == 1  # the second goes on
    assert len(sent.refused) == 1
    assert f"s3://landing/{key}: another object lies there" in sent.refused[0]
    assert "give it a new name by --gateway" in sent.refused[0]
    assert there()[key] == b"of another gateway"
    assert [m.sequence for m, _ in gateway.pairs()] == [1]


def test_a_damaged_data_file_is_refused_and_the_others_go_on(gateway, tenant, send, there) -> None:
    gateway.run(TEXT, tenant=tenant)
    gateway.run(OTHER, tenant=tenant)
    data = gateway.outbox.ready / "0000000001.parquet"
    data.write_bytes(data.read_bytes()[:-1])
    sent = send()
    assert "is not the file that its manifest describes; import sales.csv again with --again" in sent.refused[0]
    assert sorted(there()) == [
        f"{tenant}/_manifests/gebze/sales/gw-0000000002.json",
        f"{tenant}/gebze/sales/gw-0000000002.parquet",
    ]


def test_a_data_file_changed_on_the_disk_is_refused_by_the_server(gateway, tenant, send, there) -> None:
    gateway.run(TEXT, tenant=tenant)
    data = gateway.outbox.ready / "0000000001.parquet"
    data.write_bytes(data.read_bytes()[:-1] + b"?")
    with pytest.raises(SyncError, match="arrived damaged"):
        send()
    assert not any(key.endswith(".parquet") for key in there())


def test_a_second_sync_says_that_one_runs(gateway, tenant, send) -> None:
    gateway.run(TEXT, tenant=tenant)
    with (
        hold(gateway.outbox.folder / "sync.lock", "sync"),
        pytest.raises(AlreadyRunning, match="sync of gateway gw is already"),
    ):
        send()


# ------------------------------------------------------------------ what is sent


def test_the_pair_lies_at_its_keys_with_the_checksum_of_the_manifest(gateway, tenant, send, there) -> None:
    gateway.run(TEXT, tenant=tenant)
    manifest, data = read_pair(gateway.outbox.waiting()[0])
    content = data.read_bytes()
    sent = send()
    found = there()
    assert found[manifest.data_key()] == content
    assert hashlib.sha256(content).hexdigest() == manifest.sha256
    assert found[manifest.manifest_key()].decode() == manifest.to_json()
    assert (sent.objects, sent.rows, sent.there) == (1, 10, 0)


def test_the_manifest_comes_before_its_data(gateway, tenant, settings) -> None:
    gateway.run(TEXT, tenant=tenant)
    keys: list[str] = []

    class Fake:
        def put_once(self, key: str, body: Path | bytes, sha256: str) -> bool:
            keys.append(key)
            return True

    sync(gateway.outbox, lambda _tenant, _site: Fake(), lambda: NOW)
    assert [key.split("/")[1] for key in keys] == ["_manifests", "gebze"]


def test_what_was_sent_is_not_sent_again(gateway, tenant, send) -> None:
    gateway.run(TEXT, tenant=tenant)
    assert (send().objects, send().objects) == (1, 0)
    state = status_of(gateway.outbox)
    assert (state["waiting"]["objects"], state["sent"]["objects"], state["sent"]["rows"]) == (0, 1, 10)


def test_a_gateways_own_key_suffices(gateway, tenant, send, s3_server, there) -> None:
    key = s3_server.gateway(tenant)
    gateway.run(TEXT, tenant=tenant)
    send(s3_access_key=key.access_key, s3_secret_key=key.secret_key)
    assert len(there()) == 2


def test_codes_with_blanks_and_turkish_letters(gateway, tenant, send, there) -> None:
    gateway.run(TEXT, tenant=tenant, site="Gebze Şubesi+1")
    send()
    assert f"{tenant}/Gebze Şubesi+1/sales/gw-0000000001.parquet" in there()


def test_a_pair_that_a_killed_sync_had_sent_counts_as_sent(gateway, tenant, send, s3_server, there) -> None:
    gateway.run(TEXT, tenant=tenant)
    saved = {path: path.read_bytes() for path in gateway.outbox.ready.iterdir()}
    send()
    before = there()
    for path, content in saved.items():  # as if the move and the note in the journal had not come to be
        path.write_bytes(content)
    (gateway.outbox.folder / "journal.sqlite").unlink()
    sent = send()
    assert (sent.objects, sent.there, sent.refused) == (1, 1, [])
    assert there() == before
    assert gateway.pairs() == []


def test_sent_files_are_kept_some_days(gateway, tenant, send) -> None:
    gateway.run(TEXT, tenant=tenant)
    send()
    send(now=NOW + timedelta(days=6))
    assert len(list(gateway.outbox.sent.iterdir())) == 2
    send(now=NOW + timedelta(days=8))
    assert list(gateway.outbox.sent.iterdir()) == []
    gateway.run(TEXT, tenant=tenant, again=True)
    assert gateway.pairs()[0][0].sequence == 2


# ------------------------------------------------------------------ killed


def crash(settings, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(__file__).with_name("crash.py")
    repository = str(program.parents[2])
    return subprocess.run(
        [sys.executable, str(program), *arguments[:1], str(folder), *arguments[1:]],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=repository,
        env={
            **os.environ,
            "PYTHONPATH": repository,
            "URETIMIQ_HOME": str(folder),
            "URETIMIQ_S3_ENDPOINT": settings.s3_endpoint,
            "URETIMIQ_S3_ACCESS_KEY": settings.s3_access_key,
            "URETIMIQ_S3_SECRET_KEY": settings.s3_secret_key,
        },
    )


def test_killed_at_any_line_every_object_is_there_once(settings, tmp_path) -> None:
    done = crash(settings, tmp_path, "sync", "3")
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 15  # so many lines were walked


def test_killed_in_the_midst_of_a_body_the_object_is_not_there(settings, tmp_path, tenant, there) -> None:
    done = crash(settings, tmp_path, "body", tenant)
    assert done.returncode == 0, done.stderr[-3000:]
    [(key, content)] = there().items()
    assert len(content) == 8 << 20
    assert key == f"{tenant}/big"


def test_the_gateways_outbox_is_its_own(tmp_path) -> None:
    assert Outbox(tmp_path, "a").ready != Outbox(tmp_path, "b").ready
