"""`uretimiq trace`: from a forecast back to the model, its training, the rows and the files. No JVM: it only reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import click

from expectations import settings as settings_module
from expectations.contract import Zone
from expectations.manifest import Manifest, parse_data_key
from expectations.settings import Settings
from expectations.tables import DEMAND_FORECAST, INGEST_LEDGER, PROMOTIONS, SALES
from jobs.delta_reader import read_rows
from jobs.errors import JobError
from jobs.landing import Landing
from models.demand.arrays import day
from models.demand.periods import DAY, PERIODS

RECENT_ROWS = 5
FILES_SHOWN = 5
ID_DATE_DIGITS = 8


@dataclass(frozen=True)
class Trace:
    """Each step of the way back, as plain values."""

    forecast: dict[str, Any]
    model: dict[str, Any] | None
    rows: dict[str, Any]
    files: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        return {"forecast": self.forecast, "model": self.model, "rows": self.rows, "files": self.files}


def trace(settings: Settings, forecast_id: str) -> Trace:
    """Follow `forecast_id` back. Raises JobError where there is no such forecast."""
    found = _forecast(settings, forecast_id)
    rows, hashes = _rows(settings, found)
    return Trace(found, _model(settings, found), rows, _files(settings, found["tenant"], hashes))


def _forecast(settings: Settings, forecast_id: str) -> dict[str, Any]:
    filters: list[tuple[str, str, Any]] = [("forecast_id", "=", forecast_id)]
    try:
        night = date.fromisoformat(forecast_id[:ID_DATE_DIGITS])
    except ValueError:
        raise JobError(_unknown(forecast_id)) from None
    filters.append(("night_month", "=", f"{night:%Y-%m}"))
    found = read_rows(settings, DEMAND_FORECAST, filters=filters).to_pylist()
    if not found:
        raise JobError(_unknown(forecast_id))
    return dict(found[0])


def _unknown(forecast_id: str) -> str:
    return f"no forecast {forecast_id!r}: take a forecast_id as the API or `uretimiq table demand_forecast` shows it"


def _model(settings: Settings, found: dict[str, Any]) -> dict[str, Any] | None:
    """The registered version, its run, its manifest and why it was promoted; None where a fallback spoke."""
    if found["model_version"] is None:
        return None
    from models.registry import Registry, RegistryError

    registry = Registry(settings.tracking_uri, settings.home / "models")
    try:
        ref = registry.version(found["model_name"], found["model_version"])
        manifest = registry.manifest(ref)
    except RegistryError as error:
        raise JobError(f"{found['forecast_id']}: {error}") from error
    promoted = ("promoted", "=", True)
    filters = [("tenant", "=", found["tenant"]), ("model_version", "=", ref.version), promoted]
    decided = read_rows(
        settings, PROMOTIONS, columns=["model_name", "reason", "decided_at"], filters=filters
    ).to_pylist()
    newest = sorted(decided, key=lambda d: d["decided_at"], reverse=True)
    promotion = next((d for d in newest if d["model_name"] == ref.name), None)
    return {
        "name": ref.name,
        "version": ref.version,
        "mlflow_run": ref.run_id,
        "manifest": manifest,
        "promotion": promotion,
    }


def _rows(settings: Settings, found: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """The series' sales as they were known at the cut-off, and how many of them each file (by hash) brought."""
    keys = [(name, "=", found[name]) for name in ("tenant", "site", "product")]
    # what a week holds beyond the last whole one was not used
    period = PERIODS[found["period"]]
    last = period.end(period.of(day(found["date"])) - found["horizon"])
    columns = ["date", "units", "available_at", "superseded_at", "content_hash", "row_index"]
    known = read_rows(settings, SALES, Zone.SILVER, columns=columns, filters=[*keys, ("date", "<=", last)])
    cut_off = found["cut_off"]
    then = [
        row
        for row in known.to_pylist()
        if row["available_at"] <= cut_off and (row["superseded_at"] is None or row["superseded_at"] > cut_off)
    ]
    then.sort(key=lambda row: row["date"])
    hashes: dict[str, int] = {}
    for row in then:
        hashes[row["content_hash"]] = hashes.get(row["content_hash"], 0) + 1
    recent = [{k: v for k, v in row.items() if k != "superseded_at"} for row in then[-RECENT_ROWS:]]
    span = {"first": then[0]["date"], "last": then[-1]["date"]} if then else {"first": None, "last": None}
    return {"table": f"{Zone.SILVER}/{SALES.name}", "count": len(then), **span, "recent": recent}, hashes


