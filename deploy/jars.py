"""Brings the jars that Spark needs beside its own into `.jars/`: Delta and S3A.

The one place of their coordinates. Spark's own Ivy resolves them once, from Maven Central or from the mirror named in
Spark's environment variable DEFAULT_ARTIFACT_REPOSITORY; what arrives is compared with `deploy/jars.sha256`, so that a
second run is a look at the checksums and needs no network.

    python -m deploy.jars              fetch what is missing
    python -m deploy.jars --release    after a change of the coordinates: fetch and write the checksums anew
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
JARS = ROOT / ".jars"
CHECKSUMS = ROOT / "deploy" / "jars.sha256"

AWS_SDK = "2.35.4"
PACKAGES = (
    "io.delta:delta-spark_4.2_2.13:4.4.0",  # the wheel delta-spark is held at the same version in pyproject.toml
    "org.apache.hadoop:hadoop-aws:3.5.0",  # the version of Hadoop that Spark 4.2 ships
    f"software.amazon.awssdk:s3:{AWS_SDK}",
    f"software.amazon.awssdk:s3-transfer-manager:{AWS_SDK}",
    f"software.amazon.awssdk:sts:{AWS_SDK}",
    f"software.amazon.awssdk:apache-client:{AWS_SDK}",
)
# GROUP:ARTIFACT, * as in a shell.
EXCLUDED = (
    "software.amazon.awssdk:bundle",  # 686 MB of every AWS service; the four parts above are what S3A uses
    # What Spark 4.2 ships itself, newer: two versions of one class on the class path is a lottery.
    "com.fasterxml.jackson.core:*",
    "com.github.luben:zstd-jni",
    "com.google.code.findbugs:jsr305",
    "commons-codec:*",
    "commons-logging:*",  # Spark has jcl-over-slf4j in its place
    "commons-pool:*",
    "io.airlift:aircompressor",
    "io.netty:*",
    "org.apache.hadoop:hadoop-client-api",
    "org.apache.hadoop:hadoop-client-runtime",
    "org.apache.httpcomponents:*",
    "org.apache.logging.log4j:*",
    "org.apache.parquet:*",
    "org.locationtech.jts:*",
    "org.roaringbitmap:*",
    "org.slf4j:*",
    "org.xerial.snappy:*",
)


class JarsError(RuntimeError):
    """The jars are not to be had; the message is one line with the remedy."""


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checksums(path: Path = CHECKSUMS) -> dict[str, str]:
    """File name to SHA-256."""
    lines = (line.split() for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name in lines}


def problems(folder: Path, expected: dict[str, str]) -> list[str]:
    """What `folder` lacks, has too much or has wrong; empty when it is as expected."""
    found = {p.name: p for p in folder.glob("*.jar")}
    missing = [f"{name} is missing" for name in expected if name not in found]
    too_many = [f"{name} is not one of ours" for name in found if name not in expected]
    wrong = [
        f"{name} has another SHA-256" for name in expected if name in found and sha256(found[name]) != expected[name]
    ]
    return sorted(missing + too_many + wrong)


def _resolve(ivy: Path) -> Path:
    """Let Spark resolve the packages into `ivy`; returns the folder of the jars."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise JarsError("pyspark is not installed: run `make setup`")
    spark = Path(spec.origin).parent
    nothing = ivy / "nothing.py"
    nothing.write_text("")
    command = [str(spark / "bin" / "spark-submit"), "--conf", f"spark.jars.ivy={ivy}", "--packages", ",".join(PACKAGES)]
    command += ["--exclude-packages", ",".join(EXCLUDED), str(nothing)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environ = {**os.environ, "SPARK_HOME": str(spark), "PATH": path, "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800, check=False
    )
    if done.returncode:
        log = Path(tempfile.gettempdir()) / "uretimiq-jars.log"
        log.write_text(done.stdout + done.stderr)
        raise JarsError(
            f"Spark could not fetch its jars: see {log}; Maven Central, or your mirror in DEFAULT_ARTIFACT_REPOSITORY, must be reachable"
        )
    return ivy / "jars"


def _put(source: Path, target: Path) -> None:
    """Replace `target` by the jars of `source`, whole or not at all."""
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def fetch(target: Path = JARS, *, release: bool = False) -> int:
    """Bring the jars to `target`; returns how many there are. Raises JarsError."""
    if not release and not problems(target, read_checksums()):
        return len(read_checksums())
    print("Fetching Spark's jars (30 MB, once) ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="uretimiq-jars-") as folder:
        jars = _resolve(Path(folder))
        if release:
            lines = [f"{sha256(jar)}  {jar.name}\n" for jar in sorted(jars.glob("*.jar"))]
            CHECKSUMS.write_text("# Written by `python -m deploy.jars --release`\n" + "".join(lines))
        if wrong := problems(jars, read_checksums()):
            raise JarsError(f"the jars are not those of deploy/jars.sha256: {'; '.join(wrong)}")
        _put(jars, target)
    return len(read_checksums())


def main() -> int:
    try:
        count = fetch(release="--release" in sys.argv[1:])
    except JarsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{count} jars in {JARS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
