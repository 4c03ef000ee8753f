"""Forecasts of sums move those of the series: as MinT says, coherently, and only where they may."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.train_demand import record
from models.demand import reconcile_training
from models.demand.calendar import Calendar
from models.demand.card import card
from models.demand.drivers import DRIVERS, HIERARCHY
from models.demand.explain import BEFORE, explain
from models.demand.fallback import CHAMPION
from models.demand.folds import Data
from models.demand.forecast import forecast
from models.demand.hierarchy import Hierarchy
from models.demand.manifest import TrainingManifest
from models.demand.model import DemandModel
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import parameters
from models.demand.paths import map_here
from models.demand.reconcile import Doubt, Reconciliation, SumForecasts, several, summed
from models.demand.reconcile_training import ALONE, RECONCILED, Outcome, fit_last, pays
from models.demand.sums_forecast import sums
from models.demand.training import train

NIGHT = 199
DAYS, SERIES = 28, 12
HOLIDAYS_OF_THE_WORLD = ("Children's Day", "Labour Day", "Youth Day")


def tenant(series: int = SERIES, sites: int = 2) -> dict[str, Any]:
    at = np.arange(series)
    columns = {
        "site": [f"e{i % sites}" for i in at],
        "product_group": [f"g{i % 3}" for i in at],
        "product_sub_group": [f"s{i % 6}" for i in at],
        "product": [f"p{i // sites}" for i in at],
    }
    return {name: np.array(values, dtype=object) for name, values in columns.items()}


def said_of(tree: Hierarchy, units: np.ndarray) -> SumForecasts:
    names = np.array([level.name for level in tree.levels], dtype=object)[tree.level_of]
    return SumForecasts(tree.matrix, names, units, units.mean(axis=1))


def drawn(series: int = SERIES, off: float = 0.1) -> tuple[Hierarchy, SumForecasts, np.ndarray, np.ndarray]:
    """A tree, what is said of its sums, and quantiles and points of its series."""
    random = np.random.default_rng(3)
    tree = Hierarchy.of(tenant(series))
    points = random.gamma(4.0, 10.0, (series, DAYS))
    quantiles = points[..., None] * np.array([0.6, 1.0, 1.5])
    units = tree.sum(points) * np.exp(random.normal(0, off, (tree.sums, DAYS)))
    return tree, said_of(tree, units), quantiles, points


def doubt_of(tree: Hierarchy) -> Doubt:
    each = {level.name: np.array([0.01, 0.02, 0.03, 0.04]) * (k + 1) for k, level in enumerate(tree.levels)}
    return Doubt(np.array([0.5, 0.8, 1.0, 1.2]), each, 7)


def test_it_is_the_projection_of_all_forecasts_weighed_by_their_variances() -> None:
    """The textbook's form, with the series among the forecasts and a matrix of all of them to invert."""
    tree, said, quantiles, points = drawn()
    doubt = doubt_of(tree)
    found = points * doubt.factors(said, quantiles, points, np.ones(SERIES, dtype=bool))
    s = np.vstack([tree.matrix.toarray(), np.eye(SERIES)])
    for ahead in (0, 13, 27):
        week = ahead // 7
        sigma = (quantiles[:, ahead, 2] - quantiles[:, ahead, 0]) / (2 * 1.2815515655446004)
        of_sums = np.array([doubt.sums[level][week] for level in said.levels]) * said.size**2
        w = np.diag(1 / np.concatenate([of_sums, sigma**2 * doubt.series[week]]))
        every = np.concatenate([said.units[:, ahead], points[:, ahead]])
        wanted = np.linalg.solve(s.T @ w @ s, s.T @ w @ every)
        assert found[:, ahead] == pytest.approx(wanted, rel=1e-9)


def test_the_surer_a_sum_is_the_nearer_the_series_come_to_it() -> None:
    _, said, quantiles, points = drawn()
    away = []
    for variance in (1.0, 1e-2, 1e-4):
        doubt = Doubt(np.ones(4), {"tenant": np.full(4, variance)}, 7)
        moved = points * doubt.factors(said, quantiles, points, np.ones(SERIES, dtype=bool))
        whole = said.levels == "tenant"
        away.append(np.abs(moved.sum(axis=0) - said.units[whole][0]).mean())
    assert away[0] > away[1] > away[2]
    assert away[2] < 0.01 * points.sum(axis=0).mean()


