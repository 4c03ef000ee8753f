"""What is asked of and answered by the addresses of plans."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from serving.plans.arithmetic import LEVELS, Change
from serving.queries import MOST_CODES, MOST_ROWS, Code
from serving.schemas import Answer, Head

LONGEST_DAYS, MOST_UNITS, MOST_PERCENT = 400, 1e12, 10_000.0
LIMIT, MOST = 100, 1000
State = Literal["active", "stale", "expired", "withdrawn"]


def _plain(text: str) -> str:
    """No control characters, and not blank. Raises ValueError."""
    if not text.strip() or not text.replace("\n", " ").isprintable():
        raise ValueError("use printable characters, and not blanks alone")
    return text.strip()


def _is_text(value: object) -> object:
    """Raises ValueError for a number, which would be taken for seconds since 1970."""
    if not isinstance(value, str | date):
        raise ValueError("give it as text, such as 2026-03-02")
    return value


def _in_century(day: date) -> date:
    """Raises ValueError for what no plan is about, near which calendars also end."""
    if not 2000 <= day.year < 2100:
        raise ValueError("use the years 2000 to 2099")
    return day.astimezone(UTC) if isinstance(day, datetime) else day


Day = Annotated[date, BeforeValidator(_is_text), AfterValidator(_in_century)]
Moment = Annotated[AwareDatetime, BeforeValidator(_is_text), AfterValidator(_in_century)]
Text = Annotated[str, AfterValidator(_plain)]
Plain = Annotated[Code, AfterValidator(_plain)]


class Asked(BaseModel):
    """What bodies and queries have in common: no member that is not declared."""

    model_config = ConfigDict(extra="forbid")


class ChangeAsked(Asked):
    """A change of a forecast; a level that is left out is not asked for, so that without any the whole tenant is meant."""

    site: Plain | None = None
    product: Plain | None = None
    product_group: Plain | None = None
    product_sub_group: Plain | None = None
    first: Day = Field(description="First day")
    last: Day = Field(description="Last day, included; a week is meant if one of its days is")
    how: Literal["units", "percent"] = Field(description="What `value` is")
    value: float = Field(
        allow_inf_nan=False,
        strict=True,
        description="Units of each day or week of all the series together, laid on them in proportion to their forecasts; "
        "or percent more than the forecast, less if below 0",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.first <= self.last <= self.first + timedelta(days=LONGEST_DAYS):
            raise ValueError(f"first, last: give days in order, at most {LONGEST_DAYS} apart")
        low, high = (0.0, MOST_UNITS) if self.how == "units" else (-100.0, MOST_PERCENT)
        if not low <= self.value <= high:
            raise ValueError(f"value of {self.how}: use {low:g} to {high:g}")
        return self

    @property
    def change(self) -> Change:
        """As the arithmetic has it."""
        return Change(**{name: getattr(self, name) for name in Change.__dataclass_fields__})


class OverrideAsked(ChangeAsked):
    """An override to be made, or what it is to be from now on."""

    reason: Text = Field(
        min_length=1, max_length=500, description="Why; it is kept, and shown to all who read the plan"
    )
    expires_at: Moment | None = Field(
        None, description="When it loses its effect; the end of its last day or week if left out"
    )


class PlanQuery(Asked):
    """What the plan can be asked."""

    site: list[Code] = Field([], max_length=MOST_CODES, description="Only these sites; repeat for several")
    product: list[Code] = Field([], max_length=MOST_CODES, description="Only these products; repeat for several")
    product_group: list[Code] = Field([], max_length=MOST_CODES, description="Only these groups; repeat for several")
    first: Day | None = Field(None, alias="from", description="First day; a week is given if one of its days is meant")
    last: Day | None = Field(None, alias="to", description="Last day, included")
    limit: int | None = Field(None, ge=1, le=MOST_ROWS, description="Rows of a page; 1000 if left out")
    cursor: str | None = Field(None, max_length=4000, description="From `next` of the page before")
    format: Literal["json", "csv", "arrow", "xlsx"] | None = Field(
        None,
        description="Or by the header Accept: text/csv, application/vnd.apache.arrow.stream; these come whole. xlsx is a workbook to be edited and imported again",
    )
    language: Literal["tr", "en"] | None = Field(
        None,
        description="Of a workbook's headings, Turkish if left out; and CSV for a spreadsheet of that language: `tr` has ; "
        "between fields and , before decimals, and a text that would be run as a formula gets a ' before it",
    )
    bom: bool = Field(False, description="Begin CSV with a byte order mark, by which Excel knows UTF-8")


class OverridesQuery(Asked):
    """What the list of overrides can be asked."""

    state: State | None = Field(None, description="Only those; `active` are those in force that nothing speaks against")
    site: list[Plain] = Field([], max_length=MOST_CODES, description="Only those said of these sites")
    product: list[Plain] = Field([], max_length=MOST_CODES, description="Only those said of these products")
    limit: int = Field(LIMIT, ge=1, le=MOST, description=f"Overrides of a page; {LIMIT} if left out")
    cursor: str | None = Field(None, max_length=200, description="From `next` of the page before")


class ValueQuery(Asked):
    """By what the worth of overrides is asked."""

    by: Literal["person", "product"] = Field("person", description="One row for each person, or for each product")


class PlanRow(Answer):
    """One period of one series."""

    site: str
    product: str
    date: date
    baseline: float = Field(description="The forecast of the last good night; nothing alters it [piece]")
    override: float | None = Field(description="What an override lays on it; null where none does [piece]")
    final: float = Field(description="The override, else the baseline [piece]")
    override_id: str | None
    is_stale: bool = Field(description="Whether the override may be out of date")


class PlanPage(Head):
    plan_version: int = Field(description="Counts the changes of the tenant's plan")
    total: int = Field(description="Rows that the query finds, over all pages")
    next: str | None = Field(description="Address of the next page; null on the last")
    plan: list[PlanRow]


class StaleReason(Answer):
    """Why an override may be out of date."""

    kind: Literal["baseline_moved", "expires_soon", "past", "period_changed"]
    share: float | None = Field(
        None, description="By how much the forecast moved since, of what it was; null if that was 0"
    )
    expires_at: datetime | None = None
    period: Literal["day", "week"] | None = Field(None, description="What it was said of")


class OverrideDay(Answer):
    """A day, or a week by its Monday, of all the override's series together."""

    date: date
    baseline_then: float | None = Field(description="The forecast as the override was said [piece]")
    baseline_now: float | None = Field(description="The forecast now; null where there is none (any more) [piece]")
    final: float | None = Field(description="The plan now [piece]")


