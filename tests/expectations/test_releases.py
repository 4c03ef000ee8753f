"""A released file never changes, and no declaration goes beyond what its version allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from expectations import page, releases
from expectations.contract import Catalogue, Column
from expectations.odcs import ContractFileError
from expectations.releases import ReleaseRefused, check, release
from expectations.tables import PRODUCTS, SALES, TABLES

BOTH = Catalogue((SALES, PRODUCTS))
NEW_COLUMN = Column("grade", pa.string(), "Quality grade", nullable=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which both are released."""
    release(BOTH, folder=tmp_path)
    return tmp_path


def sales(**new: Any) -> Catalogue:
    return Catalogue((replace(SALES, **new), PRODUCTS))


def lines(catalogue: Catalogue, folder: Path) -> list[str]:
    return [str(finding) for finding in check(catalogue, folder)]


def test_what_was_never_released_is_told_with_the_remedy(tmp_path: Path) -> None:
    assert lines(BOTH, tmp_path) == [
        "sales: version 1.0.0 is not released: run `uretimiq contracts release sales`",
        "products: version 1.0.0 is not released: run `uretimiq contracts release products`",
    ]


def test_what_is_released_is_in_order(folder: Path) -> None:
    assert lines(BOTH, folder) == []


DRAWN = [
    # the same version
    ("1.0.0", {"keys": ("tenant",)}, "table: keys changed from tenant, site, product, date to tenant: declare version 2.0.0"),
    ("1.0.0", {"columns": (*SALES.columns, NEW_COLUMN)}, "column grade: added: declare version 1.1.0"),
    ("1.0.0", {"owner": "sales"}, "table: owner changed: declare version 1.0.1"),
    # a version that is not enough
    ("1.9.9", {"keys": ("tenant",)}, "table: keys changed from tenant, site, product, date to tenant: declare version 2.0.0"),
    ("1.0.1", {"columns": (*SALES.columns, NEW_COLUMN)}, "column grade: added: declare version 1.1.0"),
    ("0.9.0", {}, "version 0.9.0 is before the released 1.0.0: declare 1.0.0 or a later one"),
    ("1.0", {}, "version '1.0' is not three numbers as in 1.2.0: declare one of that form"),
    # enough, but not released
    ("2.0.0", {"keys": ("tenant",)}, "version 2.0.0 is not released: run `uretimiq contracts release sales`"),
    ("1.1.0", {"columns": (*SALES.columns, NEW_COLUMN)}, "version 1.1.0 is not released"),
    ("1.0.1", {"owner": "sales"}, "version 1.0.1 is not released"),
]  # fmt: skip


@pytest.mark.parametrize(("version", "new", "line"), DRAWN)
def test_a_change_is_refused_by_name(folder: Path, version: str, new: dict[str, Any], line: str) -> None:
    (found,) = lines(sales(version=version, **new), folder)
    assert found.startswith(f"sales: {line}")


def test_a_breaking_change_of_a_column_names_it_and_the_rule(folder: Path) -> None:
    (found,) = lines(sales(columns=tuple(c for c in SALES.columns if c.name != "promotion")), folder)
    assert found == "sales: column promotion: removed: declare version 2.0.0 or take the change back"


def test_a_refused_declaration_releases_nothing_of_what_was_asked(folder: Path) -> None:
    broken = sales(owner="x")
    with pytest.raises(ReleaseRefused, match="sales: table: owner changed"):
        release(broken, folder=folder)
    assert releases.versions(folder, "sales") == ["1.0.0"]
    assert release(broken, ["products"], folder) == []


def test_a_release_is_written_once_and_compared_with_the_newest(folder: Path) -> None:
    for version in ("1.0.1", "1.0.10", "1.0.9"):
        catalogue = sales(version=version, owner=version)
        found = check(catalogue, folder)
        if version == "1.0.9":  # the newest is 1.0.10, not the last in the alphabet
            assert [f.problem for f in found] == ["version 1.0.9 is before the released 1.0.10"]
        else:
            assert [p.name for p in release(catalogue, folder=folder)] == [f"{version}.odcs.yaml"]
            assert release(catalogue, folder=folder) == []


def test_a_released_file_that_was_changed_is_refused(folder: Path) -> None:
    path = folder / "sales" / "1.0.0.odcs.yaml"
    path.write_text(path.read_text().replace("Units ordered that day", "Units"))
    (only,) = lines(BOTH, folder)
    assert only == (
        "sales: released file sales/1.0.0.odcs.yaml was changed, but a release never changes: restore it with "
        "`git checkout -- expectations/released` and declare a version after 1.0.0 instead"
    )
    with pytest.raises(ReleaseRefused):
        release(BOTH, folder=folder)


def test_a_released_file_that_is_gone_or_unknown_is_refused(folder: Path) -> None:
    (folder / "sales" / "1.0.0.odcs.yaml").rename(folder / "sales" / "1.0.1.odcs.yaml")
    (only,) = lines(BOTH, folder)
    assert only.startswith("sales: released file sales/1.0.0.odcs.yaml is missing")
    (folder / "sales" / "1.0.1.odcs.yaml").rename(folder / "sales" / "1.0.0.odcs.yaml")
    (folder / "products" / "1.0.1.odcs.yaml").write_text("x")
    (only,) = lines(BOTH, folder)
    assert only.startswith("products: products/1.0.1.odcs.yaml is there but was never released")


def test_a_released_contract_must_stay_declared(folder: Path) -> None:
    (found,) = lines(Catalogue((SALES,)), folder)
    assert found.startswith("products: is released but no longer declared: ")


def test_a_file_named_by_no_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sales").mkdir()
    (tmp_path / "sales" / "new.odcs.yaml").write_text("x")
    with pytest.raises(ContractFileError, match="'new' is not three numbers"):
        releases.newest(tmp_path, "sales")


def test_pages_are_stale_until_written_again(tmp_path: Path) -> None:
    assert page.stale(BOTH, tmp_path) == ["README.md", "products.md", "sales.md"]
    page.write(BOTH, tmp_path)
    assert page.stale(BOTH, tmp_path) == []
    assert page.stale(sales(owner="x"), tmp_path) == ["README.md", "sales.md"]
    assert page.stale(Catalogue((SALES,)), tmp_path) == ["README.md", "products.md"]
    page.write(Catalogue((SALES,)), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["README.md", "sales.md"]


def test_a_page_tells_every_column_and_every_rule_with_its_reason() -> None:
    text = page.page(SALES)
    assert not [c.name for c in SALES.columns if f"| {c.name} | " not in text or c.meaning not in text]
    assert not [r.name for r in SALES.rules if f"| {r.name} | " not in text or r.reason not in text]


def test_the_catalogue_is_as_released_and_documented() -> None:
    assert [str(finding) for finding in check(TABLES)] == []
    assert page.stale(TABLES) == [], "run `uretimiq contracts docs`"