def test_a_series_that_may_not_move_stays_and_the_others_make_up_for_it() -> None:
    tree, said, quantiles, points = drawn()
    moves = np.arange(SERIES) != 4
    factor = doubt_of(tree).factors(said, quantiles, points, moves)
    assert (factor[4] == 1.0).all()
    assert (factor[moves] != 1.0).all()


def test_nothing_becomes_negative_and_what_is_nothing_stays_so() -> None:
    _, said, quantiles, points = drawn()
    points[2], quantiles[2] = 0.0, 0.0
    nothing = replace(said, units=np.zeros_like(said.units))
    factor = Doubt(np.full(4, 1e6), {"tenant": np.full(4, 1e-6)}, 7).factors(
        nothing, quantiles, points, np.ones(SERIES, dtype=bool)
    )
    assert factor.min() >= 0.5
    assert (factor[2] == 1.0).all()


def test_a_level_whose_errors_are_not_known_moves_nothing() -> None:
    _, said, quantiles, points = drawn()
    factor = Doubt(np.ones(4), {"site/galaxy": np.ones(4)}, 7).factors(said, quantiles, points, np.ones(SERIES, bool))
    assert (factor == 1.0).all()


def test_thirty_thousand_series_need_no_matrix_of_their_pairs() -> None:
    tree = Hierarchy.of(tenant(30_000))
    some = np.flatnonzero(np.diff(tree.matrix.indptr) > 100)
    points = np.full((30_000, DAYS), 5.0)
    quantiles = points[..., None] * np.array([0.5, 1.0, 1.5])
    units = 1.05 * (tree.matrix[some] @ points)
    names = np.array([level.name for level in tree.levels], dtype=object)[tree.level_of[some]]
    said = SumForecasts(tree.matrix[some], names, units, units.mean(axis=1))
    doubt = Doubt(np.ones(4), {level.name: np.full(4, 1e-4) for level in tree.levels}, 7)
    tracemalloc.start()
    factor = doubt.factors(said, quantiles, points, np.ones(30_000, dtype=bool))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150 * 2**20
    assert 1.0 < factor.mean() < 1.05


def test_a_sum_is_unknown_before_its_series_and_where_one_has_not_reported() -> None:
    n = np.nan
    units = np.tile(np.arange(40.0), (3, 1))
    units[:2, :3] = n  # the first two begin on the third day
    units[0, 8] = n  # a gap of long ago counts nothing
    units[1, -2:] = n  # late
    units[2, 5:] = n  # gone for long
    tree = Hierarchy.of({c: np.array(v, dtype=object) for c, v in zip(tenant(), _two_groups(), strict=True)})
    whole, both, alone = summed(tree.matrix, units)
    assert np.isnan(both).tolist() == [True] * 3 + [False] * 35 + [True] * 2
    assert both[8] == 8.0
    assert both[30] == 60.0
    assert np.isnan(whole).tolist() == [False] * 38 + [True] * 2
    assert alone[4] == 4.0
    assert alone[-1] == 0.0


def _two_groups() -> list[list[str]]:
    return [["x"] * 3, ["a", "a", "b"], ["a", "a", "b"], ["p", "q", "r"]]


@pytest.mark.parametrize(
    ("columns", "many"),
    [
        (tenant(1), 0),  # one series
        (tenant(2, sites=2), 0),  # one sum of both
        ({**tenant(6, sites=1), **dict.fromkeys(("product_group", "product_sub_group"), np.full(6, "", object))}, 0),
        (tenant(6, sites=1), 4),  # the site and three groups; sub-groups are series
    ],
)
def test_only_a_tenant_with_several_sums_of_several_series_has_any(columns: Any, many: int) -> None:
    assert len(several(Hierarchy.of(columns))) == many


def test_every_sum_has_a_name_of_its_own() -> None:
    tree = Hierarchy.of(tenant())
    assert len(set(tree.keys)) == tree.sums
    assert {key.split("/")[0] for key in tree.keys} == {"*", "e0", "e1"}


