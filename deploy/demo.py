"""The demo: a simulated plant's files go through the gateway, Airflow runs the night, the API gives the forecast.

    python -m deploy.demo                            the simulated plant, tenant demo-plant
    python -m deploy.demo --data ../shared/data      the two real data sets as well, tenants supplygraph and m5

Run again it does only what is new: files are imported once, a tenant with a champion is not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from deploy import showing, simulate
from deploy.airflow_client import Airflow, AirflowError, Task
from deploy.local import airflow_server, api_server
from deploy.local.home import Home, LocalError, load

DAGS = ("ingest", "nightly_demand", "monthly_training", "housekeeping")
PATIENCE_SECONDS = {"ingest": 1800.0, "monthly_training": 7200.0, "nightly_demand": 3600.0}
# The plain colours of a terminal; nothing where the output goes to a file.
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


@dataclass(frozen=True)
class Plant:
    """A tenant of the demo: the set its gateway imports, the folder of the files, the night to run."""

    tenant: str
    file_set: str
    data: Path
    night: date
    about: str

    @property
    def gateway(self) -> str:
        return f"{self.tenant}-gateway"


class DemoError(RuntimeError):
    """A step of the demo failed; the message is one line with the remedy."""


class Demo:
    """The steps of the demo in one home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.begun = time.monotonic()
        self.airflow = Airflow(home.url("airflow"), airflow_server.USER, airflow_server.password(home))
        self.environ = {**os.environ, "URETIMIQ_HOME": str(home.path), "URETIMIQ_PORT": str(home.port)}

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.begun), 60)
        print(f"{minutes:2}:{seconds:02}  {text}", flush=True)

    def step(self, text: str) -> None:
        print(flush=True)
        self.say(f"{BOLD}{text}{PLAIN}")

    def call(self, *command: str) -> str:
        """Run one of our own programs and return what it prints. Raises DemoError with its last line."""
        program = Path(sys.executable).with_name(command[0])
        line = [str(program), *command[1:]] if program.exists() else [*command]
        done = subprocess.run(line, env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode:
            told = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no word"]
            raise DemoError(f"`{' '.join(command)}` ended with {done.returncode}: {told[-1]}")
        return done.stdout

    def bring_up(self) -> None:
        self.step("1. The servers of one machine: S3, MLflow, Airflow, API")
        done = subprocess.run([sys.executable, "-m", "deploy.local", "up"], env=self.environ, check=False)
        if done.returncode:
            raise DemoError("the servers did not start: see above")
        self.airflow.wait_for_dags(DAGS)
        for name in DAGS:
            self.airflow.set_paused(name, paused=False)

    def land(self, plants: Sequence[Plant]) -> None:
        """Import and send the plants' files. Meanwhile no ingest starts: a file and its correction land together."""
        self.step("2. Their files go through the gateway: import by map, then sync to s3://landing")
        self.airflow.set_paused("ingest", paused=True)
        try:
            for plant in plants:
                self.call("python", "-m", "deploy.local", "key", plant.tenant)
                options = ("--tenant", plant.tenant, "--gateway", plant.gateway, "--data", str(plant.data), "--json")
                files = json.loads(self.call("uretimiq-edge", "import-set", plant.file_set, *options))
                new = [f for f in files if f["status"] == "imported"]
                sent = json.loads(self.call("uretimiq-edge", "sync", "--gateway", plant.gateway, "--json"))[
                    plant.gateway
                ]
                self.say(
                    f"{plant.tenant} ({plant.about}): {len(new)} of {len(files)} files are new, {sent['rows']:,} rows sent"
                )
        finally:
            self.airflow.set_paused("ingest", paused=False)

    def run_dag(self, dag: str, conf: Mapping[str, object]) -> None:
        """Trigger a DAG and tell its tasks' states until it has ended. Raises DemoError with the failing task's words."""
        run = self.airflow.trigger(dag, conf)
        failed: list[Task] = []

        def tell(task: Task) -> None:
            seconds = f", {task.seconds:.0f} s" if task.seconds and task.state in ("success", "failed") else ""
            self.say(f"    {task.name}: {task.state}{seconds}")
            failed.extend([task] if task.state == "failed" else [])

        if self.airflow.follow(dag, run, PATIENCE_SECONDS[dag], tell) != "success":
            words = self.airflow.log(dag, run, failed[0]).splitlines() if failed else []
            signs = ("tenant ", "uretimiq:", "rror", "return code")
            told = [w for w in words if any(sign in w for sign in signs)] or words[-3:]
            raise DemoError(
                f"{dag} failed in {failed[0].name if failed else '?'}: {' | '.join(told)[:600]}; see {self.run_page(dag, run)}"
            )

    def run_page(self, dag: str, run: str = "") -> str:
        return f"{self.home.url('airflow')}/dags/{dag}" + (f"/runs/{run}" if run else "")

    def night(self, plant: Plant) -> None:
        """Train where there is no champion, then forecast, both by Airflow."""
        conf = {"date": plant.night.isoformat(), "tenants": [plant.tenant]}
        if showing.champion(self.home.url("api"), api_server.key(self.home), plant.tenant) is None:
            self.step(f"4. Airflow trains {plant.tenant}'s models (DAG monthly_training)")
            self.run_dag("monthly_training", conf)
        else:
            self.step(f"4. {plant.tenant} has a champion: no training")
        self.step(f"5. Airflow runs {plant.tenant}'s night of {plant.night} (DAG nightly_demand)")
        self.run_dag("nightly_demand", conf)

    def show(self, plant: Plant) -> str:
        """Print a forecast fetched from the API; returns the id of one of its rows."""
        self.step(f"6. {plant.tenant}'s forecast, from the API")
        return showing.forecast(self.home.url("api"), api_server.key(self.home), plant.tenant)

    def close(self, forecast_id: str) -> None:
        home = self.home
        self.step("Where to click next")
        for name, address in (
            ("The page", f"{home.url('api')}/   user {api_server.USER}, password {api_server.password(home)}"),
            ("API", f"{home.url('api')}/docs"),
            (
                "Airflow",
                f"{self.run_page('nightly_demand')}   user {airflow_server.USER}, password {airflow_server.password(home)}",
            ),
            ("MLflow", home.url("mlflow")),
            ("Data Docs", home.url("docs")),
        ):
            print(f"       {name:10} {address}")
        prefix = "" if home.path == load({}).path else f"URETIMIQ_HOME={home.path} "
        print("\n       The way back of one forecast to its files, what was refused, and the end of it:")
        print(f"         {prefix}.venv/bin/uretimiq trace {forecast_id}")
        print(f"         {prefix}.venv/bin/uretimiq quarantine list")
        print(f"         {prefix}make down")


def simulated(home: Home, last: date) -> Plant:
    folder = home.path / "demo" / simulate.TENANT
    file_set = simulate.write_exports(folder, last)
    return Plant(simulate.TENANT, str(file_set), folder, last, "simulated, no company's data")


def real(data: Path) -> list[Plant]:
    """The two real data sets. Raises DemoError where the folder does not hold them."""
    plants = [
        Plant("supplygraph", "supplygraph", data, date(2023, 7, 12), "a real factory"),
        Plant("m5", "m5", data, date(2016, 4, 24), "real stores"),
    ]
    for folder in ("factory_supplygraph", "demand_m5"):
        if not (data / folder).is_dir():
            raise DemoError(f"{data} holds no {folder}: give the folder of the real data by --data")
    return plants


def run(home: Home, last: date, data: Path | None) -> None:
    """The whole demo, for the simulated plant with data up to `last` and, with `data`, for the real ones."""
    others = real(data.resolve()) if data else []
    demo = Demo(home)
    demo.bring_up()
    plants = [simulated(home, last), *others]
    demo.land(plants)
    demo.step("3. Airflow takes the landed files in (DAG ingest)")
    demo.run_dag("ingest", {})
    shown = ""
    for plant in plants:
        demo.night(plant)
        shown = demo.show(plant)
    demo.close(shown)


def main() -> int:
    parser = argparse.ArgumentParser(description="A plant's files, a night in Airflow, a forecast from the API.")
    parser.add_argument("--data", type=Path, help="folder of the real data sets; their two tenants are run as well")
    parser.add_argument(
        "--last-day", type=date.fromisoformat, help="last day of the simulated plant; default: yesterday"
    )
    asked = parser.parse_args()
    try:
        run(load(), asked.last_day or simulate.yesterday(datetime.now(simulate.TIME_ZONE)), asked.data)
    except (DemoError, AirflowError, LocalError, showing.ApiError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the servers run on: `make down` ends them", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
