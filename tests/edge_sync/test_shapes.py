"""Wide tables, splits, joins, filters and extras: the source is drawn, and what lands stands beside it."""

import pytest

from edge_sync.errors import EdgeError, SourceError


def rows(table, *names) -> list[tuple]:
    return sorted(tuple(str(v) for v in row.values()) for row in table.select(names).to_pylist())


COLUMNS = "columns: {site: {constant: g}, product: urun, date: tarih, units: miktar}"


def test_dates_in_the_header_become_rows(gateway) -> None:
    text = """
urun;01.01.2024;02.01.2024;not
A;1;2;x
B;;4,5;
""".lstrip()
    made = (
        "delimiter: ';'\ndecimal: ','\ndate_formats: '%d.%m.%Y'\n"
        "wide: {headers: '\\d\\d\\.\\d\\d\\.\\d{4}', header: tarih, value: miktar}\n" + COLUMNS
    )
    outcome = gateway.run(text, made)
    [(_, table)] = gateway.pairs()
    assert rows(table, "product", "date", "units") == [
        ("A", "2024-01-01", "1.0"),
        ("A", "2024-01-02", "2.0"),
        ("B", "2024-01-02", "4.5"),
    ]
    assert outcome.tally.empty == 1


def test_an_empty_cell_of_the_wide_form_is_a_row_if_the_map_says_so(gateway) -> None:
    made = "wide: {columns: ['2024-01-01'], header: tarih, value: miktar, keep_empty: true}\n" + COLUMNS
    assert gateway.landed("urun,2024-01-01\nA,\n", made)["units"].to_pylist() == [None]


def test_a_group_of_the_pattern_is_what_the_header_says(gateway) -> None:
    made = "wide: {headers: 'Adet (\\d{4}-\\d\\d-\\d\\d)', header: tarih, value: miktar}\n" + COLUMNS
    assert rows(gateway.landed("urun,Adet 2024-01-01,Adet 2024-01-02\nA,1,2\n", made), "date", "units") == [
        ("2024-01-01", "1.0"),
        ("2024-01-02", "2.0"),
    ]


def test_a_series_in_each_column(gateway) -> None:
    made = "wide: {columns: [A, B], header: urun, value: miktar}\n" + COLUMNS
    assert rows(gateway.landed("tarih,A,B\n2024-01-01,1,2\n", made), "product", "units") == [("A", "1.0"), ("B", "2.0")]


def test_columns_without_dates_are_counted_from_a_start(gateway) -> None:
    made = "wide: {headers: 'W\\d+', header: tarih, value: miktar, start: 2024-01-01, step: P7D}\n" + COLUMNS
    assert rows(gateway.landed("urun,W1,W2,W3\nA,1,,3\n", made), "date", "units") == [
        ("2024-01-01", "1.0"),
        ("2024-01-15", "3.0"),
    ]


def test_an_unreadable_cell_of_the_wide_form_is_found_by_row_and_header(gateway) -> None:
    made = "wide: {headers: '2024.*', header: tarih, value: miktar}\n" + COLUMNS
    outcome = gateway.run("urun,2024-01-01,2024-01-02\nA,1,2\nB,3,x\n", made)
    assert [(p.row, p.column, p.text) for p in outcome.tally.places] == [(3, "2024-01-02", "x")]


def test_one_column_becomes_two(gateway) -> None:
    made = "split: {column: seri, pattern: '(?P<urun>[A-Z]+_\\d)/(?P<magaza>.+)'}\n" + COLUMNS.replace(
        "{constant: g}", "magaza"
    )
    table = gateway.landed("seri,tarih,miktar\nFOODS_1/CA_1,2024-01-01,5\n", made)
    assert rows(table, "site", "product", "units") == [("CA_1", "FOODS_1", "5.0")]


def test_a_text_that_the_pattern_does_not_fit_is_unreadable(gateway) -> None:
    made = "split: {column: seri, pattern: '(?P<urun>[A-Z]+)/(?P<magaza>.+)'}\n" + COLUMNS.replace(
        "{constant: g}", "magaza"
    )
    outcome = gateway.run("seri,tarih,miktar\nA/B,2024-01-01,5\nAB,2024-01-01,5\n", made)
    assert [(p.row, p.text) for p in outcome.tally.places] == [(3, "AB"), (3, "AB")]
    assert outcome.tally.unread == {"site": 1, "product": 1}


