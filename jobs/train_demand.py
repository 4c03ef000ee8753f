"""Train the demand models of each tenant, log them, and promote one that beats seasonal naive and the champion."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from expectations.tables import DEMAND_FEATURES, DEMAND_FORECAST
from jobs import promotions
from jobs.context import Context, Outcome, code_version
from jobs.demand_data import FEATURE_COLUMNS, Pinned
from jobs.demand_known import READ, training_frames
from jobs.demand_settings import demand_parameters
from jobs.errors import JobError
from jobs.own_failure import log_failure, own_failure
from models.demand import autogluon, plots
from models.demand.card import card
from models.demand.evaluate import table
from models.demand.folds import Data, TooLittleHistory, evaluated
from models.demand.forecast import COLUMNS as FORECAST_COLUMNS
from models.demand.manifest import TrainingManifest
from models.demand.model import OtherPeriod
from models.demand.parameters import AUTOGLUON, FLOORS, PATHS, Parameters
from models.demand.paths import Fit, MapSeries, map_here
from models.demand.periods import DAY
from models.demand.promotion import CHALLENGER, CHAMPION, METRIC, TRIAL_AHEAD, Decision, decide
from models.demand.training import ENSEMBLE, Training, train
from models.registry import ModelRef, Registry, RegistryError, signature

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OTHER_PERIOD = "champion_counts_other_periods"  # in the evidence: it can serve no more, whoever comes after it


def run(ctx: Context) -> None:
    """Work every tenant by itself: one that fails keeps its champion, and the others go on."""
    ctx.table_versions = ctx.lake.versions(READ)
    pinned = Pinned(ctx.lake, json.loads(ctx.table_versions))
    registry = registry_of(ctx)
    for position, tenant in enumerate(ctx.tenants, 1):
        with own_failure(ctx, tenant, "train-demand"):
            ctx.progress(f"train-demand: tenant {tenant} ({position} of {len(ctx.tenants)})")
            _train_tenant(ctx, tenant, pinned, registry)


def registry_of(ctx: Context) -> Registry:
    """The registry of the home. Raises JobError where MLflow does not answer: no tenant could go on without it."""
    registry = Registry(ctx.settings.tracking_uri, ctx.settings.home / "models")
    try:
        registry.check()
    except RegistryError as error:
        raise JobError(str(error)) from error
    return registry


def _train_tenant(ctx: Context, tenant: str, pinned: Pinned, registry: Registry) -> None:
    given = demand_parameters(ctx.settings, tenant)
    if AUTOGLUON in (*given.pool, given.challenger):
        autogluon.check()  # before the minutes of a training
    data = data_of(pinned, tenant, ctx.night, given)
    say = teller(ctx, tenant)
    try:
        training = train(data, given, map_series(ctx, given), say)
    except TooLittleHistory as short:
        say(str(short))
        ctx.outcomes[tenant] = Outcome("ok", 0, str(short))
        return
    rival, trouble = _rival(ctx, tenant, data, given)
    for each in _in_turn(training, rival, registry.champion(tenant)):
        _settle(ctx, tenant, each, data, pinned, registry)
    if trouble:
        ctx.outcomes[tenant] = replace(ctx.outcomes[tenant], reason=trouble)


def _rival(ctx: Context, tenant: str, data: Data, given: Parameters) -> tuple[Training | None, str | None]:
    """The second model, of the tenant's challenger; and why there is none, where it asks for one."""
    if given.rival is None:
        return None, None
    say = teller(ctx, tenant)
    say(f"{given.challenger} is trained as a challenger")
    try:
        rival = train(data, given.rival, progress=say)
        if given.challenger in rival.judged.members:
            return rival, None
        why = "no series is long enough for it"
    except Exception as error:  # noqa: BLE001  whatever it is, the usual model is not to suffer by it
        log_failure(ctx, tenant, "train-demand", error)
        why = " ".join(str(error).split())[:200]
    trouble = f"there is no challenger {given.challenger}: {why}"
    say(trouble)
    return None, trouble


def _in_turn(training: Training, rival: Training | None, champion: ModelRef | None) -> list[Training]:
    """Who is judged first. There is one trial at a time: the better one of the last fold has it, the other is refused.

    Where nobody is champion the usual model comes first: no rival serves before it has been tried by night.
    """
    if rival is None:
        return [training]
    both = [training, rival]
    return sorted(both, key=lambda t: t.scores[t.judged.until][ENSEMBLE][METRIC]) if champion else both


def _settle(ctx: Context, tenant: str, training: Training, data: Data, pinned: Pinned, registry: Registry) -> None:
    """Register a training, and give it its role."""
    say = teller(ctx, tenant)
    manifest = TrainingManifest.of(tenant, training, pinned.versions, code_version())
    champion, challenger = registry.champion(tenant), registry.challenger(tenant)
    twin = next((r for r in (champion, challenger) if r and _same(manifest, r, registry)), None)
    if twin:
        same = f"version {twin.version} was made from the same rows with the same parameters: nothing is registered"
        say(same)
        ctx.outcomes.setdefault(tenant, Outcome("ok", 0, same))
        return
    ref = _log(tenant, training, manifest, registry)
    decision = judge(training, data, champion, registry, challenger)
    registry.describe(ref, card(ref.name, ref.version, training, manifest, decision))
    # The ledger first, the alias last: whatever fails between leaves the old champion, and none without its evidence.
    promotions.note(ctx, tenant, ref, champion, decision)
    if decision.role == CHAMPION:
        registry.promote(ref)
    elif decision.role == CHALLENGER:
        registry.challenge(ref)
    elif champion is None or decision.evidence.get(OTHER_PERIOD):
        registry.serve_floor(ref)
    say(f"version {ref.version} of {ref.name}: {decision.reason}")
    ctx.done(tenant, training.rows)


