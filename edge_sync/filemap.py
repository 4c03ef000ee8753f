"""What a file map says: how a file of the ERP becomes rows of a contract. Frozen; read by `mapfile`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from expectations.contract import Contract

# Names of the columns that the wide form makes, unless the map names them otherwise.
HEADER, VALUE = "header", "value"


@dataclass(frozen=True, kw_only=True)
class Source:
    """How a file is read. Rows are counted from 1 as a spreadsheet does; `header_row` 0 means that there is none."""

    format: str | None = None  # csv, excel or parquet; None goes by the file's ending
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str | None = '"'
    header_row: int = 1
    skip_rows: int = 0  # rows below the header that are no data, as a row of units
    sheet: str | int | None = None  # name or number from 1; None is the first
    empty_values: tuple[str, ...] = ()  # texts that mean that nothing is known, besides the empty cell


@dataclass(frozen=True, kw_only=True)
class Notation:
    """How numbers and times are written. `time_zone` is the site's; `times_in` that of times without an offset."""

    time_zone: ZoneInfo
    times_in: ZoneInfo
    decimal: str = "."
    thousands: str | None = None
    date_formats: tuple[str, ...] = ()  # of strptime; ISO 8601 with dashes is always read


@dataclass(frozen=True)
class Factor:
    """What a number is multiplied by: `by` is a column with the unit of each row, or None for one factor."""

    values: dict[str, float]
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class ColumnMap:
    """Where one column of the contract comes from: a column of the source, or a constant."""

    source: str | None = None
    constant: str | None = None
    values: dict[str, str] = field(default_factory=dict)  # text of the source -> text, both as the map writes them
    factor: Factor | None = None


@dataclass(frozen=True, kw_only=True)
class Wide:
    """Columns that become rows: each header goes to column `header`, each cell to column `value`."""

    headers: str | None  # regular expression of the whole header; a group in it is what `header` gets
    columns: tuple[str, ...]  # or the headers, one by one
    all_but: tuple[str, ...] = ()  # or all headers but these
    header: str = HEADER
    value: str = VALUE
    keep_empty: bool = False  # whether an empty cell is a row
    start: date | None = None  # where headers are no dates: date of the first such column, and the step to the next
    step: timedelta | None = None
    end: date | None = None  # or date of each row's last filled cell: of series that end together


@dataclass(frozen=True, kw_only=True)
class Split:
    """The named groups of `pattern`, which fits the whole text of `column`, become columns."""

    column: str
    pattern: str


@dataclass(frozen=True, kw_only=True)
class Join:
    """Columns of a second file, found by the texts of `match` (column here -> column there)."""

    file: Path
    source: Source
    match: dict[str, str]
    take: tuple[str, ...]
    many: bool = False  # whether a row may find several and so become several


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a row must fulfil to be imported; each given part counts."""

    column: str
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    empty: bool | None = None
    matches: str | None = None


@dataclass(frozen=True, kw_only=True)
class KnownTime:
    """When a row could have been known: one of a column, a moment, a lag after the start of the event's day."""

    column: str | None = None
    at: datetime | None = None
    lag: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class FileMap:
    """A whole map. `known_time` None means the moment of the import."""

    path: Path
    contract: Contract  # whose rows it makes
    meaning: str  # what the file says, whatever its comments and order; two maps of one meaning make the same import
    source: Source
    notation: Notation
    columns: dict[str, ColumnMap]
    wide: Wide | None = None
    splits: tuple[Split, ...] = ()
    joins: tuple[Join, ...] = ()
    conditions: tuple[Condition, ...] = ()
    once_per: tuple[str, ...] | None = None  # of the rows that agree in these columns only the first counts
    known_time: KnownTime | None = None
    keep_extra: bool = False
    add_up: tuple[str, ...] = ()  # columns of the contract whose rows of one key are added up
