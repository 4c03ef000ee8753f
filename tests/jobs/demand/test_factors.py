"""Numbers from outside through the jobs: read as known, pinned, learned from, forecast with and explained."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from expectations.contract import Zone
from expectations.tables import DEMAND_EXPLANATIONS, DEMAND_FORECAST, FACTORS
from jobs import explain_demand, forecast_demand, train_demand
from jobs.delta_reader import read_rows
from jobs.lake import Lake
from models.demand.manifest import NotTheSame
from models.demand.parameters import parameters
from models.demand.training import ENSEMBLE

DAYS, BEFORE, AHEAD = 200, 365, 28
NIGHT = date(2025, 7, 24)


def _weather(seed: int = 3) -> np.ndarray:
    """From a year before the plant begins to four weeks after it ends."""
    chance = np.random.default_rng(seed)
    spell = np.zeros(BEFORE + DAYS + AHEAD)
    for d in range(1, len(spell)):
        spell[d] = 0.8 * spell[d - 1] + chance.normal(0, 2.5)
    return 12 + 8 * np.sin(2 * np.pi * np.arange(len(spell)) / 365) + spell


def _told(values: np.ndarray, world: Any, name: str = "temperature", days_ahead: int = 30) -> pd.DataFrame:
    """Rows of silver, each value known so many days before its day; those of the last 28 days lie ahead of the night."""
    dates = [world.first + timedelta(days=d - BEFORE) for d in range(len(values))]
    known = [pd.Timestamp(d, tz="UTC") - pd.Timedelta(days=days_ahead) for d in dates]
    rows = pd.DataFrame({"site": "*", "date": dates, "factor": name, "value": values, "available_at": known})
    return rows.assign(unit="°C", superseded_at=pd.NaT, content_hash="f" * 64, row_index=range(len(rows)))


def _land(lake: Any, tenant: str, rows: pd.DataFrame) -> None:
    years = [d.year for d in rows["date"]]
    lake.append(rows.assign(tenant=tenant, year=years), FACTORS, Zone.SILVER)


def _moved(lake: Any) -> Any:
    """A plant whose orders follow the weather."""
    plain = lake.weekly(days=DAYS)
    lift = np.exp(0.06 * (_weather()[BEFORE : BEFORE + DAYS] - 12))
    return lake.worlds.World(plain.products, np.round(plain.units * lift, 1))


@pytest.fixture(scope="module")
def lake(make_lake: Callable[[], Any]) -> Any:
    """Tenants told and blind sell the same, as the weather moves it; told alone knows the weather, and a rate beside it."""
    lake = make_lake()
    world = _moved(lake)
    for tenant in ("told", "blind"):
        lake.land(tenant, world)
    train_demand.run(lake.context("blind"))  # before there is any table of factors
    rate = np.cumsum(np.random.default_rng(4).normal(size=BEFORE + DAYS)) + 40
    _land(lake, "told", _told(_weather(), world))
    _land(lake, "told", _told(rate, world, "usd_try", days_ahead=-1).iloc[:-1])
    train_demand.run(lake.context("told"))
    for night in (NIGHT - timedelta(days=1), NIGHT):
        forecast_demand.run(lake.context("told", "blind", night=night))
        explain_demand.run(lake.context("told", "blind", night=night))
    return lake


def _gold(lake: Any, contract: Any, tenant: str) -> pd.DataFrame:
    filters = [("tenant", "=", tenant), ("night", "=", NIGHT)]
    rows = read_rows(lake.settings, contract, Zone.GOLD, filters=filters).to_pandas()
    return rows.sort_values([c for c in ("product", "date") if c in rows], ignore_index=True)


def _rmsse(lake: Any, tenant: str) -> float:
    registry = train_demand.registry_of(lake.context())
    rows = lake.context().lake.read(train_demand.promotions.PROMOTIONS).where(f"tenant = '{tenant}'").toPandas()
    folds = json.loads(rows["evidence"].iloc[0])["folds"]
    assert registry.version(f"demand-{tenant}", "1")
    return float(np.mean([f[ENSEMBLE]["rmsse"] for f in folds.values() if ENSEMBLE in f]))


def test_who_is_told_the_weather_forecasts_with_two_thirds_of_the_error(lake: Any) -> None:
    assert _rmsse(lake, "told") < 0.67 * _rmsse(lake, "blind")


def test_the_published_forecast_follows_the_weather_ahead(lake: Any) -> None:
    """Against the truth that the plant's formula gives for the days ahead."""
    plain = lake.weekly(days=DAYS + AHEAD, noise=0.0)
    truth = plain.units[np.argsort(plain.products), DAYS:] * np.exp(0.06 * (_weather()[-AHEAD:] - 12))
    errors = []
    for tenant in ("told", "blind"):
        rows = _gold(lake, DEMAND_FORECAST, tenant)
        said = rows["units_q50"].to_numpy().reshape(truth.shape)
        errors.append(np.abs(said - truth).sum() / truth.sum())
    assert errors[0] < 0.67 * errors[1], errors


def test_the_tables_read_and_the_versions_pinned_are_noted(lake: Any) -> None:
    assert "silver/factors" in json.loads(_gold(lake, DEMAND_FORECAST, "told")["table_versions"][0])
    registry = train_demand.registry_of(lake.context())
    noted = [registry.manifest(registry.version(f"demand-{t}", "1"))["table_versions"] for t in ("told", "blind")]
    assert ["silver/factors" in versions for versions in noted] == [True, False]


