"""The doors: a table is checked before anything is built on it, all tenants at once, each judged by itself.

The rules' SQL counts the rows that fail each rule by tenant; Great Expectations counts the same rows once. The two must
agree, or nothing passes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

from expectations.contract import FRESH, KEYS_UNIQUE, Contract, Rule, Severity, Zone, in_duckdb
from expectations.settings import Settings
from expectations.tables import CHECK_RESULTS
from jobs.context import Context
from jobs.delta_reader import query
from jobs.errors import JobError
from jobs.lease import lease

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SAMPLE = 20  # failing rows noted for each tenant and rule
SHOWN = 3  # of these, told in the one-line reason
DOCS_WAIT_SECONDS = 600.0
NO_TENANT = "(no tenant)"
Counts: TypeAlias = dict[str, dict[str, int]]
UNIQUE_REASON = "These columns together name one row."
FRESH_REMEDY = "send the missing days, then run the night again"


class DoorDisagreement(JobError):
    """The count by tenant and Great Expectations' count differ: a rule means two things."""


@dataclass(frozen=True)
class Verdict:
    """One rule, one tenant: rows looked at, rows that failed, and the keys of some of them."""

    tenant: str
    rule: str
    severity: Severity
    reason: str
    rows: int
    failed: int
    sample: tuple[Mapping[str, Any], ...] = ()

    def line(self, contract: Contract) -> str:
        """One line: the rule, the count, examples, the reason."""
        if self.rule == FRESH:
            return f"{contract.name}: {self.rule}: {self.reason}"
        rows = "; ".join(_shown(row, contract) for row in self.sample[:SHOWN])
        return f"{contract.name}: {self.rule}: {self.failed} of {self.rows} rows (as {rows}): {self.reason}"


def _shown(row: Mapping[str, Any], contract: Contract) -> str:
    """A row by its keys, as "A/pump/2026-01-31"; by what else names it where the keys are missing."""
    keys = [str(row[k]) for k in contract.keys if row.get(k) is not None]
    return "/".join(keys or map(str, row.values()))


@dataclass(frozen=True)
class DoorResult:
    """What a door found. A tenant in `blocked` must not go on; `warnings` are told and pass."""

    contract: Contract
    zone: Zone
    verdicts: tuple[Verdict, ...]

    @property
    def blocked(self) -> dict[str, str]:
        """Why each blocked tenant is, in one line."""
        return {tenant: "; ".join(lines) for tenant, lines in self._failed(Severity.BLOCKS).items()}

    @property
    def warnings(self) -> dict[str, list[str]]:
        return self._failed(Severity.WARNS)

    def _failed(self, severity: Severity) -> dict[str, list[str]]:
        lines: dict[str, list[str]] = defaultdict(list)
        for verdict in self.verdicts:
            if verdict.failed and verdict.severity is severity:
                lines[verdict.tenant].append(verdict.line(self.contract))
        return dict(lines)

    @property
    def rows(self) -> dict[str, int]:
        """Rows looked at, by tenant."""
        return {verdict.tenant: verdict.rows for verdict in self.verdicts}


def check(
    ctx: Context,
    frame: DataFrame,
    contract: Contract,
    zone: Zone,
    *,
    tenants: Iterable[str] = (),
    counts: Counts | None = None,
) -> DoorResult:
    """Check `frame`, of all tenants, against the contract's rules in `zone`; note the results; tell who is blocked.

    `tenants` names those that must appear though they may have no row; `counts` are `counted` where the frame is a
    table's. Persist a frame that is dear to make: it is read several times. Raises DoorDisagreement.
    """
    from expectations import suites

    rules = contract.rules_in(zone)
    slim = frame.select(*dict.fromkeys(("tenant", *_row_name(contract, zone), *(c for r in rules for c in r.columns))))
    counts = counts or _count(slim, contract, zone, rules)
    docs_lock = lease(ctx.settings, "data-docs", DOCS_WAIT_SECONDS)
    report = suites.validate(
        slim, contract, zone, home=ctx.settings.home, run_id=ctx.run_id, at=ctx.now(), docs_lock=docs_lock
    )
    _agree(counts, report.rows, report.failed, contract, zone)
    failing = [r for r in rules if report.failed[r.name]]
    samples = _samples(slim, contract, zone, failing, report.failed.get(KEYS_UNIQUE, 0))
    for tenant in set(tenants) - set(counts):
        counts[tenant] = defaultdict(int)
    result = DoorResult(contract, zone, _verdicts(counts, samples, contract, zone))
    _note(ctx, result)
    return result


def check_fresh(
    ctx: Context, contract: Contract, newest: Mapping[str, date | None], tenants: Iterable[str]
) -> DoorResult:
    """Block each of `tenants` whose `newest` day up to the night is more than `stale_after_days` before it."""
    verdicts = tuple(_freshness(tenant, newest.get(tenant), ctx.night, contract) for tenant in sorted(tenants))
    result = DoorResult(contract, contract.zone, verdicts)
    _note(ctx, result)
    return result


def _row_name(contract: Contract, zone: Zone) -> tuple[str, ...]:
    """The columns by which a failing row is told: the keys, and what makes them unique in the zone."""
    return tuple(dict.fromkeys((*contract.keys, *contract.unique_in(zone))))


