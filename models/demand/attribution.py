"""How many pieces of a median each driver accounts for: additive, exact, and as cheap as a prediction.

Of the trees see `models.demand.leaves`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from models.demand import naive
from models.demand.arrays import Bools, Floats, codes, nan_mean
from models.demand.calendar import Calendar
from models.demand.design import TERMS
from models.demand.drivers import DRIVERS, HOLIDAY, OTHER, SEASON, TREND
from models.demand.ensemble import segments
from models.demand.frame import CATEGORIES, ORIGIN_COLUMNS, build_all, column_names
from models.demand.history import History
from models.demand.leaves import in_units, leaf_pieces, logs, ordinary
from models.demand.lstm import CHUNK, Inputs, Lstm, inputs
from models.demand.members import Members
from models.demand.model import DemandModel, has_path
from models.demand.origins import Origins
from models.demand.parameters import HISTORY, LIGHTGBM, LSTM, MEDIAN, QUANTILES, REGRESSION, SEASONAL_NAIVE, TSB
from models.demand.regression import Regression
from models.demand.tsb import Tsb
from models.demand.vocabulary import Vocabulary

if TYPE_CHECKING:
    pass

FACTOR_BOUNDS = (-1.5, 4.0)  # of a logarithm
SEASONS = 4  # whose mean is the level


def medians(model: DemandModel, origins: Origins, calendar: Calendar, published: Floats) -> Floats:
    """The drivers' pieces of each `published` median (n, horizon), (n, horizon, drivers): they add up to it.

    The drivers are DRIVERS, and behind them each factor that the model knows, by itself: see `drivers.by_factor`.

    level: the mean of the series' last four weeks. season: what the same weekdays were beyond that, and what the model takes
    from the calendar's rhythm and last year. trend: what it takes from the latest weeks. price: from price and promotions
    of late. holiday: from holidays and other known events. factor: from numbers from outside,
    as far as the trees say so. other: what no driver explains.
    """
    horizon = model.members.horizon
    width = len(DRIVERS) + len(model.members.words.factors)
    said = [_member(model.members, m, origins, calendar) for m in model.blend.members]
    each = np.stack([_widened(of_member, width) for of_member in said], axis=-1)
    silent = np.isnan(each[:, :, 0, :])
    stack = np.where(silent[:, :, None, :], np.nan, 0.0)
    segment = segments(origins.sparse, origins.level, has_path(stack, model.blend.members))
    share = np.where(silent, 0.0, model.blend.weights[segment][:, None, :])
    share = share / np.maximum(share.sum(axis=-1, keepdims=True), 1e-12)
    found = np.einsum("nhdm,nhm->nhd", np.nan_to_num(each), share)
    found[..., DRIVERS.index(OTHER)] += published[:, :horizon] - found.sum(axis=-1)
    return np.asarray(found)


def _widened(pieces: Floats, width: int) -> Floats:
    return np.concatenate([pieces, np.zeros((*pieces.shape[:-1], width - pieces.shape[-1]))], axis=-1)


def without_skill(origins: Origins, published: Floats) -> Floats:
    """The pieces of the past year's distribution: the level of the last weeks, and how far the year lies beside it."""
    found = np.zeros((*published.shape, len(DRIVERS)))
    found[..., 0] = _level(origins)[:, None]
    found[..., DRIVERS.index(TREND)] = published - found[..., 0]
    return found


def repeated_weeks(published: Floats) -> Floats:
    """The pieces of a fallback's medians, which are a level and its days: (n, horizon, drivers)."""
    found = np.zeros((*published.shape, len(DRIVERS)))
    found[..., 0] = published.mean(axis=1, keepdims=True)
    found[..., 1] = published - found[..., 0]
    return found


def _member(members: Members, name: str, origins: Origins, calendar: Calendar) -> Floats:
    """(n, horizon, drivers) of one member's median; NaN where it says nothing."""
    horizon = members.horizon
    if name == SEASONAL_NAIVE:
        return _naive(origins, horizon)
    if name == HISTORY and members.history is not None:
        return _flat(members.history, origins, horizon)
    if name == TSB and members.tsb is not None:
        return _flat(members.tsb, origins, horizon)
    if name == LIGHTGBM and members.trees is not None:
        return _trees(members, origins, calendar)
    if name == LSTM and members.lstm is not None:
        return _lstm(members.lstm, origins, calendar, members.words, horizon)
    if name == REGRESSION and members.regression is not None:
        return _regression(members.regression, origins, calendar, horizon)
    said = members.stack((name,), origins, calendar)[..., QUANTILES.index(MEDIAN), 0]
    return _path(said, origins, calendar, horizon)


def _level(origins: Origins) -> Floats:
    """The mean of the last four seasons, four weeks of days and of weeks alike; of all lags where these are unknown."""
    found = nan_mean(origins.lags[:, : SEASONS * origins.period.season])
    return np.where(np.isnan(found), np.nan_to_num(nan_mean(origins.lags)), found)


def _base(origins: Origins, horizon: int) -> Floats:
    """What all members begin with: the level, and as season what the last same weekdays were beyond it."""
    level = _level(origins)
    usual = np.tile(origins.weekday_mean, (1, origins.period.seasons(horizon)))[:, :horizon]
    found = np.zeros((len(origins), horizon, len(DRIVERS)))
    found[..., 0] = level[:, None]
    found[..., 1] = usual - level[:, None]
    return found


