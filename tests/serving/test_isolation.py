"""A tenant sees its own data only: whatever is asked under its name, another tenant's never shows."""

from datetime import date
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.identity.roles import READS, Caller

OTHER = "zebra"  # the other tenant; all that is its own bears the word
NIGHT, LATER = date(2026, 3, 1), date(2026, 3, 2)
FILL = {"tenant": "acme"}
# The addresses that show what belongs to nobody, or to the operator.
OF_NO_TENANT = {"/", "/docs", "/app", "/healthz", "/readyz", "/openapi.json", "/v1/audit"}
OF_THE_CALLER = ("/v1/me", "/v1/auth/", "/v1/live/")


@pytest.fixture
def both(plant):
    """Both tenants, mixed in every table: nights, failures, champions."""
    theirs = {"run_id": "zebra-run", "table_versions": '{"zebra": 1}', "method": "zebra", "fallback_reason": "zebra"}
    for night in (NIGHT, LATER):
        plant.sums(plant.night("acme", night), night=night)
        plant.explain("acme", night)
        plant.explain(OTHER, night, [("ankara", "P-1"), ("ankara", "zebra-2")], text_en="zebra", text_tr="zebra")
        plant.night(OTHER, night, [("zebra-site", "zebra-1"), ("ankara", "zebra-2")], **theirs)
        plant.sums("zebra-run", OTHER, night, product_group="zebra")
    plant.series("acme", LATER)
    plant.scores("acme", NIGHT)
    theirs_known = {
        "product_name": "zebra",
        "product_group": "zebra",
        "events": '[{"date": "2026-03-02", "kind": "zebra"}]',
    }
    plant.series(OTHER, LATER, [("zebra-site", "zebra-1"), ("ankara", "zebra-2"), ("ankara", "P-1")], **theirs_known)
    plant.scores(OTHER, NIGHT)
    plant.night(OTHER, date(2026, 3, 3), [("zebra-site", "zebra-1")], **theirs)
    plant.run(OTHER, date(2026, 3, 4), job="silver", status="failed", reason="zebra lost its stripes")
    plant.run("acme", date(2026, 3, 2), job="silver")
    plant.promotion("acme", "7")
    plant.promotion(OTHER, "9")
    return plant


def addresses(api):
    """Every address of the app."""
    found = [route.path for route in api.app.routes]
    assert {"/v1/tenants/{tenant}/forecasts", "/v1/status"} <= set(found)
    return found


def test_every_address_is_either_a_tenants_or_known_to_show_no_tenants_data(api):
    for address in addresses(api):
        is_his = address.startswith(OF_THE_CALLER)
        assert "{tenant}" in address or address in OF_NO_TENANT or address == "/v1/status" or is_his, (
            f"{address}: put it under /v1/tenants/{{tenant}}/, so that the tests below hold for it"
        )


def their_id(both):
    return both.expected[OTHER, LATER][0]["forecast_id"]


def their_key(api):
    return api.identity.keys.list(OTHER)[0]["prefix"]


def their_override(both, api):
    """One of the other tenant's, made the first time that it is asked for."""
    whole = {"headers": api.whole}
    listed = api.get(f"/v1/tenants/{OTHER}/overrides", **whole).json()["overrides"]
    if not listed:
        made = api.identity.keys.add(Caller(f"user:{OTHER}"), OTHER, "zebra's planner", ["plans:write"])
        change = {"site": "zebra-site", "first": "2026-03-04", "last": "2026-03-05", "how": "units", "value": 77.5}
        headers = {"Authorization": f"Bearer {made.key}"}
        answer = api.post(f"/v1/tenants/{OTHER}/overrides", json=change | {"reason": "zebra"}, headers=headers)
        assert answer.status_code == 201, answer.text
        listed = [answer.json()]
    return listed[0]["override_id"]


def their_cursor(api):
    whole = getattr(api, "whole", None)
    return api.get(f"/v1/tenants/{OTHER}/forecasts?limit=5", headers=whole).json()["next"].rpartition("cursor=")[2]


def assert_nothing_of_theirs(answer):
    shown = answer.text + repr(answer.headers)
    assert OTHER not in shown, f"{answer.url} shows the other tenant: {shown[:300]}"


