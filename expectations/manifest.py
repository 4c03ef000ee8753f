"""The manifest of a landed object: what a gateway says about the file it sent, and where both lie in the bucket.

The manifest is put before its data object, so a data object that is visible has one. Ingest compares what it
finds with what the manifest says. Plain Python, since gateway and jobs both use it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime

from expectations.contract import CODE

MANIFEST_VERSION = 1
MANIFESTS = "_manifests"  # the folder under a tenant's prefix; a listing of data objects can leave it out
_Bytes = bytes  # the type, which the field of that name hides inside the class
OBSERVED = "observed"  # known time is the moment of the import
DECLARED = "declared"  # known time is what the file map says of records older than the gateway

_DATA_KEY = re.compile(
    r"(?P<tenant>[^/]+)/(?P<site>[^/]+)/(?P<contract>[^/]+)/(?P<gateway>[^/]+)-(?P<sequence>\d{10})\.parquet"
)


@dataclass(frozen=True)
class ObjectName:
    """The parts of the key of a data object: `tenant/site/contract/gateway-sequence.parquet`."""

    tenant: str
    site: str
    contract: str
    gateway: str
    sequence: int

    @property
    def data_key(self) -> str:
        return f"{self.tenant}/{self.site}/{self.contract}/{self.gateway}-{self.sequence:010d}.parquet"

    @property
    def manifest_key(self) -> str:
        return f"{self.tenant}/{MANIFESTS}/{self.site}/{self.contract}/{self.gateway}-{self.sequence:010d}.json"


def parse_data_key(key: str) -> ObjectName:
    """The parts of a data object's key. Raises ValueError for a key that no gateway would write."""
    found = _DATA_KEY.fullmatch(key)
    if found is None or MANIFESTS in (found["tenant"], found["site"]):
        raise ValueError(
            f"{key}: not TENANT/SITE/CONTRACT/GATEWAY-SEQUENCE.parquet with a sequence number of 10 digits"
        )
    part = found.groupdict()
    return ObjectName(part["tenant"], part["site"], part["contract"], part["gateway"], int(part["sequence"]))


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a gateway says about one object. Days are in the site's time zone, `created_at` is UTC."""

    tenant: str
    site: str  # where the gateway stands; the rows' own site column counts
    contract: str
    contract_version: str
    gateway: str
    sequence: int  # the gateway's own count of its objects, from 1, never reused
    sha256: str  # of the Parquet file
    bytes: int
    rows: int
    period_start: date | None  # first and last event time; None for a table without, or an object without rows
    period_end: date | None
    created_at: datetime
    source: str  # name of the file that the rows came from
    known_time: str  # OBSERVED or DECLARED
    manifest_version: int = MANIFEST_VERSION

    @property
    def name(self) -> ObjectName:
        return ObjectName(self.tenant, self.site, self.contract, self.gateway, self.sequence)

    def data_key(self) -> str:
        """Key of the data object in the landing bucket."""
        return self.name.data_key

    def manifest_key(self) -> str:
        """Key of this manifest in the landing bucket."""
        return self.name.manifest_key

    def to_json(self) -> str:
        """One JSON object, keys sorted: the same manifest is the same bytes."""
        record = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return (
            json.dumps({**record, "object_key": self.data_key()}, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        )

    @classmethod
    def from_json(cls, text: str | _Bytes) -> Manifest:
        """Read a manifest. Raises ValueError that names the field and the value; unknown fields are left alone."""
        try:
            record = json.loads(text)
        except ValueError as error:
            raise ValueError(f"manifest is not JSON: {error}") from None
        if not isinstance(record, dict):
            raise ValueError("manifest is not a JSON object")
        if record.get("manifest_version") != MANIFEST_VERSION:
            given = record.get("manifest_version")
            raise ValueError(f"manifest_version: {given!r}, this program reads {MANIFEST_VERSION}")
        manifest = cls(**{name: _read(record, name, parse) for name, parse in _FIELDS.items()})  # type: ignore[arg-type]
        if record.get("object_key") != manifest.data_key():
            raise ValueError(f"object_key: {record.get('object_key')!r}, the other fields say {manifest.data_key()!r}")
        return manifest


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _read(record: dict[str, object], name: str, parse: Callable[[object], object]) -> object:
    if name not in record:
        raise ValueError(f"{name}: missing in the manifest")
    try:
        return parse(record[name])
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {record[name]!r} {error}") from None


def _code(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch(CODE, value) is None:
        raise ValueError("is no code of 1 to 100 printable characters without / or =")
    return value


def _place(value: object) -> str:
    if value == MANIFESTS:
        raise ValueError("is the folder of the manifests")
    return _code(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("is no text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("is no whole number from 0")
    return value


def _sha256(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch("[0-9a-f]{64}", value) is None:
        raise ValueError("is no SHA-256 in 64 small hexadecimal digits")
    return value


def _day(value: object) -> date | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("is no ISO date")
    return date.fromisoformat(value)


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError("is no ISO time with an offset")
    return moment.astimezone(UTC)


def _known_time(value: object) -> str:
    if value not in (OBSERVED, DECLARED):
        raise ValueError(f"is neither {OBSERVED} nor {DECLARED}")
    return str(value)


_FIELDS: dict[str, Callable[[object], object]] = {
    "tenant": _place,
    "site": _place,
    "contract": _code,
    "contract_version": _text,
    "gateway": _code,
    "sequence": _count,
    "sha256": _sha256,
    "bytes": _count,
    "rows": _count,
    "period_start": _day,
    "period_end": _day,
    "created_at": _moment,
    "source": _text,
    "known_time": _known_time,
}