def test_it_pays_if_the_loss_falls_by_enough_and_in_most_folds() -> None:
    def losses(*ratios: float, series: float = 1.0) -> Any:
        alone, found = {"levels": 2.0, "series": 0.5}, {}
        for k, ratio in enumerate(ratios):
            found[str(k)] = {ALONE: alone, RECONCILED: {"levels": 2.0 * ratio, "series": 0.5 * series}}
        return found

    assert pays(losses(0.98, 0.97, 1.01))
    assert not pays(losses(0.999, 0.998, 0.999)), "too little"
    assert not pays(losses(0.8, 1.01, 1.01)), "one fold's luck"
    assert not pays(losses(1.02, 1.01, 0.99))
    assert not pays(losses(0.9, 0.9, 0.9, series=1.001)), "the series pay for it"
    nothing = {"levels": 0.0, "series": 0.0}
    assert not pays({"0": {ALONE: nothing, RECONCILED: nothing}}), "a forecast that is right cannot be bettered"


def small(**more: Any) -> Any:
    trees = {"rounds": 40, "tail_rounds": 40, "leaves": 15, "learning_rate": 0.15, "tail_learning_rate": 0.15}
    given = {"members": ["seasonal_naive", "lightgbm", "theta"], "threads": 1, "max_rows": 15_000, "trees": trees}
    return parameters(given | more)


@pytest.fixture(scope="module")
def training(small_data: Any) -> Any:
    """With forecasts of sums, whether they pay or not."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reconcile_training, "pays", lambda losses: True)
        return train(small_data, small())


@pytest.fixture(scope="module")
def night(weekly_world: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    return weekly_world.features([NIGHT]), weekly_world.calendar()


@pytest.fixture(scope="module")
def rows(training: Any, night: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The night's forecasts with forecasts of sums, and without."""
    return forecast(*night, training.model), forecast(*night, replace(training.model, reconciliation=None))


def test_the_folds_tell_what_it_brings(training: Any) -> None:
    assert list(training.reconciled) == list(training.scores)
    for of in training.reconciled.values():
        for name in ("levels", "series"):
            assert 0 < of[RECONCILED][name] < 1.5 * of[ALONE][name]


def test_what_it_brings_is_logged_with_the_scores(training: Any) -> None:
    logged = record(training, TrainingManifest.of("acme", training, {}, "abc"))["scores"]
    assert [of[RECONCILED] for of in logged.values()] == [of[RECONCILED] for of in training.reconciled.values()]
    assert [set(of) - {ALONE, RECONCILED} for of in logged.values()] == [set(of) for of in training.scores.values()]


def test_sums_have_paths_of_their_own(training: Any) -> None:
    assert training.model.reconciliation.keys == {"gebze/site///", "gebze/site group/A//", "gebze/site group/B//"}


def test_the_forecast_is_moved_and_says_by_how_much(rows: Any) -> None:
    after, before = rows
    assert (before["units_hierarchy"] == 0).all()
    assert np.abs(after["units_hierarchy"]).max() > 0
    assert (after["units_q50"] - before["units_q50"]).to_numpy() == pytest.approx(after["units_hierarchy"], abs=1e-9)
    ratio = after["units_point"] / before["units_point"]
    for name in ("units_q10", "units_q50", "units_q90"):
        assert (after[name] / before[name]).to_numpy() == pytest.approx(ratio.to_numpy(), rel=1e-9)


def test_the_moved_forecast_comes_nearer_to_what_is_said_of_the_sums(training: Any, night: Any, rows: Any) -> None:
    origins = Origins.from_features(night[0])
    said = SumForecasts.of(training.model.reconciliation.paths, origins, DAYS)
    away = [np.abs(said.matrix @ r["units_point"].to_numpy().reshape(-1, DAYS) - said.units).mean() for r in rows]
    assert away[0] < away[1]


def test_sums_are_exactly_those_of_the_moved_points(training: Any, night: Any, rows: Any) -> None:
    after, _ = rows
    origins = Origins.from_features(night[0])
    made = sums(after, origins.hierarchy, training.model.sums, 7)
    site = made[(made["level"] == "site") & (made["period"] == "day")]
    assert site["units_point"].tolist() == pytest.approx(after.groupby("date")["units_point"].sum().tolist(), abs=1e-9)


def test_a_fallback_is_left_as_it_is(training: Any, night: Any) -> None:
    features, calendar = night
    young = features.assign(days_since_first=np.where(features["product"] == "A00", 5.0, features["days_since_first"]))
    after = forecast(young, calendar, training.model)
    before = forecast(young, calendar, replace(training.model, reconciliation=None))
    stays = after["method"] != CHAMPION
    assert stays.sum() == DAYS
    assert after[stays].equals(before[stays])
    assert (after.loc[~stays, "units_hierarchy"] != 0).any()


