"""`uretimiq contracts` on a folder of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from expectations import page, releases
from expectations.contract import Catalogue
from expectations.tables import SALES, TABLES
from jobs import contracts as module
from jobs.contracts import contracts
from jobs.errors import JobError


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Released files and pages under a folder of the test, nothing released yet."""
    monkeypatch.setattr(releases, "RELEASED", tmp_path / "released")
    monkeypatch.setattr(page, "PAGES", tmp_path / "pages")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(contracts, arguments)


def test_release_and_docs_make_the_check_pass() -> None:
    assert run("check").exit_code == 1
    assert run("release").exit_code == 0
    assert run("docs").exit_code == 0
    passed = run("check")
    assert (passed.exit_code, passed.stdout) == (0, f"{len(TABLES.contracts)} contracts are as released\n")
    assert json.loads(run("check", "--json").stdout) == {"ok": True, "findings": []}
    assert run("release").stdout == "nothing to release\n"
    assert json.loads(run("docs", "--json").stdout) == {"written": []}


def test_a_stale_page_fails_the_check(folders: Path) -> None:
    run("release"), run("docs")
    (folders / "pages" / "sales.md").write_text("old")
    failed = run("check")
    assert (failed.exit_code, failed.stderr) == (
        1,
        "sales: docs/contracts/sales.md is out of date: run `uretimiq contracts docs`\n",
    )


def test_a_breaking_change_fails_check_and_release_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    run("release"), run("docs")
    broken = replace(SALES, columns=tuple(c for c in SALES.columns if c.name != "promotion"))
    monkeypatch.setattr(module, "TABLES", Catalogue((broken, *TABLES.contracts[1:])))
    line = "sales: column promotion: removed: declare version 2.0.0 or take the change back\n"
    assert run("check").stderr.startswith(line)
    refused = run("release", "sales")
    assert (refused.exit_code, refused.stderr) == (1, line)
    assert json.loads(run("check", "--json").stdout)["findings"][0]["contract"] == "sales"


def test_show_prints_the_standard_s_document_as_json() -> None:
    shown = json.loads(run("show", "sales", "--json").stdout)
    assert (shown["apiVersion"], shown["kind"], shown["name"]) == ("v3.1.0", "DataContract", "sales")
    assert "| units | double | piece | required |" in run("show", "sales").stdout


def test_list_tells_declared_and_released_versions() -> None:
    run("release", "sales")
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert rows.keys() == TABLES.by_name.keys()
    assert (rows["sales"]["released"], rows["products"]["released"]) == ("1.0.0", None)
    assert "(released: never)" in run("list").stdout


def test_an_unknown_name_tells_those_that_there_are() -> None:
    with pytest.raises(JobError, match=r"no contract 'sails'; there are: .*sales"):
        CliRunner().invoke(contracts, ["show", "sails"], catch_exceptions=False)
