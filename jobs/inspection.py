"""One landed object against its manifest and its contract, before any row of it is taken.

What is wrong with an object as a whole is found here; what is wrong with single rows is found by the split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from expectations.contract import Contract
from expectations.manifest import Manifest, ObjectName, parse_data_key
from expectations.tables import TABLES
from jobs.landing import THREADS, Body, LandedObject, Landing, ObjectGone
from jobs.physical import Physical, columns_of, told

UNREAD = "_unread"  # the gateway's column of cells that it could not read: JSON of column -> text
AGAIN = "then `uretimiq quarantine replay`"
_VERSION = re.compile(r"(\d+)\.\d+\.\d+")


@dataclass(frozen=True)
class Problem:
    """Why an object goes to quarantine whole: the rule that it broke, and a line with what, where and the remedy."""

    rule: str
    message: str


def gone(key: str, *, there: bool, taken: int = 0, of: int = 0) -> Problem:
    """The problem of an object that is not what it was when its batch was planned; `there`: its name still is."""
    what = "was overwritten in the landing bucket" if there else "vanished from the landing bucket"
    part = f" after {taken} of its {of} rows" if taken else ""
    return Problem(
        "object_there", f"{key} {what} before it was ingested{part}: send the file again under a new sequence number"
    )


def is_damage(error: Exception) -> bool:
    """Whether an error tells of what an object holds, and not of our memory, disk or server."""
    import duckdb

    if isinstance(error, MemoryError):  # Arrow's is an ArrowException too
        return False
    if isinstance(error, OSError):  # Arrow's have no number, the system's have
        return error.errno is None
    return isinstance(error, pa.ArrowException | ValueError | duckdb.DataError | duckdb.InvalidInputException)


def _why(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:150]


def damaged(key: str, error: Exception) -> Problem:
    """The problem of an object whose pages cannot be read."""
    return Problem("object_readable", f"{key} cannot be read ({_why(error)}): mend the gateway, send the file again")


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """What an object is. `problem` is None when its rows can be read; then `name`, `manifest` and `contract` are there.

    `rows` are those of the Parquet footer, or the manifest's where that cannot be read, or 0.
    """

    object: LandedObject
    sha256: str
    rows: int = 0
    name: ObjectName | None = None
    manifest: Manifest | None = None
    contract: Contract | None = None
    columns: tuple[Physical, ...] = ()
    problem: Problem | None = None

    @property
    def tenant(self) -> str:
        return self.object.tenant

    @property
    def extra(self) -> tuple[Physical, ...]:
        """Columns that the contract does not know."""
        known = {"tenant", UNREAD, *(self.contract.landing_schema.names if self.contract else ())}
        return tuple(c for c in self.columns if c.name not in known)


class _Refused(Exception):
    def __init__(self, rule: str, message: str) -> None:
        self.problem = Problem(rule, message)
        super().__init__(message)


def inspect_all(landing: Landing, keys: Iterable[str]) -> list[Inspected | None]:
    """Each object of `keys` inspected, in order; None for one that is gone. Memory stays bounded by the threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda key: _inspect_or_none(landing, key), keys))


def _inspect_or_none(landing: Landing, key: str) -> Inspected | None:
    try:
        return inspect(landing, key)
    except ObjectGone:
        return None


def inspect(landing: Landing, key: str) -> Inspected:
    """The object at `key`, whole. Raises ObjectGone."""
    body = landing.body(key)
    with body.file:
        parquet, why = _open(body)
        found = Inspected(object=body.object, sha256=body.sha256, rows=parquet.metadata.num_rows if parquet else 0)
        try:
            name = _name(key)
            found = replace(found, name=name)
            manifest = _manifest(landing, name)
            found = replace(found, manifest=manifest, rows=found.rows or manifest.rows)
            contract = _contract(manifest)
            _whole(body, manifest)
            if parquet is None:
                raise _Refused(
                    "object_readable", f"{key} cannot be read as Parquet ({why}): mend the gateway, send it again"
                )
            _rows_agree(found, manifest)
            columns = columns_of(parquet.schema)
            _readable(columns, contract, key)
            _tenant_column(parquet, columns, name.tenant, key)
        except _Refused as refused:
            return replace(found, problem=refused.problem)
        except Exception as error:
            if not is_damage(error):
                raise
            return replace(found, problem=damaged(key, error))
        return replace(found, contract=contract, columns=columns)


def _open(body: Body) -> tuple[Any, str]:
    """The Parquet file, or None and why it cannot be read."""
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(body.file), ""
    except Exception as error:
        if not is_damage(error):
            raise
        return None, _why(error)


def _name(key: str) -> ObjectName:
    try:
        return parse_data_key(key)
    except ValueError as error:
        raise _Refused(
            "object_name", f"{error}: only uretimiq-edge writes here; send the file through the gateway"
        ) from None


