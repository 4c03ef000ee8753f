"""The simulated plant: what its customers order, what it makes and ships, day by day, and the weather around it.

Nothing here is of a real company. Everything follows from SEED: a day's figures are the same whenever and for
whichever period they are asked for, so that a later run only adds days. (One product is always new, so that a series
with too little history is there to see: its launch moves along.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd

SEED = 20260101
EPOCH = date(2022, 1, 1)  # the plant's first day; trend and price rises count from here
SITES = ("IZM-01", "ANK-02")
# Each gets a stream of random numbers of its own.
DEMAND, ROUNDING, CHANCE, PROMOTION, STOCK_OUT, WEATHER, FORECAST = range(7)


@dataclass(frozen=True)
class Product:
    """One product. `daily` is its orders a day at EPOCH in Izmir, `yearly` the height of its summer over its mean.

    `bayram` multiplies the orders of the two weeks before a bayram; `chance` is the share of days with any order; each
    degree above what is usual in the season brings `warmth` more.
    """

    code: str
    name: str
    group: str
    sub_group: str
    daily: float
    price: float
    yearly: float = 0.0
    growth: float = 0.04
    bayram: float = 1.1
    chance: float = 1.0
    sites: tuple[str, ...] = SITES
    age_days: int | None = None  # launched so many days before the last day of the data
    warmth: float = 0.0


PRODUCTS = (
    Product("100.01.001", "Maden Suyu 200 ml 24'lü", "İçecek", "Maden Suyu", 240, 96.0, 0.35, 0.05, warmth=0.03),
    Product("100.01.002", "Maden Suyu Limonlu 24'lü", "İçecek", "Maden Suyu", 150, 104.0, 0.40, 0.08, warmth=0.03),
    Product("100.02.001", "Şerbet Demirhindi 1 L", "İçecek", "Şerbet", 45, 62.0, 0.20, 0.02, 1.6),
    Product("100.02.002", "Limonata 1 L", "İçecek", "Şerbet", 80, 58.0, 0.55, 0.06, warmth=0.05),
    Product("100.02.003", "Ayran Şişe 300 ml 12'li", "İçecek", "Şerbet", 120, 88.0, 0.25, 0.03),
    Product("200.01.001", "Susamlı Kraker 40 g 24'lü", "Atıştırmalık", "Kraker", 130, 120.0, -0.05, 0.03),
    Product("200.01.002", "Peynirli Kraker 40 g 24'lü", "Atıştırmalık", "Kraker", 90, 126.0, -0.05, 0.01),
    Product("200.02.001", "Antep Fıstığı 180 g", "Atıştırmalık", "Kuruyemiş", 60, 210.0, -0.10, 0.02, 1.8),
    Product("200.02.002", "Karışık Kuruyemiş 300 g", "Atıştırmalık", "Kuruyemiş", 75, 185.0, -0.08, 0.05, 1.7),
    Product("200.03.001", "Fıstıklı Lokum 500 g", "Atıştırmalık", "Lokum", 35, 160.0, -0.15, 0.00, 4.0),
    Product("200.03.002", "Bayram Şekeri 1 kg", "Atıştırmalık", "Lokum", 20, 140.0, -0.20, -0.02, 5.0),
    Product("300.01.001", "Limon Kolonyası 400 ml", "Temizlik", "Kolonya", 70, 92.0, 0.10, 0.02, 2.5),
    Product("300.02.001", "Sıvı Deterjan 4 L", "Temizlik", "Deterjan", 110, 135.0, 0.05, 0.03),
    Product("300.02.002", "Yüzey Temizleyici 2,5 L", "Temizlik", "Deterjan", 85, 78.0, 0.05, 0.04),
    Product("300.03.001", "Endüstriyel Yağ Sökücü 20 L", "Temizlik", "Endüstriyel", 14, 640.0, chance=0.12),
    Product("300.03.002", "Zemin Cilası 5 L", "Temizlik", "Endüstriyel", 9, 420.0, chance=0.20, sites=("IZM-01",)),
    Product(
        "200.01.003", "Acılı Kraker 40 g 24'lü", "Atıştırmalık", "Kraker", 70, 128.0, sites=("IZM-01",), age_days=12
    ),
)
WEEKDAY = {"IZM-01": (1.15, 1.1, 1.05, 1.05, 1.2, 0.7, 0.0), "ANK-02": (1.2, 1.1, 1.0, 1.0, 1.1, 0.5, 0.1)}
SITE_SHARE = {"IZM-01": 1.0, "ANK-02": 0.6}
CLIMATE = {"IZM-01": (18.5, 10.0), "ANK-02": (12.5, 12.0)}  # °C at noon: the year's mean, and July above it
TOLD_AHEAD = 7  # days of the weather forecast

CAMPAIGNS = {"Bahar kampanyası": (4, 6), "Okula dönüş kampanyası": (9, 7)}  # month and first day of its ten days
REST = "Yıllık bakım duruşu"  # 5 to 14 August: nothing is produced


def _stream(product: Product, site: str, purpose: int) -> np.random.Generator:
    return np.random.default_rng([SEED, PRODUCTS.index(product), SITES.index(site), purpose])


def _campaign(day: date) -> str:
    return next(
        (n for n, (month, first) in CAMPAIGNS.items() if day.month == month and first <= day.day < first + 10), ""
    )


@cache
def _calendar(last: date) -> pd.DataFrame:
    """Every day from EPOCH to `last`: day off, days until the next bayram, Ramadan, name of a campaign, plant's rest."""
    import hijridate
    import holidays

    days = pd.date_range(EPOCH, last)
    found = holidays.country_holidays("TR", years=range(EPOCH.year, last.year + 2))
    bayram = np.array(sorted(d.toordinal() for d, name in found.items() if "Eid" in name or "Bayram" in name))
    ordinals = np.array([d.toordinal() for d in days])
    ahead = bayram[np.minimum(np.searchsorted(bayram, ordinals), len(bayram) - 1)] - ordinals
    months = [hijridate.Gregorian(d.year, d.month, d.day).to_hijri().month for d in days]
    return pd.DataFrame(
        {
            "off": [d.date() in found for d in days],
            "to_bayram": ahead,
            "ramadan": np.array(months) == 9,
            "campaign": [_campaign(d) for d in days],
            "rest": (days.month == 8) & (days.day >= 5) & (days.day <= 14),
        },
        index=days,
    )


