"""A map that cannot be used is refused in one line with the file, the key, the value and the remedy."""

from pathlib import Path

import pytest

from edge_sync.errors import MapError
from edge_sync.mapfile import read_map
from edge_sync.mapvalues import duration
from expectations.tables import TABLES

COLUMNS = "columns: {site: {constant: gebze}, product: urun, date: tarih, units: miktar}"
ZONE = "time_zone: Europe/Istanbul"


def read(folder: Path, text: str, contract: str = "sales"):
    path = folder / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return read_map(path, TABLES[contract])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "None is no mapping of keys to values"),
        ("- a", "['a'] is no mapping of keys to values"),
        ("a: [", "line 1, column 5"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed here"),
        (f"{ZONE}\n{ZONE}", "line 2, column 1: the key 'time_zone' stands there twice"),
        (COLUMNS, "time_zone is missing"),
        (ZONE, "columns is missing"),
        (f"{ZONE}\n{COLUMNS}\ndecimel: ','", "unknown key 'decimel'; did you mean 'decimal'?"),
        (f"{ZONE}\n{COLUMNS}\nencoding: latin5", "encoding: 'latin5' is none of utf-8, utf-8-sig, windows-1254"),
        (f"{ZONE}\n{COLUMNS}\nencoding: windows1254", "did you mean 'windows-1254'?"),
        (f"{ZONE}\n{COLUMNS}\nformat: xls", "format: 'xls' is none of csv, excel, parquet"),
        (f"{ZONE}\n{COLUMNS}\ndelimiter: ';;'", "delimiter: ';;' is no single character"),
        (f"{ZONE}\n{COLUMNS}\ndelimiter: 9", "delimiter: 9 is no single character"),
        (f"{ZONE}\n{COLUMNS}\ndecimal: 'x'", "decimal: 'x' is none of ., ,"),
        (f"{ZONE}\n{COLUMNS}\ndecimal: ','\nthousands: ','", "thousands: ',' is the decimal sign as well"),
        (f"{ZONE}\n{COLUMNS}\nheader_row: -1", "header_row: -1 is no whole number from 0"),
        (f"{ZONE}\n{COLUMNS}\nheader_row: true", "header_row: True is no whole number"),
        (f"{ZONE}\n{COLUMNS}\nkeep_extra: maybe", "keep_extra: 'maybe' is neither true nor false"),
        (
            f"{ZONE}\n{COLUMNS}\ndate_formats: dd.mm.yyyy",
            "date_formats: 'dd.mm.yyyy' holds 'dd.mm.yyyy', which is no strptime",
        ),
        (f"{ZONE}\n{COLUMNS}\ndate_formats: '%d.%Q'", "which is no strptime format"),
        (f"{ZONE}\n{COLUMNS}\nsheet: 0", "sheet: 0 is no text"),
        (f"time_zone: Istanbul\n{COLUMNS}", "time_zone: 'Istanbul' is no IANA time zone"),
        (f"time_zone: 3\n{COLUMNS}", "time_zone: 3 is no IANA time zone"),
        (f"{ZONE}\n{COLUMNS}\nknown_time: {{}}", "known_time: give one of column, at or lag"),
        (f"{ZONE}\n{COLUMNS}\nknown_time: {{lag: P1D, at: 2024-01-01}}", "known_time: give one of column, at or lag"),
        (f"{ZONE}\n{COLUMNS}\nknown_time: {{lag: 1 day}}", "known_time: lag: '1 day' is no ISO 8601 duration"),
        (f"{ZONE}\n{COLUMNS}\nknown_time: {{lag: P}}", "lag: 'P' is no ISO 8601 duration"),
        (f"{ZONE}\n{COLUMNS}\nknown_time: {{at: gestern}}", "known_time: at: 'gestern' Invalid isoformat"),
        (f"{ZONE}\n{COLUMNS}\nknown_time: {{when: 2024-01-01}}", "known_time: unknown key 'when'"),
        (f"{ZONE}\n{COLUMNS}\nfilter: [level]", "filter: ['level'] is no mapping"),
        (f"{ZONE}\n{COLUMNS}\nfilter: {{level: {{is: 9}}}}", "filter: level: unknown key 'is'"),
        (f"{ZONE}\n{COLUMNS}\nfilter: {{level: {{matches: '('}}}}", "matches: '(' is no regular expression"),
        (f"{ZONE}\n{COLUMNS}\nsplit: {{column: a, pattern: '(b)'}}", "split[1]: pattern: '(b)' has no named group"),
        (f"{ZONE}\n{COLUMNS}\nsplit: [{{column: a}}]", "split[1]: pattern is missing"),
        (f"{ZONE}\n{COLUMNS}\nwide: {{header: gun}}", "wide: name the columns that become rows"),
        (f"{ZONE}\n{COLUMNS}\nwide: {{headers: a, columns: [b]}}", "wide: name the columns that become rows"),
        (
            f"{ZONE}\n{COLUMNS}\nwide: {{headers: a, start: 2024-01-01}}",
            "wide: `step`, from one column to the next, belongs to `start`",
        ),
        (f"{ZONE}\n{COLUMNS}\nwide: {{headers: a, start: 2024, step: P1D}}", "wide: start: 2024 is no date"),
        (
            f"{ZONE}\n{COLUMNS}\nadd_up: date",
            "add_up: 'date' holds 'date', no quantity of contract sales; there are: unit_price, units",
        ),
        (f"{ZONE}\n{COLUMNS}\nadd_up: units\nkeep_extra: true", "add_up: 'units' cannot be with keep_extra"),
        (f"{ZONE}\n{COLUMNS}\njoins: {{file: a.csv, match: {{}}, take: [a]}}", "joins[1]: match: {} is no mapping"),
        (
            f"{ZONE}\n{COLUMNS}\njoins: {{file: a.csv, on: {{a: a}}, take: a}}",
            "joins[1]: the key True is no text; put it in quotes",
        ),
    ],
)
def test_a_bad_map_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MapError) as told:
        read(tmp_path, text)
    assert str(told.value).startswith(str(tmp_path / "map.yaml"))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            "{site: a, product: b, date: c}",
            "columns: units is missing; contract sales needs it (Units ordered that day)",
        ),
        ("{site: a, product: b, date: c, unit: d}", "contract sales has no column 'unit'; did you mean 'units'?"),
        ("{site: a, product: b, date: c, units: d, tenant: e}", "contract sales has no column 'tenant'"),
        (
            "{site: a, product: b, date: c, units: d, available_at: e}",
            "available_at is the known time; say where it comes from",
        ),
        ("{site: a, product: b, date: c, units: {}}", "columns: units: give either `from`"),
        ("{site: a, product: b, date: c, units: {from: d, constant: 1}}", "columns: units: give either `from`"),
        ("{site: a, product: b, date: c, units: 5}", "columns: units: 5 is no mapping"),
        ("{site: a, product: b, date: c, units: {from: d, factr: 2}}", "unknown key 'factr'; did you mean 'factor'?"),
        ("{site: a, product: b, date: c, units: {from: d, factor: many}}", "factor: 'many' is no number"),
        ("{site: a, product: b, date: c, units: {from: d, factor: {by: e, values: {}}}}", "has no mapping `values`"),
        ("{site: a, product: b, date: {from: c, factor: 2}, units: d}", "cannot be: date is date32[day], no number"),
        (
            "{site: {constant: no}, product: b, date: c, units: d}",
            "YAML reads yes, no, on and off so); put the text in quotes",
        ),
        ("{site: {from: a, values: {yes: ev}}, product: b, date: c, units: d}", "put the text in quotes"),
        ("{site: {from: a, values: []}, product: b, date: c, units: d}", "values: [] is no mapping of the file's text"),
    ],
)
def test_columns_are_held_against_the_contract(tmp_path: Path, columns: str, message: str) -> None:
    with pytest.raises(MapError) as told:
        read(tmp_path, f"{ZONE}\ncolumns: {columns}\n")
    assert message in str(told.value)


def test_a_lag_needs_an_event_time(tmp_path: Path) -> None:
    columns = "columns: {product: a, product_group: b, product_sub_group: c}"
    with pytest.raises(MapError, match="contract products has no event time to count from; use at or column"):
        read(tmp_path, f"{ZONE}\n{columns}\nknown_time: {{lag: P1D}}", "products")


def test_a_missing_map_is_told(tmp_path: Path) -> None:
    with pytest.raises(MapError, match=r"nowhere\.yaml: no such file"):
        read_map(tmp_path / "nowhere.yaml", TABLES["sales"])


def test_a_map_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_bytes("about: ürün".encode("cp1254"))
    with pytest.raises(MapError, match="cannot be read"):
        read_map(tmp_path / "map.yaml", TABLES["sales"])


def test_a_map_is_frozen(tmp_path: Path) -> None:
    made = read(tmp_path, f"{ZONE}\n{COLUMNS}")
    with pytest.raises(AttributeError):
        made.keep_extra = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "days"), [("P1D", 1), ("-P365D", -365), ("P2W", 14), ("PT36H", 1.5), ("P1DT12H", 1.5), ("PT720M", 0.5)]
)
def test_durations(text: str, days: float) -> None:
    assert duration(text).total_seconds() == days * 86400
