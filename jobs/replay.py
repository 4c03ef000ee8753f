"""Out of quarantine again, once the cause is mended: rows that pass the present contract, objects that are whole now.

Everything is read off the tables, so an interrupted replay is simply run again: a quarantined row that is in bronze
already is only marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from expectations.contract import LINEAGE, Contract, Zone
from expectations.tables import QUARANTINE, TABLES
from jobs import ledger
from jobs.batch import check_bronze, work
from jobs.context import Context
from jobs.delta_reader import query
from jobs.entries import WHOLE, Batch, Entry
from jobs.errors import JobError
from jobs.ingest import resume
from jobs.inspection import UNREAD, inspect_all
from jobs.lake import in_set, spark_schema
from jobs.landing import Landing
from jobs.ledger import Row
from jobs.split import is_good

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NAME = ["tenant", "object_key", "content_hash", "row_index"]  # names one landed row
# Times as the split wrote them, to the microsecond; a null stays visible.
JSON_OPTIONS = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
    "ignoreNullFields": "false",
}
RESCUED_OPTIONS = {**JSON_OPTIONS, "ignoreNullFields": "true"}
FEW_OBJECTS = 500  # their keys go into a condition that Parquet's dictionaries answer


@dataclass(frozen=True)
class Which:
    """Which part of the quarantine; empty means all."""

    tenants: tuple[str, ...] = ()
    contract: str | None = None
    object_key: str | None = None

    def sql(self) -> str:
        """Condition on the open rows of the quarantine, in the SQL of Spark."""
        terms = ["replayed_at IS NULL"]
        terms += [in_set("tenant", self.tenants)] if self.tenants else []
        terms += [in_set("contract", [self.contract])] if self.contract else []
        terms += [in_set("object_key", [self.object_key])] if self.object_key else []
        return " AND ".join(terms)

    def holds(self, row: Row) -> bool:
        return (
            row["replayed_at"] is None
            and (not self.tenants or row["tenant"] in self.tenants)
            and self.contract in (None, row["contract"])
            and self.object_key in (None, row["object_key"])
        )


@dataclass
class Replayed:
    """What a replay did: rows taken into bronze, objects taken, and why the other objects stay."""

    rows: int = 0
    objects: int = 0
    staying: dict[str, str] = field(default_factory=dict)


def replay(ctx: Context, which: Which) -> Replayed:
    """Take what passes now. The caller holds the lease of ingest. Raises JobError as ingest does."""
    landing = Landing(ctx.settings)
    for _ in resume(ctx, landing, ledger.seen(ctx.settings).unfinished):
        pass
    done = Replayed()
    _replay_objects(ctx, landing, which, done)
    for contract in TABLES.landed:
        if which.contract in (None, contract.name):
            done.rows += _replay_rows(ctx, contract, which)
    return done


def _replay_objects(ctx: Context, landing: Landing, which: Which, done: Replayed) -> None:
    """Inspect the objects that are in quarantine whole again; those without a problem become a batch."""
    whole = query(ctx.settings, QUARANTINE, None, "SELECT * FROM rows WHERE row_index = $whole", {"whole": WHOLE})
    names = {(r["object_key"], r["content_hash"]) for r in whole if which.holds(r)}
    known = ledger.rows(ctx.settings)
    rows = [row for row in known if (row["object_key"], row["content_hash"]) in names]
    number = ledger.next_batch(ctx.settings, known)
    entries = []
    for row, inspected in zip(rows, inspect_all(landing, [r["object_key"] for r in rows]), strict=True):
        if inspected is None or inspected.sha256 != row["content_hash"]:
            done.staying[row["object_key"]] = f"{row['object_key']} is not in the landing bucket any more"
        elif inspected.problem:
            done.staying[row["object_key"]] = inspected.problem.message
        elif row["rows_bronze"]:
            done.staying[row["object_key"]] = f"{row['message']} (part of it is in bronze)"
        else:
            entries.append(Entry(ledger.planned_row(inspected, number, ctx.run_id), inspected))
    if entries:
        ledger.amend(ctx, [e.row for e in entries])
        finished = work(ctx, landing, Batch(number, entries, ctx.now(), resumed=True), known)
        done.objects += len(finished)
        done.rows += sum(row["rows_bronze"] for row in finished)


def _replay_rows(ctx: Context, contract: Contract, which: Which) -> int:
    """Rows of one contract; returns how many went to bronze. Bronze first, then the ledger, then the mark."""
    from pyspark.sql import functions as F

    held = (
        ctx.lake.read(QUARANTINE).where(which.sql()).where(in_set("contract", [contract.name])).where("row_index >= 0")
    )
    objects = [row.asDict() for row in held.select("tenant", "object_key", "content_hash").distinct().collect()]
    if not objects:
        return 0
    known = ledger.rows(ctx.settings)
    number = ledger.next_batch(ctx.settings, known)
    passing = (
        _originals(held, contract, number, ctx).where(f"({is_good(contract)}) AND NOT _lost").drop(UNREAD, "_lost")
    )
    passing = passing.join(_bronze_names(ctx, contract, objects), on=NAME, how="left_anti")
    count = passing.count()
    if count:
        ctx.lake.append(passing, contract, Zone.BRONZE, txn=(ledger.transaction(contract.name), number))
        check_bronze(ctx, contract, number)
    in_bronze = held.join(_bronze_names(ctx, contract, objects), on=NAME, how="left_semi")
    moved = {(r["object_key"], r["content_hash"]) for r in in_bronze.select(*NAME[1:3]).distinct().collect()}
    if moved:
        _recount(ctx, contract, [row for row in known if (row["object_key"], row["content_hash"]) in moved])
        ctx.lake.upsert(in_bronze.withColumn("replayed_at", F.lit(ctx.now())), QUARANTINE)
        ctx.progress(f"{contract.name}: {count} rows of {len(moved)} objects replayed")
    return count


def _bronze_names(ctx: Context, contract: Contract, objects: Sequence[Row]) -> DataFrame:
    """The names of the rows of `objects` that are in bronze."""
    bronze = ctx.lake.read(contract, Zone.BRONZE).where(in_set("tenant", sorted({o["tenant"] for o in objects})))
    if len(objects) <= FEW_OBJECTS:
        bronze = bronze.where(in_set("object_key", sorted({o["object_key"] for o in objects})))
    return bronze.select(*NAME)


def _originals(held: DataFrame, contract: Contract, batch: int, ctx: Context) -> DataFrame:
    """Quarantined rows with the columns of bronze, UNREAD, and `_lost`: a value that the present types cannot hold."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import StringType

    schema = spark_schema(contract.landing_schema).add(UNREAD, StringType())
    columns = contract.landing_schema.names
    known = F.array(*(F.lit(name) for name in (*columns, "tenant", UNREAD)))
    there = F.filter(F.map_entries("_given"), lambda e: ~F.is_variant_null(e["value"]))
    given = F.transform(there, lambda e: e["key"])
    extra = F.map_from_entries(F.filter(there, lambda e: ~F.array_contains(known, e["key"])))
    lost = [F.array_contains(given, name) & F.col(f"_row.{name}").isNull() for name in columns]
    made = {
        **{name: F.col(f"_row.{name}") for name in (*columns, UNREAD)},
        **{c.name: F.col(c.name) for c in LINEAGE},
        "tenant": F.col("tenant"),
        "batch": F.lit(batch).cast("bigint"),
        "ingested_at": F.lit(ctx.now()),
        "rescued": F.when(F.size(extra) > 0, F.to_json(extra, RESCUED_OPTIONS)),
        "_lost": F.array_contains(F.array(*lost), True),
    }
    if contract.event_time:
        made["year"] = F.year(f"_row.{contract.event_time}")
    read = held.withColumn("_row", F.from_json("original", schema, JSON_OPTIONS)).withColumn(
        "_given", F.from_json("original", "map<string,variant>")
    )
    return read.select(*(made[n].alias(n) for n in (*contract.schema_in(Zone.BRONZE).names, UNREAD, "_lost")))


def _recount(ctx: Context, contract: Contract, rows: Sequence[Row]) -> None:
    """Bring the ledger's counts to what bronze holds; what is not there is still in quarantine."""
    sql = """SELECT object_key, content_hash, count(*) AS rows, count(rescued) AS rescued, max(batch) AS batch
             FROM rows WHERE list_contains($tenants, tenant) AND list_contains($keys, object_key)
             GROUP BY object_key, content_hash"""
    values = {"tenants": sorted({r["tenant"] for r in rows}), "keys": sorted({r["object_key"] for r in rows})}
    counted = {(r["object_key"], r["content_hash"]): r for r in query(ctx.settings, contract, Zone.BRONZE, sql, values)}
    changed = []
    for row in rows:
        now = counted[row["object_key"], row["content_hash"]]
        left = row["rows_landed"] - now["rows"]
        if left < 0:
            raise JobError(
                f"{row['object_key']}: {row['rows_landed']} rows landed, {now['rows']} are in bronze: report this"
            )
        counts = {"rows_bronze": now["rows"], "rows_rescued": now["rescued"], "rows_quarantined": left}
        changed.append({**row, **counts, "batch": max(row["batch"], now["batch"])})
    ledger.amend(ctx, changed)
