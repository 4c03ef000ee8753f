"""Weekly files: how weeks are written, what is left out, and one file for several tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_sync import cli
from edge_sync.errors import MapError
from edge_sync.mapfile import read_maps
from expectations.tables import TABLES

ZONE = "time_zone: Europe/Istanbul\n"
COLUMNS = "columns: {site: {constant: gebze}, product: product, date: week, units: units}"
TWO = f"""{ZONE}imports:
  - {{contract: sales, {COLUMNS}}}
  - contract: sites
    once_per: []
    columns: {{site: {{constant: gebze}}, country: {{constant: TR}}, time_zone: {{constant: Europe/Istanbul}}}}
"""
FILE = "week,product,units\n2024-W05,A,3\n2024-W06,A,4\n"


@pytest.mark.parametrize(
    ("text", "settings", "day"),
    [
        ("2024-W05", "", date(2024, 1, 29)),
        ("2024W05", "", date(2024, 1, 29)),
        ("2020-W53", "", date(2020, 12, 28)),
        ("2021-W53", "", None),  # that year has none
        ("2024-W5", "", None),
        ("KW 5/2024", "date_formats: 'KW %V/%G'", date(2024, 1, 29)),
        ("5. hafta 2024", "date_formats: '%V. hafta %G'", date(2024, 1, 29)),
        ("2024-W05-7", "date_formats: '%G-W%V-%u'", date(2024, 2, 4)),
        ("04.02.2024", "date_formats: '%d.%m.%Y'", date(2024, 2, 4)),  # dated by the Sunday: as it is
    ],
)
def test_a_week_is_read_as_its_monday(column: Callable[..., list[Any]], text: str, settings: str, day: date) -> None:
    assert column("date", [text], settings) == [day]


def test_all_columns_but_some_become_rows(gateway: Any) -> None:
    wide = f"wide: {{all_but: [week, TOTAL], header: product, value: units}}\n{COLUMNS}"
    table = gateway.landed('week,A,B,TOTAL\n2024-W05,"1,200",5,"1,205"\n', f"thousands: ','\n{wide}")
    assert table["product"].to_pylist() == ["A", "B"]
    assert table["units"].to_pylist() == [1200, 5]


def test_a_column_to_leave_out_that_is_not_there_is_told(gateway: Any) -> None:
    wide = f"wide: {{all_but: [week, SUM], header: product, value: units}}\n{COLUMNS}"
    with pytest.raises(Exception, match="no column 'SUM', which"):
        gateway.landed("week,A,TOTAL\n2024-W05,1,1\n", wide)


def test_series_that_end_together_are_counted_back_over_their_gaps(gateway: Any) -> None:
    wide = "wide: {headers: 'W.*', header: week, value: units, end: 2024-01-15, step: P7D}"
    table = gateway.landed("product,W1,W2,W3\nA,5,,7\nB,8,9,\nC,,,\n", f"{wide}\n{COLUMNS}")
    rows = zip(*(table[name].to_pylist() for name in ("product", "date", "units")), strict=True)
    end, week = date(2024, 1, 15), timedelta(days=7)
    assert set(rows) == {("A", end - 2 * week, 5.0), ("A", end, 7.0), ("B", end - week, 8.0), ("B", end, 9.0)}


def test_a_map_of_several_tables_names_each(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(TWO)
    made = read_maps(tmp_path / "map.yaml", None, TABLES)
    assert [m.contract.name for m in made] == ["sales", "sites"]
    assert {m.notation.time_zone.key for m in made} == {"Europe/Istanbul"}, "what stands beside counts for all"
    assert [m.contract.name for m in read_maps(tmp_path / "map.yaml", TABLES["sites"], TABLES)] == ["sites"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ZONE + COLUMNS, "names no `imports`: say by --contract which table its rows are for"),
        (f"{ZONE}imports: []", "imports: [] is no list of maps, each with its `contract`"),
        (f"{ZONE}imports: [{{{COLUMNS}}}]", "imports[1]: contract is missing"),
        (f"{ZONE}imports: [{{contract: sale, {COLUMNS}}}]", "imports[1]: contract: 'sale' is none of sales"),
        (f"{ZONE}imports: [{{contract: sales, colums: 3}}]", "imports[1]: columns is missing"),
        (f"{ZONE}imports: [{{contract: sales, delimter: ;, {COLUMNS}}}]", "imports[1]: unknown key 'delimter'"),
    ],
)
def test_a_bad_list_of_maps_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(MapError) as told:
        read_maps(tmp_path / "map.yaml", None, TABLES)
    assert str(told.value).startswith(str(tmp_path / "map.yaml"))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "wide",
    [
        "{all_but: [a], columns: [b]}",
        "{headers: a, start: 2024-01-01, end: 2024-02-01, step: P7D}",
        "{headers: a, end: 2024-02-01}",
        "{headers: a, end: 2024-02-01, step: P7D, keep_empty: true}",
    ],
)
def test_what_a_wide_form_cannot_be_is_told(tmp_path: Path, wide: str) -> None:
    (tmp_path / "map.yaml").write_text(f"{ZONE}{COLUMNS}\nwide: {wide}")
    with pytest.raises(MapError, match="wide: "):
        read_maps(tmp_path / "map.yaml", TABLES["sales"], TABLES)


def test_one_command_brings_a_file_to_the_landing_bucket(
    settings: Any, s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "map.yaml").write_text(TWO)
    (tmp_path / "weeks.csv").write_text(FILE)
    monkeypatch.setattr(cli.settings_module, "load", lambda *_: settings)
    arguments = ["import", "--tenant", "edge-weeks", "--site", "gebze", "--gateway", "gw", "--map", "map.yaml"]
    monkeypatch.chdir(tmp_path)
    cli.cli.main([*arguments, "weeks.csv", "--sync"], standalone_mode=False)
    assert "gw: 2 objects sent, 3 rows" in capsys.readouterr().out
    found = s3_server.admin.client().list_objects_v2(Bucket="landing", Prefix="edge-weeks/")["Contents"]
    assert {o["Key"].split("/")[2] for o in found if o["Key"].endswith(".parquet")} == {"sales", "sites"}
