"""Reads a file map from YAML and holds it against the contract that it is for."""

from __future__ import annotations

import codecs
import re
from collections.abc import Hashable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from edge_sync.errors import MapError
from edge_sync.fields import REQUIRED, Fields, count, flag, one_of, text, texts
from edge_sync.filemap import HEADER, VALUE, Condition, FileMap, Join, KnownTime, Notation, Source, Split, Wide
from edge_sync.mapcolumns import read_columns
from edge_sync.render import render
from expectations.contract import Contract

FORMATS = ("csv", "excel", "parquet")
ENCODINGS = ("utf-8", "utf-8-sig", "windows-1254", "iso-8859-9", "utf-16")
_DURATION = re.compile(r"([-+]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")


def read_map(path: Path, contract: Contract) -> FileMap:
    """The map in `path` for `contract`. Raises MapError, one line with file, key, value and remedy."""
    record = load_yaml(path)
    fields = Fields(record, str(path))
    fields.raw("about")  # a text for people
    source = read_source(fields)
    notation = _notation(fields)
    known_time = fields.raw("known_time")
    made = FileMap(
        path=path,
        source=source,
        notation=notation,
        columns=read_columns(fields.raw("columns", REQUIRED), f"{path}: columns", contract, notation),
        wide=_wide(fields.raw("wide"), f"{path}: wide"),
        splits=tuple(_split(r, w) for r, w in _list(fields, "split")),
        joins=tuple(_join(r, w, path.parent) for r, w in _list(fields, "joins")),
        once_per=fields.read("once_per", texts, ()),
        conditions=_conditions(fields.raw("filter"), f"{path}: filter", notation),
        known_time=None if known_time is None else _known_time(known_time, f"{path}: known_time", notation, contract),
        keep_extra=fields.read("keep_extra", flag, False),
    )
    fields.done()
    return made


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
        encoding=fields.read("encoding", _encoding, default.encoding),
        delimiter=fields.read("delimiter", _one_character, default.delimiter),
        quote=fields.read("quote", _quote, default.quote),
        header_row=fields.read("header_row", count, default.header_row),
        skip_rows=fields.read("skip_rows", count, default.skip_rows),
        sheet=fields.read("sheet", _sheet),
        empty_values=fields.read("empty_values", texts, ()),
    )


def _notation(fields: Fields) -> Notation:
    zone = fields.read("time_zone", _zone, REQUIRED)
    decimal = fields.read("decimal", one_of(".", ","), ".")
    thousands = fields.read("thousands", one_of(".", ",", " ", "'"))
    if thousands == decimal:
        raise fields.bad("thousands", "is the decimal sign as well")
    return Notation(
        time_zone=zone,
        times_in=fields.read("times_in", _zone, zone),
        decimal=decimal,
        thousands=thousands,
        date_formats=fields.read("date_formats", lambda v: tuple(_date_format(f) for f in texts(v)), ()),
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
        headers=fields.read("headers", _pattern),
        columns=fields.read("columns", texts, ()),
        header=fields.read("header", text, HEADER),
        value=fields.read("value", text, VALUE),
        keep_empty=fields.read("keep_empty", flag, False),
        start=fields.read("start", _date),
        step=fields.read("step", duration),
    )
    fields.done()
    if (wide.headers is None) == (not wide.columns):
        raise MapError(f"{where}: name the columns that become rows either by `headers` (a pattern) or by `columns`")
    if (wide.start is None) != (wide.step is None):
        raise MapError(
            f"{where}: `start` and `step` belong together: the date of the first column and the step to the next"
        )
    return wide


def _split(record: object, where: str) -> Split:
    fields = Fields(record, where)
    split = Split(column=fields.read("column", text, REQUIRED), pattern=fields.read("pattern", _pattern, REQUIRED))
    fields.done()
    if not re.compile(split.pattern).groupindex:
        raise MapError(f"{where}: pattern: {split.pattern!r} has no named group such as (?P<site>...)")
    return split


def _join(record: object, where: str, folder: Path) -> Join:
    fields = Fields(record, where)
    match = fields.read("match", _pairs, REQUIRED)
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
        matches=fields.read("matches", _pattern),
    )
    fields.done()
    return condition


def _known_time(record: object, where: str, notation: Notation, contract: Contract) -> KnownTime:
    fields = Fields(record, where)
    known = KnownTime(
        column=fields.read("column", text),
        at=fields.read("at", lambda v: _moment(v, notation.time_zone)),
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


def duration(value: Any) -> timedelta:
    """An ISO 8601 duration of weeks, days, hours and minutes, as P1D, -P365D, PT6H."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()[1:]):
        raise ValueError("is no ISO 8601 duration such as P1D, PT6H or -P365D")
    weeks, days, hours, minutes = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    return -length if found[1] == "-" else length


def _encoding(value: Any) -> str:
    one_of(*ENCODINGS)(value.lower() if isinstance(value, str) else value)
    return (
        codecs.lookup(value).name if value.lower() != "utf-8-sig" else "utf-8"
    )  # a byte order mark is always left out


def _one_character(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1 or not value.isascii():
        raise ValueError('is no single character; a tab is "\\t" in double quotes')
    return value


def _quote(value: Any) -> str | None:
    return None if value in (None, "", "none") else _one_character(value)


def _sheet(value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    return text(value)


def _zone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(text(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no IANA time zone such as Europe/Istanbul") from None


def _date_format(value: str) -> str:
    if "%" not in value:
        raise ValueError(f"holds {value!r}, which is no strptime format such as %d.%m.%Y")
    try:
        datetime.strptime(datetime(2001, 2, 3, 4, 5, 6).strftime(value), value)  # noqa: DTZ001, DTZ007 - the format alone
    except (ValueError, re.error):
        raise ValueError(f"holds {value!r}, which is no strptime format such as %d.%m.%Y") from None
    return value


def _pattern(value: Any) -> str:
    try:
        return re.compile(text(value)).pattern
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("is no date such as 2024-01-31")


def _moment(value: Any, zone: ZoneInfo) -> datetime:
    """A moment of YAML (a time, a date or a text); one without an offset counts in `zone`."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone follows
    if not isinstance(value, datetime):
        raise ValueError("is no ISO time such as 2024-01-31T06:00:00+03:00")
    return value if value.tzinfo else value.replace(tzinfo=zone)


def _pairs(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not value:
        raise ValueError("is no mapping of a column here to the column there")
    return {text(k): text(v) for k, v in value.items()}
