"""The demand features told again, one row at a time and as plainly as can be: what the Spark code must agree with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from expectations.tables import LAGS, LAST_YEAR_LAGS, ROLLING_MEANS, ROLLING_STDS

Row = dict[str, Any]
DAY = timedelta(days=1)


def known(rows: Iterable[Row], moment: datetime) -> list[Row]:
    return [r for r in rows if r["available_at"] <= moment and (not r["superseded_at"] or r["superseded_at"] > moment)]


def zone_of(sites: list[Row], tenant: str, site: str, day: date) -> str:
    """The zone of the version known when the first place on earth has its cut-off; before any, of the first version."""
    mine = sorted((s for s in sites if (s["tenant"], s["site"]) == (tenant, site)), key=lambda s: s["available_at"])
    if not mine:
        return "UTC"
    moment = datetime(day.year, day.month, day.day, 16, tzinfo=UTC)
    return str((known(mine, moment) or mine[:1])[0]["time_zone"])


def cut_off(day: date, zone: str) -> datetime:
    morning = day + DAY
    return datetime(morning.year, morning.month, morning.day, 6, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def features(
    sales: list[Row], sites: list[Row], products: list[Row], ranges: Mapping[str, tuple[date, date]]
) -> dict[tuple[str, str, str, date], Row]:
    """Rows of DEMAND_FEATURES by (tenant, site, product, date)."""
    found = {}
    for tenant, (first, last) in ranges.items():
        of_tenant = [r for r in sales if r["tenant"] == tenant]
        for site in {r["site"] for r in of_tenant}:
            of_site = [r for r in of_tenant if r["site"] == site]
            for day in (first + n * DAY for n in range((last - first).days + 1)):
                moment = cut_off(day, zone_of(sites, tenant, site, day))
                there = [r for r in known(of_site, moment) if r["date"] <= day]
                group = {p["product"]: p for p in known((p for p in products if p["tenant"] == tenant), moment)}
                for product in {r["product"] for r in there}:
                    found[tenant, site, product, day] = _row(day, moment, product, there, group)
    return found


def _row(day: date, moment: datetime, product: str, there: list[Row], groups: dict[str, Row]) -> Row:
    mine = {r["date"]: r for r in there if r["product"] == product}
    first, reported = min(mine), max(r["date"] for r in there)

    def units(back: int) -> float | None:
        on = day - back * DAY
        if not first <= on <= reported:
            return None
        return mine[on]["units"] if on in mine else 0.0

    def window(start: int, length: int) -> list[float]:
        return [u for u in map(units, range(start, start + length)) if u is not None]

    def month_of(name: str) -> list[Any]:
        return [r[name] for on, r in mine.items() if on > day - 28 * DAY and r[name] is not None]

    sales_days = [on for on, r in mine.items() if r["units"] > 0]
    prices = {on: r["unit_price"] for on, r in mine.items() if r["unit_price"] is not None}
    price = prices[max(prices)] if prices else None
    month_prices, promotions = month_of("unit_price"), month_of("promotion")
    group = groups.get(product)
    members = {p for p, g in groups.items() if group and g["product_group"] == group["product_group"]}
    of_group = [r["units"] for r in there if r["product"] in members and r["date"] > day - 28 * DAY]
    site_days = (reported - max(min(r["date"] for r in there), day - 27 * DAY)).days + 1
    return {
        "cut_off": moment,
        **{f"units_lag_{k}": units(k) for k in LAGS},
        **{f"units_mean_{w}": _mean(window(0, w)) for w in ROLLING_MEANS},
        **{f"units_std_{w}": _deviation(window(0, w)) if window(0, min(w, 28)) else None for w in ROLLING_STDS},
        **{f"units_mean_7_lag_{k}": _mean(window(k, 7)) for k in LAST_YEAR_LAGS},
        "units_zero_share_28": _mean([u == 0 for u in window(0, 28)]),
        "days_since_first": (day - first).days,
        "days_since_last_sale": (day - max(sales_days)).days if sales_days else None,
        "unit_price": price,
        "unit_price_ratio_28": price / math.fsum(month_prices) * len(month_prices)
        if month_prices and any(month_prices)
        else None,
        "promotion_share_28": _mean(promotions),
        "product_group": group and group["product_group"],
        "product_sub_group": group and group["product_sub_group"],
        "group_units_mean_28": sum(of_group) / site_days if group and site_days > 0 else None,
        "share_of_group_28": sum(window(0, 28)) / sum(of_group) if sum(of_group) > 0 else None,
        "year": day.year,
    }


def _mean(values: list[Any]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _deviation(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    middle = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1))


def differences(expected: Row, given: Row) -> dict[str, tuple[Any, Any]]:
    """Columns in which two rows differ by more than one part in 10^9."""

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, int | float) and isinstance(b, int | float):
            return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
        return bool(a == b)

    return {name: (value, given[name]) for name, value in expected.items() if not same(value, given[name])}
