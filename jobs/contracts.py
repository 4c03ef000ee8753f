"""`uretimiq contracts`: what each table is, whether a change may go out, and its release."""

from __future__ import annotations

import json
import sys

import click

from expectations import odcs, page, releases
from expectations.contract import Contract
from expectations.odcs import ContractFileError
from expectations.releases import Finding, ReleaseRefused
from expectations.tables import TABLES
from jobs.errors import JobError

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group()
def contracts() -> None:
    """The contracts of all tables: list, show, check, release, docs."""


def _named(name: str) -> Contract:
    try:
        return TABLES[name]
    except KeyError as error:
        raise JobError(str(error.args[0])) from None


@contracts.command("list")
@AS_JSON
def list_contracts(as_json: bool) -> None:
    """Every table: zone, declared version, newest released version."""
    rows = [
        {
            "name": c.name,
            "zone": str(c.zone),
            "version": c.version,
            "released": next(reversed(releases.versions(releases.RELEASED, c.name)), None),
            "owner": c.owner,
            "meaning": c.meaning,
        }
        for c in TABLES.contracts
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        state = "" if row["released"] == row["version"] else f" (released: {row['released'] or 'never'})"
        click.echo(f"{row['name']:<18} {row['zone']:<11} {row['version']}{state}  {row['meaning']}")


@contracts.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As an Open Data Contract Standard document in JSON.")
def show(name: str, as_json: bool) -> None:
    """The contract NAME: columns, rules and reasons."""
    contract = _named(name)
    click.echo(json.dumps(odcs.document(contract), ensure_ascii=False) if as_json else page.page(contract))


@contracts.command("check")
@AS_JSON
def check(as_json: bool) -> None:
    """Compare the declarations with the released versions and the pages; exit 1 when anything stands against them."""
    try:
        found = releases.check(TABLES)
    except ContractFileError as error:
        raise JobError(str(error)) from error
    found += [
        Finding(name.removesuffix(".md"), f"docs/contracts/{name} is out of date", "run `uretimiq contracts docs`")
        for name in page.stale(TABLES)
    ]
    if as_json:
        told = [{"contract": f.contract, "problem": f.problem, "remedy": f.remedy} for f in found]
        click.echo(json.dumps({"ok": not found, "findings": told}, ensure_ascii=False))
    elif not found:
        click.echo(f"{len(TABLES.contracts)} contracts are as released")
    for finding in () if as_json else found:
        click.echo(str(finding), err=True)
    if found:
        sys.exit(1)


@contracts.command("release")
@click.argument("names", nargs=-1)
@AS_JSON
def release(names: tuple[str, ...], as_json: bool) -> None:
    """Write the released file of each declared version that has none, after the check; of NAMES or of all."""
    for name in names:
        _named(name)
    try:
        written = releases.release(TABLES, names)
    except ReleaseRefused as refused:
        for finding in refused.findings:
            click.echo(str(finding), err=True)
        sys.exit(1)
    files = [str(path.relative_to(releases.RELEASED)) for path in written]
    told = [f"released {file}" for file in files] or ["nothing to release"]
    click.echo(json.dumps({"released": files}) if as_json else "\n".join(told))


@contracts.command("docs")
@AS_JSON
def docs(as_json: bool) -> None:
    """Write the pages of docs/contracts from the declarations."""
    files = [path.name for path in page.write(TABLES)]
    told = [f"wrote docs/contracts/{file}" for file in files] or ["the pages are up to date"]
    click.echo(json.dumps({"written": files}) if as_json else "\n".join(told))
