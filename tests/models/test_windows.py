"""Feature rows from a panel are those of the feature tables; a calendar of several sites is their mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import day
from models.demand.calendar import FLAGS, Calendar
from models.demand.frame import build
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.periods import DAY, WEEK
from models.demand.vocabulary import Vocabulary
from models.demand.windows import origins_at

NIGHT = 139


def _series(panel: Panel) -> pd.DataFrame:
    site, product = zip(*(key.split("/") for key in panel.keys), strict=True)
    groups = {"product_group": [p[0] for p in product], "product_sub_group": [p[:2] for p in product]}
    return pd.DataFrame({"site": site, "product": product, **groups, "level": ""})


@pytest.mark.parametrize("part", ["lags", "units", "year", "pure"])
def test_they_are_those_of_the_feature_tables(weekly_world: Any, part: str) -> None:
    panel = Panel.from_sales(weekly_world.sales())
    n = len(panel.keys)
    made = origins_at(panel, _series(panel), np.arange(n), np.full(n, day(weekly_world.day(NIGHT))), DAY, 28)
    table = Origins.from_features(weekly_world.features([NIGHT]))
    assert list(made.key) == list(table.key)
    assert getattr(made, part) == pytest.approx(getattr(table, part), rel=1e-9, abs=1e-9, nan_ok=True)


def test_nothing_after_the_origin_is_in_it(weekly_world: Any) -> None:
    panel = Panel.from_sales(weekly_world.sales())
    changed = Panel(panel.keys, panel.first_day, panel.units.copy())
    changed.units[:, NIGHT + 1 :] = 9e6
    n, night = len(panel.keys), np.full(len(panel.keys), panel.first_day + NIGHT)
    one, other = (origins_at(p, _series(p), np.arange(n), night, DAY, 28) for p in (panel, changed))
    for part in ("lags", "units", "year", "pure"):
        assert getattr(one, part) == pytest.approx(getattr(other, part), rel=1e-9, abs=1e-9, nan_ok=True)


def test_a_gap_is_unknown_and_not_zero() -> None:
    units = np.full((1, 60), 10.0)
    units[0, 50:57] = np.nan
    panel = Panel(np.array(["s/p"], dtype=object), 0, units)
    made = origins_at(panel, _series(panel), np.array([0]), np.array([59]), DAY, 28)
    assert made.units_column("units_mean_28")[0] == 10
    assert np.isnan(made.lags[0]).sum() == 7
    assert made.pure_column("units_zero_share_28")[0] == 0


def test_weeks_have_a_season_of_one_and_a_year_of_52() -> None:
    units = np.arange(120.0)[None, :]
    panel = Panel(np.array(["s/p"], dtype=object), 0, units)
    made = origins_at(panel, _series(panel), np.array([0]), np.array([119]), WEEK, 13)
    assert made.year[0] == pytest.approx(np.arange(119 - 51, 119 - 51 + 13))
    assert made.weekdays[0].tolist() == [[119, 118, 117, 116]]


def test_several_sites_as_one_have_the_mean_of_their_days(weekly_world: Any) -> None:
    event = date(2025, 2, 3)
    with_event = weekly_world.calendar(events={event: ("campaign", "Sale")})
    other = weekly_world.calendar().assign(site="izmir")
    calendar = Calendar.from_features(pd.concat([with_event, other])).together({"*": ["gebze", "izmir"]})
    whole = int(np.flatnonzero(calendar.sites == "*")[0])
    row = calendar.find(np.array([whole]), np.array([day(event)]), np.array([2**62]))
    assert calendar.kind_share[row, calendar.kinds.index("campaign")] == pytest.approx(0.5)
    assert calendar.occasions[calendar.occasion[row[0]]] == "Sale"
    alone = calendar.find(np.array([0]), np.array([day(event)]), np.array([2**62]))
    assert calendar.numbers[row[0], : len(FLAGS)] == pytest.approx(calendar.numbers[alone[0], : len(FLAGS)])


def test_several_sites_as_one_have_a_calendar_in_the_inputs(weekly_world: Any) -> None:
    calendar = Calendar.from_features(weekly_world.calendar()).together({"*": ["gebze"]})
    own = Origins.from_features(weekly_world.features([NIGHT]))
    whole = replace(own, site=np.full(len(own), "*", dtype=object))
    words = Vocabulary.learn(own, calendar)
    each, first = np.arange(len(own)), np.ones(len(own), dtype=np.int64)
    of_site, of_whole = (build(o, calendar, words, each, first) for o in (own, whole))
    calendar_columns = [name in FLAGS for name in of_site.names]
    assert any(calendar_columns)
    assert of_whole.x[:, calendar_columns] == pytest.approx(of_site.x[:, calendar_columns], nan_ok=True)
    assert not np.isnan(of_whole.x[:, calendar_columns]).any()
