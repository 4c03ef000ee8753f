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

import pandas as pd

from expectations import settings as settings_module
from expectations.contract import Zone
from expectations.settings import Settings
from expectations.tables import DEMAND_FEATURES
from jobs import train_demand
from jobs.context import Context, code_version
from jobs.delta_reader import Gone, pinned_table, query, read_version
from jobs.demand_data import READ, Frames, Pinned, training_frames
from jobs.errors import JobError
from models.demand import evaluation, stored
from models.demand.autogluon import AutoGluonMissing
from models.demand.folds import TooLittleHistory
from models.demand.manifest import TrainingManifest
from models.demand.parameters import ParameterError, Parameters, parameters
from models.demand.periods import DAY
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
    tenant = _tenant(settings, given.get("tenant"))
    versions = _versions(settings, given.get("versions") or {})
    night = _night(settings, tenant, given.get("night"), versions)
    ids = _check(settings, tenant, versions)
    champion = train_demand.registry_of(Context(settings)).champion(tenant)
    found = Snapshot(tenant, night.isoformat(), versions, ids, asdict(champion) if champion else None)
    _write(SNAPSHOT, asdict(found))


def features() -> None:
    """Feature rows, calendar and sales as known at the snapshot's cut-off, as Parquet files."""
    settings, pins = settings_module.load(), _snapshot()
    given = _demand(_params())
    if _check(settings, pins.tenant, pins.versions) != pins.ids:
        raise JobError(f"{settings.lake_uri} is not the lake of {SNAPSHOT}: set URETIMIQ_HOME to its home, or {TAKE}")
    ctx = _context(settings, pins)
    if given.counts != DAY:
        raise JobError(f"{PARAMS}: demand: period: {given.period}: an experiment counts in days, so far")
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
        training = train(_frames().data(ctx.night), given, mapped, say)
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
    data = _frames().data(ctx.night)
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


def _tenant(settings: Settings, asked: str | None) -> str:
    rows = query(settings, DEMAND_FEATURES, Zone.FEATURES, "SELECT DISTINCT tenant FROM rows ORDER BY tenant")
    there = [row["tenant"] for row in rows]
    if not there:
        raise JobError(
            f"no demand features in {settings.lake_uri}: set URETIMIQ_HOME to a home that has some, or run "
            "`uretimiq run nightly`"
        )
    if asked is None and len(there) == 1:
        return str(there[0])
    if asked not in there:
        said = "name one" if asked is None else f"no demand features of {asked!r}"
        raise JobError(f"{PARAMS}: tenant: {said}; {settings.lake_uri} has {', '.join(there[:20])}")
    return str(asked)


def _night(settings: Settings, tenant: str, asked: date | str | None, versions: dict[str, int]) -> date:
    """The night that was asked for, or the newest one that the tenant's features have."""
    if asked is not None:
        try:
            return asked if isinstance(asked, date) else date.fromisoformat(str(asked))
        except ValueError:
            raise JobError(f"{PARAMS}: night: {asked!r} is no date: write it as 2026-01-31") from None
    newest = "SELECT max(date) AS night FROM rows WHERE tenant = $tenant"
    version = versions[f"{Zone.FEATURES}/{DEMAND_FEATURES.name}"]
    rows = query(settings, DEMAND_FEATURES, Zone.FEATURES, newest, {"tenant": tenant}, version=version)
    if rows[0]["night"] is None:
        raise JobError(f"{PARAMS}: versions: version {version} of demand_features has no row of tenant {tenant}")
    return pd.Timestamp(rows[0]["night"]).date()


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


def _frames() -> Frames:
    try:
        return Frames(**{name: pd.read_parquet(FEATURES / f"{name}.parquet") for name in Frames.__dataclass_fields__})
    except OSError:
        raise JobError(f"no {FEATURES}: run `dvc repro`, which takes the steps in order") from None


def _context(settings: Settings, pins: Snapshot) -> Context:
    return Context(settings, asked=(pins.tenant,), date=date.fromisoformat(pins.night))


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
