"""The glossary holds every word that the tables use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from expectations.contract import LINEAGE, VERSION, YEAR
from expectations.tables import TABLES

GLOSSARY = Path(__file__).resolve().parents[2] / "docs" / "glossary.md"


def family(name: str) -> str:
    """The name with each number as N: units_lag_7 and units_lag_8 are one word."""
    return re.sub(r"(?<=[_q])\d+", "N", name)


@pytest.fixture(scope="module")
def words() -> set[str]:
    return set(re.findall(r"`([a-zA-Z_]+)`", GLOSSARY.read_text(encoding="utf-8")))


def test_every_table_stands_in_the_glossary(words: set[str]) -> None:
    missing = sorted(contract.name for contract in TABLES.contracts if contract.name not in words)
    assert missing == [], "add them to docs/glossary.md with their Turkish names"


def test_every_column_stands_in_the_glossary(words: set[str]) -> None:
    columns = [c for contract in TABLES.contracts for c in contract.columns]
    names = {family(c.name) for c in (*columns, *LINEAGE, *VERSION, YEAR)}
    assert len(names) > 80
    assert sorted(names - words) == [], "add them to docs/glossary.md with their Turkish names"


def test_every_line_has_a_turkish_word(words: set[str]) -> None:
    rows = [line.split("|") for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert [row[1] for row in rows if not row[2].strip()] == []
