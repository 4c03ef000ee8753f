"""A missing or unsuitable Python or Java is told in one line with the remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "deploy" / "tools.sh"


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(what: str, path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    for tool in ("sh", "sed", "head"):
        target = shutil.which(tool)
        assert target is not None
        if not (path / tool).exists():
            (path / tool).symlink_to(target)
    return subprocess.run(
        [str(path / "sh"), str(TOOLS), what],
        env={"PATH": str(path), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def python(version: str, *, with_venv: bool = True) -> str:
    """A script that behaves as a Python of `version` towards tools.sh."""
    return f'case "$2" in *version_info*) echo {version} ;; *) exit {0 if with_venv else 1} ;; esac'


def java(version: str) -> str:
    return f"echo 'openjdk version \"{version}\" 2026-01-01' >&2"


# programs on the PATH              what the one line says
UNSUITABLE_PYTHON = [
    ({}, "none was found"),
    ({"python3": python("3.12")}, "python3 is 3.12"),
    ({"python": python("2.7")}, "python is 2.7"),
    ({"python3.11": "exit 127"}, "none was found"),  # a pyenv shim without that version
    ({"python3.11": python("3.11", with_venv=False)}, "apt install python3.11-venv"),
]


@pytest.mark.parametrize(("programs", "said"), UNSUITABLE_PYTHON)
def test_an_unsuitable_python_is_told_in_one_line(programs: dict[str, str], said: str, tmp_path: Path) -> None:
    for name, script in programs.items():
        fake(tmp_path, name, script)
    done = run("python", tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "install" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["python3.11", "python3", "python"])
def test_a_python_3_11_is_found_under_each_of_its_names(name: str, tmp_path: Path) -> None:
    fake(tmp_path, name, python("3.11"))
    assert run("python", tmp_path).stdout == f"{name}\n"


def test_a_named_python_is_taken(tmp_path: Path) -> None:
    fake(tmp_path, "mine", python("3.11"))
    fake(tmp_path, "python3.11", python("3.11"))
    assert run("python", tmp_path, PYTHON=str(tmp_path / "mine")).stdout == f"{tmp_path / 'mine'}\n"


# program `java`                    what the one line says
UNSUITABLE_JAVA = [
    (None, "none that works is on the PATH"),
    ("echo 'Unable to locate a Java Runtime.' >&2; exit 1", "none that works is on the PATH"),
    (java("11.0.2"), "is Java 11"),
    (java("1.8.0_392"), "is Java 1"),
    (java("16"), "is Java 16"),
    ("echo nonsense >&2", "does not tell its version"),
]


@pytest.mark.parametrize(("script", "said"), UNSUITABLE_JAVA)
def test_an_unsuitable_java_is_told_in_one_line(script: str | None, said: str, tmp_path: Path) -> None:
    if script:
        fake(tmp_path, "java", script)
    done = run("java", tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "set JAVA_HOME" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("version", ["17", "17.0.15", "21.0.2", "25-ea"])
def test_java_17_and_later_are_taken(version: str, tmp_path: Path) -> None:
    fake(tmp_path, "java", java(version))
    assert run("java", tmp_path).returncode == 0


def test_java_home_goes_before_the_path(tmp_path: Path) -> None:
    fake(tmp_path, "java", java("17.0.1"))
    old = tmp_path / "old" / "bin"
    old.mkdir(parents=True)
    fake(old, "java", java("11.0.2"))
    assert "in JAVA_HOME=" in run("java", tmp_path, JAVA_HOME=str(tmp_path / "old")).stderr


def test_make_stops_at_an_unsuitable_python_before_it_makes_anything(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "deploy").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "deploy/uv.txt", "deploy/tools.sh"):
        shutil.copy(ROOT / name, checkout / name)
    shutil.copy(ROOT / "deploy" / "make_venv.sh", checkout / "deploy")
    programs = tmp_path / "bin"
    programs.mkdir()
    fake(programs, "java", java("17.0.1"))
    fake(programs, "python3", python("3.12"))
    done = subprocess.run(
        ["make", "demo"],
        cwd=checkout,
        env={**os.environ, "PATH": f"{programs}:/usr/bin:/bin", "PYTHON": "python3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "error: Python 3.11 is needed, python3 is 3.12;" in done.stderr
    assert done.returncode != 0
    assert not (checkout / ".venv").exists()