@given(data=st.data())
@settings(max_examples=90, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_address_shows_another_tenants_data(both_api, data):
    both, api = both_api
    template = data.draw(st.sampled_from(addresses(api)))
    series = {"site": "ankara", "product": data.draw(st.sampled_from(["P-1", "zebra-2"]))}
    fill = {**FILL, **series, "forecast_id": their_id(both), "prefix": their_key(api)}
    fill |= {
        "link_id": "0" * 16,
        "import_id": "0" * 16,
        "scenario_id": "0" * 16,
        "secret": "urt_link_0",
        "user": "ayse",
    }
    fill |= {"override_id": their_override(both, api)}
    address = template.format(**{name: quote(value) for name, value in fill.items()})
    values = {
        "site": st.sampled_from(["ankara", "zebra-site"]),
        "product": st.sampled_from(["P-1", "zebra-1", "zebra-2"]),
        "night": st.sampled_from(["2026-03-01", "2026-03-02", "2026-03-03"]),
        "format": st.sampled_from(["json", "csv"]),
        "limit": st.integers(1, 200),
        "product_group": st.sampled_from(["pumps", "zebra"]),
        "q": st.sampled_from(["pompa", "zebra"]),
        "period": st.sampled_from(["day", "week"]),
        "cursor": st.just(their_cursor(api)),
    }
    asked = data.draw(st.fixed_dictionaries({}, optional=values))
    if template == "/v1/status":
        asked = {"tenant": "acme"}

    named = series if "{product}" in template else {}
    assert_nothing_of_theirs_but_asked(api.get(address, params=asked), [*asked.values(), *named.values()])


def assert_nothing_of_theirs_but_asked(answer, asked):
    """`next` repeats the caller's own filters; those say nothing that he did not know."""
    shown = answer.text + repr(answer.headers)
    for word in sorted({str(v) for v in asked if OTHER in str(v)}):
        shown = shown.replace(word, "")
    assert OTHER not in shown, f"{answer.url}: {shown[:300]}"


@pytest.fixture
def both_api(both, api):
    """With a key of the other tenant, and a row of it in the audit log; `api` may read acme's alone."""
    zebra, acme = (Caller(f"user:{name}") for name in (OTHER, "acme"))
    api.identity.keys.add(zebra, OTHER, "zebra's", ["forecasts:read"])
    made = api.identity.keys.add(acme, "acme", "reads all of acme", READS)
    api.whole = {"Authorization": api.headers["Authorization"]}
    api.headers["Authorization"] = f"Bearer {made.key}"
    return both, api


@pytest.mark.parametrize("rest", ["forecasts", "forecasts?format=csv", "series"])
def test_a_list_has_all_of_the_tenant_and_nothing_of_the_other(both, api, rest):
    answer = api.get(f"/v1/tenants/acme/{rest}")

    assert answer.status_code == 200
    assert "P-2" in answer.text
    assert_nothing_of_theirs(answer)


@pytest.mark.parametrize(
    "rest", ["hierarchy", "hierarchy?site=ankara", "history", "history?site=ankara", "series/ankara/P-1"]
)
def test_what_is_summed_and_told_of_series_is_the_tenants(both, api, rest):
    answer = api.get(f"/v1/tenants/acme/{rest}")

    assert answer.status_code == 200
    assert "Bayram" in answer.text or "ankara" in answer.text
    assert_nothing_of_theirs(answer)


def test_another_tenants_forecast_is_not_found_by_its_id(both, api):
    assert api.get(f"/v1/tenants/{OTHER}/forecasts/{their_id(both)}").status_code == 200

    assert api.problem(f"/v1/tenants/acme/forecasts/{their_id(both)}")["kind"] == "unknown-forecast"


def test_sums_are_of_the_tenant_alone(both, api):
    answer = api.get("/v1/tenants/acme/forecasts/sums")

    assert answer.json()["total"] == 5 * 33
    assert_nothing_of_theirs(answer)


def test_another_tenants_cursor_of_sums_is_refused(both, api):
    asked = f"night={LATER}&limit=5"
    cursor = api.get(f"/v1/tenants/{OTHER}/forecasts/sums?{asked}").json()["next"].rpartition("cursor=")[2]

    assert api.problem(f"/v1/tenants/acme/forecasts/sums?{asked}&cursor={cursor}")["kind"] == "bad-cursor"


def test_another_tenants_cursor_is_refused(both, api):
    told = api.problem(f"/v1/tenants/acme/forecasts?cursor={their_cursor(api)}")

    assert told["kind"] == "bad-cursor"


def test_the_other_tenants_newest_night_does_not_count(both, api):
    answer = api.get("/v1/tenants/acme/forecasts").json()

    assert (answer["night"], answer["newer_night"]) == ("2026-03-02", None)


def test_the_status_of_one_tenant_names_no_other_and_counts_no_others_rows(both, api):
    answer = api.get("/v1/status?tenant=acme")

    assert_nothing_of_theirs(answer)
    assert {table["rows"] for table in answer.json()["tables"]} == {None}
    assert [job["failed"] for job in answer.json()["jobs"]] == [0, 0]
    assert [champion["tenant"] for champion in answer.json()["champions"]] == ["acme"]