def promotions(product: Product, site: str, last: date) -> np.ndarray:
    """Which days from EPOCH on carry a price cut: about one week in eight, from a Monday to the Sunday after."""
    days = (last - EPOCH).days + 1
    week = (np.arange(days) + EPOCH.weekday()) // 7
    lucky = _stream(product, site, PROMOTION).random(week[-1] + 1) < 0.12
    return lucky[week] & (product.chance == 1.0)


def _spells(site: str, days: int) -> np.ndarray:
    """Degrees above the season on each day from EPOCH on: mild and cold spells of a week or so."""
    draws = np.random.default_rng([SEED, SITES.index(site), WEATHER]).standard_normal(days) * 2.0
    above = np.zeros(days)
    for day in range(1, days):
        above[day] = 0.8 * above[day - 1] + draws[day]
    return above


def temperatures(site: str, last: date) -> np.ndarray:
    """Of each day from EPOCH to `last`, °C."""
    mean, swing = CLIMATE[site]
    days = pd.date_range(EPOCH, last)
    season = mean + swing * np.cos(2 * np.pi * (days.dayofyear.to_numpy() - 205) / 365.25)
    return np.round(season + _spells(site, len(days)), 1)


def weather(first: date, last: date) -> pd.DataFrame:
    """What was told from `first` to `last`, each day at 18:00 of the seven days ahead, at 23:30 of the day itself.

    Columns: site, date, told, temperature. A forecast is the worse the further ahead it is.
    """
    parts = []
    for site in SITES:
        true = temperatures(site, last + timedelta(days=TOLD_AHEAD))
        days = len(true) - TOLD_AHEAD
        stream = np.random.default_rng([SEED, SITES.index(site), FORECAST])
        off = stream.standard_normal((days, TOLD_AHEAD)) * 0.7 * np.sqrt(np.arange(1, TOLD_AHEAD + 1))
        for ahead in range(TOLD_AHEAD + 1):
            told_on = pd.date_range(EPOCH, last)
            wrong = off[:, ahead - 1] if ahead else 0.0
            rows = {
                "site": site,
                "date": told_on + pd.Timedelta(days=ahead),
                "told": told_on + pd.Timedelta("18h" if ahead else "23h30min"),
                "temperature": np.round(true[ahead : ahead + days] + wrong, 1),
            }
            parts.append(pd.DataFrame(rows))
    told = pd.concat(parts)
    return told[told["told"] >= pd.Timestamp(first)].sort_values(["told", "site", "date"], ignore_index=True)


def _stock_outs(product: Product, site: str, days: int) -> np.ndarray:
    """Which days the shelf was empty: now and then some days in a row, when orders went elsewhere."""
    draws = _stream(product, site, STOCK_OUT).random((days + 31, 2))
    empty = np.zeros(days, dtype=bool)
    for start in np.flatnonzero(draws[:days, 0] < 0.0025):
        empty[start : start + 2 + int(draws[start, 1] * 4)] = True
    return empty


