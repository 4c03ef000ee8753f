"""What is known at an origin's cut-off and what is not: late rows, late corrections, late sites, half-told weeks."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import day
from models.demand.asknown import NEVER, CutOffs, known_origins, known_panel, some, whole
from models.demand.origins import Origins
from models.demand.parameters import parameters
from models.demand.periods import DAY, WEEK

MONDAY = day(date(2024, 1, 1))
FIRST = WEEK.of(MONDAY)
WEEKS = 60
HOUR = 3_600_000_000
PARTS = ("lags", "units", "year", "pure", "cut_off", "day")


def _cut_off(week: int) -> int:
    """Six in the morning after its Sunday, UTC."""
    return int((WEEK.last(week) + 1) * 24 + 6) * HOUR


CUT_OFFS = {"s": CutOffs(FIRST, np.array([_cut_off(FIRST + k) for k in range(WEEKS)]))}
SERIES = pd.DataFrame({"site": "s", "product": ["a", "b"], "product_group": "g", "product_sub_group": "g", "level": ""})


def _weekly(weekday: int = 0, site: str = "s") -> pd.DataFrame:
    """A row a week, dated by one day of it, known before Monday's cut-off."""
    chance = np.random.default_rng(3)
    week = np.tile(np.arange(FIRST, FIRST + WEEKS), 2)
    return pd.DataFrame(
        {
            "site": site,
            "product": np.repeat(["a", "b"], WEEKS),
            "day": WEEK.first(week) + weekday,
            "units": chance.integers(50, 90, 2 * WEEKS).astype(float),
            "known_from": (WEEK.last(week) + 1) * 24 * HOUR,
            "known_until": NEVER,
        }
    )


def _daily(days_of_week: int = 7) -> pd.DataFrame:
    """Rows of the first days of each week, ten pieces each, known on the next morning."""
    days = np.array([WEEK.first(FIRST + w) + d for w in range(WEEKS) for d in range(days_of_week)])
    known = ((days + 1) * 24 + 1) * HOUR
    return pd.DataFrame(
        {"site": "s", "product": "a", "day": days, "units": 10.0, "known_from": known, "known_until": NEVER}
    )


def _origins(versions: pd.DataFrame, **more: Any) -> Origins:
    return known_origins(versions, **{"series": SERIES, "cut_offs": CUT_OFFS, "period": WEEK, "horizon": 13} | more)


def _until(origins: Origins, week: int) -> Origins:
    return origins.take(origins.day <= week)


def _after_first(origins: Origins) -> Origins:
    """Without a site's first week: that it is whole nobody knows before the second, unless its Sunday has a row."""
    return origins.take(origins.day > FIRST)


def _same(one: Origins, other: Origins) -> bool:
    return list(one.key) == list(other.key) and all(
        np.allclose(getattr(one, p).astype(float), getattr(other, p).astype(float), equal_nan=True) for p in PARTS
    )


@pytest.mark.parametrize("weekday", [0, 3, 6])
def test_a_week_is_known_by_its_one_row_whatever_day_it_is_dated_by(weekday: int) -> None:
    found, of_mondays = (_after_first(_origins(_weekly(d))) for d in (weekday, 0))
    assert len(found) == 2 * (WEEKS - 1)
    assert _same(found, of_mondays)
    assert not np.isnan(found.lags[:, 0]).any()


def test_the_days_of_a_week_are_added_up() -> None:
    found = _origins(_daily())
    assert found.lags[:, 0].tolist() == [70.0] * WEEKS
    assert found.units_column("units_mean_7")[-1] == 70


def test_an_origin_has_the_cut_off_of_its_week() -> None:
    found = _origins(_weekly())
    assert found.cut_off.tolist() == [_cut_off(week) for week in found.day]


def test_a_week_that_is_told_in_part_is_unknown_and_no_collapse() -> None:
    rows = _daily()
    thursday = WEEK.first(FIRST + WEEKS - 1) + 3
    last = _origins(rows[rows["day"] <= thursday]).take(np.array([-1]))
    assert np.isnan(last.lags[0, 0])
    assert last.lags[0, 1] == 70
    assert last.units_column("units_mean_7")[0] == 70  # the first of the windows: two weeks


def test_a_shop_that_is_closed_on_sundays_has_whole_weeks() -> None:
    found = _origins(_daily(6))
    assert found.lags[:, 0].tolist() == [60.0] * (WEEKS - 1)
    assert found.day[0] == FIRST + 1, "of its first week nobody knows yet that Sunday brings nothing"


