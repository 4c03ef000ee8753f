"""A random table written as a Turkish ERP writes it comes back as it was, through the whole import."""

import csv
import io
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_sync.importer import Import, import_file
from edge_sync.mapfile import read_map
from edge_sync.outbox import Outbox
from expectations.tables import TABLES

LETTERS = "abcçdefgğhıijklmnoöprsştuüvyzABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ0123456789 .;,\"'-_\n"
CODES = st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(bool)
ROWS = st.lists(
    st.tuples(
        CODES,
        st.dates(date(1990, 1, 1), date(2100, 1, 1)),
        st.floats(0, 1e9, allow_nan=False) | st.integers(0, 10**9).map(float),
        st.none() | st.floats(0, 1e6, allow_nan=False),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=30,
)
MAP = """
time_zone: Europe/Istanbul
{source}
decimal: ','
thousands: '.'
date_formats: '%d.%m.%Y'
columns:
  site: {{constant: gebze}}
  product: Ürün
  date: Tarih
  units: Miktar
  unit_price: Fiyat
  promotion: {{from: Kampanya, values: {{Var: true, Yok: false}}}}
"""
HEADER = ["Ürün", "Tarih", "Miktar", "Fiyat", "Kampanya"]


def turkish(number: float | None) -> str:
    """As an ERP in Turkish writes it: 1.234,5."""
    if number is None:
        return ""
    whole, _, fraction = f"{number:.17g}".partition(".")
    if "e" in whole or "e" in fraction:
        return repr(number).replace(".", ",")
    return f"{int(whole):,}".replace(",", ".") + (f",{fraction}" if fraction else "")


def campaign(value: bool | None) -> str:
    return "" if value is None else "Var" if value else "Yok"


def back(folder: Path, path: Path, source: str) -> list[tuple]:
    (folder / "map.yaml").write_text(MAP.format(source=source), encoding="utf-8")
    contract = TABLES["sales"]
    file_map = read_map(folder / "map.yaml", contract)
    now = datetime(2024, 1, 1, tzinfo=UTC)
    outbox = Outbox(folder / "home", "gw")
    task = Import(tenant="acme", site="gebze", contract=contract, file_map=file_map, now=now)
    outcome = import_file(task, path, outbox)
    assert not outcome.tally.unread
    [manifest] = outcome.manifests
    table = pq.read_table(outbox.ready / f"{manifest.sequence:010d}.parquet")
    names = ["product", "date", "units", "unit_price", "promotion"]
    return list(zip(*[table[n].to_pylist() for n in names], strict=True))


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS)
def test_windows_1254_with_decimal_commas(rows) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows([p, d.strftime("%d.%m.%Y"), turkish(u), turkish(f), campaign(k)] for p, d, u, f, k in rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "satis.csv").write_bytes(text.getvalue().encode("windows-1254"))
        assert back(folder, folder / "satis.csv", "encoding: windows-1254\ndelimiter: ';'") == rows


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS)
def test_an_excel_workbook_with_typed_cells(rows) -> None:
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    for product, day, units, price, promotion in rows:
        book.active.append([f"x{product}", day, units, price, campaign(promotion)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        book.save(folder / "satis.xlsx")
        # A workbook keeps 15 or 16 digits of a number, so what was written is read back from it first.
        written = openpyxl.load_workbook(folder / "satis.xlsx").active.iter_rows(min_row=2, values_only=True)
        wanted = [
            (p, d.date(), float(u), None if f is None else float(f), {"Var": True, "Yok": False}.get(k))
            for p, d, u, f, k in written
        ]
        assert back(folder, folder / "satis.xlsx", "") == wanted


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS)
def test_a_typed_parquet_file(rows) -> None:
    columns = [list(c) for c in zip(*rows, strict=True)]
    types = [pa.string(), pa.date32(), pa.float64(), pa.float64(), pa.bool_()]
    table = pa.table([pa.array(c, t) for c, t in zip(columns, types, strict=True)], names=HEADER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(table, folder / "satis.parquet")
        assert back(folder, folder / "satis.parquet", "") == rows