def _same(manifest: TrainingManifest, ref: ModelRef, registry: Registry) -> bool:
    """Whether `ref` is what a training that was broken off, and is run again, would register once more."""
    try:
        known = registry.manifest(ref)
    except RegistryError:
        return False
    mine = json.loads(json.dumps(manifest.to_dict()))
    return all(known.get(name) == mine[name] for name in ("frame_hash", "parameters", "code_version", "packages"))


def data_of(pinned: Pinned, tenant: str, night: date, given: Parameters) -> Data:
    """What a training of `tenant` is given, in days or in weeks. Raises TenantError where there is nothing of it."""
    return training_frames(pinned, tenant, night, given).data(night, given)


def teller(ctx: Context, tenant: str) -> Callable[[str], None]:
    return lambda text: ctx.progress(f"  {tenant}: {text}")


def map_series(ctx: Context, given: Parameters) -> MapSeries:
    """How methods are fitted series by series: in Spark, which is not started where there are none of them."""
    return on_spark(ctx.spark) if set(given.members).intersection(PATHS) else map_here


def on_spark(spark: SparkSession) -> MapSeries:
    """A MapSeries whose tasks run in parallel in Spark, one at a time on each core."""

    def mapped(fit: Fit, tasks: pd.DataFrame, schema: str) -> pd.DataFrame:
        def each(frames: Any) -> Any:
            return (fit(frame) for frame in frames)

        parts = max(1, min(len(tasks), 4 * spark.sparkContext.defaultParallelism))
        frame = spark.createDataFrame(tasks).repartition(parts)
        return frame.mapInPandas(each, schema).toPandas()

    return mapped


def _log(tenant: str, training: Training, manifest: TrainingManifest, registry: Registry) -> ModelRef:
    return registry.log(
        tenant,
        training.model,
        **record(training, manifest),
        # what a model of weeks takes is no table
        signature=signature(
            [DEMAND_FEATURES.by_name[c].field for c in FEATURE_COLUMNS],
            [DEMAND_FORECAST.by_name[c].field for c in FORECAST_COLUMNS if c != "cut_off"],
        )
        if training.model.parameters.counts == DAY
        else None,
    )


def record(training: Training, manifest: TrainingManifest) -> dict[str, Any]:
    """What MLflow is told of a training, as arguments of `Registry.log` and `Registry.log_experiment`."""
    blend = training.model.blend
    return {
        "params": training.model.parameters.to_dict()
        | {"weights": blend.to_dict()["weights"], "kept": list(blend.members)},
        "scores": {fold: of | training.reconciled.get(fold, {}) for fold, of in training.scores.items()},
        "seconds": training.seconds,
        "manifest": manifest.to_dict(),
        "figures": plots.figures(training.judged, training.quantiles, training.scores),
    }


def judge(
    training: Training, data: Data, champion: ModelRef | None, registry: Registry, on_trial: ModelRef | None = None
) -> Decision:
    """Compare with the floors and the champion on the last fold, all from the same origins."""
    fold, given = training.judged, training.model.parameters
    last = training.scores[fold.until]
    trouble, its = None, None
    evidence: dict[str, Any] = {
        "folds": training.scores,
        "last_fold_from": fold.until,
        "reconciled": training.reconciled,
    }
    if champion is not None:
        try:
            model = registry.load(champion)
            origins = evaluated(data, fold.last_day, given)
            said = model.quantiles(origins, data.calendar)
            ahead = min(said.shape[1], fold.actual.shape[1])  # the horizon may have been changed since
            its = table(fold.actual[: fold.judged, :ahead], said[:, :ahead], fold.history, fold.season)
            evidence["champion_version"] = champion.version
            # days of the last fold that the champion learned from: with any it has an advantage, which it keeps
            evidence["champion_saw_days"] = max(0, min(model.last_day - fold.last_day, given.fold_days))
        except OtherPeriod as error:
            trouble, evidence[OTHER_PERIOD] = str(error), True
        except Exception as error:  # noqa: BLE001  a champion that cannot speak cannot forecast either
            trouble = " ".join(str(error).split())[:200]
    floors = {name: last[name] for name in FLOORS}
    challenger = on_trial.version if on_trial else None
    return decide(
        last[ENSEMBLE],
        floors,
        training.skill,
        its,
        evidence,
        trouble,
        challenger,
        tried_by_night=given.horizon * given.counts.days >= TRIAL_AHEAD,
    )


def rebuild(ctx: Context, ref: ModelRef, registry: Registry) -> TrainingManifest:
    """Make the training set of a registered version again from the tables of its time, and compare.

    Returns its manifest. Raises models.demand.manifest.NotTheSame where a single bit differs.
    """
    manifest = TrainingManifest.from_dict(registry.manifest(ref))
    pinned = Pinned(ctx.lake, manifest.table_versions)
    night = pd.Timestamp(manifest.night).date()
    manifest.check(data_of(pinned, manifest.tenant, night, manifest.given))
    return manifest
