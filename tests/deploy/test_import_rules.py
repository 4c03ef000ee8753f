"""Each import rule of the design is broken once, in a skeleton of the project, and must be told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("expectations", "features", "models", "jobs", "serving", "edge_sync", "dags", "deploy")
# What the rules' own exceptions name must exist.
ALLOWED = {
    "models/registry.py": "import mlflow",
    "expectations/suites.py": "import great_expectations",
    "deploy/local/airflow_components.py": "import airflow",
    "expectations/contract.py": "import pyarrow",
    "expectations/tables.py": "from expectations import contract",
    "expectations/settings.py": "",
}
ALLOWED_TOO = {
    "jobs/night.py": "import pyspark\nfrom models import registry\nfrom features import demand\nfrom expectations import tables",
    "features/demand.py": "import pyspark\nfrom expectations import tables",
    "models/lstm.py": "import tensorflow",
    "serving/app.py": "import fastapi\nfrom expectations import tables",
    "dags/nightly.py": "import airflow",
}
BROKEN = [
    ("expectations/x.py", "from features import demand"),
    ("features/x.py", "from models import registry"),
    ("features/x.py", "import mlflow"),
    ("models/x.py", "from jobs import night"),
    ("models/x.py", "import mlflow"),
    ("jobs/x.py", "from serving import app"),
    ("jobs/x.py", "import mlflow"),
    ("jobs/x.py", "import great_expectations"),
    ("jobs/x.py", "import tensorflow"),
    ("jobs/x.py", "import airflow"),
    ("serving/x.py", "from jobs import night"),
    ("serving/x.py", "from features import demand"),
    ("serving/x.py", "import pyspark"),
    ("serving/x.py", "from expectations import suites"),  # by way of another
    ("edge_sync/x.py", "from serving import app"),
    ("edge_sync/x.py", "import pyspark"),
    ("edge_sync/x.py", "import tensorflow"),
    ("expectations/tables.py", "import pyspark"),
    ("dags/x.py", "from jobs import night"),
    ("dags/x.py", "import pyspark"),
    ("deploy/x.py", "from expectations import tables"),
    ("jobs/x.py", "import deploy"),
]


def lint(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the project's rules on a skeleton with these files."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(text[text.index("[tool.importlinter]") :], encoding="utf-8")
    inits = {f"{name}/__init__.py": "" for name in (*FOLDERS, "deploy/local")}
    for name, code in (inits | ALLOWED | files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code + "\n")
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_the_design_allows_is_allowed(tmp_path: Path) -> None:
    done = lint(tmp_path, ALLOWED_TOO)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("file", "code"), BROKEN, ids=[f"{file.split('/')[0]}: {code}" for file, code in BROKEN])
def test_a_forbidden_import_is_told(file: str, code: str, tmp_path: Path) -> None:
    done = lint(tmp_path, ALLOWED_TOO | {file: code})
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout
    assert file.removesuffix(".py").replace("/", ".") in done.stdout
