"""The four data sets as problems: a panel of series, what is known ahead, and the origins from which it is judged.

Each loader reads the real files of `shared/data` and nothing else. A problem's last origin is the test of ANCHORS.md, the
ones before it are for tuning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.days_off import calendar_days
from features.public_holidays import PublicHolidays

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """`units` is (series, periods), NaN where a series has not begun or its site was closed.

    `series` has a row for each: key, site, region, product, product_group, product_sub_group, level. `calendar` has what is known
    ahead of each site's day, as in CALENDAR_FEATURES; a weekly problem has none. Periods count from `first` on.
    """

    name: str
    frequency: str  # of pandas: D or W-MON
    season: int  # of MASE and of the peers
    horizon: int
    first: pd.Timestamp
    series: pd.DataFrame
    units: Floats
    calendar: pd.DataFrame
    country: str | None
    bottom: str | None  # the level that the others are sums of; None where the series are no hierarchy
    settings: Mapping[str, Any] = field(default_factory=dict)  # of ours, as a tenant's settings would say

    @property
    def dates(self) -> pd.DatetimeIndex:
        """Of all periods and the horizon after them."""
        return pd.date_range(self.first, periods=self.units.shape[1] + self.horizon, freq=self.frequency)

    @property
    def test(self) -> int:
        """How many periods are known before the test window."""
        return self.units.shape[1] - self.horizon

    def origins(self, folds: int) -> list[int]:
        """How many periods each fold knows, oldest first; the last is the test."""
        return [self.units.shape[1] - self.horizon * k for k in range(folds, 0, -1)]

    @property
    def kinds(self) -> list[str]:
        return sorted({kind for kinds in self.calendar["event_kinds"] for kind in kinds})


def m5(data: Path) -> Problem:
    """154 series of M5's levels 1 to 9, 28 days ahead."""
    sales = pd.read_parquet(data / "demand_m5" / "sales.parquet")
    days = pd.read_csv(data / "demand_m5" / "calendar.csv", parse_dates=["date"])
    wide = sales.pivot(index=["level", "series"], columns="date", values="sales")
    rows = [_m5_series(int(level), name) for level, name in wide.index]
    series = pd.DataFrame(rows)
    stores = sorted(s for s in set(series["site"]) if len(s) == 4)
    calendar = _calendar(_m5_events(days, stores), stores, "US", days["date"].min().date(), days["date"].max().date())
    return Problem(
        "m5", "D", 7, 28, pd.Timestamp(wide.columns[0]), series, wide.to_numpy(float), calendar, "US", bottom="9"
    )


def _m5_series(level: int, name: str) -> dict[str, str]:
    product, _, place = name.partition("/")
    if level in (1, 2, 3):
        product, place = "*", "*" if level == 1 else name
    site = place if len(place) == 4 else "*"
    return {
        "key": f"{level}/{name}",
        "level": str(level),
        "site": site,
        "region": place[:2] if place not in ("", "*") else "*",
        "product": product if "_" in product else "*",
        "product_group": product.split("_")[0],
        "product_sub_group": product if "_" in product else "*",
    }


def _m5_events(days: pd.DataFrame, stores: list[str]) -> pd.DataFrame:
    """Rows site, date, event, kind."""
    named = [
        days[["date", f"event_name_{k}", f"event_type_{k}"]].dropna().set_axis(["date", "event", "kind"], axis=1)
        for k in (1, 2)
    ]
    parts = [pd.concat(named).assign(site=store) for store in stores]
    for store in stores:
        paid = days.loc[days[f"snap_{store[:2]}"] == 1, ["date"]]
        parts.append(paid.assign(event="SNAP", kind="SNAP", site=store))
    return pd.concat(parts, ignore_index=True)


def rossmann(data: Path) -> Problem:
    """Turnover of 1,115 shops on the days they were open, 42 days ahead; promotions and holidays are known ahead."""
    rows = pd.read_parquet(data / "demand_rossmann" / "sales.parquet")
    rows["site"] = rows["Store"].map("{:04d}".format)
    wide = rows.pivot(index="site", columns="Date", values="Sales").reindex(
        columns=pd.date_range(rows["Date"].min(), rows["Date"].max())
    )
    series = pd.DataFrame(
        {
            "key": wide.index,
            "level": "store",
            "site": wide.index,
            "region": "*",
            "product": "turnover",
            "product_group": "turnover",
            "product_sub_group": "turnover",
        }
    )
    told = [
        rows.loc[rows["Promo"] == 1, ["site", "Date"]].assign(event="Promotion", kind="promotion"),
        rows.loc[rows["SchoolHoliday"] == 1, ["site", "Date"]].assign(event="School holiday", kind="school holiday"),
        rows.loc[rows["StateHoliday"] != "0", ["site", "Date"]].assign(event="State holiday", kind="state holiday"),
    ]
    events = pd.concat(told, ignore_index=True).rename(columns={"Date": "date"})
    first, last = wide.columns[0], wide.columns[-1]
    calendar = _calendar(events, list(wide.index), "DE", first.date(), last.date())
    return Problem("rossmann", "D", 7, 42, first, series, wide.to_numpy(float), calendar, "DE", bottom=None)


