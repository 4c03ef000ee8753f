"""A made-up plant for the tests of the models: sales by formula, and the feature rows and calendar that belong to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from expectations.tables import LAGS, LAST_YEAR_LAGS, ROLLING_MEANS, ROLLING_STDS

FIRST = date(2025, 1, 6)  # a Monday
HOLIDAYS = {date(2025, 4, 23): "Children's Day", date(2025, 5, 1): "Labour Day", date(2025, 5, 19): "Youth Day"}


def _window(units: np.ndarray, day: int, width: int) -> np.ndarray:
    """The days that end with `day`, the oldest first; fewer at the beginning."""
    return units[max(0, day - width + 1) : day + 1] if day >= 0 else units[:0]


def _mean(units: np.ndarray, day: int, width: int) -> float:
    window = _window(units, day, width)
    return float(window.mean()) if len(window) else np.nan


def _row(units: np.ndarray, day: int, group_mean: float) -> dict[str, Any]:
    """One row's numbers by their definitions, day 0 being the series' first."""
    sold = np.flatnonzero(units[: day + 1] > 0)
    lag = {f"units_lag_{k}": units[day - k] if day >= k else np.nan for k in LAGS}
    std = {f"units_std_{w}": float(np.std(_window(units, day, w), ddof=1)) if day else np.nan for w in ROLLING_STDS}
    return {
        **lag,
        **{f"units_mean_{w}": _mean(units, day, w) for w in ROLLING_MEANS},
        **std,
        **{f"units_mean_7_lag_{k}": _mean(units, day - k, 7) for k in LAST_YEAR_LAGS},
        "units_zero_share_28": float((_window(units, day, 28) == 0).mean()),
        "days_since_first": float(day),
        "days_since_last_sale": float(day - sold[-1]) if len(sold) else np.nan,
        "unit_price": np.nan,
        "unit_price_ratio_28": np.nan,
        "promotion_share_28": np.nan,
        "group_units_mean_28": group_mean,
        "share_of_group_28": _mean(units, day, 28) / group_mean if group_mean > 0 else np.nan,
    }


@dataclass(frozen=True)
class World:
    """`units` is (products, days) from FIRST on at one site; every product's group is the first letter of its name."""

    products: tuple[str, ...]
    units: np.ndarray
    site: str = "gebze"
    first: date = FIRST

    @property
    def last(self) -> date:
        return self.first + timedelta(days=self.units.shape[1] - 1)

    def day(self, number: int) -> date:
        return self.first + timedelta(days=number)

    def recent(self, days: int) -> World:
        """The same plant, begun so many days ago."""
        return World(self.products, self.units[:, -days:], self.site, self.day(self.units.shape[1] - days))

    def sales(self) -> pd.DataFrame:
        """Rows of the days with units; a day without has none, as in an ERP."""
        row, day = np.nonzero(self.units > 0)
        names = np.array(self.products, dtype=object)
        dates = [self.day(int(d)) for d in day]
        return pd.DataFrame({"site": self.site, "product": names[row], "date": dates, "units": self.units[row, day]})

    def features(self, nights: Sequence[int] | None = None) -> pd.DataFrame:
        """DEMAND_FEATURES of the given days (by number; all if None), of series from their first sale on."""
        rows = []
        for day in range(self.units.shape[1]) if nights is None else nights:
            for product, units in zip(self.products, self.units, strict=True):
                begin = int(np.flatnonzero(units > 0)[0]) if (units > 0).any() else day + 1
                if day < begin:
                    continue
                group = self.units[[p[0] == product[0] for p in self.products]]
                group_mean = _mean(group.sum(axis=0), day, 28)
                rows.append({"product": product, "date": self.day(day), **_row(units[begin:], day - begin, group_mean)})
        frame = pd.DataFrame(rows).assign(tenant="acme", site=self.site)
        cut_off = pd.to_datetime(frame["date"]).dt.tz_localize("Europe/Istanbul") + pd.Timedelta(days=1, hours=6)
        return frame.assign(
            cut_off=cut_off.dt.tz_convert("UTC"),
            product_group=frame["product"].str[0],
            product_sub_group=frame["product"].str[:2],
            year=[d.year for d in frame["date"]],
        )

    def calendar(self, days_ahead: int = 150, events: dict[date, tuple[str, str]] | None = None) -> pd.DataFrame:
        """CALENDAR_FEATURES, all known long before; `events` maps a day to (kind, event)."""
        rows = [_calendar_row(self.site, self.day(n), events or {}) for n in range(self.units.shape[1] + days_ahead)]
        return pd.DataFrame(rows)


