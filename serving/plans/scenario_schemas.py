"""What is asked of and answered by the addresses of scenarios, and an example of each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from serving import examples
from serving.plans.examples import AT, CHANGE
from serving.plans.schemas import LIMIT, MOST, Asked, ChangeAsked, Text
from serving.queries import LIMIT as ROWS
from serving.queries import MOST_ROWS
from serving.schemas import Answer, Head

MOST_CHANGES = 1000


class NewScenario(Asked):
    """A scenario to be made."""

    name: Text = Field(min_length=1, max_length=100)
    copy_of: str = Field(
        "baseline",
        pattern="^(baseline|final|[0-9a-f]{16})$",
        description="What it begins with: the forecast (`baseline`), the plan in force (`final`), or the id of another",
    )


class ScenarioAsked(Asked):
    """What a scenario is to be from now on."""

    name: Text = Field(min_length=1, max_length=100)
    changes: list[ChangeAsked] = Field(max_length=MOST_CHANGES, description="The later ones win where they meet")


class ScenariosQuery(Asked):
    """What the list of scenarios can be asked."""

    limit: int = Field(LIMIT, ge=1, le=MOST, description=f"Scenarios of a page; {LIMIT} if left out")
    cursor: str | None = Field(None, max_length=200, description="From `next` of the page before")


class DifferenceQuery(Asked):
    """What a difference can be asked."""

    to: str = Field(
        "baseline",
        pattern="^(baseline|final|[0-9a-f]{16})$",
        description="What it is compared with: the forecast of its night (`baseline`), the plan in force now (`final`), "
        "or the id of another scenario",
    )
    level: Literal["tenant", "site", "group", "product"] = Field("tenant", description="What is added up to one row")
    by: Literal["total", "date"] = Field("total", description="One row for all periods, or for each")
    limit: int = Field(ROWS, ge=1, le=MOST_ROWS, description=f"Rows of a page; {ROWS} if left out")
    cursor: str | None = Field(None, max_length=200, description="From `next` of the page before")


class ChangeTold(Answer):
    """A change of a scenario."""

    site: str | None
    product: str | None
    product_group: str | None
    product_sub_group: str | None
    first: date
    last: date
    how: Literal["units", "percent"]
    value: float


class Named(Answer):
    """What lists tell of a scenario."""

    scenario_id: str
    version: int
    name: str
    night: date = Field(description="The night on whose forecast it is laid")
    is_behind: bool = Field(description="Whether a newer night is served by now: `rebase` takes that")
    made_by: str
    made_at: datetime
    changed_by: str
    changed_at: datetime


class ScenarioEntry(Named):
    changes: int = Field(description="How many they are")


class Scenario(Named):
    period: Literal["day", "week"] | None = Field(description="Of its night; null where that is gone")
    changes: list[ChangeTold]


class ScenarioPage(Head):
    next: str | None = Field(description="Address of the next page; null on the last")
    scenarios: list[ScenarioEntry]


class Amounts(Answer):
    """Two plans, beside each other."""

    units: float = Field(description="Of this scenario [piece]")
    other_units: float = Field(description="Of what it is compared with [piece]")
    difference: float = Field(description="`units` less `other_units` [piece]")
    value_difference: float | None = Field(
        description="The same in money, of the series whose price is known; null where none is [currency]"
    )


class DifferenceRow(Amounts):
    """What belongs to a row's level is told, the rest is null."""

    site: str | None
    product_group: str | None
    product: str | None
    date: date | None


class Totals(Amounts):
    """Over all rows."""

    series: int = Field(description="Series that both have")
    series_with_price: int


class DifferenceTable(Head):
    to: str
    other_night: date = Field(description="The night of what it is compared with; only what both have is compared")
    total: int = Field(description="Rows over all pages")
    next: str | None = Field(description="Address of the next page; null on the last")
    totals: Totals
    rows: list[DifferenceRow] = Field(description="By date in order of keys; else the largest difference first")


SCENARIO_ID = "5d1f0c7ab2f93c55"
NEW_SCENARIO = {"name": "The tender is won", "copy_of": "final"}
_NAMED: dict[str, Any] = {
    "scenario_id": SCENARIO_ID,
    "version": 2,
    "name": NEW_SCENARIO["name"],
    "night": "2026-03-01",
    "is_behind": False,
    "made_by": "user:ayse",
    "made_at": AT,
    "changed_by": "user:ayse",
    "changed_at": AT,
}
SCENARIO = {
    **_NAMED,
    "period": "day",
    "changes": [{"product_group": None, "product_sub_group": None, **CHANGE}],
}
CHANGED = {"name": NEW_SCENARIO["name"], "changes": [CHANGE]}
SCENARIOS = {**examples.HEAD, "next": None, "scenarios": [{**_NAMED, "changes": 1}]}
_AMOUNTS = {"units": 980.0, "other_units": 731.5, "difference": 248.5, "value_difference": 24_850.0}
DIFFERENCE = {
    **examples.HEAD,
    "to": "baseline",
    "other_night": "2026-03-01",
    "total": 1,
    "next": None,
    "totals": {**_AMOUNTS, "series": 41, "series_with_price": 39},
    "rows": [{"site": "ankara", "product_group": None, "product": None, "date": None, **_AMOUNTS}],
}
