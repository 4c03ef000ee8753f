"""Every example of docs/maps.md does what it says: the file by its map gives the rows that are shown."""

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from edge_sync.mapfile import read_maps
from edge_sync.report import as_grid
from expectations.tables import TABLES

PAGE = Path(__file__).parents[2] / "docs" / "maps.md"
_BLOCK = re.compile(r"^```(csv|yaml|text)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Example:
    title: str
    files: dict[str, str]
    map: str
    contract: str
    shown: str


def examples() -> list[Example]:
    found, files, made = [], {}, ""
    page = PAGE.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(page):
        kind, name, text = block.groups()
        if kind == "csv":
            files = {name or "export.csv": text} if name is None else {**files, name: text}
        elif kind == "yaml":
            made = text
        else:
            title = re.findall(r"^## (.*)$", page[: block.start()], re.MULTILINE)[-1]
            found.append(Example(title, files, made, name or "sales", text))
    return found


def test_the_page_has_examples() -> None:
    assert len(examples()) >= 12


@pytest.mark.parametrize("example", examples(), ids=lambda e: e.title)
def test_an_example_of_the_page(gateway, example) -> None:
    encoding = yaml.safe_load(example.map).get("encoding", "utf-8")
    for name, text in example.files.items():
        gateway.write(name, text, encoding)
    maps = read_maps(gateway.write("map.yaml", example.map), TABLES[example.contract], TABLES)
    parts = [
        gateway.landed(gateway.folder / "export.csv", example.map, example.contract, part=part)
        for part in range(len(maps))
    ]
    table = pa.concat_tables(parts, promote_options="default")
    names = example.shown.splitlines()[0].split()
    assert as_grid(table.select(names)) == example.shown.rstrip("\n")


def test_every_key_of_a_map_is_on_the_page() -> None:
    source = "".join(
        (PAGE.parents[1] / "edge_sync" / f).read_text() for f in ("mapfile.py", "mapcolumns.py", "sets.py")
    )
    keys = set(re.findall(r'fields\.(?:read|raw)\("(\w+)"', source)) | {"split", "joins"}
    page = PAGE.read_text(encoding="utf-8")
    set_file = {"data", "imports", "contract", "map", "site"}  # shown by the shipped sets
    assert len(keys) > 30
    assert {k for k in keys - set_file if f"{k}:" not in page and f"`{k}`" not in page} == set()
