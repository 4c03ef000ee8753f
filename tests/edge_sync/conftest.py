"""A gateway in a folder of its own, and short ways to import a text and to see what would land."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge_sync.importer import Import, Outcome, import_file
from edge_sync.mapfile import read_maps
from edge_sync.outbox import Outbox, read_pair
from expectations.tables import TABLES

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SALES = "columns: {site: {constant: gebze}, product: urun, date: tarih, units: miktar}\n"


@dataclass(frozen=True)
class Gateway:
    """A gateway under `folder`; files and maps are written beside its home."""

    folder: Path
    outbox: Outbox

    def write(self, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    def task(self, map_text: str, contract: str = "sales", part: int = 0, **more: Any) -> Import:
        path = self.write(
            "map.yaml", map_text if "time_zone:" in map_text else f"time_zone: Europe/Istanbul\n{map_text}"
        )
        file_map = read_maps(path, TABLES[contract], TABLES)[part]
        return Import(
            **{
                "tenant": "acme",
                "site": "gebze",
                "contract": TABLES[contract],
                "file_map": file_map,
                "now": NOW,
                **more,
            }
        )

    def run(self, source: str | bytes | Path, map_text: str = SALES, contract: str = "sales", **more: Any) -> Outcome:
        """Import a text (as sales.csv) or a file."""
        path = source if isinstance(source, Path) else self.write("sales.csv", source)
        return import_file(self.task(map_text, contract, **more), path, self.outbox)

    def landed(
        self, source: str | bytes | Path, map_text: str = SALES, contract: str = "sales", **more: Any
    ) -> pa.Table:
        """The rows that the import put into the outbox."""
        outcome = self.run(source, map_text, contract, **more)
        files = [self.outbox.ready / f"{m.sequence:010d}.parquet" for m in outcome.manifests]
        return pa.concat_tables([pq.read_table(f) for f in files], promote_options="default")

    def pairs(self) -> list[tuple[Any, pa.Table]]:
        """Manifest and rows of each pair in the outbox."""
        return [(manifest, pq.read_table(data)) for manifest, data in map(read_pair, self.outbox.waiting())]


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path, Outbox(tmp_path / "home", "gw"))


@pytest.fixture
def column(gateway: Gateway) -> Callable[..., list[Any]]:
    """What lands in one column for cells of one source column: `column("units", ["1,5"], "decimal: ','")`."""

    def land(name: str, cells: list[str], settings: str = "", contract: str = "sales") -> list[Any]:
        lines = "".join(f'{i}|"{cell}"\n' for i, cell in enumerate(cells))
        wanted = {"sales": {"product": "n", "date": "{constant: 2024-01-01}", "units": "{constant: 1}"}}[contract]
        columns = {"site": "{constant: gebze}", **wanted, name: "x"}
        listed = ", ".join(f"{k}: {v}" for k, v in columns.items())
        return gateway.landed(f"n|x\n{lines}", f"delimiter: '|'\n{settings}\ncolumns: {{{listed}}}\n")[name].to_pylist()

    return land
