"""A wide weekly file that nobody has seen, by a map and a config alone: through the door to a judged forecast.

A tenant that counts in weeks and one that counts in days are worked in one run.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edge_sync.importer import Import, import_file
from edge_sync.mapfile import read_maps
from edge_sync.outbox import Outbox
from edge_sync.s3 import Bucket
from edge_sync.sync import sync
from expectations.contract import Zone
from expectations.tables import DEMAND_EXPLANATIONS, DEMAND_FEATURES, DEMAND_FORECAST, DEMAND_FORECAST_SUMS, TABLES
from jobs import monthly, train_demand
from jobs.catalogue import EXPLAIN_DEMAND, FORECAST_DEMAND
from jobs.delta_reader import read_rows
from jobs.demand_known import Nights
from jobs.monthly import Judged, last_told, run_monthly
from jobs.runner import run_all
from jobs.trace import trace
from models.demand.arrays import day
from models.demand.drivers import DRIVERS
from models.demand.parameters import SEASONAL_NAIVE
from models.demand.periods import DAY, WEEK
from models.demand.promotion import METRIC
from models.demand.training import ENSEMBLE

MILL, SHOP = "weeks-mill", "weeks-shop"
DEMAND_YAML = f"""
members: [seasonal_naive, lightgbm]
threads: 1
max_rows: 15000
trees: {{rounds: 60, tail_rounds: 40, leaves: 15, learning_rate: 0.15}}
tenants:
  {MILL}: {{period: week, folds: 2}}
