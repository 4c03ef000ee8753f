"""The vocabulary in which a table is declared, in the terms of the Open Data Contract Standard.

A contract is data. From it come the Arrow schema that a gateway writes, the Spark and Delta schema, the
Great Expectations suite, the split into good and quarantined rows, the released file and the page of
documentation. Plain Python and pyarrow, since gateway and API import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import pyarrow as pa

UTC_TIME = pa.timestamp("us", tz="UTC")
# Rules of a whole table, beside the value rules of its rows.
KEYS_UNIQUE = "keys_unique"
FRESH = "fresh"


class Zone(StrEnum):
    """Where in the way of the data a table stands; also the folder it lives in."""

    BRONZE = "bronze"
    SILVER = "silver"
    FEATURES = "features"
    GOLD = "gold"
    OPERATIONS = "operations"  # ledgers, quarantine, check results: what the platform notes of itself


class Kvkk(StrEnum):
    """Class of a column under the Turkish data protection law (KVKK, law 6698)."""

    NONE = "none"
    PERSONAL = "personal"
    SPECIAL = "special"


class Severity(StrEnum):
    """What a failed rule does: BLOCKS quarantines the row (or stops the tenant), WARNS lets it go on."""

    BLOCKS = "blocks"
    WARNS = "warns"


@dataclass(frozen=True)
class Column:
    """One column. `unit` is a UCUM-like symbol or a plain word ("piece", "currency/piece"), None for no quantity."""

    name: str
    type: pa.DataType
    meaning: str
    unit: str | None = None
    nullable: bool = False
    kvkk: Kvkk = Kvkk.NONE

    @property
    def field(self) -> pa.Field:
        return pa.field(self.name, self.type, nullable=self.nullable)


def _literal(value: object) -> str:
    """`value` as a literal of Spark SQL, which reads a backslash in a text as the begin of an escape."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"


def in_duckdb(sql: str) -> str:
    """The SQL of rules, which is Spark's, as DuckDB reads it: a backslash as it stands, and another function's name."""
    return sql.replace("\\\\", "\\").replace("regexp_like(", "regexp_matches(")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One value rule. `sql` (Spark's) is true for a good row and null-safe: it never evaluates to null."""

    name: str
    reason: str
    severity: Severity = Severity.BLOCKS

    @property
    def sql(self) -> str:
        raise NotImplementedError

    @property
    def columns(self) -> tuple[str, ...]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class NotNull(Rule):
    column: str

    @property
    def sql(self) -> str:
        return f"({self.column} IS NOT NULL)"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class Between(Rule):
    """`low <= column <= high`, each bound optional; null passes (NotNull is a rule of its own), NaN fails."""

    column: str
    low: float | str | None = None
    high: float | str | None = None

    @property
    def sql(self) -> str:
        # NaN sorts above every number in Spark and DuckDB: without an upper bound it would pass.
        bounds = []
        if self.low is not None:
            bounds.append(f"{self.column} >= {_literal(self.low)}")
        if self.high is not None:
            bounds.append(f"{self.column} <= {_literal(self.high)}")
        elif not isinstance(self.low, str):
            bounds.append(f"{self.column} < CAST('Infinity' AS DOUBLE)")
        return f"({self.column} IS NULL OR ({' AND '.join(bounds)}))"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class OneOf(Rule):
    column: str
    values: tuple[str, ...]

    @property
    def sql(self) -> str:
        return f"({self.column} IS NULL OR {self.column} IN ({', '.join(map(_literal, self.values))}))"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class Matches(Rule):
    r"""`column` matches the whole of `pattern`, a regular expression common to Java, RE2 and Python.

    Common to them means no `\s`, `\w` and `\b`: each counts other characters to these classes.
    """

    column: str
    pattern: str

    @property
    def anchored(self) -> str:
        """The pattern for engines that search. Not `^` and `$`: Java's `$` also stands before a last line break."""
        return rf"\A(?:{self.pattern})\z"

    @property
    def sql(self) -> str:
        return f"({self.column} IS NULL OR regexp_like({self.column}, {_literal(self.anchored)}))"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class AtMost(Rule):
    """`lower <= upper` row by row; a null on either side passes."""

    lower: str
    upper: str

    @property
    def sql(self) -> str:
        return f"({self.lower} IS NULL OR {self.upper} IS NULL OR {self.lower} <= {self.upper})"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.lower, self.upper)


