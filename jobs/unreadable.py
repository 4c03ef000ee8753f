"""Which objects make Spark fail, when a file passed inspection and its pages are damaged all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jobs.inspection import Problem

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.batch import Entry

# Error classes of Spark that mean a file's content, and not a server or the memory.
_OF_THE_DATA = (
    "FAILED_READ_FILE",
    "CAST_",
    "ARITHMETIC_OVERFLOW",
    "DATETIME_OVERFLOW",
    "INCONSISTENT_BEHAVIOR",
    "PARQUET_",
)


def is_of_the_data(error: BaseException) -> bool:
    """Whether Spark failed on what it read."""
    text = str(error)
    return any(f"[{name}" in text for name in _OF_THE_DATA) or "ParquetDecodingException" in text


def without_unreadable(
    entries: Sequence[Entry], rows: Callable[[Sequence[Entry]], DataFrame]
) -> list[tuple[Entry, Problem]]:
    """The entries that Spark cannot read, found by halving, each with its problem."""
    why = _failure(rows(entries))
    if why is None:
        return []
    if len(entries) == 1:
        key = entries[0].key
        return [
            (
                entries[0],
                Problem("object_readable", f"{key} cannot be read ({why}): mend the gateway, send the file again"),
            )
        ]
    half = len(entries) // 2
    return without_unreadable(entries[:half], rows) + without_unreadable(entries[half:], rows)


def _failure(frame: DataFrame) -> str | None:
    """Read all of `frame`; the first line of what went wrong, None when nothing did."""
    try:
        frame.write.format("noop").mode("overwrite").save()
    except Exception as error:
        if not is_of_the_data(error):
            raise
        return _root(error)
    return None


def _root(error: Any) -> str:
    text = str(error)
    line = next((part for part in text.splitlines() if "Caused by:" in part), text.splitlines()[0])
    return line.replace("Caused by:", "").strip()[:200]