def _expected(product: Product, site: str, last: date) -> np.ndarray:
    calendar = _calendar(last)
    t = np.arange(len(calendar))
    trend = product.daily * SITE_SHARE[site] * (1 + product.growth) ** (t / 365.25)
    week = np.array(WEEKDAY[site])[(t + EPOCH.weekday()) % 7]
    season = 1 + product.yearly * np.cos(
        2 * np.pi * (pd.DatetimeIndex(calendar.index).dayofyear.to_numpy() - 205) / 365.25
    )
    before = calendar["to_bayram"].between(1, 14).to_numpy()
    mood = np.where(before, product.bayram, 1.0) * np.where(
        calendar["ramadan"] & (product.group == "Atıştırmalık"), 0.85, 1.0
    )
    lift = np.where(promotions(product, site, last), 1.7, 1.0) * np.where(calendar["campaign"] != "", 1.25, 1.0)
    open_ = np.where(calendar["off"], 0.03, 1.0)
    warm = np.exp(product.warmth * _spells(site, len(calendar)))
    return np.asarray(trend * week * season * mood * lift * open_ * warm, dtype=float)


def orders(product: Product, site: str, last: date) -> np.ndarray:
    """Units ordered on each day from EPOCH to `last`; NaN before the product's launch."""
    rng = _stream(product, site, DEMAND)
    expected = _expected(product, site, last)
    days = len(expected)
    # One draw of each kind a day, so that a longer period only adds draws: a gamma-like spread over the Poisson.
    spread = np.exp(rng.standard_normal(days) * 0.16 - 0.0128)
    units = np.floor(expected * spread + _stream(product, site, ROUNDING).random(days))
    if product.chance < 1:
        lucky = _stream(product, site, CHANCE).random(days) < product.chance * (expected > 0.05 * product.daily)
        units = np.where(lucky, np.maximum(1, units), 0.0)
    units[_stock_outs(product, site, days)] = 0.0
    if product.age_days is not None:
        units[: max(0, days - product.age_days)] = np.nan
    return units


def prices(product: Product, site: str, last: date) -> np.ndarray:
    """Net price of one piece on each day from EPOCH: dearer every January and July, a fifth less on promotion."""
    days = pd.date_range(EPOCH, last)
    halves = (days.year - EPOCH.year) * 2 + (days.month > 6)
    cut = np.where(promotions(product, site, last), 0.8, 1.0)
    return np.round(product.price * 1.14 ** halves.to_numpy() * cut, 2)


def made(product: Product, site: str, last: date) -> np.ndarray:
    """Units produced on each day: lots on working days, sized for the week ahead; none while the plant rests."""
    calendar = _calendar(last + timedelta(days=7))
    ordered = np.nan_to_num(orders(product, site, last))
    week = pd.Series(ordered).rolling(7, min_periods=1).sum().to_numpy()
    days_of_lot = (np.arange(len(ordered)) + EPOCH.weekday() + PRODUCTS.index(product)) % 7 == 2
    working = ~(calendar["off"] | calendar["rest"]).to_numpy()[: len(ordered)]
    return np.where(days_of_lot & working, np.ceil(week * 1.03 / 12) * 12, 0.0)


def delivered(product: Product, site: str, last: date) -> np.ndarray:
    """Units delivered on each day: yesterday's orders, and on Monday those of the weekend."""
    ordered = np.nan_to_num(orders(product, site, last))
    weekday = (np.arange(len(ordered)) + EPOCH.weekday()) % 7
    shipped = np.zeros_like(ordered)
    waiting = 0.0
    for day, units in enumerate(ordered):
        if weekday[day] < 5:
            shipped[day], waiting = waiting, 0.0
        waiting += units
    return shipped


def table(figure: str, first: date, last: date) -> pd.DataFrame:
    """`figure` (orders, made or delivered) of every product and site from `first` to `last`, days with units only.

    Columns: site, product, date, units; for orders also unit_price and promotion. An order's row is there for every
    day on which there was one, as an ERP exports it.
    """
    of = {"orders": orders, "made": made, "delivered": delivered}[figure]
    parts = []
    for product in PRODUCTS:
        for site in product.sites:
            columns = {
                "site": site,
                "product": product.code,
                "date": pd.date_range(EPOCH, last),
                "units": of(product, site, last),
            }
            if figure == "orders":
                columns |= {"unit_price": prices(product, site, last), "promotion": promotions(product, site, last)}
            parts.append(pd.DataFrame(columns))
    rows = pd.concat(parts)
    return rows[(rows["date"] >= pd.Timestamp(first)) & (rows["units"] > 0)].sort_values(
        ["date", "site", "product"], ignore_index=True
    )


def events(first: date, last: date) -> pd.DataFrame:
    """Campaigns and the plant's rest that were announced by `last`, 30 days ahead. Columns: date, event, kind, announced."""
    calendar = _calendar(last + timedelta(days=30))[pd.Timestamp(first) :]
    parts = [
        pd.DataFrame({"date": found.index, "event": found["campaign"], "kind": "campaign"})
        if kind == "campaign"
        else pd.DataFrame({"date": found.index, "event": REST, "kind": "shutdown"})
        for kind, found in (
            ("campaign", calendar[calendar["campaign"] != ""]),
            ("shutdown", calendar[calendar["rest"]]),
        )
    ]
    rows = pd.concat(parts).sort_values(["date", "event"], ignore_index=True)
    return rows.assign(announced=rows["date"] - pd.Timedelta(days=30))
