"""What the demand jobs read of a tenant that counts in weeks: from silver itself, as known at each week's own cut-off.

A week's cut-off is that of its Sunday, so that a training is the same on each day of the week after it. A night asks
from the last whole week with all that is known at the night's own cut-off: a file that comes on Tuesday is in Tuesday's
forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from expectations.contract import Contract, Zone
from expectations.tables import CALENDAR_FEATURES, FACTORS, PRODUCTS, SALES, SITES
from features.sites import NOTHING_KNOWN, site_cut_off, site_spans
from jobs.demand_data import NightData, Pinned, calendar_rows, factor_rows, in_order, to_pandas
from jobs.errors import TenantError
from jobs.lake import in_set
from models.demand import cases
from models.demand.arrays import Floats, Ints, Strings, day, to_date
from models.demand.asknown import NEVER, CutOffs, known_origins, known_panel, some
from models.demand.calendar import Calendar
from models.demand.factors import no_rows
from models.demand.folds import Data
from models.demand.origins import HIERARCHY, Origins
from models.demand.panel import Panel
from models.demand.parameters import Parameters

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
class WeekFrames:
    """What a training reads of a tenant, as frames whose rows are sorted: the same rows, the same frames.

    `versions` and `series` are those of `known_origins`, `cut_offs` has site, period and moment, `calendar` and `factors` are
    those of days.
    """

    versions: pd.DataFrame
    series: pd.DataFrame
    cut_offs: pd.DataFrame
    calendar: pd.DataFrame
    factors: pd.DataFrame

    def data(self, night: date, given: Parameters) -> Data:
        period = given.counts
        first, last = _first_origin(night, given), period.over(day(night))
        cut_offs = {str(s): CutOffs(first, c["moment"].to_numpy(np.int64)) for s, c in self.cut_offs.groupby("site")}
        keep = some(self.versions, first, last, given)
        return Data(
            known_origins(self.versions, self.series, cut_offs, period, given.horizon, keep),
            Calendar.from_features(self.calendar, self.factors).in_periods(period),
            known_panel(self.versions, cut_offs, period),
            last,
        )


@dataclass(frozen=True)
class Weeks:
    """A tenant's weeks as they are known at the cut-off of `night`, and as they were at those of nights before it."""

    night: date
    given: Parameters
    versions: pd.DataFrame
    series: pd.DataFrame
    sites: Mapping[str, Any]  # what is known of each, as `site_cut_off` takes it
    calendar_rows: pd.DataFrame
    factors: pd.DataFrame = field(default_factory=no_rows)  # all versions

    @classmethod
    def read(cls, pinned: Pinned, tenant: str, night: date, given: Parameters) -> Weeks:
        """All but the factors. Raises TenantError where nothing is known of the tenant's sales."""
        number = given.counts.over(day(night))
        oldest = to_date(given.counts.first(number - given.panel_days - given.counts.year))
        # with the week that has begun: it tells that the last one is whole
        versions = _versions(pinned, tenant, oldest, night)
        if versions.empty:
            whole_until = given.counts.end(number)
            raise TenantError(f"no sales up to {whole_until}, where the last whole week ends: import older files first")
        sites = _sites(pinned, tenant, sorted(set(versions["site"])))
        last = max(site_cut_off(spans, night) for spans in sites.values())
        # a week more than the horizon: the one that has begun is not over
        ahead = to_date(given.counts.last(number + given.horizon + 1))
        calendar = calendar_rows(pinned, tenant, ahead, last)
        found = cls(night, given, versions, _series(pinned, tenant, versions), sites, calendar)
        found._check()
        return found

    def _check(self) -> None:
        moments = {site: of.moments[-1] for site, of in self._cut_offs(0, [self.night]).items()}
        if not any((rows["known_from"] <= moments[str(s)]).any() for s, rows in self.versions.groupby("site")):
            known = _EPOCH + int(self.versions["known_from"].min()) * _MICROSECOND
            last_day = self.given.counts.end(self.given.counts.over(day(self.night)))
            raise TenantError(
                f"sales up to {last_day} became known on {known:%Y-%m-%d %H:%M} UTC, after the cut-off of {self.night}: "
                "a file of history needs `known_time: {lag: ...}` in its map, see docs/maps.md"
            )

    def _cut_offs(self, first: int, days: Sequence[date]) -> dict[str, CutOffs]:
        """Those of `days`, as the cut-offs of the periods from `first` on."""
        return {
            site: CutOffs(first, np.array([(site_cut_off(spans, d) - _EPOCH) // _MICROSECOND for d in days], np.int64))
            for site, spans in self.sites.items()
        }

    def frames(self) -> WeekFrames:
        """For a training up to the night, which is the last day of a week."""
        period = self.given.counts
        first = _first_origin(self.night, self.given)
        numbers = range(first, period.over(day(self.night)) + 1)
        of_sites = self._cut_offs(first, [period.end(number) for number in numbers])
        cut_offs = [pd.DataFrame({"site": s, "period": numbers, "moment": c.moments}) for s, c in of_sites.items()]
        return WeekFrames(
            versions=in_order(self.versions, ["site", "product", "day", "known_from"]),
            series=in_order(self.series, ["site", "product", "known_from"]),
            cut_offs=pd.concat(cut_offs, ignore_index=True),
            calendar=in_order(self.calendar_rows, ["site", "date", "available_at"]),
            factors=self.factors,
        )

    def origins(self, night: date) -> Origins:
        """What the forecast of `night`, no later than this one, could know. Raises ValueError where that is nothing."""
        period = self.given.counts
        cut_offs = self._cut_offs(period.over(day(night)), [night])
        return known_origins(self.versions, self.series, cut_offs, period, self.given.horizon)

    def settled(self, first: int, last: int) -> Origins:
        """Origins of the weeks from `first` to `last`, each as known on the last night before the next one was over.

        Raises ValueError where nothing was known.
        """
        period = self.given.counts
        nights = [min(to_date(period.until(number)), self.night) for number in range(first, last + 1)]
        return known_origins(self.versions, self.series, self._cut_offs(first, nights), period, self.given.horizon)

    def past(self, weeks: int) -> tuple[pd.DataFrame, int]:
        """What `cases.nearest` looks at, and the day that ends the last week that is known whole."""
        period = self.given.counts
        if not self.reported:
            return pd.DataFrame(columns=list(cases.COLUMNS)), period.last(period.over(day(self.night)))
        last = max(self.reported.values())
        grid = cases.nights(period.last(last), weeks)
        origins = self.settled(period.of(int(grid[0])), last)
        rows = {
            "site": origins.site,
            "product": origins.product,
            "product_group": origins.group,
            "date": period.last(origins.day).astype("datetime64[D]").astype("datetime64[s]"),
            "units_mean_7": origins.lags[:, 0] / period.days,
            "unit_price_ratio_28": origins.pure_column("unit_price_ratio_28"),
            "promotion_share_28": origins.pure_column("promotion_share_28"),
        }
        return pd.DataFrame(rows), period.last(last)

    @cached_property
    def days(self) -> Calendar:
        return Calendar.from_features(self.calendar_rows, self.factors)

    @cached_property
    def calendar(self) -> Calendar:
        return self.days.in_periods(self.given.counts)

    @cached_property
    def panel(self) -> Panel:
        number = self.given.counts.over(day(self.night))
        return known_panel(self.versions, self._cut_offs(number, [self.night]), self.given.counts)

    def units(self, keys: Strings, origin: int, ahead: int) -> Floats:
        """What was sold in the `ahead` weeks after `origin`, (n, ahead); NaN where a week is not known whole."""
        if not self.reported:
            return np.full((len(keys), ahead), np.nan)
        return self.panel.after(keys, np.full(len(keys), origin), ahead)

    @cached_property
    def reported(self) -> dict[str, int]:
        """The last week that each site has told whole; of a site that has told none nothing."""
        try:
            panel = self.panel
        except ValueError:
            return {}
        last: Ints = panel.last_day - (~np.isnan(panel.units))[:, ::-1].argmax(axis=1)
        sites = pd.Series([key.split("/")[0] for key in panel.keys], dtype=object)
        return {str(site): int(number) for site, number in pd.Series(last).groupby(sites).max().items()}

    def of_night(self) -> NightData:
        return NightData(self.origins(self.night), self.calendar, self.given.horizon)


def first_calendar_day(night: date, given: Parameters) -> date:
    """The first day whose calendar a training of `night` looks at: of the weeks before its first origin."""
    return to_date(given.counts.first(_first_origin(night, given) - WEEKS_SEEN))


def _first_origin(night: date, given: Parameters) -> int:
    return given.counts.over(day(night)) - given.history_days - given.folds * given.fold_days


def training_weeks(pinned: Pinned, tenant: str, night: date, given: Parameters) -> WeekFrames:
    """All that a training of `tenant` up to the last whole week of `night` is given. Raises TenantError."""
    sunday = given.counts.end(given.counts.over(day(night)))
    weeks = Weeks.read(pinned, tenant, sunday, given)
    first = to_date(given.counts.first(_first_origin(sunday, given)))
    last = max(site_cut_off(spans, sunday) for spans in weeks.sites.values())
    return replace(weeks, factors=factor_rows(pinned, tenant, first, last, given)).frames()


def _versions(pinned: Pinned, tenant: str, first: date, last: date) -> pd.DataFrame:
    from pyspark.sql import functions as F

    rows = pinned.read(SALES, Zone.SILVER).where(in_set("tenant", [tenant]))
    rows = rows.where((F.col("year") >= first.year) & F.col("date").between(first, last))
    return to_pandas(rows.selectExpr("site", "product", "unix_date(date) AS day", "units", *_known()))


def _known() -> list[str]:
    until = f"coalesce(unix_micros(superseded_at), {NEVER}) AS known_until"
    return ["unix_micros(available_at) AS known_from", until]


def _sites(pinned: Pinned, tenant: str, sites: Sequence[str]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = pinned.read(SITES, Zone.SILVER).where(in_set("tenant", [tenant])).toArrow().to_pylist()
    known = site_spans(rows)
    return {site: known.get((tenant, site), NOTHING_KNOWN) for site in sites}


def _series(pinned: Pinned, tenant: str, versions: pd.DataFrame) -> pd.DataFrame:
    """Each product at each of its sites, with its place in the hierarchy and when it was known to have it."""
    rows = pinned.read(PRODUCTS, Zone.SILVER).where(in_set("tenant", [tenant]))
    products = to_pandas(rows.selectExpr("product", *HIERARCHY, *_known()))
    pairs = versions[["site", "product"]].drop_duplicates()
    return pairs.merge(products, on="product", how="inner").assign(level="")
