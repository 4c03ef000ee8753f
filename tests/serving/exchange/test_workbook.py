"""The plan as a workbook, and what somebody changed in it: only that, however rows and columns were moved about."""

import io
import shutil
import subprocess
from datetime import date, datetime

import pandas as pd
import pytest
from books import DATES, LINES, SECRET, cells, edited, found, made
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from serving.exchange.edits import Bad, Edit
from serving.exchange.origin import opened
from serving.exchange.reading import Sheets
from serving.exchange.workbook import Line
from serving.identity.secret import Secret
from serving.problems import Problem


def book(body):
    return load_workbook(io.BytesIO(body))


@pytest.mark.parametrize(
    ("language", "sheets", "headings", "form"),
    [
        ("tr", ["Plan", "Temel tahmin", "Açıklama", "_uretimiq"], ["Tesis", "Ürün", "Ürün adı"], "dd.mm.yyyy"),
        ("en", ["Plan", "Baseline", "About", "_uretimiq"], ["Site", "Product", "Product name"], "yyyy-mm-dd"),
    ],
)
def test_headings_are_in_the_language_and_dates_are_dates(language, sheets, headings, form):
    read = book(made(language=language))

    first = [cell.value for cell in read["Plan"][1]]
    assert (read.sheetnames, first[:3], first[3:]) == (
        sheets,
        headings,
        [datetime.combine(day, datetime.min.time()) for day in DATES],
    )
    assert {cell.number_format for cell in read["Plan"][1][3:]} == {form}
    assert read["Plan"].freeze_panes == "D2"


def test_units_are_numbers_and_codes_are_texts():
    sheet = book(made())["Plan"]

    assert [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)] == [
        [line.site, line.product, line.name, *line.final] for line in LINES
    ]
    assert [sheet[cell].data_type for cell in ("D2", "B4", "C4")] == ["n", "s", "s"]


def test_what_is_overridden_stands_out_and_the_baseline_is_on_a_sheet_of_its_own():
    read = book(made())

    plan, baseline = read["Plan"], read["Baseline"]
    assert [plan[cell].font.b for cell in ("D2", "E2")] == [False, True]
    assert plan["E2"].fill.start_color.rgb != plan["D2"].fill.start_color.rgb
    assert (plan["E2"].value, baseline["E2"].value) == (99, 11)
    assert (plan.protection.sheet, baseline.protection.sheet) == (False, True)


def test_the_hidden_sheet_is_not_listed_by_a_spreadsheet():
    assert book(made())["_uretimiq"].sheet_state == "veryHidden"


def test_pandas_reads_it_as_a_table():
    frame = pd.read_excel(io.BytesIO(made()), sheet_name="Plan", dtype={"Product": str})

    assert list(frame.columns[3:]) == [pd.Timestamp(day) for day in DATES]
    assert frame["Product"].tolist() == ["P-1", "P-2", "007"]
    assert frame.iloc[0, 3:].tolist() == [10, 99, 12, 13]


@pytest.mark.parametrize("language", ["tr", "en"])
def test_a_workbook_that_nobody_edited_has_no_edits(language):
    assert found(made(language=language)) == ([], [])


def test_an_edit_is_found_with_its_cell_and_what_was_shown():
    body = edited(made(), cells(D3=7, G4="1.234,5"))

    assert found(body) == (
        [
            Edit("ankara", "P-2", DATES[0], "D3", 1.5, 7.0, None),
            Edit("bursa", "007", DATES[3], "G4", 8.0, 1234.5, None),
        ],
        [],
    )


def test_a_cell_written_anew_with_what_it_showed_is_no_edit():
    assert found(edited(made(), cells(D3=1.5, D2="10", E3=2.50000001))) == ([], [])


UNITS = st.one_of(st.none(), st.floats(0, 1e6), st.integers(0, 10**6))
EDITS = st.dictionaries(
    st.sampled_from([f"{c}{r}" for c in "DEFG" for r in (2, 3, 4)]).filter(lambda cell: cell != "E4"),
    st.floats(0, 1e6).map(lambda value: round(value, 3)),
)