"""


def _wide_weeks() -> Any:
    path = Path(__file__).with_name("wide_weeks.py")
    spec = importlib.util.spec_from_file_location("wide_weeks", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


weeks = _wide_weeks()
NIGHT = weeks.last_day()


@pytest.fixture(scope="module")
def plant(plant_of: Callable[..., Any], gateway_of: Callable[[str], Any]) -> Any:
    """The mill's file has gone through the gateway; the shop's 120 days have landed."""
    made = plant_of(MILL, SHOP)
    settings = made.settings
    settings.home.mkdir(parents=True)
    (settings.home / "demand.yaml").write_text(DEMAND_YAML)
    (settings.home / "weeks.csv").write_text(weeks.wide_csv())
    (settings.home / "map.yaml").write_text(weeks.MAP)
    outbox, now = Outbox(settings.home, "gw"), datetime(2026, 3, 1, tzinfo=UTC)
    for file_map in read_maps(settings.home / "map.yaml", None, TABLES):
        task = Import(tenant=MILL, site="gebze", contract=file_map.contract, file_map=file_map, now=now)
        import_file(task, settings.home / "weeks.csv", outbox)
    sync(outbox, lambda *_: Bucket(settings), lambda: now, 7, lambda _: None)
    gateway = gateway_of(SHOP)
    chance = np.random.default_rng(2)
    for product in ("P1", "P2"):
        pattern = np.tile([30, 30, 30, 30, 60, 10, 5], 18)[:120] * np.exp(chance.normal(0, 0.1, 120))
        sales = gateway.sales(*pattern, product=product, start=str(NIGHT - timedelta(days=119)))
        known = [pd.Timestamp(d, tz="UTC") + pd.Timedelta(days=1) for d in sales["date"].to_pylist()]
        at = sales.schema.get_field_index("available_at")
        gateway.land(sales.set_column(at, sales.schema.field(at), [known]))
    return made


@pytest.fixture(scope="module")
def judged(plant: Any) -> dict[str, Judged]:
    found, failures = run_monthly(plant.context(date=NIGHT))
    assert failures == {}
    return {one.tenant: one for one in found}


def _gold(plant: Any, tenant: str, night: date = NIGHT) -> pd.DataFrame:
    filters = [("tenant", "=", tenant), ("night", "=", night)]
    rows = read_rows(plant.settings, DEMAND_FORECAST, Zone.GOLD, filters=filters).to_pandas()
    return rows.sort_values(["product", "date"], ignore_index=True)


def test_the_judged_ensemble_beats_seasonal_naive(judged: dict[str, Judged]) -> None:
    scores = judged[MILL].scores
    assert scores[ENSEMBLE][METRIC] < 0.8 * scores[SEASONAL_NAIVE][METRIC]
    assert judged[MILL].reason.startswith("Promoted")
    assert judged[MILL].fold == str(NIGHT - timedelta(weeks=13))


def test_a_week_with_a_planned_promotion_is_forecast_higher(plant: Any, judged: dict[str, Judged]) -> None:
    rows = _gold(plant, MILL)
    promoted = rows["horizon"].isin([4, 9])  # as the file plans them
    level = rows.groupby("product")["units_q50"].transform("median")
    assert (rows.loc[promoted, "units_q50"] > 1.3 * level[promoted]).all()
    assert (rows.loc[~promoted, "units_q50"] < 1.3 * level[~promoted]).all()


def test_weeks_and_days_stand_in_one_table(plant: Any, judged: dict[str, Judged]) -> None:
    mill, shop = _gold(plant, MILL), _gold(plant, SHOP)
    assert mill.groupby("product").size().tolist() == [13] * len(weeks.PRODUCTS)
    assert sorted(set(mill["date"])) == [weeks.monday(ahead) for ahead in range(1, 14)]
    assert (set(mill["period"]), set(mill["method"])) == ({"week"}, {"champion"})
    assert shop.groupby("product").size().tolist() == [28, 28]
    assert (set(shop["period"]), shop["date"].min()) == ({"day"}, NIGHT + timedelta(days=1))
    told = {tenant: set(json.loads(rows["table_versions"][0])) for tenant, rows in ((MILL, mill), (SHOP, shop))}
    assert told[SHOP] == {"features/demand_features", "features/calendar_features", "silver/factors"}
    assert told[MILL] == {"silver/sales", "silver/sites", "features/calendar_features", "silver/factors"}


def test_a_price_of_the_file_is_known_to_the_model_of_weeks(plant: Any, judged: dict[str, Judged]) -> None:
    ctx = plant.context()
    registry = train_demand.registry_of(ctx)
    manifest = registry.manifest(registry.version(f"demand-{MILL}", "1"))
    given = train_demand.TrainingManifest.from_dict(manifest).given
    data = train_demand.data_of(train_demand.Pinned(ctx.lake, manifest["table_versions"]), MILL, NIGHT, given)
    factors, week = data.calendar.factors, np.array([data.last_day])
    every = np.array([len(factors.moments)])
    assert factors.names == ("cotton_price",)
    assert factors.told(np.zeros(1, dtype=np.int64), week, every) == weeks.cotton()[-1]
    assert np.isnan(factors.told(np.zeros(1, dtype=np.int64), week, every - 1)), "a week before nobody knew it"


@pytest.mark.parametrize("later", [0, 6])
def test_a_night_knows_of_the_price_what_the_training_knew(plant: Any, judged: dict[str, Judged], later: int) -> None:
    ctx = plant.context(date=NIGHT + timedelta(days=later))
    ctx.table_versions = ctx.lake.versions(train_demand.READ)
    given = {MILL: train_demand.demand_parameters(ctx.settings, MILL)}
    pinned = train_demand.Pinned(ctx.lake, json.loads(ctx.table_versions))
    training = train_demand.data_of(pinned, MILL, NIGHT, given[MILL])
    night = Nights.read(ctx, given).of(MILL)
    site, ahead = night.origins.site, np.ones(len(night.origins), dtype=np.int64)
    asked = (("cotton_price",), site, night.origins.day, night.origins.cut_off, ahead, night.origins.period)
    told = [calendar.factors.numbers(*asked) for calendar in (training.calendar, night.calendar)]
    assert not np.isnan(told[0][:, :2]).any()
    assert np.array_equal(told[0], told[1], equal_nan=True)


def test_its_weeks_and_months_are_summed_over_its_products(plant: Any, judged: dict[str, Judged]) -> None:
    rows = read_rows(plant.settings, DEMAND_FORECAST_SUMS, filters=[("tenant", "=", MILL)]).to_pandas()
    assert set(rows["period"]) == {"week", "month"}
    served = _gold(plant, MILL)
    by_week = rows[(rows["level"] == "site") & (rows["period"] == "week")].set_index("date")["units_point"]
    wanted = served.groupby("date")["units_point"].sum()
    assert by_week.sort_index().to_numpy() == pytest.approx(wanted.to_numpy(), abs=1e-9)
    monday = pd.to_datetime(served["date"])
    by_month = rows[(rows["level"] == "site") & (rows["period"] == "month")].set_index("date")["units_point"]
    wanted = served.groupby(monday.dt.to_period("M").dt.start_time.dt.date)["units_point"].sum()
    assert by_month.sort_index().to_dict() == pytest.approx(wanted.to_dict(), abs=1e-9)


def test_weeks_have_no_daily_features(plant: Any, judged: dict[str, Judged]) -> None:
    tenants = read_rows(plant.settings, DEMAND_FEATURES, Zone.FEATURES, columns=["tenant"])["tenant"]
    assert set(tenants.to_pylist()) == {SHOP}


def test_the_way_back_of_a_week_leads_to_its_file(plant: Any, judged: dict[str, Judged]) -> None:
    rows = _gold(plant, MILL)
    found = trace(plant.settings, rows["forecast_id"][5])
    assert found.model["manifest"]["night"] == str(NIGHT)
    assert found.rows["count"] == weeks.WEEKS
    assert found.rows["last"] == weeks.monday(0)
    assert [f["source"] for f in found.files] == ["weeks.csv"]


def test_its_training_set_is_made_again_bit_for_bit(plant: Any, judged: dict[str, Judged]) -> None:
    ctx = plant.context()
    registry = train_demand.registry_of(ctx)
    ref = registry.version(f"demand-{MILL}", "1")
    assert train_demand.rebuild(ctx, ref, registry).night == str(NIGHT)


@pytest.fixture(scope="module")
def explained(plant: Any, judged: dict[str, Judged]) -> dict[int, pd.DataFrame]:
    """Of the night, of one in the same week, and of one a week later: by days since the first."""
    found = {}
    for later in (0, 3, 8):
        night = NIGHT + timedelta(days=later)
        run_all(plant.of(MILL).context(date=night), [FORECAST_DEMAND, EXPLAIN_DEMAND])
        filters = [("tenant", "=", MILL), ("night", "=", night)]
        rows = read_rows(plant.settings, DEMAND_EXPLANATIONS, Zone.GOLD, filters=filters).to_pandas()
        found[later] = rows.sort_values("product", ignore_index=True)
    return found


@pytest.mark.parametrize("later", [0, 8])
def test_its_drivers_add_up_to_what_was_published(plant: Any, explained: dict[int, pd.DataFrame], later: int) -> None:
    published = _gold(plant, MILL, NIGHT + timedelta(days=later)).groupby("product")["units_q50"].sum()
    total = explained[later][[f"units_{d}" for d in DRIVERS]].sum(axis=1).to_numpy()
    assert np.abs(total - published.to_numpy()).max() < 1e-6
    weeks_ahead = {len(json.loads(text)["level"]) for text in explained[later]["by_day"]}
    assert weeks_ahead == {13}


def test_a_promotion_to_come_is_told_as_an_event_and_the_level_is_that_of_four_weeks(
    plant: Any, explained: dict[int, pd.DataFrame]
) -> None:
    rows = explained[0]
    by_week = [json.loads(text)["holiday"] for text in rows["by_day"]]
    share = np.array(by_week) / rows["units_q50"].to_numpy()[:, None]
    assert (share[:, [3, 8]] > 0.01).all()
    assert (np.delete(share, [3, 8], axis=1) < 0.01).all()
    last_four = weeks.units()[:, -4:].mean(axis=1)
    level = [json.loads(text)["level"][0] for text in rows["by_day"]]
    assert level == pytest.approx(last_four, rel=1e-4)


def test_it_is_told_in_weeks_and_beside_the_forecast_of_the_week_before(explained: dict[int, pd.DataFrame]) -> None:
    first, same, later = (explained[days].iloc[0] for days in (0, 3, 8))
    assert "Önümüzdeki 13 hafta için" in first["text_tr"]
    assert "in the next 13 weeks" in first["text_en"]
    assert [first["night_before"], same["night_before"]] == [None, None], "a night of the same week is none before"
    assert later["night_before"] == NIGHT + timedelta(days=3)
    assert json.loads(later["changes"])["periods"] == 12
    assert "eek before" in later["text_en"]
    assert "Geçen haftaki öngörüye" in later["text_tr"]


def test_its_cases_are_earlier_weeks(explained: dict[int, pd.DataFrame]) -> None:
    for later in (
        0,
        8,
    ):  # of the last week before the second night nothing is known: cases are those of the week before
        for text in explained[later]["cases"]:
            found = json.loads(text)
            assert len(found) == 3
            assert {date.fromisoformat(case["night"]).weekday() for case in found} == {6}


@pytest.mark.parametrize("later", [3, 6])
def test_until_the_next_week_is_over_a_night_says_the_same(plant: Any, judged: dict[str, Judged], later: int) -> None:
    night = NIGHT + timedelta(days=later)
    run_all(plant.of(MILL).context(date=night), [FORECAST_DEMAND])
    same = ["product", "date", "horizon", "units_q10", "units_q50", "units_q90", "method"]
    assert _gold(plant, MILL, night)[same].equals(_gold(plant, MILL)[same])


def test_the_result_is_told_with_every_model_and_where_the_forecast_is(plant: Any, judged: dict[str, Judged]) -> None:
    text = "\n".join(judged[MILL].lines(plant.settings))
    for part in (f"{MILL}, night {NIGHT}", ENSEMBLE, SEASONAL_NAIVE, "rmsse", "mape", "coverage", "Promoted"):
        assert part in text
    assert f"/v1/tenants/{MILL}/forecasts?night={NIGHT}" in text


def test_without_a_date_a_history_ends_with_its_last_week(plant: Any, judged: dict[str, Judged]) -> None:
    assert monthly.nights(plant.context(), [MILL, "nobody"]) == {MILL: NIGHT, "nobody": date(2026, 3, 1)}
    today = plant.context(now=lambda: datetime(2024, 7, 6, tzinfo=UTC))
    assert monthly.nights(today, [MILL]) == {MILL: date(2024, 7, 5)}, "it is no history yet"


@pytest.mark.parametrize(
    ("last_days", "period", "wanted"),
    [
        ([0, 7, 14], WEEK, 20),  # weeks dated by their Mondays: the last one's Sunday
        ([6, 13, 16], WEEK, 16),  # days, until a Wednesday
        ([0, 7, 14], DAY, 14),
    ],
)
def test_the_last_day_that_data_tells_of(last_days: list[int], period: Any, wanted: int) -> None:
    monday = day(date(2024, 1, 1))
    assert day(last_told(monday + np.array(last_days), period)) == monday + wanted
