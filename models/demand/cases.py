"""The nearest past cases of a night: when a series last stood as it stands now, and what it sold in the weeks after.

A case is an earlier night, whole weeks ago, whose weeks after are all known. Alike is who is near by standardised distance
(nearest neighbours on scaled features: Fix and Hodges 1951) in the shape of the last weeks, trend, price, promotions,
season and the holidays ahead. A series with too little past is given cases of its group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.demand.arrays import Bools, Floats, Ints, Singles, Strings, codes, days, divide, nan_mean, strings, to_date
from models.demand.calendar import FLAGS, Calendar

COLUMNS = ("site", "product", "product_group", "date", "units_mean_7", "unit_price_ratio_28", "promotion_share_28")
WEEK = 7
AHEAD = 4  # weeks that a case went on for
SHAPE = 4  # weeks whose form is compared, and whose mean is the level
LONGER = 12  # weeks against which the level tells a trend
YEAR_DAYS = 365.25
K = 3
APART = 4  # weeks between two cases: nearer nights tell the same story
CHUNK = 2_000  # series at a time
MOST = 5_000  # cases of a group, looked at for a series that has none of its own


@dataclass(frozen=True)
class Cases:
    """`near` (n, K) are the nights of the cases as days since 1970, -1 where there is none; `key` whose they are.

    `distance` (n, K) and `units` (n, K, AHEAD): what was sold in each week after, at today's level.
    """

    near: Ints
    key: Strings
    distance: Floats
    units: Floats

    def records(self, row: int) -> list[dict[str, object]]:
        """The cases of one series, nearest first, in plain words for JSON."""
        return [
            {
                "night": to_date(self.near[row, k]).isoformat(),
                "series": str(self.key[row, k]),
                "distance": round(float(self.distance[row, k]), 3),
                "units_weeks": [round(float(v), 3) for v in self.units[row, k]],
                "units": round(float(self.units[row, k].sum()), 3),
            }
            for k in range(self.near.shape[1])
            if self.near[row, k] >= 0
        ]


def nights(night: int, weeks: int) -> Ints:
    """The days whose feature rows are needed for cases of up to `weeks` weeks ago: every seventh up to the night."""
    return np.asarray(night - WEEK * np.arange(weeks + AHEAD + LONGER)[::-1], dtype=np.int64)


@dataclass(frozen=True)
class _Past:
    """Weeks of every series, (n, weeks): the last one ends with the night."""

    keys: Strings
    site: Strings
    group: Strings
    units: Floats
    price: Floats
    promotion: Floats


def nearest(features: pd.DataFrame, calendar: Calendar, night: int, weeks: int) -> tuple[Strings, Cases]:
    """Keys ("site/product") of the series that have a row on the night, and their cases.

    `features` has COLUMNS, of one tenant, on the days of `nights`: each row as it was known at the cut-off of its own day,
    so that no case rests on what came later.
    """
    past = _weeks(features, nights(night, weeks))
    at = np.arange(LONGER - 1, past.units.shape[1])
    situation, level = _situations(past, at, calendar, nights(night, weeks))
    after = _after(past.units, at)
    usable = np.isfinite(after).all(axis=2) & (level > 0) & np.isfinite(situation[:, :, :SHAPE]).all(axis=2)
    spread = np.nanstd(situation[usable], axis=0) if usable.any() else np.ones(situation.shape[2])
    scaled = np.nan_to_num(situation / np.where(spread > 1e-9, spread, 1.0)).astype(np.float32)
    now = np.flatnonzero(~np.isnan(past.units[:, -1]))
    own = [_own(scaled[some], usable[some]) for some in _chunks(now)]
    position = np.concatenate([np.zeros((0, K), dtype=np.int64), *(o[0] for o in own)])
    distance = np.concatenate([np.zeros((0, K)), *(o[1] for o in own)])
    whose = np.repeat(now[:, None], K, axis=1)
    _from_group(past, now, scaled, usable, whose, position, distance)
    there = position >= 0
    scale = divide(level[now, -1][:, None], np.where(there, level[whose, position], np.nan))
    days_of = nights(night, weeks)[at]
    return past.keys[now], Cases(
        near=np.where(there, days_of[position], -1),
        key=past.keys[whose],
        distance=np.where(there, distance, np.nan),
        units=after[whose, position] * WEEK * np.nan_to_num(scale)[:, :, None],
    )


def _weeks(features: pd.DataFrame, grid: Ints) -> _Past:
    key = strings(features["site"]) + "/" + strings(features["product"])
    row, keys = pd.factorize(key, sort=True)  # np.unique would take seconds over two million texts
    first = np.full(len(keys), -1)
    first[row[::-1]] = np.arange(len(row))[::-1]
    column = (days(features["date"]) - grid[0]) // WEEK

    def placed(name: str) -> Floats:
        found = np.full((len(keys), len(grid)), np.nan)
        found[row, column] = features[name].to_numpy(dtype=float)
        return found

    site, group = (strings(features[name])[first] for name in ("site", "product_group"))
    return _Past(keys, site, group, *(placed(n) for n in COLUMNS[4:]))


def _situations(past: _Past, at: Ints, calendar: Calendar, grid: Ints) -> tuple[Floats, Floats]:
    """(n, len(at), features) and the level (n, len(at)): the mean of the last SHAPE weeks."""
    recent = past.units[:, at[:, None] - np.arange(SHAPE)[None, :]]
    level = recent.mean(axis=2)
    longer = nan_mean(past.units[:, at[:, None] - np.arange(LONGER)[None, :]])
    shape = divide(recent, np.broadcast_to(level[:, :, None], recent.shape))
    trend = np.log(np.maximum(np.nan_to_num(divide(level, longer), nan=1.0), 0.05))
    angle = 2 * np.pi * (grid[at] % YEAR_DAYS) / YEAR_DAYS
    season = np.broadcast_to(np.stack([np.sin(angle), np.cos(angle)], axis=1), (*level.shape, 2))
    price, promotion = (np.nan_to_num(p[:, at], nan=v) for p, v in ((past.price, 1.0), (past.promotion, 0.0)))
    ahead = _days_off(calendar, past.site, grid[at])
    return np.concatenate([shape, np.stack([trend, price, promotion], axis=2), season, ahead], axis=2), level


def _days_off(calendar: Calendar, site: Strings, night: Ints) -> Floats:
    """Holidays and other events in each of the AHEAD weeks after each night, (n, nights, AHEAD).

    As known at the night's end: a case is found by what could be known ahead of it.
    """
    sites, of = np.unique(site, return_inverse=True)
    found = np.zeros((len(sites), len(night), AHEAD))
    if len(calendar.day):
        target = (night[:, None] + np.arange(1, AHEAD * WEEK + 1)[None, :]).reshape(-1)
        known = np.repeat((night + 2) * 86_400_000_000, AHEAD * WEEK)  # no site's cut-off is later than that day's end
        holiday = FLAGS.index("is_holiday")
        for number, position in enumerate(codes(sites, calendar.sites)):
            row = calendar.find(np.full(len(target), position), target, known)
            off = (calendar.numbers[row, holiday] > 0) | (calendar.kind_share[row] > 0).any(axis=1)
            found[number] = (off & (row >= 0)).reshape(len(night), AHEAD, WEEK).sum(axis=2)
    return found[of]


def _after(units: Floats, at: Ints) -> Floats:
    """Mean units a day of each week after, (n, len(at), AHEAD); NaN where it is not over yet."""
    column = at[:, None] + np.arange(1, AHEAD + 1)[None, :]
    inside = column < units.shape[1]
    return np.where(inside, units[:, np.where(inside, column, 0)], np.nan)


def _chunks(rows: Ints) -> list[Ints]:
    return [rows[begin : begin + CHUNK] for begin in range(0, len(rows), CHUNK)]


def _own(scaled: Singles, usable: Bools) -> tuple[Ints, Floats]:
    """Positions (n, K) among the series' own nights, at least APART from each other, and how far; -1 where none is left."""
    away = np.sqrt(((scaled - scaled[:, -1:, :]) ** 2).mean(axis=2))
    away = np.where(usable, away, np.inf)
    position, distance = np.full((len(away), K), -1), np.full((len(away), K), np.inf)
    each, nights_of = np.arange(len(away)), np.arange(away.shape[1])
    for k in range(K):
        best = away.argmin(axis=1)
        distance[:, k] = away[each, best]
        position[:, k] = np.where(np.isfinite(distance[:, k]), best, -1)
        away[np.abs(nights_of[None, :] - best[:, None]) < APART] = np.inf
    return position, distance


def _from_group(
    past: _Past, now: Ints, scaled: Singles, usable: Bools, whose: Ints, position: Ints, distance: Floats
) -> None:
    """Fill what is missing in `whose`, `position` and `distance`: all of a group at its site is looked at."""
    name = past.site + "/" + past.group
    for i in np.flatnonzero((position < 0).any(axis=1)):
        mates = np.flatnonzero(name == name[now[i]])
        series, night = np.nonzero(usable[mates])
        every = max(1, len(series) // MOST)
        series, night = mates[series[::every]], night[::every]
        away = np.sqrt(((scaled[series, night] - scaled[now[i], -1]) ** 2).mean(axis=1))
        missing = np.flatnonzero(position[i] < 0)
        for k, best in zip(missing, np.argsort(away, kind="stable"), strict=False):
            whose[i, k], position[i, k], distance[i, k] = series[best], night[best], away[best]
