"""Landed objects as Spark frames: conformed to the contract, split into good rows and rows for quarantine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from expectations.contract import Column, Contract, Rule, Severity, Zone
from jobs.context import Context
from jobs.inspection import UNREAD, Inspected
from jobs.landing import Landing
from jobs.physical import Physical

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

CELL_READABLE = "cell_readable"
ORIGINAL = "_original"
PLAIN_KEY = re.compile(r"[A-Za-z0-9._/-]*")
# Times as they are, to the microsecond; a null stays visible.
JSON_OPTIONS = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
    "ignoreNullFields": "false",
}
RESCUED_OPTIONS = {**JSON_OPTIONS, "ignoreNullFields": "true"}
_GLOB = re.compile(r"[*?\[\]{}\\]")


def blocking(contract: Contract) -> tuple[Rule, ...]:
    """The rules that send a row to quarantine on its way into bronze."""
    return tuple(r for r in contract.rules_in(Zone.BRONZE) if r.severity is Severity.BLOCKS)


def is_good(contract: Contract) -> str:
    """SQL: the row passes every blocking rule and the gateway could read all its cells. Never null."""
    return " AND ".join([*(rule.sql for rule in blocking(contract)), f"{UNREAD} IS NULL"])


def landed_rows(
    ctx: Context,
    landing: Landing,
    contract: Contract,
    objects: Sequence[Inspected],
    *,
    batch: int,
    moment: datetime,
    originals: bool = False,
) -> DataFrame:
    """All rows of `objects` with the columns of bronze and UNREAD; with `originals` also the row as landed, as JSON."""
    frames = [
        _group_rows(ctx, landing, contract, group, batch, moment, originals=originals)
        for group in _groups(objects, exact=originals)
    ]
    return reduce(lambda a, b: a.unionByName(b), frames)


def good_rows(rows: DataFrame, contract: Contract) -> DataFrame:
    """The rows of `landed_rows` that go to bronze."""
    return rows.where(is_good(contract)).drop(UNREAD)


def quarantine_rows(bad: DataFrame, contract: Contract, *, moment: datetime, run_id: str) -> DataFrame:
    """Bad rows of `landed_rows` with originals as rows of the table `quarantine`: every failed rule and its reason."""
    from pyspark.sql import functions as F

    rules = blocking(contract)
    failed = [F.expr(f"NOT {r.sql}") for r in rules]
    unread = F.from_json(UNREAD, "map<string,string>")
    cells = F.concat_ws(
        ", ", F.transform(F.map_entries(unread), lambda e: F.concat(e["key"], F.lit(" '"), e["value"], F.lit("'")))
    )
    told = F.concat(
        F.lit("The gateway could not read "), F.coalesce(cells, F.col(UNREAD)), F.lit(": mend the map or the source.")
    )
    is_unread = F.col(UNREAD).isNotNull()
    names = [
        F.when(is_unread, F.lit(CELL_READABLE)),
        *(F.when(f, F.lit(r.name)) for f, r in zip(failed, rules, strict=True)),
    ]
    reasons = [F.when(is_unread, told), *(F.when(f, F.lit(_told(r))) for f, r in zip(failed, rules, strict=True))]
    return bad.select(
        "tenant",
        F.lit(contract.name).alias("contract"),
        "content_hash",
        "object_key",
        "row_index",
        F.lit(1).cast("bigint").alias("rows"),
        F.filter(F.array(*names), lambda name: name.isNotNull()).alias("rules"),
        F.concat_ws(" ", *reasons).alias("reason"),
        F.col(ORIGINAL).alias("original"),
        "gateway",
        "batch",
        F.lit(moment).alias("quarantined_at"),
        F.lit(None).cast("timestamp").alias("replayed_at"),
        F.lit(run_id).alias("run_id"),
    )


def _told(rule: Rule) -> str:
    return f"{', '.join(rule.columns)}: {rule.reason}"


def _groups(objects: Sequence[Inspected], *, exact: bool) -> list[list[Inspected]]:
    """Objects that one read can take. Not `exact`: a column that only some have is null in the others."""
    # Spark reads all files once more for each path that looks like a pattern, so such an object is read alone.
    odd = [[o] for o in objects if _GLOB.search(o.object.key)]
    groups: list[tuple[dict[str, Physical], list[Inspected]]] = []
    for inspected in (o for o in objects if not _GLOB.search(o.object.key)):
        columns = {c.name.lower(): c for c in inspected.columns}
        for there, members in groups:
            if columns == there if exact else all(there.get(name, c) == c for name, c in columns.items()):
                there.update(columns)
                members.append(inspected)
                break
        else:
            groups.append((columns, [inspected]))
    return odd + [members for _, members in groups]


def _group_rows(
    ctx: Context,
    landing: Landing,
    contract: Contract,
    objects: Sequence[Inspected],
    batch: int,
    moment: datetime,
    *,
    originals: bool,
) -> DataFrame:
    from pyspark.sql import functions as F

    columns = list({c.name: c for o in objects for c in o.columns}.values())
    read_as = {c.name: f"_c{i}" for i, c in enumerate(columns)}
    raw = _read(ctx, [landing.place(o.object.key) for o in objects], columns)
    rows = raw.join(F.broadcast(_origins(ctx, landing, objects)), on="_path", how="inner")
    extra = [c for c in columns if c.name in {e.name for o in objects for e in o.extra}]
    made: dict[str, SparkColumn] = {
        "batch": F.lit(batch).cast("bigint"),
        "ingested_at": F.lit(moment),
        "rescued": _json(extra, read_as, only_given=True),
    }
    for column in contract.landing_columns:
        made[column.name] = _contract_column(column, columns, read_as)
    if contract.event_time:
        made["year"] = F.year(made[contract.event_time])
    made[UNREAD] = F.col(read_as[UNREAD]) if UNREAD in read_as else F.lit(None).cast("string")
    if originals:
        made[ORIGINAL] = _json(columns, read_as, only_given=False)
    order = [*contract.schema_in(Zone.BRONZE).names, UNREAD, *([ORIGINAL] if originals else [])]
    return rows.select(*(made[n].alias(n) if n in made else F.col(f"_{n}").alias(n) for n in order))


def _read(ctx: Context, places: Sequence[str], columns: Sequence[Physical]) -> DataFrame:
    """The columns as `_c0`, `_c1`, ... (their names may collide with ours), `_path` and `_row_index`."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import StructField, StructType, _parse_datatype_string

    reader = ctx.spark.read.option("__globPaths__", "false")  # first: to parse a type takes a session
    schema = StructType([StructField(c.name, _parse_datatype_string(c.read_as)) for c in columns])
    named = [F.col("`" + c.name.replace("`", "``") + "`").alias(f"_c{i}") for i, c in enumerate(columns)]
    place = [F.col("_metadata.file_path").alias("_path"), F.col("_metadata.row_index").alias("_row_index")]
    return reader.schema(schema).parquet(*places).select(*named, *place)


