"""Feature rows as they were known at each origin's own cut-off, made from every known version of the rows of sales.

For series that the feature tables do not hold: weeks, and sums. Origins between which no late news came (a row, a
correction, or a report of a site that was not known at the cut-off of its own period) see one unchanging panel, and
share it: an epoch, as in `features.versions`. Only the origins that late news parts need panels of their own.

A period counts the sum of its rows. It is known when it is over and its site has reported all of it: a row of a later
period, or one of the usual last day of the site's periods or later (`whole`). From a series' first row on, a known
period without a row counts 0; what is not known is no number (NaN).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models.demand import sampling
from models.demand.arrays import Bools, Floats, Ints, Strings, strings
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import Parameters
from models.demand.periods import Period
from models.demand.windows import origins_at

NEVER = int(np.iinfo(np.int64).max)  # known until then: the current version
USUAL = 13  # periods by which a site's usual last day is told
_DAY = 86_400_000_000  # in microseconds
HIERARCHY = ("product_group", "product_sub_group", "level")
Keep = Callable[[Strings, Ints], Bools]
"""Which origins to make of these (keys "site/product", periods)."""


@dataclass(frozen=True)
class CutOffs:
    """`moments` are the cut-offs of the periods from `first` on, in microseconds of UTC, rising."""

    first: int
    moments: Ints

    @property
    def end(self) -> int:
        return self.first + len(self.moments)

    def sees(self, moment: Ints) -> Ints:
        """The first origin whose cut-off is not before `moment`; `end` where none is."""
        return self.first + np.searchsorted(self.moments, moment, side="left")


def whole(days: Ints, period: Period) -> int:
    """The last period that a site with rows of these `days` (sorted, at least one) has reported whole.

    The last one with a row counts if its last row is no earlier in it than usual: the median of the periods before.
    So a week file dated by any one day, and a shop that is closed on Sundays, have whole weeks, and a file that came
    on Thursday has not. A site's first week is whole with its last day.
    """
    number = period.of(days)
    ends = np.flatnonzero(np.diff(number, append=number[-1] + 1))
    place = (days - period.first(number))[ends]
    before = np.sort(place[-1 - USUAL : -1])
    usual = int(before[(len(before) - 1) // 2]) if len(before) else period.days - 1
    return int(number[-1]) - int(place[-1] < usual)


def known_origins(
    versions: pd.DataFrame,
    series: pd.DataFrame,
    cut_offs: Mapping[str, CutOffs],
    period: Period,
    horizon: int,
    keep: Keep = lambda keys, _: np.ones(len(keys), dtype=bool),
) -> Origins:
    """An origin for each series and each period with a cut-off, from the series' first known row on, that `keep` keeps.

    `versions` has every known version of a row: site, product, day, units, and from and until (exclusive) when it was
    known: known_from, known_until in microseconds; several of one series and day are added up. `series` has site,
    product, product_group, product_sub_group and level, a row for each of which they are known; or several of one which hold in turn,
    with known_from and known_until. `cut_offs` are by site; a site without is left out. Raises ValueError where nothing is left.
    """
    parts = []
    for site, rows in versions.groupby("site", sort=True):
        if str(site) in cut_offs:
            known = _Known.of(rows, cut_offs[str(site)], period)
            parts += list(known.origins(series[series["site"] == site], horizon, keep))
    if not parts:
        raise ValueError("no sales are known at any cut-off")
    return Origins.concat(parts)


def known_panel(versions: pd.DataFrame, cut_offs: Mapping[str, CutOffs], period: Period) -> Panel:
    """What happened, as known at the last cut-off of each site. Raises ValueError where nothing is known."""
    found = [
        _Known.of(rows, cut_offs[str(site)], period).panel(cut_offs[str(site)].end - 1)
        for site, rows in versions.groupby("site", sort=True)
        if str(site) in cut_offs
    ]
    panels = [p.take(np.flatnonzero((~np.isnan(p.units)).any(axis=1))) for p in found]
    panels = [p for p in panels if len(p.keys)]
    if not panels:
        raise ValueError("no sales are known at the cut-off")
    first = min(p.first_day for p in panels)
    last = max(p.last_day for p in panels)
    units = np.concatenate(
        [np.pad(p.units, ((0, 0), (p.first_day - first, last - p.last_day)), constant_values=np.nan) for p in panels]
    )
    keys = np.concatenate([p.keys for p in panels])
    order = np.argsort(keys, kind="stable")
    return Panel(keys[order], first, units[order])


def some(versions: pd.DataFrame, first: int, last: int, given: Parameters) -> Keep:
    """Of the origins from `first` to `last` the part that a training learns from, and all that it is judged on."""
    begun = given.counts.of(versions.groupby(["site", "product"])["day"].min().to_numpy(dtype=np.int64))
    there = int(np.maximum(last - np.maximum(begun, first) + 1, 0).sum())
    ends = [last - given.fold_days * k for k in range(1, given.folds + 1)]
    judged = np.array(sorted({last} | {end + offset for end in ends for offset in given.counts.offsets}))

    def keep(keys: Strings, number: Ints) -> Bools:
        chance = sampling.chance(keys, number, np.zeros(len(number), dtype=np.int64), given.seed)
        return np.asarray((chance < given.max_origins / max(there, 1)) | np.isin(number, judged), dtype=bool)

    return keep


@dataclass(frozen=True)
class _Known:
    """The versions of one site's rows, each with the origins that see it: from `seen` until `gone` (exclusive)."""

    site: str
    products: Strings
    cut_offs: CutOffs
    period: Period
    row: Ints  # position in `products`
    day: Ints
    units: Floats
    seen: Ints
    gone: Ints
    told: tuple[
        Ints, Ints, Ints
    ]  # of every row, those of periods to come among them: day, from which origin, until which

    @property
    def keys(self) -> Strings:
        return np.array([f"{self.site}/{product}" for product in self.products], dtype=object)

    @classmethod
    def of(cls, versions: pd.DataFrame, cut_offs: CutOffs, period: Period) -> _Known:
        day = versions["day"].to_numpy(dtype=np.int64)
        known_from, known_until = (versions[c].to_numpy(dtype=np.int64) for c in ("known_from", "known_until"))
        told, gone = cut_offs.sees(known_from), cut_offs.sees(known_until)
        seen = np.maximum(period.of(day), told)
        kept = np.flatnonzero((seen < gone) & (seen < cut_offs.end))
        products, row = np.unique(strings(versions["product"])[kept], return_inverse=True)
        units = versions["units"].to_numpy(dtype=float)[kept]
        site = str(versions["site"].iloc[0])
        over = cut_offs.sees((day + 1) * _DAY)  # a row of a day to come is a plan, and reports nothing
        every = day, np.maximum(told, over), gone
        return cls(site, products, cut_offs, period, row, day[kept], units, seen[kept], gone[kept], every)

    def origins(self, series: pd.DataFrame, horizon: int, keep: Keep) -> Iterator[Origins]:
        """The site's origins, a part an epoch."""
        if not len(self.products):
            return
        holds = _Holds.of(series, self.site, self.products, self.cut_offs)
        starts = self._epochs(holds.news)
        for start, end in zip(starts, [*starts[1:], self.cut_offs.end], strict=True):
            panel = self.panel(end - 1)
            known = ~np.isnan(panel.units)
            begun = np.where(known.any(axis=1), panel.first_day + known.argmax(axis=1), end)
            row, number = np.nonzero(begun[:, None] <= np.arange(start, end)[None, :])
            number = number + start
            kept = keep(panel.keys[row], number)
            row, number = row[kept], number[kept]
            if len(row):
                made = origins_at(panel, holds.at(start), row, number, self.period, horizon)
                yield replace(made, cut_off=self.cut_offs.moments[number - self.cut_offs.first])

    def panel(self, origin: int) -> Panel:
        """The site's panel as `origin` sees it."""
        there = (self.seen <= origin) & (self.gone > origin)
        number = self.period.of(self.day[there])
        if not len(number):
            return Panel(self.keys, origin, np.full((len(self.keys), 1), np.nan))
        first = int(number.min())
        total = np.zeros((len(self.keys), origin - first + 1))
        np.add.at(total, (self.row[there], number - first), self.units[there])
        begun = np.full(len(self.keys), NEVER)
        np.minimum.at(begun, self.row[there], number)
        column = np.arange(first, origin + 1)[None, :]
        known = (column >= begun[:, None]) & (column <= self._reported(origin))
        return Panel(self.keys, first, np.where(known, total, np.nan))

    def _reported(self, origin: int) -> int:
        """The last whole period that `origin` knows of; one before all where it knows of none."""
        day, begin, end = self.told
        days = np.unique(day[(begin <= origin) & (origin < end)])
        return min(whole(days, self.period), origin) if len(days) else origin - len(self.cut_offs.moments) - 1

    def _epochs(self, more: Ints) -> list[int]:
        """The origins with which a new epoch begins."""
        first, end = self.cut_offs.first, self.cut_offs.end
        late = self.seen[self.seen > self.period.of(self.day)]
        unreported = np.array([t + 1 for t in range(first, end) if self._reported(t) < t], dtype=np.int64)
        news = np.unique(np.concatenate([late, self.gone, unreported, more]))
        return [first, *(int(n) for n in news if first < n < end)]


