"""What the command says when something fails that nobody foresaw: one line, and the remedy where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import cli


def _said(error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path) -> str:
    def fails(**_: object) -> None:
        raise error

    monkeypatch.setenv("URETIMIQ_HOME", str(home))
    monkeypatch.setattr(cli, "cli", fails)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == cli.FAILED
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "An error occurred while calling o1.collect.\n: java.lang.OutOfMemoryError: Java heap space",
        "Job aborted:\n org.apache.spark.SparkException: Could not allocate memory to grow BytesToBytesMap.",
    ],
)
def test_where_spark_has_too_little_memory_the_setting_is_named(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = _said(RuntimeError(text), monkeypatch, capsys, tmp_path)
    assert said.startswith("uretimiq: Spark ran out of memory: set URETIMIQ_SPARK_MEMORY (3g where it is not set)")
    assert said.count("\n") == 1


def test_another_error_is_its_first_line_and_where_the_rest_lies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = _said(ZeroDivisionError("by\nnothing"), monkeypatch, capsys, tmp_path)
    assert said == "uretimiq: ZeroDivisionError: by (stack trace in URETIMIQ_HOME/log/uretimiq.log)\n"
