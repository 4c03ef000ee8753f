"""The ledger against the tables: for every object, is what was landed really there, once? No JVM."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from expectations.contract import Zone
from expectations.settings import Settings
from expectations.tables import QUARANTINE, TABLES
from jobs.delta_reader import query
from jobs.ledger import DONE, Row

# The sum of hashes of the positions tells a row that is there twice for one that is missing.
_BRONZE = """
    SELECT object_key, content_hash, count(*) AS rows, count(rescued) AS rescued, sum(hash(row_index))::VARCHAR AS marks
    FROM rows WHERE len($tenants) = 0 OR list_contains($tenants, tenant) GROUP BY object_key, content_hash
"""
_QUARANTINE = """
    SELECT object_key, content_hash, coalesce(sum(rows), 0)::BIGINT AS rows, 0 AS rescued,
           coalesce(sum(hash(row_index)) FILTER (row_index >= 0), 0)::VARCHAR AS marks
    FROM rows WHERE contract = $contract AND replayed_at IS NULL AND (len($tenants) = 0 OR list_contains($tenants, tenant))
    GROUP BY object_key, content_hash
"""
_EXPECTED = "SELECT n, sum(hash(i))::VARCHAR AS marks FROM (SELECT unnest($sizes) AS n), range(n) AS t(i) GROUP BY n"
Name = tuple[str, str]


@dataclass
class _Held:
    rows: int = 0
    rescued: int = 0
    marks: int = 0


def differences(settings: Settings, rows: Sequence[Row], tenants: Sequence[str] = ()) -> list[str]:
    """A line for each object whose ledger row and tables disagree; none when all is well."""
    lines: list[str] = []
    for contract in sorted({str(r["contract"]) for r in rows}):
        mine = [row for row in rows if str(row["contract"]) == contract]
        values = {"tenants": list(tenants)}
        there = contract in {c.name for c in TABLES.landed}
        bronze = _held(query(settings, TABLES[contract], Zone.BRONZE, _BRONZE, values)) if there else {}
        held = _held(query(settings, QUARANTINE, None, _QUARANTINE, {**values, "contract": contract}))
        lines += _compare(mine, bronze, held, _expected(mine))
        named = {_name(row) for row in mine}
        lines += [
            f"{key}: {h.rows} rows in bronze, the ledger does not know it" for (key, _), h in _strangers(bronze, named)
        ]
    return lines


def _compare(
    rows: Sequence[Row], bronze: dict[Name, _Held], held: dict[Name, _Held], expected: dict[int, int]
) -> list[str]:
    lines = []
    for row in rows:
        there, aside = bronze.get(_name(row), _Held()), held.get(_name(row), _Held())
        counted = {"bronze": there.rows, "rescued": there.rescued, "quarantined": aside.rows}
        noted = {kind: row[f"rows_{kind}"] for kind in counted}
        differing = [
            f"{kind}: ledger {noted[kind]}, tables {counted[kind]}" for kind in counted if noted[kind] != counted[kind]
        ]
        if row["rows_landed"] != there.rows + aside.rows:
            differing.append(f"{row['rows_landed']} rows landed")
        elif row["status"] == DONE and there.marks + aside.marks != expected.get(row["rows_landed"], 0):
            differing.append("a row is there twice and another is missing")
        if differing:
            lines.append(f"{row['object_key']}: {', '.join(differing)}")
    return lines


def _strangers(bronze: dict[Name, _Held], named: set[Name]) -> Iterable[tuple[Name, _Held]]:
    return ((name, held) for name, held in bronze.items() if name not in named)


def _held(found: Sequence[dict[str, Any]]) -> dict[Name, _Held]:
    held: dict[Name, _Held] = defaultdict(_Held)
    for row in found:
        held[_name(row)] = _Held(row["rows"], row["rescued"], int(row["marks"]))
    return held


def _expected(rows: Sequence[Row]) -> dict[int, int]:
    """The marks of an object of so many rows, each there once."""
    import duckdb

    sizes = sorted({row["rows_landed"] for row in rows if row["status"] == DONE})
    with duckdb.connect() as connection:
        return {n: int(marks) for n, marks in connection.execute(_EXPECTED, {"sizes": sizes}).fetchall()}


def _name(row: Row) -> Name:
    return row["object_key"], row["content_hash"]
