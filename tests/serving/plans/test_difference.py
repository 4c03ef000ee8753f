"""The difference of two plans: of what both have, in pieces and in money."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.plans.arithmetic import Grid, Hierarchy, days_since_1970
from serving.plans.difference import Side, difference

FIRST = date(2026, 3, 2)
LEVELS = ("tenant", "site", "group", "product")


def side(series, days=2, units=10.0, begin=FIRST):
    """`series`: (site, product, group); each has `days` days from `begin`."""
    codes = {name: [of[i] for of in series] for name, i in (("site", 0), ("product", 1), ("product_group", 2))}
    codes["product_sub_group"] = [None] * len(series)
    dates = np.tile(np.arange(days) + days_since_1970(begin), len(series))
    units = (
        np.broadcast_to(np.asarray(units, float), (len(series), days)).ravel() if np.ndim(units) < 2 else units.ravel()
    )
    return Side(Grid(Hierarchy(codes), [days] * len(series), dates, np.zeros(len(dates)), 1), units)


PUMPS, TAPS, BURSA = ("ankara", "P-1", "pumps"), ("ankara", "P-2", "taps"), ("bursa", "P-1", "pumps")


def test_levels_add_up_what_they_hold():
    one, other = side([PUMPS, TAPS, BURSA], units=12.0), side([PUMPS, TAPS, BURSA])

    def told(level):
        rows = difference(one, other, [None] * 3, level, by_date=False).rows()
        return [(r["site"], r["product_group"], r["product"], r["difference"]) for r in rows]

    assert told("tenant") == [(None, None, None, 12.0)]
    assert told("site") == [("ankara", None, None, 8.0), ("bursa", None, None, 4.0)]
    assert told("group") == [
        ("ankara", "pumps", None, 4.0),
        ("ankara", "taps", None, 4.0),
        ("bursa", "pumps", None, 4.0),
    ]
    assert told("product")[0] == ("ankara", "pumps", "P-1", 4.0)


def test_dates_come_in_order():
    rows = difference(side([PUMPS], units=[10.0, 15.0]), side([PUMPS]), [None], "tenant", by_date=True).rows()

    assert [(r["date"], r["units"], r["other_units"], r["difference"]) for r in rows] == [
        (date(2026, 3, 2), 10.0, 10.0, 0.0),
        (date(2026, 3, 3), 15.0, 10.0, 5.0),
    ]


def test_only_series_and_periods_that_both_have_are_compared():
    later = side([TAPS, PUMPS], days=3, units=1.0, begin=date(2026, 3, 3))
    found = difference(side([PUMPS, BURSA]), later, [None, None], "product", by_date=True)

    assert [(r["product"], r["date"], r["units"], r["other_units"]) for r in found.rows()] == [
        ("P-1", date(2026, 3, 3), 10.0, 1.0)
    ]
    assert found.totals["series"] == 1


def test_nothing_in_common_is_no_row():
    found = difference(side([PUMPS]), side([TAPS]), [1.0], "site", by_date=False)

    assert found.rows() == []
    assert (found.totals["difference"], found.totals["series"], found.totals["value_difference"]) == (0.0, 0, None)


def test_money_is_told_where_a_price_is_known():
    found = difference(side([PUMPS, TAPS], units=12.0), side([PUMPS, TAPS]), [100.0, None], "product", by_date=False)

    assert [row["value_difference"] for row in found.rows()] == [400.0, None]
    assert (found.totals["value_difference"], found.totals["series_with_price"]) == (400.0, 1)


def test_a_group_that_is_not_known_comes_last():
    found = difference(
        side([("ankara", "P-3", None), PUMPS]), side([PUMPS, ("ankara", "P-3", None)]), [None] * 2, "group", False
    )

    assert [row["product_group"] for row in found.rows()] == ["pumps", None]


@given(
    st.lists(st.lists(st.floats(0, 1e6), min_size=2, max_size=2), min_size=3, max_size=3),
    st.sampled_from(LEVELS),
    st.booleans(),
)
def test_rows_add_up_to_the_totals_at_every_level(units, level, by_date):
    found = difference(
        side([PUMPS, TAPS, BURSA], units=np.array(units)), side([BURSA, PUMPS, TAPS]), [3.0, None, 2.0], level, by_date
    )

    for name in ("units", "other_units", "difference", "value_difference"):
        assert sum(row[name] or 0.0 for row in found.rows()) == pytest.approx(found.totals[name], rel=1e-9, abs=1e-6)
