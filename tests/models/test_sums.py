"""Sums: exactly coherent points, quantiles of one joint distribution, and what is learned of it from past errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.demand import dependence
from models.demand.dependence import OWN, Dependence
from models.demand.hierarchy import COLUMNS
from models.demand.marginals import Z90, Marginals
from models.demand.periods import PERIODS, WEEK
from models.demand.spans import spans
from models.demand.sums import FILE, Piece, Sums

TOGETHER = Dependence({("site", "path"): 0.3, ("site", "day"): 0.3, (OWN, "week"): 0.1, (OWN, "day"): 0.3})
DAY = 20_300  # 2025-07-31: the horizon begins on a Friday, the first of a month


def tenant(series: int = 12) -> dict[str, np.ndarray]:
    """Two sites, each product at both; groups of four products, sub-groups of two."""
    at = np.arange(series)
    names = {"site": at % 2, "product_group": at // 8, "product_sub_group": at // 4, "product": at // 2}
    return {c: np.array([f"{c[-1]}{n}" for n in names[c]], dtype=object) for c in COLUMNS}


def forecasts(series: int = 12, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles and points."""
    random = np.random.default_rng(seed)
    quantiles = np.sort(random.gamma(2.0, 5.0, size=(series, 28, 3)), axis=-1)
    return quantiles, quantiles[..., 1]


def of(pieces: list[Piece], level: str, period: str) -> Piece:
    return next(p for p in pieces if (p.level, p.spans.period) == (level, period))


@given(st.integers(0, 1000), st.sampled_from(["day", "week"]))
@settings(max_examples=10, deadline=None)
def test_the_points_of_children_add_up_to_their_parents_at_every_level_and_period(seed: int, period: str) -> None:
    quantiles, points = forecasts(seed=seed)
    pieces = spans(DAY + seed, 28, PERIODS[period])
    for piece in Sums(TOGETHER).forecast(quantiles, points, tenant(), pieces, seed, samples=20):
        assert piece.points.sum() == pytest.approx(points.sum(), abs=1e-9)
        for number in range(len(piece.points)):
            mine = np.ones(12, dtype=bool)
            for column, values in piece.keys.items():
                mine &= tenant()[column] == values[number]
            wanted = piece.spans.sum(points[mine], axis=1).sum(axis=0)
            np.testing.assert_allclose(piece.points[number], wanted, atol=1e-9)


def test_quantiles_of_sums_are_in_order_not_negative_and_finite() -> None:
    quantiles, points = forecasts()
    for piece in Sums(TOGETHER).forecast(quantiles, points, tenant(), spans(DAY, 28), 7):
        assert np.isfinite(piece.quantiles).all()
        assert (np.diff(piece.quantiles, axis=-1) >= 0).all()
        assert (piece.quantiles >= 0).all()


def test_the_same_seed_gives_the_same_sums() -> None:
    quantiles, points = forecasts()
    one, two = (Sums(TOGETHER).forecast(quantiles, points, tenant(), spans(DAY, 28), 7) for _ in range(2))
    assert all((a.quantiles == b.quantiles).all() for a, b in zip(one, two, strict=True))


def test_blocks_do_not_change_who_shares_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    quantiles, points = forecasts(40)
    named = tenant(40) | {"site": np.repeat(np.array(["a", "b"], dtype=object), 20)}
    width = []
    for block in (40, 20):
        monkeypatch.setattr("models.demand.sums.BLOCK", block)
        found = Sums(TOGETHER).forecast(quantiles, points, named, spans(DAY, 28), 7, 1000)
        found_quantiles = of(found, "tenant", "day").quantiles
        width.append(float((found_quantiles[..., 2] - found_quantiles[..., 0]).mean()))
    assert width[1] == pytest.approx(width[0], rel=0.05)


def test_errors_that_are_independent_cancel_out_and_common_ones_do_not() -> None:
    quantiles = np.tile(np.array([8.0, 10.0, 12.0]), (100, 28, 1))
    points = quantiles[..., 1]
    named = {c: np.full(100, "x", dtype=object) for c in COLUMNS} | {
        "product": np.arange(100).astype(str).astype(object)
    }
    width = {}
    for name, common in {"none": Dependence.none(), "all": Dependence({("site", "day"): 1.0})}.items():
        found = of(Sums(common).forecast(quantiles, points, named, spans(DAY, 28), 7, 2000), "site", "day").quantiles
        width[name] = float((found[..., 2] - found[..., 0]).mean())
    assert width["none"] == pytest.approx(4 * 10, rel=0.05), "the root of 100 times one series' band"
    assert width["all"] == pytest.approx(4 * 100, rel=0.05)


def test_a_level_is_widened_as_its_folds_ask() -> None:
    quantiles, points = forecasts()
    plain = of(Sums(TOGETHER).forecast(quantiles, points, tenant(), spans(DAY, 28), 7), "site", "week").quantiles
    wide = Sums(TOGETHER, {("site", "week"): (1.0, 2.0)}).forecast(quantiles, points, tenant(), spans(DAY, 28), 7)
    found = of(wide, "site", "week").quantiles
    np.testing.assert_allclose(found[..., 2] - found[..., 1], 2 * (plain[..., 2] - plain[..., 1]))
    np.testing.assert_allclose(found[..., :2], plain[..., :2])