def _manifest(landing: Landing, name: ObjectName) -> Manifest:
    text = landing.manifest(name.manifest_key)
    if text is None:
        raise _Refused(
            "manifest_given",
            f"{name.data_key} has no manifest at {name.manifest_key}: send it from the gateway's outbox, {AGAIN}",
        )
    try:
        manifest = Manifest.from_json(text)
    except ValueError as error:
        raise _Refused(
            "manifest_valid", f"the manifest {name.manifest_key} cannot be used: {error}; mend the gateway, {AGAIN}"
        ) from None
    if manifest.tenant != name.tenant:
        raise _Refused(
            "tenant_agrees",
            f"wrong tenant: {name.data_key} lies under {name.tenant!r}, but its manifest says {manifest.tenant!r}: "
            f"check the gateway's --tenant and its key, and send the file again",
        )
    if manifest.data_key() != name.data_key:
        raise _Refused(
            "manifest_agrees",
            f"the manifest {name.manifest_key} is of {manifest.data_key()}: mend the gateway, {AGAIN}",
        )
    return manifest


def _contract(manifest: Manifest) -> Contract:
    landed = {c.name: c for c in TABLES.landed}
    if manifest.contract not in landed:
        raise _Refused(
            "contract_known",
            f"{manifest.data_key()}: no contract {manifest.contract!r}; there are: {', '.join(sorted(landed))}. "
            f"Import it by one of these, or declare the table, {AGAIN}",
        )
    contract = landed[manifest.contract]
    given = _VERSION.fullmatch(manifest.contract_version)
    ours = contract.version.split(".")[0]
    if given is None or given[1] != ours:
        raise _Refused(
            "contract_version_known",
            f"{manifest.data_key()} follows {contract.name} {manifest.contract_version}, this platform reads {ours}.x: "
            f"bring gateway and platform to the same major version, {AGAIN}",
        )
    return contract


def _whole(body: Body, manifest: Manifest) -> None:
    size, key = body.object.bytes, body.object.key
    again = "send the file again under a new sequence number"
    if size == 0:
        raise _Refused("object_whole", f"{key} has 0 bytes, its manifest says {manifest.bytes}: {again}")
    if size < manifest.bytes:
        raise _Refused("object_whole", f"{key} is truncated: {size} of {manifest.bytes} bytes: {again}")
    if size > manifest.bytes:
        raise _Refused("object_whole", f"{key} has {size} bytes, its manifest says {manifest.bytes}: {again}")
    if body.sha256 != manifest.sha256:
        raise _Refused(
            "object_whole",
            f"{key} was changed: its SHA-256 is {body.sha256[:12]}..., its manifest says {manifest.sha256[:12]}...: {again}",
        )


def _rows_agree(found: Inspected, manifest: Manifest) -> None:
    if found.rows != manifest.rows:
        raise _Refused(
            "manifest_agrees",
            f"{manifest.data_key()} has {found.rows} rows, its manifest says {manifest.rows}: mend the gateway, {AGAIN}",
        )


def _readable(columns: Sequence[Physical], contract: Contract, key: str) -> None:
    """Every column can be read, the contract's as the contract's type."""
    there = {c.name: c for c in columns}
    lower = [c.name.lower() for c in columns]
    twice = sorted(c.name for c in columns if lower.count(c.name.lower()) > 1)
    if twice:
        raise _Refused(
            "columns_distinct",
            f"{key}: columns {', '.join(twice)} differ in case alone, or not at all: rename one at the source, send it again",
        )
    missing = [
        f"column {c.name} ({told(c.type)}) is missing"
        for c in contract.landing_columns
        if not c.nullable and c.name not in there
    ]
    if missing:
        raise _Refused(
            "columns_given",
            f"{key}: {'; '.join(missing)}; found {', '.join(there) or 'no column'}: mend the map and send the file again, "
            f"or mend the contract, {AGAIN}",
        )
    wrong = [
        f"column {c.name}: expected {told(c.type)}, found {there[c.name].told}"
        for c in contract.landing_columns
        if c.name in there and (there[c.name].kind is None or not there[c.name].goes_into(c.type))
    ]
    wrong += [
        f"column {c.name}: a {c.told} cannot be kept, send it as text"
        for c in columns
        if c.kind is None and c.name not in contract.landing_schema.names
    ]
    if wrong:
        raise _Refused(
            "types_agree",
            f"{key}: {'; '.join(wrong)}: mend the map and send the file again, or mend the contract, {AGAIN}",
        )


def _tenant_column(parquet: Any, columns: Sequence[Physical], tenant: str, key: str) -> None:
    """A file may repeat its tenant; one that names another was sent through the wrong gateway."""
    import pyarrow.compute as pc

    if "tenant" not in {c.name for c in columns}:
        return
    others: set[str] = set()
    for batch in parquet.iter_batches(columns=["tenant"]):
        batch.validate(full=True)
        others |= {str(v) for v in pc.unique(batch.column(0)).to_pylist() if v is not None and str(v) != tenant}
    if others:
        raise _Refused(
            "tenant_agrees",
            f"wrong tenant: {key} lies under {tenant!r}, but its column tenant says {', '.join(sorted(others)[:3])}: "
            f"send the file through that tenant's gateway",
        )
