"""`make bench-demand`: every peer and ours on the same folds of the four data sets, one process each.

    python -m bench.demand --problem m5 supplygraph --folds 2 --only ours AutoGluon

A run's forecast is kept in --folder and not made again, so that a stopped bench goes on where it was; --again makes the
runs of --only anew. Prints a table a problem and writes `results.json`, the same tables as Markdown, and plots.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.demand import report
from bench.demand.peers import PEERS
from bench.demand.problems import PROBLEMS, Floats, Problem, load
from bench.demand.report import OURS
from bench.features import measured
from bench.ingest import machine
from expectations import settings as settings_module

PACKAGES = {"AutoGluon": "autogluon", "mlforecast": "mlforecast"}  # of the peers that `make setup` does not install
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """A method on a fold: what it said, what it cost."""

    problem: str
    method: str
    known: int
    seconds: float
    processor: float  # seconds of all cores together
    peak_mib: float
    scores: dict[str, float]
    detail: dict[str, Any]


def _there(method: str) -> bool:
    package = PACKAGES.get(method)
    if package is None or find_spec(package) is not None:
        return True
    print(f"{method} is left out: {package} is not installed; it comes with the extra `torch`", file=sys.stderr)
    return False


def command(method: str, problem: str, known: int, file: Path, data: Path) -> list[str]:
    module = ["bench.demand.ours"] if method == OURS else ["bench.demand.peers", method]
    return [sys.executable, "-m", *module, problem, str(known), str(file), "--data", str(data)]


def run(method: str, problem: Problem, known: int, folder: Path, data: Path) -> Run:
    """Run, or take what is there. Raises SystemExit where the method fails."""
    file = folder / f"{problem.name}-{known}-{method}.npz"
    cost_file = file.with_suffix(".json")
    if not cost_file.exists():
        print(f"{problem.name}: {method} on the first {known} periods ...", file=sys.stderr, flush=True)
        with file.with_suffix(".log").open("w") as log:
            done = measured(command(method, problem.name, known, file, data), cwd=ROOT, stderr=log)
        if done.status:
            raise SystemExit(f"{method} on {problem.name} ended with {done.status}: see {file.with_suffix('.log')}")
        lines = done.printed.strip().splitlines()
        detail = json.loads(lines[-1]) if method == OURS else {}
        cost = {"seconds": round(done.wall, 1), "processor": round(done.processor, 1)}
        cost |= {"peak_mib": round(done.peak_mib), "detail": detail}
        cost_file.write_text(json.dumps(cost))
    cost = json.loads(cost_file.read_text())
    with np.load(file) as said:
        quantiles: Floats | None = said.get("quantiles")
        point = said.get("point", None if quantiles is None else quantiles[..., 1])
    scores = report.scores(problem, known, point, quantiles)
    return Run(problem.name, method, known, scores=scores, **cost)


def runs(problem: Problem, given: argparse.Namespace) -> Iterator[Run]:
    for known in problem.origins(given.folds):
        for method in given.only:
            yield run(method, problem, known, given.folder, given.data)


def main() -> int:
    """Run all that is asked for and report."""
    methods = [*PEERS, OURS]
    parser = argparse.ArgumentParser(
        prog="python -m bench.demand", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problem", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument(
        "--only", nargs="+", choices=methods, default=methods, metavar="METHOD", help=", ".join(methods)
    )
    parser.add_argument("--folds", type=int, default=2, help="the test and so many less one before it (2)")
    parser.add_argument("--folder", type=Path, help="of results and plots (bench-demand in the home)")
    parser.add_argument("--data", type=Path, help="the data sets (URETIMIQ_DATA, or ../shared/data)")
    parser.add_argument("--again", action="store_true", help="make the runs of --only anew")
    given = parser.parse_args()
    given.only = [m for m in given.only if _there(m)]
    settings = settings_module.load(os.environ)
    given.data = (given.data or Path(settings.data)).resolve()
    given.folder = (given.folder or settings.home / "bench-demand").resolve()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.again:
        for method in given.only:
            for file in given.folder.glob(f"*-{method}.json"):
                file.unlink()
    found = []
    for name in given.problem:
        problem = load(name, given.data)
        of_problem = list(runs(problem, given))
        found += of_problem
        text = report.table(problem, [asdict(r) for r in of_problem])
        (given.folder / f"{name}.md").write_text(text)
        print(text, flush=True)
        report.plots(problem, [asdict(r) for r in of_problem], given.folder)
    (given.folder / "results.json").write_text(json.dumps({"machine": machine(), "runs": [asdict(r) for r in found]}))
    print(f"plots and results.json in {given.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
