"""`uretimiq experiment STAGE`: the stages of dvc.yaml, by which a data scientist tries an idea on pinned tables.

They call what the nightly jobs call, and differ only in where they read parameters (params.yaml beside dvc.yaml) and
where they leave what they make (the folder `experiment` beside it): nothing is registered and nothing promoted.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from expectations import settings as settings_module
from expectations.contract import Contract, Zone
from expectations.settings import Settings
from expectations.tables import DEMAND_FEATURES, SALES
from jobs import train_demand
from jobs.context import Context, code_version
from jobs.delta_reader import Gone, pinned_table, query, read_version
from jobs.demand_data import Frames, Pinned
from jobs.demand_known import READ, frames_of, training_frames
from jobs.demand_weeks import WeekFrames
from jobs.errors import JobError
from jobs.monthly import last_told
from models.demand import evaluation, stored
from models.demand.arrays import days
from models.demand.autogluon import AutoGluonMissing
from models.demand.folds import TooLittleHistory
from models.demand.manifest import TrainingManifest
from models.demand.parameters import ParameterError, Parameters, parameters
from models.demand.periods import DAY, Period
from models.demand.training import train
from models.registry import ModelRef

PARAMS = Path("params.yaml")
FOLDER = Path("experiment")
SNAPSHOT, FEATURES, TRAINING = FOLDER / "snapshot.json", FOLDER / "features", FOLDER / "training"
SECONDS, METRICS, PLOTS = FOLDER / "seconds.json", FOLDER / "metrics.json", FOLDER / "plots"
TAKE = "take a new snapshot: `dvc repro --force snapshot`, then `dvc repro`"


@dataclass(frozen=True)
class Snapshot:
    """All that lies outside the checkout and decides what an experiment finds.

    `versions` are Delta versions and `ids` Delta's names of the tables, both by zone/table; `champion` is whom the
    experiment is compared with.
    """

    tenant: str
    night: str
    versions: dict[str, int]
    ids: dict[str, str]
    champion: dict[str, str] | None


def snapshot() -> None:
    """Pin tenant, night, table versions and champion, as params.yaml asks or as they are now."""
    settings, given = settings_module.load(), _params()
    counts = _demand(given).counts
    tenant = _tenant(settings, given.get("tenant"), counts)
    versions = _versions(settings, given.get("versions") or {})
    night = _night(settings, tenant, given.get("night"), versions, counts)
    ids = _check(settings, tenant, versions)
    champion = train_demand.registry_of(Context(settings)).champion(tenant)
    found = Snapshot(tenant, night.isoformat(), versions, ids, asdict(champion) if champion else None)
    _write(SNAPSHOT, asdict(found))


def features() -> None:
    """What a training reads (of weeks: every known version of the sales, and the cut-offs), as Parquet files."""
    settings, pins = settings_module.load(), _snapshot()
    given = _demand(_params())
    if _check(settings, pins.tenant, pins.versions) != pins.ids:
        raise JobError(f"{settings.lake_uri} is not the lake of {SNAPSHOT}: set URETIMIQ_HOME to its home, or {TAKE}")
    ctx = _context(settings, pins)
    frames = training_frames(Pinned(ctx.lake, pins.versions), pins.tenant, ctx.night, given)
    FEATURES.mkdir(parents=True, exist_ok=True)
    for name, frame in vars(frames).items():
        frame.to_parquet(FEATURES / f"{name}.parquet", index=False)


def learn() -> None:
    """Train and judge on rolling origins, with the parameters `demand` of params.yaml."""
    pins, given = _snapshot(), _demand(_params())
    ctx = _context(settings_module.load(), pins)
    mapped, say = train_demand.map_series(ctx, given), train_demand.teller(ctx, pins.tenant)
    try:
        training = train(_frames(given.counts).data(ctx.night, given), given, mapped, say)
    except (TooLittleHistory, AutoGluonMissing) as error:
        raise JobError(f"tenant {pins.tenant}: {error}") from error
    stored.save(training, TRAINING)
    _write(SECONDS, {"seconds": training.seconds})


def evaluate() -> None:
    """Metrics, plots, a run in MLflow, and what the promotion rule would say of it."""
    settings, pins = settings_module.load(), _snapshot()
    ctx = _context(settings, pins)
    registry = train_demand.registry_of(ctx)
    training = stored.load(TRAINING, json.loads(SECONDS.read_text())["seconds"])
    parameters_of = training.model.parameters
    data = _frames(parameters_of.counts).data(ctx.night, parameters_of)
    champion = ModelRef(**pins.champion) if pins.champion else None
    decision = train_demand.judge(training, data, champion, registry)
    manifest = TrainingManifest.of(pins.tenant, training, pins.versions, code_version())
    record = train_demand.record(training, manifest)
    _write(METRICS, evaluation.metrics(training, decision))
    PLOTS.mkdir(parents=True, exist_ok=True)
    for name, figure in record["figures"].items():
        figure.savefig(PLOTS / f"{name}.png")
    for name, frame in evaluation.curves(training).items():
        frame.to_csv(PLOTS / f"{name}.csv", index=False)
    run_id = registry.log_experiment(pins.tenant, _tags(), **record)
    ctx.progress(f"  {pins.tenant}: it would be {decision.reason[0].lower()}{decision.reason[1:]} MLflow run {run_id}")


STAGES = {"snapshot": snapshot, "features": features, "train": learn, "evaluate": evaluate}


def _tags() -> dict[str, str]:
    """What DVC tells the programs that it starts, where it runs an experiment."""
    told = {"experiment": os.environ.get("DVC_EXP_NAME"), "baseline": os.environ.get("DVC_EXP_BASELINE_REV")}
    return {name: value for name, value in told.items() if value}


def _params() -> dict[str, Any]:
    import yaml

    try:
        given = yaml.safe_load(PARAMS.read_text())
    except OSError:
        raise JobError(f"no {PARAMS} in {Path.cwd()}: experiments run in the checkout, beside dvc.yaml") from None
    except yaml.YAMLError as error:
        raise JobError(f"{PARAMS}: it is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict):
        raise JobError(f"{PARAMS}: write `tenant:`, `night:`, `versions:` and `demand:`")
    return given


def _demand(given: dict[str, Any]) -> Parameters:
    try:
        return parameters(given.get("demand") or {})
    except (ParameterError, TypeError, ValueError) as error:
        raise JobError(f"{PARAMS}: demand: {error}") from error


def _told_in(counts: Period) -> tuple[Contract, Zone, str]:
    """The table that knows the tenants that count so, and what its rows are called."""
    daily = (DEMAND_FEATURES, Zone.FEATURES, "demand features")
    return daily if counts == DAY else (SALES, Zone.SILVER, "sales")


def _tenant(settings: Settings, asked: str | None, counts: Period) -> str:
    contract, zone, name = _told_in(counts)
    rows = query(settings, contract, zone, "SELECT DISTINCT tenant FROM rows ORDER BY tenant")
    there = [row["tenant"] for row in rows]
    if not there:
        raise JobError(
            f"no {name} in {settings.lake_uri}: set URETIMIQ_HOME to a home that has some, or run "
            "`uretimiq run nightly`"
        )
    if asked is None and len(there) == 1:
        return str(there[0])
    if asked not in there:
        said = "name one" if asked is None else f"no {name} of {asked!r}"
        raise JobError(f"{PARAMS}: tenant: {said}; {settings.lake_uri} has {', '.join(there[:20])}")
    return str(asked)


def _night(settings: Settings, tenant: str, asked: date | str | None, versions: dict[str, int], counts: Period) -> date:
    """The night that was asked for; else the newest one with features, or the end of the last week that is told whole."""
    if asked is not None:
        try:
            return asked if isinstance(asked, date) else date.fromisoformat(str(asked))
        except ValueError:
            raise JobError(f"{PARAMS}: night: {asked!r} is no date: write it as 2026-01-31") from None
    contract, zone, _ = _told_in(counts)
    version = versions[f"{zone}/{contract.name}"]
    days_of = "SELECT site, list(DISTINCT date) AS days FROM rows WHERE tenant = $tenant GROUP BY site"
    rows = query(settings, contract, zone, days_of, {"tenant": tenant}, version=version)
    if not rows:
        raise JobError(f"{PARAMS}: versions: version {version} of {contract.name} has no row of tenant {tenant}")
    return max(last_told(np.sort(days(pd.Series(row["days"]))), counts) for row in rows)


def _versions(settings: Settings, asked: dict[str, int]) -> dict[str, int]:
    """The newest version of each table that a training reads, or the one that was asked for."""
    found = {f"{zone}/{contract.name}": read_version(settings, contract, zone) for contract, zone in READ}
    for name, version in asked.items():
        if name not in found:
            raise JobError(f"{PARAMS}: versions: no table {name!r} among {', '.join(found)}")
        if not isinstance(version, int) or isinstance(version, bool) or version < 0:
            raise JobError(f"{PARAMS}: versions: {name}: {version!r} is no Delta version: write a whole number")
    return {name: v for name, v in (found | asked).items() if v is not None}


def _check(settings: Settings, tenant: str, versions: dict[str, int]) -> dict[str, str]:
    """Delta's ids of the tables. Raises JobError where a version, or a file of the tenant's in it, is there no more."""
    ids = {}
    for contract, zone in READ:
        name = f"{zone}/{contract.name}"
        if name in versions:
            try:
                ids[name] = pinned_table(settings, contract, zone, versions[name], tenant)
            except Gone as gone:
                raise JobError(f"{gone}; {TAKE}, with `versions: null` in {PARAMS}") from gone
    return ids


def _snapshot() -> Snapshot:
    try:
        return Snapshot(**json.loads(SNAPSHOT.read_text()))
    except OSError:
        raise JobError(f"no {SNAPSHOT}: run `dvc repro`, which takes the steps in order") from None


def _frames(counts: Period) -> Frames | WeekFrames:
    kind = frames_of(counts)
    try:
        return kind(**{name: pd.read_parquet(FEATURES / f"{name}.parquet") for name in kind.__dataclass_fields__})
    except OSError:
        raise JobError(f"no {FEATURES}: run `dvc repro`, which takes the steps in order") from None


def _context(settings: Settings, pins: Snapshot) -> Context:
    return Context(settings, asked=(pins.tenant,), date=date.fromisoformat(pins.night))


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
