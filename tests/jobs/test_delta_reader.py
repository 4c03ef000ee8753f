"""Reading without a JVM, by programs that end at once and tables whose folders have any name."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from expectations import settings as settings_module
from expectations.contract import Zone
from expectations.settings import Settings
from expectations.tables import SALES
from jobs.delta_reader import query, read_rows

TENANTS = ("acme", "b%20b", "çelik & döküm")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """A lake with one row of sales for each tenant."""
    settings = settings_module.load({"URETIMIQ_HOME": str(tmp_path_factory.mktemp("home"))})
    schema = SALES.schema_in(Zone.SILVER)
    given = {"tenant": list(TENANTS), "product": ["P1"] * 3, "date": [date(2026, 3, 1)] * 3, "units": [1.0, 2.0, 3.0]}
    rows = pa.table({f.name: pa.array(given.get(f.name, [None] * 3), f.type) for f in schema})
    write_deltalake(settings.place(SALES, Zone.SILVER), rows, partition_by=["tenant"])
    return settings


@pytest.mark.parametrize(("tenant", "units"), [*zip(TENANTS, (1.0, 2.0, 3.0), strict=True)])
def test_a_partition_is_read_whatever_its_name(settings, tenant, units):
    rows = read_rows(settings, SALES, Zone.SILVER, columns=["units"], filters=[("tenant", "=", tenant)])
    assert rows.to_pylist() == [{"units": units}]


def test_a_query_reads_every_partition(settings):
    assert query(settings, SALES, Zone.SILVER, "SELECT sum(units) AS total FROM rows") == [{"total": 6.0}]


@pytest.mark.slow
def test_a_program_that_ends_right_after_a_read_ends_well(settings):
    """With delta-rs's own file system under Arrow about every second one is aborted."""
    program = (
        "from expectations import settings; from expectations.contract import Zone;"
        "from expectations.tables import SALES; from jobs.delta_reader import read_rows;"
        f"read_rows(settings.load({{'URETIMIQ_HOME': {str(settings.home)!r}}}), SALES, Zone.SILVER)"
    )
    ends = [subprocess.run([sys.executable, "-c", program], capture_output=True, check=False) for _ in range(10)]
    assert [done.returncode for done in ends] == [0] * 10, ends[0].stderr
