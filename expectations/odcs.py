"""A contract as a document of the Open Data Contract Standard v3.1, and back.

What the standard has no field for stands in `customProperties`: unit, event and known time, a rule's parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa
import yaml

from expectations.contract import KEYS_UNIQUE, UTC_TIME, Column, Contract, Kvkk, Rule, Severity, Zone

API_VERSION = "v3.1.0"
PLATFORM = "platform"  # origin of a column that the platform adds to what is landed

# Arrow type -> logical type of the standard, type in Spark and Delta.
_TYPES: dict[pa.DataType, tuple[str, str]] = {
    pa.string(): ("string", "STRING"),
    pa.float64(): ("number", "DOUBLE"),
    pa.int32(): ("integer", "INT"),
    pa.int64(): ("integer", "BIGINT"),
    pa.bool_(): ("boolean", "BOOLEAN"),
    pa.date32(): ("date", "DATE"),
    UTC_TIME: ("timestamp", "TIMESTAMP"),
    pa.list_(pa.string()): ("array", "ARRAY<STRING>"),
}
_FROM_PHYSICAL = {physical: kind for kind, (_, physical) in _TYPES.items()}
_SEVERITY = {Severity.BLOCKS: "error", Severity.WARNS: "warning"}
_FROM_SEVERITY = {text: severity for severity, text in _SEVERITY.items()}
_OF_EVERY_RULE = {"name", "reason", "severity"}


class ContractFileError(ValueError):
    """A contract file that cannot be read; the message names the file or the field."""


@dataclass(frozen=True)
class Terms:
    """What a contract binds to: the declaration, and the columns and partitions that its table therefore has."""

    contract: Contract
    stored: tuple[Column, ...]
    partitions: tuple[str, ...]


def terms(contract: Contract) -> Terms:
    """The terms of `contract` in its own zone."""
    return Terms(contract, contract.columns_in(contract.zone), contract.partitions_in(contract.zone))


def physical_type(kind: pa.DataType) -> str:
    """Name of an Arrow type in Spark and Delta. Raises ContractFileError for one that no contract may use."""
    try:
        return _TYPES[kind][1]
    except KeyError:
        raise ContractFileError(f"type {kind} has no counterpart in ODCS: add it to expectations/odcs.py") from None


def _custom(**values: object) -> list[dict[str, object]]:
    return [{"property": name, "value": value} for name, value in values.items() if value is not None]


def _customs(element: Mapping[str, Any]) -> dict[str, Any]:
    return {entry["property"]: entry["value"] for entry in element.get("customProperties", ())}


# ---------------------------------------------------------------------------- to the standard
def document(contract: Contract) -> dict[str, Any]:
    """`contract` as an ODCS document of plain dicts and lists."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"uretimiq-{contract.name}",
        "name": contract.name,
        "version": contract.version,
        "status": "active",
        "description": {"purpose": contract.meaning},
        "team": {"name": contract.owner},
        "schema": [_table(contract)],
        "slaProperties": _service_levels(contract),
    }


def _table(contract: Contract) -> dict[str, Any]:
    given = terms(contract)
    unique = {
        "name": KEYS_UNIQUE,
        "type": "library",
        "metric": "duplicateValues",
        "arguments": {"properties": list(contract.unique_in(contract.zone))},
        "mustBe": 0,
        "dimension": "uniqueness",
        "severity": _SEVERITY[Severity.BLOCKS],
    }
    return {
        "name": contract.name,
        "logicalType": "object",
        "physicalType": "table",
        "physicalName": f"{contract.zone}/{contract.name}",
        "description": contract.meaning,
        "customProperties": _custom(
            zone=str(contract.zone),
            landed=contract.landed,
            eventTime=contract.event_time,
            knownTime=contract.known_time,
        ),
        "properties": [_property(column, given) for column in given.stored],
        "quality": [*map(_quality, contract.rules), unique],
    }


def _property(column: Column, given: Terms) -> dict[str, Any]:
    contract = given.contract
    described: dict[str, Any] = {
        "name": column.name,
        "description": column.meaning,
        "physicalType": physical_type(column.type),
        "logicalType": _TYPES[column.type][0],
        "required": not column.nullable,
        "classification": str(column.kvkk),
    }
    if column.type == UTC_TIME:
        described["logicalTypeOptions"] = {"timezone": True, "defaultTimezone": "Etc/UTC"}
    if pa.types.is_list(column.type):
        described["items"] = {"logicalType": _TYPES[column.type.value_type][0]}
    if column.name in contract.keys:
        described |= {"primaryKey": True, "primaryKeyPosition": contract.keys.index(column.name) + 1}
    if column.name in given.partitions:
        described |= {"partitioned": True, "partitionKeyPosition": given.partitions.index(column.name) + 1}
    more = _custom(unit=column.unit, origin=None if column in contract.columns else PLATFORM)
    return described | ({"customProperties": more} if more else {})


