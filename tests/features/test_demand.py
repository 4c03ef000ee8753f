"""The demand features: against an oracle that knows no trick, by day and over years, and the law of known time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import demand_oracle
import pytest
from demand_histories import BEGIN, DAY, at, frames, random_history, sale, versions
from pyspark.sql import functions as F

import features.demand
from expectations.contract import Zone
from expectations.tables import DEMAND_FEATURES, PRODUCTS, SALES, SITES

Row = dict[str, Any]
Rows = dict[tuple[str, str, str, date], Row]
LENGTHS = (60, 130, 420)  # days of the random histories: the longest reaches a year back
NEWS = BEGIN + 40 * DAY  # day on which the tenant "after" learns what "before" does not


@dataclass(frozen=True)
class Case:
    sales: list[Row]
    sites: list[Row]
    products: list[Row]
    ranges: dict[str, tuple[date, date]]

    def features(self, spark: Any, ranges: dict[str, tuple[date, date]]) -> Any:
        return features.demand.demand_features(*frames(spark, self.sales, self.sites, self.products), ranges)


def drawn(tenant: str, text: str) -> list[Row]:
    """Sales of product a at site n; one a line: day from BEGIN, units, price, promotion, known (days after that day)."""
    rows = []
    for line in text.strip().splitlines():
        day, units, price, promotion, later = line.split()
        on = BEGIN + int(day) * DAY
        known = at(f"{on + DAY}") + float(later) * DAY
        told = {
            "unit_price": None if price == "-" else float(price),
            "promotion": {"-": None}.get(promotion, promotion == "yes"),
        }
        rows.append(sale(tenant, "n", "a", on, float(units), known, **told))
    return rows


# day  units  price  promotion  known
DRAWN = """
    0    4     2.0    no         0
    1    6     -      -          0
    1    60    -      -          9
    4    0     3.0    yes        0
    6    8     -      -          3
"""


def law_of_known_time(tenant: str, *, with_news: bool) -> list[Row]:
    """Two products in 60 days; and what became known on the night of NEWS: corrections, late rows, a first row."""
    rows = [
        sale(tenant, "n", product, BEGIN + n * DAY, 10.0 + n % 7, at(f"{BEGIN + (n + 1) * DAY}"), unit_price=5.0)
        for product in "ab"
        for n in range(5, 60)
        if n % 6
    ]
    news = datetime.combine(NEWS, datetime.min.time()).replace(tzinfo=at("2024-01-01").tzinfo) + 0.9 * DAY
    late = [
        sale(tenant, "n", "a", BEGIN + 30 * DAY, 500.0, news, unit_price=9.0),  # no row before: late
        sale(tenant, "n", "a", BEGIN + 31 * DAY, 500.0, news, unit_price=9.0),  # a correction
        sale(tenant, "n", "b", BEGIN, 500.0, news),  # the series is older than we knew
        sale(tenant, "n", "c", BEGIN + 20 * DAY, 500.0, news),  # a series of which nothing was known
    ]
    return rows + (late if with_news else [])


def with_random(case: Case) -> Case:
    for seed in range(9):
        tenant, days = f"random-{seed}", LENGTHS[seed % len(LENGTHS)]
        sales, sites, products = random_history(tenant, seed, days)
        first = BEGIN + [0, 30, days - 50][seed % 3] * DAY
        case.sales.extend(sales)
        case.sites.extend(sites)
        case.products.extend(products)
        case.ranges[tenant] = (first, BEGIN + (days + 3) * DAY)
    return case


def product(tenant: str, name: str, group: str, known: str) -> Row:
    return {
        "tenant": tenant,
        "product": name,
        "product_group": group,
        "product_sub_group": "s",
        "available_at": at(known),
    }


@pytest.fixture(scope="module")
def case() -> Case:
    sales = drawn("drawn", DRAWN)
    products = [product("after", "b", "other", str(NEWS + DAY))]
    for tenant in ("before", "after"):
        sales += law_of_known_time(tenant, with_news=tenant == "after")
        products += [product(tenant, name, "group", "2024-01-01") for name in "abc"]
    whole = (BEGIN, BEGIN + 62 * DAY)
    made = with_random(Case(sales, [], products, {"drawn": (BEGIN, BEGIN + 12 * DAY), "before": whole, "after": whole}))
    return Case(
        versions(made.sales, SALES.keys),
        versions(made.sites, SITES.keys),
        versions(made.products, PRODUCTS.keys),
        made.ranges,
    )


def collected(frame: Any) -> Rows:
    rows = frame.toArrow().to_pylist()
    found = {(r["tenant"], r["site"], r["product"], r["date"]): r for r in rows}
    assert len(found) == len(rows), "a key twice"
    return found


@pytest.fixture(scope="module")
def frame(spark: Any, case: Case) -> Any:
    return case.features(spark, case.ranges)


@pytest.fixture(scope="module")
def rows(frame: Any) -> Rows:
    return collected(frame)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="tenant t: the range ends on 2024-01-01, before it begins on 2024-01-02"):
        features.demand.demand_features(None, None, None, {"t": (date(2024, 1, 2), date(2024, 1, 1))})  # type: ignore[arg-type]


def test_it_has_the_columns_of_the_contract(frame: Any) -> None:
    from jobs.lake import spark_schema

    wanted = spark_schema(DEMAND_FEATURES.schema_in(Zone.FEATURES))
    assert [(f.name, f.dataType) for f in frame.schema] == [(f.name, f.dataType) for f in wanted]


def test_every_row_is_what_the_oracle_tells(case: Case, rows: Rows) -> None:
    expected = demand_oracle.features(case.sales, case.sites, case.products, case.ranges)
    assert sorted(rows) == sorted(expected)
    wrong = {key: demand_oracle.differences(row, rows[key]) for key, row in expected.items()}
    assert {key: found for key, found in wrong.items() if found} == {}
    assert len(rows) > 3000  # the histories did not come out empty


def test_a_night_makes_the_rows_that_a_backfill_makes(spark: Any, case: Case, rows: Rows) -> None:
    nights = {tenant: (last - 17 * DAY,) * 2 for tenant, (_, last) in case.ranges.items() if tenant != "drawn"}
    of_night = collected(case.features(spark, nights))
    same_days = {key: row for key, row in rows.items() if key[0] in nights and key[3] == nights[key[0]][0]}
    assert sorted(of_night) == sorted(same_days)
    assert {k: d for k, row in same_days.items() if (d := demand_oracle.differences(row, of_night[k]))} == {}


#   day  lag_0  lag_1  lag_2  mean_14 first  last_sale  price  promotion
TOLD = """
    0    4      -      -      4       0      0          2      0
    1    6      4      -      5       1      0          2      0
    2    -      6      4      5       2      1          2      0
    4    0      0      0      2       4      3          3      .5
    5    -      0      0      2       5      4          3      .5
    6    -      -      0      2       6      5          3      .5
    8    -      -      -      2       8      7          3      .5
    9    -      -      -      2.571429 9     3          3      .5
    10   -      -      -      10.285714 10     4          3      .5
