"""The second model of a monthly training: it goes the way of every model, and never stands in that of the usual one."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from typing import Any

import pytest

from expectations.tables import DEMAND_FORECAST, DEMAND_SHADOW, PROMOTIONS
from jobs import forecast_demand, train_demand
from jobs.delta_reader import read_rows
from models.demand import autogluon
from models.demand.autogluon import REMEDY, AutoGluonMissing

CHALLENGED = """
folds: 2
challenger: autogluon
autogluon: {models: [SeasonalAverage], max_series: 2}
"""
needs_autogluon = pytest.mark.skipif(
    importlib.util.find_spec("autogluon") is None, reason="AutoGluon is not installed: `make autogluon`"
)


@pytest.fixture
def challenged(make_lake: Callable[[], Any]) -> Any:
    """A tenant of three products whose settings ask for AutoGluon as challenger."""
    lake = make_lake()
    settings = lake.settings.home / "demand.yaml"
    settings.write_text(settings.read_text() + CHALLENGED)
    world = lake.weekly(products=3, noise=0.3)
    lake.land("acme", world)
    lake.night = world.last
    return lake


def _decisions(lake: Any) -> list[dict[str, Any]]:
    rows = read_rows(lake.settings, PROMOTIONS).to_pylist()
    return sorted(rows, key=lambda row: int(row["model_version"]))


@needs_autogluon
def test_it_is_trained_judged_and_forecasts_beside_the_champion(challenged: Any) -> None:
    ctx = challenged.context("acme", night=challenged.night)
    train_demand.run(ctx)
    assert ctx.outcomes["acme"].status == "ok"
    registry = train_demand.registry_of(ctx)
    assert [d["decision"] for d in _decisions(challenged)] == ["champion", "challenger"]
    rival = registry.load(registry.challenger("acme"))
    assert "autogluon" in rival.blend.members
    assert "autogluon" in json.loads(_decisions(challenged)[1]["evidence"])["folds"].popitem()[1]

    forecast_demand.run(ctx)
    shadow = read_rows(ctx.settings, DEMAND_SHADOW).to_pandas()
    assert set(shadow["model_version"]) == {"2"}
    assert set(shadow["night"]) == {challenged.night}
    assert len(shadow) == 3 * 28
    served = read_rows(ctx.settings, DEMAND_FORECAST).to_pandas()
    assert set(served["model_version"]) == {"1"}
    assert not (shadow["units_q50"].to_numpy() == served["units_q50"].to_numpy()).all()


def test_a_challenger_that_fails_stops_nobody_and_is_told(challenged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autogluon, "check", lambda: None)
    monkeypatch.setattr(autogluon.AutoGluon, "fit", _broken)
    ctx = challenged.context("acme", night=challenged.night)
    train_demand.run(ctx)
    outcome = ctx.outcomes["acme"]
    assert (outcome.status, outcome.reason) == ("ok", "there is no challenger autogluon: out of memory")
    assert outcome.rows > 0
    assert [d["decision"] for d in _decisions(challenged)] == ["champion"]
    assert "_broken" in (ctx.settings.home / "log" / "uretimiq.log").read_text()


def _broken(*_: Any, **__: Any) -> None:
    raise RuntimeError("out of memory")


def test_without_its_packages_the_tenant_is_told_before_anything_is_trained(
    challenged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise AutoGluonMissing(REMEDY)

    monkeypatch.setattr(autogluon, "check", missing)
    ctx = challenged.context("acme", night=challenged.night)
    train_demand.run(ctx)
    assert (ctx.outcomes["acme"].status, ctx.outcomes["acme"].reason) == ("failed", REMEDY)
    assert _decisions(challenged) == []


@pytest.mark.parametrize(("usual", "rival", "first"), [(0.20, 0.19, "rival"), (0.19, 0.20, "usual")])
def test_of_two_the_better_one_is_judged_first_and_has_the_trial(usual: float, rival: float, first: str) -> None:
    both = [_training(usual), _training(rival)]
    order = train_demand._in_turn(*both, champion=object())
    assert order[0] is both[["usual", "rival"].index(first)]
    assert train_demand._in_turn(*both, champion=None) == both
    assert train_demand._in_turn(both[0], None, champion=object()) == both[:1]


def _training(loss: float) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(
        scores={"2025-06-26": {"ensemble": {"pinball": loss}}}, judged=SimpleNamespace(until="2025-06-26")
    )