@given(EDITS, st.permutations(range(4)), st.permutations(range(7)))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_edits_are_found_wherever_rows_and_columns_were_moved(changes, rows, columns):
    def move(sheet):
        for cell, value in changes.items():
            sheet[cell] = value
        old = [[cell.value for cell in row] for row in sheet.iter_rows()]
        order = [0, *(1 + i for i in rows if i < 3)]
        for i, row in enumerate(order, 1):
            for j, column in enumerate(columns, 1):
                sheet.cell(i, j).value = old[row][column]
                sheet.cell(i, j).number_format = "yyyy-mm-dd" if i == 1 else "General"

    edits, bad = found(edited(made(), move))

    shown = {f"{c}{r + 2}": line.final[i] for r, line in enumerate(LINES) for i, c in enumerate("DEFG")}
    expected = {
        (LINES[int(cell[1]) - 2].product, DATES["DEFG".index(cell[0])]): value
        for cell, value in changes.items()
        if value != shown[cell]
    }
    assert ({(e.product, e.date): e.after for e in edits}, bad) == (expected, [])


@given(st.lists(st.lists(UNITS, min_size=4, max_size=4), min_size=1, max_size=5), st.sampled_from(["tr", "en"]))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_plan_goes_out_and_comes_back_without_an_edit(finals, language):
    shown = [[v if v is None else round(float(v), 4) for v in final] for final in finals]
    lines = [Line("ankara", f"P-{i}", None, final, final, [False] * 4) for i, final in enumerate(shown)]

    assert found(made(lines, language)) == ([], [])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: s.delete_rows(2), "a row taken out"),
        (lambda s: s.delete_cols(5), "a date taken out"),
        (lambda s: s.delete_cols(3), "the names taken out"),
        (lambda s: s.insert_cols(2), "a column added"),
        (lambda s: s.insert_rows(3), "an empty row between"),
        (lambda s: s.insert_rows(1, 3), "room above the headings"),
        (cells(H1="Not", H2="aradım", H3=5), "a column of notes"),
        (lambda s: setattr(s, "sheet_state", "visible"), "nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_change_the_plan_is_no_edit(change, why):
    assert found(edited(made(), change)) == ([], [])


@pytest.mark.parametrize("texts", [[d.isoformat() for d in DATES], [f"{d:%d.%m.%Y}" for d in DATES]])
def test_dates_that_have_become_texts_are_known_again(texts):
    change = cells(**dict(zip(("D1", "E1", "F1", "G1"), texts, strict=True)), D2=5)

    assert [e.date for e in found(edited(made(), change))[0]] == [DATES[0]]


def test_a_code_that_has_become_a_number_is_known_again_where_it_says_the_same():
    lines = [Line("ankara", "1001", None, [1.0] * 4, [1.0] * 4, [False] * 4)]

    assert [e.product for e in found(edited(made(lines), cells(B2=1001, D2=5)))[0]] == ["1001"]


@pytest.mark.parametrize(
    ("change", "bad"),
    [
        (cells(D2="many"), Bad("D2", "not_a_number", "many")),
        (cells(D2=-5), Bad("D2", "negative", "-5")),
        (cells(D2=None), Bad("D2", "empty", "")),
        (cells(D2="1.234"), Bad("D2", "ambiguous_number", "1.234")),
        (cells(D2=True), Bad("D2", "not_a_number", "True")),
        (cells(D2=datetime(2026, 5, 1)), Bad("D2", "date", "2026-05-01T00:00:00")),
        (cells(E4=5), Bad("E4", "not_in_plan", "5")),
        (cells(A5="ankara", B5="P-9", D5=5), Bad("B5", "unknown_series", "ankara/P-9")),
        (cells(A5="Toplam", D5=5), Bad("B5", "unknown_series", "Toplam/")),
        (cells(D5=5), Bad("B5", "unknown_series", "/")),
        (cells(B2="p-1"), Bad("B2", "unknown_series", "ankara/p-1")),
        (cells(A5="ankara", B5="P-1", D5=5), Bad("B5", "duplicate_series", "ankara/P-1")),
        (cells(H1=date(2027, 1, 1), H2=5), Bad("H1", "unknown_date", "2027-01-01T00:00:00")),
        (cells(H1=DATES[0], H2=5), Bad("H1", "duplicate_date", f"{DATES[0]}T00:00:00")),
        (cells(D2="=D3*2"), Bad("D2", "formula_without_result", "=D3*2")),
    ],
    ids=lambda value: value.kind if isinstance(value, Bad) else "",
)
def test_what_cannot_be_taken_is_told_with_its_cell_and_the_rest_is_found(change, bad):
    both = edited(edited(made(), change), cells(G3=77))

    edits, told = found(both)

    assert ([e.cell for e in edits], told) == (["G3"], [bad])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.delete_cols(2), "is headed"),
        (cells(B1="Produkt"), "is headed"),
        (cells(H1="site"), "has a column twice"),
        (lambda s: setattr(s, "title", "Mine"), "has no sheet Plan"),
    ],
)
def test_a_sheet_without_what_tells_its_rows_apart_is_refused(change, said):
    with pytest.raises(Problem, match=said):
        found(edited(made(), change))


