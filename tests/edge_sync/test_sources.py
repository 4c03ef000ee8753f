"""A file that cannot be read as its map says is refused in one line, and nothing of it is in the outbox."""

import json
import shutil
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge_sync.errors import SourceError
from edge_sync.land import UNREAD

HEAD = "tarih,urun,miktar\n"
GOOD = HEAD + "2024-01-01,A,1\n2024-01-02,A,2\n"
COLUMNS = "columns: {site: {constant: gebze}, product: urun, date: tarih, units: miktar}"
KEYS = ("product", "units")


def refused(gateway, source, map_text=COLUMNS, **more) -> str:
    with pytest.raises(SourceError) as told:
        gateway.run(source, map_text, **more)
    assert gateway.outbox.waiting() == []
    assert list(gateway.outbox.ready.iterdir()) == []
    assert list(gateway.outbox.staging.iterdir()) == []
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (b"", "", "sales.csv: is empty (0 bytes)"),
        (HEAD.encode(), "", "has no rows below its header"),
        (b"\n\n", "", "row 1 is empty; say `header_row` in the map"),
        (b",,\n1,2,3\n", "", "row 1 is empty; say `header_row` in the map"),
        (GOOD.encode(), "header_row: 9", "row 9 is empty"),
        (
            b"tarih,urun,adet\n2024-01-01,A,1\n",
            "",
            "no column 'miktar', which map.yaml names; there are: adet, tarih, urun",
        ),
        (
            b"tarih,urun,Miktar\n2024-01-01,A,1\n",
            "",
            "no column 'miktar', which map.yaml names; did you mean 'Miktar'?",
        ),
        ("tarih,urun,miktar\n2024-01-01,Süt,1\n".encode("cp1254"), "", "line 2: byte 0xFC at position 30 is not utf-8"),
        ("tarih,urun,miktar\n2024-01-01,Süt,1\n".encode("cp1254"), "", "say `encoding: windows-1254` in the map"),
        (GOOD.replace("A", "Süt").encode(), "encoding: windows-1254", "is UTF-8, not windows-1254 as the map says"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "encoding: windows-1254", "is UTF-8 (it begins with its mark)"),
        (GOOD.encode("utf-16"), "", "is UTF-16 (it begins with its mark); say `encoding: utf-16`"),
        (
            GOOD.encode() + b"2024-01-03,\x8d,3\n",
            "encoding: windows-1254",
            "line 4: byte 0x8D at position 59 is not windows-1254",
        ),
        (GOOD.encode() + b'2024-01-03,A,"3\n2024-01-04,A,4\n', "", "row 4: a quote is opened and never closed"),
        (
            GOOD.encode() + b'2024-01-03,A,"3\n' + b"2024-01-04,A,4\n" * 700_000,
            "",
            "a quote is opened and never closed",
        ),
        (HEAD.encode() + b"2024-01-01,A,1,5\n" * 1200, "", "row 2: 4 fields under a header of 3, and so in every row"),
        (HEAD.encode() + b'2024-01-01,A,"1,5"\n' * 20, "", "none of 20 values for 'units' could be read, first '1,5'"),
        (
            HEAD.encode() + b"01.02.2024,A,1\n" * 20,
            "",
            "none of 20 values for 'date' could be read, first '01.02.2024'",
        ),
        (
            GOOD.encode(),
            "filter: {urun: B}",
            "of 2 rows nothing is left to import; its filter lets none through (map.yaml)",
        ),
        (GOOD.encode(), "wide: {headers: 'V.*'}", "no header fits the pattern 'V.*' of `wide`"),
        (
            GOOD.encode(),
            "keep_extra: true\nsplit: {column: urun, pattern: '(?P<units>.)'}",
            "has the name of a column of sales",
        ),
        (
            GOOD.encode(),
            "split: {column: urun, pattern: '(?P<tarih>.)'}",
            "makes a column 'tarih', but the file has one",
        ),
        (GOOD.encode(), "split: {column: mal, pattern: '(?P<a>.)'}", "no column 'mal'"),
        (GOOD.encode(), "filter: {depo: 1}", "no column 'depo'"),
        (GOOD.encode(), "known_time: {column: kayit}", "no column 'kayit'"),
        (GOOD.encode(), "joins: {file: yok.csv, match: {urun: kod}, take: ad}", "yok.csv: no such file"),
    ],
)
def test_a_text_that_cannot_be_read_is_told(gateway, content, settings, message) -> None:
    assert message in refused(gateway, content, f"{settings}\n{COLUMNS}")


