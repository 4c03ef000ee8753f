"""What became of the forecasts of a tenant that counts in weeks: scores, trial, rollback and drift in a real lake."""

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
from expectations.tables import DEMAND_FORECAST, DEMAND_MONITOR, DEMAND_SCORES, DEMAND_SHADOW, PROMOTIONS
from jobs import follow_demand, train_demand
from jobs.delta_reader import read_rows
from models.demand.arrays import day, to_date
from models.demand.periods import WEEK

NIGHTS = 60  # that have been forecast before the night
WEEKS = 150
LAST = date(2022, 1, 2) + timedelta(weeks=WEEKS)  # a Sunday
YAML = """
members: [seasonal_naive, lightgbm]
period: week
folds: 2
threads: 1
max_rows: 8000
trees: {rounds: 30, tail_rounds: 20, leaves: 7, learning_rate: 0.15}
"""


def _forecasts(rows: pd.DataFrame, tenant: str, version: str, off: float, nights: list[Any]) -> pd.DataFrame:
    """Of each night, `off` times beside the truth: the same for all nights of a week."""
    units = rows.set_index(["product", "date"])["units"].to_dict()
    made = []
    for night in nights:
        origin = WEEK.over(day(night))
        for product in sorted(set(rows["product"])):
            chance = np.random.default_rng([int(version), origin, *product.encode()])
            for ahead in range(1, 5):
                monday = to_date(int(WEEK.first(origin + ahead)))
                truth = units.get((product, monday), 100.0)
                middle = max(truth * (1 + off * chance.standard_normal()), 0.0)
                made.append((night, product, monday, ahead, middle))
    frame = pd.DataFrame(made, columns=["night", "product", "date", "horizon", "units_q50"])
    return frame.assign(
        forecast_id=[f"{tenant}-{version}-{i}" for i in range(len(frame))],
        tenant=tenant,
        site="gebze",
        period="week",
        units_point=frame["units_q50"],
        units_q10=frame["units_q50"] * (1 - min(off, 1)),
        units_q90=frame["units_q50"] * (1 + off),
        method="champion",
        fallback_reason=None,
        model_name=f"demand-{tenant}",
        model_version=version,
        cut_off=pd.Timestamp("2025-01-01", tz="UTC"),
        table_versions="{}",
        run_id="earlier",
        available_at=pd.Timestamp("2025-01-01", tz="UTC"),
        night_month=[f"{n:%Y-%m}" for n in frame["night"]],
    )


