"""The overview: what a planner sees first, and in which order."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from lakes import SERIES, known_series_row
from pydantic import TypeAdapter

from expectations.tables import DEMAND_MONITOR, DEMAND_SERIES
from serving.board import examples, schemas
from serving.board.exceptions import in_turn
from serving.board.freshness import is_late
from serving.board.stale import stale_overrides
from serving.identity.roles import Caller

OVERVIEW = "/v1/tenants/acme/overview"
BEFORE, NIGHT = date(2026, 2, 28), date(2026, 3, 1)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ONE, TWO = [("ankara", "P-1")], [("ankara", "P-2")]
SAME = {"units_q10": 1.0, "units_q50": 10.0, "units_q90": 20.0}


@pytest.fixture
def overview(plant, api):
    """The overview of acme, as declared."""

    def get():
        api.clock.later()
        answer = api.get(OVERVIEW)
        assert answer.status_code == 200, answer.text[:300]
        TypeAdapter(schemas.OverviewAnswer).validate_json(answer.text)
        return answer.json()

    return get


@pytest.mark.parametrize(
    ("ankara", "bursa", "told"),
    [(None, None, None), ("TRY", "TRY", "TRY"), ("TRY", None, "TRY"), ("TRY", "EUR", None)],
)
def test_what_money_is_in_is_told_where_all_sites_say_the_same(plant, overview, ankara, bursa, told):
    plant.night()
    known = plant.series()
    rows = [row | {"currency": {"ankara": ankara, "bursa": bursa}[row["site"]]} for row in known]
    plant.write(DEMAND_SERIES, rows, "tenant = 'acme'")
    plant.series("zebra", series=[("ankara", "P-1")], currency="USD")

    assert overview()["currency"] == told


def test_a_table_from_before_currencies_tells_none(plant, overview):
    plant.night()
    earlier = replace(DEMAND_SERIES, columns=tuple(c for c in DEMAND_SERIES.columns if c.name != "currency"))
    plant.write(earlier, [known_series_row("acme", NIGHT, *of, 1, 60) for of in SERIES])

    found = overview()
    assert found["currency"] is None
    assert found["totals"]["value"] > 0


def of(overview, kind):
    found = overview()
    rows = [row for row in found["exceptions"] if row["kind"] == kind]
    assert found["exceptions_total"][kind] == len(rows)
    return rows


def two_nights(plant, before, now, series=ONE):
    plant.night(night=BEFORE, series=series, units_point=before)
    plant.night(series=series, units_point=now)


def alarm(plant, night=NIGHT, tenant="acme", measure="level", *, alarm=True):
    row = {"tenant": tenant, "night": night, "measure": measure, "value": 0.5, "chance": 0.01, "evidence": 1.7}
    at = datetime(2026, 3, 2, 4, tzinfo=UTC)
    plant.write(DEMAND_MONITOR, [row | {"alarm": alarm, "run_id": "r", "available_at": at}])


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (schemas.OverviewAnswer, examples.OVERVIEW),
        (schemas.RunsPage, examples.RUNS),
        (schemas.ChecksPage, examples.CHECKS),
    ],
)
def test_each_example_is_an_answer_as_declared(model, example):
    TypeAdapter(model).validate_python(example)


def test_totals_are_of_all_series_and_money_of_those_with_a_price(plant, overview):
    two_nights(plant, 10.0, 12.0, [*ONE, *TWO])
    plant.series()

    assert overview()["totals"] == {
        "units": 2 * 28 * 12.0,
        "units_before": 2 * 27 * 10.0,
        "units_same": 2 * 27 * 12.0,
        "value": 28 * 12.0 * 100.0,
        "value_of_series": 1,
        "series": 2,
        "by_fallback": 0,
    }


def test_without_prices_and_a_night_before_there_is_no_money_and_no_comparison(plant, overview):
    plant.night()

    totals = overview()["totals"]

    assert (totals["value"], totals["units_before"], totals["units_same"]) == (None, None, None)


def test_it_begins_with_the_head_and_tells_a_newer_night_that_failed(plant, overview):
    plant.night()
    plant.run(night=date(2026, 3, 2), job="silver", status="failed", reason="no rows")

    told = overview()

    assert (told["tenant"], told["night"], told["newer_night"]["job"]) == ("acme", "2026-03-01", "silver")


def test_the_steps_are_those_of_the_newest_night_in_their_order(plant, overview):
    plant.run(job="silver")
    plant.run(job="features")
    plant.night()
    plant.run("zebra", date(2026, 3, 2), job="silver", status="failed", reason="zebra")
    plant.run(night=date(2026, 2, 1), job="train-demand")

    last = overview()["last_night"]

    assert last["night"] == "2026-03-01"
    assert [step["job"] for step in last["steps"]] == ["silver", "features", "forecast-demand"]
    assert last["steps"][0] == {
        "job": "silver",
        "status": "ok",
        "reason": None,
        "seconds": 2.5,
        "ended_at": "2026-03-02T03:45:01Z",
    }


def test_a_night_that_is_blocked_comes_first_and_other_jobs_that_failed_after_it(plant, overview):
    plant.night()
    plant.run(night=NIGHT, job="explain-demand", status="failed", reason="no memory")
    plant.run(night=date(2026, 3, 2), job="silver", status="blocked", reason="sales: too old")
    plant.run(night=date(2026, 2, 1), job="train-demand", status="failed", reason="long ago")

    rows = of(overview, "blocked")

    assert [(row["severity"], row["job"], row["reason"]) for row in rows] == [
        ("high", "silver", "sales: too old"),
        ("medium", "explain-demand", "no memory"),
    ]


@pytest.mark.parametrize(
    ("before", "now", "severity"),
    [
        (10.0, 12.4, None),
        (10.0, 12.6, "low"),
        (10.0, 15.1, "medium"),
        (10.0, 20.1, "high"),
        (20.1, 10.0, "high"),
        (15.1, 10.0, "medium"),
        (0.0, 10.0, "high"),
        (10.0, 0.0, "high"),
        (0.0, 0.0, None),
        (0.1, 0.4, None),  # less than ten pieces in all
    ],
)
def test_a_series_that_changed_by_a_quarter_is_told_and_by_half_is_severe(plant, overview, before, now, severity):
    two_nights(plant, before, now)

    assert [row["severity"] for row in of(overview, "change")] == ([severity] if severity else [])


def test_a_change_tells_its_numbers_and_its_money(plant, overview):
    two_nights(plant, 10.0, 30.0)
    plant.series()

    (row,) = of(overview, "change")

    assert (row["site"], row["product"], row["name"]) == ("ankara", "P-1", "Çelik Pompa İthal")
    assert (row["units_before"], row["units_same"], row["value_change"]) == (270.0, 810.0, 54_000.0)


def score(plant, absolute_error, naive, nights=1, series=ONE, **more):
    for back in range(nights):
        errors = {"absolute_error": absolute_error, "naive_absolute_error": naive}
        plant.scores(night=NIGHT - timedelta(days=8 + back), series=series, **errors, **more)


@pytest.mark.parametrize(
    ("error", "naive", "severity"),
    [(20.0, 40.0, None), (55.0, 60.0, "low"), (30.0, 25.0, "medium"), (40.0, 25.0, "high"), (9.0, 1.0, None)],
)
def test_a_series_that_was_worse_than_naive_is_told(plant, overview, error, naive, severity):
    plant.night()
    score(plant, error, naive)

    assert [row["severity"] for row in of(overview, "error")] == ([severity] if severity else [])


def test_an_error_is_of_the_last_four_weeks_of_judged_nights(plant, overview):
    plant.night()
    score(plant, 40.0, 25.0, nights=30)

    (row,) = of(overview, "error")

    assert (row["days"], row["nights"], row["units"]) == (7, 28, 2800.0)
    assert (row["wape"], row["naive_wape"]) == (0.4, 0.25)


def test_an_error_of_a_series_without_units_has_no_share(plant, overview):
    plant.night()
    score(plant, 40.0, 25.0, units=0.0)

    assert of(overview, "error")[0]["wape"] is None


def test_scores_of_four_weeks_ahead_do_not_count(plant, overview):
    plant.night()
    plant.scores(days=28, absolute_error=400.0)

    assert of(overview, "error") == []


def test_an_alarm_of_the_last_four_weeks_is_told(plant, overview):
    plant.night()
    alarm(plant, NIGHT)
    alarm(plant, NIGHT - timedelta(days=28), measure="bias")
    alarm(plant, NIGHT, measure="idle_share", alarm=False)
    alarm(plant, NIGHT, "zebra", "zebra")

    (row,) = of(overview, "alert")

    assert (row["measure"], row["night"], row["evidence"]) == ("level", "2026-03-01", 1.7)


def test_one_reason_of_all_series_is_one_exception(plant, overview):
    plant.night(method="seasonal_naive", fallback_reason="no champion yet")

    told = [(row["severity"], row["product"], row["reason"]) for row in of(overview, "fallback")]
    assert told == [("medium", None, "no champion yet")]


def test_a_fallback_is_told_with_its_reason(plant, overview):
    plant.night(series=ONE, method="seasonal_naive", fallback_reason="too young")

    assert [(row["product"], row["reason"]) for row in of(overview, "fallback")] == [("P-1", "too young")]


def test_of_many_the_first_fifty_are_told_and_all_are_counted(plant, overview):
    series = [("ankara", f"P-{n}") for n in range(70)]
    plant.night(series=series, method="seasonal_naive", fallback_reason="too young")
    plant.night(series=[("bursa", "P-1")])

    told = overview()

    assert (len(told["exceptions"]), told["exceptions_total"]["fallback"]) == (50, 70)


def test_none_of_a_kind_hides_the_other_kinds():
    rows = [("low", "fallback"), *[("high", "change")] * 3, ("high", "blocked"), ("medium", "alert"), ("high", "error")]

    found = in_turn({"severity": severity, "kind": kind, "at": at} for at, (severity, kind) in enumerate(rows))

    assert [row["kind"] for row in found] == ["blocked", "error", "change", "change", "change", "alert", "fallback"]
    assert [row["at"] for row in found if row["kind"] == "change"] == [1, 2, 3]


def test_kinds_of_one_severity_take_turns():
    rows = [{"severity": "high", "kind": kind} for kind in ("change", "change", "error", "error")]

    assert [row["kind"] for row in in_turn(rows)] == ["error", "change", "error", "change"]


def test_exceptions_of_other_parts_are_among_them(plant):
    from serving.board.overview import Overview
    from serving.demand import DemandSeries
    from serving.forecasts import Forecasts
    from serving.laid import LaidFolder
    from serving.lake import Lake
    from serving.runs import Ledger
    from serving.status import EachTable
    from serving.totals import Totals

    plant.night()
    stale = {"kind": "stale_override", "severity": "high", "override_id": "o-1"}
    lake = Lake(plant.settings)
    forecasts = Forecasts(lake, Ledger(lake), LaidFolder(plant.settings.home / "cache"))
    asked = []

    def more(tenant):
        asked.append(tenant)
        return [stale]

    totals = Totals(lake, forecasts, DemandSeries(lake))
    _, rest = Overview(lake, forecasts, totals, EachTable(lake), lambda _: None, lambda: NOW, [more]).of("acme")

    assert asked == ["acme"]
    assert rest["exceptions"] == [stale]
    assert rest["exceptions_total"]["stale_override"] == 1


def test_another_tenants_series_are_not_among_them(plant, overview):
    two_nights(plant, 10.0, 10.0)
    for night, units in ((BEFORE, 10.0), (NIGHT, 99.0)):
        plant.night("zebra", night, units_point=units, fallback_reason="zebra", method="zebra")
    plant.scores("zebra", absolute_error=900.0)

    told = overview()

    assert told["exceptions"] == []
    assert told["totals"]["series"] == 1


def test_who_has_the_overview_is_told_so_until_something_changes(plant, api):
    plant.night()
    tag = api.get(OVERVIEW).headers["etag"]

    assert api.get(OVERVIEW, headers={"If-None-Match": tag}).status_code == 304
    alarm(plant)
    api.clock.later()
    assert api.get(OVERVIEW, headers={"If-None-Match": tag}).status_code == 200


def test_each_table_is_there_or_missing_and_tells_its_age(plant, api, overview):
    plant.night()
    api.clock.now = datetime.now(UTC) + timedelta(minutes=1)

    rows = {(row["contract"], row["zone"]): row for row in overview()["freshness"]}

    assert rows["demand_forecast", "gold"]["state"] == "there"
    assert 60 <= rows["demand_forecast", "gold"]["age_seconds"] < 180
    assert rows["sales", "bronze"] | {"is_late": False, "last_commit": None} == rows["sales", "bronze"]
    assert rows["sales", "bronze"]["state"] == "missing"


DAY = timedelta(days=1)


def at(day, hour, minute=0):
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "last", "late"),
    [
        (at(3, 4, 59), at(2, 3, 40), False),  # before eight in the morning the night may still be under way
        (at(3, 5), at(2, 3, 40), True),
        (at(3, 5), at(3, 3), False),
        (at(3, 5), at(3, 2, 59), True),  # before the cut-off it was no night
        (at(4, 4), at(2, 3, 40), True),
        (at(3, 9), at(3, 8), False),  # written late, but there
    ],
)
def test_what_each_night_writes_is_late_by_eight_in_the_morning(now, last, late):
    assert is_late("demand_forecast", [last, last - DAY], now) == late


@pytest.mark.parametrize(
    ("commits", "late"),
    [
        ([at(20, 6), at(19, 6), at(18, 6)], True),
        ([at(20, 6), at(17, 6), at(16, 6)], False),  # three days once, as over a week-end: six are borne
        ([at(20, 6), at(20, 5, 50), at(19, 6)], False),  # a single gap is no rhythm
        ([at(20, 6), at(20, 5, 50), at(19, 6), at(18, 6)], True),
        ([at(20, 6)], False),
        ([], False),
    ],
)
def test_another_table_is_late_after_twice_its_longest_gap(commits, late):
    assert is_late("sales", commits, at(22, 7)) == late


def test_what_is_written_when_something_happens_is_never_late():
    assert not is_late("quarantine", [at(3, 6), at(2, 6), at(1, 6)], at(30, 6))


def test_a_table_that_is_late_is_told_so(plant, api, overview):
    plant.night()
    api.clock.now = datetime.now(UTC) + timedelta(days=2)

    assert [row["contract"] for row in overview()["freshness"] if row["is_late"]] == ["demand_forecast"]


def test_a_tenant_without_a_good_night_is_told_why(plant, api):
    plant.run(job="silver", status="failed", reason="no rows")

    assert api.problem(OVERVIEW)["kind"] in {"no-good-night", "no-night-yet"}


def test_links_are_null_where_the_settings_name_no_address(plant, api, make_api):
    assert api.get("/v1/tenants/acme/runs").json()["links"] == {"airflow": None, "mlflow": None, "data_docs": None}
    named = make_api(replace(plant.settings, airflow_url="http://airflow.example"))
    assert named.get("/v1/tenants/acme/runs").json()["links"]["airflow"] == "http://airflow.example"


def override(*stale, **more):
    about = dict.fromkeys(("site", "product", "product_group", "product_sub_group", "name"))
    return {**about, "override_id": "o-1", "made_by": "user:ayse", "stale": list(stale), **more}


@pytest.mark.parametrize(
    ("why", "severity"),
    [
        ({"kind": "baseline_moved", "share": 0.49}, "medium"),
        ({"kind": "baseline_moved", "share": -0.5}, "high"),
        ({"kind": "baseline_moved", "share": None}, "high"),  # from nothing to something
        ({"kind": "expires_soon", "expires_at": NOW}, "low"),
        ({"kind": "past"}, "low"),
        ({"kind": "period_changed", "period": "day"}, "high"),
    ],
)
def test_a_stale_override_is_as_severe_as_its_first_reason(why, severity):
    (row,) = stale_overrides(lambda _: [override(why, {"kind": "past"})])("acme")

    TypeAdapter(schemas.StaleOverride).validate_python(row)
    assert (row["severity"], row["why"], row["share"]) == (severity, why["kind"], why.get("share"))


def test_stale_overrides_come_the_most_severe_first():
    found = [override({"kind": "past"}), override({"kind": "baseline_moved", "share": 2.0}, override_id="o-2")]

    assert [row["override_id"] for row in stale_overrides(lambda _: found)("acme")] == ["o-2", "o-1"]


def test_an_override_whose_forecast_has_moved_is_among_the_exceptions(plant, api, overview):
    plant.night(night=BEFORE, series=ONE, units_point=10.0)
    made = api.identity.keys.add(Caller("test"), "acme", "plans", ["plans:write"])
    change = {"site": "ankara", "product": "P-1", "first": "2026-03-04", "last": "2026-03-05", "how": "units"}
    headers = {"Authorization": f"Bearer {made.key}"}
    said = {**change, "value": 20.0, "reason": "fair"}
    assert api.post("/v1/tenants/acme/overrides", json=said, headers=headers).status_code == 201
    plant.night(series=ONE, units_point=14.0)

    (row,) = of(overview, "stale_override")

    assert (row["site"], row["why"], row["severity"]) == ("ankara", "baseline_moved", "medium")
    assert row["share"] == pytest.approx(0.4)
