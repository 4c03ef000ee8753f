"""A gateway for the tests of ingest: lands objects as uretimiq-edge does, or as it never would."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.manifest import OBSERVED, Manifest
from expectations.tables import TABLES

LANDED_AT = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)


@dataclass
class Gateway:
    """Puts objects into the landing bucket under `tenant`."""

    client: Any
    tenant: str
    name: str = "gw-1"
    site: str = "gebze"
    sequence: int = 0

    @staticmethod
    def table(contract: str, **columns: list[Any]) -> pa.Table:
        """A table in the contract's landing schema; known on 2026-03-01; columns that are not given are null."""
        rows = len(next(iter(columns.values())))
        given = {"available_at": [LANDED_AT] * rows, **columns}
        fields = list(TABLES[contract].landing_schema)
        return pa.table({f.name: pa.array(given.get(f.name, [None] * rows), f.type) for f in fields})

    @classmethod
    def sales(cls, *units: float | None, site: str = "gebze", product: str = "P1", start: str = "2026-02-01") -> pa.Table:
        """One row of sales for each of `units`, day by day."""
        first, rows = date.fromisoformat(start).toordinal(), len(units)
        days = [date.fromordinal(first + i) for i in range(rows)]
        return cls.table("sales", site=[site] * rows, product=[product] * rows, date=days, units=list(units))

    @staticmethod
    def parquet(table: pa.Table) -> bytes:
        file = io.BytesIO()
        pq.write_table(table, file, compression="zstd")
        return file.getvalue()

    def land(
        self,
        table: pa.Table,
        contract: str = "sales",
        *,
        spoil: Callable[[bytes], bytes] = lambda content: content,
        manifest: Callable[[bytes], bytes | None] = lambda text: text,
        **fields: Any,
    ) -> str:
        """Land a table under the next sequence number; returns the key.

        `spoil` changes the object after its manifest was made, `manifest` the manifest's text (None: leaves it out),
        `fields` are fields of the manifest that lie.
        """
        self.sequence += 1
        content = self.parquet(table)
        made = self.manifest_of(content, table.num_rows, contract)
        text = manifest(json.dumps({**json.loads(made.to_json()), **fields}).encode())
        if text is not None:
            self.put(made.manifest_key(), text)
        self.put(made.data_key(), spoil(content))
        return made.data_key()

    def manifest_of(self, content: bytes, rows: int, contract: str) -> Manifest:
        return Manifest(
            tenant=self.tenant,
            site=self.site,
            contract=contract,
            contract_version="1.0.0",
            gateway=self.name,
            sequence=self.sequence,
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            rows=rows,
            period_start=None,
            period_end=None,
            created_at=LANDED_AT,
            source="export.csv",
            known_time=OBSERVED,
        )

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket="landing", Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket="landing", Key=key)

    def other(self, tenant: str) -> Gateway:
        """A gateway of another tenant."""
        return replace(self, tenant=tenant, sequence=0)


@pytest.fixture(scope="session")
def gateway_of(s3_server: Any) -> Callable[[str], Gateway]:
    """Makes the gateway of a tenant; the landing bucket is that of all tests, so the tenant's name must be one's own."""
    client = s3_server.admin.client()
    return lambda tenant: Gateway(client, tenant)
