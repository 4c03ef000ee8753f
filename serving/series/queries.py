"""What the addresses of series can be asked."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from serving.queries import MOST_CODES, MOST_ROWS, Code, NightQuery, TableQuery

CHILDREN = 200  # of a page
Group = Annotated[str, Field(max_length=100)]
_UNKNOWN = "; an empty one for what has none that is known"


class SearchQuery(TableQuery):
    """What the list of series can be asked."""

    q: str = Field("", max_length=100, description="In the product's code or name, written with or without ı, ş, ğ")
    product_group: list[Code] = Field([], max_length=MOST_CODES, description="Only these groups; repeat for several")


class NodeQuery(NightQuery):
    """Which place in the hierarchy is meant: the tenant, where nothing is said."""

    site: list[Code] = Field([], max_length=1, description="Of this site")
    product_group: list[Group] = Field([], max_length=1, description=f"Of this group{_UNKNOWN}")
    product_sub_group: list[Group] = Field([], max_length=1, description=f"Of this sub-group{_UNKNOWN}")

    @property
    def node(self) -> dict[str, str | None]:
        """The columns that are settled, and their values; None for what is not known."""
        return {name: (given[0] or None) for name in LEVELS if (given := getattr(self, name, []))}


class HierarchyQuery(NodeQuery):
    """What the hierarchy can be asked."""

    limit: int | None = Field(None, ge=1, le=MOST_ROWS, description=f"Children of a page; {CHILDREN} if left out")
    cursor: str | None = Field(None, max_length=4000, description="From `next` of the page before")


class HistoryQuery(NodeQuery):
    """What sums of the past can be asked."""

    product: list[Code] = Field([], max_length=1, description="Of this product")


LEVELS = ("site", "product_group", "product_sub_group", "product")  # below the tenant, in order
