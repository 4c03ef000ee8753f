"""Reads a file map from YAML and holds it against the contract that it is for."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from edge_sync.errors import MapError
from edge_sync.fields import REQUIRED, Fields, count, flag, one_of, text, texts
from edge_sync.filemap import HEADER, VALUE, Condition, FileMap, Join, KnownTime, Notation, Source, Split, Wide
from edge_sync.mapcolumns import read_columns
from edge_sync.mapvalues import (
    date_format,
    day,
    duration,
    encoding,
    moment,
    one_character,
    pairs,
    pattern,
    quote,
    sheet,
    summed,
    time_zone,
)
from edge_sync.render import render
from expectations.contract import Catalogue, Contract

FORMATS = ("csv", "excel", "parquet")


def read_maps(path: Path, contract: Contract | None, catalogue: Catalogue) -> list[FileMap]:
    """The map in `path` for `contract`; where none is given, that of each of its `imports`, which name theirs.

    What stands beside `imports` counts for each of them that does not say otherwise. Raises MapError.
    """
    record: Any = load_yaml(path)
    if not isinstance(record, dict) or "imports" not in record:
        if contract is None:
            raise MapError(f"{path}: names no `imports`: say by --contract which table its rows are for")
        return [read_map(path, contract)]
    shared = {key: value for key, value in record.items() if key != "imports"}
    parts = record["imports"]
    if not isinstance(parts, list) or not parts:
        raise MapError(f"{path}: imports: {parts!r} is no list of maps, each with its `contract`")
    names = [c.name for c in catalogue.landed]
    maps = []
    for number, part in enumerate(parts, 1):
        where = f"{path}: imports[{number}]"
        name = Fields(part, where).read("contract", one_of(*names), REQUIRED)
        if contract is None or contract.name == name:
            own = {key: value for key, value in part.items() if key != "contract"}
            maps.append(_file_map(path, where, {**shared, **own}, catalogue[name]))
    if not maps:
        raise MapError(f"{path}: imports: none of them is for {contract.name if contract else ''}")
    return maps


def read_map(path: Path, contract: Contract) -> FileMap:
    """The map in `path` for `contract`. Raises MapError, one line with file, key, value and remedy."""
    return _file_map(path, str(path), load_yaml(path), contract)


def _file_map(path: Path, where: str, record: Any, contract: Contract) -> FileMap:
    fields = Fields(record, where)
    fields.raw("about")  # a text for people
    source = read_source(fields)
    notation = _notation(fields)
    known_time = fields.raw("known_time")
    made = FileMap(
        path=path,
        contract=contract,
        meaning=repr(_ordered({key: value for key, value in record.items() if key != "about"})),
        source=source,
        notation=notation,
        columns=read_columns(fields.raw("columns", REQUIRED), f"{where}: columns", contract, notation),
        wide=_wide(fields.raw("wide"), f"{where}: wide"),
        splits=tuple(_split(r, w) for r, w in _list(fields, "split")),
        joins=tuple(_join(r, w, path.parent) for r, w in _list(fields, "joins")),
        once_per=fields.read("once_per", texts),
        conditions=_conditions(fields.raw("filter"), f"{where}: filter", notation),
        known_time=None if known_time is None else _known_time(known_time, f"{where}: known_time", notation, contract),
        keep_extra=fields.read("keep_extra", flag, False),
        add_up=fields.read("add_up", lambda v: summed(v, contract), ()),
    )
    if made.add_up and made.keep_extra:
        raise fields.bad("add_up", "cannot be with keep_extra: a sum of rows has no other columns")
    fields.done()
    return made


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return sorted((repr(key), _ordered(part)) for key, part in value.items())
    return [_ordered(part) for part in value] if isinstance(value, list) else repr(value)


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, where YAML would forget the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((i for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            mark = node.value[twice][0].start_mark
            raise yaml.MarkedYAMLError(problem=f"the key {keys[twice]!r} stands there twice", problem_mark=mark)
        return super().construct_mapping(node, deep)


def load_yaml(path: Path) -> object:
    """What the YAML file says. Raises MapError for a file that is not there or is no YAML."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise MapError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise MapError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise MapError(f"{path}: {place}{getattr(error, 'problem', None) or error}") from None


def read_source(fields: Fields) -> Source:
    """How a file is read: the keys are shared by a map and a joined file."""
    default = Source()
    return Source(
        format=fields.read("format", one_of(*FORMATS)),
        encoding=fields.read("encoding", encoding, default.encoding),
        delimiter=fields.read("delimiter", one_character, default.delimiter),
        quote=fields.read("quote", quote, default.quote),
        header_row=fields.read("header_row", count, default.header_row),
        skip_rows=fields.read("skip_rows", count, default.skip_rows),
        sheet=fields.read("sheet", sheet),
        empty_values=fields.read("empty_values", texts, ()),
    )