@dataclass(frozen=True)
class _Holds:
    """What is said of the products of a site, from which origin until which (exclusive)."""

    series: pd.DataFrame  # the rows that say it
    row: Ints  # the product of each
    seen: Ints
    gone: Ints
    plain: pd.DataFrame  # a row a product, of which nothing is known

    @classmethod
    def of(cls, series: pd.DataFrame, site: str, products: Strings, cut_offs: CutOffs) -> _Holds:
        at = {product: row for row, product in enumerate(products)}
        said = series[series["product"].isin(list(at))].reset_index(drop=True)
        row = np.array([at[p] for p in said["product"]], dtype=np.int64)
        always = np.zeros(len(said), dtype=np.int64)
        seen = cut_offs.sees(said["known_from"].to_numpy(dtype=np.int64)) if "known_from" in said else always
        until = said["known_until"].to_numpy(dtype=np.int64) if "known_until" in said else always + NEVER
        plain = pd.DataFrame({"site": site, "product": products, **dict.fromkeys(HIERARCHY, "")})
        return cls(said, row, seen, cut_offs.sees(until), plain)

    @property
    def news(self) -> Ints:
        return np.concatenate([self.seen, self.gone])

    def at(self, origin: int) -> pd.DataFrame:
        """As `windows.origins_at` takes it."""
        holds = (self.seen <= origin) & (self.gone > origin)
        found = self.plain.copy()
        for name in HIERARCHY:
            values = found[name].to_numpy(dtype=object).copy()
            values[self.row[holds]] = strings(self.series[name])[holds]
            found[name] = values
        return found
