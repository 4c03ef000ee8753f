"""An import is in the outbox once and whole: imported twice, by two at once, or killed at any line."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from edge_sync.errors import EdgeError, SourceError
from edge_sync.outbox import Outbox, read_pair

TEXT = "tarih,urun,miktar\n" + "".join(f"2024-01-{day:02d},A,{day}\n" for day in range(1, 11))
OTHER = TEXT.replace(",A,", ",B,")
SALES = "columns: {site: {constant: gebze}, product: urun, date: tarih, units: miktar}\n"


@pytest.mark.parametrize("code", ["", "a/b", "a=b", " a", "a ", "_manifests", "a\nb", "x" * 101])
@pytest.mark.parametrize("what", ["tenant", "site"])
def test_a_tenant_or_site_that_cannot_be_part_of_a_key_is_refused(gateway, what, code) -> None:
    with pytest.raises(EdgeError, match=f"^{what} .* is no code"):
        gateway.run(TEXT, **{what: code})


def test_the_same_file_is_imported_once(gateway) -> None:
    assert gateway.run(TEXT).status == "imported"
    second = gateway.run(TEXT)
    assert (second.status, second.earlier) == ("already imported", "2024-05-06T07:08:09+00:00")
    assert len(gateway.pairs()) == 1


def test_the_same_content_under_another_name_is_the_same_file(gateway) -> None:
    gateway.run(TEXT)
    assert gateway.run(gateway.write("copy.csv", TEXT)).status == "already imported"


def test_again_imports_it_once_more(gateway) -> None:
    gateway.run(TEXT)
    assert gateway.run(TEXT, again=True).status == "imported"
    assert [m.sequence for m, _ in gateway.pairs()] == [1, 2]


@pytest.mark.parametrize(
    ("source", "map_text", "more"),
    [
        (OTHER, SALES, {}),
        (TEXT, SALES + "known_time: {lag: P1D}", {}),
        (TEXT, SALES, {"tenant": "other"}),
        (TEXT, SALES, {"site": "bursa"}),
        (TEXT, SALES, {"contract": "production"}),
    ],
)
def test_another_content_map_tenant_site_or_contract_is_another_import(gateway, source, map_text, more) -> None:
    gateway.run(TEXT)
    assert gateway.run(source, map_text, **more).status == "imported"


def test_a_changed_second_file_is_another_import(gateway) -> None:
    joined = "joins: {file: m.csv, match: {urun: kod}, take: ad}\n" + SALES.replace("product: urun", "product: ad")
    for name, status in (("elma", "imported"), ("elma", "already imported"), ("armut", "imported")):
        gateway.write("m.csv", f"kod,ad\nA,{name}\n")
        assert gateway.run(TEXT, joined).status == status


def test_a_comment_or_another_order_in_the_map_changes_nothing(gateway) -> None:
    gateway.run(TEXT, "time_zone: UTC\n" + SALES)
    assert (
        gateway.run(TEXT, SALES + "about: the daily export\n# a comment\ntime_zone: UTC\n").status == "already imported"
    )


def test_objects_hold_at_most_so_many_rows(gateway) -> None:
    gateway.run(TEXT, max_rows=4)
    assert [(m.sequence, m.rows, t.num_rows) for m, t in gateway.pairs()] == [(1, 4, 4), (2, 4, 4), (3, 2, 2)]


def test_the_manifest_says_what_the_object_holds(gateway) -> None:
    gateway.run(TEXT, max_rows=4)
    manifest, data = read_pair(gateway.outbox.waiting()[1])
    assert (manifest.period_start, manifest.period_end) == (date(2024, 1, 5), date(2024, 1, 8))
    assert (manifest.tenant, manifest.site, manifest.contract, manifest.gateway) == ("acme", "gebze", "sales", "gw")
    assert (manifest.source, manifest.known_time, manifest.bytes) == ("sales.csv", "observed", data.stat().st_size)
    assert manifest.data_key() == "acme/gebze/sales/gw-0000000002.parquet"


def test_a_table_without_event_time_has_no_period(gateway) -> None:
    gateway.run(
        "urun,grup\nA,X\n", "columns: {product: urun, product_group: grup, product_sub_group: grup}", "products"
    )
    [(manifest, _)] = gateway.pairs()
    assert (manifest.period_start, manifest.period_end) == (None, None)


def test_a_failed_import_takes_no_number(gateway) -> None:
    gateway.run(TEXT)
    with pytest.raises(SourceError):
        gateway.run("tarih,urun,adet\n2024-01-01,A,1\n")
    gateway.run(OTHER)
    assert [m.sequence for m, _ in gateway.pairs()] == [1, 2]


def test_a_lost_journal_does_not_give_a_number_twice(gateway) -> None:
    gateway.run(TEXT)
    (gateway.outbox.folder / "journal.sqlite").unlink()
    gateway.run(OTHER)
    assert [m.sequence for m, _ in gateway.pairs()] == [1, 2]


def test_two_imports_at_once_share_the_numbers_out(gateway) -> None:
    tasks = [gateway.task(SALES, max_rows=2)] * 4
    files = [gateway.write(f"{name}.csv", TEXT.replace(",A,", f",{name},")) for name in "ABCD"]
    from edge_sync.importer import import_file

    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda pair: import_file(*pair, Outbox(gateway.folder / "home", "gw")), zip(tasks, files, strict=True)
            )
        )
    pairs = gateway.pairs()
    assert [m.sequence for m, _ in pairs] == list(range(1, 21))
    assert sum(t.num_rows for _, t in pairs) == 40


def test_the_same_file_imported_by_two_at_once_lands_once(gateway) -> None:
    from edge_sync.importer import import_file

    task, path = gateway.task(SALES), gateway.write("sales.csv", TEXT)
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda _: import_file(task, path, Outbox(gateway.folder / "home", "gw")).status, range(4))
        )
    assert sorted(found) == ["already imported"] * 3 + ["imported"]
    assert len(gateway.pairs()) == 1


def test_a_full_disk_is_told_and_leaves_nothing(gateway) -> None:
    import random
    import resource

    numbers = random.Random(1)
    text = "tarih,urun,miktar\n" + "".join(f"2024-01-01,{numbers.random()},{numbers.random()}\n" for _ in range(20_000))
    gateway.run(TEXT)  # the journal is there
    big = gateway.write("big.csv", text)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(SourceError, match=r"big\.csv: not imported: .*; make room or mend it, then import again"):
            gateway.run(big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(gateway.outbox.staging.iterdir()) == []
    assert len(gateway.pairs()) == 1
    assert gateway.run(big).manifests[0].sequence == 2


def test_a_home_that_is_no_folder_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(EdgeError, match=r"cannot be made: .*; set URETIMIQ_HOME"):
        Outbox(tmp_path / "home", "gw")


def test_a_damaged_manifest_is_told(gateway) -> None:
    gateway.run(TEXT)
    path = gateway.outbox.waiting()[0]
    path.write_text(path.read_text().replace('"rows": 10', '"rows": -1'))
    with pytest.raises(EdgeError, match=r"0000000001\.manifest\.json: rows: -1 is no whole number from 0"):
        read_pair(path)


def test_killed_at_any_line_every_row_is_in_the_outbox_once(tmp_path: Path) -> None:
    program = Path(__file__).with_name("crash.py")
    repository = str(program.parents[2])
    done = subprocess.run(
        [sys.executable, str(program), "import", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=repository,
        env={**os.environ, "PYTHONPATH": repository},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 50  # so many lines were walked
