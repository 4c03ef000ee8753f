"""The answers as OpenAPI tells them: models made from the contract, and an example of each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, create_model

from expectations.contract import Column
from expectations.tables import DEMAND_FORECAST
from serving.forecasts import ROW_COLUMNS

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


def _model(name: str, columns: Iterable[Column], base: type[Answer] = Answer) -> type[Answer]:
    fields: dict[str, Any] = {}
    for column in columns:
        kind: Any = datetime if pa.types.is_timestamp(column.type) else _PYTHON[column.type]
        unit = f" [{column.unit}]" if column.unit else ""
        fields[column.name] = (kind | None if column.nullable else kind, Field(description=column.meaning + unit))
    return create_model(name, __base__=base, **fields)


ForecastRow = _model("ForecastRow", (DEMAND_FORECAST.by_name[name] for name in ROW_COLUMNS))
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


class Head(Answer):
    """Which night is answered, and how old it is."""

    tenant: str
    night: date = Field(description="Last day whose data was used")
    cut_off: datetime = Field(description="Nothing known later is in it; the latest of the sites' cut-offs")
    available_at: datetime = Field(description="When the forecasts could be known")
    age_seconds: int = Field(description="Time since `available_at` [s]")
    age_days: int = Field(description="Days from the night to today (UTC); 1 is usual [d]")
    period: Literal["day", "week"] = Field(description="What is forecast: days, or weeks by their Mondays")
    model_name: str | None = Field(description="Model of most rows; null where fallbacks stood in for all")
    model_version: str | None
    newer_night: NewerNight | None = Field(
        description="The night that failed since, because of which this one is served"
    )


class ForecastPage(Head):
    total: int = Field(description="Rows that the query finds, over all pages")
    next: str | None = Field(description="Address of the next page; null on the last")
    forecasts: list[ForecastRow]  # type: ignore[valid-type]


class OneForecast(Answer):
    forecast: FullForecast
    age_seconds: int
    trace: str = Field(description="Command that prints the way back to the files")


class SeriesEntry(Answer):
    site: str
    product: str
    first_date: date
    last_date: date
    periods: int = Field(description="Days or weeks that are forecast")


class SeriesPage(Head):
    total: int
    next: str | None
    series: list[SeriesEntry]


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