@dataclass(frozen=True)
class Contract:
    """The declaration of one table.

    `columns` are those of the business; a table that is landed by gateways (`landed`) gets the columns of its
    way through bronze and silver added by `schema`. `keys` name one row. `event_time` is the column that says
    when it happened, `known_time` the one that says when we could have known it. `partitioned_by` names columns
    of the table; in a landed table `year` is derived from the event time.
    """

    name: str
    zone: Zone
    meaning: str
    version: str
    owner: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    event_time: str | None = None
    known_time: str | None = None
    partitioned_by: tuple[str, ...] = ("tenant",)
    retention_days: int | None = None  # of rows, by event time; None keeps them for ever
    landed: bool = False
    # A landed table alone: the tenant's night stops when the newest event known is older than this many days.
    stale_after_days: int | None = None

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"contract {self.name}: a column is declared twice")
        known = {*names, *(c.name for c in LINEAGE)} if self.landed else set(names)
        for used in (*self.keys, *(c for r in self.rules for c in r.columns)):
            if used not in known:
                raise ValueError(f"contract {self.name}: {used!r} is used by a key or a rule but is no column")
        rule_names = [r.name for r in self.rules]
        if len(set(rule_names)) != len(rule_names):
            raise ValueError(f"contract {self.name}: two rules share a name")

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {c.name: c for c in self.columns}

    @property
    def landing_columns(self) -> tuple[Column, ...]:
        """What a gateway writes: all but `tenant`, which ingest takes from the place where the object lies."""
        return tuple(c for c in self.columns if c.name != "tenant")

    @property
    def landing_schema(self) -> pa.Schema:
        return pa.schema([c.field for c in self.landing_columns])

    def columns_in(self, zone: Zone) -> tuple[Column, ...]:
        """The columns of this table in `zone`: a landed one also lives in bronze (with lineage) and silver."""
        if not self.landed:
            return self.columns
        year = (YEAR,) if self.event_time else ()
        if zone is Zone.BRONZE:
            return (*self.columns, *LINEAGE, *year)
        return (*self.columns, *VERSION, *year)

    def schema_in(self, zone: Zone) -> pa.Schema:
        return pa.schema([c.field for c in self.columns_in(zone)])

    def partitions_in(self, zone: Zone) -> tuple[str, ...]:  # noqa: ARG002  a zone may come to differ
        if not self.landed:
            return self.partitioned_by
        return ("tenant", "year") if self.event_time else ("tenant",)

    def unique_in(self, zone: Zone) -> tuple[str, ...]:
        """The columns that together name one row in `zone`; silver holds versions of a key.

        None in bronze: there the ingest ledger counts every row of every object, and `status --verify` again.
        """
        if self.landed and zone is Zone.BRONZE:
            return ()
        if self.landed and self.known_time:
            return (*self.keys, self.known_time)
        return self.keys

    def rules_in(self, zone: Zone) -> tuple[Rule, ...]:
        """NotNull for each column that may not be null, then the declared rules whose columns exist in `zone`."""
        present = tuple(
            NotNull(name=f"{c.name}_given", column=c.name, reason=f"{c.meaning}: without it the row says nothing.")
            for c in self.columns
            if not c.nullable
        )
        there = {c.name for c in self.columns_in(zone)}
        return present + tuple(r for r in self.rules if there.issuperset(r.columns))


# What bronze adds to a landed table: which file, which row of it, by which gateway, when.
LINEAGE = (
    Column("content_hash", pa.string(), "SHA-256 of the landed object that the row came in"),
    Column("object_key", pa.string(), "Key of that object in the landing bucket"),
    Column("row_index", pa.int64(), "Position of the row in that object, from 0"),
    Column("gateway", pa.string(), "Gateway that sent the object"),
    Column("batch", pa.int64(), "Ingest batch that wrote the row"),
    Column("ingested_at", UTC_TIME, "When ingest wrote the row"),
    Column("rescued", pa.string(), "Columns that the contract does not know, as JSON", nullable=True),
)
# What silver adds: from when to when this version of the key was the latest known, and the way back to its row.
VERSION = (
    Column("superseded_at", UTC_TIME, "When a correction became known; null for the current version", nullable=True),
    Column("content_hash", pa.string(), "SHA-256 of the landed object that the version came in"),
    Column("row_index", pa.int64(), "Position of the row in that object, from 0"),
)
YEAR = Column("year", pa.int32(), "Year of the event time; partition")

TENANT = Column("tenant", pa.string(), "Customer whose row it is")
SITE = Column("site", pa.string(), "Plant, warehouse or store")
PRODUCT = Column("product", pa.string(), "Product code of the ERP")
AVAILABLE_AT = Column("available_at", UTC_TIME, "When we could have known the row")

CODE = r"[^\x00-\x20\x7f/=]([^\x00-\x1f\x7f/=]{0,98}[^\x00-\x20\x7f/=])?"  # codes become folder names and URL parts


def code_rule(column: str) -> Matches:
    """A rule that a code is printable and without what would break a path."""
    return Matches(
        name=f"{column}_is_a_code",
        column=column,
        pattern=CODE,
        reason="A code is 1 to 100 printable characters without / or =, not beginning or ending in a blank.",
    )


@dataclass(frozen=True)
class Catalogue:
    """All contracts by name."""

    contracts: tuple[Contract, ...]
    by_name: dict[str, Contract] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = [c.name for c in self.contracts]
        if len(set(names)) != len(names):
            raise ValueError("two contracts share a name")
        object.__setattr__(self, "by_name", {c.name: c for c in self.contracts})

    def __getitem__(self, name: str) -> Contract:
        """Raises KeyError with the names that there are."""
        try:
            return self.by_name[name]
        except KeyError:
            known = ", ".join(sorted(self.by_name))
            raise KeyError(f"no contract {name!r}; there are: {known}") from None

    @property
    def landed(self) -> tuple[Contract, ...]:
        return tuple(c for c in self.contracts if c.landed)
