"""The answers of the addresses of series as OpenAPI tells them, with an example of each."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field

from serving import examples
from serving.schemas import Answer, Head

_TOTAL = Field(description="Entries that the query finds, over all pages")
_NEXT = Field(description="Address of the next page; null on the last")
_GROUP = Field(description="Upper level of the hierarchy; null where it is not known")
_SUB_GROUP = Field(description="Lower level of the hierarchy; null where it is not known")
_NAME = Field(description="The product's name; null where it is not known")
_PRICE = Field(description="Last known price; null where none is [currency/piece]")


class SeriesEntry(Answer):
    site: str
    product: str
    first_date: date
    last_date: date
    periods: int = Field(description="Days or weeks that are forecast")
    name: str | None = _NAME
    product_group: str | None = _GROUP
    product_sub_group: str | None = _SUB_GROUP
    unit_price: float | None = _PRICE


class SeriesPage(Head):
    total: int = _TOTAL
    next: str | None = _NEXT
    series: list[SeriesEntry]


class History(Answer):
    first_date: date = Field(description="The first day, or the Monday of the first week, of `units`")
    units: list[float | None] = Field(
        description="Of each day or week from `first_date` on; null where not known [piece]"
    )


class Event(Answer):
    date: date
    kind: str = Field(description="holiday, half_holiday, promotion, or as the plant calls its own")
    name: str | None = Field(description="null of a promotion")


class Accuracy(Answer):
    """What became of the forecasts of the last 90 nights; null where nothing is known yet."""

    days: Literal[7, 28] = Field(description="Days after each night by which it is judged [d]")
    nights: int = Field(description="Nights that are judged; of several series those of the one that has most")
    units: float | None = Field(description="What was sold in these days [piece]")
    wape: float | None = Field(description="Sum of the absolute errors of the medians over `units`")
    bias: float | None = Field(description="What was forecast beyond `units`, over `units`; below 0 too little")
    naive_wape: float | None = Field(description="As `wape`, of seasonal naive")
    value_added: float | None = Field(description="Share of seasonal naive's error that the forecast saves")
    covered: float | None = Field(description="Share of the days that lay in the band of quantiles 0.1 to 0.9")


class Series(Answer):
    """One product at one site."""

    site: str
    product: str
    name: str | None = _NAME
    product_group: str | None = _GROUP
    product_sub_group: str | None = _SUB_GROUP
    unit_price: float | None = _PRICE
    period: Literal["day", "week"] = Field(description="What its history is told in")
    history: History
    events: list[Event] = Field(description="Of the years of the history and the days ahead, in order")
    accuracy: list[Accuracy]


class OneSeries(Head):
    series: Series


class Place(Answer):
    """A place in the hierarchy: what is null is summed over, or not known where `level` names it."""

    level: Literal["tenant", "site", "group", "sub_group", "product"]
    site: str | None
    product_group: str | None
    product_sub_group: str | None


class Child(Place):
    """What lies below it."""

    product: str | None
    name: str | None = Field(description="Its code, or the product's name; null where it is not known")
    series: int = Field(description="Series that it holds")
    units: float = Field(description="Point forecast of all days ahead [piece]")
    units_same: float | None = Field(description="Of those days that the night before forecast too [piece]")
    units_before: float | None = Field(
        description="What the night before said of them; null where there is none [piece]"
    )
    value: float | None = Field(description="`units` by price, of series that have one [currency]")
    has_children: bool


class HierarchyPage(Head):
    total: int = _TOTAL
    next: str | None = _NEXT
    node: Place
    children: list[Child]


class PlaceOfPast(Place):
    product: str | None


class SumOfPast(Head):
    node: PlaceOfPast
    series: int = Field(description="Series that it holds")
    history: History
    events: list[Event] = Field(description="Of its sites; promotions where one product is asked for")
    accuracy: list[Accuracy]


_PUMP = {"name": "Çelik pompa", "product_group": "pumps", "product_sub_group": "steel pumps", "unit_price": 120.0}
_PAST = {
    "history": {"first_date": "2026-02-25", "units": [98.0, 102.5, 0.0, 110.0, None]},
    "events": [
        {"date": "2026-02-28", "kind": "promotion", "name": None},
        {"date": "2026-03-20", "kind": "holiday", "name": "Eid al-Fitr"},
    ],
    "accuracy": [
        {
            "days": 7,
            "nights": 81,
            "units": 58_310.0,
            "wape": 0.21,
            "bias": -0.02,
            "naive_wape": 0.29,
            "value_added": 0.276,
            "covered": 0.81,
        },
        {"days": 28, "nights": 0} | dict.fromkeys(("units", "wape", "bias", "naive_wape", "value_added", "covered")),
    ],
}
SERIES: dict[str, Any] = {
    **examples.HEAD,
    "total": 1,
    "next": None,
    "series": [
        {
            "site": "ankara",
            "product": "P-0017",
            "first_date": "2026-03-02",
            "last_date": "2026-03-29",
            "periods": 28,
            **_PUMP,
        }
    ],
}
ONE = {**examples.HEAD, "series": {"site": "ankara", "product": "P-0017", **_PUMP, "period": "day", **_PAST}}
_NODE = {"level": "site", "site": "ankara", "product_group": None, "product_sub_group": None}
HIERARCHY = {
    **examples.HEAD,
    "total": 1,
    "next": None,
    "node": _NODE,
    "children": [
        {
            **_NODE,
            "level": "group",
            "product_group": "pumps",
            "product": None,
            "name": "pumps",
            "series": 12,
            "units": 5120.5,
            "units_same": 4940.0,
            "units_before": 4870.0,
            "value": 614_460.0,
            "has_children": True,
        }
    ],
}
HISTORY = {**examples.HEAD, "node": {**_NODE, "product": None}, "series": 41, **_PAST}
