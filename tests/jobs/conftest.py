"""A gateway for the tests of ingest: lands objects as uretimiq-edge does, or as it never would."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations import settings as settings_module
from expectations.contract import Zone
from expectations.manifest import OBSERVED, Manifest
from expectations.settings import Settings
from expectations.tables import INGEST_LEDGER, QUARANTINE, TABLES

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
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
    def sales(
        cls, *units: float | None, site: str = "gebze", product: str = "P1", start: str = "2026-02-01"
    ) -> pa.Table:
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
        damage: Callable[[bytes], bytes] = lambda content: content,
        spoil: Callable[[bytes], bytes] = lambda content: content,
        manifest: Callable[[bytes], bytes | None] = lambda text: text,
        **fields: Any,
    ) -> str:
        """Land a table under the next sequence number; returns the key.

        `damage` changes the object before its manifest is made, `spoil` after; `manifest` changes the manifest's text
        (None: leaves it out); `fields` are fields of the manifest that lie.
        """
        self.sequence += 1
        content = damage(self.parquet(table))
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


@dataclass
class Plant:
    """A lake of its own over the landing bucket of all tests, for the tenants named."""

    settings: Settings
    tenants: tuple[str, ...]
    spark: Any
    said: list[str] = field(default_factory=list)

    def context(self, **more: Any) -> Any:
        from jobs.context import Context

        given = {"asked": self.tenants, "now": lambda: NOW, "progress": self.said.append, **more}
        ctx = Context(self.settings, **given)
        ctx.__dict__["spark"] = self.spark
        return ctx

    def ingest(self, **more: Any) -> Any:
        """Run ingest as the command line does; returns its context."""
        from jobs.catalogue import INGEST
        from jobs.runner import run

        ctx = self.context(**more)
        run(ctx, INGEST)
        return ctx

    def _rows(self, contract: Any, zone: Zone) -> list[dict[str, Any]]:
        from jobs.delta_reader import read_rows

        rows = read_rows(self.settings, contract, zone).to_pylist()
        return [row for row in rows if row["tenant"] in self.tenants]

    def of(self, *tenants: str) -> Plant:
        """The same lake, for other tenants."""
        return replace(self, tenants=tenants, said=[])

    @property
    def ledger(self) -> list[dict[str, Any]]:
        return self._rows(INGEST_LEDGER, Zone.OPERATIONS)

    @property
    def quarantine(self) -> list[dict[str, Any]]:
        return self._rows(QUARANTINE, Zone.OPERATIONS)

    def bronze(self, contract: str = "sales") -> list[dict[str, Any]]:
        """Rows in the order of object and position."""
        rows = self._rows(TABLES[contract], Zone.BRONZE)
        return sorted(rows, key=lambda r: (r["object_key"], r["content_hash"], r["row_index"]))


@pytest.fixture(scope="session")
def s3_spark(spark: Any, s3_server: Any) -> Any:
    """The Spark session of all tests, which reaches the S3 server of all tests."""
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    hadoop.set("fs.s3a.endpoint", s3_server.admin.endpoint)
    hadoop.set("fs.s3a.access.key", s3_server.admin.access_key)
    hadoop.set("fs.s3a.secret.key", s3_server.admin.secret_key)
    return spark


@pytest.fixture(scope="session")
def plant_of(s3_spark: Any, s3_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Plant]:
    """Makes a plant with an empty lake."""
    admin = s3_server.admin

    def make(*tenants: str) -> Plant:
        home = tmp_path_factory.mktemp("plant") / "home"
        settings = replace(
            settings_module.load({}),
            home=home,
            s3_endpoint=admin.endpoint,
            s3_access_key=admin.access_key,
            s3_secret_key=admin.secret_key,
            spark_memory="2g",
        )
        return Plant(settings, tenants, s3_spark)

    return make