def test_a_known_week_without_a_row_counts_nothing() -> None:
    rows = _weekly()
    gone = (rows["product"] == "a") & (rows["day"] == WEEK.first(FIRST + 40))
    found = _origins(rows[~gone])
    a = found.take(found.product == "a")
    assert a.lags[a.day == FIRST + 40, 0].tolist() == [0.0]


def test_a_series_begins_with_its_first_row() -> None:
    rows = _weekly()
    found = _origins(rows[(rows["product"] == "b") | (rows["day"] >= WEEK.first(FIRST + 30))])
    a = found.take(found.product == "a")
    assert a.day.min() == FIRST + 30
    assert np.isnan(a.lags[0, 1:]).all()


def test_a_late_correction_changes_no_origin_before_it_was_known() -> None:
    rows = _weekly()
    before = _origins(rows)
    old = (rows["product"] == "a") & (rows["day"] == WEEK.first(FIRST + 20))
    known = _cut_off(FIRST + 30) + 1  # a microsecond after the cut-off of that week
    new = rows[old].assign(units=9e6, known_from=known)
    found = _origins(pd.concat([rows.assign(known_until=np.where(old, known, NEVER)), new]))
    assert _same(_until(found, FIRST + 30), _until(before, FIRST + 30))
    after = found.take((found.day == FIRST + 31) & (found.product == "a"))
    assert after.lags[0, 11] == 9e6


def test_a_late_row_changes_no_origin_before_it_was_known() -> None:
    rows = _weekly()
    last = rows["day"] >= WEEK.first(FIRST + 20)
    some_rows = rows[~((rows["product"] == "a") & (rows["day"] == WEEK.first(FIRST + 20)))]
    late = rows[(rows["product"] == "a") & last].head(1).assign(units=9e6, known_from=_cut_off(FIRST + 25))
    found, without = _origins(pd.concat([some_rows, late])), _origins(some_rows)
    assert _same(_until(found, FIRST + 24), _until(without, FIRST + 24))
    at_it = found.take((found.day == FIRST + 25) & (found.product == "a"))
    assert at_it.lags[0, 5] == 9e6, "at the cut-off itself it is known"


def test_a_row_that_was_taken_back_counts_until_then() -> None:
    rows = _weekly()
    back = (rows["product"] == "a") & (rows["day"] == WEEK.first(FIRST + 20))
    found = _origins(rows.assign(known_until=np.where(back, _cut_off(FIRST + 25), NEVER)))
    a = found.take(found.product == "a")
    assert a.lags[a.day == FIRST + 24, 4] > 0
    assert a.lags[a.day == FIRST + 25, 5] == 0


def test_what_was_known_long_before_counts_when_its_week_is_over() -> None:
    found = _origins(_weekly().assign(known_from=0))
    assert _same(found, _origins(_weekly()))


def test_a_site_that_reports_late_has_unknown_weeks_until_then() -> None:
    rows = _weekly()
    weeks = WEEK.of(rows["day"].to_numpy())
    late = np.isin(weeks, [FIRST + 20, FIRST + 21])
    told = np.where(late, _cut_off(FIRST + 22), rows["known_from"])
    found = _origins(rows.assign(known_from=told))
    only = _origins(rows[weeks < FIRST + 20])
    for part in ("lags", "units", "pure"):
        one, other = (getattr(o.take(o.day == FIRST + 21), part) for o in (found, only))
        assert np.allclose(one, other, equal_nan=True)
    assert np.isnan(found.take(found.day == FIRST + 21).lags[:, :2]).all()
    assert not np.isnan(found.take(found.day == FIRST + 22).lags[:, :3]).any()


def test_whatever_comes_after_a_cut_off_the_origins_until_then_are_the_same() -> None:
    chance = np.random.default_rng(5)
    rows = _weekly()
    known = rows["known_from"].to_numpy() + chance.choice([0, 3, 9], len(rows), p=[0.8, 0.1, 0.1]) * 7 * 24 * HOUR
    superseded = np.where(chance.random(len(rows)) < 0.2, known + 15 * 24 * HOUR, NEVER)
    new = rows.assign(units=1.0, known_from=superseded)[superseded < NEVER]
    rows = pd.concat([rows.assign(known_from=known, known_until=superseded), new])
    found = _origins(rows)
    for week in range(FIRST + 1, FIRST + WEEKS, 7):
        then = rows[rows["known_from"] <= _cut_off(week)]
        then = then.assign(known_until=np.where(then["known_until"] > _cut_off(week), NEVER, then["known_until"]))
        cut = {"s": CutOffs(FIRST, CUT_OFFS["s"].moments[: week - FIRST + 1])}
        assert _same(_until(found, week), _origins(then, cut_offs=cut))


