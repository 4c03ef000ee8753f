"""What overrides were worth: judged by what was sold, with a band, and a verdict only where the band allows one."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from pydantic import TypeAdapter

from serving.plans import examples, schemas
from serving.plans.arithmetic import Change
from serving.plans.overrides import Override
from serving.plans.value import Judged, judge, value, worth

DAY = date(2026, 3, 2)
DAYS = [DAY + timedelta(i) for i in range(4)]
PEOPLE, OCCASIONS = 200, 20


def said(version=1, made=DAY - timedelta(1), how="units", amount=8.0, *, gone=False, ends=None, by="user:ayse"):
    """A version of an override of DAYS, of which 10 units each were forecast; said at ten in the morning."""
    made_at = datetime(made.year, made.month, made.day, 10, tzinfo=UTC)
    ends = ends or datetime(2027, 1, 1, tzinfo=UTC)
    change = Change(DAYS[0], DAYS[-1], how, amount, "ankara", "P-1")
    kept = {"night": made, "period": "day", "baseline": dict.fromkeys(DAYS, 10.0)}
    whose = {"override_id": "1", "version": version, "plan_version": version, "position": 0}
    return Override(change, "x", ends, **kept, **whose, is_withdrawn=gone, made_by=by, made_at=made_at)


def judged(*versions, units=(7.0, 7.0, 7.0, 7.0)):
    return judge(versions, lambda _: dict(zip(DAYS, units, strict=False)))


def test_the_errors_are_those_of_the_forecast_then_and_of_what_was_said():
    (one,) = judged(said())

    assert (one.periods, one.units, one.baseline_error, one.final_error) == (4, 28.0, 12.0, 4.0)
    assert value([one]).value_added == pytest.approx(2 / 3)


def test_a_percentage_is_judged_by_the_forecast_that_it_was_said_of():
    (one,) = judged(said(how="percent", amount=-30.0))

    assert (one.baseline_error, one.final_error) == (12.0, pytest.approx(0.0))


def test_days_of_which_nothing_is_known_yet_are_not_judged():
    (one,) = judged(said(), units=(7.0, 7.0))

    assert one.periods == 2


def test_the_day_on_which_it_was_said_and_those_before_do_not_count():
    (one,) = judged(said(made=DAYS[1]))

    assert one.periods == 2


def test_each_version_is_judged_by_the_days_before_which_it_stood():
    early, late = judged(said(), said(2, made=DAYS[1], amount=7.0, by="user:mehmet"))

    assert (early.made_by, early.periods, early.final_error) == ("user:ayse", 2, 2.0)
    assert (late.made_by, late.periods, late.final_error) == ("user:mehmet", 2, 0.0)


def test_what_was_withdrawn_or_had_ended_before_a_day_does_not_count():
    assert [one.periods for one in judged(said(), said(2, made=DAYS[1], gone=True))] == [2]
    assert [one.periods for one in judged(said(ends=datetime(2026, 3, 4, tzinfo=UTC)))] == [2]


def test_nobody_can_make_himself_right_afterwards():
    (one,) = judged(said(), said(2, made=DAYS[-1] + timedelta(1), amount=7.0))

    assert (one.periods, one.final_error) == (4, 4.0)


def test_weeks_are_judged_by_their_mondays():
    monday, after = DAY, DAY + timedelta(7)
    kept = {"night": monday, "period": "week", "baseline": {monday: 70.0, after: 70.0}}
    said_on = replace(said(made=monday, amount=50.0), **kept)

    (one,) = judge([said_on], lambda _: {monday: 49.0, after: 49.0})

    assert one.errors == ((after, 21.0, 1.0),)


def test_under_five_days_of_saying_nothing_is_clear():
    assert worth([(10.0, 1.0)] * 4).verdict == "unclear"
    assert worth([(10.0, 1.0)] * 5).verdict == "helps"
    assert worth([(1.0, 10.0)] * 5).verdict == "hurts"


def right(said_on, day):
    """One override of a day, which was ten times nearer than the forecast."""
    return Judged("1", "user:ayse", "P-1", said_on, 7.0, ((day, 10.0, 1.0),))


def weeks(count):
    return [DAY + timedelta(7 * n) for n in range(count)]


def test_what_is_right_of_five_weeks_on_five_days_helps():
    assert value([right(day - timedelta(3), day) for day in weeks(5)]).verdict == "helps"


def test_what_is_said_on_one_day_counts_once():
    assert value([right(DAY - timedelta(3), day) for day in weeks(20)]).verdict == "unclear"


def test_what_is_said_of_one_week_counts_once():
    assert value([right(DAY - timedelta(n), DAY) for n in range(1, 20)]).verdict == "unclear"


def test_where_the_forecast_was_right_and_nothing_is_judged_there_is_no_number():
    for errors in ([], [(0.0, 0.0)] * 6):
        assert worth(errors).value_added is None
        assert worth(errors).verdict == "unclear"


def test_a_band_holds_its_number():
    rng = np.random.default_rng(7)
    for count in (5, 9, 30):
        found = worth(rng.exponential(1.0, (count, 2)))
        assert found.low < found.value_added < found.high


def test_the_same_errors_give_the_same_band():
    errors = np.random.default_rng(7).exponential(1.0, (40, 2))

    assert worth(errors) == worth(errors)


def people(rng, know, noise):
    """Errors of PEOPLE who each say something on OCCASIONS, of five days, of series of very unlike size.

    The forecast misses by a shock of the day and by chance; `know` is the share of the shock that they see, `noise` what
    they add of their own.
    """
    shape = (PEOPLE, OCCASIONS)
    size, shock = np.exp(rng.normal(0, 1, shape)), rng.normal(0, 1, (*shape, 1))
    chance, own = rng.normal(0, 0.7, (*shape, 5)), rng.normal(0, 1, (*shape, 1))
    baseline = np.abs(shock + chance).sum(axis=2) * size
    final = np.abs((1 - know) * shock + noise * own + chance).sum(axis=2) * size
    return [list(zip(*pair, strict=True)) for pair in zip(baseline, final, strict=True)]


def shares(errors):
    verdicts = [worth(each).verdict for each in errors]
    return {verdict: verdicts.count(verdict) / len(verdicts) for verdict in ("helps", "hurts", "unclear")}


def test_somebody_who_adds_noise_hurts_or_is_unclear():
    found = shares(people(np.random.default_rng(1), know=0.0, noise=0.8))

    assert found["helps"] <= 0.01
    assert found["hurts"] > 0.2


def test_somebody_who_knows_helps():
    found = shares(people(np.random.default_rng(2), know=0.8, noise=0.2))

    assert found["helps"] > 0.9
    assert found["hurts"] == 0.0


@pytest.mark.parametrize("occasions", [5, 8, 20, 60])
def test_of_those_who_neither_help_nor_hurt_one_in_ten_is_judged_falsely_at_most(occasions):
    """Their numbers err as often and as far as the forecast's: which is which, a coin says."""
    rng = np.random.default_rng(3)
    size = np.exp(rng.normal(0, 1, (500, occasions, 1)))
    errors = rng.exponential(1.0, (500, occasions, 2)) * size

    false = 1 - shares(errors)["unclear"]

    assert false <= 0.10 + 0.027  # two standard errors of 500 people
    assert false >= 0.04