def _origins(ctx: Context, landing: Landing, objects: Sequence[Inspected]) -> DataFrame:
    """Path as Spark tells it, and the lineage of every row of that object."""
    records = {
        "_path": [_path(ctx, landing.place(o.object.key)) for o in objects],
        "_tenant": [o.tenant for o in objects],
        "_content_hash": [o.sha256 for o in objects],
        "_object_key": [o.object.key for o in objects],
        "_gateway": [o.name.gateway if o.name else None for o in objects],
    }
    return ctx.spark.createDataFrame(pa.table({n: pa.array(v, pa.string()) for n, v in records.items()}))


def _path(ctx: Context, place: str) -> str:
    """`_metadata.file_path` of a file: encoded as Java encodes a URI, which only Java knows for odd names."""
    if PLAIN_KEY.fullmatch(place.removeprefix("s3a://")):
        return place
    java: Any = ctx.spark._jvm  # noqa: SLF001 - pyspark has no public way to it
    return str(java.org.apache.spark.paths.SparkPath.fromPathString(place).urlEncoded())


def _contract_column(column: Column, columns: Sequence[Physical], read_as: dict[str, str]) -> SparkColumn:
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_type

    for physical in columns:
        if physical.name == column.name:
            return F.expr(str(physical.converted(read_as[column.name], column.type)))
    return F.lit(None).cast(from_arrow_type(column.type))


def _json(columns: Sequence[Physical], read_as: dict[str, str], *, only_given: bool) -> SparkColumn:
    """The columns as one JSON object; with `only_given` without nulls, and null where nothing is left."""
    from pyspark.sql import functions as F

    if not columns:
        return F.lit(None).cast("string")
    values = [F.expr(c.value(read_as[c.name])).alias(c.name) for c in columns]
    if not only_given:
        return F.to_json(F.struct(*values), JSON_OPTIONS)
    given = F.coalesce(*(F.when(F.col(read_as[c.name]).isNotNull(), F.lit(True)) for c in columns))
    return F.when(given, F.to_json(F.struct(*values), RESCUED_OPTIONS))
