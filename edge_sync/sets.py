"""A set: the files of one source with their maps, imported in order. Data, so that an example needs no code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_sync.errors import EdgeError
from edge_sync.fields import REQUIRED, Fields, suggest, text, texts
from edge_sync.mapfile import load_yaml
from expectations.contract import Catalogue

MAPS = Path(__file__).parent / "maps"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One map and the files that it reads."""

    contract: str
    map: Path
    files: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class FileSet:
    """`site` is where the gateway of the set stands."""

    site: str
    entries: tuple[Entry, ...]


def shipped_sets() -> list[str]:
    return sorted(path.parent.name for path in MAPS.glob("*/set.yaml"))


def read_set(name: str, data: Path, catalogue: Catalogue) -> FileSet:
    """The set in the file `name`, or the shipped one of that name; its files lie under `data`, `shipped` ones beside it.

    Raises EdgeError with file, key and remedy.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else MAPS / name / "set.yaml"
    if not path.exists():
        raise EdgeError(f"{name}: no such set{suggest(name, shipped_sets())}")
    fields = Fields(load_yaml(path), str(path))
    fields.raw("about")
    site = fields.read("site", text, REQUIRED)
    folder = data / fields.read("data", text, ".")
    entries = fields.raw("imports", REQUIRED)
    fields.done()
    if not isinstance(entries, list) or not entries:
        raise fields.bad("imports", "is no list of contract, map and files")
    read = [_entry(e, f"{path}: imports[{i}]", path.parent, folder, catalogue) for i, e in enumerate(entries, 1)]
    return FileSet(site=site, entries=tuple(read))


def _entry(record: object, where: str, beside: Path, data: Path, catalogue: Catalogue) -> Entry:
    fields = Fields(record, where)
    names = [c.name for c in catalogue.landed]
    entry = Entry(
        contract=fields.read("contract", text, REQUIRED),
        map=beside / fields.read("map", text, REQUIRED),
        files=tuple(data / f for f in fields.read("files", texts, ()))
        + tuple(beside / f for f in fields.read("shipped", texts, ())),
    )
    fields.done()
    if entry.contract not in names:
        raise fields.bad("contract", f"is no landed contract{suggest(entry.contract, names)}")
    if not entry.files:
        raise EdgeError(f"{where}: name its `files` (in the data folder) or `shipped` ones (beside the set)")
    return entry
