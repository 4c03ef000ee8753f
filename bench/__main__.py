"""`make bench`: every benchmark of docs/benchmarks.md in turn, each a process of its own, at sizes that two cores bear.

`python -m bench --full` takes the sizes that the design asks for; that takes hours and tens of gigabytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
USUAL = (
    ("api.py",),
    ("page.py",),
    ("ingest.py", "throughput", "--rows", "2000000", "--files", "20"),
    ("ingest.py", "idle", "--known", "100", "2000"),
    ("features.py", "--series", "154", "--days", "1900"),
    ("night.py", "--series", "154"),
    ("decisions.py",),
)
FULL = (
    ("api.py", "--tenants", "300", "--series", "10000", "--workers", "2", "--rate", "200", "--requests", "200000"),
    ("page.py", "--series", "1000"),
    ("ingest.py", "throughput", "--rows", "20000000", "--files", "200"),
    ("ingest.py", "idle", "--known", "100", "20000"),
    ("features.py", "--series", "154", "--days", "1900"),
    ("features.py", "--series", "30000", "--days", "1900", "--memory", "8g"),
    ("night.py", "--series", "154"),
    ("night.py", "--series", "1500"),
    ("night.py", "--series", "15000"),
    ("night.py", "--tenants", "300", "--series", "41"),
)


def main() -> int:
    """Run them all; the exit status counts those that failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes that the design asks for")
    failed = 0
    for name, *arguments in FULL if parser.parse_args().full else USUAL:
        print(f"== {name} {' '.join(arguments)}", flush=True)
        failed += bool(subprocess.run([sys.executable, str(HERE / name), *arguments], check=False).returncode)
    return failed


if __name__ == "__main__":
    sys.exit(main())