def test_planners_are_told_the_factor_by_its_name(lake: Any) -> None:
    rows = _gold(lake, DEMAND_EXPLANATIONS, "told")
    own = [json.loads(text) for text in rows["factors"]]
    assert {tuple(sorted(of)) for of in own} == {("temperature", "usd_try")}
    total = [sum(np.sum(days) for days in of.values()) for of in own]
    assert np.abs(rows["units_factor"] - total).max() < 0.1
    assert rows["text_tr"].str.contains("dış etken .*temperature").all()
    changes = json.loads(rows["changes"].iloc[0])
    assert sum(changes["factors"].values()) == pytest.approx(changes["drivers"]["factor"], abs=0.01)
    assert (_gold(lake, DEMAND_EXPLANATIONS, "blind")["units_factor"] == 0).all()


def test_a_training_set_of_before_there_were_factors_is_made_again_bit_for_bit(lake: Any) -> None:
    """The blind tenant's, whom somebody tells the weather now."""
    ctx = lake.context("blind")
    registry = train_demand.registry_of(ctx)
    _land(lake, "blind", _told(_weather(), _moved(lake)))
    train_demand.rebuild(ctx, registry.version("demand-blind", "1"), registry)


def _corrected(lake: Any, moment: pd.Timestamp) -> pd.DataFrame:
    """Other values of the weeks before the night and after it, told at `moment`."""
    world = _moved(lake)
    return _told(_weather() + 20, world).tail(2 * AHEAD).assign(available_at=moment)


def test_a_training_set_is_made_again_bit_for_bit_though_more_was_told(make_lake: Callable[[], Any]) -> None:
    lake = make_lake()
    world = _moved(lake)
    lake.land("told", world)
    _land(lake, "told", _told(_weather(), world))
    ctx = lake.context("told")
    train_demand.run(ctx)
    registry = train_demand.registry_of(ctx)
    ref = registry.version("demand-told", "1")
    pins = registry.manifest(ref)["table_versions"]
    cut_off = pd.Timestamp(NIGHT, tz="Europe/Istanbul") + pd.Timedelta(days=1, hours=6)

    def newest() -> None:
        """The same from the tables of now."""
        manifest = train_demand.TrainingManifest.from_dict(registry.manifest(ref))
        pinned = train_demand.Pinned(ctx.lake, pins | json.loads(ctx.lake.versions([(FACTORS, Zone.SILVER)])))
        manifest.check(train_demand.data_of(pinned, "told", NIGHT, manifest.given))

    _land(lake, "told", _corrected(lake, cut_off + pd.Timedelta(seconds=1)))
    newest()  # what was told after the cut-off is not even looked at
    _land(lake, "told", _corrected(lake, cut_off - pd.Timedelta(days=9)))
    with pytest.raises(NotTheSame):
        newest()
    train_demand.rebuild(ctx, ref, registry)


def test_the_forecast_of_a_night_stays_when_the_truth_comes_in(lake: Any) -> None:
    same = ["product", "date", "units_q10", "units_q50", "units_q90"]
    before = _gold(lake, DEMAND_FORECAST, "told")[same]
    cut_off = pd.Timestamp(NIGHT, tz="Europe/Istanbul") + pd.Timedelta(days=1, hours=6)
    _land(lake, "told", _corrected(lake, cut_off + pd.Timedelta(seconds=1)))
    forecast_demand.run(lake.context("told"))
    assert _gold(lake, DEMAND_FORECAST, "told")[same].equals(before)
    _land(lake, "told", _corrected(lake, cut_off))
    forecast_demand.run(lake.context("told"))
    assert not _gold(lake, DEMAND_FORECAST, "told")[same].equals(before), "at the cut-off itself it is known"


@pytest.mark.parametrize("job", [forecast_demand, explain_demand])
def test_a_night_reads_factors_once_for_all_tenants(lake: Any, monkeypatch: pytest.MonkeyPatch, job: Any) -> None:
    asked: list[Sequence[Any]] = []
    read = Lake.read

    def noted(self: Lake, contract: Any, *more: Any) -> Any:
        asked.append(contract.name)
        return read(self, contract, *more)

    monkeypatch.setattr(Lake, "read", noted)
    job.run(lake.context("told", "blind"))
    assert asked.count("factors") == 1


def test_too_many_factors_fail_the_training_with_the_remedy(lake: Any) -> None:
    for k in range(11):
        _land(lake, "blind", _told(_weather(k), _moved(lake), f"rate_{k:02d}"))
    _land(lake, "blind", _told(_weather(20), _moved(lake), "rate_11"))
    ctx = lake.context("blind")
    train_demand.run(ctx)
    reason = ctx.outcomes["blind"].reason
    assert reason.startswith(
        "13 factors are known, a model takes 12: name those to use in demand.yaml, as `tenants: {blind:"
    )


def test_a_factor_that_is_asked_for_and_not_there_is_told(lake: Any) -> None:
    path = lake.settings.home / "demand.yaml"
    before = path.read_text()
    path.write_text(before + "\ntenants: {told: {factors: [temperature, moon]}}\n")
    try:
        ctx = lake.context("told")
        train_demand.run(ctx)
    finally:
        path.write_text(before)
    assert "asks for the factors moon, of which no value is known" in ctx.outcomes["told"].reason


def test_those_that_are_named_are_learned_from_alone(lake: Any) -> None:
    pinned = train_demand.Pinned(lake.context().lake, json.loads(lake.context().lake.versions(train_demand.READ)))
    given = parameters({"factors": ["usd_try"], "members": ["seasonal_naive"]})
    assert train_demand.data_of(pinned, "told", NIGHT, given).calendar.factors.names == ("usd_try",)