def _naive(origins: Origins, horizon: int) -> Floats:
    """The last same weekday, against the mean of four: that is its trend."""
    found = _base(origins, horizon)
    found[..., DRIVERS.index(TREND)] = naive.point(origins, horizon) - found.sum(axis=-1)
    return found


def _flat(member: History | Tsb, origins: Origins, horizon: int) -> Floats:
    """The same median on every day: where it lies beside the level is the slow way of the series."""
    median = member.predict(origins, horizon)[..., QUANTILES.index(MEDIAN)]
    return np.where(np.isnan(median)[..., None], np.nan, without_skill(origins, median))


def _trees(members: Members, origins: Origins, calendar: Calendar) -> Floats:
    trees = members.trees
    if trees is None:
        raise ValueError("LightGBM was asked and is not among the fitted members")
    found = _widened(_base(origins, members.horizon), len(DRIVERS) + len(members.words.factors))
    booster = trees.boosters[QUANTILES.index(MEDIAN)]
    table: Floats | None = None
    for begin in range(0, len(origins), CHUNK):
        some = np.arange(begin, min(begin + CHUNK, len(origins)))
        frame = build_all(origins.take(some), calendar, members.words, members.horizon)
        table = leaf_pieces(booster, frame.names, origins.period) if table is None else table
        pieces = in_units(logs(booster, table, frame, members.threads), frame)
        shape = (len(some), members.horizon, -1)
        found[some] += pieces.reshape(shape) * origins.scale[some, None, None]
    return found


def _lstm(lstm: Lstm, origins: Origins, calendar: Calendar, words: Vocabulary, horizon: int) -> Floats:
    """Beside the usual: what changes when the days ahead are ordinary ones is the holidays', the rest no driver's."""
    found = _base(origins, horizon)
    middle = QUANTILES.index(MEDIAN)
    for begin in range(0, len(origins), CHUNK):
        some = np.arange(begin, min(begin + CHUNK, len(origins)))
        given = inputs(origins.take(some), calendar, words, horizon)
        scale = origins.scale[some, None]
        said = lstm.forward(lstm.standardise(given))[..., middle] * scale
        plain = lstm.forward(lstm.standardise(_on_ordinary_days(given, words)))[..., middle] * scale
        found[some, :, DRIVERS.index(HOLIDAY)] = said - plain
        found[some, :, DRIVERS.index(OTHER)] = plain - given.base * scale
    return found


def _regression(regression: Regression, origins: Origins, calendar: Calendar, horizon: int) -> Floats:
    """Its own terms, the season beside that of the latest periods: what is left beyond the level is the trend's."""
    found = np.full((len(origins), horizon, len(DRIVERS)), np.nan)
    level, row = _level(origins), codes(origins.key, regression.keys)
    for some, latest, ahead in regression.terms(origins, calendar, horizon):
        median = regression.in_units(row[some], ahead)[..., QUANTILES.index(MEDIAN)]
        pieces = np.zeros((*median.shape, len(DRIVERS)))
        pieces[..., 0] = level[some, None]
        for driver, term in ((SEASON, "season"), (HOLIDAY, "holiday")):
            at = TERMS.index(term)
            beyond = ahead[..., at] - (latest[:, None, at] if driver == SEASON else 0.0)
            # a factor e^b of what the median is, as pieces: the median less what it would be without
            pieces[..., DRIVERS.index(driver)] = median * -np.expm1(-np.clip(beyond, *FACTOR_BOUNDS))
        pieces[..., DRIVERS.index(TREND)] = median - pieces.sum(axis=-1)
        found[some] = pieces
    return found


def _path(median: Floats, origins: Origins, calendar: Calendar, horizon: int) -> Floats:
    """How a path goes on beyond its last four weeks: on days that have a name the holiday's, on others the trend's.

    A stored path has no components, nor has what AutoGluon says; its slow way holds the yearly season too.
    """
    found = _base(origins, horizon)
    onward = median - found.sum(axis=-1)
    named = _named(origins, calendar, horizon)
    found[..., DRIVERS.index(HOLIDAY)] = np.where(named, onward, 0.0)
    found[..., DRIVERS.index(TREND)] = np.where(named, 0.0, onward)
    return np.where(np.isnan(median)[..., None], np.nan, found)


def _named(origins: Origins, calendar: Calendar, horizon: int) -> Bools:
    """Which days ahead have a holiday or another event, as known at the origin's cut-off: (n, horizon)."""
    if not len(calendar.day):
        return np.zeros((len(origins), horizon), dtype=bool)
    each = np.repeat(np.arange(len(origins)), horizon)
    ahead = np.tile(np.arange(1, horizon + 1), len(origins))
    row = calendar.find(codes(origins.site, calendar.sites)[each], origins.day[each] + ahead, origins.cut_off[each])
    return np.asarray(((row >= 0) & (calendar.occasion[row] >= 0)).reshape(len(origins), horizon))


def _on_ordinary_days(given: Inputs, words: Vocabulary) -> Inputs:
    """The same days ahead without a holiday or another event, and as far from one as the calendar tells."""
    names = column_names(words)[len(ORIGIN_COLUMNS) : -len(CATEGORIES)]
    numbers = ordinary(given.future[..., : len(names)], names)
    return replace(given, future=np.concatenate([numbers, given.future[..., len(names) :]], axis=-1))
