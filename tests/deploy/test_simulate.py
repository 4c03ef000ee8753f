"""The simulated plant says what it is, repeats itself, and fits the maps that it ships."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from deploy import plant, simulate

LAST = date(2026, 5, 15)
BAYRAM = (date(2026, 3, 20), date(2026, 3, 21), date(2026, 3, 22))  # Ramazan Bayramı


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    simulate.write_exports(folder, LAST)
    return folder


def hashes(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def read_turkish(path):
    return pd.read_csv(path, sep=";", encoding="windows-1254", dtype=str)


def test_the_exports_say_that_they_are_simulated(exports):
    assert read_turkish(exports / "tesisler.csv")["Ad"].str.contains("simulated").all()
    assert "simulated" in (exports / "set.yaml").read_text()
    assert "simulated" in pd.read_excel(exports / "stok_kartlari.xlsx", header=None).iloc[0, 0]


def test_the_same_day_again_leaves_every_byte_as_it_was(exports):
    before = hashes(exports)
    simulate.write_exports(exports, LAST)
    assert hashes(exports) == before


def test_a_later_day_adds_files_and_leaves_those_that_are_there(tmp_path):
    simulate.write_exports(tmp_path, LAST)
    before = hashes(tmp_path)
    simulate.write_exports(tmp_path, LAST + timedelta(days=4))
    after = hashes(tmp_path)
    changed = {name for name, digest in before.items() if after[name] != digest}
    assert changed <= {"set.yaml", "takvim.csv"}
    assert {name for name in after if name not in before} >= {
        "satis_20260516-20260519.csv",
        "sevkiyat_20260518-20260519.parquet",  # nothing leaves on a weekend
    }


def test_exported_in_two_goes_or_at_once_the_sales_are_the_same(tmp_path):
    for last in (LAST, LAST + timedelta(days=11)):
        simulate.write_exports(tmp_path / "two", last)
    simulate.write_exports(tmp_path / "one", LAST + timedelta(days=11))
    one, two = (pd.concat(read_turkish(p) for p in (tmp_path / n).glob("satis_*.csv")) for n in ("one", "two"))
    one, two = (rows[rows["Stok Kodu"] != plant.PRODUCTS[-1].code] for rows in (one, two))  # its launch moves along
    order = list(one.columns)
    pd.testing.assert_frame_equal(two.sort_values(order, ignore_index=True), one.sort_values(order, ignore_index=True))


def test_a_day_s_orders_do_not_depend_on_the_period_that_is_asked_for():
    for product in plant.PRODUCTS[:-1]:  # the last one is always new
        longer = plant.orders(product, "IZM-01", LAST + timedelta(days=40))
        assert (longer[:-40] == plant.orders(product, "IZM-01", LAST)).all()


def test_history_is_two_and_a_half_years_or_a_little_more(exports):
    days = pd.to_datetime(
        pd.concat(read_turkish(p)["Tarih"] for p in exports.glob("satis_2*.csv")), format="%d.%m.%Y"
    ).drop_duplicates()
    assert days.max().date() == LAST
    assert 2.5 <= (days.max() - days.min()).days / 365 <= 2.8


def test_customers_order_next_to_nothing_on_a_bayram():
    rows = plant.table("orders", date(2026, 2, 1), LAST)
    by_day = rows.groupby(rows["date"].dt.date)["units"].sum()
    assert max(by_day.get(day, 0) for day in BAYRAM) < 0.1 * by_day.median()


def test_sweets_are_ordered_in_the_weeks_before_a_bayram():
    lokum = next(p for p in plant.PRODUCTS if p.name.startswith("Fıstıklı Lokum"))
    rows = pd.Series(plant.orders(lokum, "IZM-01", LAST), pd.date_range(plant.EPOCH, LAST))
    assert rows["2026-03-06":"2026-03-19"].mean() > 2 * rows["2026-02-01":"2026-02-28"].mean()


def test_some_products_are_seldom_ordered_and_one_is_new():
    rows = plant.table("orders", date(2025, 5, 16), LAST)
    days = rows[rows["site"] == "IZM-01"].groupby("product")["date"].nunique()
    assert days["300.03.001"] < 60
    assert days[plant.PRODUCTS[-1].code] <= 12


def test_a_price_cut_comes_with_more_orders():
    rows = plant.table("orders", date(2024, 1, 1), LAST)
    water = rows[(rows["product"] == "100.01.001") & (rows["site"] == "IZM-01")]
    means = water.groupby("promotion")["units"].mean()
    assert means[True] > 1.3 * means[False]


def test_a_forecast_of_the_weather_is_told_before_and_is_wrong_by_little():
    rows = plant.weather(date(2026, 1, 1), LAST)
    ahead = (rows["date"] - rows["told"].dt.normalize()).dt.days
    assert sorted(set(ahead)) == list(range(8))
    true = {site: pd.Series(plant.temperatures(site, LAST + timedelta(days=7))) for site in plant.SITES}
    day = (rows["date"] - pd.Timestamp(plant.EPOCH)).dt.days
    off = [t - true[s][d] for t, s, d in zip(rows["temperature"], rows["site"], day, strict=True)]
    spread = pd.Series(off).groupby(ahead).std()
    assert spread[0] == 0
    assert 0.5 < spread[1] < 1
    assert 1.5 < spread[7] < 2.2


def test_what_was_told_of_the_weather_stays_as_it_was():
    longer = plant.weather(date(2026, 5, 1), LAST + timedelta(days=40))
    until = longer[longer["told"] < pd.Timestamp(LAST + timedelta(days=1))].reset_index(drop=True)
    pd.testing.assert_frame_equal(until, plant.weather(date(2026, 5, 1), LAST))


def test_more_lemonade_is_ordered_on_warm_days():
    lemonade = next(p for p in plant.PRODUCTS if p.name == "Limonata 1 L")
    rows = pd.Series(plant.orders(lemonade, "IZM-01", LAST), pd.date_range(plant.EPOCH, LAST))
    degrees = pd.Series(plant.temperatures("IZM-01", LAST), rows.index)
    above = degrees - degrees.rolling(29, center=True).mean()
    summer = rows.index.month.isin([6, 7, 8]) & (rows > 0)
    assert rows[summer & (above > 2)].mean() > 1.15 * rows[summer & (above < -2)].mean()


def test_a_correction_is_recorded_after_the_row_that_it_corrects(exports):
    corrections = read_turkish(exports / "satis_duzeltme_20260515.csv")
    recorded = pd.to_datetime(corrections["Kayıt Zamanı"], format="%d.%m.%Y %H:%M")
    assert len(corrections) > 10
    assert (recorded > pd.to_datetime(corrections["Tarih"], format="%d.%m.%Y") + pd.Timedelta("1D")).all()
    assert recorded.max() < pd.Timestamp(LAST + timedelta(days=1))


def test_every_kind_of_mistake_is_there_and_few_rows_are_wrong(exports):
    rows = pd.concat(read_turkish(p) for p in exports.glob("satis_2*.csv"))
    negative, worded = rows["Miktar"].str.startswith("-").sum(), rows["Miktar"].str.endswith("koli").sum()
    nameless = rows["Stok Kodu"].isna().sum()
    assert min(negative, worded, nameless) >= 2
    assert negative + worded + nameless < 0.005 * len(rows)


def test_the_gateway_reads_every_export_by_its_map(exports):
    from edge_sync.importer import Import, dry_run
    from edge_sync.mapfile import read_map
    from edge_sync.sets import read_set
    from expectations.tables import TABLES

    found = read_set(str(exports / "set.yaml"), exports, TABLES)
    assert {e.contract for e in found.entries} == {c.name for c in TABLES.landed}
    now = datetime.combine(LAST + timedelta(days=1), datetime.min.time(), UTC)
    for entry in found.entries:
        contract = TABLES[entry.contract]
        task = Import(
            tenant=simulate.TENANT, site=found.site, contract=contract, file_map=read_map(entry.map, contract), now=now
        )
        for file in entry.files:
            outcome = dry_run(task, file)
            assert outcome.tally.landed > 0
            assert all(p.text.endswith("koli") for p in outcome.tally.places), f"{file.name}: {outcome.tally.places}"
