"""The night, step by step: one tenant of many series, or many tenants of a few.

    python bench/night.py --series 154
    python bench/night.py --tenants 300 --series 41

Lands made-up sales of DAYS days for every tenant (a week's rhythm and a level for each product; no company's data), takes
them in and runs a first night, a week before, which makes two years of features, and the night of the last day. Trains the first tenant, with the parameters of any
training, and registers the same model as champion of the others: a night's work does not depend on who learned what.
Then lands one day more and measures what happens every night: `uretimiq run nightly`, one process, step by step.

Prints JSON: wall seconds of every step and of the whole, peak memory [MiB] of the process and its children, and a row
for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # deploy and bench are no part of the installed packages

from bench.features import measured  # noqa: E402
from bench.ingest import Ground, ground, land_object, machine  # noqa: E402
from expectations import settings as settings_module  # noqa: E402
from expectations.contract import Contract, Zone  # noqa: E402
from expectations.tables import DEMAND_FORECAST, JOB_RUNS, PRODUCTS, SALES, SITES  # noqa: E402
from jobs.delta_reader import read_rows  # noqa: E402

DAYS = 1100
LAST = date(2026, 2, 27)  # of the history; the measured night is the day after
SCORED_AFTER = 7  # days: the measured night scores the first one's forecast
DAYS_AN_OBJECT = 200
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
WEEK = np.array([1.1, 1.2, 1.1, 1.0, 1.3, 0.5, 0.1])
PRODUCTS_A_SITE = 50


def names(series: int) -> tuple[list[str], list[str]]:
    """Site and product of each series."""
    sites = [f"site-{n // PRODUCTS_A_SITE:03d}" for n in range(series)]
    return sites, [f"P-{n % PRODUCTS_A_SITE:03d}" for n in range(series)]


def sales(tenant: int, series: int, days: list[date]) -> pa.Table:
    """Sales of every series on `days`, each known a day later."""
    rng = np.random.default_rng([tenant, days[0].toordinal()])
    level = np.random.default_rng(tenant).lognormal(3, 1, series)
    week = WEEK[[d.weekday() for d in days]]
    units = rng.poisson(np.outer(level, week)).astype(float).ravel()
    site, product = names(series)
    at = np.repeat(np.arange(series), len(days))
    day = np.tile([d.toordinal() - date(1970, 1, 1).toordinal() for d in days], series)
    known = (day + 1) * 86_400_000_000
    return _landing(
        SALES,
        site=pa.array(site).take(pa.array(at)),
        product=pa.array(product).take(pa.array(at)),
        date=pa.array(day.astype("int32")).cast(pa.date32()),
        units=pa.array(units),
        available_at=pa.array(known).cast(pa.timestamp("us", "UTC")),
    )


def master_data(series: int) -> Iterator[tuple[Contract, pa.Table]]:
    sites, products = (sorted(set(n)) for n in names(series))
    yield (
        SITES,
        _landing(
            SITES,
            site=sites,
            country=["TR"] * len(sites),
            time_zone=["Europe/Istanbul"] * len(sites),
            available_at=[LONG_AGO] * len(sites),
        ),
    )
    groups = [f"group-{n % 7}" for n in range(len(products))]
    table = _landing(
        PRODUCTS,
        product=products,
        product_group=groups,
        product_sub_group=groups,
        available_at=[LONG_AGO] * len(products),
    )
    yield PRODUCTS, table


def _landing(contract: Contract, **columns: Any) -> pa.Table:
    rows = len(next(iter(columns.values())))
    given = {n: pa.array(v) if isinstance(v, list) else v for n, v in columns.items()}
    schema = contract.landing_schema
    return pa.table({f.name: given.get(f.name, pa.nulls(rows)).cast(f.type) for f in schema}, schema=schema)


class Plants:
    """The tenants and what they have landed."""

    def __init__(self, at: Ground, tenants: int, series: int, memory: str) -> None:
        self.at, self.series = at, series
        self.environ = {**at.environ, "URETIMIQ_SPARK_MEMORY": memory}
        self.tenants = [f"tenant-{n:03d}" for n in range(tenants)]
        self.client = at.key.client()
        self.sequence = 0

    def land(self, tenant: str, contract: Contract, rows: pa.Table) -> None:
        self.sequence += 1
        land_object(self.client, tenant, contract, self.sequence, rows)

    def land_all(self, days: list[date], master: bool = False) -> None:
        for number, tenant in enumerate(self.tenants):
            for contract, rows in master_data(self.series) if master else ():
                self.land(tenant, contract, rows)
            for begin in range(0, len(days), DAYS_AN_OBJECT):
                self.land(tenant, SALES, sales(number, self.series, days[begin : begin + DAYS_AN_OBJECT]))

    def run(self, *command: str) -> dict[str, Any]:
        """Run `uretimiq run COMMAND`: whole wall seconds, seconds by job, peak memory."""
        begun = datetime.now(UTC)
        line = [str(Path(sys.executable).with_name("uretimiq")), "run", *command]
        done = measured(line, env=self.environ, cwd=ROOT)
        if done.status:
            raise SystemExit(f"`uretimiq run {' '.join(command)}` ended with {done.status}: {done.printed[-2000:]}")
        settings = settings_module.load(self.at.environ)
        runs = read_rows(settings, JOB_RUNS, filters=[("started_at", ">=", begun)]).to_pylist()
        steps = {r["job"]: round(r["seconds"], 1) for r in sorted(runs, key=lambda r: r["started_at"])}
        return {"wall": round(done.wall, 1), "steps": steps, "peak_mib": round(done.peak_mib)}

    def champions(self) -> None:
        """The first tenant's champion becomes the others' as well."""
        from models.registry import Registry

        settings = settings_module.load(self.at.environ)
        registry = Registry(settings.tracking_uri, settings.home / "models")
        first = registry.champion(self.tenants[0])
        if first is None:
            raise SystemExit("the training promoted nothing: there is no champion to measure with")
        model, manifest = registry.load(first), registry.manifest(first)
        for tenant in self.tenants[1:]:
            ref = registry.log(tenant, model, params={}, scores={}, seconds={}, manifest=manifest, figures={})
            registry.promote(ref)

    def forecasts(self, night: date) -> dict[str, int]:
        settings = settings_module.load(self.at.environ)
        rows = read_rows(settings, DEMAND_FORECAST, Zone.GOLD, columns=["method"], filters=[("night", "=", night)])
        counts = rows.group_by("method").aggregate([("method", "count")]).to_pylist()
        return {r["method"]: r["method_count"] for r in counts}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    days = [LAST - timedelta(days=back) for back in range(options.days - 1, -1, -1)]
    night = LAST + timedelta(days=1)
    with ground(options.port, options.folder) as at:
        plants = Plants(at, options.tenants, options.series, options.memory)
        print(f"landing {options.tenants} tenants of {options.series} series", file=sys.stderr, flush=True)
        plants.land_all(days, master=True)
        first = plants.run("nightly", "--date", str(night - timedelta(days=SCORED_AFTER)))
        before = plants.run("nightly", "--date", str(LAST))
        training = None
        if options.train:
            training = plants.run("train-demand", "--date", str(LAST), "--tenant", plants.tenants[0])
            plants.champions()
        plants.land_all([night])
        nightly = plants.run("nightly", "--date", str(night))
        return {
            "first_night": first,
            "night_before": before,
            "training_of_one": training,
            "night": nightly,
            "forecasts": plants.forecasts(night),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=1)
    parser.add_argument("--series", type=int, default=154, help="of each tenant")
    parser.add_argument("--days", type=int, default=DAYS, help="of history")
    parser.add_argument("--no-train", dest="train", action="store_false", help="fallback forecasts alone")
    parser.add_argument("--memory", default="3g", help="Spark's: URETIMIQ_SPARK_MEMORY (3g, as by default)")
    parser.add_argument("--port", type=int, default=22_400, help="first of a hundred free ports")
    parser.add_argument("--folder", type=Path, help="where the data goes (a temporary folder)")
    options = parser.parse_args()
    result = measure(options)
    sizes = {"tenants": options.tenants, "series_of_each": options.series, "days": options.days}
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    print(json.dumps({**sizes, "machine": machine(), "date": when, **result}, indent=2))
    steps = result["night"]["steps"]
    told = " | ".join(
        str(steps.get(job, ""))
        for job in (
            "ingest",
            "silver",
            "features",
            "forecast-demand",
            "demand-series",
            "explain-demand",
            "follow-demand",
        )
    )
    print(
        f"| {options.tenants} x {options.series} | {told} | {result['night']['wall']} | {result['night']['peak_mib']:,} |"
    )


if __name__ == "__main__":
    main()