"""
COLUMNS = (
    "units_lag_0",
    "units_lag_1",
    "units_lag_2",
    "units_mean_14",
    "days_since_first",
    "days_since_last_sale",
    "unit_price",
    "promotion_share_28",
)


@pytest.mark.parametrize("line", TOLD.strip().splitlines())
def test_a_day_without_a_row_is_zero_up_to_the_sites_last_known_day_and_unknown_after_it(line: str, rows: Rows) -> None:
    day, *expected = line.split()
    row = rows["drawn", "n", "a", BEGIN + int(day) * DAY]
    assert [row[c] for c in COLUMNS] == [None if v == "-" else pytest.approx(float(v)) for v in expected]


def changed(rows: Rows) -> dict[date, set[str]]:
    """Columns in which the tenants "before" and "after" differ, by day; a missing row is a difference too."""
    found: dict[date, set[str]] = {}
    for _, site, name, day in {k for k in rows if k[0] in ("before", "after")}:
        before, after = (rows.get((tenant, site, name, day), {}) for tenant in ("before", "after"))
        columns = {c for c in {*before, *after} - {"tenant"} if before.get(c) != after.get(c)}
        found[day] = found.get(day, set()) | columns
    return found


def test_late_news_moves_no_feature_of_an_earlier_cut_off(rows: Rows) -> None:
    by_day = changed(rows)
    assert {day: columns for day, columns in by_day.items() if columns and day < NEWS} == {}
    assert {"units_lag_9", "units_mean_14", "days_since_first", "unit_price_ratio_28", "share_of_group_28"} <= by_day[
        NEWS
    ]
    assert "product_group" in by_day[NEWS + DAY]


def test_a_leak_is_seen_by_the_test_above(spark: Any, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    right = features.demand.seen_versions

    def leaking(sales: Any, calendar: Any) -> Any:
        current = sales.where("superseded_at IS NULL")
        return right(current.withColumn("available_at", F.lit(at("1990-01-01"))), calendar)

    monkeypatch.setattr(features.demand, "seen_versions", leaking)
    days = dict.fromkeys(("before", "after"), (NEWS - 5 * DAY, NEWS - DAY))
    by_day = changed(collected(case.features(spark, days)))
    assert all(by_day[day] for day in (NEWS - timedelta(days=n) for n in (1, 2, 3, 4, 5)))
