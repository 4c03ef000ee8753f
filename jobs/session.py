"""The one Spark session."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from expectations.settings import Settings
from jobs.errors import JobError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JARS = Path(__file__).resolve().parent.parent / ".jars"

# Defaults are made for clusters: with 50 and 200 partitions a small Delta write takes 15 s instead of 1.
SMALL = {
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",  # a vacuum lists in so many tasks: by default 10,000
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.schema.autoMerge.enabled": "false",
}
CONVENTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.compression.codec": "zstd",
}


def _s3a(settings: Settings) -> dict[str, str]:
    return {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": settings.s3_url,
        "spark.hadoop.fs.s3a.endpoint.region": settings.s3_region,
        "spark.hadoop.fs.s3a.access.key": settings.s3_access_key,
        "spark.hadoop.fs.s3a.secret.key": settings.s3_secret_key,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": str(settings.s3_url.startswith("https")).lower(),
        "spark.hadoop.fs.s3a.connection.establish.timeout": "5s",
        "spark.hadoop.fs.s3a.attempts.maximum": "3",
        "spark.hadoop.fs.s3a.experimental.input.fadvise": "random",
    }


def start(settings: Settings) -> SparkSession:
    """Start Spark with Delta and S3A. Raises JobError when the jars are missing."""
    from pyspark.sql import SparkSession

    jars = sorted(str(jar) for jar in JARS.glob("*.jar"))
    if not jars:
        raise JobError(f"no Spark jars in {JARS}: run `make setup` in the checkout")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # Java writes here what does not fit: beside the rest of the state, not in a small /tmp
    scratch = settings.home / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    builder = (
        SparkSession.builder.master(settings.spark_master)
        .appName("uretimiq")
        .config("spark.jars", ",".join(jars))
        .config("spark.driver.memory", settings.spark_memory)
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.local.dir", str(scratch))
        .config("spark.sql.warehouse.dir", str(scratch / "warehouse"))
    )
    for options in (SMALL, DELTA, CONVENTIONS, _s3a(settings)):
        for key, value in options.items():
            builder = builder.config(key, value)
    log4j = Path(__file__).with_name("log4j2.properties")
    # A job's progress and its one-line error are the console; Spark's log is for the file.
    # Java's own warnings go to stdout unless told otherwise, into the midst of a command's --json.
    # A feature row is one method of over 8,000 bytecodes, which Java would never compile.
    java = f"-XX:-DontCompileHugeMethods -Xlog:disable -Xlog:all=warning:stderr -Dlog4j2.configurationFile=file:{log4j} -Duretimiq.log={scratch / 'spark.log'} -Duser.timezone=UTC"
    spark = builder.config("spark.driver.extraJavaOptions", java).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark
