"""Paging gives exactly the rows of no paging, whatever night arrives between two pages."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.paging import moment_of
from serving.problems import Problem

FORECASTS = "/v1/tenants/acme/forecasts"
THIRD, FOURTH = date(2026, 3, 1), date(2026, 3, 2)
SERIES = [(site, f"P-{i}") for site in ("ankara", "bursa", "çorlu") for i in range(5) if (site, i) != ("bursa", 3)]


def pages(api, address, between=lambda: None):
    """All pages of a query, following `next`; `between` happens after the first."""
    found = []
    while address:
        answer = api.get(address)
        assert answer.status_code == 200, answer.text[:300]
        found.append(answer.json())
        address = found[-1]["next"]
        if len(found) == 1:
            between()
            api.clock.later()  # once: each look at storage costs milliseconds
    return found


def rows(found):
    return [row for page in found for row in page["forecasts"]]


@given(
    sites=st.lists(st.sampled_from(["ankara", "bursa", "çorlu", "none"]), max_size=3),
    products=st.lists(st.sampled_from([f"P-{i}" for i in range(6)]), max_size=4),
    first=st.none() | st.dates(date(2026, 2, 28), date(2026, 3, 12)),
    last=st.none() | st.dates(date(2026, 2, 28), date(2026, 3, 12)),
    limit=st.integers(1, 130),
)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_together_are_the_rows_of_no_paging(plant, api, sites, products, first, last, limit):
    if not plant.runs:
        plant.night(night=THIRD, series=SERIES, days=9)
    first, last = (min(first, last), max(first, last)) if first and last else (first, last)
    query = {"site": sites, "product": products, "from": first, "to": last}
    query = {name: value for name, value in query.items() if value}
    expected = [
        r["forecast_id"]
        for r in plant.expected["acme", THIRD]
        if (not sites or r["site"] in sites)
        and (not products or r["product"] in products)
        and (not first or r["date"] >= first)
        and (not last or r["date"] <= last)
    ]

    address = str(api.build_request("GET", FORECASTS, params={**query, "limit": limit}).url)
    found = pages(api, address)

    assert [row["forecast_id"] for row in rows(found)] == expected
    assert {page["total"] for page in found} == {len(expected)}
    assert all(len(page["forecasts"]) == limit for page in found[:-1])


def test_a_page_says_where_the_next_is_in_its_header_too(plant, api):
    plant.night()

    answer = api.get(FORECASTS, params={"limit": 50})

    assert answer.headers["link"] == f'<{answer.json()["next"]}>; rel="next"'
    assert "link" not in api.get(answer.json()["next"]).headers


def test_a_new_night_between_pages_changes_nothing(plant, api):
    plant.night(night=THIRD)
    whole = api.rows()

    found = pages(api, f"{FORECASTS}?limit=30", lambda: plant.night(night=FOURTH))

    assert rows(found) == whole
    assert {page["night"] for page in found} == {"2026-03-01"}
    assert api.get(FORECASTS).json()["night"] == "2026-03-02"


def test_another_server_continues_the_pages(plant, api, make_api):
    plant.night(night=THIRD)
    first = api.get(f"{FORECASTS}?limit=50").json()
    plant.night(night=FOURTH)

    rest = make_api(plant.settings).get(first["next"]).json()

    assert first["forecasts"] + rest["forecasts"] == api.rows()
    assert rest["night"] == "2026-03-01"


def test_a_night_repeated_between_pages_is_read_from_the_version_of_the_first_page(plant, api, make_api):
    plant.night(night=THIRD)
    whole = api.rows()
    first = api.get(f"{FORECASTS}?limit=50").json()
    plant.night(night=THIRD, again=True, model_version="8")

    rest = make_api(plant.settings).get(first["next"]).json()  # a server that does not hold the night in memory

    assert first["forecasts"] + rest["forecasts"] == whole


def test_a_compaction_between_pages_changes_nothing(plant, api, make_api):
    plant.night(night=date(2026, 3, 3))
    plant.night(night=THIRD, series=SERIES)
    whole = api.rows(night="2026-03-01")
    first = api.get(f"{FORECASTS}?limit=200&night=2026-03-01").json()
    plant.table().optimize.compact()
    plant.vacuum()

    found = pages(make_api(plant.settings), first["next"])

    assert first["forecasts"] + rows(found) == whole


def test_a_night_repeated_and_vacuumed_between_pages_is_gone(plant, api, make_api):
    plant.night(night=THIRD)
    following = api.get(f"{FORECASTS}?limit=50").json()["next"]
    plant.night(night=THIRD, again=True)
    plant.vacuum()

    told = make_api(plant.settings).problem(following)

    assert (told["kind"], told["status"]) == ("cursor-gone", 410)
    assert told["detail"] == "the night of 2026-03-01 was written anew or deleted: begin again without cursor"


def test_a_night_withheld_between_pages_is_gone(plant, api):
    run = plant.night(night=THIRD, status=None)
    following = api.get(f"{FORECASTS}?limit=50").json()["next"]
    plant.run(night=THIRD, status="blocked", run=run)
    api.clock.later()

    assert api.problem(following)["kind"] == "cursor-gone"


def test_a_page_beyond_the_end_is_empty(plant, api):
    plant.night()
    cursor = api.get(f"{FORECASTS}?limit=80").json()["next"]
    api.get(cursor)

    last = api.get(cursor).json()

    assert (len(last["forecasts"]), last["next"]) == (4, None)


@pytest.mark.parametrize(
    "part", ["2026-03-02T08:10:00", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:00-23:00", "yesterday", "", 8, None]
)
def test_what_is_no_moment_in_a_cursor_is_refused(part):
    with pytest.raises(Problem, match="cannot be read"):
        moment_of(part)


def test_a_moment_in_a_cursor_comes_back_in_utc():
    assert moment_of("2026-03-02T11:10:00+03:00") == datetime(2026, 3, 2, 8, 10, tzinfo=UTC)
