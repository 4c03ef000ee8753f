"""The command line `uretimiq`: run jobs, see how they fared, find the way back from a number."""

from __future__ import annotations

import json
import sys
import traceback
from datetime import UTC, date, datetime
from typing import Any

import click

from expectations import settings as settings_module
from expectations.settings import SettingsError
from jobs import contracts, quarantine, show, status, trace
from jobs.catalogue import INGEST, JOBS, NIGHT
from jobs.context import Context
from jobs.errors import JobError, TenantError, TenantsFailed
from jobs.runner import Job, last_runs, run, run_all

FAILED, TENANTS_FAILED = 1, 3
OUT_OF_MEMORY = ("OutOfMemoryError", "Could not allocate memory", "Unable to acquire")  # as Java and Spark say it


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="uretimiq")
def cli() -> None:
    """ÜretimIQ: from a factory's files to tomorrow's forecast.

    Exit status: 0 done; 1 the command could not be carried out; 2 wrong usage; 3 done, but some tenants failed.
    """


@cli.group("run")
def run_group() -> None:
    """Run a job, or a whole night."""


def _date(_: click.Context, __: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no date: write it as 2026-01-31") from None


def job_options(command: Any) -> Any:
    """The options that every job takes."""
    for option in reversed(
        (
            click.option("--tenant", "tenants", multiple=True, help="Only this tenant; may be repeated. Default: all."),
            click.option("--date", callback=_date, help="The night: last day whose data is used. Default: yesterday."),
            click.option("--defer-failures", is_flag=True, help="Exit 0 though tenants failed; `verdict` tells later."),
            click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        )
    ):
        command = option(command)
    return command


def _context(tenants: tuple[str, ...], night: date | None) -> Context:
    settings = settings_module.load()
    default = tuple(t.strip() for t in settings.tenants.split(",") if t.strip())
    return Context(settings, asked=tenants or default, date=night)


def _carry_out(ctx: Context, jobs: list[Job], as_json: bool, defer: bool) -> None:
    failures: dict[str, str] = {}
    try:
        if len(jobs) == 1:
            run(ctx, jobs[0])
        else:
            run_all(ctx, jobs)
    except TenantsFailed as failed:
        failures = failed.reasons
    _report(ctx, failures, as_json)
    if failures and not defer:
        sys.exit(TENANTS_FAILED)


def _report(ctx: Context, failures: dict[str, str], as_json: bool) -> None:
    if as_json:
        outcomes = {t: {"status": o.status, "rows": o.rows, "reason": o.reason} for t, o in ctx.outcomes.items()}
        click.echo(json.dumps({"run_id": ctx.run_id, "night": str(ctx.night), "tenants": outcomes, "failed": failures}))
        return
    for tenant, outcome in sorted(ctx.outcomes.items()):
        click.echo(
            f"{tenant}: {outcome.status}, {outcome.rows} rows" + (f": {outcome.reason}" if outcome.reason else "")
        )
    _tell_failures(failures)


def _tell_failures(failures: dict[str, str]) -> None:
    for tenant, why in sorted(failures.items()):
        click.echo(f"tenant {tenant} failed: {why}", err=True)


def _add_job(job: Job) -> None:
    @run_group.command(job.name, help=job.help, short_help=job.help)
    @job_options
    def command(tenants: tuple[str, ...], date: date | None, defer_failures: bool, as_json: bool) -> None:
        _carry_out(_context(tenants, date), [job], as_json, defer_failures)


for _job in JOBS.values():
    _add_job(_job)


@run_group.command("nightly")
@click.option(
    "--ingest/--no-ingest", default=True, help="Take in new files first (default), or work with what is there."
)
@job_options
def nightly(tenants: tuple[str, ...], date: date | None, defer_failures: bool, as_json: bool, ingest: bool) -> None:
    """Ingest, silver, features, forecast, explanations and scores in one Spark session."""
    jobs = [*([INGEST] if ingest else []), *NIGHT]
    _carry_out(_context(tenants, date), jobs, as_json, defer_failures)


@run_group.command("monthly")
@job_options
def monthly(tenants: tuple[str, ...], date: date | None, defer_failures: bool, as_json: bool) -> None:
    """Ingest, silver, features, training and forecast in one Spark session; ends with the judged result.

    Without --date the night is yesterday; for a tenant whose data is a history (older than 14 days), its last day.
    """
    from jobs.monthly import run_monthly

    ctx = _context(tenants, date)
    judged, failures = run_monthly(ctx)
    if as_json:
        click.echo(json.dumps({"run_id": ctx.run_id, "judged": [j.to_dict() for j in judged], "failed": failures}))
    else:
        click.echo("\n".join(line for one in judged for line in one.lines(ctx.settings)))
        _tell_failures(failures)
    if failures and not defer_failures:
        sys.exit(TENANTS_FAILED)


@run_group.command("verdict")
@click.option("--job", "jobs", multiple=True, type=click.Choice(sorted(JOBS)), help="Only of this job. Default: all.")
@job_options
def verdict(
    tenants: tuple[str, ...], date: date | None, defer_failures: bool, as_json: bool, jobs: tuple[str, ...]
) -> None:
    """Tell which tenants failed in the night, and fail if any did: the last task of a night."""
    ctx = _context(tenants, date)
    rows = [r for r in last_runs(ctx, ctx.night) if not ctx.asked or r["tenant"] in ctx.asked]
    rows = [r for r in rows if not jobs or r["job"] in jobs]
    failed = {f"{r['tenant']}": f"{r['job']} {r['status']}: {r['reason']}" for r in rows if r["status"] != "ok"}
    if as_json:
        click.echo(json.dumps({"night": str(ctx.night), "tenants": len({r["tenant"] for r in rows}), "failed": failed}))
    else:
        for tenant, why in sorted(failed.items()):
            click.echo(f"tenant {tenant} failed: {why}", err=True)
        click.echo(f"night {ctx.night}: {len({r['tenant'] for r in rows})} tenants, {len(failed)} failed")
    if failed and not defer_failures:
        sys.exit(TENANTS_FAILED)


cli.add_command(contracts.contracts)
cli.add_command(show.table)
cli.add_command(quarantine.quarantine)
cli.add_command(status.status)
cli.add_command(trace.command)


@cli.command("experiment")
@click.argument("stage", type=click.Choice(["snapshot", "features", "train", "evaluate"]))
def experiment(stage: str) -> None:
    """Carry out one STAGE of dvc.yaml in the checkout; `dvc repro` and `dvc exp run` call them in order."""
    from jobs.experiment import STAGES

    STAGES[stage]()


def _log_trace(error: BaseException) -> None:
    """The stack trace is for the log."""
    try:
        folder = settings_module.load().home / "log"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "uretimiq.log").open("a") as log:
            log.write(f"{datetime.now(UTC).isoformat()} {' '.join(sys.argv)}\n")
            traceback.print_exception(error, file=log)
    except (OSError, SettingsError):
        traceback.print_exception(error)


def _told(error: Exception) -> str:
    """One line about an error that nobody foresaw."""
    text = str(error).strip()
    if any(sign in text for sign in OUT_OF_MEMORY):
        usual = settings_module.Settings.spark_memory
        return (
            f"Spark ran out of memory: set URETIMIQ_SPARK_MEMORY ({usual} where it is not set) to more, and run again"
        )
    return f"{type(error).__name__}: {text.splitlines()[0][:300]}" if text else type(error).__name__


def main() -> None:
    """Entry point: a known failure is one line and an exit status, never a stack trace."""
    try:
        cli(standalone_mode=True)
    except (SettingsError, JobError, TenantError) as error:
        _log_trace(error)
        click.echo(f"uretimiq: {error}", err=True)
        sys.exit(FAILED)
    except Exception as error:  # noqa: BLE001  the last line of defence: the trace goes to the log
        _log_trace(error)
        click.echo(f"uretimiq: {_told(error)} (stack trace in URETIMIQ_HOME/log/uretimiq.log)", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