def test_weeks_begin_on_monday_and_months_on_their_first_and_tell_how_many_days_they_hold() -> None:
    found = spans(DAY, 32)  # 1 August to 1 September 2025
    assert found["week"].first.astype(str).tolist()[:2] == ["2025-07-28", "2025-08-04"]
    assert found["week"].days.tolist() == [3, 7, 7, 7, 7, 1]
    assert found["month"].first.astype(str).tolist() == ["2025-08-01", "2025-09-01"]
    assert found["month"].days.tolist() == [31, 1]
    assert found["day"].days.tolist() == [1] * 32


def test_a_week_lies_whole_in_the_month_of_its_monday() -> None:
    found = spans(WEEK.of(DAY) + 7, 3, WEEK)
    assert list(found) == ["week", "month"]
    assert found["week"].first.astype(str).tolist() == ["2025-09-22", "2025-09-29", "2025-10-06"]
    assert found["week"].days.tolist() == [7] * 3
    assert found["month"].first.astype(str).tolist() == ["2025-09-01", "2025-10-01"]
    assert found["month"].days.tolist() == [14, 7]


def test_the_sums_of_weeks_hold_the_series_by_month_and_not_by_the_week_that_is_forecast_anyhow() -> None:
    quantiles, points = forecasts()
    found = Sums(TOGETHER).forecast(quantiles, points, tenant(), spans(WEEK.of(DAY), 28, WEEK), 7)
    assert {p.spans.period for p in found if p.level == "site/product"} == {"month"}
    assert {p.spans.period for p in found if p.level == "site"} == {"week", "month"}


def test_a_marginal_has_the_quantiles_and_the_mean_that_were_forecast() -> None:
    quantiles = np.array([[2.0, 5.0, 15.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    mean = np.array([8.0, 1.2, 0.1])
    marginals = Marginals.of(quantiles, mean)
    even = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    values = marginals.values(np.tile(even, (3, 1)))
    np.testing.assert_allclose(np.quantile(values, (0.1, 0.5, 0.9), axis=1).T, quantiles, atol=1e-3)
    np.testing.assert_allclose(values.mean(axis=1), mean, rtol=1e-3)
    np.testing.assert_allclose(marginals.mean, mean, rtol=1e-6)


def test_scores_are_what_values_were_made_from() -> None:
    marginals = Marginals.of(np.array([2.0, 5.0, 15.0]))
    scores = np.array([-1.5, -Z90, 0.0, 0.7, Z90])
    found = [float(marginals.scores(v)) for v in marginals.values(scores)]
    np.testing.assert_allclose(found, scores, atol=1e-9)


def test_fitted_shares_are_those_that_errors_were_made_with() -> None:
    series, nights = 30, 60
    levels = {"site": np.arange(series) % 3, OWN: np.arange(series)}
    made = Dependence({("site", "path"): 0.2, ("site", "day"): 0.3, (OWN, "week"): 0.1, (OWN, "day"): 0.4})
    scores = np.concatenate([next(made.scores(levels, 28, 1, seed, series))[..., 0] for seed in range(nights)])
    each = {name: np.tile(of, nights) for name, of in levels.items()}
    found = dependence.fit(
        scores.astype(float), np.ones_like(scores, dtype=float), np.repeat(np.arange(nights), series), each
    )
    for pair, share in made.shares.items():
        assert found.shares[pair] == pytest.approx(share, abs=0.06)
    assert sum(found.shares.values()) == pytest.approx(1.0)


def test_a_level_that_the_tenant_no_longer_has_becomes_each_series_own() -> None:
    scores = next(TOGETHER.scores({OWN: np.arange(50)}, 28, 200, 7, 50))
    assert float(scores.var()) == pytest.approx(1.0, abs=0.03)
    assert abs(np.corrcoef(scores[0].reshape(-1), scores[1].reshape(-1))[0, 1]) < 0.05


def test_sums_are_stored_and_read_back(tmp_path: Path) -> None:
    kept = Sums(TOGETHER, {("site", "week"): (0.9, 1.3)})
    kept.save(tmp_path)
    assert Sums.load(tmp_path) == kept


def test_a_model_without_sums_has_none(tmp_path: Path) -> None:
    assert not (tmp_path / FILE).exists()
    assert Sums.load(tmp_path) is None


def test_rows_name_their_sum_and_how_many_series_a_fallback_forecast() -> None:
    from models.demand.sums_forecast import sums

    quantiles, points = forecasts(4)
    named = tenant(4)
    dates = pd.date_range("2025-08-01", periods=28).date
    rows = pd.DataFrame(
        [
            {
                "site": named["site"][i],
                "product": named["product"][i],
                "date": dates[h],
                "period": "day",
                "horizon": h + 1,
                "units_point": points[i, h],
            }
            | {f"units_q{q}": quantiles[i, h, k] for k, q in enumerate((10, 50, 90))}
            | {"method": "no_sales" if i == 0 else "champion"}
            for i in range(4)
            for h in range(28)
        ]
    )
    found = sums(rows, named, Sums(TOGETHER), 7)
    tenant_month = _one(found, level="tenant", period="month")
    assert tenant_month["units_point"] == pytest.approx(rows["units_point"].sum(), abs=1e-9)
    assert (tenant_month["series"], tenant_month["series_by_fallback"], tenant_month["days"]) == (4, 1, 28)
    assert tenant_month[["site", "product_group", "product"]].isna().all()
    of_site = _one(found, level="site", period="month", site="e1")
    assert (of_site["series"], of_site["series_by_fallback"]) == (2, 0)


def _one(rows: pd.DataFrame, **where: Any) -> pd.Series:
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]
