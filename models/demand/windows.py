"""Feature rows from a panel, in numpy: for series that the feature tables do not hold, as those of a benchmark.

The rows are those of `features.demand` for series whose every value became known with its period; a test holds both to
the same numbers. A gap in a series (NaN) is unknown, not 0: no window counts it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from expectations.tables import LAGS
from models.demand.arrays import Floats, Ints, divide, strings
from models.demand.origins import PURE, Origins
from models.demand.panel import Panel
from models.demand.periods import Period


def origins_at(panel: Panel, series: pd.DataFrame, row: Ints, day: Ints, period: Period, horizon: int) -> Origins:
    """The origins (`row`, `day`): positions in the panel and periods, both (n,).

    `series` has the columns site, product, product_group, product_sub_group and level, a row for each of the panel's keys.
    `horizon` tells how far a year ago is looked at.
    """
    sums = _Sums.of(panel.units)
    t = day - panel.first_day
    about_first = _centred(panel.units)
    centred, squares = _Sums.of(about_first), _Sums.of(about_first**2)
    lags = sums.values(row, t[:, None] - np.array(LAGS)[None, :])
    means = [sums.mean(row, t, w) for w in period.means]
    stds = [_std(centred, squares, row, t, w) for w in period.stds]
    year = [
        sums.mean(row, t - period.year + period.season * (b + 1), period.season) for b in range(period.seasons(horizon))
    ]
    group = _group_mean(panel, series, row, t)
    known, sold = ~np.isnan(panel.units), np.nan_to_num(panel.units) > 0
    pure = {
        "units_zero_share_28": divide(
            ((lags == 0) & ~np.isnan(lags)).sum(axis=1).astype(float), (~np.isnan(lags)).sum(axis=1)
        ),
        "days_since_first": _since(known, row, t, first=True),
        "days_since_last_sale": _since(sold, row, t, first=False),
        "unit_price_ratio_28": np.full(len(row), np.nan),
        "promotion_share_28": np.full(len(row), np.nan),
        "share_of_group_28": divide(sums.sum(row, t, len(LAGS)), group),
    }
    return Origins(
        site=strings(series["site"])[row],
        product=strings(series["product"])[row],
        group=strings(series["product_group"])[row],
        sub_group=strings(series["product_sub_group"])[row],
        level=strings(series["level"])[row],
        day=day,
        cut_off=day,
        lags=lags,
        units=np.stack([*means, *stds], axis=1),
        year=np.stack(year, axis=1),
        pure=np.stack([pure[name] for name in PURE], axis=1),
        period=period,
    )


class _Sums:
    """Sums and counts of what is known of each series so far, so that any window is two look-ups."""

    def __init__(self, units: Floats, total: Floats, count: Floats) -> None:
        self.units, self.total, self.count = units, total, count

    @classmethod
    def of(cls, units: Floats) -> _Sums:
        begin = np.zeros((len(units), 1))
        total = np.concatenate([begin, np.cumsum(np.nan_to_num(units), axis=1)], axis=1)
        return cls(units, total, np.concatenate([begin, np.cumsum(~np.isnan(units), axis=1)], axis=1))

    def values(self, row: Ints, column: Ints) -> Floats:
        inside = (column >= 0) & (column < self.units.shape[1])
        return np.where(inside, self.units[row[:, None], np.where(inside, column, 0)], np.nan)

    def _between(self, so_far: Floats, row: Ints, t: Ints, width: int) -> Floats:
        last = self.units.shape[1]
        end, begin = np.clip(t + 1, 0, last), np.clip(t + 1 - width, 0, last)
        return so_far[row, end] - so_far[row, begin]

    def sum(self, row: Ints, t: Ints, width: int) -> Floats:
        return self._between(self.total, row, t, width)

    def known(self, row: Ints, t: Ints, width: int) -> Floats:
        return self._between(self.count, row, t, width)

    def mean(self, row: Ints, t: Ints, width: int) -> Floats:
        """Of what is known in the `width` periods that end at `t`; NaN where nothing is."""
        return divide(self.sum(row, t, width), self.known(row, t, width))


def _centred(units: Floats) -> Floats:
    """About each series' first value: squares of large numbers would cancel, and a mean of all would know the future."""
    known = ~np.isnan(units)
    first = units[np.arange(len(units)), known.argmax(axis=1)]
    return np.asarray(units - np.nan_to_num(first)[:, None], dtype=float)


def _std(centred: _Sums, squares: _Sums, row: Ints, t: Ints, width: int) -> Floats:
    n = centred.known(row, t, width)
    about = squares.sum(row, t, width) - divide(centred.sum(row, t, width) ** 2, n)
    return np.sqrt(np.maximum(divide(about, n - 1), 0.0))


def _group_mean(panel: Panel, series: pd.DataFrame, row: Ints, t: Ints) -> Floats:
    """Units of a series' group at its site and level in the last 28 periods."""
    names = series["site"].astype(str) + "/" + series["product_group"].astype(str) + "/" + series["level"].astype(str)
    groups, group = np.unique(names, return_inverse=True)
    total = np.zeros((len(groups), panel.units.shape[1]))
    np.add.at(total, group, np.nan_to_num(panel.units))
    return _Sums.of(total).sum(group[row], t, len(LAGS))


def _since(event: np.ndarray, row: Ints, t: Ints, *, first: bool) -> Floats:
    """Periods since the first, or the last, event up to `t`; NaN where there was none."""
    width = event.shape[1]
    at = np.where(event, np.arange(width)[None, :], width if first else -1)
    so_far = np.minimum.accumulate(at, axis=1) if first else np.maximum.accumulate(at, axis=1)
    then = so_far[row, np.clip(t, 0, width - 1)]
    return np.where((then >= 0) & (then <= t), t - then, np.nan).astype(float)
