"""Silver keeps every known version of a key; the table of landed rows is drawn, the answer stands beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from expectations.contract import Zone
from expectations.tables import SALES
from jobs.silver import as_known_at, current, partitions, versions

DAY = date(2026, 1, 5)


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def landed(units: float, known: int, batch: int, *, arrived: int | None = None, row_index: int = 0, product: str = "A"):
    """A bronze row of DAY: `units`, known on January `known`, in ingest `batch` of January `arrived`."""
    return {
        "tenant": "acme",
        "site": "s1",
        "product": product,
        "date": DAY,
        "units": units,
        "available_at": at(known),
        "content_hash": f"h{batch}",
        "object_key": f"k{batch}",
        "row_index": row_index,
        "gateway": "g",
        "batch": batch,
        "ingested_at": at(arrived or known),
        "year": 2026,
    }


def told(ctx, *rows):
    """(units, known on, superseded on) of each version, in order of known time."""
    frame = versions(ctx.lake.rows(SALES, rows, Zone.BRONZE), SALES)
    found = sorted(frame.collect(), key=lambda r: r.available_at)
    return [(r.units, r.available_at.day, r.superseded_at.day if r.superseded_at else None) for r in found]


CASES = {
    "one row": ([landed(5, 6, 1)], [(5, 6, None)]),
    "a correction supersedes": ([landed(5, 6, 1), landed(7, 9, 2)], [(5, 6, 9), (7, 9, None)]),
    "a repeated row is no version": ([landed(5, 6, 1), landed(5, 9, 2)], [(5, 6, None)]),
    "the later row of one file counts": ([landed(5, 6, 1), landed(6, 6, 1, row_index=1)], [(6, 6, None)]),
    "a correction that claims to have been known before it landed is known when it landed": (
        [landed(5, 6, 1), landed(7, 6, 2, arrived=20)],
        [(5, 6, 20), (7, 20, None)],
    ),
    "history may declare when it was known": ([landed(5, 6, 1, arrived=20)], [(5, 6, None)]),
    "corrections that land in the wrong order": (
        [landed(5, 6, 1), landed(8, 12, 2, arrived=12), landed(7, 9, 3, arrived=13)],
        [(5, 6, 12), (8, 12, 13), (7, 13, None)],
    ),
    "a correction taken back": (
        [landed(5, 6, 1), landed(7, 9, 2), landed(5, 11, 3)],
        [(5, 6, 9), (7, 9, 11), (5, 11, None)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_versions(ctx, case):
    rows, answer = CASES[case]
    assert told(ctx, *rows) == answer


def test_exactly_one_version_of_a_key_is_current(ctx):
    rows = [landed(float(n), 6 + n, n + 1) for n in range(5)] + [landed(1.0, 7, 9, product="B")]
    frame = versions(ctx.lake.rows(SALES, rows, Zone.BRONZE), SALES)
    assert sorted((r["product"], r.units) for r in current(frame).collect()) == [("A", 4.0), ("B", 1.0)]


def test_as_known_at_gives_what_was_known_then(ctx):
    frame = versions(ctx.lake.rows(SALES, [landed(5, 6, 1), landed(7, 9, 2)], Zone.BRONZE), SALES)
    told_on = {
        day: [r.units for r in as_known_at(frame, f"TIMESTAMP'2026-01-{day:02} 00:00:00'").collect()]
        for day in (5, 6, 8, 9)
    }
    assert told_on == {5: [], 6: [5.0], 8: [5.0], 9: [7.0]}


def test_partitions_name_only_what_was_touched():
    assert partitions({"a": {2025, 2026}, "b": {2025, 2026}, "c": {2026}, "d": {None}}) == (
        "(tenant IN ('a', 'b') AND year IN (2025, 2026)) OR (tenant IN ('c') AND year IN (2026)) OR (tenant IN ('d'))"
    )