def test_a_missing_file_is_told(gateway) -> None:
    assert "nowhere.csv: no such file" in refused(gateway, gateway.folder / "nowhere.csv")


def test_a_folder_is_told(gateway) -> None:
    (gateway.folder / "exports.csv").mkdir()
    assert "is a folder; name the files in it" in refused(gateway, gateway.folder / "exports.csv")


def test_an_unknown_ending_is_told(gateway) -> None:
    assert "its ending tells no format; say `format: csv`" in refused(gateway, gateway.write("sales.dat", GOOD))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sales.xlsx", "is no workbook that can be opened (invalid Zip archive"),
        ("sales.xls", "open it in a spreadsheet and save it as .xlsx"),
        ("sales.parquet", "is no Parquet file"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_told(gateway, name, message) -> None:
    assert message in refused(gateway, gateway.write(name, GOOD))


def test_a_truncated_parquet_file_is_told(gateway) -> None:
    path = gateway.folder / "sales.parquet"
    pq.write_table(pa.table({"urun": ["A"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "sales.parquet: is no Parquet file" in refused(gateway, path)


def test_a_damaged_parquet_page_is_told(gateway) -> None:
    path = gateway.folder / "sales.parquet"
    table = pa.table({"tarih": ["2024-01-01"] * 1000, "urun": [f"P{i}" for i in range(1000)], "miktar": [1.0] * 1000})
    pq.write_table(table, path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[40:900] = b"\x00" * 860
    path.write_bytes(bytes(content))
    assert "sales.parquet: after row 0: " in refused(gateway, path)


def workbook(path: Path, **sheets) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("sheet: Satis", "no sheet 'Satis'; did you mean 'Satış'?"),
        ("sheet: 4", "no sheet number 4; it has 2: Boş, Satış"),
        ("sheet: Boş", "row 1 is empty"),
        ("sheet: Satış\nheader_row: 0", "a sheet needs a header row"),
    ],
)
def test_a_wrong_sheet_is_told(gateway, settings, message) -> None:
    path = workbook(gateway.folder / "sales.xlsx", Boş=[], Satış=[["tarih", "urun", "miktar"], ["2024-01-01", "A", 1]])
    assert message in refused(gateway, path, f"{settings}\n{COLUMNS}")


def test_a_file_that_grows_while_it_is_read_is_told(gateway) -> None:
    path = gateway.write("sales.csv", GOOD)

    def grow(_rows, _share) -> None:
        path.write_text(GOOD + "2024-01-03,A,3\n")

    assert "changed while it was read" in refused(gateway, path, progress=grow)


# ------------------------------------------------------------------ rows that cannot be read travel with their text


def test_an_unreadable_cell_lands_as_null_with_its_text(gateway) -> None:
    outcome = gateway.run(HEAD + "2024-01-01,A,1\n2024-01-02,A,abc\n2024-13-01,B,2\n", COLUMNS)
    [(_, table)] = gateway.pairs()
    assert table["units"].to_pylist() == [1.0, None, 2.0]
    assert [t and json.loads(t) for t in table[UNREAD].to_pylist()] == [None, {"units": "abc"}, {"date": "2024-13-01"}]
    assert outcome.tally.unread == {"date": 1, "units": 1}
    assert [(p.row, p.column, p.text) for p in outcome.tally.places] == [
        (4, "tarih", "2024-13-01"),
        (3, "miktar", "abc"),
    ]


def test_a_file_without_unreadable_cells_has_no_column_for_them(gateway) -> None:
    assert UNREAD not in gateway.landed(GOOD, COLUMNS).column_names


def test_a_row_with_another_number_of_fields_lands_with_its_whole_text(gateway) -> None:
    outcome = gateway.run(HEAD + "2024-01-01,A,1\n2024-01-02,A\n2024-01-03,A,3,9\n\n2024-01-05,A,5\n", COLUMNS)
    [(_, table)] = gateway.pairs()
    assert sorted(table["units"].to_pylist(), key=str) == [1.0, 5.0, None, None]
    assert [json.loads(t) for t in table[UNREAD].to_pylist() if t] == [
        {"_row": "2024-01-02,A"},
        {"_row": "2024-01-03,A,3,9"},
    ]
    assert [p.row for p in outcome.tally.places] == [3, 4]
    assert (outcome.tally.read, outcome.tally.landed, outcome.tally.blank, outcome.tally.ragged) == (5, 4, 1, 2)


def test_rows_after_ragged_ones_keep_their_numbers(gateway) -> None:
    rows = [f"2024-01-01,A,{i}" if i % 1000 else "kaputt" for i in range(2, 200_000)]
    rows[150_000 - 2] = "2024-01-01,A,150000x"
    outcome = gateway.run(HEAD + "\n".join(rows), COLUMNS)
    assert outcome.tally.ragged == 198
    assert next(p for p in outcome.tally.places if p.column == "miktar").row == 150_000


def test_an_unknown_unit_is_unreadable_and_says_the_unit(gateway) -> None:
    units = "columns: {site: {constant: g}, product: urun, date: tarih, units: {from: miktar, factor: {by: birim, values: {ADET: 1, DZ: 12}}}}"
    table = gateway.landed(
        "tarih,urun,miktar,birim\n2024-01-01,A,1,ADET\n2024-01-01,B,2,DZ\n2024-01-01,C,3,KOLI\n", units
    )
    assert table["units"].to_pylist() == [1.0, 24.0, None]
    assert json.loads(table[UNREAD][2].as_py()) == {"units": "3 KOLI"}


def test_a_key_that_the_second_file_lacks_is_unreadable_and_says_the_key(gateway) -> None:
    gateway.write("mallar.csv", "kod,ad\nA,elma\n")
    joined = "joins: {file: mallar.csv, match: {urun: kod}, take: ad}\ncolumns: {site: {constant: g}, product: ad, date: tarih, units: miktar}"
    table = gateway.landed(HEAD + "2024-01-01,A,1\n2024-01-01,B,2\n", joined)
    assert table["product"].to_pylist() == ["elma", None]
    assert json.loads(table[UNREAD][1].as_py()) == {"product": "B"}


# ------------------------------------------------------------------ what reads


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (GOOD, ""),
        ("\ufeff" + GOOD, ""),
        ("\ufeff" + GOOD, "encoding: utf-8-sig"),
        (GOOD.replace("\n", "\r\n"), ""),
        (GOOD.rstrip("\n"), ""),
        (GOOD + "\n\n,,\n", ""),
        (GOOD.replace(",", ";"), "delimiter: ';'"),
        (GOOD.replace(",", "\t"), 'delimiter: "\\t"'),
        ("Satış raporu\n\n" + GOOD, "header_row: 3"),
        (HEAD + "gün,kod,adet\n" + GOOD.removeprefix(HEAD), "skip_rows: 1"),
        (HEAD + '"2024-01-01","A","1"\n2024-01-02, A ,\u00a02 \n', ""),
        (
            'tarih,urun,"mik\ntar"\n2024-01-01,A,1\n2024-01-02,A,2\n',
            'columns: {site: {constant: g}, product: urun, date: tarih, units: "mik\\ntar"}',
        ),
        (" tarih , urun,miktar\n2024-01-01,A,1\n2024-01-02,A,2\n", ""),
    ],
)
def test_texts_that_say_the_same(gateway, content, settings) -> None:
    table = gateway.landed(content, settings if "columns" in settings else f"{settings}\n{COLUMNS}")
    assert table.select(KEYS).to_pydict() == {"product": ["A", "A"], "units": [1.0, 2.0]}


def test_a_file_without_a_header(gateway) -> None:
    made = "header_row: 0\ncolumns: {site: {constant: g}, product: column_2, date: column_1, units: column_3}"
    assert gateway.landed(GOOD.removeprefix(HEAD), made)["units"].to_pylist() == [1.0, 2.0]


def test_a_repeated_header_gets_its_count(gateway) -> None:
    made = COLUMNS.replace("miktar", "miktar.2")
    assert gateway.landed("tarih,urun,miktar,miktar\n2024-01-01,A,1,7\n", made)["units"].to_pylist() == [7.0]


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1254", "iso-8859-9", "utf-16"])
def test_turkish_letters_in_every_encoding(gateway, encoding) -> None:
    path = gateway.write("sales.csv", HEAD + "2024-01-01,Şişe ığüçö İ,1\n", encoding)
    assert gateway.landed(path, f"encoding: {encoding}\n{COLUMNS}")["product"].to_pylist() == ["Şişe ığüçö İ"]


def test_a_letter_cut_by_the_readers_blocks(gateway) -> None:
    rows = "".join(f"2024-01-01,Ürün-ş{i},1\n" for i in range(200_000))
    table = gateway.landed(HEAD + rows, COLUMNS)
    assert table["product"].to_pylist() == [f"Ürün-ş{i}" for i in range(200_000)]


def test_a_quote_that_is_only_an_inch_is_no_quote(gateway) -> None:
    assert gateway.landed(HEAD + '2024-01-01,7" boru,1\n', f"quote: none\n{COLUMNS}")["product"].to_pylist() == [
        '7" boru'
    ]


def test_texts_that_mean_nothing_are_null(gateway) -> None:
    table = gateway.landed(
        "tarih,urun,miktar,f\n2024-01-01,A,1,-\n", f"empty_values: ['-', YOK]\n{COLUMNS[:-1]}, unit_price: f}}"
    )
    assert table["unit_price"].to_pylist() == [None]
    assert UNREAD not in table.column_names


def test_an_excel_sheet_with_typed_cells(gateway) -> None:
    from datetime import datetime

    rows = [
        ["rapor"],
        ["tarih", "urun", "miktar", None],
        [datetime(2024, 1, 1), 1001, 1.5],
        [None, None],
        ["02.01.2024", "A-7", "2,5"],
    ]
    path = workbook(gateway.folder / "sales.xlsx", Satış=rows)
    table = gateway.landed(path, f"header_row: 2\ndecimal: ','\nthousands: '.'\ndate_formats: '%d.%m.%Y'\n{COLUMNS}")
    assert [str(d) for d in table["date"].to_pylist()] == ["2024-01-01", "2024-01-02"]
    assert table.select(KEYS).to_pydict() == {"product": ["1001", "A-7"], "units": [1.5, 2.5]}


def test_an_old_xls_workbook_is_read(gateway) -> None:
    """The file: an empty row, a title, the header in row 3, then dates and codes as Excel 97 keeps them."""
    shutil.copy(Path(__file__).with_name("satis.xls"), gateway.folder / "satis.xls")
    table = gateway.landed(gateway.folder / "satis.xls", f"sheet: Satış\nheader_row: 3\ndecimal: ','\n{COLUMNS}")
    assert [str(d) for d in table["date"].to_pylist()] == ["2024-01-01", "2024-01-02"]
    assert table.select(KEYS).to_pydict() == {"product": ["1001", "A-7"], "units": [1.5, 2.0]}


def test_a_cell_beyond_an_excel_header_keeps_the_row_whole(gateway) -> None:
    path = workbook(
        gateway.folder / "sales.xlsx",
        S=[["tarih", "urun", "miktar"], ["2024-01-01", "A", 1, "?"], ["2024-01-02", "A", 2]],
    )
    table = gateway.landed(path, COLUMNS)
    assert [json.loads(t) for t in table[UNREAD].to_pylist() if t] == [{"_row": "2024-01-01,A,1,?"}]


def test_a_parquet_file_keeps_its_types(gateway) -> None:
    from datetime import date, datetime

    source = pa.table(
        {
            "tarih": pa.array([datetime(2024, 1, 1), datetime(2024, 1, 2)], pa.timestamp("ns")),
            "urun": pa.array([7, 8], pa.int32()).dictionary_encode(),
            "miktar": pa.array(["1.50", "2.25"]).cast(pa.decimal128(10, 2)),
            "fiyat": pa.array([1.25, float("nan")]),
        }
    )
    pq.write_table(source, gateway.folder / "sales.parquet")
    table = gateway.landed(gateway.folder / "sales.parquet", f"decimal: ','\n{COLUMNS[:-1]}, unit_price: fiyat}}")
    assert table.select(["product", "date", "units", "unit_price"]).to_pydict() == {
        "product": ["7", "8"],
        "date": [date(2024, 1, 1), date(2024, 1, 2)],
        "units": [1.5, 2.25],
        "unit_price": [1.25, None],
    }
