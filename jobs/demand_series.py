"""Write what people look at beside a night's forecasts: each series' name, group, price, last two years and events.

A tenant has the rows of its newest night alone: an older one that is run again leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import pandas as pd

from expectations.tables import DEMAND_SERIES
from jobs.context import Context
from jobs.delta_reader import Stream
from jobs.demand_past import NAMES, READ, Event, Past, Plain, event_text
from jobs.own_failure import own_failure
from jobs.publish import publish
from models.demand.arrays import day, to_date
from models.demand.past import past

PROMOTION = "promotion"  # the kind of event that a day on promotion is; it has no name
SERIES_AT_ONCE = 30_000  # whose rows are in memory, some 10 kB each
_NEWEST = "SELECT tenant, max(night) AS night FROM rows GROUP BY tenant"


def run(ctx: Context) -> None:
    """Read, check, publish. The same night again replaces its rows."""
    ctx.table_versions = ctx.lake.versions(READ)
    tenants = _without_newer(ctx)
    read = Past(ctx, tenants)
    for tenant in tenants:
        if tenant not in read.forecasts:
            again = f"`uretimiq run forecast-demand --tenant {tenant} --date {ctx.night}`"
            ctx.fail(tenant, f"no forecast of {ctx.night}, whose series these would be: run {again}")
    for part in _parts({tenant: of.series for tenant, of in read.forecasts.items()}):
        ctx.progress(f"demand-series: {len(part)} tenants")
        made = {}
        for tenant, plain in read.plain(part).items():
            with own_failure(ctx, tenant, "demand-series"):
                made[tenant] = _rows(ctx, tenant, read, plain)
        publish(ctx, {DEMAND_SERIES: made}, every_night=True).note(ctx)


def _without_newer(ctx: Context) -> list[str]:
    """The tenants of which no newer night is there; the others are done."""
    newest = {row["tenant"]: row["night"] for row in Stream(ctx.settings, DEMAND_SERIES).answer(_NEWEST).to_pylist()}
    older = [tenant for tenant in ctx.tenants if newest.get(tenant, ctx.night) <= ctx.night]
    for tenant in ctx.tenants:
        if tenant not in older:
            ctx.progress(f"tenant {tenant}: the series of {newest[tenant]} are there, which is newer: they stay")
            ctx.done(tenant)
    return older


def _parts(series: Mapping[str, int]) -> Iterator[list[str]]:
    """Tenants together, as many as are in memory at once."""
    part: list[str] = []
    for tenant in sorted(series):
        if part and sum(series[t] for t in (*part, tenant)) > SERIES_AT_ONCE:
            yield part
            part = []
        part.append(tenant)
    if part:
        yield part


def _rows(ctx: Context, tenant: str, read: Past, plain: Plain) -> pd.DataFrame:
    """The tenant's rows of DEMAND_SERIES."""
    series, period = plain.series, read.forecasts[tenant].counts
    sold, promoted = read.sales(tenant, series)
    sites = series["site"].to_pylist()
    found = past(sold, sites, period, day(ctx.night))
    return pd.DataFrame(
        {
            "site": sites,
            "product": series["product"].to_pylist(),
            **{name: plain.names[name].to_numpy() for name in NAMES},
            "unit_price": read.prices(tenant, series),
            "currency": [plain.currencies.get(site) for site in sites],
            "first_date": [to_date(first) for first in period.first(found.first)],
            "units": found.texts().to_pylist(),
            "events": _events(plain, sites, promoted),
            "cut_off": series["cut_off"].to_pandas(),
        }
    ).assign(
        tenant=tenant,
        night=ctx.night,
        period=period.name,
        run_id=ctx.run_id,
        available_at=pd.Timestamp(ctx.now()),
    )


def _events(plain: Plain, sites: Sequence[str], promoted: Mapping[int, Sequence[date]]) -> list[str]:
    """A JSON list for each series: the events of its site, and its own promotions."""
    texts = {on: event_text(on, PROMOTION, None) for dates in promoted.values() for on in dates}
    of_sites = {site: _list(plain.events.get(site, [])) for site in set(sites)}
    found = [of_sites[site] for site in sites]
    for row, dates in promoted.items():
        found[row] = _list(sorted([*plain.events.get(sites[row], []), *((on, texts[on]) for on in dates)]))
    return found


def _list(events: Sequence[Event]) -> str:
    return f"[{','.join(text for _, text in events)}]"