def _quality(rule: Rule) -> dict[str, Any]:
    parameters = {f.name: getattr(rule, f.name) for f in fields(rule) if f.name not in _OF_EVERY_RULE}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}
    return {
        "name": rule.name,
        "description": rule.reason,
        "type": "sql",
        "query": f"SELECT count(*) FROM {{object}} WHERE NOT {rule.sql}",  # noqa: S608  text of the document; nobody runs it here
        "mustBe": 0,
        "dimension": "conformity",
        "severity": _SEVERITY[rule.severity],
        "customProperties": _custom(rule={"kind": type(rule).__name__, **plain}),
    }


def _service_levels(contract: Contract) -> list[dict[str, Any]]:
    element = f"{contract.name}.{contract.event_time or contract.known_time}"
    days = {"retention": contract.retention_days, "latency": contract.stale_after_days}
    told = {"retention": "Rows are kept so long.", "latency": "A night stops when the newest known day is older."}
    return [
        {"property": name, "value": value, "unit": "d", "element": element, "description": told[name]}
        for name, value in days.items()
        if value is not None
    ]


def dump(contract: Contract) -> str:
    """The document as the text of a file."""
    return yaml.safe_dump(document(contract), sort_keys=False, allow_unicode=True, width=110)


# ---------------------------------------------------------------------------- and back
def load(text: str, source: str) -> Terms:
    """The terms in the text of a file that `dump` wrote. Raises ContractFileError naming `source`."""
    try:
        return read(yaml.safe_load(text))
    except (yaml.YAMLError, KeyError, IndexError, TypeError, ValueError) as error:
        why = f"field {error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise ContractFileError(f"{source} is no contract that uretimiq wrote: {why}") from error


def read(document: Mapping[str, Any]) -> Terms:
    """The terms in an ODCS document. Raises KeyError, TypeError or ValueError where it is not one of ours."""
    table = document["schema"][0]
    custom = _customs(table)
    levels = {level["property"]: level["value"] for level in document["slaProperties"]}
    properties = table["properties"]
    stored = tuple(_column(p) for p in properties)
    own = {p["name"] for p in properties if _customs(p).get("origin") != PLATFORM}
    partitions = _ordered(properties, "partitionKeyPosition")
    contract = Contract(
        name=document["name"],
        zone=Zone(custom["zone"]),
        meaning=document["description"]["purpose"],
        version=document["version"],
        owner=document["team"]["name"],
        keys=_ordered(properties, "primaryKeyPosition"),
        columns=tuple(c for c in stored if c.name in own),
        rules=tuple(_rule(q) for q in table["quality"] if q["name"] != KEYS_UNIQUE),
        event_time=custom.get("eventTime"),
        known_time=custom.get("knownTime"),
        # A landed table's partitions follow from its zone and event time.
        partitioned_by=("tenant",) if custom["landed"] else partitions,
        retention_days=levels.get("retention"),
        landed=custom["landed"],
        stale_after_days=levels.get("latency"),
    )
    return Terms(contract, stored, partitions)


def _ordered(properties: Iterable[Mapping[str, Any]], position: str) -> tuple[str, ...]:
    placed = [p for p in properties if position in p]
    return tuple(p["name"] for p in sorted(placed, key=lambda p: int(p[position])))


def _column(described: Mapping[str, Any]) -> Column:
    return Column(
        name=described["name"],
        type=_FROM_PHYSICAL[described["physicalType"]],
        meaning=described["description"],
        unit=_customs(described).get("unit"),
        nullable=not described["required"],
        kvkk=Kvkk(described["classification"]),
    )


def _rule(quality: Mapping[str, Any]) -> Rule:
    parameters = dict(_customs(quality)["rule"])
    kinds = {kind.__name__: kind for kind in Rule.__subclasses__()}
    kind = kinds[parameters.pop("kind")]
    frozen = {name: tuple(v) if isinstance(v, list) else v for name, v in parameters.items()}
    severity = _FROM_SEVERITY[quality["severity"]]
    return kind(name=quality["name"], reason=quality["description"], severity=severity, **frozen)
