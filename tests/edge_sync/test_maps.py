"""The shipped maps bring the real data in as it is, and every row passes the contract's own blocking rules."""

from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from edge_sync.importer import Import, import_file
from edge_sync.mapfile import read_map
from edge_sync.outbox import Outbox
from edge_sync.sets import read_set, shipped_sets
from expectations.contract import Severity, Zone
from expectations.tables import TABLES

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def landed(real_data, tmp_path_factory):
    """What a set lands, by contract."""

    @cache
    def load(name: str) -> dict[str, pa.Table]:
        outbox = Outbox(tmp_path_factory.mktemp(name), "gw")
        chosen = read_set(name, real_data, TABLES)
        tables: dict[str, list[pa.Table]] = {}
        for entry in chosen.entries:
            contract = TABLES[entry.contract]
            file_map = read_map(entry.map, contract)
            for path in entry.files:
                task = Import(tenant=name, site=chosen.site, contract=contract, file_map=file_map, now=NOW)
                for manifest in import_file(task, path, outbox).manifests:
                    tables.setdefault(contract.name, []).append(
                        pq.read_table(outbox.ready / f"{manifest.sequence:010d}.parquet")
                    )
        return {contract: pa.concat_tables(parts, promote_options="permissive") for contract, parts in tables.items()}

    return load


def test_the_sets_are_these() -> None:
    assert shipped_sets() == ["m4_weekly", "m5", "rossmann", "supplygraph"]


@pytest.mark.parametrize("name", ["m4_weekly", "m5", "rossmann", "supplygraph"])
def test_every_row_passes_the_blocking_rules_of_its_contract(landed, name) -> None:
    tables = landed(name)
    assert tables
    for contract, table in tables.items():
        source = table.append_column("tenant", pa.repeat(name, table.num_rows)).append_column(
            "ingested_at", pa.repeat(pa.scalar(NOW), table.num_rows)
        )
        for rule in TABLES[contract].rules_in(Zone.BRONZE):
            sql = rule.sql.replace("regexp_like", "regexp_matches").replace("\\\\", "\\")
            failed = duckdb.sql(f"SELECT count(*) FROM source WHERE NOT {sql}").fetchall()[0][0]
            assert failed == 0 or rule.severity is not Severity.BLOCKS, (contract, rule.name, failed)
        assert source.num_rows


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("supplygraph", {"sites": 1, "products": 42, "sales": 7913, "production": 7913, "deliveries": 7913}),
        ("m5", {"sites": 10, "products": 7, "calendar_events": 6667, "sales": 133_910}),
        ("rossmann", {"sites": 1115, "products": 1, "sales": 804_056}),
        ("m4_weekly", {"sales": 366_912}),
    ],
)
def test_so_many_rows_land(landed, name, rows) -> None:
    assert {contract: table.num_rows for contract, table in landed(name).items()} == rows


def test_every_product_and_site_of_the_sales_is_known(landed) -> None:
    for name in ("supplygraph", "m5", "rossmann"):
        tables = landed(name)
        for code, contract in (("product", "products"), ("site", "sites")):
            assert set(tables["sales"][code].to_pylist()) == set(tables[contract][code].to_pylist())


def test_supplygraphs_units_are_those_of_the_source(landed, real_data) -> None:
    for contract, file in (("sales", "sales_order"), ("production", "production"), ("deliveries", "delivery")):
        source = pcsv.read_csv(real_data / "factory_supplygraph" / f"{file}.csv").select(["date", "product", "units"])
        table = landed("supplygraph")[contract].select(["date", "product", "units"])
        assert table.to_pydict() == source.set_column(2, "units", source["units"].cast(pa.float64())).to_pydict()


def test_m5s_sales_add_up_to_the_total_of_the_source(landed, real_data) -> None:
    source = pq.read_table(real_data / "demand_m5" / "sales.parquet")
    total = source.filter(pc.equal(source["level"], 1)).group_by("date").aggregate([("sales", "sum")])
    sales = landed("m5")["sales"].group_by("date").aggregate([("units", "sum")])
    wanted = dict(zip((d.date() for d in total["date"].to_pylist()), total["sales_sum"].to_pylist(), strict=True))
    assert dict(zip(sales["date"].to_pylist(), sales["units_sum"].to_pylist(), strict=True)) == wanted


def test_m5s_days_are_known_before_every_stores_cut_off(landed) -> None:
    row = landed("m5")["sales"].filter(pc.equal(landed("m5")["sales"]["date"], date(2016, 4, 24))).to_pylist()[0]
    assert row["available_at"] == datetime(2016, 4, 25, 7, 0, tzinfo=UTC)  # 06:00 in Chicago is 11:00 UTC


def test_m5s_food_stamp_days_count_for_the_stores_of_their_state(landed) -> None:
    events = landed("m5")["calendar_events"].to_pylist()
    first = {e["site"] for e in events if e["kind"] == "SNAP" and e["date"] == date(2011, 2, 1)}
    assert first == {"CA_1", "CA_2", "CA_3", "CA_4", "TX_1", "TX_2", "TX_3"}
    assert {e["kind"] for e in events} == {"SNAP", "Sporting", "Cultural", "National", "Religious"}
    assert {e["site"] for e in events if e["kind"] != "SNAP"} == {"*"}


def test_rossmanns_other_columns_travel_as_extras(landed) -> None:
    extras = [n for n in landed("rossmann")["sales"].column_names if n not in TABLES["sales"].landing_schema.names]
    assert "Customers" in extras
    assert "Sales" not in extras


def test_m4s_weeks_lie_a_week_apart(landed) -> None:
    sales = landed("m4_weekly")["sales"].filter(pc.equal(landed("m4_weekly")["sales"]["product"], "W1"))
    days = sorted(sales["date"].to_pylist())
    assert days[-1] == date(2039, 10, 3)
    assert {(b - a).days for a, b in pairwise(days)} == {7}
