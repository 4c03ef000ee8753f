"""Training as a job: each tenant by itself, every decision in the ledger, the old champion until the last step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from expectations.contract import Zone
from expectations.tables import DEMAND_FORECAST, PROMOTIONS
from jobs import forecast_demand, train_demand
from jobs.context import Outcome
from jobs.delta_reader import read_rows
from jobs.demand_data import READ, Pinned
from jobs.demand_settings import demand_parameters
from jobs.errors import JobError
from models.demand.fallback import NO_SKILL
from models.demand.manifest import NotTheSame, TrainingManifest
from models.demand.paths import SCHEMA
from models.registry import Registry, RegistryError


def _promotions(lake: Any, tenant: str = "acme") -> list[dict[str, Any]]:
    rows = read_rows(lake.settings, PROMOTIONS, Zone.OPERATIONS).to_pylist()
    return sorted((r for r in rows if r["tenant"] == tenant), key=lambda r: int(r["model_version"]))


def test_a_first_model_that_beats_seasonal_naive_becomes_champion(trained: Any) -> None:
    champion = train_demand.registry_of(trained.context()).champion("acme")
    assert champion is not None
    assert (champion.name, champion.version) == ("demand-acme", "1")
    assert trained.outcomes["acme"].status == "ok"
    assert trained.outcomes["acme"].rows > 1000


def test_the_decision_is_in_the_ledger_with_its_evidence(trained: Any) -> None:
    row = _promotions(trained)[0]
    assert row["promoted"]
    assert row["champion_version"] is None
    assert row["reason"].startswith("Promoted: pinball loss")
    evidence = json.loads(row["evidence"])
    assert list(evidence["folds"]) == ["2025-05-01", "2025-05-29", "2025-06-26"]
    assert evidence["last_fold_from"] == "2025-06-26"
    assert evidence["last_fold"]["candidate"]["pinball"] < evidence["last_fold"]["seasonal_naive"]["pinball"]


def test_a_tenant_with_too_little_history_is_told_and_is_no_failure(trained: Any) -> None:
    reason = "60 days of sales are known, a first model needs 84: it is not trained yet"
    assert trained.outcomes["young"] == Outcome("ok", 0, reason)


def test_a_tenant_without_features_fails_alone_and_says_what_to_do(trained: Any) -> None:
    outcome = trained.outcomes["bare"]
    assert outcome.status == "failed"
    assert (
        outcome.reason
        == "no demand features up to 2025-07-24: run `uretimiq run features --tenant bare --date 2025-07-24`"
    )


def test_the_same_training_again_registers_nothing(trained: Any) -> None:
    before = len(_promotions(trained))
    ctx = trained.context("acme")
    train_demand.run(ctx)
    assert ctx.outcomes["acme"].reason == (
        "version 1 was made from the same rows with the same parameters: nothing is registered"
    )
    assert len(_promotions(trained)) == before


@pytest.fixture
def other_seed(trained: Any) -> Iterator[None]:
    """Else a training again would be the same one."""
    settings = trained.settings.home / "demand.yaml"
    usual = settings.read_text()
    settings.write_text(usual + "seed: 8\n")
    yield
    settings.write_text(usual)


@pytest.mark.usefixtures("other_seed")
def test_a_later_model_with_skill_is_a_challenger_and_the_champion_stays(trained: Any) -> None:
    ctx = trained.context("acme")
    train_demand.run(ctx)
    last = _promotions(trained)[-1]
    assert (last["promoted"], last["decision"]) == (False, "challenger")
    assert last["champion_version"] == "1"
    assert "beside the champion" in last["reason"]
    # the champion has learned from the days that both are judged on: it keeps that advantage, and it is noted
    assert json.loads(last["evidence"])["champion_saw_days"] == 28
    registry = train_demand.registry_of(ctx)
    assert registry.champion("acme").version == "1"
    assert registry.challenger("acme").version == last["model_version"]


def test_a_tenant_without_a_signal_has_no_champion_and_the_distribution_of_its_history(
    make_lake: Callable[[], Any],
) -> None:
    lake = make_lake()
    noise = 50 * np.exp(np.random.default_rng(3).normal(0, 0.6, (3, 170)))
    world = lake.worlds.World(("A00", "A01", "A02"), np.round(noise, 1))
    lake.land("noise", world)
    ctx = lake.context("noise", night=world.last)
    train_demand.run(ctx)
    row = _promotions(lake, "noise")[0]
    assert row["decision"] == "refused"
    assert row["reason"].startswith("Refused, no skill")
    assert train_demand.registry_of(ctx).champion("noise") is None
    forecast_demand.run(ctx)
    rows = lake.context().lake.read(DEMAND_FORECAST).where("tenant = 'noise'").toPandas()
    assert set(rows["method"]) == {"history"}
    assert set(rows["fallback_reason"]) == {NO_SKILL}
    assert set(rows["model_version"]) == {"1"}


@pytest.mark.usefixtures("other_seed")
@pytest.mark.parametrize("step", ["log", "challenge"])
def test_whatever_fails_before_the_last_step_leaves_the_old_champion(
    trained: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RegistryError("the server went away")

    monkeypatch.setattr(Registry, step, broken)
    registry = train_demand.registry_of(trained.context())
    if rival := registry.challenger("acme"):
        registry.retire(rival)
    ctx = trained.context("acme")
    train_demand.run(ctx)
    assert ctx.outcomes["acme"] == Outcome("failed", 0, "the server went away")
    assert train_demand.registry_of(ctx).champion("acme").version == "1"
    assert "the server went away" in (trained.settings.home / "log" / "uretimiq.log").read_text()


def test_mlflow_away_fails_the_whole_job_in_one_line(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    ctx = trained.context("acme")
    ctx.settings = type(ctx.settings)(**{**ctx.settings.__dict__, "mlflow_uri": "http://127.0.0.1:9"})
    with pytest.raises(JobError, match="does not answer"):
        train_demand.run(ctx)


def test_a_training_set_is_made_again_bit_for_bit_after_new_data_has_landed(make_lake: Callable[[], Any]) -> None:
    lake = make_lake()
    world = lake.weekly(products=3, days=150)
    lake.land("acme", world)
    ctx = lake.context("acme", night=world.last)
    train_demand.run(ctx)
    registry = train_demand.registry_of(ctx)
    ref = registry.version("demand-acme", "1")

    # a product that came later, a correction of an old day that arrived before the cut-off, and a new feature row
    late = lake.weekly(products=4, days=150, seed=5)
    lake.correct("acme", late.sales().tail(20))
    lake.append(late.features([149]).assign(tenant="acme").tail(1), *READ[1])

    manifest = train_demand.rebuild(ctx, ref, registry)
    assert manifest == TrainingManifest.from_dict(registry.manifest(ref))
    today = Pinned(ctx.lake, json.loads(ctx.lake.versions(READ)))
    with pytest.raises(NotTheSame):
        manifest.check(train_demand.data_of(today, "acme", world.last, manifest.given))


def test_what_became_known_after_the_cut_off_is_not_learned_from(make_lake: Callable[[], Any]) -> None:
    lake = make_lake()
    world = lake.weekly(products=2, days=120)
    lake.land("acme", world)
    given = demand_parameters(lake.settings, "acme")
    ctx = lake.context("acme", night=world.last)

    def units() -> np.ndarray:
        pinned = Pinned(ctx.lake, json.loads(ctx.lake.versions(READ)))
        return train_demand.data_of(pinned, "acme", world.last, given).panel.units

    before = units()
    cut_off = pd.Timestamp(world.last, tz="Europe/Istanbul") + pd.Timedelta(days=1, hours=6)
    new = world.sales().head(1).assign(product="A77", units=9e6)
    lake.correct("acme", new, available_at=(cut_off + pd.Timedelta(seconds=1)).tz_convert("UTC"))
    assert np.array_equal(units(), before, equal_nan=True)
    lake.correct("acme", new, available_at=cut_off.tz_convert("UTC"))
    assert len(units()) == len(before) + 1, "at the cut-off itself it is known"


def test_spark_maps_series_as_a_plain_call_does(trained: Any) -> None:
    tasks = pd.DataFrame(
        {"method": "ets", "key": ["a/1", "b/2", "c/3"], "last_day": [1, 2, 3], "units": [[1.0], [2.0, 3.0], []]}
    )
    found = train_demand.on_spark(trained.spark)(_sum_up, tasks, SCHEMA).sort_values("key", ignore_index=True)
    assert [list(p) for p in found["path"]] == [[1.0], [2.0, 3.0], []]
    assert [list(p) for p in found["low"]] == [[1.0], [5.0], [0.0]]


def _sum_up(tasks: pd.DataFrame) -> pd.DataFrame:
    low = [[float(np.sum(u))] for u in tasks["units"]]
    return tasks[["method", "key", "last_day"]].assign(path=tasks["units"], low=low, high=low)


def test_parameters_of_a_home_are_for_all_tenants_and_for_one(make_lake: Callable[[], Any]) -> None:
    settings = make_lake().settings
    (settings.home / "demand.yaml").write_text("seed: 3\ntenants: {acme: {seed: 4, lstm: {units: 8}}}\n")
    assert demand_parameters(settings, "other").seed == 3
    assert demand_parameters(settings, "acme").seed == 4
    assert demand_parameters(settings, "acme").lstm.units == 8


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sede: 3", "sede: no such parameter; there are members, period, horizon, seed"),
        (
            "members: [seasonal_naive, arima]",
            "no member 'arima'; there are seasonal_naive, history, lightgbm, lstm, regression, prophet",
        ),
        ("trees: {leafs: 3}", "trees.leafs: no such parameter"),
        ("folds: 0", "folds=0: give at least 1"),
        ("horizon: 61", "horizon=61: give a whole number of days, 1 to 60"),
        ("period: month", "period='month': a tenant counts in one of day, week"),
        ("tenants: {acme: {period: week, members: [seasonal_naive, prophet]}}", "prophet knows days alone"),
        ("tenants: {acme: {period: week, horizon: 0}}", "horizon=0: give a whole number of weeks"),
        ("a: [", "it is no YAML"),
        ("- 3", "write `name: value` lines"),
    ],
)
def test_a_bad_parameter_is_told_with_its_place(make_lake: Callable[[], Any], text: str, says: str) -> None:
    settings = make_lake().settings
    (settings.home / "demand.yaml").write_text(text)
    with pytest.raises(JobError) as told:
        demand_parameters(settings, "acme")
    assert says in str(told.value)
    assert "demand.yaml" in str(told.value)
