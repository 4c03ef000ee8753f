"""What a night made for its tenants goes into gold: through the door, in one commit, in the place of what was there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import pyarrow as pa

from expectations.contract import Contract, Zone
from jobs import doors
from jobs.context import Context
from jobs.lake import in_set, loose_schema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Passed(NamedTuple):
    """How many rows of each tenant were written, and why those of others were not."""

    rows: dict[str, int]
    blocked: dict[str, str]

    def note(self, ctx: Context) -> None:
        """Let it be what became of the tenants in this job."""
        for tenant, why in self.blocked.items():
            ctx.block(tenant, why)
        for tenant, count in self.rows.items():
            ctx.done(tenant, count)


def publish(
    ctx: Context, tables: Mapping[Contract, Mapping[str, pd.DataFrame]], *, every_night: bool = False
) -> Passed:
    """Check the rows of each tenant in each table, then replace its night's, or those of `every_night`, a commit a table.

    A tenant that is blocked in one table keeps in all what it has. The rows that are counted are those of the first table.
    """
    with ExitStack() as stack:
        frames = {
            contract: stack.enter_context(_held(ctx, contract, made)) for contract, made in tables.items() if made
        }
        blocked: dict[str, str] = {}
        for contract, frame in frames.items():
            there = [tenant for tenant, rows in tables[contract].items() if len(rows)]
            blocked |= doors.check(ctx, frame, contract, Zone.GOLD, tenants=there).blocked if there else {}
        of_night = "" if every_night else f" AND night_month = '{ctx.night:%Y-%m}' AND night = DATE'{ctx.night}'"
        for contract, frame in frames.items():
            among = [tenant for tenant in tables[contract] if tenant not in blocked]
            if among:
                of_passed = in_set("tenant", among)
                ctx.lake.replace(frame.where(of_passed), contract, Zone.GOLD, where=of_passed + of_night)
    counted = next(iter(tables.values()), {})
    return Passed({t: len(rows) for t, rows in counted.items() if t not in blocked}, blocked)


@contextmanager
def _held(ctx: Context, contract: Contract, made: Mapping[str, pd.DataFrame]) -> Iterator[DataFrame]:
    """The rows of all tenants as a frame of the contract, which is counted and written and so kept."""
    schema = loose_schema(contract, Zone.GOLD)
    parts = [pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False) for rows in made.values()]
    frame = ctx.lake.conform(ctx.spark.createDataFrame(pa.concat_tables(parts)), contract, Zone.GOLD).persist()
    try:
        yield frame
    finally:
        frame.unpersist()