def supplygraph(data: Path) -> Problem:
    """41 products of a factory, orders of half a year, 28 days ahead."""
    folder = data / "factory_supplygraph"
    orders = pd.read_csv(folder / "sales_order.csv", parse_dates=["date"])
    wide = orders.pivot(index="product", columns="date", values="units").fillna(0.0)
    groups = pd.read_csv(folder / "products.csv").drop_duplicates("Node").set_index("Node")
    names = pd.Series(wide.index)
    series = pd.DataFrame(
        {
            "key": names,
            "level": "product",
            "site": "factory",
            "region": "*",
            "product": names,
            "product_group": names.map(groups["Group"]).fillna("unknown"),
            "product_sub_group": names.map(groups["Sub-Group"]).fillna("unknown"),
        }
    )
    first, last = wide.columns[0], wide.columns[-1]
    events = pd.DataFrame(columns=["site", "date", "event", "kind"])
    calendar = _calendar(events, ["factory"], "BD", first.date(), last.date())
    return Problem("supplygraph", "D", 7, 28, first, series, wide.to_numpy(float), calendar, "BD", bottom=None)


def m4_weekly(data: Path) -> Problem:
    """359 weekly series of M4, 13 weeks ahead. They have no dates: all are set to end together, on a date that means nothing."""
    wide = pd.read_csv(data / "demand_m4_weekly" / "train.csv", index_col="V1").to_numpy(float)
    names = pd.read_csv(data / "demand_m4_weekly" / "train.csv", usecols=["V1"])["V1"]
    units = np.full(wide.shape, np.nan)
    for row, values in enumerate(wide):
        known = values[~np.isnan(values)]
        units[row, -len(known) :] = known
    series = pd.DataFrame({"key": names, "level": "series", "site": "m4", "region": "*", "product": names})
    series = series.assign(product_group="*", product_sub_group="*")
    first = pd.Timestamp("2016-01-04") - pd.Timedelta(weeks=units.shape[1] - 1)
    calendar = _calendar(
        pd.DataFrame(columns=["site", "date", "event", "kind"]), [], None, date(2016, 1, 4), date(2016, 1, 4)
    )
    return Problem("m4_weekly", "W-MON", 1, 13, first, series, units, calendar, None, bottom=None)


def _calendar(events: pd.DataFrame, sites: list[str], country: str | None, first: date, last: date) -> pd.DataFrame:
    """Rows as in CALENDAR_FEATURES, all known from the beginning."""
    days = pd.DataFrame(calendar_days(PublicHolidays(country), first, last))
    days["date"] = pd.to_datetime(days["date"])
    events = events.assign(date=pd.to_datetime(events["date"]))
    of_day = events.groupby(["site", "date"])[["event", "kind"]].agg(lambda names: tuple(sorted(set(names))))
    every = pd.MultiIndex.from_product([sites, days["date"]], names=["site", "date"]).to_frame(index=False)
    rows = every.merge(days, on="date").merge(of_day.reset_index(), on=["site", "date"], how="left")
    rows = rows.rename(columns={"event": "events", "kind": "event_kinds"})
    for name in ("events", "event_kinds"):
        rows[name] = [v if isinstance(v, tuple) else () for v in rows[name]]
    return rows.assign(available_at=pd.Timestamp("1970-01-01", tz="UTC"))


PROBLEMS: dict[str, Callable[[Path], Problem]] = {
    "m5": m5,
    "rossmann": rossmann,
    "supplygraph": supplygraph,
    "m4_weekly": m4_weekly,
}


@cache
def load(name: str, data: Path) -> Problem:
    """The problem `name`. Raises SystemExit with the remedy where its data is missing."""
    try:
        return PROBLEMS[name](data)
    except FileNotFoundError as error:
        raise SystemExit(
            f"{name}: {error.filename} is missing; point URETIMIQ_DATA to the folder of the data sets"
        ) from error
