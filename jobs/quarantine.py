"""`uretimiq quarantine`: what was not taken, why, and taking it after all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from expectations import settings as settings_module
from expectations.tables import QUARANTINE, TABLES
from jobs.catalogue import INGEST
from jobs.context import Context
from jobs.delta_reader import query
from jobs.entries import NO_CONTRACT, WHOLE
from jobs.lease import lease
from jobs.replay import Which, replay

OPEN = """replayed_at IS NULL
    AND (len($tenants) = 0 OR list_contains($tenants, tenant))
    AND ($contract IS NULL OR contract = $contract)
    AND ($object IS NULL OR object_key = $object)
    AND ($rule IS NULL OR list_contains(rules, $rule))"""
LIST = f"""
    WITH failed AS (SELECT *, unnest(rules) AS rule FROM rows WHERE {OPEN})
    SELECT tenant, contract, rule, sum(rows)::BIGINT AS rows, count(DISTINCT object_key) AS objects,
           min(quarantined_at) AS since, any_value(reason) AS example
    FROM failed WHERE $rule IS NULL OR rule = $rule GROUP BY tenant, contract, rule ORDER BY tenant, contract, rule
"""  # noqa: S608 - made of constants
SHOW = f"""
    SELECT tenant, contract, object_key, row_index, rows, rules, reason, original, gateway, quarantined_at
    FROM rows WHERE {OPEN} ORDER BY tenant, contract, object_key, row_index LIMIT $limit
"""  # noqa: S608 - made of constants


def filters(command: Callable[..., None]) -> Any:
    """The options that say which part of the quarantine is meant."""
    contracts = click.Choice([*(c.name for c in TABLES.landed), NO_CONTRACT])
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--object", "object_key", help="Only of this object: its key in the landing bucket."),
        click.option("--contract", type=contracts, help="Only of this contract."),
        click.option("--tenant", "tenants", multiple=True, help="Only of this tenant; may be repeated. Default: all."),
    ):
        command = option(command)
    return command


RULE = click.option("--rule", help="Only what failed this rule.")


@click.group()
def quarantine() -> None:
    """Rows and objects that were not taken: list, show, replay.

    Nothing leaves the quarantine by itself. Mend the cause (send the missing manifest, mend the contract), then replay;
    or mend the map or the source and send the file again, which lands as a new object.
    """


def _ask(sql: str, which: Which, **more: Any) -> list[dict[str, Any]]:
    values = {"tenants": list(which.tenants), "contract": which.contract, "object": which.object_key, **more}
    return query(settings_module.load(), QUARANTINE, None, sql, values)


@quarantine.command("list")
@filters
@RULE
def list_rules(
    tenants: tuple[str, ...], contract: str | None, object_key: str | None, rule: str | None, as_json: bool
) -> None:
    """Count what is in quarantine by tenant, contract and rule. A row that failed two rules counts in both."""
    found = _ask(LIST, Which(tenants, contract, object_key), rule=rule)
    if as_json:
        click.echo(json.dumps(found, default=str, ensure_ascii=False))
        return
    for row in found:
        place = f"{row['tenant']} {row['contract']} {row['rule']}"
        click.echo(
            f"{place}: {row['rows']} rows in {row['objects']} objects since {row['since']:%Y-%m-%d}: {row['example']}"
        )
    if not found:
        click.echo("nothing is in quarantine")


@quarantine.command("show")
@filters
@RULE
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many rows.")
def show(
    tenants: tuple[str, ...], contract: str | None, object_key: str | None, rule: str | None, limit: int, as_json: bool
) -> None:
    """Print quarantined rows: where they came from, the rules that they failed, the original values."""
    found = _ask(SHOW, Which(tenants, contract, object_key), rule=rule, limit=limit)
    if as_json:
        click.echo(json.dumps(found, default=str, ensure_ascii=False))
        return
    for row in found:
        where = f"the whole object, {row['rows']} rows" if row["row_index"] == WHOLE else f"row {row['row_index']}"
        click.echo(f"{row['tenant']} {row['contract']} {row['object_key']}, {where}")
        click.echo(f"  rules:    {', '.join(row['rules'])}")
        click.echo(f"  reason:   {row['reason']}")
        if row["original"] is not None:
            click.echo(f"  original: {row['original']}")
    if not found:
        click.echo("nothing is in quarantine")


@quarantine.command("replay")
@filters
def replay_command(tenants: tuple[str, ...], contract: str | None, object_key: str | None, as_json: bool) -> None:
    """Take into bronze what passes the present contract, and inspect objects that are in quarantine whole again."""
    ctx = Context(settings_module.load())
    with lease(ctx.settings, f"job-{INGEST.name}"):
        done = replay(ctx, Which(tenants, contract, object_key))
    if as_json:
        click.echo(
            json.dumps({"rows": done.rows, "objects": done.objects, "staying": done.staying}, ensure_ascii=False)
        )
        return
    for why in done.staying.values():
        click.echo(f"still in quarantine: {why}")
    click.echo(f"{done.rows} rows taken into bronze, {done.objects} whole objects replayed")
