"""The command line: one line and exit status 1 for what cannot be done, plain text for people, JSON for programs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sync import cli

MAP = "time_zone: Europe/Istanbul\ncolumns: {site: {constant: gebze}, product: urun, date: tarih, units: miktar}\n"
TEXT = "tarih,urun,miktar\n2024-01-01,A,1\n2024-01-02,A,2\n"


@pytest.fixture
def edge(tmp_path, monkeypatch, capsys):
    """Runs `uretimiq-edge ARGUMENTS` in a home of its own: exit status, output, errors."""
    for name in list(os.environ):
        if name.startswith("URETIMIQ_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("URETIMIQ_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("map.yaml").write_text(MAP)
    Path("sales.csv").write_text(TEXT)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["uretimiq-edge", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        shown = capsys.readouterr()
        return int(left.value.code or 0), shown.out, shown.err

    return run


IMPORT = (
    "import",
    "--tenant",
    "acme",
    "--site",
    "gebze",
    "--contract",
    "sales",
    "--map",
    "map.yaml",
    "--gateway",
    "gw",
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*IMPORT, "nowhere.csv"), "uretimiq-edge: nowhere.csv: no such file"),
        ((*IMPORT[:8], "nowhere.yaml", "sales.csv"), "uretimiq-edge: nowhere.yaml: no such file"),
        (
            (*IMPORT, "--contract", "sale", "sales.csv"),
            "uretimiq-edge: --contract sale: no such table takes files; there are: sales",
        ),
        ((*IMPORT, "--contract", "quarantine", "sales.csv"), "no such table takes files"),
        ((*IMPORT, "--tenant", "a/b", "sales.csv"), "uretimiq-edge: tenant 'a/b': is no code"),
        ((*IMPORT, "--gateway", "a/b", "sales.csv"), "uretimiq-edge: gateway 'a/b': is no code"),
        (
            ("import-set", "m4", "--tenant", "acme"),
            "uretimiq-edge: m4: no such set; there are: m4_weekly, m5, rossmann, supplygraph",
        ),
        (
            ("import-set", "bad.yaml", "--tenant", "acme"),
            "imports[1]: contract: 'sale' is no landed contract; did you mean 'sales'?",
        ),
        (("import-set", "m5", "--tenant", "acme", "--data", "void"), "void/demand_m5/sales.parquet: no such file"),
        (("sync", "--gateway", "gw", "--env-file", "void.env"), "void.env: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(edge, arguments, message) -> None:
    Path("bad.yaml").write_text("site: s\nimports: [{contract: sale, map: map.yaml, files: [a.csv]}]\n")
    if "void.env" in arguments:
        edge(*IMPORT, "sales.csv")
    status, _, errors = edge(*arguments)
    assert status == 1
    assert message in errors
    assert len(errors.strip().splitlines()) == 1


def test_an_unknown_setting_is_told(edge, monkeypatch) -> None:
    monkeypatch.setenv("URETIMIQ_GATEWEY", "x")
    status, _, errors = edge("status")
    assert (status, "URETIMIQ_GATEWEY: no such setting" in errors) == (1, True)


def test_what_nobody_thought_of_is_one_line_with_its_trace_in_the_log(edge, monkeypatch, tmp_path) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("by\nnought")

    monkeypatch.setattr(cli, "import_file", broken)
    status, _, errors = edge(*IMPORT, "sales.csv")
    log = tmp_path / "home" / "log" / "edge.log"
    assert (status, errors) == (1, f"uretimiq-edge: ZeroDivisionError: by (stack trace in {log})\n")
    assert "in broken" in log.read_text()


def test_wrong_usage_is_status_2(edge) -> None:
    assert edge("import", "sales.csv")[0] == 2


def test_an_import_says_what_it_did(edge) -> None:
    assert edge(*IMPORT, "sales.csv") == (0, "sales.csv: imported: 2 rows read, 2 landed in 1 object\n", "")
    status, output, _ = edge(*IMPORT, "sales.csv")
    assert (status, "already imported at 20" in output, "--again imports it once more" in output) == (0, True, True)


def test_an_import_as_json(edge) -> None:
    status, output, _ = edge(*IMPORT, "--json", "sales.csv")
    [record] = json.loads(output)
    assert (status, record["status"], record["read"], record["landed"]) == (0, "imported", 2, 2)
    assert record["objects"][0]["object_key"] == "acme/gebze/sales/gw-0000000001.parquet"


def test_unreadable_cells_are_counted_and_placed(edge) -> None:
    Path("sales.csv").write_text(TEXT + "2024-01-03,A,abc\n2024-01-04\n")
    status, _, errors = edge(*IMPORT, "sales.csv")
    assert status == 0
    assert errors.splitlines() == [
        "warning: sales.csv: 1 cells for 'units' could not be read; their text is kept in _unread",
        "warning: sales.csv: 1 rows don't fit the header; their text is kept in _unread",
        "warning: sales.csv:4: miktar: 'abc'",
        "warning: sales.csv:5: _row: '2024-01-04'",
    ]


def test_a_dry_run_shows_the_first_rows_and_writes_nothing(edge) -> None:
    status, output, _ = edge(*IMPORT, "--dry-run", "sales.csv")
    assert status == 0
    lines = output.splitlines()
    assert lines[0] == "sales.csv: dry run: 2 rows read, 2 landed"
    assert lines[1].split() == ["site", "product", "date", "units", "unit_price", "promotion", "available_at"]
    assert lines[2].split()[:6] == ["gebze", "A", "2024-01-01", "1.0", "-", "-"]
    assert edge("status")[1].startswith("no gateway has imported anything") or "waiting: 0 objects" in edge("status")[1]


def test_files_before_one_that_fails_stay_imported(edge) -> None:
    Path("bad.csv").write_text("tarih,urun\n2024-01-01,A\n")
    status, output, errors = edge(*IMPORT, "sales.csv", "bad.csv")
    assert (status, "sales.csv: imported" in output, "bad.csv: no column 'miktar'" in errors) == (1, True, True)


def test_status_tells_what_waits(edge) -> None:
    edge(*IMPORT, "sales.csv")
    status, output, _ = edge("status", "--json")
    [state] = json.loads(output)
    assert (status, state["gateway"], state["waiting"]["rows"], state["sent"]["rows"]) == (0, "gw", 2, 0)
    assert "waiting: 1 object, 2 rows" in edge("status")[1]


def test_sync_uses_the_tenants_own_key(edge, s3_server, tmp_path) -> None:
    tenant = f"cli-{tmp_path.name.lower().replace('_', '-')}"
    key = s3_server.gateway(tenant)
    edge(*IMPORT, "--tenant", tenant, "sales.csv")
    keys = tmp_path / "home" / "keys"
    keys.mkdir()
    (keys / f"{tenant}.env").write_text(
        f"URETIMIQ_S3_ENDPOINT={key.endpoint}\nURETIMIQ_S3_ACCESS_KEY={key.access_key}\nURETIMIQ_S3_SECRET_KEY={key.secret_key}\n"
    )
    status, output, errors = edge("sync")
    assert (status, output.startswith("gw: 1 object sent, 2 rows,")) == (0, True)
    assert f"sent {tenant}/gebze/sales/gw-0000000001.parquet (2 rows)" in errors
    assert json.loads(edge("sync", "--json")[1])["gw"]["objects"] == 0


def test_the_gateway_is_named_by_the_settings(edge, monkeypatch) -> None:
    monkeypatch.setenv("URETIMIQ_GATEWAY", "hat-3")
    edge(*(a for a in IMPORT if a not in ("--gateway", "gw")), "sales.csv")
    assert "gateway hat-3" in edge("status")[1]


def test_the_help_names_every_command_and_the_shipped_sets(edge) -> None:
    assert all(command in edge("-h")[1] for command in ("import", "import-set", "sync", "status"))
    assert "m4_weekly, m5, rossmann, supplygraph" in edge("import-set", "-h")[1]


def test_a_gateway_needs_no_other_part_of_the_platform(tmp_path) -> None:
    """Importing a file loads neither Spark nor pandas nor boto3, nor another program of ours."""
    (tmp_path / "map.yaml").write_text(MAP)
    (tmp_path / "sales.csv").write_text(TEXT)
    program = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"pandas", "numpy", "boto3", "botocore", "pyspark", "deltalake", "duckdb", "jobs", "serving", "models", "features", "deploy"}}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
sys.argv = ["uretimiq-edge", *{[*IMPORT, "sales.csv"]!r}]
from edge_sync.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "URETIMIQ_HOME": str(tmp_path / "home")},
    )
    assert (done.returncode, done.stdout) == (0, "sales.csv: imported: 2 rows read, 2 landed in 1 object\n"), (
        done.stderr
    )
