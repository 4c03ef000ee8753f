"""What `demand_series` is made from: the series that a night forecast, and what was known of them at its cut-offs.

Sales are streamed tenant by tenant, since those of two years are many; all else of several tenants at once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations.contract import Contract, Zone
from expectations.tables import CALENDAR_EVENTS, CALENDAR_FEATURES, DEMAND_FORECAST, PRODUCTS, SALES, SITES
from jobs.context import Context
from jobs.delta_reader import Stream
from models.demand.arrays import Floats, day, to_date
from models.demand.past import Sold, oldest
from models.demand.periods import DAY, PERIODS, Period

READ: tuple[tuple[Contract, Zone], ...] = (
    (DEMAND_FORECAST, Zone.GOLD),
    (SALES, Zone.SILVER),
    (PRODUCTS, Zone.SILVER),
    (SITES, Zone.SILVER),
    (CALENDAR_FEATURES, Zone.FEATURES),
    (CALENDAR_EVENTS, Zone.SILVER),
)
NAMES = ("product_name", "product_group", "product_sub_group")
Event = tuple[date, str]  # the day, and the event as JSON
Events = Mapping[str, list[Event]]  # by site, in order

# `rows` are those of the table asked; the other tables are made here: `series` has tenant, site, product, cut_off and row
# (the series' position in its tenant), `sites` has tenant, site, cut_off and last, the end of the horizon.
_COUNTS = f"""
    SELECT tenant, count(*) FILTER (horizon = 1) AS series, any_value(coalesce(period, '{DAY.name}')) AS period,
        max(date) AS last
    FROM rows WHERE night = $night GROUP BY tenant
"""  # noqa: S608 - words of ours
_SERIES = """
    SELECT tenant, site, product, cut_off,
        (row_number() OVER (PARTITION BY tenant ORDER BY site, product) - 1)::INTEGER AS row
    FROM rows WHERE night = $night AND horizon = 1 ORDER BY tenant, row
"""
_KNOWN = "r.available_at <= s.cut_off AND (r.superseded_at IS NULL OR r.superseded_at > s.cut_off)"
_SALES = f"""
    SELECT s.row, date_diff('day', DATE '1970-01-01', r.date)::INTEGER AS day, r.units, r.promotion IS TRUE AS promoted
    FROM rows AS r JOIN series AS s USING (tenant, site, product) WHERE r.date BETWEEN $first AND $last AND {_KNOWN}
"""  # noqa: S608 - words of ours
# a negative price is a credit note's
_PRICES = f"""
    SELECT s.row, arg_max(r.unit_price, r.date) AS unit_price
    FROM rows AS r JOIN series AS s USING (tenant, site, product)
    WHERE r.date BETWEEN $first AND $last AND r.unit_price BETWEEN 0 AND 1e9 AND {_KNOWN} GROUP BY s.row
"""  # noqa: S608 - words of ours
_PRODUCTS = f"""
    SELECT s.tenant, s.row, {", ".join(f"r.{name}" for name in NAMES)}
    FROM rows AS r JOIN series AS s USING (tenant, product) WHERE {_KNOWN}
"""  # noqa: S608 - words of ours
_CURRENCIES = f"""
    SELECT r.tenant, r.site, r.currency FROM rows AS r JOIN sites AS s USING (tenant, site)
    WHERE r.currency IS NOT NULL AND {_KNOWN}
"""  # noqa: S608 - words of ours
_HOLIDAYS = f"""
    SELECT r.tenant, r.site, r.date, IF(r.is_holiday, 'holiday', 'half_holiday') AS kind, r.holiday AS name
    FROM rows AS r JOIN sites AS s USING (tenant, site)
    WHERE (r.is_holiday OR r.is_half_holiday) AND r.date BETWEEN $first AND s.last AND {_KNOWN}
"""  # noqa: S608 - words of ours
_EVENTS = f"""
    SELECT DISTINCT s.tenant, s.site, r.date, r.kind, r.event AS name
    FROM rows AS r JOIN sites AS s ON r.tenant = s.tenant AND r.site IN (s.site, '*')
    WHERE r.date BETWEEN $first AND s.last AND {_KNOWN}
"""  # noqa: S608 - words of ours


@dataclass(frozen=True)
class Forecast:
    """Of a tenant's forecast of the night: how many series it has, what it counts in, and the last date in it."""

    series: int
    period: str
    last: date

    @property
    def counts(self) -> Period:
        return PERIODS[self.period]


@dataclass(frozen=True)
class Plain:
    """What there is of one tenant's series besides sales: `series` as in the queries, NAMES a row each, and by site its currency and
    its events.
    """

    series: pa.Table
    names: pd.DataFrame
    currencies: Mapping[str, str]
    events: Events


