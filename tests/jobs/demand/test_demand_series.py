"""The series of a tenant's newest night, from tables drawn here: what was known at the cut-off, and no more."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from expectations.contract import Zone
from expectations.tables import (
    CALENDAR_EVENTS,
    CALENDAR_FEATURES,
    DEMAND_FORECAST,
    DEMAND_SERIES,
    INGEST_LEDGER,
    JOB_RUNS,
    PRODUCTS,
    SALES,
    SITES,
)
from jobs import demand_series
from jobs.catalogue import DEMAND_SERIES as JOB
from jobs.catalogue import NIGHT as NIGHT_JOBS
from jobs.delta_reader import read_rows
from jobs.errors import TenantsFailed
from jobs.runner import run as run_job

NIGHT = date(2026, 3, 1)
CUT_OFF = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
BEFORE, AFTER = CUT_OFF - timedelta(minutes=1), CUT_OFF + timedelta(minutes=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FEB_27, FEB_28 = date(2026, 2, 27), date(2026, 2, 28)

SOLD = pd.DataFrame(
    [  # day, units, price, on promotion, known from, until
        (FEB_27, 5.0, 10.0, False, LONG_AGO, AFTER),
        (FEB_27, 999.0, 99.0, True, AFTER, None),  # a correction that came after the cut-off
        (FEB_28, 4.0, 10.0, False, LONG_AGO, BEFORE),
        (FEB_28, 7.0, 12.0, True, BEFORE, None),  # one that came before it
        (NIGHT, 3.0, None, None, CUT_OFF, None),
        (date(2026, 3, 5), 0.0, 1.0, True, LONG_AGO, None),  # planned, of a day to come
        (date(2024, 1, 31), 50.0, 5.0, True, LONG_AGO, None),  # more than two years ago
    ],
    columns=["date", "units", "unit_price", "promotion", "available_at", "superseded_at"],
)


def put(lake: Any, contract: Any, zone: Zone, rows: list[dict[str, Any]]) -> None:
    columns = {"row_index": 0, "content_hash": "h", "superseded_at": None}
    lake.append(pd.DataFrame([columns | row for row in rows]), contract, zone)


def forecast(lake: Any, tenant: str, series: list[tuple[str, str]], night: date = NIGHT, **more: Any) -> None:
    """Four days ahead."""
    cut_off = CUT_OFF + (night - NIGHT)
    told = {"tenant": tenant, "night": night, "night_month": f"{night:%Y-%m}", "period": "day", "cut_off": cut_off}
    ahead = [
        {"site": site, "product": product, "horizon": day, "date": night + timedelta(days=day)}
        for site, product in series
        for day in range(1, 5)
    ]
    put(lake, DEMAND_FORECAST, Zone.GOLD, [told | row | more for row in ahead])


def sell(lake: Any, tenant: str, site: str, product: str, sold: pd.DataFrame = SOLD) -> None:
    known = sold.assign(tenant=tenant, site=site, product=product, year=[d.year for d in sold["date"]])
    put(lake, SALES, Zone.SILVER, known.astype(object).where(known.notna(), None).to_dict("records"))


def name(lake: Any, tenant: str, product: str, **versions: Any) -> None:
    row = {"tenant": tenant, "product": product, "product_name": "Pompa", "available_at": LONG_AGO}
    row |= {"product_group": "pumps", "product_sub_group": "steel"}
    put(lake, PRODUCTS, Zone.SILVER, [row | versions])


def rows(lake: Any, tenant: str) -> dict[str, dict[str, Any]]:
    found = read_rows(lake.settings, DEMAND_SERIES, filters=[("tenant", "=", tenant)]).to_pylist()
    assert len({(row["site"], row["product"]) for row in found}) == len(found)
    return {f"{row['site']}/{row['product']}": row for row in found}


@pytest.fixture(scope="module")
def lake(make_lake: Any) -> Any:
    """Of acme two series at one site and one at another; of zebra one; bare has no forecast."""
    lake = make_lake()
    forecast(lake, "acme", [("gebze", "P-1"), ("gebze", "P-2"), ("izmir", "P-1")])
    forecast(lake, "zebra", [("gebze", "P-1")])
    sell(lake, "acme", "gebze", "P-1")
    sell(lake, "acme", "izmir", "P-1", SOLD[SOLD["date"] == FEB_28])
    sell(lake, "zebra", "gebze", "P-1", SOLD.assign(units=1.0))
    name(lake, "acme", "P-1", superseded_at=AFTER)
    name(lake, "acme", "P-1", product_name="zu spät", product_group="late", available_at=AFTER)
    site = {"country": "TR", "time_zone": "Europe/Istanbul", "available_at": LONG_AGO}
    in_lira = site | {"tenant": "acme", "site": "gebze", "currency": "TRY"}
    in_euro = in_lira | {"currency": "EUR", "available_at": AFTER}
    elsewhere = site | {"tenant": "zebra", "site": "gebze", "currency": "USD"}
    put(lake, SITES, Zone.SILVER, [in_lira | {"superseded_at": AFTER}, in_euro, elsewhere])
    day = {"tenant": "acme", "available_at": LONG_AGO}
    holiday = day | {"is_holiday": True, "is_half_holiday": False, "holiday": "Ramadan Feast"}
    put(
        lake,
        CALENDAR_FEATURES,
        Zone.FEATURES,
        [
            holiday | {"site": "gebze", "date": date(2026, 3, 2)},
            holiday | {"site": "gebze", "date": date(2026, 3, 4), "is_holiday": False, "is_half_holiday": True},
            holiday | {"site": "gebze", "date": date(2026, 3, 6)},  # beyond the horizon
            holiday | {"site": "izmir", "date": date(2026, 2, 2), "is_holiday": False},  # an ordinary day
        ],
    )
    event = day | {"kind": "fair", "year": 2026}
    put(
        lake,
        CALENDAR_EVENTS,
        Zone.SILVER,
        [
            event | {"site": "*", "date": date(2026, 2, 20), "event": "İzmir fuarı"},
            event | {"site": "izmir", "date": date(2026, 2, 21), "event": "open day"},
            event | {"site": "izmir", "date": date(2026, 2, 22), "event": "not known yet", "available_at": AFTER},
        ],
    )
    lake.last = lake.context("acme", "zebra", "bare", night=NIGHT)
    demand_series.run(lake.last)
    return lake


def test_each_series_of_the_forecast_has_a_row_of_the_night(lake: Any) -> None:
    found = rows(lake, "acme")

    assert list(found) == ["gebze/P-1", "gebze/P-2", "izmir/P-1"]
    assert {(row["night"], row["period"], row["cut_off"]) for row in found.values()} == {(NIGHT, "day", CUT_OFF)}


def test_a_correction_counts_from_the_cut_off_that_knew_it_on(lake: Any) -> None:
    row = rows(lake, "acme")["gebze/P-1"]

    assert (row["first_date"], json.loads(row["units"])) == (FEB_27, [5, 7, 3])


def test_the_price_is_the_last_that_was_known_of_a_day_that_is_over(lake: Any) -> None:
    found = rows(lake, "acme")

    assert [row["unit_price"] for row in found.values()] == [12.0, None, 12.0]


def test_prices_are_in_the_currency_of_the_site_as_it_was_known(lake: Any) -> None:
    assert [row["currency"] for row in rows(lake, "acme").values()] == ["TRY", "TRY", None]


def test_name_and_group_are_those_known_at_the_cut_off(lake: Any) -> None:
    row, other = (rows(lake, "acme")[f"gebze/{product}"] for product in ("P-1", "P-2"))

    assert (row["product_name"], row["product_group"], row["product_sub_group"]) == ("Pompa", "pumps", "steel")
    assert (other["product_name"], other["product_group"], other["product_sub_group"]) == (None, None, None)


def test_days_that_the_site_has_not_reported_are_not_known(lake: Any) -> None:
    assert json.loads(rows(lake, "acme")["izmir/P-1"]["units"]) == [7, None]


def test_a_series_without_a_sale_in_two_years_has_sold_nothing(lake: Any) -> None:
    row = rows(lake, "acme")["gebze/P-2"]

    assert (row["first_date"], json.loads(row["units"])) == (date(2024, 3, 2), [0] * 730)


def test_events_are_holidays_promotions_and_those_of_the_plant_until_the_horizons_end(lake: Any) -> None:
    told = {key: [tuple(e.values()) for e in json.loads(row["events"])] for key, row in rows(lake, "acme").items()}

    feast = [("2026-03-02", "holiday", "Ramadan Feast"), ("2026-03-04", "half_holiday", "Ramadan Feast")]
    fair, promotion = ("2026-02-20", "fair", "İzmir fuarı"), ("2026-02-28", "promotion", None)
    assert told == {
        "gebze/P-1": [fair, promotion, *feast, ("2026-03-05", "promotion", None)],
        "gebze/P-2": [fair, *feast],
        "izmir/P-1": [fair, ("2026-02-21", "fair", "open day"), promotion],
    }


def test_a_tenant_without_a_forecast_fails_alone(lake: Any) -> None:
    assert {tenant: outcome.status for tenant, outcome in lake.last.outcomes.items()} == {
        "acme": "ok",
        "zebra": "ok",
        "bare": "failed",
    }
    assert "run `uretimiq run forecast-demand --tenant bare --date 2026-03-01`" in lake.last.outcomes["bare"].reason


def test_the_same_night_again_leaves_the_same_rows(lake: Any) -> None:
    before, theirs = rows(lake, "acme"), rows(lake, "zebra")
    again = lake.context("acme", night=NIGHT)

    demand_series.run(again)

    now = rows(lake, "acme")
    assert {key: row | {"run_id": ""} for key, row in now.items()} == {k: r | {"run_id": ""} for k, r in before.items()}
    assert {row["run_id"] for row in now.values()} == {again.run_id}
    assert rows(lake, "zebra") == theirs, "another tenant's rows stay"


def test_a_tenant_that_cannot_be_read_fails_alone(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real, before = demand_series.past, rows(lake, "zebra")

    def broken(sold: Any, sites: Any, *more: Any) -> Any:
        if len(sites) == 1:
            raise ValueError("the file is torn")
        return real(sold, sites, *more)

    monkeypatch.setattr(demand_series, "past", broken)
    ctx = lake.context("acme", "zebra", night=NIGHT)

    demand_series.run(ctx)

    assert (ctx.outcomes["acme"].status, ctx.outcomes["zebra"].reason) == ("ok", "the file is torn")
    assert rows(lake, "zebra") == before


def test_what_fails_at_the_door_blocks_its_tenant_alone(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real, before = demand_series.past, rows(lake, "acme")

    def torn(sold: Any, sites: Any, *more: Any) -> Any:
        found = real(sold, sites, *more)
        texts = pa.array(["[NaN"] * len(sites))
        return SimpleNamespace(first=found.first, texts=lambda: texts) if len(sites) == 3 else found

    monkeypatch.setattr(demand_series, "past", torn)
    ctx = lake.context("acme", "zebra", night=NIGHT)

    demand_series.run(ctx)

    assert (ctx.outcomes["acme"].status, ctx.outcomes["zebra"].status) == ("blocked", "ok")
    assert "units_is_a_list: 3 of 3 rows (as gebze/P-1" in ctx.outcomes["acme"].reason
    assert rows(lake, "acme") == before


def test_many_series_are_written_in_parts_and_all_of_them(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(demand_series, "SERIES_AT_ONCE", 3)
    ctx = lake.context("acme", "zebra", night=NIGHT, progress=told.append)

    demand_series.run(ctx)

    assert [line for line in told if line.startswith("demand-series")] == ["demand-series: 1 tenants"] * 2
    assert {row["run_id"] for tenant in ("acme", "zebra") for row in rows(lake, tenant).values()} == {ctx.run_id}


def test_an_older_night_never_replaces_a_newer_one(lake: Any) -> None:
    told: list[str] = []
    forecast(lake, "acme", [("gebze", "P-1")], NIGHT - timedelta(days=1))
    forecast(lake, "zebra", [("gebze", "P-1"), ("gebze", "P-7")], NIGHT + timedelta(days=1))
    before = rows(lake, "acme")
    older, newer = (
        lake.context("acme", "zebra", night=NIGHT + timedelta(days=d), progress=told.append) for d in (-1, 1)
    )

    demand_series.run(newer)
    demand_series.run(older)

    assert rows(lake, "acme") == before
    assert list(rows(lake, "zebra")) == ["gebze/P-1", "gebze/P-7"]
    assert older.outcomes["acme"].status == "ok"
    assert "tenant acme: the series of 2026-03-01 are there, which is newer: they stay" in told


def test_weeks_are_told_by_their_mondays(lake: Any) -> None:
    forecast(lake, "mill", [("gebze", "P-1")], period="week")
    weeks = pd.DataFrame({"date": [date(2026, 2, 9), date(2026, 2, 23)], "units": [30.0, 40.0]})
    told = {"unit_price": None, "promotion": None, "available_at": LONG_AGO, "superseded_at": None}
    sell(lake, "mill", "gebze", "P-1", weeks.assign(**told))

    demand_series.run(lake.context("mill", night=NIGHT))

    row = rows(lake, "mill")["gebze/P-1"]
    assert (row["period"], row["first_date"], json.loads(row["units"])) == ("week", date(2026, 2, 9), [30, 0, 40])


def test_the_job_runs_after_the_forecast_and_leaves_out_whom_it_stopped(lake: Any) -> None:
    names = [job.name for job in NIGHT_JOBS]
    assert names.index("demand-series") == names.index("forecast-demand") + 1
    ledger = {"content_hash": "h", "object_key": "k", "status": "done"}
    put(lake, INGEST_LEDGER, Zone.OPERATIONS, [ledger | {"tenant": tenant} for tenant in ("acme", "zebra")])
    stopped = {
        "run_id": "r",
        "job": "forecast-demand",
        "date": NIGHT,
        "status": "blocked",
        "reason": "no",
        "ended_at": AFTER,
    }
    put(lake, JOB_RUNS, Zone.OPERATIONS, [stopped | {"tenant": "zebra"}])
    ctx = lake.context(night=NIGHT)
    ctx.tenants = ()

    try:
        run_job(ctx, JOB)
    except TenantsFailed as failed:
        pytest.fail(str(failed))

    assert set(ctx.outcomes) == {"acme"}
