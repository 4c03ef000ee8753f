"""The features of a night: what was known of each series at its cut-off, and what is known of the days ahead.

A tenant's first night also makes the rows of the two years before it, to learn from. A row that is there stays: it
tells what was known then. Only the night itself is made again when it is run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING

from expectations.contract import Contract, Zone
from expectations.tables import CALENDAR_EVENTS, CALENDAR_FEATURES, DEMAND_FEATURES, PRODUCTS, SALES, SITES
from features.calendar import calendar_features
from features.demand import demand_features
from jobs import doors
from jobs.context import Context
from jobs.delta_reader import read_partitions
from jobs.demand_settings import settled
from jobs.demand_weeks import first_calendar_day
from jobs.lake import in_set
from models.demand.parameters import Parameters
from models.demand.periods import DAY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BACKFILL_DAYS = 730  # two years: what the models learn from
AHEAD_DAYS = 400  # of the calendar
WARNED = 20  # sites without a row in `sites` that are told
READ: tuple[Contract, ...] = (SALES, SITES, PRODUCTS, CALENDAR_EVENTS)
Ranges = dict[str, tuple[date, date]]
# Four partitions hold a night of a thousand series, not two years of 30,000: a shuffle of much is cut finely, and Spark
# puts small pieces together again, but not for a frame that is persisted, where each empty piece costs its share of
# every window. A piece of 32 MB of series becomes some 500 MB of daily grid in a task.
PIECES = (4, 128)  # fewest and most
STORED_BYTES = 2 << 20  # of sales, as stored, to a piece


def run(ctx: Context) -> None:
    """Write the missing rows of both feature tables; a tenant whose door blocks keeps what it has."""
    ctx.table_versions = ctx.lake.versions((c, Zone.SILVER) for c in READ)
    _warn_of_unknown_sites(ctx)
    given = settled(ctx, ctx.tenants)
    rows = dict.fromkeys(given, 0)
    # Both kinds apart: a night needs a year of history and no corrections of the past, a backfill all of it.
    for ranges in _split(_missing(ctx, given)):
        for tenant, count in _demand(ctx, ranges).items():
            rows[tenant] += count
    if ctx.active:
        _calendar(ctx, given)
    for tenant, count in rows.items():
        ctx.done(tenant, count)


@contextmanager
def shuffles_for(spark: SparkSession, stored: int) -> Iterator[None]:
    """Cut the shuffles of what is in the block as finely as `stored` bytes of sales need it."""
    fewest, most = PIECES
    wanted = {
        "spark.sql.adaptive.coalescePartitions.initialPartitionNum": str(
            max(fewest, min(most, stored // STORED_BYTES))
        ),
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": "32m",
    }
    before = {key: spark.conf.get(key, None) for key in wanted}
    for key, value in wanted.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, earlier in before.items():
            spark.conf.unset(key) if earlier is None else spark.conf.set(key, earlier)


def _missing(ctx: Context, given: Mapping[str, Parameters]) -> Ranges:
    """The days to make for each tenant: from the last row there is, or two years back, to the night.

    Not of a tenant that counts in weeks: the features of weeks are made of silver, when they are asked for.
    """
    newest = {
        r[0]: r[1]
        for r in ctx.lake.read(DEMAND_FEATURES)
        .where(in_set("tenant", ctx.tenants))
        .where(f"date < DATE'{ctx.night}' AND year >= {ctx.night.year - 1}")
        .groupBy("tenant")
        .agg({"date": "max"})
        .collect()
    }
    backfill = ctx.night - timedelta(days=BACKFILL_DAYS)
    daily = [t for t, its in given.items() if its.counts == DAY]
    return {t: (newest[t] + timedelta(days=1) if t in newest else backfill, ctx.night) for t in daily}


def _split(ranges: Ranges) -> list[Ranges]:
    nights = {t: days for t, days in ranges.items() if days[0] == days[1]}
    longer = {t: days for t, days in ranges.items() if t not in nights}
    return [part for part in (nights, longer) if part]


def _demand(ctx: Context, ranges: Ranges) -> dict[str, int]:
    first = min(days[0] for days in ranges.values())
    ctx.progress(f"demand features from {first} to {ctx.night}: {len(ranges)} tenants")
    tenants = in_set("tenant", ranges)
    sales = ctx.lake.read(SALES).where(tenants)
    sites, products = (ctx.lake.read(c).where(tenants) for c in (SITES, PRODUCTS))
    stored = [p["bytes"] for p in read_partitions(ctx.settings, SALES, Zone.SILVER) if p["tenant"] in ranges]
    with shuffles_for(ctx.spark, sum(stored)):
        frame = demand_features(sales, sites, products, ranges)
        return _publish(ctx, frame, DEMAND_FEATURES, ranges, _rows_of(ranges))


def _rows_of(ranges: Mapping[str, tuple[date, date]], *, by_year: bool = True) -> str:
    """SQL condition of the rows to put in place; tenants with the same days share a term."""
    by_days: dict[tuple[date, date], list[str]] = {}
    for tenant, days in ranges.items():
        by_days.setdefault(days, []).append(tenant)
    return " OR ".join(
        f"({in_set('tenant', sorted(tenants))}"
        + (f" AND year >= {first.year} AND year <= {last.year}" if by_year else "")
        + f" AND date >= DATE'{first}' AND date <= DATE'{last}')"
        for (first, last), tenants in by_days.items()
    )


def _calendar(ctx: Context, given: Mapping[str, Parameters]) -> None:
    tenants = in_set("tenant", ctx.active)
    sales, sites, events = (ctx.lake.read(c).where(tenants) for c in (SALES, SITES, CALENDAR_EVENTS))
    ranges = {tenant: _calendar_days(ctx.night, given[tenant]) for tenant in ctx.active}
    first, last = min(days[0] for days in ranges.values()), ctx.night + timedelta(days=AHEAD_DAYS)
    ctx.progress(f"calendar features from {first} to {last}: {len(ctx.active)} tenants")
    frame = calendar_features(sites, events, sales, ranges)
    _publish(ctx, frame, CALENDAR_FEATURES, ranges, _rows_of(ranges, by_year=False))


def _calendar_days(night: date, given: Parameters) -> tuple[date, date]:
    """As far back as models look: of weeks for years."""
    back = night - timedelta(days=BACKFILL_DAYS)
    first = back if given.counts == DAY else min(back, first_calendar_day(night, given))
    return first, night + timedelta(days=AHEAD_DAYS)


def _warn_of_unknown_sites(ctx: Context) -> None:
    tenants = in_set("tenant", ctx.tenants)
    selling, told = (ctx.lake.read(c).where(tenants).select("tenant", "site") for c in (SALES, SITES))
    unknown = selling.distinct().join(told, ["tenant", "site"], "left_anti")
    for row in unknown.orderBy("tenant", "site").limit(WARNED).collect():
        ctx.progress(f"tenant {row.tenant}: site {row.site} is not in `sites`: its days are UTC's, without holidays")


def _publish(ctx: Context, frame: DataFrame, contract: Contract, ranges: Ranges, where: str) -> dict[str, int]:
    """Check the frame at the door and put it in place, without the tenants that the door blocks."""
    held = frame.persist()
    try:
        result = doors.check(ctx, held, contract, Zone.FEATURES, tenants=ranges)
        for tenant, reason in result.blocked.items():
            ctx.block(tenant, reason)
        passed = sorted(t for t in ranges if t not in result.blocked)
        if passed:
            of_passed = in_set("tenant", passed)
            ctx.lake.replace(held.where(of_passed), contract, Zone.FEATURES, where=f"{of_passed} AND ({where})")
        return {t: result.rows.get(t, 0) for t in passed}
    finally:
        held.unpersist()
