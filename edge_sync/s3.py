"""The landing bucket as a gateway sees it: whole objects, put once, never overwritten."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from edge_sync.errors import EdgeError, SyncError
from expectations.settings import Settings

# Standard retries wait up to 20 s between tries; what then still fails waits in the outbox for the next run.
_ATTEMPTS = 5
_CONNECT_SECONDS = 10
_READ_SECONDS = 120
_SHA256 = "sha256"  # our own note on the object: every S3 server gives it back, checksums of its own not all do


class Conflict(EdgeError):
    """Another object lies at the key already."""


class Bucket:
    """The landing bucket through the keys of one tenant's gateway."""

    def __init__(self, settings: Settings) -> None:
        import boto3
        from botocore.config import Config

        if not settings.s3_access_key or not settings.s3_secret_key:
            raise SyncError(
                "no S3 keys: set URETIMIQ_S3_ACCESS_KEY and URETIMIQ_S3_SECRET_KEY, or give the gateway's keys by --env-file"
            )
        self.url = settings.s3_url
        self.name = settings.landing_bucket
        try:
            self._client: Any = boto3.client(
                "s3",
                endpoint_url=settings.s3_url,
                region_name=settings.s3_region,
                aws_access_key_id=settings.s3_access_key,
                aws_secret_access_key=settings.s3_secret_key,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    s3={"addressing_style": "path"},
                ),
            )
        except ValueError as error:
            raise SyncError(f"URETIMIQ_S3_ENDPOINT={settings.s3_endpoint}: {error}") from None

    def put_once(self, key: str, body: Path | bytes, sha256: str) -> bool:
        """Put an object that is visible whole or not at all; the server checks `sha256`.

        Returns False if the same object is there already. Raises Conflict if another one is, SyncError for the rest.
        """
        digest = base64.b64encode(bytes.fromhex(sha256)).decode()
        with _explained(self, key):
            try:
                if isinstance(body, Path):
                    with body.open("rb") as file:
                        self._put(key, file, digest, sha256)
                else:
                    self._put(key, body, digest, sha256)
            except ClientError as error:
                if _status(error) != 412:
                    raise
                self._check_same(key, sha256)
                return False
        return True

    def _put(self, key: str, body: Any, digest: str, sha256: str) -> None:
        self._client.put_object(
            Bucket=self.name, Key=key, Body=body, IfNoneMatch="*", ChecksumSHA256=digest, Metadata={_SHA256: sha256}
        )

    def _check_same(self, key: str, sha256: str) -> None:
        try:
            there = self._client.head_object(Bucket=self.name, Key=key)["Metadata"].get(_SHA256)
        except ClientError as error:
            if _status(error) != 403:
                raise
            raise SyncError(
                f"s3://{self.name}/{key}: an object lies there, and the key may not read it to see whether it is ours;"
                " let the gateway's key read its prefix"
            ) from None
        if there != sha256:
            raise Conflict(
                f"s3://{self.name}/{key}: another object lies there (SHA-256 {str(there)[:12]}, ours {sha256[:12]}):"
                " a second gateway has this one's name, or this one's folder was lost;"
                " give it a new name by --gateway and import again"
            )


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def _explained(bucket: Bucket, key: str) -> Iterator[None]:
    """Turn what boto3 raises into one line with the remedy."""
    try:
        yield
    except NoCredentialsError:
        raise SyncError("no S3 keys: give the gateway's keys by --env-file") from None
    except (BotoConnectionError, HTTPClientError) as error:
        reason = str(error).splitlines()[0]
        raise SyncError(
            f"{bucket.url}: not reached ({reason}); nothing is lost, run sync again when the network is back"
        ) from None
    except ClientError as error:
        raise SyncError(f"s3://{bucket.name}/{key}: {_remedy(error)}") from None
    except BotoCoreError as error:
        raise SyncError(f"s3://{bucket.name}/{key}: {str(error).splitlines()[0]}") from None


def _remedy(error: ClientError) -> str:
    code = str(error.response.get("Error", {}).get("Code", _status(error)))
    match code:
        case "AccessDenied" | "403":
            return "access denied: the key reaches another tenant's prefix; give this tenant's keys by --env-file"
        case "InvalidAccessKeyId" | "SignatureDoesNotMatch":
            return f"the server doesn't know the keys ({code}); check URETIMIQ_S3_ACCESS_KEY and URETIMIQ_S3_SECRET_KEY"
        case "NoSuchBucket" | "404":
            return "no such bucket; check URETIMIQ_LANDING, or start the server that makes it"
        case "ConditionalRequestConflict" | "409":
            return "another upload of this object is under way; run sync again"
        case "BadDigest" | "XAmzContentChecksumMismatch" | "InvalidDigest":
            return f"arrived damaged ({code}); run sync again"
        case "RequestTimeTooSkewed":
            return "this machine's clock is wrong; set it right"
        case _:
            return f"{code}: {error.response.get('Error', {}).get('Message', '')}; run sync again"
