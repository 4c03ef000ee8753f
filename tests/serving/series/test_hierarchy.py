"""The hierarchy, a level at a time."""

from datetime import date

import pytest
from pydantic import TypeAdapter

from serving.series import schemas

HIERARCHY = "/v1/tenants/acme/hierarchy"
MANY = [("ankara", "P-1"), ("ankara", "P-2"), ("ankara", "P-3"), ("bursa", "P-1")]


def below(api, **asked):
    answer = api.get(HIERARCHY, params=asked)
    assert answer.status_code == 200, answer.text[:300]
    TypeAdapter(schemas.HierarchyPage).validate_json(answer.text)
    return answer.json()["children"]


def told(children, *names):
    return [tuple(child[name] for name in names) for child in children]


def test_the_tenant_has_sites_the_most_units_first(plant, api):
    plant.night(series=MANY, units_point=1.0)
    plant.series(series=MANY)

    children = below(api)

    assert told(children, "level", "site", "name", "series", "units", "value") == [
        ("site", "ankara", "ankara", 3, 84.0, 2800.0),
        ("site", "bursa", "bursa", 1, 28.0, 2800.0),
    ]
    assert told(children, "product_group", "product", "has_children") == [(None, None, True)] * 2


def test_each_level_leads_to_the_next_until_products(plant, api):
    plant.night()
    plant.series()

    groups = below(api, site="ankara")
    subs = below(api, site="ankara", product_group="pumps")
    products = below(api, site="ankara", product_group="pumps", product_sub_group="steel pumps")

    assert sorted(told(groups, "level", "product_group")) == [("group", "pumps"), ("group", "taps")]
    assert told(subs, "level", "product_sub_group") == [("sub_group", "steel pumps")]
    assert told(products, "level", "site", "product", "name", "has_children") == [
        ("product", "ankara", "P-1", "Çelik Pompa İthal", False)
    ]


def test_a_group_of_no_site_has_its_sites_below(plant, api):
    plant.night()
    plant.series()

    assert sorted(told(below(api, product_group="pumps"), "level", "site", "product_group", "series")) == [
        ("site", "ankara", "pumps", 1),
        ("site", "bursa", "pumps", 1),
    ]


def test_products_without_a_group_lie_below_an_unknown_one(plant, api):
    plant.night(series=MANY)
    plant.series(series=MANY)

    assert ("group", None, None, 1) in told(below(api, site="ankara"), "level", "product_group", "name", "series")
    assert told(below(api, site="ankara", product_group=""), "level", "product") == [("product", "P-3")]


@pytest.mark.parametrize("table", [False, True])
def test_a_level_of_which_nothing_is_known_is_left_out(plant, api, table):
    plant.night()
    if table:
        plant.series(product_group=None)

    level = "sub_group" if table else "product"
    assert {child["level"] for child in below(api, site="ankara")} == {level}


def test_the_node_is_told(plant, api):
    plant.night()
    plant.series()

    node = api.get(HIERARCHY, params={"site": "ankara", "product_group": "taps"}).json()["node"]

    assert node == {"level": "group", "site": "ankara", "product_group": "taps", "product_sub_group": None}
    assert api.get(HIERARCHY).json()["node"]["level"] == "tenant"


def test_units_stand_beside_those_of_the_night_before_over_the_days_of_both(plant, api):
    plant.night(night=date(2026, 2, 28), units_point=2.0)
    plant.night(units_point=3.0)

    assert told(below(api, site="bursa"), "units", "units_same", "units_before") == [(84.0, 81.0, 54.0)]


def test_without_a_night_before_there_is_nothing_to_compare(plant, api):
    plant.night()

    assert told(below(api, site="bursa"), "units_same", "units_before", "value") == [(None, None, None)]


def test_pages_together_are_the_whole_though_a_night_arrives(plant, api):
    plant.night(series=MANY)
    whole, address, found = below(api, site="ankara"), f"{HIERARCHY}?site=ankara&limit=2", []
    while address:
        answer = api.get(address).json()
        found, address = found + answer["children"], answer["next"]
        plant.night(night=date(2026, 3, 2))
        api.clock.later()

    assert (found, answer["total"]) == (whole, 3)


def test_a_cursor_of_another_place_is_refused(plant, api):
    plant.night()
    cursor = api.get(f"{HIERARCHY}?limit=1").json()["next"].rpartition("cursor=")[2]

    assert api.problem(f"{HIERARCHY}?site=ankara&cursor={cursor}")["kind"] == "bad-cursor"


@pytest.mark.parametrize("asked", ["site=a&site=b", "level=site", "limit=0", "product=P-1", "site="])
def test_what_there_is_not_cannot_be_asked(plant, api, asked):
    plant.night()

    assert api.problem(f"{HIERARCHY}?{asked}")["kind"] == "bad-request"


def test_a_name_with_a_quote_is_a_name(plant, api):
    plant.night()
    plant.series(product_group="'; DROP TABLE rows; --")

    assert told(below(api, site="bursa", product_group="'; DROP TABLE rows; --"), "series") == [(1,)]
