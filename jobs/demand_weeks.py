"""What the demand jobs read of a tenant that counts in weeks: from silver itself, as known at each week's own cut-off.

A week's cut-off is that of its Sunday, so that a training is the same on each day of the week after it. A night asks
from the last whole week with all that is known at the night's own cut-off: a file that comes on Tuesday is in Tuesday's
forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from expectations.contract import Contract, Zone
from expectations.tables import CALENDAR_FEATURES, FACTORS, PRODUCTS, SALES, SITES
from features.sites import NOTHING_KNOWN, site_cut_off, site_spans
from jobs.demand_data import NightData, Pinned, calendar_rows, factor_rows, to_pandas
from jobs.errors import TenantError
from jobs.lake import in_set
from models.demand.arrays import day, to_date
from models.demand.asknown import NEVER, CutOffs, known_origins, known_panel, some
from models.demand.calendar import Calendar
from models.demand.factors import Factors
from models.demand.folds import Data
from models.demand.origins import HIERARCHY
from models.demand.parameters import Parameters
from models.demand.periods import Period

READ: tuple[tuple[Contract, Zone], ...] = (
    (SALES, Zone.SILVER),
    (SITES, Zone.SILVER),
    (PRODUCTS, Zone.SILVER),
    (CALENDAR_FEATURES, Zone.FEATURES),
    (FACTORS, Zone.SILVER),
)
WEEKS_SEEN = 4  # of the calendar before an origin: whether the last weeks had holidays
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True)
class _Told:
    """What silver tells of a tenant, and the cut-offs by site: see `known_origins`."""

    versions: pd.DataFrame
    series: pd.DataFrame
    cut_offs: Mapping[str, CutOffs]
    calendar: Calendar

    @property
    def last_cut_off(self) -> datetime:
        return _EPOCH + max(int(c.moments[-1]) for c in self.cut_offs.values()) * _MICROSECOND

    def calendar_with(self, factors: pd.DataFrame, period: Period) -> Calendar:
        return replace(self.calendar, factors=Factors.from_rows(factors).in_periods(period))


def first_calendar_day(night: date, given: Parameters) -> date:
    """The first day whose calendar a training of `night` looks at: of the weeks before its first origin."""
    return to_date(given.counts.first(_first_origin(night, given) - WEEKS_SEEN))


def _first_origin(night: date, given: Parameters) -> int:
    return given.counts.over(day(night)) - given.history_days - given.folds * given.fold_days


def training_weeks(pinned: Pinned, tenant: str, night: date, given: Parameters) -> Data:
    """All that a training of `tenant` up to the last whole week of `night` is given. Raises TenantError."""
    period = given.counts
    last = period.over(day(night))
    first = _first_origin(night, given)
    told = _told(pinned, tenant, first, [period.end(number) for number in range(first, last + 1)], given)
    factors = factor_rows(pinned, tenant, to_date(period.first(first)), told.last_cut_off, given)
    keep = some(told.versions, first, last, given)
    return Data(
        known_origins(told.versions, told.series, told.cut_offs, period, given.horizon, keep),
        told.calendar_with(factors, period),
        known_panel(told.versions, told.cut_offs, period),
        last,
    )


def night_weeks(
    pinned: Pinned, tenant: str, night: date, given: Parameters, factors: pd.DataFrame | None = None
) -> NightData:
    """What the forecast of `night` is made from; `factors` are the tenant's, all versions. Raises TenantError."""
    period = given.counts
    told = _told(pinned, tenant, period.over(day(night)), [night], given)
    origins = known_origins(told.versions, told.series, told.cut_offs, period, given.horizon)
    calendar = told.calendar if factors is None else told.calendar_with(factors, period)
    return NightData(origins, calendar, given.horizon)


def _told(pinned: Pinned, tenant: str, first: int, days: list[date], given: Parameters) -> _Told:
    """As of the cut-offs of `days`, which are those of the periods from `first` on. Raises TenantError."""
    night = days[-1]
    last_day = given.counts.end(given.counts.over(day(night)))
    oldest = to_date(given.counts.first(given.counts.over(day(night)) - given.panel_days - given.counts.year))
    versions = _versions(
        pinned, tenant, oldest, night
    )  # of the week that has begun too: it tells that the last is whole
    if versions.empty:
        raise TenantError(f"no sales up to {last_day}, where the last whole week ends: import older files first")
    cut_offs = _cut_offs(pinned, tenant, sorted(set(versions["site"])), first, days)
    if not any((rows["known_from"] <= cut_offs[str(s)].moments[-1]).any() for s, rows in versions.groupby("site")):
        known = _EPOCH + int(versions["known_from"].min()) * _MICROSECOND
        raise TenantError(
            f"sales up to {last_day} became known on {known:%Y-%m-%d %H:%M} UTC, after the cut-off of {night}: "
            "a file of history needs `known_time: {lag: ...}` in its map, see docs/maps.md"
        )
    last = _EPOCH + max(int(c.moments[-1]) for c in cut_offs.values()) * _MICROSECOND
    # a day more than the horizon: the week that has begun is not over
    ahead = to_date(given.counts.last(given.counts.over(day(night)) + given.horizon + 1))
    calendar = Calendar.from_features(calendar_rows(pinned, tenant, ahead, last)).in_periods(given.counts)
    return _Told(versions, _series(pinned, tenant, versions), cut_offs, calendar)


def _versions(pinned: Pinned, tenant: str, first: date, last: date) -> pd.DataFrame:
    from pyspark.sql import functions as F

    rows = pinned.read(SALES, Zone.SILVER).where(in_set("tenant", [tenant]))
    rows = rows.where((F.col("year") >= first.year) & F.col("date").between(first, last))
    return to_pandas(rows.selectExpr("site", "product", "unix_date(date) AS day", "units", *_known()))


def _known() -> list[str]:
    until = f"coalesce(unix_micros(superseded_at), {NEVER}) AS known_until"
    return ["unix_micros(available_at) AS known_from", until]


def _cut_offs(pinned: Pinned, tenant: str, sites: list[str], first: int, days: list[date]) -> dict[str, CutOffs]:
    rows: list[dict[str, Any]] = pinned.read(SITES, Zone.SILVER).where(in_set("tenant", [tenant])).toArrow().to_pylist()
    known = site_spans(rows)
    found = {}
    for site in sites:
        spans = known.get((tenant, site), NOTHING_KNOWN)
        moments = [(site_cut_off(spans, d) - _EPOCH) // _MICROSECOND for d in days]
        found[site] = CutOffs(first, np.array(moments, dtype=np.int64))
    return found


def _series(pinned: Pinned, tenant: str, versions: pd.DataFrame) -> pd.DataFrame:
    """Each product at each of its sites, with its place in the hierarchy and when it was known to have it."""
    rows = pinned.read(PRODUCTS, Zone.SILVER).where(in_set("tenant", [tenant]))
    products = to_pandas(rows.selectExpr("product", *HIERARCHY, *_known()))
    pairs = versions[["site", "product"]].drop_duplicates()
    return pairs.merge(products, on="product", how="inner").assign(level="")