class Said(Answer):
    """What a version of an override says."""

    version: int
    site: str | None
    product: str | None
    product_group: str | None
    product_sub_group: str | None
    first: date
    last: date
    how: Literal["units", "percent"]
    value: float
    reason: str
    expires_at: datetime
    made_by: str = Field(description="user:NAME or key:PREFIX")
    made_at: datetime
    made_on_night: date = Field(description="The night whose forecast was seen")


class Version(Said):
    is_withdrawn: bool


class Override(Said):
    override_id: str
    state: State
    is_stale: bool
    stale: list[StaleReason]
    days: list[OverrideDay]


class OverrideWhole(Override):
    history: list[Version] = Field(description="Every version, the first one first")


class OverridePage(Head):
    """The last said first."""

    total: int | None = Field(description="How many are in force, where `state` asks for those; else null")
    next: str | None = Field(description="Address of the next page; null on the last")
    overrides: list[Override]


class ValueRow(Answer):
    """What overrides were worth, as far as their days are over."""

    by: str | None = Field(description="user:NAME, or the product's code; null for overrides of more than one product")
    name: str | None
    overrides: int = Field(description="Overrides that are judged: said before days that are over by now")
    periods: int = Field(description="Their days or weeks that are over")
    units: float = Field(description="What was sold in them [piece]")
    baseline_error: float = Field(description="Absolute error of the forecast that was seen, by period [piece]")
    final_error: float = Field(description="Absolute error of what was said instead [piece]")
    value_added: float | None = Field(description="Share of the forecast's error that was saved; below 0 it grew")
    low: float | None = Field(description="The band that holds the truth nine times in ten; null: it has no end")
    high: float | None
    verdict: Literal["helps", "hurts", "unclear"] = Field(description="`unclear` where the band holds 0")


class ValueTable(Head):
    values: list[ValueRow]


def node(of: object) -> dict[str, Any]:
    """The four levels of something, null where not asked for."""
    return {level: getattr(of, level) for level in LEVELS}