def test_a_product_is_in_the_group_that_was_known() -> None:
    moved = _cut_off(FIRST + 10) + 1
    series = pd.DataFrame(
        {
            "site": "s",
            "product": ["a", "a", "b"],
            "product_group": ["old", "new", "old"],
            "product_sub_group": "x",
            "level": "",
            "known_from": [0, moved, 0],
            "known_until": [moved, NEVER, NEVER],
        }
    )
    found = _origins(_weekly(), series=series)
    a = found.take(found.product == "a")
    assert a.group[a.day == FIRST + 10].tolist() == ["old"]
    assert a.group[a.day == FIRST + 11].tolist() == ["new"]
    assert a.pure_column("share_of_group_28")[-1] == 1


def test_of_a_product_that_nobody_told_of_the_group_is_unknown() -> None:
    found = _origins(_weekly(), series=SERIES[SERIES["product"] == "a"])
    assert set(zip(found.key, found.group, strict=True)) == {("s/a", "g"), ("s/b", "")}


def test_days_go_the_same_way() -> None:
    rows = _daily().assign(units=np.arange(7.0 * WEEKS))
    moments = (np.arange(MONDAY, MONDAY + 7 * WEEKS) + 1) * 24 * HOUR + 6 * HOUR
    found = _origins(rows, cut_offs={"s": CutOffs(MONDAY, moments)}, period=DAY, horizon=28)
    assert found.lags[-1].tolist() == list(np.arange(7 * WEEKS - 1, 7 * WEEKS - 29, -1.0))


def test_the_panel_is_what_is_known_at_the_last_cut_off() -> None:
    other = _weekly(site="t").assign(known_from=_cut_off(FIRST + WEEKS))
    panel = known_panel(pd.concat([_weekly(), other]), {**CUT_OFFS, "t": CUT_OFFS["s"]}, WEEK)
    assert list(panel.keys) == ["s/a", "s/b"]
    assert (panel.first_day, panel.last_day) == (FIRST, FIRST + WEEKS - 1)
    assert panel.units[0].tolist() == _weekly()["units"][:WEEKS].tolist()


def test_where_nothing_is_known_it_says_so() -> None:
    late = _weekly().assign(known_from=_cut_off(FIRST + WEEKS))
    with pytest.raises(ValueError, match="no sales are known"):
        _origins(late)
    with pytest.raises(ValueError, match="no sales are known"):
        known_panel(late, CUT_OFFS, WEEK)


def test_of_many_origins_a_part_is_kept_and_all_that_are_judged() -> None:
    given = parameters({"period": "week", "max_origins": 20})
    last = FIRST + WEEKS - 1
    found = _origins(_weekly(), keep=some(_weekly(), FIRST, last, given))
    judged = [last - 13 * k + o for k in (1, 2, 3) for o in (0, 1, 2, 3)]
    assert set(judged) | {last} <= set(found.day)
    assert 26 < len(found) < 60


@pytest.mark.parametrize(
    ("days", "last"),
    [
        ([0, 7, 14], 2),  # dated by Mondays
        ([6, 13, 20], 2),  # by Sundays
        ([0, 6, 7, 13, 14, 17], 1),  # the last told until Thursday
        ([0, 5, 7, 12, 14, 19], 2),  # closed on Sundays
        ([0], -1),  # one Monday tells nothing of the week
        ([6], 0),
    ],
)
def test_the_last_whole_week(days: list[int], last: int) -> None:
    assert whole(MONDAY + np.array(days), WEEK) == FIRST + last


def test_a_report_from_the_week_that_has_begun_tells_that_the_one_before_is_whole() -> None:
    """A site that sells from Monday to Thursday, and in its last week on Monday alone: by Tuesday's night that is known."""
    rows = _daily(4)
    last = FIRST + WEEKS - 1
    rows = rows[(WEEK.of(rows["day"].to_numpy()) < last) | (rows["day"] == WEEK.first(last))]
    tuesday = WEEK.first(last + 1) + 1
    night = {"s": CutOffs(last, np.array([((tuesday + 1) * 24 + 6) * HOUR]))}
    new = rows.iloc[[-1]].assign(day=tuesday - 1, known_from=(tuesday * 24 + 1) * HOUR)
    before, after = (_origins(told, cut_offs=night).lags[0, 0] for told in (rows, pd.concat([rows, new])))
    assert np.isnan(before)
    assert after == 10.0