def test_a_workbook_of_another_tenant_is_refused_without_saying_whose_it_is():
    with pytest.raises(Problem, match="is no plan of 'zebra'") as told:
        found(made(), "zebra")

    assert "acme" not in str(told.value)


@pytest.mark.parametrize(
    "change",
    [
        cells(A1='[1, "zebra", "2026-03-01", 3, []]'),
        cells(C2="[10.0, 99.0, 12.0, 14.0]"),
        cells(B3="P-7"),
        lambda s: s.delete_rows(3),
        lambda s: s.delete_rows(5),
        cells(A5="0" * 64),
        cells(A5=5),
        cells(D2="more"),
        lambda s: s.delete_rows(1, 9),
        lambda s: setattr(s, "title", "other"),
    ],
)
def test_a_changed_hidden_sheet_is_refused(change):
    with pytest.raises(Problem, match="was not written here, or its hidden sheet was changed"):
        found(edited(made(), change, "_uretimiq"))


def test_a_workbook_of_a_strangers_making_is_refused():
    with pytest.raises(Problem, match="was not written here"):
        found(made(secret=Secret(("x" * 30 + "another one",))))


def test_a_workbook_signed_by_the_key_before_is_taken():
    old = "x7Zt0pQ2vXw9LrB4mN8cY1sD6fG3hJ5b"
    sheets = Sheets(made(secret=Secret((old,))))

    rows = list(sheets.rows("_uretimiq"))
    assert opened(rows, "acme", Secret(("k7Zt0pQ2vXw9LrB4mN8cY1sD6fG3hJ5a", old))).plan_version == 3
    with pytest.raises(Problem):
        opened(rows, "acme", SECRET)


@pytest.mark.slow
def test_another_program_saves_it_and_its_results_of_formulas_are_taken(tmp_path):
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed: no other program than openpyxl saves the workbook")
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "plan.xlsx"
    file.write_bytes(edited(made(language="tr"), cells(D2="=D3*2", E2="1.234,5", F3=40)))
    run = [program, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx"]

    subprocess.run([*run, "--outdir", str(tmp_path), str(file)], check=True, timeout=120, capture_output=True)

    edits, bad = found((tmp_path / "plan.xlsx").read_bytes())
    assert [(e.cell, e.after, e.formula) for e in edits] == [
        ("D2", 3.0, "=D3*2"),
        ("E2", 1234.5, None),
        ("F3", 40.0, None),
    ]
    assert bad == []