def _count(frame: DataFrame, contract: Contract, zone: Zone, rules: Sequence[Rule]) -> Counts:
    """By tenant: `rows`, and failing rows by rule name."""
    from pyspark.sql import functions as F

    each = [F.count_if(F.expr(f"NOT {rule.sql}")).alias(rule.name) for rule in rules]
    counted = frame.groupBy("tenant").agg(F.count(F.lit(1)).alias("rows"), *each)
    counts: Counts = {}
    for row in counted.collect():
        counts[row["tenant"] or NO_TENANT] = {**row.asDict(), KEYS_UNIQUE: 0}
    if not contract.unique_in(zone):
        return counts
    again = _repeated(frame, contract, zone).groupBy("tenant").agg(F.sum("times").alias("failed"))
    for row in again.collect():
        counts[row["tenant"] or NO_TENANT][KEYS_UNIQUE] = row["failed"]
    return counts


def counted(settings: Settings, contract: Contract, zone: Zone, where: str, values: Mapping[str, Any]) -> Counts:
    """The same of the rows of a table that satisfy `where`, for a zone that asks for no unique names: by DuckDB, which
    looks at each of its texts once, and not at each row's.
    """
    each = ", ".join(f"count(*) FILTER (NOT {in_duckdb(rule.sql)}) AS {rule.name}" for rule in contract.rules_in(zone))
    sql = f"SELECT tenant, count(*) AS rows, {each} FROM rows WHERE {where} GROUP BY tenant"  # noqa: S608 - rules of the contract
    return {row["tenant"] or NO_TENANT: row for row in query(settings, contract, zone, sql, dict(values))}


def _repeated(frame: DataFrame, contract: Contract, zone: Zone) -> DataFrame:
    """The names of rows that occur several `times`."""
    from pyspark.sql import functions as F

    named = frame.groupBy(*dict.fromkeys(("tenant", *contract.unique_in(zone))))
    return named.agg(F.count(F.lit(1)).alias("times")).where("times > 1")


def _agree(
    counts: Mapping[str, Mapping[str, int]], rows: int, failed: Mapping[str, int], contract: Contract, zone: Zone
) -> None:
    """Raises DoorDisagreement unless the sums over the tenants are Great Expectations' counts."""
    for name, theirs in {"rows": rows, **failed}.items():
        ours = sum(count[name] for count in counts.values())
        if ours != theirs:
            raise DoorDisagreement(
                f"{contract.name} in {zone}: {name}: the split counts {ours} and the suite {theirs}: "
                f"the rule does not mean the same in expectations/contract.py and expectations/suites.py"
            )


def _samples(
    frame: DataFrame, contract: Contract, zone: Zone, failing: Sequence[Rule], repeated: int
) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """The names of up to SAMPLE failing rows for each tenant and rule."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    name = [c for c in _row_name(contract, zone) if c != "tenant"]
    parts = [_named(frame.where(f"NOT {rule.sql}"), rule.name, name) for rule in failing]
    if repeated:
        unique = [c for c in contract.unique_in(zone) if c != "tenant"]
        parts.append(_named(_repeated(frame, contract, zone), KEYS_UNIQUE, unique))
    if not parts:
        return {}
    rank = F.row_number().over(Window.partitionBy("tenant", "rule").orderBy("key"))
    few = reduce(lambda a, b: a.unionByName(b), parts).withColumn("rank", rank).where(F.col("rank") <= SAMPLE)
    samples: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in few.orderBy("tenant", "rule", "rank").collect():
        samples[row["tenant"] or NO_TENANT, row["rule"]].append(json.loads(row["key"]))
    return samples


def _named(frame: DataFrame, rule: str, name: Sequence[str]) -> DataFrame:
    from pyspark.sql import functions as F

    return frame.select("tenant", F.lit(rule).alias("rule"), F.to_json(F.struct(*name)).alias("key"))


def _verdicts(
    counts: Mapping[str, Mapping[str, int]],
    samples: Mapping[tuple[str, str], list[Mapping[str, Any]]],
    contract: Contract,
    zone: Zone,
) -> tuple[Verdict, ...]:
    told = [(r.name, r.severity, r.reason) for r in contract.rules_in(zone)]
    told += [(KEYS_UNIQUE, Severity.BLOCKS, UNIQUE_REASON)] if contract.unique_in(zone) else []
    found: list[Verdict] = []
    for tenant, count in sorted(counts.items()):
        for rule, severity, reason in told:
            sample = tuple(samples.get((tenant, rule), ()))
            found.append(Verdict(tenant, rule, severity, reason, count["rows"], count[rule], sample))
    return tuple(found)


def _freshness(tenant: str, newest: date | None, night: date, contract: Contract) -> Verdict:
    """Whether the newest known day is at most the allowed days before the night."""
    allowed = contract.stale_after_days
    stale = allowed is not None and (newest is None or (night - newest).days > allowed)
    if newest is None:
        known = f"no day up to the night of {night} is known"
    else:
        known = f"newest known day is {newest}, {(night - newest).days} days before the night of {night} (at most {allowed})"
    sample = ({"newest": str(newest) if newest else None, "night": str(night)},) if stale else ()
    return Verdict(tenant, FRESH, Severity.BLOCKS, f"{known}: {FRESH_REMEDY}", 0, int(stale), sample)


def _note(ctx: Context, result: DoorResult) -> None:
    """Append every verdict to the table of check results."""
    if not result.verdicts:
        return
    now = ctx.now()
    records = [
        {
            "run_id": ctx.run_id,
            "door": str(result.zone),
            "contract": result.contract.name,
            "tenant": verdict.tenant,
            "rule": verdict.rule,
            "severity": str(verdict.severity),
            "rows_checked": verdict.rows,
            "rows_failed": verdict.failed,
            "sample": json.dumps(verdict.sample, ensure_ascii=False) if verdict.sample else None,
            "checked_at": now,
        }
        for verdict in result.verdicts
    ]
    ctx.lake.append(ctx.lake.table(CHECK_RESULTS, records), CHECK_RESULTS)
