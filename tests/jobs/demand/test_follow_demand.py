"""What became of the forecasts: scores, trial of a challenger, rollback, drift; in a real lake with a real registry."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from expectations.contract import Zone
from expectations.tables import (
    DEMAND_FORECAST,
    DEMAND_MONITOR,
    DEMAND_SCORES,
    DEMAND_SHADOW,
    PROMOTIONS,
    SALES,
)
from jobs import follow_demand, forecast_demand, promotions, train_demand
from jobs.context import Outcome
from jobs.delta_reader import read_rows
from models.demand.promotion import Decision

NIGHTS = 60  # that have been forecast before the night


def forecasts(
    world: Any, tenant: str, version: str, off: float, nights: range, method: str = "champion"
) -> pd.DataFrame:
    """Forecasts of some nights (by number) that lie `off` times beside the truth, by a little noise."""
    chance = np.random.default_rng(int(version))
    rows = []
    for night in nights:
        for product, units in zip(world.products, world.units, strict=True):
            for ahead in range(1, 29):
                truth = units[min(night + ahead, world.units.shape[1] - 1)]
                middle = truth * (1 + off * chance.standard_normal())
                rows.append((world.day(night), product, world.day(night + ahead), ahead, max(middle, 0.0)))
    frame = pd.DataFrame(rows, columns=["night", "product", "date", "horizon", "units_q50"])
    return frame.assign(
        forecast_id=[f"{tenant}-{version}-{i}" for i in range(len(frame))],
        tenant=tenant,
        site=world.site,
        period="day",
        units_point=frame["units_q50"],
        units_q10=frame["units_q50"] * (1 - off),
        units_q90=frame["units_q50"] * (1 + off),
        method=method,
        fallback_reason=None,
        model_name=f"demand-{tenant}",
        model_version=version,
        cut_off=pd.Timestamp("2025-01-01", tz="UTC"),
        table_versions="{}",
        run_id="earlier",
        available_at=pd.Timestamp("2025-01-01", tz="UTC"),
        night_month=[f"{n:%Y-%m}" for n in frame["night"]],
    )


def _rows(lake: Any, contract: Any, tenant: str) -> pd.DataFrame:
    rows = read_rows(lake.settings, contract).to_pandas()
    return rows[rows["tenant"] == tenant]


def _ledger(lake: Any, tenant: str) -> pd.DataFrame:
    return _rows(lake, PROMOTIONS, tenant).sort_values("decided_at", kind="stable")


def _decisions(lake: Any, tenant: str) -> list[tuple[str, str]]:
    rows = _ledger(lake, tenant)
    return list(zip(rows["model_version"], rows["decision"], strict=True))


@pytest.fixture(scope="module")
def followed(make_lake: Callable[[], Any]) -> Any:
    """Five tenants with a champion (version 1) and a challenger (2), each with forecasts of 60 nights.

    better: the challenger is. same: both are alike. fallen: the champion is far behind seasonal naive. late: its site has not
    reported for ten days. shifted: three times the units in the last days.
    """
    lake = make_lake()
    clock = itertools.count()
    begin = datetime(2025, 7, 25, 4, tzinfo=UTC)  # decisions of one run have an order too
    now = {"now": lambda: begin + timedelta(milliseconds=next(clock))}
    registry = train_demand.registry_of(lake.context())
    world = lake.weekly(products=3)
    last = world.units.shape[1] - 1
    nights = range(last - NIGHTS, last)
    kinds = {"better": (0.1, 0.03), "same": (0.1, 0.1), "fallen": (3.0, 3.0), "late": (0.1, 0.1), "shifted": (0.1, 0.1)}
    train = lake.context("better", night=world.day(nights[0]), **now)
    for tenant, (off, its) in kinds.items():
        lake.land(tenant, _shifted(lake, world) if tenant == "shifted" else world)
        lake.append(forecasts(world, tenant, "1", off, nights), DEMAND_FORECAST, Zone.GOLD)
        lake.append(forecasts(world, tenant, "2", its, nights), DEMAND_SHADOW, Zone.GOLD)
        train.tenants = (tenant,)
        _train_twice(lake, train)
        assert (registry.champion(tenant).version, registry.challenger(tenant).version) == ("1", "2")
    _forget(lake, world, "late", 10)
    _succeed(lake, world, nights, registry, now)
    ctx = lake.context(*kinds, "succeeded", **now)
    follow_demand.run(ctx)
    lake.outcomes, lake.world = ctx.outcomes, world
    return lake


def _succeed(lake: Any, world: Any, nights: range, registry: Any, now: dict[str, Any]) -> None:
    """A tenant whose first champion was good, and whose second, which serves now, is far behind seasonal naive."""
    lake.land("succeeded", world)
    lake.append(forecasts(world, "succeeded", "2", 3.0, nights), DEMAND_FORECAST, Zone.GOLD)
    train = lake.context("succeeded", night=world.day(nights[0]), **now)
    _train_twice(lake, train)
    second = registry.version("demand-succeeded", "2")
    promotions.note(train, "succeeded", second, registry.champion("succeeded"), Decision("champion", "A test.", {}))
    registry.promote(second)


def _train_twice(lake: Any, ctx: Any) -> None:
    """The second time with another seed: the same training again would register nothing."""
    settings = lake.settings.home / "demand.yaml"
    usual = settings.read_text()
    train_demand.run(ctx)
    settings.write_text(usual + "seed: 8\n")
    train_demand.run(ctx)
    settings.write_text(usual)
    ctx.outcomes = {}


def _shifted(lake: Any, world: Any) -> Any:
    units = world.units.copy()
    units[:, -5:] *= 3
    return lake.worlds.World(world.products, units)


def _forget(lake: Any, world: Any, tenant: str, days: int) -> None:
    """Take the last days of a tenant's sales away, as if its site had not reported."""
    first = world.last - timedelta(days=days - 1)
    lake.spark.sql(
        f"DELETE FROM delta.`{lake.context().lake.place(SALES, Zone.SILVER)}` WHERE tenant = '{tenant}' AND date >= '{first}'"
    )


