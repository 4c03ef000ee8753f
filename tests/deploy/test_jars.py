"""The jars are those of the released checksums, and the versions agree with the wheels."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from deploy import jars


def folder_of(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).write_text(text)
    return path


A = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"  # SHA-256 of "a"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a.jar": "a"}, []),
        ({}, ["a.jar is missing"]),
        ({"a.jar": "a", "b.jar": "b"}, ["b.jar is not one of ours"]),
        ({"a.jar": "changed"}, ["a.jar has another SHA-256"]),
    ],
)
def test_each_difference_is_told(files: dict[str, str], told: list[str], tmp_path: Path) -> None:
    assert jars.problems(folder_of(tmp_path, files), {"a.jar": A}) == told


def test_jars_that_are_there_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "_resolve", lambda _: pytest.fail("went to the network"))
    monkeypatch.setattr(jars, "read_checksums", lambda: {"a.jar": A})
    assert jars.fetch(folder_of(tmp_path, {"a.jar": "a"})) == 1


def test_jars_with_other_bytes_are_refused_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = tmp_path / "resolved"
    resolved.mkdir()
    monkeypatch.setattr(jars, "_resolve", lambda _: folder_of(resolved, {"a.jar": "evil"}))
    monkeypatch.setattr(jars, "read_checksums", lambda: {"a.jar": A})
    with pytest.raises(jars.JarsError, match=r"a\.jar has another SHA-256"):
        jars.fetch(tmp_path / "jars")
    assert not (tmp_path / "jars").exists()


def test_the_released_checksums_name_delta_and_s3a() -> None:
    names = " ".join(jars.read_checksums())
    assert "delta-spark_4.2" in names
    assert "hadoop-aws" in names


def test_the_delta_jar_has_the_version_of_the_wheel() -> None:
    assert f"io.delta_delta-spark_4.2_2.13-{version('delta-spark')}.jar" in jars.read_checksums()


def test_no_jar_is_one_that_spark_ships_itself() -> None:
    import pyspark

    shipped = {p.name for p in (Path(pyspark.__file__).parent / "jars").glob("*.jar")}
    assert len(shipped) > 100
    artifacts = {name.rsplit("-", 1)[0] for name in shipped}
    twice = [n for n in jars.read_checksums() if n.split("_", 1)[1].rsplit("-", 1)[0] in artifacts]
    assert twice == []
