"""The landing bucket: which objects lie in it, and their bytes. Reads only."""

from __future__ import annotations

import hashlib
import html
import re
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote_plus

from expectations.manifest import MANIFESTS
from expectations.settings import Settings
from jobs.errors import JobError

THREADS = 8
PAGE = 1000  # entries of one answer; S3 gives no more
_QUOTE = '(?:&#34;|&quot;|")?'
_FIELDS = [
    re.compile(pattern)
    for pattern in (
        "<Key>([^<]*)</Key>",
        f'<ETag>{_QUOTE}([^<&"]*){_QUOTE}</ETag>',
        "<Size>([0-9]+)</Size>",
        "<LastModified>([^<]*)</LastModified>",
    )
]
_PREFIX = re.compile("<CommonPrefixes><Prefix>([^<]*)</Prefix></CommonPrefixes>")
_TOKEN = re.compile("<NextContinuationToken>([^<]*)</NextContinuationToken>")
CHUNK_BYTES = 1 << 20
IN_MEMORY_BYTES = 16 << 20  # of one object while it is inspected; a larger one goes by the disk
_GONE = ("NoSuchKey", "404", "NotFound")


class ObjectGone(LookupError):
    """The object is not in the landing bucket any more."""


class LandedObject(NamedTuple):
    """One data object as the bucket lists it. `etag` changes with the bytes; `modified` is an ISO time in UTC.

    Plain and unparsed, since a run with nothing new makes one of every object there is.
    """

    key: str
    etag: str
    bytes: int
    modified: str

    @property
    def landed_at(self) -> datetime:
        return datetime.fromisoformat(self.modified).astimezone(UTC)

    @property
    def tenant(self) -> str:
        """The tenant whose prefix it lies under."""
        return self.key.split("/", 1)[0]


@dataclass(frozen=True)
class Body:
    """The bytes of an object, to be read from `file`, and what they are. Who asked for it closes the file."""

    object: LandedObject
    file: BinaryIO
    sha256: str


