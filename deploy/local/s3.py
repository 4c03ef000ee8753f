"""The S3 server: SeaweedFS from its wheel, on loopback, with the admin's key and one for each gateway."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import process
from deploy.local.home import LANDING, OFFSETS, REGION, Home, LocalError, read_env, token, write_env, write_private

# A tenant or site names a folder and stands in a pattern of the server's: no wildcard, no way out of the prefix.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Key:
    """Credentials on the S3 server."""

    endpoint: str
    access_key: str
    secret_key: str

    def client(self, **config: Any) -> Any:
        """A boto3 client with this key; `config` goes to botocore's Config."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(**{"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}, **config}),
        )


def weed() -> str:
    """The SeaweedFS program. Raises LocalError."""
    found = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise LocalError("`weed` (SeaweedFS) is not installed: run `make setup`")
    return found


def identities_file(home: Home) -> Path:
    return home.path / "s3" / "identities.json"


def admin_key(home: Home) -> Key:
    """The admin's key, made at its first use and written to settings.env for the other programs."""
    known = home.settings
    access = known.get("URETIMIQ_S3_ACCESS_KEY") or f"admin{token(15)}"
    secret = known.get("URETIMIQ_S3_SECRET_KEY") or token(40)
    home.write_settings(URETIMIQ_S3_ACCESS_KEY=access, URETIMIQ_S3_SECRET_KEY=secret)
    return Key(home.url("s3"), access, secret)


def _identity(name: str, key: Key, actions: list[str]) -> dict[str, object]:
    return {
        "name": name,
        "credentials": [{"accessKey": key.access_key, "secretKey": key.secret_key}],
        "actions": actions,
    }


def _read_identities(home: Home) -> dict[str, dict[str, Any]]:
    path = identities_file(home)
    known = json.loads(path.read_text())["identities"] if path.exists() else []
    return {identity["name"]: identity for identity in known}


def _write_identity(home: Home, identity: dict[str, Any]) -> None:
    known = _read_identities(home)
    if known.get(identity["name"]) != identity:
        all_of_them = list({**known, identity["name"]: identity}.values())
        write_private(identities_file(home), json.dumps({"identities": all_of_them}, indent=1))


def gateway_actions(tenant: str, site: str | None = None) -> list[str]:
    """What a gateway's key may do. A prefix without the closing /* would grant nothing."""
    prefixes = [tenant] if site is None else [f"{tenant}/{site}", f"{tenant}/_manifests/{site}"]
    return [f"{verb}:{LANDING}/{prefix}/*" for verb in ("Read", "Write", "List") for prefix in prefixes]


def gateway_key(home: Home, tenant: str, site: str | None = None) -> tuple[Key, Path]:
    """The key of a tenant's gateway and the file it was written to; a second call gives the same key.

    Works while the server runs: on SIGHUP it reads its identities again. Raises LocalError for a bad code.
    """
    for what, code in (("tenant", tenant), ("site", site)):
        if code is not None and not _CODE.fullmatch(code):
            raise LocalError(f"{what} {code!r}: use letters, digits, . _ - and begin with a letter or a digit")
    name = tenant if site is None else f"{tenant}.{site}"
    path = home.path / "keys" / f"{name}.env"
    known = read_env(path)
    access = known.get("URETIMIQ_S3_ACCESS_KEY") or f"gw{token(18)}"
    key = Key(home.url("s3"), access, known.get("URETIMIQ_S3_SECRET_KEY") or token(40))
    _write_identity(home, _identity(f"gateway:{name}", key, gateway_actions(tenant, site)))
    pid = process.find(home.path, "s3")
    if pid is not None:
        os.kill(pid, signal.SIGHUP)
    values = {"ENDPOINT": key.endpoint, "ACCESS_KEY": key.access_key, "SECRET_KEY": key.secret_key}
    write_env(path, {f"URETIMIQ_S3_{name}": value for name, value in values.items()})
    return key, path


def _command(home: Home) -> list[str]:
    data = home.path / "s3" / "data"
    data.mkdir(parents=True, exist_ok=True)
    ports = {
        "s3.port": "s3",
        "s3.port.grpc": "s3 grpc",
        "filer.port": "s3 filer",
        "filer.port.grpc": "s3 filer grpc",
        "master.port": "s3 master",
        "master.port.grpc": "s3 master grpc",
        "volume.port": "s3 volume",
        "volume.port.grpc": "s3 volume grpc",
    }
    options: dict[str, object] = {name: home.port_of(port) for name, port in ports.items()}
    options |= {
        "dir": data,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "filer": "true",
        "filer.disableHttp": "true",  # the filer's own door asks for no key
        "s3": "true",
        "s3.config": identities_file(home),
        "s3.iam": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.autoCreateBucket": "false",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 1024,
        "volume.max": 200,  # the default of 8 is used up by the second bucket, and then every PUT answers 500
        "volume.preStopSeconds": 0,  # no other volume server waits for the news
    }
    # Its sockets lie in /tmp unless told otherwise; the path of one may have 100 characters.
    for part in ("filer", "s3"):
        path = home.run / f"{part}.sock"
        if len(str(path)) < 100:
            options[f"{part}.localSocket"] = path
    return [weed(), "-logtostderr=true", "server", *(f"-{name}={value}" for name, value in options.items())]


def remove_sockets(home: Home) -> None:
    """Remove what a stopped server leaves: it makes a socket in /tmp for each gRPC port, wherever its data lie."""
    for part in ("master", "volume", "filer", "s3"):
        port = home.port_of("s3 grpc" if part == "s3" else f"s3 {part} grpc")
        with contextlib.suppress(OSError):
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108 - where it makes them


def _ready(key: Key) -> str:
    """Whether the landing bucket is there, an object of earlier is read and a write succeeds.

    A started server refuses each of them for some seconds, and after a crash the reading for longest: the volume
    of the old objects is announced after a new one could already be written.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    client = key.client(connect_timeout=2, read_timeout=10)
    try:
        try:
            client.head_bucket(Bucket=LANDING)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            client.create_bucket(Bucket=LANDING)
        for earlier in client.list_objects_v2(Bucket=LANDING, MaxKeys=1).get("Contents", ()):
            client.get_object(Bucket=LANDING, Key=earlier["Key"])["Body"].read(1)
        client.put_object(Bucket=LANDING, Key="_probe", Body=b"")
        client.delete_object(Bucket=LANDING, Key="_probe")
    except (BotoCoreError, ClientError) as error:
        return f"its first read and write: {str(error)[:100]}"
    return ""


def server(home: Home) -> process.Server:
    """The server, its admin identity written."""
    key = admin_key(home)
    _write_identity(home, _identity("admin", key, ["Admin", "Read", "Write", "List", "Tagging"]))
    ports = [name for name in OFFSETS if name.split()[0] == "s3"]
    return process.Server("s3", _command(home), dict(os.environ), ports, lambda: _ready(key))
