"""Files that are no workbook, or one made to take all memory or time: each is refused, in one line, soon."""

import io
import resource
import time
import zipfile

import pytest
from books import edited, found, made, part, repacked

from serving.exchange import reading
from serving.problems import Problem

SHEET = "xl/worksheets/sheet1.xml"
HEAD = b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'


def zipped(parts, how=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return out.getvalue()


def refused(body, most_seconds=10):
    """What is told; soon, and without much memory."""
    begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Problem) as told:
        found(body)
    assert time.process_time() - begun < most_seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024
    assert told.value.kind == "workbook-refused"
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"PK",
        b"site;product\n",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512,  # the form of Excel before 2007
        zipped({}),
        zipped({"a.txt": b"x"}),
        made()[:-100],
        made()[:2000],
        repacked(made(), xl__worksheets__sheet1_0xml=b"<worksheet"),
        repacked(made(), xl__workbook_0xml=b"<workbook>"),
        repacked(made(), xl__worksheets__sheet1_0xml=b""),
    ],
)
def test_what_is_no_workbook_is_refused(body):
    assert "no workbook that can be read" in refused(body)


def test_a_bomb_of_zeros_is_refused():
    body = repacked(made(), xl__media__image1_0png=b"\0" * (200 * 2**20))

    assert len(body) < 2**20
    assert "too large unpacked" in refused(body)


def test_a_bomb_that_tells_a_small_size_is_refused():
    body = bytearray(zipped({"[Content_Types].xml": b"<" + b" " * (50 * 2**20)}))
    central = body.rindex(b"PK\x01\x02")
    body[central + 24 : central + 28] = (100).to_bytes(4, "little")

    assert refused(bytes(body))


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_packed_so_tightly_that_a_megabyte_becomes_gigabytes_is_refused(how):
    assert refused(zipped({"xl/a.xml": b"<" * (64 * 2**20)}, how), most_seconds=20)


def test_a_bomb_of_elements_is_refused():
    assert "too large unpacked" in refused(repacked(made(), xl__worksheets__sheet1_0xml=HEAD + b"<a/>" * 13_000_000))


def test_a_bomb_of_entities_is_refused():
    entities = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><worksheet>&l9;</worksheet>'

    for encoded in (text.encode(), text.encode("utf-16"), text.encode("utf-16-le"), text.encode("utf-16-be")):
        assert "no workbook that can be read" in refused(repacked(made(), xl__worksheets__sheet1_0xml=encoded))


def test_an_entity_that_names_a_file_is_refused():
    text = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><worksheet>&f;</worksheet>'

    assert "no workbook that can be read" in refused(repacked(made(), xl__worksheets__sheet1_0xml=text))


def test_a_part_in_an_encoding_in_which_its_elements_would_not_be_counted_is_refused():
    text = b"<?xml version='1.0' encoding='cp037'?>" + "<a/>".encode("cp037") * 100

    assert "no workbook that can be read" in refused(repacked(made(), xl__worksheets__sheet1_0xml=text))


def test_too_many_parts_are_refused():
    assert "200 parts at most" in refused(repacked(made(), **{f"x{i}": b"" for i in range(200)}))


def test_a_part_that_is_there_twice_is_refused():
    out = io.BytesIO(made())
    with zipfile.ZipFile(out, "a") as packed, pytest.warns(UserWarning, match="Duplicate name"):
        packed.writestr(SHEET, b"<worksheet/>")

    assert "no workbook that can be read" in refused(out.getvalue())


def test_a_cell_at_the_end_of_the_sheet_costs_nothing():
    last = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    sheet = part(made(), SHEET).replace(b"</sheetData>", last)

    assert found(repacked(made(), xl__worksheets__sheet1_0xml=sheet)) == ([], [])


def test_a_dimension_that_says_more_than_there_is_costs_nothing():
    sheet = part(made(), SHEET).replace(b"<sheetData>", b'<dimension ref="A1:XFD1048576"/><sheetData>')

    assert found(repacked(made(), xl__worksheets__sheet1_0xml=sheet)) == ([], [])


def test_too_many_rows_are_refused(monkeypatch):
    monkeypatch.setattr(reading, "MOST_ROWS", 3)

    assert "3 rows at most" in refused(made())


@pytest.mark.parametrize("tag", [b"f", b"x:f"])
def test_formulas_that_would_take_minutes_to_work_out_are_refused(tag):
    formula = b"A1+" * 10_000 + b"A1"
    first = b'<c r="D2"><%b t="shared" si="0" ref="D2:D9999">%b</%b></c>' % (tag, formula, tag)
    others = b"".join(b'<c r="D%d"><%b t="shared" si="0"/></c>' % (i, tag) for i in range(3, 3000))

    assert "formulas" in refused(repacked(made(), xl__worksheets__sheet1_0xml=HEAD + first + others))


def test_many_formulas_of_the_usual_length_are_no_matter():
    def fill(sheet):
        for row in range(2, 2000):
            sheet.cell(row, 20).value = f"=SUM(D{row}:G{row})*1.05"

    assert found(edited(made(), fill)) == ([], [])


def test_elements_within_elements_cost_little():
    body = repacked(made(), xl__styles_0xml=b"<a>" * 200_000 + b"</a>" * 200_000)

    with pytest.warns(UserWarning, match="no stylesheet"):
        assert found(body) == ([], [])