def often(rng, says, step, cover):
    """Somebody who neither helps nor hurts, and who says something of the next `cover` days every `step` days."""
    errors = rng.exponential(1.0, (says * step + cover, 2))
    days = [(n * step, n * step + 1 + ahead) for n in range(says) for ahead in range(cover)]
    return [
        Judged("1", "user:ayse", "P-1", DAY + timedelta(on), 1.0, ((DAY + timedelta(day), *errors[day - 1]),))
        for on, day in days
    ]


@pytest.mark.parametrize(("says", "step", "cover"), [(20, 1, 20), (60, 1, 10), (26, 7, 28)])
def test_who_says_the_same_again_and_again_is_not_judged_falsely_more_often(says, step, cover):
    rng = np.random.default_rng(11)
    verdicts = [value(often(rng, says, step, cover)).verdict for _ in range(400)]

    assert 1 - verdicts.count("unclear") / 400 <= 0.10 + 0.03  # two standard errors


ASKED = "overrides/value"


@pytest.fixture
def passed(plant, ayse):
    """Six weeks in which ayse said the truth of a day of P-1, and what was sold: 100 units a day; 10 to 80 were forecast."""
    for week in range(6):
        night = date(2026, 3, 1) + timedelta(7 * week)
        if week:
            plant.night(night=night)
            ayse.api.clock.later(7 * 86_400)
            ayse.sign_in()
        begin = (night + timedelta(2)).isoformat()
        ayse.override(first=begin, last=begin, value=99.0)
    plant.series(night=date(2026, 4, 20), units=json.dumps([100.0] * 60))
    ayse.api.clock.later()
    return ayse


def test_the_table_tells_what_somebodys_overrides_were_worth(passed):
    answer = passed.ask("GET", ASKED)
    (row,) = answer.json()["values"]

    assert (row["by"], row["name"], row["overrides"], row["periods"]) == ("user:ayse", "ayse", 6, 6)
    assert (row["units"], row["final_error"], row["verdict"]) == (600.0, pytest.approx(6.0), "helps")
    assert row["low"] < row["value_added"] < row["high"]
    TypeAdapter(schemas.ValueTable).validate_json(answer.text)


def test_the_table_tells_it_by_product(passed):
    passed.override(product=None, first="2026-04-08", last="2026-04-08", value=1.0)
    group, product = sorted(
        passed.ask("GET", ASKED, params={"by": "product"}).json()["values"], key=lambda r: r["by"] or ""
    )

    assert (product["by"], product["name"], product["overrides"]) == ("P-1", "Çelik Pompa İthal", 6)
    assert (group["by"], group["name"], group["units"], group["verdict"]) == (None, None, 200.0, "unclear")


def test_where_nothing_is_known_to_be_sold_nothing_is_judged(plant, make_planner):
    plant.night()
    ayse = make_planner("ayse")
    ayse.override()

    (row,) = ayse.ask("GET", ASKED).json()["values"]

    assert (row["overrides"], row["value_added"], row["low"], row["verdict"]) == (0, None, None, "unclear")


def test_another_tenants_overrides_are_not_judged(plant, passed, make_planner):
    plant.night("zebra")
    passed.api.clock.later()
    zoe = make_planner("zoe", "operator", "zebra")

    assert zoe.ask("GET", ASKED).json()["values"] == []


def test_the_example_is_as_declared():
    TypeAdapter(schemas.ValueTable).validate_python(examples.VALUE)
