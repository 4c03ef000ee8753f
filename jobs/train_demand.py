"""Train the demand models of each tenant, log them, and promote one that beats seasonal naive and the champion."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from expectations.contract import Zone
from expectations.tables import DEMAND_FEATURES, DEMAND_FORECAST, PROMOTIONS
from jobs.context import Context, Outcome, code_version
from jobs.demand_data import FEATURE_COLUMNS, READ, Pinned, training_data
from jobs.demand_settings import demand_parameters
from jobs.demand_weeks import READ as READ_WEEKS
from jobs.demand_weeks import training_weeks
from jobs.errors import JobError
from jobs.own_failure import own_failure
from models.demand import plots
from models.demand.evaluate import table
from models.demand.folds import Data, TooLittleHistory, evaluated
from models.demand.forecast import COLUMNS as FORECAST_COLUMNS
from models.demand.manifest import TrainingManifest
from models.demand.parameters import SEASONAL_NAIVE, Parameters
from models.demand.paths import Fit, MapSeries
from models.demand.periods import DAY
from models.demand.promotion import METRIC, Decision, decide
from models.demand.training import ENSEMBLE, Training, train
from models.registry import ModelRef, Registry, RegistryError, signature

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def run(ctx: Context) -> None:
    """Work every tenant by itself: one that fails keeps its champion, and the others go on."""
    ctx.table_versions = ctx.lake.versions(dict.fromkeys((*READ, *READ_WEEKS)))
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
    data = data_of(pinned, tenant, ctx.night, given)
    say = _teller(ctx, tenant)
    try:
        training = train(data, given, on_spark(ctx.spark), say)
    except TooLittleHistory as short:
        say(str(short))
        ctx.outcomes[tenant] = Outcome("ok", 0, str(short))
        return
    ref = _log(tenant, training, pinned, registry)
    decision, champion = judge(tenant, training, data, registry)
    # The ledger first, the alias last: whatever fails between leaves the old champion, and none without its evidence.
    _note(ctx, tenant, ref, champion, decision)
    if decision.promoted:
        registry.promote(ref)
    say(f"version {ref.version} of {ref.name}: {decision.reason}")
    ctx.done(tenant, training.rows)


def data_of(pinned: Pinned, tenant: str, night: date, given: Parameters) -> Data:
    """What a training of `tenant` is given, in days or in weeks. Raises TenantError where there is nothing of it."""
    make = training_data if given.counts == DAY else training_weeks
    return make(pinned, tenant, night, given)


def _teller(ctx: Context, tenant: str) -> Callable[[str], None]:
    return lambda text: ctx.progress(f"  {tenant}: {text}")


def on_spark(spark: SparkSession) -> MapSeries:
    """A MapSeries whose tasks run in parallel in Spark, one at a time on each core."""

    def map_series(fit: Fit, tasks: pd.DataFrame, schema: str) -> pd.DataFrame:
        def each(frames: Any) -> Any:
            return (fit(frame) for frame in frames)

        parts = max(1, min(len(tasks), 4 * spark.sparkContext.defaultParallelism))
        frame = spark.createDataFrame(tasks).repartition(parts)
        return frame.mapInPandas(each, schema).toPandas()

    return map_series


def _log(tenant: str, training: Training, pinned: Pinned, registry: Registry) -> ModelRef:
    manifest = TrainingManifest.of(tenant, training, pinned.versions, code_version())
    blend = training.model.blend
    figures = {"forecast_sample": plots.sample(training.judged, training.quantiles)}
    figures |= {metric: plots.comparison(training.scores, metric) for metric in (METRIC, "rmsse", "wape", "coverage")}
    return registry.log(
        tenant,
        training.model,
        params=training.model.parameters.to_dict()
        | {"weights": blend.to_dict()["weights"], "kept": list(blend.members)},
        scores=training.scores,
        seconds=training.seconds,
        manifest=manifest.to_dict(),
        figures=figures,
        # what a model of weeks takes is no table
        signature=signature(
            [DEMAND_FEATURES.by_name[c].field for c in FEATURE_COLUMNS],
            [DEMAND_FORECAST.by_name[c].field for c in FORECAST_COLUMNS if c != "cut_off"],
        )
        if training.model.parameters.counts == DAY
        else None,
    )


def judge(tenant: str, training: Training, data: Data, registry: Registry) -> tuple[Decision, ModelRef | None]:
    """Compare with seasonal naive and the champion on the last fold, all from the same origins."""
    fold = training.judged
    last = training.scores[fold.until]
    champion, trouble, its = registry.champion(tenant), None, None
    evidence: dict[str, Any] = {"folds": training.scores, "last_fold_from": fold.until}
    if champion is not None:
        try:
            model = registry.load(champion)
            origins = evaluated(data, fold.last_day, training.model.parameters)
            said = model.quantiles(origins, data.calendar)
            its = table(fold.actual[: fold.judged], said, fold.history, fold.season)
            evidence["champion_version"] = champion.version
            # days of the last fold that the champion learned from: with any it has an advantage, which it keeps
            evidence["champion_saw_days"] = max(
                0, min(model.last_day - fold.last_day, training.model.parameters.fold_days)
            )
        except Exception as error:  # noqa: BLE001  a champion that cannot speak cannot forecast either
            trouble = " ".join(str(error).split())[:200]
    return decide(last[ENSEMBLE], last[SEASONAL_NAIVE], its, evidence, trouble), champion


def _note(ctx: Context, tenant: str, ref: ModelRef, champion: ModelRef | None, decision: Decision) -> None:
    row = {
        "run_id": ctx.run_id,
        "tenant": tenant,
        "model_name": ref.name,
        "model_version": ref.version,
        "champion_version": champion.version if champion else None,
        "promoted": decision.promoted,
        "reason": decision.reason,
        "evidence": decision.evidence_json,
        "decided_at": ctx.now(),
    }
    ctx.lake.append(ctx.lake.table(PROMOTIONS, [row]), PROMOTIONS, Zone.OPERATIONS)


def rebuild(ctx: Context, ref: ModelRef, registry: Registry) -> TrainingManifest:
    """Make the training set of a registered version again from the tables of its time, and compare.

    Returns its manifest. Raises models.demand.manifest.NotTheSame where a single bit differs.
    """
    manifest = TrainingManifest.from_dict(registry.manifest(ref))
    pinned = Pinned(ctx.lake, manifest.table_versions)
    night = pd.Timestamp(manifest.night).date()
    manifest.check(data_of(pinned, manifest.tenant, night, manifest.given))
    return manifest
