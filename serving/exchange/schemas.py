"""What is sent to and answered by the addresses of exchange, and an example of each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

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
