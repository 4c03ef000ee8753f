"""What is known of tenants' series, whatever they count in: of days from the feature tables, of weeks from silver.

The one place where the jobs tell the two apart. What can be is read at once of all tenants that count in days, and the
factors of all tenants; a tenant that counts in weeks is read by itself.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pandas as pd

from expectations.contract import Contract, Zone
from expectations.tables import DEMAND_FEATURES, HORIZON_DAYS, MAX_HORIZON, SALES
from jobs import demand_data, demand_weeks
from jobs.context import Context
from jobs.demand_data import (
    CALENDAR_BACK_DAYS,
    Frames,
    NightData,
    Pinned,
    by_tenant,
    calendar_of,
    factors_of,
    features_of,
    to_pandas,
)
from jobs.demand_weeks import WeekFrames, Weeks
from jobs.errors import TenantError
from jobs.lake import in_set
from jobs.silver import as_known_at
from models.demand import cases
from models.demand.arrays import Floats, Strings, day, days, strings, to_date
from models.demand.calendar import Calendar, empty_calendar
from models.demand.cases import Cases
from models.demand.factors import no_rows
from models.demand.origins import Origins
from models.demand.parameters import Parameters
from models.demand.periods import DAY, WEEK, Period
from models.demand.scores import actual

READ: tuple[tuple[Contract, Zone], ...] = tuple(dict.fromkeys((*demand_data.READ, *demand_weeks.READ)))
BACK_DAYS = 60  # of sales, before a night: an older night is scored no more
Key = tuple[str, date]  # tenant and night


def frames_of(counts: Period) -> type[Frames | WeekFrames]:
    """What `training_frames` gives."""
    return Frames if counts == DAY else WeekFrames


def training_frames(pinned: Pinned, tenant: str, night: date, given: Parameters) -> Frames | WeekFrames:
    """All that a training of `tenant` up to `night` reads. Raises TenantError where there is nothing of it."""
    make = demand_data.training_frames if given.counts == DAY else demand_weeks.training_weeks
    return make(pinned, tenant, night, given)


def by_period(given: Mapping[str, Parameters]) -> tuple[list[str], list[str]]:
    """Tenants that count in days, and the others."""
    daily = [tenant for tenant, its in given.items() if its.counts == DAY]
    return daily, [tenant for tenant in given if tenant not in set(daily)]


def weeks_of(ctx: Context, tenant: str, given: Parameters) -> Weeks:
    """Raises TenantError where nothing is known of the tenant's sales."""
    return Weeks.read(Pinned(ctx.lake, json.loads(ctx.table_versions)), tenant, ctx.night, given)


@dataclass(frozen=True)
class Nights:
    """What each tenant's forecast of the night is made from, and what is known of the weeks before it, if that is asked for."""

    ctx: Context
    given: Mapping[str, Parameters]
    features: Mapping[str, pd.DataFrame]
    calendar: Mapping[str, pd.DataFrame]
    past: Mapping[str, pd.DataFrame]
    factors: Mapping[str, pd.DataFrame]
    weeks_back: int
    _weeks: dict[str, Weeks] = field(default_factory=dict)  # of the tenant that was asked for last

    @classmethod
    def read(cls, ctx: Context, given: Mapping[str, Parameters], weeks_back: int = 0) -> Nights:
        """With `weeks_back` also of the days of `cases.nights`, each as known at its own cut-off."""
        daily, _ = by_period(given)
        grid = [to_date(int(n)) for n in cases.nights(day(ctx.night), weeks_back)] if weeks_back else []
        first, last = ctx.night - timedelta(days=CALENDAR_BACK_DAYS), ctx.night + timedelta(days=MAX_HORIZON)
        features = features_of(ctx.lake, daily, [ctx.night])
        calendar = calendar_of(ctx.lake, daily, min([first, *grid]), last)
        past = by_tenant(features_of(ctx.lake, daily, grid, cases.COLUMNS)) if grid and daily else {}
        # the last whole week may have begun twelve days before
        factors = by_tenant(factors_of(ctx.lake, given, ctx.night - timedelta(days=2 * WEEK.days)))
        return cls(ctx, given, by_tenant(features), by_tenant(calendar), past, factors, weeks_back)

    def of(self, tenant: str) -> NightData:
        """Raises TenantError where there is nothing of the night."""
        night, given = self.ctx.night, self.given[tenant]
        if given.counts != DAY:
            return self._read_weeks(tenant).of_night()
        if tenant not in self.features:
            again = f"`uretimiq run features --tenant {tenant} --date {night}`"
            raise TenantError(f"no demand features of {night}: run {again}")
        return NightData(Origins.from_features(self.features[tenant]), self._calendar(tenant), given.horizon)

    def near(self, tenant: str) -> tuple[Strings, Cases]:
        """The nearest past cases of its series."""
        if self.given[tenant].counts != DAY:
            weeks = self._read_weeks(tenant)
            rows, last_day = weeks.past(self.weeks_back)
            return cases.nearest(rows, weeks.days, last_day, self.weeks_back)
        past = self.past.get(tenant, pd.DataFrame(columns=list(cases.COLUMNS)))
        return cases.nearest(past, self._calendar(tenant), day(self.ctx.night), self.weeks_back)

    def _calendar(self, tenant: str) -> Calendar:
        return Calendar.from_features(self.calendar.get(tenant, empty_calendar()), self._factors(tenant))

    def _factors(self, tenant: str) -> pd.DataFrame:
        return self.factors.get(tenant, no_rows())

    def _read_weeks(self, tenant: str) -> Weeks:
        if tenant not in self._weeks:
            self._weeks.clear()
            weeks = weeks_of(self.ctx, tenant, self.given[tenant])
            self._weeks[tenant] = replace(weeks, factors=self._factors(tenant))
        return self._weeks[tenant]


