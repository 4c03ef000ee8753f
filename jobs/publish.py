"""What a night made for its tenants goes into gold: through the door, in one commit, in the place of what was there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from expectations.contract import Contract, Zone
from jobs import doors
from jobs.context import Context
from jobs.lake import in_set, loose_schema


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


def publish(ctx: Context, contract: Contract, made: Mapping[str, pd.DataFrame]) -> Passed:
    """Check the rows of each tenant and replace its night's; a tenant that is blocked keeps those that it has."""
    if not made:
        return Passed({}, {})
    schema = loose_schema(contract, Zone.GOLD)
    rows = pd.concat(made.values(), ignore_index=True)[schema.names]
    frame = ctx.spark.createDataFrame(pa.Table.from_pandas(rows, schema=schema, preserve_index=False))
    frame = ctx.lake.conform(frame, contract, Zone.GOLD).persist()
    try:
        blocked = doors.check(ctx, frame, contract, Zone.GOLD, tenants=made).blocked
        passed = {t: len(rows) for t, rows in made.items() if t not in blocked}
        if passed:
            of_night = f"night_month = '{ctx.night:%Y-%m}' AND night = DATE'{ctx.night}'"
            where = f"{in_set('tenant', passed)} AND {of_night}"
            ctx.lake.replace(frame.where(in_set("tenant", passed)), contract, Zone.GOLD, where=where)
        return Passed(passed, blocked)
    finally:
        frame.unpersist()
