"""Every object that lands is in bronze, in quarantine or known as a duplicate, row by row, with a line that says why.

All objects land first and are ingested in two runs; each test then looks at one of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from expectations.tables import CHECK_RESULTS, TABLES
from jobs.catalogue import INGEST
from jobs.delta_reader import read_rows
from jobs.errors import JobError
from jobs.landing import Landing
from jobs.runner import run
from jobs.split import blocking

TENANT, OTHER = "ingest-acme", "ingest-beta"
UNREADABLE_CELL = json.dumps({"units": "12 koli"})


def with_columns(table: pa.Table, **columns: Any) -> pa.Table:
    """`table` with columns added or replaced."""
    for name, values in columns.items():
        array = values if isinstance(values, pa.Array) else pa.array(values)
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, array)
        else:
            table = table.append_column(name, array)
    return table


def twice(table: pa.Table, name: str) -> pa.Table:
    """`table` with two more columns, both of that name."""
    more = pa.array(["x"] * table.num_rows)
    return pa.Table.from_arrays([*table.columns, more, more], names=[*table.column_names, name, name])


def not_utf8() -> pa.Array:
    return pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff"))


def flip_pages(content: bytes) -> bytes:
    """Damage the data pages and leave the footer."""
    return content[:40] + bytes(b ^ 0xFF for b in content[40:400]) + content[400:]


def bad_rows(g: Any) -> pa.Table:
    """Row 0 is good, each other breaks rules of its own."""
    return g.table(
        "sales",
        site=["gebze", "gebze", "", "gebze", "gebze", "gebze"],
        product=["P1", "P1", "a/b", None, "P1", "P1"],
        date=[date(2026, 2, 1), date(2026, 2, 2), date(2026, 2, 3), date(2026, 2, 4), date(201, 2, 5), None],
        units=[1.0, -1.0, 3.0, 4.0, float("nan"), 6.0],
        available_at=[datetime(2026, 3, 1, tzinfo=UTC)] * 5 + [datetime(2027, 1, 1, tzinfo=UTC)],
    )


def land_first(g: Any) -> dict[str, str]:
    g.sequence = 50
    return {"good": g.land(g.sales(1, 2, 3)), "overwritten": g.land(g.sales(10, 11))}


def land_the_rest(g: Any, beta: Any) -> dict[str, str]:
    keys: dict[str, str] = {}
    nineteen = g.sales(*range(19))
    g.sequence = 51
    keys["overwritten"] = g.land(g.sales(12, 13, 14))
    g.sequence = 1
    keys["late"] = g.land(g.sales(5, 6, start="2025-03-01"))
    g.sequence = 60
    keys["duplicate"] = g.land(g.sales(1, 2, 3))
    keys["bad rows"] = g.land(bad_rows(g))
    keys["empty"] = g.land(g.sales(7).slice(0, 0))
    keys["0 bytes"] = g.land(g.sales(8), spoil=lambda _: b"")
    keys["truncated"] = g.land(nineteen, spoil=lambda b: b[:-100])
    keys["changed"] = g.land(g.sales(9), spoil=lambda b: b[:-1] + b"?")
    keys["longer"] = g.land(g.sales(9.5), spoil=lambda b: b + b"?")
    keys["no parquet"] = g.land(g.sales(10), damage=lambda _: b"site;product;date;units")
    keys["damaged pages"] = g.land(nineteen, damage=flip_pages)
    keys["no manifest"] = g.land(g.sales(11, 12), manifest=lambda _: None)
    keys["manifest no json"] = g.land(g.sales(13), manifest=lambda _: b"{")
    keys["manifest of another tenant"] = g.land(
        g.sales(14), manifest=lambda t: t.replace(b'"ingest-acme', b'"ingest-beta')
    )
    keys["manifest of another object"] = g.land(g.sales(15), manifest=lambda t: t.replace(b"gebze", b"izmir"))
    keys["rows differ"] = g.land(g.sales(16), rows=2)
    keys["version 2"] = g.land(g.sales(17), contract_version="2.1.0")
    keys["unknown contract"] = g.land(g.sales(18), "scrap")
    keys["new column"] = g.land(with_columns(g.sales(19, 20), colour=["red", None], **{"weird `.name": [1, None]}))
    keys["new column of nulls"] = g.land(with_columns(g.sales(21), colour=pa.nulls(1)))
    keys["changed type"] = g.land(with_columns(g.sales(22), units=["22"]))
    keys["product a number"] = g.land(with_columns(g.sales(23), product=[42]))
    keys["whole numbers"] = g.land(with_columns(g.sales(24), units=pa.array([24], pa.int64())))
    keys["time without zone"] = g.land(with_columns(g.sales(25), available_at=[datetime(2026, 3, 1)]))
    keys["nanoseconds"] = g.land(
        with_columns(
            g.sales(26),
            available_at=pa.array([datetime(2026, 3, 1, 1)], pa.timestamp("ns", "UTC")),
            at=pa.array([1], pa.timestamp("ns")),
        )
    )
    keys["missing column"] = g.land(g.sales(27).drop_columns(["units"]))
    keys["optional column missing"] = g.land(g.sales(28).drop_columns(["promotion"]))
    keys["credit note"] = g.land(with_columns(g.sales(28.5), unit_price=[-2.5]))
    keys["nested column"] = g.land(with_columns(g.sales(29), tags=[["a"]]))
    keys["columns of one name"] = g.land(with_columns(g.sales(30), Units=[1.0]))
    keys["columns quite of one name"] = g.land(twice(g.sales(30), "note"))
    keys["tenant no text"] = g.land(with_columns(g.sales(30), tenant=not_utf8()))
    keys["text no text"] = g.land(with_columns(g.sales(30), note=not_utf8()))
    keys["tenant repeated"] = g.land(with_columns(g.sales(31), tenant=[TENANT]))
    keys["tenant of others"] = g.land(with_columns(g.sales(32), tenant=[OTHER]))
    keys["cells unread"] = g.land(with_columns(g.sales(33, None), _unread=[None, UNREADABLE_CELL]))
    keys["ours in name"] = g.land(with_columns(g.sales(34), batch=["x"], _c0=[1], content_hash=["y"]))
    g.site = "ğebze %20 [1]{2}*"
    keys["odd site"] = g.land(g.sales(35, 36))
    g.site = "gebze"
    keys["production"] = g.land(
        g.table("production", site=["gebze"], product=["P1"], date=[date(2026, 2, 1)], units=[5.0]), "production"
    )
    keys["no year"] = g.land(
        g.table("products", product=["P1"], product_group=["g"], product_sub_group=["s"]), "products"
    )
    keys["same bytes elsewhere"] = beta.land(g.sales(1, 2, 3))
    keys["no object of ours"] = f"{TENANT}/readme.txt"
    g.put(keys["no object of ours"], b"hello")
    return keys


@pytest.fixture(scope="module")
def plant(plant_of, gateway_of):
    """The plant after two runs of ingest; `keys` names the objects."""
    gateway, plant = gateway_of(TENANT), plant_of(TENANT, OTHER)
    plant.keys = land_first(gateway)
    plant.ingest()
    plant.keys |= land_the_rest(gateway, gateway.other(OTHER))
    plant.ctx = plant.ingest()
    return plant


def ledger_row(plant, label):
    """The newest row of an object."""
    rows = [r for r in plant.ledger if r["object_key"] == plant.keys[label]]
    assert rows, f"{label} is not in the ledger"
    return max(rows, key=lambda r: r["batch"])


def bronze_of(plant, label, contract="sales"):
    row = ledger_row(plant, label)
    return [
        r
        for r in plant.bronze(contract)
        if (r["object_key"], r["content_hash"]) == (row["object_key"], row["content_hash"])
    ]


def quarantine_of(plant, label):
    return sorted((r for r in plant.quarantine if r["object_key"] == plant.keys[label]), key=lambda r: r["row_index"])


WHOLE = [  # object, rows landed, rule, what the message says
    ("0 bytes", 1, "object_whole", r"has 0 bytes, its manifest says \d+: send the file again"),
    ("truncated", 19, "object_whole", r"is truncated: \d+ of \d+ bytes: send the file again under a new sequence number"),
    ("changed", 1, "object_whole", r"was changed: its SHA-256 is .*, its manifest says .*: send the file again"),
    ("longer", 1, "object_whole", r"has \d+ bytes, its manifest says \d+"),
    ("no parquet", 1, "object_readable", r"cannot be read as Parquet \(.*\): mend the gateway"),
    ("damaged pages", 19, "object_readable", r"cannot be read \(.*\): mend the gateway, send the file again"),
    ("no manifest", 2, "manifest_given", r"has no manifest at ingest-acme/_manifests/gebze/sales/gw-1-\d+\.json: .* then `uretimiq quarantine replay`"),
    ("manifest no json", 1, "manifest_valid", r"manifest .* cannot be used: manifest is not JSON"),
    ("manifest of another tenant", 1, "tenant_agrees", r"wrong tenant: .* lies under 'ingest-acme', but its manifest says 'ingest-beta'"),
    ("manifest of another object", 1, "manifest_agrees", r"the manifest .* is of ingest-acme/izmir/sales/"),
    ("rows differ", 1, "manifest_agrees", r"has 1 rows, its manifest says 2"),
    ("version 2", 1, "contract_version_known", r"follows sales 2\.1\.0, this platform reads 1\.x"),
    ("unknown contract", 1, "contract_known", r"no contract 'scrap'; there are: calendar_events, deliveries, .*declare the table"),
    ("changed type", 1, "types_agree", r"column units: expected double, found string: mend the map"),
    ("product a number", 1, "types_agree", r"column product: expected string, found bigint"),
    ("time without zone", 1, "types_agree", r"column available_at: expected timestamp in UTC, found timestamp without time zone"),
    ("missing column", 1, "columns_given", r"column units \(double\) is missing; found site, product, date, .*: mend the map"),
    ("nested column", 1, "types_agree", r"column tags: a nested column cannot be kept, send it as text"),
    ("columns of one name", 1, "columns_distinct", r"columns Units, units differ in case alone"),
    ("columns quite of one name", 1, "columns_distinct", r"columns note, note differ in case alone, or not at all"),
    ("tenant no text", 1, "object_readable", r"cannot be read \(.*UTF8.*\): mend the gateway"),
    ("text no text", 1, "object_readable", r"cannot be read \(.*UTF8.*\): mend the gateway"),
    ("tenant of others", 1, "tenant_agrees", r"wrong tenant: .* its column tenant says ingest-beta"),
    ("no object of ours", 0, "object_name", r"readme.txt: not TENANT/SITE/CONTRACT/GATEWAY-SEQUENCE\.parquet"),
]  # fmt: skip
TAKEN = [  # object, rows landed, in bronze, of these rescued, in quarantine
    ("good", 3, 3, 0, 0),
    ("overwritten", 3, 3, 0, 0),
    ("late", 2, 2, 0, 0),
    ("bad rows", 6, 1, 0, 5),
    ("empty", 0, 0, 0, 0),
    ("new column", 2, 2, 1, 0),
    ("new column of nulls", 1, 1, 0, 0),
    ("whole numbers", 1, 1, 0, 0),
    ("nanoseconds", 1, 1, 1, 0),
    ("optional column missing", 1, 1, 0, 0),
    ("credit note", 1, 1, 0, 0),
    ("tenant repeated", 1, 1, 0, 0),
    ("cells unread", 2, 1, 0, 1),
    ("ours in name", 1, 1, 1, 0),
    ("odd site", 2, 2, 0, 0),
    ("same bytes elsewhere", 3, 3, 0, 0),
]


@pytest.mark.parametrize(("label", "rows", "rule", "message"), WHOLE, ids=[w[0] for w in WHOLE])
def test_a_bad_object_is_in_quarantine_whole_with_a_line_that_says_why(plant, label, rows, rule, message):
    row = ledger_row(plant, label)
    assert (row["status"], row["rows_landed"], row["rows_bronze"], row["rows_quarantined"]) == (
        "quarantined",
        rows,
        0,
        rows,
    )
    (whole,) = quarantine_of(plant, label)
    assert (whole["row_index"], whole["rows"], whole["rules"], whole["original"]) == (-1, rows, [rule], None)
    assert whole["reason"] == row["message"]
    assert plant.keys[label] in row["message"] or "_manifests" in row["message"]
    assert "\n" not in row["message"]
    assert re.search(message, row["message"])
    assert bronze_of(plant, label) == []


@pytest.mark.parametrize(("label", "landed", "bronze", "rescued", "quarantined"), TAKEN, ids=[t[0] for t in TAKEN])
def test_the_ledger_counts_what_the_tables_hold(plant, label, landed, bronze, rescued, quarantined):
    row = ledger_row(plant, label)
    counted = [row[f"rows_{kind}"] for kind in ("landed", "bronze", "rescued", "quarantined")]
    assert (row["status"], counted) == ("done", [landed, bronze, rescued, quarantined])
    there = bronze_of(plant, label)
    assert [r["row_index"] for r in there] == sorted({r["row_index"] for r in there})
    bad = [r for r in quarantine_of(plant, label) if r["content_hash"] == row["content_hash"]]
    assert (len(there), len([r for r in there if r["rescued"]]), len(bad)) == (bronze, rescued, quarantined)


def test_rows_landed_are_rows_in_bronze_and_in_quarantine_for_every_object(plant):
    assert [r for r in plant.ledger if r["rows_landed"] != r["rows_bronze"] + r["rows_quarantined"]] == []


def test_no_row_is_in_a_table_twice(plant):
    rows = [r for c in ("sales", "production", "products") for r in plant.bronze(c)] + plant.quarantine
    named = Counter((r["tenant"], r["object_key"], r["content_hash"], r["row_index"]) for r in rows)
    assert max(named.values()) == 1


def test_same_name_with_new_bytes_is_new_content(plant):
    rows = [r for r in plant.ledger if r["object_key"] == plant.keys["overwritten"]]
    assert sorted((r["status"], r["rows_bronze"]) for r in rows) == [("done", 2), ("done", 3)]
    units = [r["units"] for r in plant.bronze() if r["object_key"] == plant.keys["overwritten"]]
    assert sorted(units) == [10, 11, 12, 13, 14]


def test_same_bytes_with_a_new_name_are_a_duplicate_that_names_the_first(plant):
    row = ledger_row(plant, "duplicate")
    assert (row["status"], row["rows_landed"], row["rows_bronze"]) == ("duplicate", 0, 0)
    assert row["message"] == f"the same bytes as {plant.keys['good']}: its rows are taken once"
    assert bronze_of(plant, "duplicate") == []


def test_a_bronze_row_says_where_it_came_from(plant):
    row = bronze_of(plant, "good")[2]
    ledger = ledger_row(plant, "good")
    lineage = [row[n] for n in ("tenant", "object_key", "content_hash", "row_index", "gateway", "batch", "year")]
    assert lineage == [TENANT, plant.keys["good"], ledger["content_hash"], 2, "gw-1", ledger["batch"], 2026]
    assert (row["units"], row["date"], row["available_at"]) == (
        3.0,
        date(2026, 2, 3),
        datetime(2026, 3, 1, 20, tzinfo=UTC),
    )


def test_a_late_file_of_months_ago_is_taken(plant):
    assert [r["date"] for r in bronze_of(plant, "late")] == [date(2025, 3, 1), date(2025, 3, 2)]


def test_unknown_columns_are_rescued_as_json(plant):
    first, second = bronze_of(plant, "new column")
    assert json.loads(first["rescued"]) == {"colour": "red", "weird `.name": 1}
    assert second["rescued"] is None


def test_columns_with_names_of_ours_are_rescued_and_harm_nothing(plant):
    (row,) = bronze_of(plant, "ours in name")
    assert json.loads(row["rescued"]) == {"batch": "x", "_c0": 1, "content_hash": "y"}
    assert row["units"] == 34.0


def test_nanoseconds_are_kept_to_the_microsecond(plant):
    (row,) = bronze_of(plant, "nanoseconds")
    assert row["available_at"] == datetime(2026, 3, 1, 1, tzinfo=UTC)
    assert json.loads(row["rescued"]) == {"at": "1970-01-01T00:00:00.000000"}


BAD_ROWS = [  # position, the rules that it failed, a word of the reasons
    (1, ["units_not_negative"], "units: A day's quantity"),
    (2, ["site_is_a_code", "product_is_a_code"], "without / or ="),
    (3, ["product_given"], "product: "),
    (4, ["date_in_range", "units_not_negative"], "misread"),
    (5, ["date_given", "known_before_landed"], "cannot have been known later than it arrived"),
]


@pytest.mark.parametrize(("position", "rules", "reason"), BAD_ROWS, ids=[str(b[0]) for b in BAD_ROWS])
def test_a_bad_row_is_in_quarantine_with_all_its_rules_and_reasons(plant, position, rules, reason):
    (row,) = [r for r in quarantine_of(plant, "bad rows") if r["row_index"] == position]
    assert row["rules"] == rules
    assert reason in row["reason"]
    assert (row["rows"], row["contract"], row["gateway"], row["replayed_at"]) == (1, "sales", "gw-1", None)


def test_a_bad_row_keeps_its_original_values_with_nulls_visible(plant):
    original = json.loads(quarantine_of(plant, "bad rows")[3]["original"])
    assert original == {
        "site": "gebze",
        "product": "P1",
        "date": "0201-02-05",
        "units": "NaN",
        "unit_price": None,
        "promotion": None,
        "available_at": "2026-03-01T00:00:00.000000Z",
    }


def test_a_cell_that_the_gateway_could_not_read_names_column_and_text(plant):
    (row,) = quarantine_of(plant, "cells unread")
    assert row["rules"] == ["cell_readable", "units_given"]
    assert row["reason"].startswith("The gateway could not read units '12 koli': mend the map or the source.")
    assert json.loads(row["original"])["_unread"] == UNREADABLE_CELL


def test_an_object_under_a_name_like_a_pattern_is_read_alone(plant):
    assert [r["units"] for r in bronze_of(plant, "odd site")] == [35.0, 36.0]


def test_each_contract_has_its_own_table(plant):
    assert [r["units"] for r in bronze_of(plant, "production", "production")] == [5.0]
    assert [r["product_group"] for r in bronze_of(plant, "no year", "products")] == ["g"]


def test_a_run_counts_the_bronze_rows_of_each_tenant(plant):
    assert {t: (o.status, o.rows) for t, o in plant.ctx.outcomes.items()}[OTHER] == ("ok", 3)


def test_a_run_with_nothing_new_starts_no_spark(plant):
    ctx = plant.context()
    del ctx.__dict__["spark"]
    run(ctx, INGEST)
    assert "spark" not in ctx.__dict__
    assert plant.said[-1].startswith("ingest: nothing new; ")


def test_a_second_run_at_once_says_so_and_stops(plant):
    from jobs.lease import LeaseTaken, lease

    with lease(plant.settings, "job-ingest"), pytest.raises(LeaseTaken, match="job-ingest is being written by process"):
        plant.ingest()


def test_a_server_that_is_away_is_told_with_the_remedy(plant):
    away = replace(plant.settings, s3_endpoint="http://127.0.0.1:9")
    with pytest.raises(JobError, match=r"S3 server at http://127.0.0.1:9 does not answer: start it with `make up`"):
        Landing(away).objects()


def test_a_bucket_that_is_not_there_is_told_with_the_remedy(plant):
    with pytest.raises(JobError, match=r"has no bucket 'nowhere': create it with `make up`, or set URETIMIQ_LANDING"):
        Landing(replace(plant.settings, landing="s3://nowhere")).objects()


def test_a_refused_key_is_told_with_the_remedy(plant):
    with pytest.raises(JobError, match=r"refuses our key .*: set URETIMIQ_S3_ACCESS_KEY"):
        Landing(replace(plant.settings, s3_secret_key="wrong")).manifest("x")


def door_rows(plant):
    """What the door of bronze noted of TENANT's sales in the last run, by rule."""
    rows = read_rows(plant.settings, CHECK_RESULTS).to_pylist()
    mine = [r for r in rows if (r["door"], r["contract"], r["tenant"]) == ("bronze", "sales", TENANT)]
    return {r["rule"]: (r["rows_checked"], r["rows_failed"]) for r in mine if r["run_id"] == plant.ctx.run_id}


def test_great_expectations_counts_every_row_that_went_to_bronze(plant):
    taken = [r for r in plant.bronze() if r["tenant"] == TENANT and r["batch"] == ledger_row(plant, "late")["batch"]]
    assert {checked for checked, _ in door_rows(plant).values()} == {len(taken)}


def test_great_expectations_finds_no_row_in_bronze_that_the_split_should_have_stopped(plant):
    stops = {rule.name for rule in blocking(TABLES["sales"])}
    found = door_rows(plant)
    assert stops <= found.keys()
    assert {found[name][1] for name in stops} == {0}


def test_a_row_that_only_warns_is_in_bronze_and_told_by_the_door(plant):
    assert [r["unit_price"] for r in bronze_of(plant, "credit note")] == [-2.5]
    assert door_rows(plant)["unit_price_plausible"][1] == 1