@pytest.fixture(scope="module")
def followed(make_lake: Callable[[], Any]) -> Any:
    """Tenants with a champion (version 1) and a challenger (2), and forecasts of 60 nights, in nine weeks.

    better: the challenger is. fallen: the champion is far behind seasonal naive. shifted: each of the last
    weeks sells three times as much as the one before, and no model. The night is a Wednesday, and the last week's file has come.
    """
    lake = make_lake()
    (lake.settings.home / "demand.yaml").write_text(YAML)
    rows = lake.weeks(WEEKS)
    night = LAST + timedelta(days=3)
    nights = [night - timedelta(days=n) for n in range(NIGHTS, 0, -1)]
    clock = itertools.count()
    begin = datetime(2028, 7, 25, 4, tzinfo=UTC)
    now = {"now": lambda: begin + timedelta(milliseconds=next(clock))}
    registry = train_demand.registry_of(lake.context())
    train = lake.context(night=nights[0], **now)
    for tenant, (off, its) in {"better": (0.3, 0.05), "fallen": (3.0, 3.0)}.items():
        lake.land_weeks(tenant, rows)
        lake.append(_forecasts(rows, tenant, "1", off, nights), DEMAND_FORECAST, Zone.GOLD)
        lake.append(_forecasts(rows, tenant, "2", its, nights), DEMAND_SHADOW, Zone.GOLD)
        for seed in (7, 8):
            (lake.settings.home / "demand.yaml").write_text(f"{YAML}seed: {seed}\n")
            train.tenants = (tenant,)
            train_demand.run(train)
        assert (registry.champion(tenant).version, registry.challenger(tenant).version) == ("1", "2"), train.outcomes
    weeks_ago = np.array([(LAST - monday).days // 7 for monday in rows["date"]])
    shifted = rows.assign(units=rows["units"] * 3.0 ** np.maximum(5 - weeks_ago, 0))
    lake.land_weeks("shifted", shifted)
    ctx = lake.context("better", "fallen", "shifted", "bare", night=night, **now)
    follow_demand.run(ctx)
    lake.outcomes, lake.night, lake.rows, lake.nights = ctx.outcomes, night, rows, nights
    return lake


def _rows(lake: Any, contract: Any, tenant: str) -> pd.DataFrame:
    rows = read_rows(lake.settings, contract).to_pandas()
    return rows[rows["tenant"] == tenant]


def _decisions(lake: Any, tenant: str) -> list[tuple[str, str]]:
    rows = _rows(lake, PROMOTIONS, tenant).sort_values("decided_at", kind="stable")
    return list(zip(rows["model_version"], rows["decision"], strict=True))


def test_each_night_is_scored_when_its_week_is_over_and_when_four_are(followed: Any) -> None:
    scores = _rows(followed, DEMAND_SCORES, "better")
    last = WEEK.of(day(LAST))
    for window, weeks in ((7, 1), (28, 4)):
        wanted = [n for n in followed.nights if WEEK.over(day(n)) + weeks <= last]
        assert sorted(set(scores.loc[scores["days"] == window, "night"])) == wanted
        assert set(scores.loc[scores["days"] == window, "known_days"]) == {window}
    assert scores.groupby(["night", "days"]).size().unique().tolist() == [3]


def test_a_score_of_a_week_stands_beside_the_week_before(followed: Any) -> None:
    night = followed.nights[10]
    origin = WEEK.over(day(night))
    sold = followed.rows[followed.rows["product"] == "A00"].set_index("date")["units"]
    week, before = (sold[to_date(int(WEEK.first(origin + n)))] for n in (1, 0))
    row = _rows(followed, DEMAND_SCORES, "better")
    row = row[(row["night"] == night) & (row["days"] == 7) & (row["product"] == "A00")].iloc[0]
    assert row["units"] == pytest.approx(week)
    # on Sundays and Mondays the week before is not told yet: the naive repeats an older one
    assert night.weekday() not in (6, 0)
    assert row["naive_absolute_error"] == pytest.approx(abs(week - before))
    assert row["value_added"] == pytest.approx(1 - row["absolute_error"] / row["naive_absolute_error"])
    assert (row["model_version"], row["challenger_version"]) == ("1", "2")


def test_a_trial_counts_weeks_and_not_their_nights(followed: Any) -> None:
    registry = train_demand.registry_of(followed.context())
    assert registry.champion("better").version == "2"
    assert _decisions(followed, "better") == [("1", "champion"), ("2", "challenger"), ("2", "champion")]
    row = _rows(followed, PROMOTIONS, "better").sort_values("decided_at").iloc[-1]
    evidence = json.loads(row["evidence"])
    assert evidence["weeks"] == len({WEEK.over(day(n)) for n in followed.nights} - {WEEK.over(day(followed.night))})
    assert (evidence["look"], evidence["level"]) == (1, 0.015)


def test_a_champion_behind_seasonal_naive_for_eight_weeks_is_rolled_back(followed: Any) -> None:
    registry = train_demand.registry_of(followed.context())
    assert [registry.champion("fallen"), registry.challenger("fallen")] == [None] * 2
    assert _decisions(followed, "fallen")[-3:] == [("2", "kept"), ("1", "rolled_back"), ("2", "refused")]


def test_a_measure_has_one_number_a_week_at_its_saturday(followed: Any) -> None:
    rows = _rows(followed, DEMAND_MONITOR, "better")
    assert {n.weekday() for n in rows["night"]} == {5}
    assert not rows.duplicated(["night", "measure"]).any()
    last = rows[rows["night"] == rows["night"].max()].set_index("measure")["value"]
    assert last["unknown_share"] == 0, "by then its files have come"
    assert abs(last["level"]) < 0.3
    assert abs(last["bias"]) < 1


def test_a_shift_in_the_weeks_is_an_alarm_and_the_same_weeks_are_none(followed: Any) -> None:
    rows = _rows(followed, DEMAND_MONITOR, "shifted")
    alarms = rows[rows["alarm"] & (rows["night"] > LAST - timedelta(weeks=4))]
    assert set(alarms["measure"]) == {"level"}
    usual = _rows(followed, DEMAND_MONITOR, "better")
    assert not usual[usual["night"] > LAST - timedelta(weeks=4)]["alarm"].any()


def test_the_same_night_again_scores_and_decides_nothing_twice(followed: Any) -> None:
    before = {c.name: len(read_rows(followed.settings, c)) for c in (DEMAND_SCORES, DEMAND_MONITOR, PROMOTIONS)}
    ctx = followed.context("better", "fallen", "shifted", night=followed.night)
    follow_demand.run(ctx)
    assert {c.name: len(read_rows(followed.settings, c)) for c in (DEMAND_SCORES, DEMAND_MONITOR, PROMOTIONS)} == before
    assert {o.status for o in ctx.outcomes.values()} == {"ok"}


def test_nothing_known_is_no_failure(followed: Any) -> None:
    assert (followed.outcomes["bare"].status, followed.outcomes["bare"].rows) == ("ok", 0)
