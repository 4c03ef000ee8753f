"""The pages of documentation: one for each contract and a table of them all, made from the declarations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from expectations.contract import KEYS_UNIQUE, Catalogue, Column, Contract, NotNull, Rule, Zone
from expectations.odcs import physical_type

PAGES = Path(__file__).resolve().parent.parent / "docs" / "contracts"
INDEX = "README.md"
NOTE = "<!-- Made by `uretimiq contracts docs` from expectations/tables.py: change it there. -->\n"
_OF_EVERY_RULE = {"name", "reason", "severity"}


def _cell(value: object) -> str:
    return str("" if value is None else value).replace("|", "\\|").replace("\n", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def index(catalogue: Catalogue) -> str:
    """The table of all contracts."""
    rows = [(f"[{c.name}]({c.name}.md)", c.zone, c.version, c.owner, c.meaning) for c in catalogue.contracts]
    return f"{NOTE}\n# Contracts\n\n" + _table(("table", "zone", "version", "owner", "what it holds"), rows)


def page(contract: Contract) -> str:
    """The page of one contract."""
    parts = [f"{NOTE}\n# {contract.name}\n\n{contract.meaning}\n", _facts(contract), "## Columns\n", _columns(contract)]
    if contract.landed:
        bronze = [c for c in contract.columns_in(Zone.BRONZE) if c not in contract.columns]
        silver = [c for c in contract.columns_in(Zone.SILVER) if c not in contract.columns]
        parts += ["## Added in bronze\n", _described(bronze), "## Added in silver\n", _described(silver)]
    parts += ["## Rules\n", _rules(contract)]
    return "\n".join(parts)


def _facts(contract: Contract) -> str:
    partitions = contract.partitions_in(contract.zone)
    facts = {
        "version": contract.version,
        "owner": contract.owner,
        "zone": f"{contract.zone}, landed by gateways through bronze" if contract.landed else str(contract.zone),
        "keys": ", ".join(contract.keys),
        "event time": contract.event_time or "none",
        "known time": contract.known_time or "none",
        "partitioned by": ", ".join(partitions) or "nothing",
        "retention": f"{contract.retention_days} days" if contract.retention_days else "for ever",
    }
    if contract.stale_after_days is not None:
        facts["stale"] = f"a tenant's night stops when its newest day is more than {contract.stale_after_days} days old"
    return _table(("", ""), facts.items())


def _columns(contract: Contract) -> str:
    return _described(contract.columns)


def _described(columns: Iterable[Column]) -> str:
    rows = [
        (c.name, physical_type(c.type).lower(), c.unit, "may be null" if c.nullable else "required", c.kvkk, c.meaning)
        for c in columns
    ]
    return _table(("column", "type", "unit", "", "KVKK class", "meaning"), rows)


def _rules(contract: Contract) -> str:
    rows: list[Sequence[object]] = [(r.name, _asks(r), r.severity, r.reason) for r in contract.rules]
    unique = ", ".join(contract.unique_in(contract.zone))
    rows.append((KEYS_UNIQUE, f"{unique} together name one row", "blocks", "A row that counts twice is counted twice."))
    return "Every required column must be given; that blocks.\n\n" + _table(("rule", "asks", "", "reason"), rows)


def _asks(rule: Rule) -> str:
    """What a rule asks, from its own parameters."""
    given = {f.name: getattr(rule, f.name) for f in fields(rule) if f.name not in _OF_EVERY_RULE}
    told = ", ".join(f"{name} `{value}`" for name, value in given.items() if value is not None)
    return f"{'not null' if isinstance(rule, NotNull) else type(rule).__name__}: {told}"


def pages(catalogue: Catalogue) -> dict[str, str]:
    """All pages by file name."""
    return {INDEX: index(catalogue), **{f"{c.name}.md": page(c) for c in catalogue.contracts}}


def write(catalogue: Catalogue, folder: Path | None = None) -> list[Path]:
    """Write all pages, remove those of contracts that are gone; returns what changed."""
    folder = folder or PAGES
    wanted = pages(catalogue)
    changed = [folder / name for name in stale(catalogue, folder)]
    folder.mkdir(parents=True, exist_ok=True)
    for path in changed:
        if path.name in wanted:
            path.write_text(wanted[path.name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def stale(catalogue: Catalogue, folder: Path | None = None) -> list[str]:
    """File names of pages that are missing, out of date or of no contract."""
    wanted = pages(catalogue)
    there = {p.name: p.read_text(encoding="utf-8") for p in (folder or PAGES).glob("*.md")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
