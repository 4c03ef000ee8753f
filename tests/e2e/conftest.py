"""A plant so small that a whole night of it takes a minute: three products, 200 days, in files of an ERP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

NIGHT = date(2026, 3, 1)
PRODUCTS = ("P1", "P2", "P3")
DAYS = 200
WEEK = (10, 12, 11, 9, 14, 5, 0)  # units by weekday; nothing on Sundays
SITE_MAP = """
time_zone: Europe/Istanbul
columns:
  site: site
  country: {constant: TR}
  time_zone: {constant: Europe/Istanbul}
known_time: {at: "2025-01-01"}
"""
SALES_MAP = """
encoding: windows-1254
delimiter: ";"
decimal: ","
date_formats: ["%d.%m.%Y"]
time_zone: Europe/Istanbul
columns: {site: Tesis, product: Ürün, date: Gün, units: Miktar}
known_time: {lag: P1D}
"""


def sales_rows(last: date) -> list[str]:
    """Good rows up to `last`, and a last one with a negative quantity."""
    days = [last - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    rows = [
        f"depo;{product};{day:%d.%m.%Y};{WEEK[day.weekday()] * number},0"
        for day in days
        for number, product in enumerate(PRODUCTS, 1)
        if WEEK[day.weekday()]
    ]
    return [*rows, f"depo;P1;{last:%d.%m.%Y};-4,0"]


@dataclass(frozen=True)
class Programs:
    """The console scripts, run as a person runs them, in one home."""

    environ: Mapping[str, str]

    def run(self, *command: str, code: int = 0) -> str:
        """What the command prints; fails unless it ends with `code`."""
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run(
            [str(program), *command[1:]], env=dict(self.environ), capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{' '.join(command)}: {done.returncode}: {done.stderr[-2000:]}"
        return done.stdout

    def json(self, *command: str, code: int = 0) -> Any:
        return json.loads(self.run(*command, "--json", code=code))

    def land(self, folder: Path, tenant: str, last: date = NIGHT, key_file: Path | None = None) -> int:
        """Write the plant's files, import and send them; returns the rows sent."""
        folder.mkdir(parents=True)
        (folder / "sites.csv").write_text("site\ndepo\n")
        (folder / "sites.yaml").write_text(SITE_MAP)
        text = "\r\n".join(["Tesis;Ürün;Gün;Miktar", *sales_rows(last), ""])
        (folder / "satis.csv").write_text(text, encoding="windows-1254")
        (folder / "sales.yaml").write_text(SALES_MAP, encoding="utf-8")
        for contract, file in (("sites", "sites.csv"), ("sales", "satis.csv")):
            place = ("--tenant", tenant, "--site", "depo", "--gateway", f"{tenant}-gateway", "--contract", contract)
            self.run("uretimiq-edge", "import", *place, "--map", str(folder / f"{contract}.yaml"), str(folder / file))
        keys = ("--env-file", str(key_file)) if key_file else ()
        gateway = f"{tenant}-gateway"
        return int(self.json("uretimiq-edge", "sync", "--gateway", gateway, *keys)[gateway]["rows"])


@pytest.fixture(scope="session")
def programs_in() -> Callable[..., Programs]:
    """Makes Programs for a home, with more environment where it is given."""

    def make(home: Path, **more: str) -> Programs:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("URETIMIQ_")}
        return Programs({**kept, "URETIMIQ_HOME": str(home), "URETIMIQ_SPARK_MEMORY": "2g", **more})

    return make