def test_each_night_is_scored_after_a_week_and_after_four(followed: Any) -> None:
    scores = _rows(followed, DEMAND_SCORES, "same")
    nights = scores.groupby("days")["night"].agg(["min", "max", "nunique"])
    last = followed.world.last
    assert nights.loc[7].tolist() == [last - timedelta(days=60), last - timedelta(days=7), 54]
    assert nights.loc[28].tolist() == [last - timedelta(days=60), last - timedelta(days=28), 33]
    assert scores.groupby(["night", "days"]).size().unique().tolist() == [3]


def test_a_score_says_what_was_sold_and_what_was_said(followed: Any) -> None:
    world, night = followed.world, 150
    row = _rows(followed, DEMAND_SCORES, "same")
    row = row[(row["night"] == world.day(night)) & (row["days"] == 7) & (row["product"] == "A00")].iloc[0]
    sold = world.units[0, night + 1 : night + 8]
    said = forecasts(world, "same", "1", 0.1, range(world.units.shape[1] - 1 - NIGHTS, world.units.shape[1] - 1))
    mine = said[(said["night"] == world.day(night)) & (said["product"] == "A00")].head(7)["units_q50"].to_numpy()
    assert row["units"] == pytest.approx(sold.sum())
    assert row["forecast_units"] == pytest.approx(mine.sum())
    assert row["absolute_error"] == pytest.approx(np.abs(sold - mine).sum())
    week_before = world.units[0, night - 6 : night + 1]
    assert row["naive_absolute_error"] == pytest.approx(np.abs(sold - week_before).sum())
    assert row["value_added"] == pytest.approx(1 - row["absolute_error"] / row["naive_absolute_error"])
    assert (row["model_version"], row["challenger_version"], row["known_days"]) == ("1", "2", 7)


def test_a_better_challenger_becomes_champion_with_its_evidence_in_the_ledger(followed: Any) -> None:
    registry = train_demand.registry_of(followed.context())
    assert registry.champion("better").version == "2"
    assert registry.challenger("better") is None
    assert _decisions(followed, "better") == [("1", "champion"), ("2", "challenger"), ("2", "champion")]
    row = _ledger(followed, "better").iloc[-1]
    assert row["champion_version"] == "1"
    evidence = json.loads(row["evidence"])
    assert evidence["nights"] == 54
    assert evidence["chance"] < evidence["level"] == 0.0067


def test_a_challenger_that_is_no_better_stays_one_until_its_trial_ends(followed: Any) -> None:
    registry = train_demand.registry_of(followed.context())
    assert registry.champion("same").version == "1"
    assert registry.challenger("same").version == "2"
    assert _decisions(followed, "same")[-1] == ("2", "kept")
    assert "the next look is after 56" in _ledger(followed, "same").iloc[-1]["reason"]


def test_a_champion_behind_seasonal_naive_is_rolled_back_and_so_is_a_challenger_that_is_no_better(
    followed: Any,
) -> None:
    registry = train_demand.registry_of(followed.context())
    assert [registry.champion("fallen"), registry.challenger("fallen"), registry.floor("fallen")] == [None] * 3
    assert _decisions(followed, "fallen")[-3:] == [("2", "kept"), ("1", "rolled_back"), ("2", "refused")]