def _files(settings: Settings, tenant: str, hashes: dict[str, int]) -> list[dict[str, Any]]:
    """The landed objects, the newest first, each with its gateway, its sequence number and the rows it brought."""
    columns = ["object_key", "content_hash", "gateway", "sequence", "rows_landed", "landed_at", "status"]
    ledger = read_rows(settings, INGEST_LEDGER, columns=columns, filters=[("tenant", "=", tenant)]).to_pylist()
    files = [
        {
            "object_key": row["object_key"],
            "sha256": row["content_hash"],
            "gateway": row["gateway"],
            "sequence": row["sequence"],
            "rows_landed": row["rows_landed"],
            "rows_of_series": hashes[row["content_hash"]],
            "landed_at": row["landed_at"],
        }
        for row in ledger
        if row["content_hash"] in hashes and row["status"] == "done"
    ]
    files.sort(key=lambda f: f["landed_at"], reverse=True)
    _add_sources(settings, files[:FILES_SHOWN])
    return files


def _add_sources(settings: Settings, files: list[dict[str, Any]]) -> None:
    """Add the plant's own file of each, as its manifest in the landing bucket names it; None and why where it is not known."""
    landing, away = Landing(settings), ""
    for file in files:
        try:
            text = None if away else landing.manifest(parse_data_key(file["object_key"]).manifest_key)
            file["source"] = Manifest.from_json(text).source if text else None
            file["source_unknown"] = None if text else away or "its manifest is not in the landing bucket any more"
        except JobError as error:
            away = file["source_unknown"] = str(error)
            file["source"] = None
        except ValueError as error:
            file["source"], file["source_unknown"] = None, str(error)


def _lines(found: Trace) -> list[str]:
    f, m, r = found.forecast, found.model, found.rows
    when = f"on {f['date']}" if f["period"] == DAY.name else f"in the {f['period']} of {f['date']}"
    said = f"{f['units_q50']:.1f} pieces ({f['units_q10']:.1f} to {f['units_q90']:.1f}) {when}"
    lines = [
        f"forecast {f['forecast_id']}: {said}, {f['tenant']}/{f['site']}/{f['product']}",
        f"  made in run {f['run_id']} of the night {f['night']}, from what was known at {f['cut_off']:%Y-%m-%d %H:%M %Z}",
        f"  tables read: {f['table_versions']}",
    ]
    if m is None:
        lines.append(f"model: none; {f['method']} stood in: {f['fallback_reason']}")
    else:
        lines += _model_lines(m)
    lines.append(f"rows: {r['count']} of {r['table']}, {r['first']} to {r['last']}; the last ones:")
    lines += [
        f"  {row['date']} {row['units']:g} pieces: row {row['row_index']} of {row['content_hash'][:16]}"
        for row in r["recent"]
    ]
    lines.append(
        f"files: {len(found.files)}" + (f"; the newest {FILES_SHOWN}:" if len(found.files) > FILES_SHOWN else ":")
    )
    for file in found.files[:FILES_SHOWN]:
        lines.append(f"  {file['object_key']} sha256 {file['sha256']}")
        rows = f"{file['rows_of_series']} of its {file['rows_landed']} rows"
        told = f"made of {file['source']}" if file["source"] else f"made of an unknown file: {file['source_unknown']}"
        lines.append(f"    {told}")
        lines.append(
            f"    from gateway {file['gateway']}, its object {file['sequence']}, {rows}, landed {file['landed_at']:%Y-%m-%d %H:%M %Z}"
        )
    return lines


def _model_lines(model: dict[str, Any]) -> list[str]:
    manifest = model["manifest"]
    versions = ", ".join(f"{name} v{version}" for name, version in sorted(manifest["table_versions"].items()))
    return [
        f"model: {model['name']} version {model['version']}, MLflow run {model['mlflow_run']}",
        *([f"  {model['promotion']['reason']}"] if model["promotion"] else []),
        f"  trained up to {manifest['night']} with code {manifest['code_version']} on {versions}",
        f"  training set: {manifest['rows']} rows, sha256 {manifest['frame_hash']}",
        f"  seed {manifest['parameters']['seed']}, members {', '.join(manifest['parameters']['members'])}",
    ]


@click.command("trace")
@click.argument("forecast_id")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(forecast_id: str, *, as_json: bool) -> None:
    """Print the way back from the forecast FORECAST_ID to the files: model, training, rows, files, gateway."""
    found = trace(settings_module.load(), forecast_id.strip())
    if as_json:
        click.echo(json.dumps(found.to_dict(), default=str, indent=1))
    else:
        click.echo("\n".join(_lines(found)))
