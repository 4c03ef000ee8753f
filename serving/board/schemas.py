"""What the addresses of the board answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from serving.queries import Code, Formats
from serving.schemas import Answer, Head

LIMIT, MOST_ROWS = 100, 1000
Severity = Literal["high", "medium", "low"]
Status = Literal["ok", "failed", "blocked"]


class LogQuery(Formats):
    """What a list of what happened can be asked."""

    model_config = ConfigDict(extra="forbid")

    limit: int | None = Field(None, ge=1, le=MOST_ROWS, description=f"Rows of a page; {LIMIT} if left out")
    cursor: str | None = Field(None, max_length=4000, description="From `next` of the page before")


class RunsQuery(LogQuery):
    """Of the runs."""

    job: Code | None = Field(None, description="Only runs of this job")
    status: Status | None = Field(None, description="Only runs that ended so")


class ChecksQuery(LogQuery):
    """Of the checks."""

    contract: Code | None = Field(None, description="Only checks of this contract")
    door: Code | None = Field(None, description="Only checks at the door of this zone")
    rule: Code | None = Field(None, description="Only checks of this rule")
    failed: bool = Field(False, description="Only checks that some rows failed")


class NightTotals(Answer):
    """All series of the night together."""

    units: float | None = Field(description="Point forecast over the horizon [piece]")
    units_before: float | None = Field(
        description="What the night before said of the days that both forecast [piece]; null without one"
    )
    units_same: float | None = Field(description="What this night says of the same days [piece]")
    value: float | None = Field(description="Units times price, of the series with a known price [currency]")
    value_of_series: int = Field(description="How many series those are")
    series: int
    by_fallback: int = Field(description="Series for which a fallback stood in")


class Freshness(Answer):
    """How old a table is."""

    contract: str
    zone: str
    state: Literal["there", "missing", "unreadable"]
    last_commit: datetime | None
    age_seconds: int | None = Field(description="Time since the last commit [s]")
    is_late: bool = Field(
        description="Of what each night writes: nothing yet this morning, from 05:00 UTC on; of others: silent for twice "
        "the longest gap between their last commits"
    )


class Step(Answer):
    """A job of the night."""

    job: str
    status: Status
    reason: str | None
    ended_at: datetime
    seconds: float


class NightRun(Answer):
    """How the newest night went, whether or not it is the one that is served."""

    night: date | None
    steps: list[Step]


class _Exception(Answer):
    severity: Severity
    site: str | None
    product: str | None
    name: str | None = Field(description="Of the product")


class Blocked(_Exception):
    """A job that did not go well; high where it kept a newer night from being served."""

    kind: Literal["blocked"]
    job: str
    reason: str | None
    status: Literal["failed", "blocked"]
    night: date | None


class Alert(_Exception):
    """Drift: data or errors are no longer as they were."""

    kind: Literal["alert"]
    measure: str
    evidence: float | None = Field(description="Above 1 it speaks for a change")
    night: date


class StaleOverride(_Exception):
    """An override that should be looked at again; without site and product it is about a group or about all."""

    kind: Literal["stale_override"]
    override_id: str
    product_group: str | None
    product_sub_group: str | None
    made_by: str
    why: str = Field(description="baseline_moved, expires_soon, past or period_changed: the first of its reasons")
    share: float | None = Field(description="By which the forecast has moved since; null for other reasons")
    expires_at: datetime | None
    period: str | None = Field(description="What was forecast when it was said, where that is another now")


class Error(_Exception):
    """A series whose forecasts of late were worse than seasonal naive, or off by half of its units."""

    kind: Literal["error"]
    days: int = Field(description="Days ahead that are judged [d]")
    nights: int = Field(description="Nights judged")
    units: float = Field(description="Units of all of them [piece]")
    wape: float | None = Field(description="Sum of absolute errors over units; null where there were none")
    naive_wape: float | None


class Change(_Exception):
    """A series whose forecast is another than last night, by a quarter or more."""

    kind: Literal["change"]
    units_same: float
    units_before: float
    value_change: float | None = Field(description="The difference times the price; null without one [currency]")


class Fallback(_Exception):
    """A series for which a fallback stands in."""

    kind: Literal["fallback"]
    reason: str | None


AnException = Annotated[Blocked | Alert | StaleOverride | Error | Change | Fallback, Field(discriminator="kind")]


class OverviewAnswer(Head):
    """A tenant's morning."""

    currency: str | None = Field(description="Of prices and values (ISO 4217); null where it was not said")
    totals: NightTotals
    freshness: list[Freshness]
    last_night: NightRun
    exceptions: list[AnException] = Field(description="The most severe first, 50 at most")
    exceptions_total: dict[str, int] = Field(description="How many there are, by kind")


class Links(Answer):
    """Where else to look; null where the settings name no address."""

    airflow: str | None
    mlflow: str | None
    data_docs: str | None


class Run(Answer):
    """A run of a job for the tenant."""

    run_id: str
    job: str
    date: date | None
    status: Status
    reason: str | None
    rows: int = Field(description="Rows written")
    seconds: float = Field(description="Time it took for all tenants of the run [s]")
    started_at: datetime
    ended_at: datetime
    code_version: str


class RunsPage(Answer):
    """Runs, newest first."""

    tenant: str
    links: Links
    next: str | None = Field(description="Address of the next page; null on the last")
    runs: list[Run]


class Check(Answer):
    """The result of a rule at a door."""

    run_id: str
    door: str
    contract: str
    rule: str
    severity: Literal["blocks", "warns"]
    rows_checked: int
    rows_failed: int
    sample: Any = Field(description="Keys of some rows that failed")
    checked_at: datetime


class Refused(Answer):
    """Rows in quarantine."""

    contract: str
    rule: str
    rows: int
    last_at: datetime


class ChecksPage(Answer):
    """Results of checks, newest first, and what is in quarantine now."""

    tenant: str
    links: Links
    quarantine: list[Refused]
    next: str | None = Field(description="Address of the next page; null on the last")
    checks: list[Check]