def test_a_second_file_gives_a_column(gateway) -> None:
    gateway.write("depolar.csv", "kod;yer\n10;Gebze\n20;Bursa\n")
    made = "joins: {file: depolar.csv, delimiter: ';', match: {depo: kod}, take: yer}\n" + COLUMNS.replace(
        "{constant: g}", "yer"
    )
    table = gateway.landed("depo,urun,tarih,miktar\n20,A,2024-01-01,5\n10,A,2024-01-01,6\n", made)
    assert rows(table, "site", "units") == [("Bursa", "5.0"), ("Gebze", "6.0")]


def test_a_second_file_may_be_found_by_two_columns(gateway) -> None:
    gateway.write("f.csv", "u,d,fiyat\nA,1,10\nA,2,20\n")
    made = "joins: {file: f.csv, match: {urun: u, depo: d}, take: fiyat}\n" + COLUMNS[:-1] + ", unit_price: fiyat}"
    table = gateway.landed("depo,urun,tarih,miktar\n2,A,2024-01-01,5\n1,A,2024-01-01,6\n", made)
    assert rows(table, "units", "unit_price") == [("5.0", "20.0"), ("6.0", "10.0")]


def test_a_row_becomes_one_for_each_row_that_it_finds(gateway) -> None:
    gateway.write("magazalar.csv", "eyalet,magaza\nCA,CA_1\nCA,CA_2\nTX,TX_1\n")
    made = "joins: {file: magazalar.csv, match: {eyalet: eyalet}, take: magaza, many: true}\n" + COLUMNS.replace(
        "{constant: g}", "magaza"
    )
    table = gateway.landed("eyalet,urun,tarih,miktar\nCA,A,2024-01-01,5\nTX,A,2024-01-01,6\n", made)
    assert rows(table, "site", "units") == [("CA_1", "5.0"), ("CA_2", "5.0"), ("TX_1", "6.0")]


def test_a_key_that_stands_twice_in_the_second_file_is_told(gateway) -> None:
    gateway.write("m.csv", "e,magaza\nCA,CA_1\nCA,CA_2\n")
    made = "joins: {file: m.csv, match: {eyalet: e}, take: magaza}\n" + COLUMNS
    with pytest.raises(SourceError, match=r"m\.csv: row 3: 'CA' stands there twice; mend it, or say `many: true`"):
        gateway.run("eyalet,urun,tarih,miktar\nCA,A,2024-01-01,5\n", made)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("e,ad\nCA,x\n", "m.csv: no column 'magaza'"),
        ("e,magaza\nCA\n", "m.csv: row 2: 'CA' has not the fields"),
        ("e,magaza\n", "no rows"),
    ],
)
def test_a_second_file_that_does_not_serve_is_told(gateway, content, message) -> None:
    gateway.write("m.csv", content)
    with pytest.raises(EdgeError, match=r"m\.csv") as told:
        gateway.run(
            "eyalet,urun,tarih,miktar\nCA,A,2024-01-01,5\n",
            "joins: {file: m.csv, match: {eyalet: e}, take: magaza}\n" + COLUMNS,
        )
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("{seviye: 9}", "AB"),
        ("{seviye: [1, 9]}", "ABC"),
        ("{seviye: 9, miktar: 2}", "B"),
        ("{seviye: {none_of: [1, 9]}}", "D"),
        ("{seviye: {empty: false}}", "ABC"),
        ("{seviye: {empty: true}}", "D"),
        ("{urun: {matches: '[A-C]'}}", "ABC"),
        ("{tarih: 2024-01-01}", "ACD"),
    ],
)
def test_a_filter_keeps_the_rows_it_names(gateway, condition, kept) -> None:
    text = "seviye,urun,tarih,miktar\n9,A,2024-01-01,1\n9,B,2024-01-02,2\n1,C,2024-01-01,3\n,D,2024-01-01,4\n"
    outcome = gateway.run(text, f"filter: {condition}\n{COLUMNS}")
    [(_, table)] = gateway.pairs()
    assert "".join(table["product"].to_pylist()) == kept
    assert outcome.tally.filtered == 4 - len(kept)


def test_a_number_of_a_typed_file_is_filtered_by_its_value(gateway) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = gateway.folder / "s.parquet"
    pq.write_table(pa.table({"s": [9.0, 9.5], "urun": ["A", "B"], "tarih": ["2024-01-01"] * 2, "miktar": [1, 2]}), path)
    assert gateway.landed(path, f"filter: {{s: 9}}\n{COLUMNS}")["product"].to_pylist() == ["A"]


