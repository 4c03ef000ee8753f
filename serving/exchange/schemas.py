"""What is sent to and answered by the addresses of exchange, and an example of each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from serving.plans.schemas import Moment, Text
from serving.queries import MOST_CODES, Code
from serving.schemas import Answer

What = Literal["plan", "forecasts"]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")
]
AT, UNTIL = "2026-03-02T08:10:00Z", "2026-06-01T00:00:00Z"


class Filters(BaseModel):
    """Which rows; each left out means all."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    site: list[Code] = Field([], max_length=MOST_CODES)
    product: list[Code] = Field([], max_length=MOST_CODES)
    product_group: list[Code] = Field([], max_length=MOST_CODES, description="Of a plan alone")
    first: date | None = Field(None, alias="from", description="First date")
    last: date | None = Field(None, alias="to", description="Last date, included")


class NewLink(BaseModel):
    """A live link to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="What it is for")
    what: What = Field(description="Rows of the plan, or of the forecasts")
    filters: Filters = Field(default_factory=lambda: Filters.model_validate({}))
    expires_at: AwareDatetime | None = Field(None, description="90 days from now if left out; at most 366")


class Link(Answer):
    """A live link, without its secret."""

    link_id: str
    name: str
    what: What
    filters: dict[str, Any]
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class LinkMade(Link):
    """A new live link."""

    url: str = Field(description="For the spreadsheet; shown this once. Who has it reads the rows without signing in")


class LinkList(Answer):
    """The live links of a tenant, the newest first."""

    links: list[Link]


LINK: dict[str, Any] = {
    "link_id": "9c41d07ab2f93c55",
    "name": "Haftalık toplantı",
    "what": "plan",
    "filters": {"site": ["ankara"]},
    "created_by": "user:ayse",
    "created_at": AT,
    "expires_at": UNTIL,
    "revoked_at": None,
}
LINK_MADE = LINK | {"url": "https://uretimiq.example.com/v1/live/urt_link_..."}
LINKS = {"links": [LINK]}
LIVE = 'site;product;date;units_point\n"ankara";"P-0017";2026-03-02;104,5\n'


class Take(BaseModel):
    """Take what a workbook changes."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = Field(min_length=1, max_length=500, description="Why; it is kept with each override")
    expires_at: Moment | None = Field(
        None, description="When the overrides lose their effect; each at the end of its last day or week if left out"
    )


class CellChange(Answer):
    """A cell that would change."""

    site: str
    product: str
    name: str | None
    date: date
    cell: str = Field(description="Address in the workbook as it was sent")
    baseline: float = Field(description="The forecast now [piece]")
    before: float = Field(description="The plan now [piece]")
    after: float = Field(description="What the workbook says [piece]")
    formula: str | None = Field(description="That of which `after` is the result, as the workbook was saved")


class CellProblem(Answer):
    """A cell that cannot be taken."""

    cell: str
    kind: Literal[
        "empty",
        "not_a_number",
        "ambiguous_number",
        "negative",
        "too_large",
        "date",
        "error_value",
        "formula_without_result",
        "not_in_plan",
        "unknown_series",
        "duplicate_series",
        "unknown_date",
        "duplicate_date",
    ]
    value: str = Field(description="What stands there; of a row its site and product")


class Import(Answer):
    """The difference between a workbook and the plan."""

    import_id: str
    night: date = Field(description="Of whose plan the workbook is")
    changes: list[CellChange]
    total: int = Field(description="How many cells would change")
    problems: list[CellProblem] = Field(description="While there are any, it is not taken; 500 at most")
    made_by: str
    made_at: datetime
    expires_at: datetime = Field(description="So long it can be taken")
    taken_at: datetime | None


class TakenOverride(Answer):
    """An override that was made: neighbours of a series that are to have the same units are one."""

    override_id: str
    site: str | None
    product: str | None
    product_group: str | None
    product_sub_group: str | None
    first: date
    last: date
    how: Literal["units", "percent"]
    value: float
    expires_at: datetime


class Taken(Answer):
    """What was made of a workbook."""

    import_id: str
    plan_version: int
    overrides: list[TakenOverride]


IMPORT: dict[str, Any] = {
    "import_id": "5d1f0c7ab2f93c55",
    "night": "2026-03-01",
    "changes": [
        {
            "site": "ankara",
            "product": "P-0017",
            "name": "Pompa",
            "date": "2026-03-02",
            "cell": "D2",
            "baseline": 104.5,
            "before": 104.5,
            "after": 120.0,
            "formula": "=115+5",
        }
    ],
    "total": 1,
    "problems": [{"cell": "E2", "kind": "ambiguous_number", "value": "1.234"}],
    "made_by": "user:ayse",
    "made_at": AT,
    "expires_at": "2026-03-03T08:10:00Z",
    "taken_at": None,
}
TAKEN: dict[str, Any] = {
    "import_id": "5d1f0c7ab2f93c55",
    "plan_version": 4,
    "overrides": [
        {
            "override_id": "9c41d07ab2f93c55",
            "site": "ankara",
            "product": "P-0017",
            "product_group": None,
            "product_sub_group": None,
            "first": "2026-03-02",
            "last": "2026-03-02",
            "how": "units",
            "value": 120.0,
            "expires_at": "2026-03-03T00:00:00Z",
        }
    ],
}