def _notation(fields: Fields) -> Notation:
    zone = fields.read("time_zone", time_zone, REQUIRED)
    decimal = fields.read("decimal", one_of(".", ","), ".")
    thousands = fields.read("thousands", one_of(".", ",", " ", "'"))
    if thousands == decimal:
        raise fields.bad("thousands", "is the decimal sign as well")
    return Notation(
        time_zone=zone,
        times_in=fields.read("times_in", time_zone, zone),
        decimal=decimal,
        thousands=thousands,
        date_formats=fields.read("date_formats", lambda v: tuple(date_format(f) for f in texts(v)), ()),
    )


def _list(fields: Fields, key: str) -> list[tuple[Any, str]]:
    """The entries of a list with their places for messages; one entry may stand without the list."""
    value = fields.raw(key)
    entries = [] if value is None else value if isinstance(value, list) else [value]
    return [(entry, f"{fields.where}: {key}[{i}]") for i, entry in enumerate(entries, 1)]


def _wide(record: object, where: str) -> Wide | None:
    if record is None:
        return None
    fields = Fields(record, where)
    wide = Wide(
        headers=fields.read("headers", pattern),
        columns=fields.read("columns", texts, ()),
        all_but=fields.read("all_but", texts, ()),
        header=fields.read("header", text, HEADER),
        value=fields.read("value", text, VALUE),
        keep_empty=fields.read("keep_empty", flag, False),
        start=fields.read("start", day),
        step=fields.read("step", duration),
        end=fields.read("end", day),
    )
    fields.done()
    if sum(bool(given) for given in (wide.headers, wide.columns, wide.all_but)) != 1:
        raise MapError(
            f"{where}: name the columns that become rows by one of `headers` (a pattern), `columns` or `all_but`"
        )
    if (wide.start is None and wide.end is None) != (wide.step is None) or (wide.start and wide.end):
        raise MapError(
            f"{where}: `step`, from one column to the next, belongs to `start`, the date of the first,"
            " or to `end`, the date of each row's last filled cell"
        )
    if wide.end and wide.keep_empty:
        raise MapError(f"{where}: `end` counts back from the last filled cell: leave `keep_empty` out")
    return wide


def _split(record: object, where: str) -> Split:
    fields = Fields(record, where)
    split = Split(column=fields.read("column", text, REQUIRED), pattern=fields.read("pattern", pattern, REQUIRED))
    fields.done()
    if not re.compile(split.pattern).groupindex:
        raise MapError(f"{where}: pattern: {split.pattern!r} has no named group such as (?P<site>...)")
    return split


def _join(record: object, where: str, folder: Path) -> Join:
    fields = Fields(record, where)
    match = fields.read("match", pairs, REQUIRED)
    join = Join(
        file=folder / fields.read("file", text, REQUIRED),
        source=read_source(fields),
        match=match,
        take=fields.read("take", texts, REQUIRED),
        many=fields.read("many", flag, False),
    )
    fields.done()
    return join


def _conditions(record: object, where: str, notation: Notation) -> tuple[Condition, ...]:
    if record is None:
        return ()
    fields = Fields(record, where)
    return tuple(_condition(column, fields.raw(column), where, notation) for column in record)  # type: ignore[attr-defined]


def _condition(column: str, value: object, where: str, notation: Notation) -> Condition:
    def several(given: object) -> tuple[str, ...]:
        return tuple(render(v, notation.decimal) for v in (given if isinstance(given, list) else [given]))

    if not isinstance(value, dict):
        return Condition(column=column, one_of=several(value))
    fields = Fields(value, f"{where}: {column}")
    condition = Condition(
        column=column,
        one_of=fields.read("one_of", several, ()),
        none_of=fields.read("none_of", several, ()),
        empty=fields.read("empty", flag),
        matches=fields.read("matches", pattern),
    )
    fields.done()
    return condition


def _known_time(record: object, where: str, notation: Notation, contract: Contract) -> KnownTime:
    fields = Fields(record, where)
    known = KnownTime(
        column=fields.read("column", text),
        at=fields.read("at", lambda v: moment(v, notation.time_zone)),
        lag=fields.read("lag", duration),
    )
    fields.done()
    if sum(part is not None for part in (known.column, known.at, known.lag)) != 1:
        raise MapError(
            f"{where}: give one of column, at or lag; leave known_time out if it is the moment of the import"
        )
    if known.lag is not None and contract.event_time is None:
        raise MapError(f"{where}: lag: contract {contract.name} has no event time to count from; use at or column")
    return known