@dataclass(frozen=True)
class Known:
    """What came of the forecasts of nights up to this one, as known at its cut-off. Periods are those of each tenant."""

    ctx: Context
    given: Mapping[str, Parameters]
    sales: Mapping[str, pd.DataFrame]  # of the last BACK_DAYS, of tenants that count in days
    weeks: Mapping[str, Weeks]
    _reported: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, ctx: Context, given: Mapping[str, Parameters]) -> Known:
        """A tenant of which nothing is known is in none of both."""
        daily, others = by_period(given)
        weeks = {}
        for tenant in others:
            with contextlib.suppress(TenantError):
                weeks[tenant] = weeks_of(ctx, tenant, given[tenant])
        return cls(ctx, given, by_tenant(_sales(ctx, daily)) if daily else {}, weeks)

    def counts(self, tenant: str) -> Period:
        return self.given[tenant].counts

    def reported(self, tenant: str) -> dict[str, int]:
        """The last period that each site has told."""
        if tenant not in self._reported:
            if tenant in self.weeks:
                self._reported[tenant] = self.weeks[tenant].reported
            elif tenant in self.sales:
                rows = self.sales[tenant]
                last = pd.Series(days(rows["date"])).groupby(strings(rows["site"])).max()
                self._reported[tenant] = {str(site): int(number) for site, number in last.items()}
            else:
                self._reported[tenant] = {}
        return self._reported[tenant]

    def units(self, tenant: str, keys: Strings, origin: int, ahead: int) -> Floats:
        """What was sold in the `ahead` periods after `origin`, (n, ahead); NaN where it is not known."""
        if tenant in self.weeks:
            return self.weeks[tenant].units(keys, origin, ahead)
        return actual(self.sales[tenant], keys, origin, ahead)

    def origins(self, wanted: Iterable[Key]) -> dict[Key, Origins]:
        """What was known at the cut-off of each night; a night at which nothing was known is left out."""
        keys = set(wanted)
        daily = {key for key in keys if key[0] not in self.weeks}
        found: dict[Key, Origins] = {}
        if daily:
            rows = features_of(self.ctx.lake, {t for t, _ in daily}, {n for _, n in daily})
            of_nights = by_night(rows, "date")
            found = {key: Origins.from_features(frame) for key, frame in of_nights.items() if key in daily}
        for tenant, night in keys - daily:
            with contextlib.suppress(ValueError):
                found[tenant, night] = self.weeks[tenant].origins(night)
        return found

    def calendar(self, tenant: str, first: date) -> Calendar:
        """Of the periods of `first` and later ones, as far ahead as forecasts go, with the factors."""
        factors = factors_of(self.ctx.lake, [tenant], first)
        if tenant in self.weeks:
            return replace(self.weeks[tenant], factors=factors).calendar
        last = self.ctx.night + timedelta(days=HORIZON_DAYS)
        return Calendar.from_features(calendar_of(self.ctx.lake, [tenant], first, last), factors)


def by_night(rows: pd.DataFrame, column: str) -> dict[Key, pd.DataFrame]:
    """The rows of each tenant and night, which `column` names."""
    return {
        (tenant, pd.Timestamp(of_night[column].iloc[0]).date()): of_night
        for tenant, of_tenant in by_tenant(rows).items()
        for _, of_night in of_tenant.groupby(column)
    }


def _sales(ctx: Context, tenants: Iterable[str]) -> pd.DataFrame:
    """Units of the last weeks, as known at each site's cut-off of the night."""
    from pyspark.sql import functions as F

    of_tenants = in_set("tenant", tenants)
    features = ctx.lake.read(DEMAND_FEATURES).where(of_tenants)
    of_night = features.where(f"year = {ctx.night.year} AND date = DATE'{ctx.night}'")
    moments = of_night.selectExpr("tenant", "site", "cut_off AS _cut_off").distinct()
    first = ctx.night - timedelta(days=BACK_DAYS)
    rows = ctx.lake.read(SALES, Zone.SILVER).where(of_tenants)
    rows = rows.where(f"year >= {first.year} AND date > DATE'{first}' AND date <= DATE'{ctx.night}'")
    known = as_known_at(rows.join(F.broadcast(moments), ["tenant", "site"], "inner"), "_cut_off")
    return to_pandas(known.select("tenant", "site", "product", "date", "units"))
