"""The hierarchy of a tenant's series, a level at a time: the tenant, its sites, their groups, sub-groups and products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.lake import Lake
from serving.series.known import UnknownSeriesError
from serving.series.queries import LEVELS
from serving.totals import NightTotals

NAMES = {"site": "site", "product_group": "group", "product_sub_group": "sub_group", "product": "product"}
Node = Mapping[str, str | None]

_CHILDREN = """
    SELECT {below} AS code, {name} AS name, count(*) AS series, sum(units) AS units, sum(units_same) AS units_same,
        sum(units_before) AS units_before, sum(units * unit_price) AS value
    FROM rows WHERE {node} GROUP BY {below} ORDER BY units DESC NULLS LAST, code
"""


def level_of(node: Node) -> str:
    """What the node is: tenant, site, group, sub_group or product."""
    return next((NAMES[level] for level in reversed(LEVELS) if level in node), "tenant")


def where(node: Node) -> tuple[str, dict[str, object]]:
    """SQL that holds for the series of the node, and its parameters."""
    terms = [f"{level} IS NULL" if value is None else f"{level} = ${level}" for level, value in node.items()]
    return " AND ".join(terms) or "true", {level: value for level, value in node.items() if value is not None}


def place_of(node: Node) -> dict[str, str | None]:
    """The node as it is answered."""
    return {"level": level_of(node), **{level: node.get(level) for level in LEVELS[:-1]}}


def children(lake: Lake, totals: NightTotals, node: Node) -> list[dict[str, Any]]:
    """What lies below the node, the most units first. Raises UnknownSeriesError where it has no series."""
    sql, params = where(node)
    counts = ", ".join(f"count({level}) AS {level}" for level in LEVELS)
    known = lake.query(f"SELECT {counts} FROM rows WHERE {sql}", params, rows=totals.rows).to_pylist()[0]  # noqa: S608 - names of ours
    if not known["product"]:
        raise UnknownSeriesError(totals.key.tenant, node)
    # a level of which nothing is known for any of the series is left out
    below = next(level for level in LEVELS if level not in node and known[level])
    name = "any_value(name)" if below == "product" else below
    rows = lake.query(_CHILDREN.format(below=below, name=name, node=sql), params, rows=totals.rows).to_pylist()
    return [_child(row, node, below) for row in rows]


def _child(row: dict[str, Any], node: Node, below: str) -> dict[str, Any]:
    code = row.pop("code")
    place = {level: node.get(level) for level in LEVELS} | {below: code}
    return {"level": NAMES[below], **place, **row, "has_children": below != "product"}