def test_a_stored_model_moves_by_the_same(training: Any, night: Any, tmp_path: Path) -> None:
    training.model.save(tmp_path / "model")
    loaded = DemandModel.load(tmp_path / "model")
    assert forecast(*night, loaded).equals(forecast(*night, training.model))


def test_an_older_model_has_none(small_training: Any, tmp_path: Path) -> None:
    small_training.model.save(tmp_path / "model")
    assert DemandModel.load(tmp_path / "model").reconciliation is None
    assert Reconciliation.load(tmp_path) is None


def test_the_drivers_add_up_to_the_served_median(training: Any, night: Any, rows: Any) -> None:
    after, _ = rows
    served = after.assign(model_name="demand-acme", model_version="1")
    features, calendar = night
    known = Origins.from_features(features), Calendar.from_features(calendar)
    no_cases = np.zeros(0, dtype=object), [[]]
    told = explain(served, *known, training.model, no_cases, pd.DataFrame(columns=list(BEFORE)))
    total = served.groupby(["site", "product"])["units_q50"].sum().to_numpy()
    assert told[[f"units_{d}" for d in DRIVERS]].sum(axis=1).to_numpy() == pytest.approx(total, abs=1e-6)
    moved = served.groupby(["site", "product"])["units_hierarchy"].sum().to_numpy()
    assert told[f"units_{HIERARCHY}"].to_numpy() == pytest.approx(moved, abs=1e-9)


def test_the_card_shows_what_it_brings(training: Any) -> None:
    text = card("demand-acme", "1", training, TrainingManifest.of("acme", training, {}, "abc"), None)
    assert "kept, with forecasts of 3 sums" in text
    assert f"| {next(iter(training.reconciled))} |" in text


@pytest.fixture(scope="module")
def two_sites(make_weekly: Any) -> Data:
    """Three products at each of two plants, up to their last day."""
    first = make_weekly(products=3, days=130)
    worlds = [first, replace(first, site="izmir")]
    origins = [Origins.from_features(w.features([129])) for w in worlds]
    calendar = Calendar.from_features(pd.concat([w.calendar() for w in worlds]))
    panel = Panel.from_sales(pd.concat([w.sales() for w in worlds]))
    return Data(Origins.concat(origins), calendar, panel, panel.last_day)


def test_sums_over_sites_have_paths_and_the_holidays_of_all_sites(two_sites: Data) -> None:
    seen = {}

    def map_series(fit: Any, tasks: pd.DataFrame, schema: str) -> pd.DataFrame:
        seen.update(fit.keywords["holidays"])
        return map_here(fit, tasks.assign(method="theta"), schema)

    pays_off = Outcome([], Doubt(np.ones(4), {}, 7))
    made = fit_last(two_sites, pays_off, small(members=["seasonal_naive", "prophet"]), map_series)
    assert made is None, "asked were fits of another method"
    assert {name for (site, _), days in seen.items() if site == "*" for name in days["holiday"]} == set(
        HOLIDAYS_OF_THE_WORLD
    )
    made = fit_last(two_sites, pays_off, small(), map_here)
    assert made is not None
    assert {"*/tenant///", "gebze/site///", "izmir/site group/A//"} <= made.keys


def test_the_path_of_a_sum_is_that_of_what_its_series_sold(two_sites: Data) -> None:
    made = fit_last(two_sites, Outcome([], Doubt(np.ones(4), {}, 7)), small(), map_here)
    assert made is not None
    said = SumForecasts.of(made.paths, two_sites.origins, DAYS)
    whole = said.levels == "tenant"
    sold = two_sites.panel.units.sum(axis=0)
    assert said.size[whole] == pytest.approx(sold[-DAYS:].mean())
    assert said.units[whole].mean() == pytest.approx(sold[-DAYS:].mean(), rel=0.15)


@pytest.mark.parametrize("more", [{"paths": {"max_sums": 0}}, {"members": ["seasonal_naive", "lightgbm"]}])
def test_without_a_method_for_sums_nothing_happens(small_data: Any, more: dict[str, Any]) -> None:
    made = train(small_data, small(**more))
    assert made.reconciled == {}
    assert made.model.reconciliation is None
