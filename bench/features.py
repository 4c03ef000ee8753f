"""The demand features in Spark beside the same features in DuckDB SQL, on the same Parquet, results compared.

    python bench/features.py --series 154 --days 1900
    python bench/features.py --series 30000 --days 1900 --memory 8g --folder /large/disk

Made-up sales of one tenant, known in time: series of ten sites with gaps, prices and promotions. Each engine runs as
a process of its own, reads Parquet and writes Parquet (zstd): every feature of every series and day. Spark's time is
told with and without its start. Then DuckDB compares the two results, column by column, to one part in 10^9.
Prints JSON with wall times [s] and peak memory of the process and its children [MiB], and a row for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from expectations.tables import DEMAND_FEATURES, LAGS, LAST_YEAR_LAGS, ROLLING_MEANS, ROLLING_STDS  # noqa: E402

FIRST = date(2019, 1, 1)
SITES = 10
TOLERANCE = 1e-9
COLUMNS_AT_ONCE = 8  # of the join that compares them: all at once are too wide for the memory
ENGINES = ("spark", "duckdb")

SALES = """
COPY (
    SELECT 'bench' AS tenant, 'site-' || (s % {sites}) AS site, 'P-' || lpad((s // {sites})::VARCHAR, 5, '0') AS product,
        DATE '{first}' + d::INTEGER AS date,
        round(exp(3 * h1) * (1 + (d + s) % 7) * h2, 2) AS units,
        CASE WHEN h3 < 0.5 THEN round(5 + s % 50 + 4 * h1, 2) END AS unit_price,
        CASE WHEN h3 < 0.8 THEN h3 < 0.1 END AS promotion,
        (DATE '{first}' + d::INTEGER + 1)::TIMESTAMP::TIMESTAMPTZ AS available_at,
        NULL::TIMESTAMPTZ AS superseded_at
    FROM (
        SELECT s, d, (hash(s, d) % 100003) / 100003 AS h1, (hash(d, s, 1) % 100003) / 100003 AS h2,
            (hash(s, d, 2) % 100003) / 100003 AS h3
        FROM range({series}) a(s), range({days}) b(d)
    )
    WHERE s < {sites} OR (h2 > 0.2 AND d >= (s * 7) % 600)  -- each site has one series with a row a day
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""
PRODUCTS = """
COPY (
    SELECT 'bench' AS tenant, 'P-' || lpad(p::VARCHAR, 5, '0') AS product, 'group-' || (p % 7) AS product_group,
        'sub-' || (p % 21) AS product_sub_group,
        TIMESTAMPTZ '1990-01-01 00:00:00+00' AS available_at, NULL::TIMESTAMPTZ AS superseded_at
    FROM range({products}) a(p)
) TO '{file}' (FORMAT parquet)
"""


def make(folder: Path, series: int, days: int) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        values = {"series": series, "days": days, "sites": min(SITES, series), "first": FIRST}
        connection.execute(SALES.format(file=folder / "sales.parquet", **values))
        connection.execute(PRODUCTS.format(file=folder / "products.parquet", products=series // SITES + 1))


def _windows() -> str:
    """The columns of DEMAND_FEATURES that windows make, as SQL that says plainly what each is."""
    over = "OVER (PARTITION BY site, product ORDER BY date ROWS BETWEEN {} PRECEDING AND {})"
    rows = {w: over.format(w - 1, "CURRENT ROW") for w in {*ROLLING_MEANS, *ROLLING_STDS}}
    so_far = over.format("UNBOUNDED", "CURRENT ROW")
    return ",\n".join(
        [
            *(f"lag(units, {k}) OVER (PARTITION BY site, product ORDER BY date) AS units_lag_{k}" for k in LAGS),
            *(f"avg(units) {rows[w]} AS units_mean_{w}" for w in ROLLING_MEANS),
            *(f"stddev_samp(units) {rows[w]} AS units_std_{w}" for w in ROLLING_STDS),
            *(f"avg(units) {over.format(k + 6, f'{k} PRECEDING')} AS units_mean_7_lag_{k}" for k in LAST_YEAR_LAGS),
            f"avg(CASE WHEN units = 0 THEN 1 ELSE 0 END) {rows[28]} AS units_zero_share_28",
            f"sum(units) {rows[28]} AS sum_28",
            f"(date - min(date) {so_far})::DOUBLE AS days_since_first",
            f"(date - max(CASE WHEN units > 0 THEN date END) {so_far})::DOUBLE AS days_since_last_sale",
            f"last_value(unit_price IGNORE NULLS) {so_far} AS unit_price",
            f"avg(unit_price) {rows[28]} AS price_mean_28",
            f"avg(promotion::INTEGER) {rows[28]} AS promotion_share_28",
        ]
    )


def in_duckdb(folder: Path, memory: str, last: date) -> None:
    columns = {
        "tenant": "'bench'",
        "cut_off": "(date + 1)::TIMESTAMPTZ + INTERVAL 6 HOUR",
        "unit_price_ratio_28": "unit_price / price_mean_28",
        "group_units_mean_28": "group_sum / least(28, date - site_first + 1)",
        "share_of_group_28": "sum_28 / nullif(group_sum, 0)",
        "year": "year(date)::INTEGER",
    }
    chosen = ", ".join(f"{columns.get(c.name, c.name)} AS {c.name}" for c in DEMAND_FEATURES.columns)
    query = f"""
    COPY (
        WITH sales AS (SELECT * FROM '{folder}/sales.parquet' WHERE superseded_at IS NULL),
        products AS (SELECT product, product_group, product_sub_group FROM '{folder}/products.parquet'),
        series AS (SELECT site, product, min(date) AS first FROM sales GROUP BY ALL),
        grid AS (
            SELECT site, product, unnest(generate_series(first, DATE '{last}', INTERVAL 1 DAY))::DATE AS date FROM series
        ),
        filled AS (
            SELECT site, product, date, coalesce(units, 0) AS units, unit_price, promotion
            FROM grid LEFT JOIN sales USING (site, product, date)
        ),
        windows AS (SELECT site, product, date, {_windows()} FROM filled),
        known AS (SELECT * FROM windows LEFT JOIN products USING (product)),
        groups AS (SELECT site, product_group, date, sum(sum_28) AS group_sum FROM known GROUP BY ALL),
        sites AS (SELECT site, min(date) AS site_first FROM sales GROUP BY ALL)
        SELECT {chosen} FROM known LEFT JOIN groups USING (site, product_group, date) LEFT JOIN sites USING (site)
    ) TO '{folder}/duckdb' (FORMAT parquet, COMPRESSION zstd, PER_THREAD_OUTPUT)
    """
    with duckdb.connect() as connection:
        connection.execute(
            f"SET TimeZone = 'UTC'; SET memory_limit = '{memory}B'; SET temp_directory = '{folder}/spill'"
        )
        connection.execute("SET preserve_insertion_order = false")
        started = time.monotonic()
        connection.execute(query)
        print(json.dumps({"without_start": time.monotonic() - started}))


def in_spark(folder: Path, memory: str, first: date, last: date) -> None:
    from expectations import settings
    from expectations.contract import Zone
    from expectations.tables import SITES as SITES_CONTRACT
    from features.demand import demand_features
    from jobs import session
    from jobs.features import shuffles_for
    from jobs.lake import spark_schema

    spark = session.start(replace(settings.load({}), home=folder / "home", spark_memory=memory))
    started = time.monotonic()
    sales, products = (spark.read.parquet(str(folder / f"{name}.parquet")) for name in ("sales", "products"))
    sites = spark.createDataFrame([], spark_schema(SITES_CONTRACT.schema_in(Zone.SILVER)))
    with shuffles_for(spark, (folder / "sales.parquet").stat().st_size):
        frame = demand_features(sales, sites, products, {"bench": (first, last)})
        frame.write.mode("overwrite").parquet(str(folder / "spark"))
    print(json.dumps({"without_start": time.monotonic() - started}))
    spark.stop()


class Peak(threading.Thread):
    """The most resident memory that a process and its children held together."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.mib = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.2):
            held = 0
            try:
                for process in [self.process, *self.process.children(recursive=True)]:
                    held += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self.mib = max(self.mib, held / 2**20)


@dataclass(frozen=True)
class Measured:
    """How a process ended: its status, what it printed to stdout, wall seconds, peak memory, seconds of processors.

    `processor` is that of all that it started; a busy machine makes it little longer, where it may treble `wall`.
    """

    status: int
    printed: str
    wall: float
    peak_mib: float
    processor: float


def measured(command: list[str], **more: Any) -> Measured:
    """Run `command`; `more` goes to subprocess.Popen."""
    started, before = time.monotonic(), _processor()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)
    peak = Peak(process.pid)
    peak.start()
    printed, _ = process.communicate()
    peak.over.set()
    return Measured(process.returncode, printed, time.monotonic() - started, peak.mib, _processor() - before)


def _processor() -> float:
    """Seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(engine: str, arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__)), "--engine", engine, "--folder", str(folder)]
    command += ["--series", str(arguments.series), "--days", str(arguments.days), "--memory", arguments.memory]
    done = measured(command)
    if done.status:
        raise SystemExit(f"{engine} failed with status {done.status}; its message is above")
    inside = json.loads(done.printed.strip().splitlines()[-1])
    return {
        "wall": round(done.wall, 2),
        "without_start": round(inside["without_start"], 2),
        "peak_mib": round(done.peak_mib),
    }


def compared(folder: Path) -> dict[str, Any]:
    """Rows of each, and the columns in which rows of the same key differ, with how many do."""
    keys = DEMAND_FEATURES.keys
    join = f"FROM '{folder}/spark/*.parquet' a FULL JOIN '{folder}/duckdb/*.parquet' b USING ({', '.join(keys)})"
    names = [c.name for c in DEMAND_FEATURES.columns if c.name not in keys]
    differ: dict[str, int] = {}
    with duckdb.connect() as connection:
        rows = {e: connection.execute(f"SELECT count(*) FROM '{folder}/{e}/*.parquet'").fetchone()[0] for e in ENGINES}  # type: ignore[index]
        connection.execute(f"SET temp_directory = '{folder}/spill'")
        for some in (names[i : i + COLUMNS_AT_ONCE] for i in range(0, len(names), COLUMNS_AT_ONCE)):
            wrong = ", ".join(f"count(*) FILTER (NOT {_same(name)})" for name in some)
            counts = connection.execute(f"SELECT {wrong} {join}").fetchone()
            differ |= {name: count for name, count in zip(some, counts or (), strict=True) if count}
    return {"rows": rows, "differ": differ, "equal": not differ and len(set(rows.values())) == 1 and rows["spark"] > 0}


def _same(name: str) -> str:
    number = str(DEMAND_FEATURES.by_name[name].type) == "double"
    close = f"abs(a.{name} - b.{name}) <= {TOLERANCE} * greatest(abs(a.{name}), abs(b.{name})) + 1e-12"
    return f"(a.{name} IS NOT DISTINCT FROM b.{name}" + (f" OR coalesce({close}, false))" if number else ")")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=154)
    parser.add_argument("--days", type=int, default=1900)
    parser.add_argument("--memory", default="3g", help="of Spark's heap and DuckDB's limit")
    parser.add_argument("--folder", type=Path, help="on a disk with room; a temporary one if not given")
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    last = FIRST + timedelta(days=arguments.days - 1)
    if arguments.engine == "spark":
        in_spark(arguments.folder, arguments.memory, FIRST, last)
    elif arguments.engine == "duckdb":
        in_duckdb(arguments.folder, arguments.memory, last)
    else:
        with tempfile.TemporaryDirectory(prefix="uretimiq-bench-", dir=arguments.folder) as folder:
            make(Path(folder), arguments.series, arguments.days)
            spark, duck = (timed(engine, arguments, Path(folder)) for engine in ENGINES)
            found = compared(Path(folder))
        report(arguments, spark, duck, found)


def report(
    arguments: argparse.Namespace, spark: dict[str, float], duck: dict[str, float], found: dict[str, Any]
) -> None:
    machine = {
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": platform.platform(),
    }
    sizes = {"series": arguments.series, "days": arguments.days, "memory": arguments.memory}
    print(json.dumps({**sizes, "spark": spark, "duckdb": duck, **found, "machine": machine}, indent=2))
    print(
        f"| {arguments.series} x {arguments.days} | {found['rows']['spark']:,} | {spark['wall']} | {spark['without_start']} "
        f"| {duck['wall']} | {spark['peak_mib']:,.0f} | {duck['peak_mib']:,.0f} | {'yes' if found['equal'] else 'NO'} |"
    )
    if not found["equal"]:
        raise SystemExit("the results differ: see `differ`")


if __name__ == "__main__":
    main()
