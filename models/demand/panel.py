"""What really happened: the units of every series on one daily grid, as known at the training's cut-off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.demand.arrays import Bools, Floats, Ints, Strings, codes, days, strings


@dataclass(frozen=True)
class Panel:
    """`units` is (series, days), NaN before a series' first row and after its site's last day; `keys` are sorted."""

    keys: Strings  # "site/product": neither may hold a slash
    first_day: int
    units: Floats

    @property
    def last_day(self) -> int:
        return self.first_day + int(self.units.shape[1]) - 1

    @classmethod
    def from_sales(cls, sales: pd.DataFrame, last_day: int | None = None) -> Panel:
        """From rows `site, product, date, units` (one a key). See `from_series`."""
        rows = pd.DataFrame(
            {"site": strings(sales["site"]), "product": strings(sales["product"]), "day": days(sales["date"])}
        ).assign(units=sales["units"].to_numpy(dtype=float))
        series = (
            rows.groupby(["site", "product"], sort=True).agg(days=("day", list), units=("units", list)).reset_index()
        )
        return cls.from_series(series, last_day)

    @classmethod
    def from_series(cls, series: pd.DataFrame, last_day: int | None = None) -> Panel:
        """From one row a series: `site, product`, and lists `days` and `units` of the rows that it has.

        A day without a row counts 0 from the series' first row to the last day on which its site reported anything;
        `last_day` cuts off what is later. Raises ValueError where nothing is left.
        """
        key = strings(series["site"]) + "/" + strings(series["product"])
        order = np.argsort(key, kind="stable")
        spans = [np.asarray(d, dtype=np.int64) for d in series["days"].iloc[order]]
        every = np.concatenate(spans) if spans else np.zeros(0, dtype=np.int64)
        every = every if last_day is None else every[every <= last_day]
        if not len(every):
            raise ValueError("no sales are known at the cut-off")
        first, last = int(every.min()), int(every.max())
        units = np.full((len(key), last - first + 1), np.nan)
        site = strings(series["site"])[order]
        reported = {
            s: max((int(d[d <= last].max(initial=first)) for d, of in zip(spans, site, strict=True) if of == s))
            for s in set(site)
        }
        for row, (span, values) in enumerate(zip(spans, series["units"].iloc[order], strict=True)):
            known = span <= last
            if known.any():
                units[row, span[known].min() - first : reported[site[row]] - first + 1] = 0.0
                units[row, span[known] - first] = np.asarray(values, dtype=float)[known]
        return cls(key[order], first, units)

    def rows_of(self, keys: Strings) -> Ints:
        """Row of each key, -1 where the panel does not have it."""
        return codes(keys, self.keys)

    def after(self, keys: Strings, day: Ints, horizon: int, until: int | None = None) -> Floats:
        """Units of the `horizon` days after `day`, (len(keys), horizon); NaN where unknown or later than `until`."""
        row = self.rows_of(keys)[:, None]
        target = day[:, None] + np.arange(1, horizon + 1)[None, :]
        column = target - self.first_day
        known = (row >= 0) & (column >= 0) & (column < self.units.shape[1])
        if until is not None:
            known &= target <= until
        values = self.units[np.where(row >= 0, row, 0), np.clip(column, 0, self.units.shape[1] - 1)]
        return np.where(known, values, np.nan)

    def take(self, rows: Ints | Bools) -> Panel:
        """The series at `rows` (positions or a mask)."""
        return Panel(self.keys[rows], self.first_day, self.units[rows])

    def until(self, last_day: int) -> Panel:
        """The panel without the days after `last_day`."""
        return Panel(self.keys, self.first_day, self.units[:, : max(0, last_day - self.first_day + 1)])
