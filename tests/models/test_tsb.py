"""TSB: a chance of a sale that forgets, and the sizes of the past year."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import Floats
from models.demand.evaluate import pinball
from models.demand.history import History
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.periods import DAY, WEEK
from models.demand.tsb import SPEED, Tsb
from models.demand.windows import origins_at


def _panel(units: Floats) -> Panel:
    return Panel(np.array([f"gebze/A{k:02d}" for k in range(len(units))], dtype=object), 0, units)


def _origins(panel: Panel, day: int) -> Origins:
    products = [key.split("/")[1] for key in panel.keys]
    series = pd.DataFrame({"site": "gebze", "product": products, "product_group": "", "product_sub_group": ""})
    rows = np.arange(len(panel.keys))
    return origins_at(panel, series.assign(level=""), rows, np.full(len(rows), day), DAY, 28)


def _drawn(rates: Floats, seed: int = 4) -> Floats:
    """Bernoulli sales of lognormal sizes, whose median is 20, by their rates (series, days)."""
    chance = np.random.default_rng(seed)
    return np.where(chance.random(rates.shape) < rates, np.ceil(20 * np.exp(chance.normal(0, 0.5, rates.shape))), 0.0)


def _loss(rates: Floats, known: int) -> tuple[float, float]:
    """Pinball loss of TSB and of the past year's distribution in the 28 days after `known`."""
    panel = _panel(_drawn(rates))
    past = panel.until(known - 1)
    actual = panel.units[:, known : known + 28]
    origins = _origins(past, known - 1)
    said = Tsb.fit(past, DAY).predict(origins, 28), History.fit(past, DAY).predict(origins, 28)
    tsb, history = (float(pinball(actual, of).mean()) for of in said)
    return tsb, history


def test_where_the_rate_of_sales_changes_it_is_better_than_the_past_year() -> None:
    rates = np.full((60, 400), 0.4)
    rates[:, 300:] = 0.1
    tsb, history = _loss(rates, 370)
    assert tsb < 0.95 * history


def test_where_it_stays_it_brings_nothing_and_loses_little() -> None:
    tsb, history = _loss(np.full((60, 400), 0.3), 370)
    assert tsb == pytest.approx(history, rel=0.005)


def test_its_chance_is_that_of_statsforecast_once_the_start_is_forgotten() -> None:
    from statsforecast.models import TSB

    units = _drawn(np.full((3, 900), 0.3))
    found = Tsb.fit(_panel(units), DAY)
    for row, of_series in enumerate(units):
        sold = (of_series > 0).astype(float)  # of ones the mean is the chance
        its = TSB(alpha_d=0.5, alpha_p=SPEED["day"]).forecast(sold, 1)["mean"][0]
        assert found.sold[row] / found.known[row] == pytest.approx(float(its), abs=1e-5)


def test_a_night_goes_on_from_the_training_with_the_days_since() -> None:
    panel = _panel(_drawn(np.full((5, 200), 0.3)))
    origins = _origins(panel, 199)
    month_old = Tsb.fit(panel.until(179), DAY)._chance(origins)
    assert month_old == pytest.approx(Tsb.fit(panel, DAY)._chance(origins))


def test_quantiles_are_of_days_with_and_without_a_sale() -> None:
    units = np.tile([0.0, 0.0, 0.0, 6.0], 100)[None, :]
    origins = _origins(_panel(units), 399)
    said = Tsb.fit(_panel(units), DAY).predict(origins, 2)
    assert said[0].tolist() == [[0.0, 0.0, 6.0]] * 2  # a quarter of the days have 6 pieces


def test_an_unknown_day_counts_nothing() -> None:
    units = _drawn(np.full((2, 100), 0.3))
    gap = np.concatenate([units, np.full((2, 9), np.nan)], axis=1)
    assert Tsb.fit(_panel(gap), DAY).sold.tolist() == Tsb.fit(_panel(units), DAY).sold.tolist()


def test_of_a_series_that_it_does_not_have_it_says_nothing() -> None:
    panel = _panel(_drawn(np.full((3, 100), 0.3)))
    said = Tsb.fit(panel.take(np.array([0, 2])), DAY).predict(_origins(panel, 99), 28)
    assert np.isnan(said[1]).all()
    assert not np.isnan(said[[0, 2]]).any()


def test_a_series_without_a_sale_is_forecast_none() -> None:
    panel = _panel(np.zeros((1, 100)))
    assert not Tsb.fit(panel, DAY).predict(_origins(panel, 99), 28).any()


@pytest.mark.parametrize("period", [DAY, WEEK])
def test_a_stored_one_is_the_same(tmp_path: Path, period: Any) -> None:
    panel = _panel(_drawn(np.full((3, 100), 0.3)))
    found = Tsb.fit(panel, period)
    found.save(tmp_path / "tsb.npz")
    origins = _origins(panel, 99)
    assert np.array_equal(Tsb.load(tmp_path / "tsb.npz").predict(origins, 7), found.predict(origins, 7))