class Past:
    """The tables, each opened once, and what they tell of the series that the night forecast for `tenants`.

    `forecasts` has each of them that has a forecast of the night.
    """

    def __init__(self, ctx: Context, tenants: Iterable[str]) -> None:
        self._night = ctx.night
        self._streams = {contract: Stream(ctx.settings, contract, zone) for contract, zone in READ}
        self.forecasts = {row.pop("tenant"): Forecast(**row) for row in self._forecast(_COUNTS, tenants).to_pylist()}

    def plain(self, tenants: Sequence[str]) -> dict[str, Plain]:
        """Of each of `tenants`, at once."""
        series = self._forecast(_SERIES, tenants)
        named = self._streams[PRODUCTS].answer(_PRODUCTS, only=_among(tenants), series=series).to_pandas()
        sites = self._sites(series)
        told = self._streams[SITES].answer(_CURRENCIES, only=_among(tenants), sites=sites).to_pylist()
        currencies: dict[str, dict[str, str]] = {tenant: {} for tenant in tenants}
        for row in told:
            currencies[row["tenant"]][row["site"]] = row["currency"]
        events = self._events(sites)
        found = {}
        for tenant in tenants:
            mine = series.filter(pc.equal(series["tenant"], tenant))
            names = named[named["tenant"] == tenant].set_index("row").reindex(range(len(mine)))
            found[tenant] = Plain(mine, names, currencies[tenant], events[tenant])
        return found

    def sales(self, tenant: str, series: pa.Table) -> tuple[Sold, dict[int, list[date]]]:
        """Rows of sales of two years until the night, and the dates on promotion of each series that has any, in order."""
        rows = self._of_sales(_SALES, tenant, series, self.forecasts[tenant].last)
        row, number, units = (rows[name].to_numpy() for name in ("row", "day", "units"))
        until = number <= day(self._night)
        promoted: dict[int, list[date]] = defaultdict(list)
        on = rows["promoted"].to_numpy()
        for at, of_day in sorted(set(zip(row[on].tolist(), number[on].tolist(), strict=True))):
            promoted[at].append(to_date(of_day))
        return Sold(row[until], number[until], units[until]), promoted

    def prices(self, tenant: str, series: pa.Table) -> Floats:
        """The last known price of each series, NaN where there is none."""
        rows = self._of_sales(_PRICES, tenant, series, self._night)
        found = np.full(len(series), np.nan)
        found[rows["row"].to_numpy()] = rows["unit_price"].to_numpy()
        return found

    def _of_sales(self, sql: str, tenant: str, series: pa.Table, last: date) -> pa.Table:
        first = to_date(oldest(self.forecasts[tenant].counts, day(self._night)))
        only = f"{_among([tenant])} AND year >= {first.year}"
        return self._streams[SALES].answer(sql, {"first": first, "last": last}, only=only, series=series)

    def _sites(self, series: pa.Table) -> pa.Table:
        """The sites of series, as the queries take them."""
        tenants = sorted(set(series["tenant"].to_pylist()))
        last = pa.table({"tenant": tenants, "last": [self.forecasts[t].last for t in tenants]})
        cut_offs = series.group_by(["tenant", "site"]).aggregate([("cut_off", "max")])
        return cut_offs.rename_columns(["tenant", "site", "cut_off"]).join(last, "tenant")

    def _events(self, sites: pa.Table) -> dict[str, dict[str, list[Event]]]:
        """By tenant and site, in the order of days."""
        tenants = sorted(set(sites["tenant"].to_pylist()))
        first = to_date(min(oldest(period, day(self._night)) for period in PERIODS.values()))
        found: dict[str, dict[str, list[Event]]] = {tenant: defaultdict(list) for tenant in tenants}
        for contract, sql in ((CALENDAR_FEATURES, _HOLIDAYS), (CALENDAR_EVENTS, _EVENTS)):
            for row in (
                self._streams[contract].answer(sql, {"first": first}, only=_among(tenants), sites=sites).to_pylist()
            ):
                event = row["date"], event_text(row["date"], row["kind"], row["name"])
                found[row["tenant"]][row["site"]].append(event)
        for of_sites in found.values():
            for events in of_sites.values():
                events.sort()
        return found

    def _forecast(self, sql: str, tenants: Iterable[str]) -> pa.Table:
        of_night = f"{_among(tenants)} AND night_month = '{self._night:%Y-%m}'"
        return self._streams[DEMAND_FORECAST].answer(sql, {"night": self._night}, only=of_night)


def event_text(on: date, kind: str, name: str | None) -> str:
    """An event as JSON."""
    return json.dumps({"date": on.isoformat(), "kind": kind, "name": name}, ensure_ascii=False, separators=(",", ":"))


def _among(tenants: Iterable[str]) -> str:
    """SQL, as delta-rs takes it: false where there are none."""
    quoted = ", ".join("'" + tenant.replace("'", "''") + "'" for tenant in tenants)
    return f"tenant IN ({quoted})" if quoted else "false"
