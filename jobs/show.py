"""`uretimiq table`: the rows of a table as they are, or as they were known at a moment; no JVM."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime

import click
import pyarrow as pa
import pyarrow.csv

from expectations import settings as settings_module
from expectations.contract import Contract
from expectations.settings import Settings
from expectations.tables import TABLES
from jobs.errors import JobError


def rows_known(
    settings: Settings,
    contract: Contract,
    tenant: str,
    *,
    at: datetime | None = None,
    first: date | None = None,
    last: date | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Rows of `tenant`, ordered by key. Of a landed table those known at `at` (now if None), one row a key."""
    import duckdb
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    place = settings.place(contract)
    try:
        table = DeltaTable(place, storage_options=settings.delta_rs_options)
    except TableNotFoundError:
        raise JobError(f"table {contract.name} does not exist yet: nothing has been written to {place}") from None
    where = ["tenant = ?"]
    values: list[object] = [tenant]
    if contract.landed:
        where.append("available_at <= ? AND (superseded_at IS NULL OR superseded_at > ?)")
        moment = at or datetime.now(UTC)
        values += [moment, moment]
    elif at:
        where.append(f"{contract.known_time} <= ?")
        values.append(at)
    for bound, sign in ((first, ">="), (last, "<=")):
        if bound and contract.event_time:
            where.append(f"{contract.event_time} {sign} ?")
            values.append(bound)
    bounded = f"LIMIT {int(limit)}" if limit else ""
    dataset = table.to_pyarrow_dataset(filesystem=settings.arrow_files(place))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("t", dataset)
        # Only names from the contract go into the text; what a person gives is bound.
        query = f"SELECT * FROM t WHERE {' AND '.join(where)} ORDER BY {', '.join(contract.keys)} {bounded}"  # noqa: S608
        return connection.sql(query, params=values).to_arrow_table()


def _moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time: write it as 2026-01-31T06:00:00+03:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command("table")
@click.argument("name")
@click.option("--tenant", required=True, help="Whose rows.")
@click.option(
    "--as-known-at", "at", callback=_moment, help="What was known then (UTC if no zone is given). Default: now."
)
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print rows as JSON lines instead of CSV.")
def table(
    name: str,
    tenant: str,
    at: datetime | None,
    first: datetime | None,
    last: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print rows of the table NAME: sales, demand_features, demand_forecast, ..."""
    try:
        contract = TABLES[name]
    except KeyError as unknown:
        raise JobError(str(unknown.args[0])) from None
    if "tenant" not in contract.by_name:
        raise JobError(f"table {name} has no tenants")
    days = {"first": first.date() if first else None, "last": last.date() if last else None}
    found = rows_known(settings_module.load(), contract, tenant, at=at, limit=limit, **days)
    if as_json:
        import json

        for row in found.to_pylist():
            click.echo(json.dumps(row, default=str))
    else:
        flat = [
            c.cast(pa.string()) if not pa.types.is_nested(c.type) else pa.array(map(str, c.to_pylist()))
            for c in found.columns
        ]
        pyarrow.csv.write_csv(pa.table(flat, names=found.column_names), sys.stdout.buffer)
