"""What the lists of a tenant can be asked.

FastAPI would read these parameters too, in half of a whole request's time: it goes through them one by one.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_origin

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.problems import Problem, told
from serving.render import form_of

LIMIT, MOST_ROWS, MOST_CODES = 1000, 10_000, 200
Code = Annotated[str, Field(min_length=1, max_length=100)]
Level = Literal[
    "site/product",
    "site",
    "site/group",
    "site/sub_group",
    "tenant",
    "tenant/group",
    "tenant/sub_group",
    "tenant/product",
]
Q = TypeVar("Q", bound=BaseModel)


class NightQuery(BaseModel):
    """What all of a night can be asked."""

    model_config = ConfigDict(extra="forbid")  # a misspelt filter would silently give everything

    night: date | None = Field(None, description="An earlier night; the last good one if left out")


class SeriesQuery(NightQuery):
    """What both lists can be asked."""

    site: list[Code] = Field([], max_length=MOST_CODES, description="Only these sites; repeat for several")
    product: list[Code] = Field([], max_length=MOST_CODES, description="Only these products; repeat for several")
    limit: int | None = Field(None, ge=1, le=MOST_ROWS, description=f"Rows of a page; {LIMIT} if left out")
    cursor: str | None = Field(None, max_length=4000, description="From `next` of the page before")


class Formats(BaseModel):
    """In what form a list can be asked for: it comes as a table too."""

    limit: int | None
    cursor: str | None
    format: Literal["json", "csv", "arrow"] | None = Field(
        None, description="Or by the header Accept: text/csv, application/vnd.apache.arrow.stream; these come whole"
    )
    bom: bool = Field(False, description="Begin CSV with a byte order mark, by which Excel knows UTF-8")

    def form(self, accept: str) -> str:
        """json, csv or arrow. Raises Problem."""
        form = form_of(self.format, accept)
        if form != "json" and (self.limit or self.cursor):
            raise Problem("bad-request", "query limit, cursor: CSV and Arrow come whole, leave them out")
        return form


class TableQuery(SeriesQuery, Formats):
    """What a list of a night can be asked that comes as a table too."""


class ForecastQuery(TableQuery):
    """What the list of forecasts can be asked besides."""

    first: date | None = Field(None, alias="from", description="First day forecast; of weeks their Monday counts")
    last: date | None = Field(None, alias="to", description="Last day forecast, included; of weeks their Monday counts")


class SumsQuery(TableQuery):
    """What the list of sums can be asked."""

    level: list[Level] = Field([], description="Only these levels, as in a row; repeat for several")
    period: list[Literal["day", "week", "month"]] = Field([], description="Only days, weeks or months")
    product_group: list[Code] = Field([], max_length=MOST_CODES, description="Only these groups; repeat for several")
    product_sub_group: list[Code] = Field([], max_length=MOST_CODES, description="Only these sub-groups")

    @property
    def wanted(self) -> dict[str, tuple[str, ...]]:
        """The values asked for by column."""
        return {name: tuple(getattr(self, name)) for name in SUM_FILTERS}


SUM_FILTERS = ("period", "level", "site", "product_group", "product_sub_group", "product")


def read(model: type[Q], request: Request) -> Q:
    """The query of a request. Raises Problem, naming each parameter that cannot be read."""
    asked: dict[str, Any] = {}
    lists = _lists(model)
    for name, value in request.query_params.multi_items():
        if name in lists:
            asked.setdefault(name, []).append(value)
        elif name in asked:
            raise Problem("bad-request", f"query {name}: given twice")
        else:
            asked[name] = value
    try:
        return model.model_validate(asked)
    except ValidationError as error:
        raise Problem("bad-request", told({**e, "loc": ("query", *e["loc"])} for e in error.errors())) from error


@cache
def _lists(model: type[BaseModel]) -> frozenset[str]:
    """The parameters that may be given several times."""
    fields = model.model_fields.items()
    return frozenset(field.alias or name for name, field in fields if get_origin(field.annotation) is list)


def parameters(model: type[BaseModel]) -> dict[str, Any]:
    """The parameters of a query as OpenAPI tells them."""
    found = []
    for name, spec in model.model_json_schema(by_alias=True)["properties"].items():
        schema = {key: value for key, value in spec.items() if key not in {"title", "description"}}
        found.append(
            {"name": name, "in": "query", "required": False, "schema": schema, "description": spec["description"]}
        )
    return {"parameters": found}
