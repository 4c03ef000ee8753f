"""A made-up plant's wide weekly export: a row a week, a column a product; holidays, promotions and cotton's price beside.

Promotions multiply what is sold by PROMOTED; those of the weeks to come are planned in it, without units.
"""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

import numpy as np

FIRST = date(2022, 1, 3)  # a Monday
WEEKS = 130
AHEAD = 13
PROMOTED = 1.9
PRODUCTS = ("A-100", "A-200", "A-300", "B-100", "B-200", "B-300")
MAP = """
time_zone: Europe/Istanbul
thousands: ','
imports:
  - contract: sales
    known_time: {lag: P7D}
    wide: {all_but: [week, TOTAL, holiday, promo, cotton], header: product, value: units}
    columns: {site: {constant: gebze}, product: product, date: week, units: units}
  - contract: calendar_events
    known_time: {lag: -P365D}
    filter: {holiday: {empty: false}}
    columns: {site: {constant: '*'}, date: week, event: holiday, kind: {constant: holiday}}
  - contract: calendar_events
    known_time: {lag: -P365D}
    filter: {promo: ['1']}
    columns: {site: {constant: '*'}, date: week, event: {constant: promo}, kind: {constant: promotion}}
  - contract: factors
    known_time: {lag: P7D}
    filter: {cotton: {empty: false}}
    columns: {site: {constant: '*'}, date: week, factor: {constant: cotton_price}, value: cotton, unit: {constant: TRY/kg}}
  - contract: sites
    known_time: {at: 2022-01-01}
    once_per: []
    columns: {site: {constant: gebze}, country: {constant: TR}, time_zone: {constant: Europe/Istanbul}}
"""


def last_day() -> date:
    """The Sunday of the last week with units."""
    return FIRST + timedelta(weeks=WEEKS, days=-1)


def monday(ahead: int) -> date:
    """Of the week so many weeks after the last with units."""
    return FIRST + timedelta(weeks=WEEKS - 1 + ahead)


def promoted(seed: int = 11) -> np.ndarray:
    """(weeks and weeks ahead,): a promotion in one week of five, some of them ahead."""
    chance = np.random.default_rng(seed)
    planned = chance.random(WEEKS + AHEAD) < 0.2
    planned[WEEKS:] = np.isin(np.arange(AHEAD), (3, 8))
    return planned


def units(seed: int = 11) -> np.ndarray:
    """(products, weeks): a size, a slow season, promotions, a dip at holidays, noise."""
    chance = np.random.default_rng(seed + 1)
    week = np.arange(WEEKS)
    size = 200.0 * 1.7 ** np.arange(len(PRODUCTS))[:, None]
    season = 1 + 0.15 * np.sin(2 * np.pi * week / 52)
    lifted = np.where(promoted(seed)[:WEEKS], PROMOTED, 1.0) * np.where(week % 26 == 17, 0.6, 1.0)
    return np.round(size * season * lifted * np.exp(chance.normal(0, 0.08, (len(PRODUCTS), WEEKS))))


def cotton(seed: int = 11) -> np.ndarray:
    """(weeks,): a price that wanders and moves no demand."""
    return np.round(60 + np.cumsum(np.random.default_rng(seed + 2).normal(0, 1, WEEKS)), 2)


def wide_csv(seed: int = 11) -> str:
    """The export, with ISO weeks, commas between thousands, a column of totals, and cells that are empty."""
    made, planned, price = units(seed), promoted(seed), cotton(seed)
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["week", *PRODUCTS, "TOTAL", "holiday", "promo", "cotton"])
    for w in range(WEEKS + AHEAD):
        year, week, _ = (FIRST + timedelta(weeks=w)).isocalendar()
        cells = [f"{u:,.0f}" for u in made[:, w]] if w < WEEKS else [""] * len(PRODUCTS)
        total = f"{made[:, w].sum():,.0f}" if w < WEEKS else ""
        event, paid = "Fair" if w % 26 == 17 else "", price[w] if w < WEEKS else ""
        rows.writerow([f"{year}-W{week:02d}", *cells, total, event, int(planned[w]), paid])
    return text.getvalue()
