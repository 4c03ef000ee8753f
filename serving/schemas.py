"""The answers as OpenAPI tells them: models made from the contract, and an example of each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, create_model

from expectations.contract import Column
from expectations.tables import DEMAND_FORECAST, DEMAND_FORECAST_SUMS
from serving.rows import ROW_COLUMNS
from serving.sums import SUM_COLUMNS

_PYTHON = {pa.string(): str, pa.date32(): date, pa.int32(): int, pa.int64(): int, pa.float64(): float}


class Answer(BaseModel):
    """What answers have in common: no member that is not declared."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Problem(Answer):
    """An error (RFC 9457)."""

    type: str = Field(description="Names the kind of error; constant")
    title: str
    status: int
    detail: str = Field(description="What is wrong, where, and what to do; one line")
    error: str | None = Field(None, description="Code of RFC 6749, where tokens are asked for")


def _model(name: str, columns: Iterable[Column], base: type[Answer] = Answer) -> type[Answer]:
    fields: dict[str, Any] = {}
    for column in columns:
        kind: Any = datetime if pa.types.is_timestamp(column.type) else _PYTHON[column.type]
        unit = f" [{column.unit}]" if column.unit else ""
        fields[column.name] = (kind | None if column.nullable else kind, Field(description=column.meaning + unit))
    return create_model(name, __base__=base, **fields)


ForecastRow = _model("ForecastRow", (DEMAND_FORECAST.by_name[name] for name in ROW_COLUMNS))
SumRow = _model("SumRow", (DEMAND_FORECAST_SUMS.by_name[name] for name in SUM_COLUMNS))
_FULL = tuple(c for c in DEMAND_FORECAST.columns if c.name not in ("night_month", "table_versions"))
_FullRow = _model("ForecastWhole", _FULL)


class FullForecast(_FullRow):  # type: ignore[valid-type,misc]
    """One forecast with all that leads back to where it came from."""

    table_versions: dict[str, Any] = Field(description="Delta versions of the tables read")


class NewerNight(Answer):
    """A newer night that is not served."""

    night: date
    job: str = Field(description="Step that stopped it")
    status: Literal["failed", "blocked"]
    reason: str | None


class NightHead(Answer):
    """Which night is answered, and how old it is."""

    tenant: str
    night: date = Field(description="Last day whose data was used")
    cut_off: datetime = Field(description="Nothing known later is in it; the latest of the sites' cut-offs")
    available_at: datetime = Field(description="When the forecasts could be known")
    age_seconds: int = Field(description="Time since `available_at` [s]")
    age_days: int = Field(description="Days from the night to today (UTC); 1 is usual [d]")
    model_name: str | None = Field(description="Model of most rows; null where fallbacks stood in for all")
    model_version: str | None
    newer_night: NewerNight | None = Field(
        description="The night that failed since, because of which this one is served"
    )


class Head(NightHead):
    """The same, of forecasts that all count in one period."""

    period: Literal["day", "week"] = Field(description="What is forecast: days, or weeks by their Mondays")


class ForecastPage(Head):
    total: int = Field(description="Rows that the query finds, over all pages")
    next: str | None = Field(description="Address of the next page; null on the last")
    forecasts: list[ForecastRow]  # type: ignore[valid-type]


class SumsPage(NightHead):
    total: int = Field(description="Rows that the query finds, over all pages")
    next: str | None = Field(description="Address of the next page; null on the last")
    sums: list[SumRow]  # type: ignore[valid-type]


class OneForecast(Answer):
    forecast: FullForecast
    age_seconds: int
    trace: str = Field(description="Command that prints the way back to the files")


class Drivers(Answer):
    """Pieces that add up to the forecast's medians."""

    level: float = Field(description="Mean of the last four weeks, for as many days [piece]")
    season: float = Field(description="By weekdays, days of the month and last year's weeks [piece]")
    trend: float = Field(description="By the way of the latest weeks [piece]")
    price: float = Field(description="By price and promotions of late [piece]")
    holiday: float = Field(description="By holidays and other known events, beside ordinary days [piece]")
    factor: float = Field(description="By numbers from outside, as weather or prices of raw materials [piece]")
    hierarchy: float = Field(description="By forecasts of groups, sites and the whole [piece]")
    other: float = Field(description="By nothing of these [piece]")


class DriversByDay(Answer):
    """The same, for each day ahead."""

    level: list[float]
    season: list[float]
    trend: list[float]
    price: list[float]
    holiday: list[float]
    factor: list[float]
    hierarchy: list[float]
    other: list[float]


class Case(Answer):
    """An earlier night most like this one."""

    night: date
    series: str = Field(description="site/product: the series itself, or one of its group where it is young")
    distance: float = Field(description="Standardised; below 0.5 much alike, above 1.5 hardly")
    units_weeks: list[float] = Field(description="Units of each of the four weeks after it, at today's level [piece]")
    units: float = Field(description="Their sum [piece]")


class Changes(Answer):
    """Beside the forecast of an earlier night, of the days that both have."""

    night: date
    periods: int = Field(description="How many days they are")
    units_before: float
    units_now: float
    units: float = Field(description="The difference [piece]")
    share: float | None = Field(description="Of `units_before`; null where that is nothing")
    drivers: Drivers = Field(description="The difference by driver; of two models, if the model is another")
    factors: dict[str, float] = Field(description="Its driver `factor` by their names [piece]")
    method_changed: bool
    model_changed: bool
    model_version: str | None
    model_version_before: str | None


class Sentences(Answer):
    tr: str
    en: str


class Explained(Answer):
    """Why a series' forecast is what it is."""

    site: str
    product: str
    units_q50: float = Field(description="Sum of the medians of all days ahead [piece]")
    night_before: date | None = Field(description="Earlier night that it is compared with")
    units_change: float | None = Field(description="Beside it, of the days that both forecast [piece]")
    drivers: Drivers = Field(description="They add up to `units_q50`")
    by_day: DriversByDay
    factors: dict[str, list[float]] = Field(
        description="The pieces of `factor` for each day ahead, by its name [piece]"
    )
    cases: list[Case] = Field(description="The nearest first")
    changes: Changes | None
    method: str
    fallback_reason: str | None
    model_name: str | None
    model_version: str | None
    text: Sentences


class OneExplanation(Head):
    explanation: Explained


class TableState(Answer):
    contract: str
    zone: str
    state: Literal["there", "missing", "unreadable"]
    version: int | None = None
    last_commit: datetime | None = None
    age_seconds: int | None = Field(None, description="Time since the last commit [s]")
    rows: int | None = Field(None, description="Rows of all tenants; null when one tenant is asked for")


class RunState(Answer):
    tenant: str
    run_id: str
    date: date | None
    status: Literal["failed", "blocked"]
    reason: str | None
    ended_at: datetime


class JobState(Answer):
    job: str
    last_ended_at: datetime
    age_seconds: int
    ok: int = Field(description="Tenants whose last run of the job went well")
    failed: int
    blocked: int
    not_ok: list[RunState]


class Champion(Answer):
    tenant: str
    model_name: str
    model_version: str
    reason: str
    promoted_at: datetime


class Status(Answer):
    now: datetime
    tenant: str | None
    tables: list[TableState]
    jobs: list[JobState] | None = Field(description="null when the notes of the runs cannot be read")
    champions: list[Champion] | None = Field(description="null when the promotions cannot be read")


class Health(Answer):
    status: Literal["ok"]