def test_a_night_run_again_later_decides_nothing(followed: Any) -> None:
    before = len(read_rows(followed.settings, PROMOTIONS))
    ctx = followed.context("same", night=followed.world.last - timedelta(days=10))
    follow_demand.run(ctx)
    assert ctx.outcomes["same"].status == "ok"
    assert len(read_rows(followed.settings, PROMOTIONS)) == before


def test_a_champion_behind_seasonal_naive_is_rolled_back_to_a_good_one_before_it(followed: Any) -> None:
    registry = train_demand.registry_of(followed.context())
    assert registry.champion("succeeded").version == "1"
    assert _decisions(followed, "succeeded")[-2:] == [("2", "rolled_back"), ("1", "champion")]
    assert "below that of seasonal naive" in _ledger(followed, "succeeded").iloc[-1]["reason"]


def test_a_site_that_is_late_is_scored_by_what_is_known_after_a_week_of_grace(followed: Any) -> None:
    scores = _rows(followed, DEMAND_SCORES, "late")
    weekly = scores[scores["days"] == 7].set_index("night")["known_days"]
    last = followed.world.last
    assert weekly.index.max() == last - timedelta(days=14)
    assert set(weekly[weekly.index == last - timedelta(days=14)]) == {4}
    assert set(weekly[weekly.index <= last - timedelta(days=17)]) == {7}


def test_the_same_night_again_scores_and_decides_nothing_twice(followed: Any) -> None:
    before = {c.name: len(read_rows(followed.settings, c)) for c in (DEMAND_SCORES, DEMAND_MONITOR, PROMOTIONS)}
    ctx = followed.context("better", "same", "fallen", "late", "shifted")
    follow_demand.run(ctx)
    assert {c.name: len(read_rows(followed.settings, c)) for c in (DEMAND_SCORES, DEMAND_MONITOR, PROMOTIONS)} == before
    assert {o.status for o in ctx.outcomes.values()} == {"ok"}


def test_a_shift_in_the_data_is_an_alarm_and_the_same_data_is_none(followed: Any) -> None:
    assert followed.outcomes["same"] == Outcome("ok", followed.outcomes["same"].rows, None)
    rows = _rows(followed, DEMAND_MONITOR, "shifted")
    alarms = rows[rows["alarm"] & (rows["night"] > followed.world.last - timedelta(days=5))]
    assert set(alarms["measure"]) >= {"level"}
    usual = _rows(followed, DEMAND_MONITOR, "same")
    assert not usual[usual["night"] > followed.world.last - timedelta(days=5)]["alarm"].any()


def test_every_measure_has_a_number_a_night(followed: Any) -> None:
    rows = _rows(followed, DEMAND_MONITOR, "same")
    tonight = rows[rows["night"] == followed.world.last].set_index("measure")["value"]
    assert set(tonight.index) == {"level", "idle_share", "unknown_share", "price_ratio", "bias", "outside_share"}
    assert tonight["idle_share"] == 0
    assert np.isnan(tonight["price_ratio"])
    assert abs(tonight["bias"]) < 0.3


def test_both_forecast_every_night_and_a_broken_challenger_stops_nobody(
    followed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = followed.context("same")
    forecast_demand.run(ctx)
    of_night = _rows(followed, DEMAND_SHADOW, "same")
    of_night = of_night[of_night["night"] == followed.world.last]
    assert set(of_night["model_version"]) == {"2"}
    assert len(of_night) == 3 * 28
    served = _rows(followed, DEMAND_FORECAST, "same")
    assert set(served[served["night"] == followed.world.last]["model_version"]) == {"1"}

    told: list[str] = []
    registry = type(train_demand.registry_of(ctx))
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda self, ref: _broken() if ref.version == "2" else load(self, ref))
    again = followed.context("same", progress=told.append)
    forecast_demand.run(again)
    assert again.outcomes["same"].status == "ok"
    assert any("the challenger, version 2, fails: its files are gone" in line for line in told)


def _broken() -> None:
    raise RuntimeError("its files are gone")


def test_nothing_to_follow_is_no_failure(make_lake: Callable[[], Any]) -> None:
    lake = make_lake()
    lake.land("new", lake.weekly(products=2, days=40))
    ctx = lake.context("new", night=date(2025, 2, 14))
    follow_demand.run(ctx)
    assert ctx.outcomes["new"] == Outcome("ok", 0, None)