class Landing:
    """Reads the landing bucket of `settings`. Raises JobError with the remedy when the server is away or refuses."""

    def __init__(self, settings: Settings) -> None:
        import boto3
        import urllib3
        from botocore.config import Config

        self.settings = settings
        self.bucket = settings.landing_bucket
        self.s3 = boto3.client(
            "s3",
            endpoint_url=settings.s3_url,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key,
            config=Config(
                s3={"addressing_style": "path"},
                signature_version="s3v4",
                connect_timeout=5,
                retries={"total_max_attempts": 3, "mode": "standard"},
                max_pool_connections=THREADS,
                response_checksum_validation="when_required",  # the manifest's SHA-256 is compared anyway
            ),
        )
        timeout = urllib3.Timeout(connect=5, read=60)
        self.pages = urllib3.PoolManager(maxsize=THREADS, timeout=timeout, retries=urllib3.Retry(2, backoff_factor=0.2))

    def objects(self, tenants: Sequence[str] = ()) -> list[LandedObject]:
        """All data objects, or those of `tenants`, oldest first. Manifests are not listed."""
        with self._told():
            prefixes = [f"{t}/" for t in tenants] or self._list("", folders=True)[1]
            with ThreadPoolExecutor(THREADS) as pool:
                found: list[LandedObject] = []
                sites: list[str] = []
                for objects, folders in pool.map(lambda p: self._list(p, folders=True), prefixes):
                    found += objects
                    sites += [f for f in folders if f.split("/")[1] != MANIFESTS]
                for objects, _ in pool.map(lambda p: self._list(p, folders=False), sites):
                    found += objects
        return sorted((o for o in found if not o.key.endswith("/")), key=lambda o: (o.modified, o.key))

    def manifest(self, key: str) -> bytes | None:
        """The bytes of a manifest; None where there is none."""
        with self._told():
            try:
                return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
            except self.s3.exceptions.NoSuchKey:
                return None

    def body(self, key: str) -> Body:
        """The object's bytes, hashed as they come. Raises ObjectGone."""
        file, digest, size = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES), hashlib.sha256(), 0  # noqa: SIM115 - given away open
        with self._told():
            try:
                answer = self.s3.get_object(Bucket=self.bucket, Key=key)
            except self.s3.exceptions.NoSuchKey:
                raise ObjectGone(key) from None
            for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        file.seek(0)
        landed = LandedObject(key, answer["ETag"].strip('"'), size, answer["LastModified"].isoformat())
        return Body(landed, file, digest.hexdigest())  # type: ignore[arg-type]

    def bodies(self, keys: Sequence[str]) -> Iterator[Body | None]:
        """Each object's bytes, in order, some of them fetched ahead; None for one that is gone."""
        with ThreadPoolExecutor(THREADS) as pool:
            ahead: deque[Future[Body | None]] = deque()
            for key in keys:
                ahead.append(pool.submit(self._body_or_none, key))
                if len(ahead) > THREADS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _body_or_none(self, key: str) -> Body | None:
        try:
            return self.body(key)
        except ObjectGone:
            return None

    def _list(self, prefix: str, *, folders: bool) -> tuple[list[LandedObject], list[str]]:
        """Objects under `prefix`; with `folders` those directly in it alone, and the prefixes one level down."""
        objects: list[LandedObject] = []
        below: list[str] = []
        token = None
        while True:
            page = self._page(prefix, folders, token)
            objects += page.objects
            below += page.folders
            token = page.next_token
            if token is None:
                return objects, below

    def _page(self, prefix: str, folders: bool, token: str | None) -> _Page:
        # boto3 takes 130 microseconds to parse each entry, which is the whole run when nothing is new: it signs alone.
        asked = {"Bucket": self.bucket, "Prefix": prefix, "EncodingType": "url", "MaxKeys": PAGE}
        more = {"Delimiter": "/"} if folders else {}
        url = self.s3.generate_presigned_url(
            "list_objects_v2", Params={**asked, **more, **({"ContinuationToken": token} if token else {})}
        )
        answer = self.pages.request("GET", url)
        if answer.status != 200:
            raise JobError(self._refused(_error_code(answer.data) or f"status {answer.status}"))
        return _parse_page(answer.data)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what the server's failure means, in one line."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ClientError as error:
            raise JobError(self._refused(error.response["Error"]["Code"])) from error
        except (BotoCoreError, HTTPError, ConnectionError, TimeoutError) as error:
            raise JobError(
                f"the S3 server at {self.settings.s3_url} does not answer: start it with `make up`, "
                f"or set URETIMIQ_S3_ENDPOINT"
            ) from error

    def _refused(self, code: str) -> str:
        at = f"the S3 server at {self.settings.s3_url}"
        if code in ("NoSuchBucket", *_GONE):
            return f"{at} has no bucket {self.bucket!r}: create it with `make up`, or set URETIMIQ_LANDING"
        if code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"):
            return (
                f"{at} refuses our key for bucket {self.bucket!r} ({code}): "
                f"set URETIMIQ_S3_ACCESS_KEY and URETIMIQ_S3_SECRET_KEY"
            )
        return f"{at} answered {code} for bucket {self.bucket!r}: see its log, then run the job again"


@dataclass(frozen=True)
class _Page:
    objects: list[LandedObject]
    folders: list[str]
    next_token: str | None


def _parse_page(text: bytes) -> _Page:
    """The answer to ListObjectsV2. Ten times as fast as a parser of XML, which counts at 20,000 objects."""
    page = text.decode()
    encoded = "<EncodingType>url</EncodingType>" in page

    def names(found: list[str]) -> list[str]:
        plain = [html.unescape(name) if "&" in name else name for name in found]
        return [unquote_plus(name) for name in plain] if encoded else plain

    fields = [pattern.findall(page) for pattern in _FIELDS]
    if len({len(values) for values in fields}) > 1:
        raise JobError("the S3 server's list of objects has entries without key, ETag, size or time: see its log")
    keys, etags, sizes, times = fields
    objects = list(map(LandedObject, names(keys), etags, map(int, sizes), times))
    token = _TOKEN.search(page)
    return _Page(objects, names(_PREFIX.findall(page)), html.unescape(token[1]) if token else None)


def _error_code(text: bytes) -> str | None:
    code = re.search(rb"<Code>([^<]*)</Code>", text)
    return code[1].decode() if code else None