def _calendar_row(site: str, day: date, events: dict[date, tuple[str, str]]) -> dict[str, Any]:
    stamp = pd.Timestamp(day)
    kind_and_event = events.get(day)
    gap = [(h - day).days for h in HOLIDAYS]
    return {
        "tenant": "acme",
        "site": site,
        "date": day,
        "available_at": pd.Timestamp("2020-01-01", tz="UTC"),
        "superseded_at": pd.NaT,
        "day_of_week": stamp.isoweekday(),
        "day_of_month": stamp.day,
        "day_of_year": stamp.dayofyear,
        "week_of_year": stamp.isocalendar()[1],
        "month": stamp.month,
        "is_weekend": stamp.isoweekday() > 5,
        "is_month_start": stamp.is_month_start,
        "is_month_end": stamp.is_month_end,
        "is_holiday": day in HOLIDAYS,
        "is_half_holiday": False,
        "is_religious_holiday": False,
        "holiday": HOLIDAYS.get(day),
        "is_bridge_day": False,
        "is_ramadan": False,
        "days_to_holiday": min([15, *(g for g in gap if g >= 0)]),
        "days_since_holiday": min([15, *(-g for g in gap if g <= 0)]),
        "event_kinds": [kind_and_event[0]] if kind_and_event else [],
        "events": [kind_and_event[1]] if kind_and_event else [],
    }


def weekly(products: int = 6, days: int = 200, noise: float = 0.1, seed: int = 1) -> World:
    """A weekly pattern with noise and a slow rise; each product has its own size."""
    chance = np.random.default_rng(seed)
    pattern = np.array([1.0, 1.1, 1.2, 1.1, 1.4, 0.5, 0.2])[np.arange(days) % 7]
    size = 20.0 * 2 ** np.arange(products)[:, None]
    rise = 1 + 0.2 * np.arange(days)[None, :] / days
    units = size * pattern[None, :] * rise * np.exp(chance.normal(0, noise, (products, days)))
    return World(tuple(f"{'AB'[i % 2]}{i:02d}" for i in range(products)), np.round(units, 1))


@pytest.fixture(scope="session")
def weekly_world() -> World:
    return weekly()


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    """Makes a World from products and units."""
    return World


@pytest.fixture(scope="session")
def make_weekly() -> Callable[..., World]:
    return weekly


@pytest.fixture(scope="session")
def data_of() -> Callable[..., Any]:
    """Makes the training data of a world, up to its last day."""
    from models.demand.arrays import day
    from models.demand.calendar import Calendar
    from models.demand.folds import Data
    from models.demand.origins import Origins
    from models.demand.panel import Panel

    def make(world: World, nights: Sequence[int] | None = None) -> Data:
        return Data(
            origins=Origins.from_features(world.features(nights)),
            calendar=Calendar.from_features(world.calendar()),
            panel=Panel.from_sales(world.sales()),
            last_day=day(world.last),
        )

    return make


@pytest.fixture(scope="session")
def small_parameters() -> Any:
    """Enough to learn a weekly pattern in a second."""
    from models.demand.parameters import parameters

    trees = {
        "rounds": 40,
        "tail_rounds": 40,
        "leaves": 15,
        "learning_rate": 0.15,
        "tail_learning_rate": 0.15,
    }
    return parameters({"members": ["seasonal_naive", "lightgbm"], "threads": 1, "max_rows": 15_000, "trees": trees})


@pytest.fixture(scope="session")
def small_data(weekly_world: World, data_of: Callable[..., Any]) -> Any:
    return data_of(weekly_world)


@pytest.fixture(scope="session")
def small_training(small_data: Any, small_parameters: Any) -> Any:
    from models.demand.training import train

    return train(small_data, small_parameters)