def test_of_many_rows_only_the_first_of_each_key_counts(gateway) -> None:
    text = "urun,grup,tarih\n" + "".join(f"P{i % 3},G{i % 3},2024-01-{i % 28 + 1:02d}\n" for i in range(200_000))
    made = "once_per: urun\ncolumns: {product: urun, product_group: grup, product_sub_group: grup}"
    assert rows(gateway.landed(text, made, "products"), "product", "product_group") == [
        ("P0", "G0"),
        ("P1", "G1"),
        ("P2", "G2"),
    ]


@pytest.mark.parametrize(("keep", "extras"), [("true", ["depo", "not"]), ("false", [])])
def test_columns_that_are_not_mapped_travel_if_the_map_says_so(gateway, keep, extras) -> None:
    table = gateway.landed("depo,urun,tarih,miktar,not\n10,A,2024-01-01,1,bozuk\n", f"keep_extra: {keep}\n{COLUMNS}")
    wanted = ["site", "product", "date", "units", "unit_price", "promotion", "available_at"]
    assert table.column_names == wanted + extras
    assert [table[e][0].as_py() for e in extras] == (["10", "bozuk"] if extras else [])


@pytest.mark.parametrize(("factor", "units"), [("12", 24.0), ("0.001", 0.002)])
def test_a_factor_turns_the_files_unit_into_the_contracts(gateway, factor, units) -> None:
    made = COLUMNS.replace("units: miktar", f"units: {{from: miktar, factor: {factor}}}")
    assert gateway.landed("urun,tarih,miktar\nA,2024-01-01,2\n", made)["units"].to_pylist() == [units]


def test_what_lands_has_the_contracts_schema(gateway) -> None:
    from expectations.tables import TABLES

    table = gateway.landed("urun,tarih,miktar\nA,2024-01-01,2\n", COLUMNS)
    assert table.schema.remove_metadata() == TABLES["sales"].landing_schema


def test_a_column_with_a_null_is_nullable_so_that_the_row_travels(gateway) -> None:
    table = gateway.landed("urun,tarih,miktar\nA,2024-01-01,\n", COLUMNS)
    assert table.schema.field("units").nullable
    assert not table.schema.field("product").nullable


def test_rows_that_share_their_key_are_counted(gateway) -> None:
    outcome = gateway.run(
        "urun,tarih,miktar\nA,2024-01-01,2\nA,2024-01-01,3\nB,2024-01-01,\n,2024-01-01,1\n,2024-01-01,1\n", COLUMNS
    )
    assert outcome.duplicate_keys == 2


ADD_UP = "add_up: units\n" + COLUMNS


def test_order_lines_of_a_day_are_added_up(gateway) -> None:
    text = "urun,tarih,miktar\nA,2024-01-01,2\nB,2024-01-01,5\nA,2024-01-01,3\nA,2024-01-02,1\n"
    outcome = gateway.run(text, ADD_UP)
    [(_, table)] = gateway.pairs()
    assert rows(table, "product", "date", "units") == [
        ("A", "2024-01-01", "5.0"),
        ("A", "2024-01-02", "1.0"),
        ("B", "2024-01-01", "5.0"),
    ]
    assert (outcome.tally.read, outcome.tally.landed, outcome.tally.merged) == (4, 3, 1)


def test_what_cannot_be_added_up_travels_as_it_is(gateway) -> None:
    outcome = gateway.run(
        "urun,tarih,miktar\nA,2024-01-01,2\nA,2024-01-01,x\nA,2024-01-01,\n,2024-01-01,4\nA\n", ADD_UP
    )
    [(_, table)] = gateway.pairs()
    assert sorted(map(str, table["units"].to_pylist())) == ["2.0", "4.0", "None", "None", "None"]
    assert outcome.tally.landed == 5


def test_adding_up_goes_over_the_pieces_of_a_long_file(gateway, monkeypatch) -> None:
    monkeypatch.setattr("edge_sync.addup._HOLD", 1000)
    text = "urun,tarih,miktar,k\n" + "".join(f"P{i % 7},2024-01-01,1,2024-01-{i % 9 + 1:02d}\n" for i in range(300_000))
    table = gateway.landed(text, ADD_UP + "\nknown_time: {column: k}\n")
    assert sum(table["units"].to_pylist()) == 300_000
    assert table.num_rows == 7
    assert {t.isoformat() for t in table["available_at"].to_pylist()} == {"2024-01-08T21:00:00+00:00"}  # the latest
