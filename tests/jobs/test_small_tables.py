"""What is written without Spark: an upsert is a dict's update, and its rows are found by a filter afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations import settings as settings_module
from expectations.contract import Zone
from expectations.tables import DEMAND_FORECAST, DEMAND_SERIES, QUARANTINE, SALES
from jobs.delta_reader import query, read_rows
from jobs.lake import Lake, kept_days

AT = datetime(2026, 1, 1, tzinfo=UTC)
CODES = ("acme", "it's", "çelik", 'a"b', "x OR true", None)
KEYS = st.tuples(st.sampled_from(CODES), st.sampled_from(CODES), st.integers(-1, 2))


def no_spark():
    raise AssertionError("a small table needs no Spark")


def lake_in(folder):
    return Lake(no_spark, settings_module.load({"URETIMIQ_HOME": str(folder)}))


def upsert(lake, rows):
    """`rows`: reason by tenant, contract and row_index."""
    records = [
        {
            "tenant": t,
            "contract": c,
            "object_key": "o",
            "content_hash": "h",
            "row_index": i,
            "reason": reason,
            "rows": 1,
        }
        | {"batch": 1, "quarantined_at": AT}
        for (t, c, i), reason in rows.items()
    ]
    lake.upsert(lake.table(QUARANTINE, records), QUARANTINE)


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(
    writes=st.lists(st.dictionaries(KEYS, st.text("abç'", max_size=3), min_size=1, max_size=6), min_size=1, max_size=4)
)
def test_upserts_are_updates_of_a_dict(tmp_path_factory, writes):
    lake = lake_in(tmp_path_factory.mktemp("home"))
    expected = {}
    for rows in writes:
        upsert(lake, rows)
        expected.update(rows)
    stored = read_rows(lake.settings, QUARANTINE).to_pylist()
    found = [((r["tenant"], r["contract"], r["row_index"]), r["reason"]) for r in stored]
    assert sorted(found, key=repr) == sorted(expected.items(), key=repr)


def test_rows_left_by_an_upsert_are_found_by_a_filter(tmp_path):
    lake = lake_in(tmp_path)
    upsert(lake, {("acme", "sales", 0): "a", ("acme", "sales", 1): "b"})
    upsert(lake, {("acme", "sales", 1): "c"})
    found = read_rows(
        lake.settings, QUARANTINE, columns=["reason"], filters=[("contract", "=", "sales"), ("row_index", "=", 0)]
    )
    assert found.to_pylist() == [{"reason": "a"}]
    assert query(
        lake.settings, QUARANTINE, None, "SELECT reason FROM rows WHERE contract = 'sales' AND row_index = 1"
    ) == [{"reason": "c"}]


@pytest.mark.parametrize(
    ("contract", "zone", "days"),
    [
        (SALES, Zone.SILVER, 400),
        (DEMAND_FORECAST, Zone.GOLD, 400),
        (QUARANTINE, Zone.OPERATIONS, 30),
        (DEMAND_SERIES, Zone.GOLD, 7),
    ],
)
def test_earlier_versions_are_kept_for_as_long_as_manifests_need_them(contract, zone, days):
    assert kept_days(contract, zone) == days
