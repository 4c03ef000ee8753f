"""What changes make of a baseline, for whatever baseline and changes."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from serving.plans import arithmetic
from serving.plans.arithmetic import Change, Grid, Hierarchy, day_of, days_since_1970, lay

MONDAY = date(2026, 3, 2)
SITES, GROUPS = ("ankara", "bursa"), ("pumps", "taps", None)
units = st.one_of(st.just(0.0), st.floats(0.001, 1e6))


@st.composite
def grids(draw):
    """Up to 8 series of up to 6 days or weeks each, of which some begin later."""
    long = draw(st.sampled_from([1, 7]))
    count = draw(st.integers(1, 8))
    codes = {
        "site": [draw(st.sampled_from(SITES)) for _ in range(count)],
        "product": [f"P-{i}" for i in range(count)],
        "product_group": [draw(st.sampled_from(GROUPS)) for _ in range(count)],
        "product_sub_group": [None] * count,
    }
    periods = [draw(st.integers(1, 6)) for _ in range(count)]
    begins = [draw(st.integers(0, 2)) for _ in range(count)]
    dates = [
        days_since_1970(MONDAY) + long * (begin + i) for begin, n in zip(begins, periods, strict=True) for i in range(n)
    ]
    baseline = draw(st.lists(units, min_size=len(dates), max_size=len(dates)))
    return Grid(Hierarchy(codes), periods, np.array(dates), np.array(baseline), long)


@st.composite
def changes(draw):
    first = MONDAY + timedelta(draw(st.integers(-3, 40)))
    how = draw(st.sampled_from(["units", "percent"]))
    return Change(
        first,
        first + timedelta(draw(st.integers(0, 30))),
        how,
        draw(units if how == "units" else st.floats(-100, 500)),
        draw(st.sampled_from([None, *SITES])),
        draw(st.sampled_from([None, "P-0", "P-1"])),
        draw(st.sampled_from([None, *GROUPS])),
    )


def every_row(grid):
    return np.arange(len(grid.baseline))


@given(grids(), changes())
def test_what_is_laid_on_the_series_of_a_node_adds_up_to_what_was_said(grid, change):
    rows = grid.touched(change)
    before, after = grid.sums(rows, grid.baseline[rows]), grid.sums(rows, lay(grid, [change]).final(grid, rows))

    assert before.keys() == after.keys()
    for day, total in after.items():
        assert total == pytest.approx(change.sum(before[day]), rel=1e-9, abs=1e-9)


@given(grids(), changes())
def test_units_are_laid_in_proportion_to_the_baselines(grid, change):
    assume(change.how == "units")
    rows = grid.touched(change)
    laid = lay(grid, [change]).final(grid, rows)

    for day in np.unique(grid.dates[rows]):
        base, made = grid.baseline[rows][grid.dates[rows] == day], laid[grid.dates[rows] == day]
        if base.sum() > 0:
            assert made * base.sum() == pytest.approx(base * made.sum(), rel=1e-9, abs=1e-6)
        else:
            assert made == pytest.approx(np.full(len(made), change.value / len(made)))


@given(grids(), st.lists(changes(), max_size=6))
def test_each_change_knows_the_baseline_of_its_node_by_date(grid, many):
    baselines = lay(grid, many).baselines

    assert len(baselines) == len(many)
    for change, found in zip(many, baselines, strict=True):
        rows = grid.touched(change)
        assert found == pytest.approx(grid.sums(rows, grid.baseline[rows]))


@given(grids(), st.lists(changes(), min_size=2, max_size=6))
def test_changes_laid_in_batches_are_laid_as_at_once(grid, many):
    at_once = lay(grid, many)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arithmetic, "BATCH_SERIES", 3)
        in_batches = lay(grid, many)

    assert at_once.winner.tolist() == in_batches.winner.tolist()
    assert at_once.units.tolist() == in_batches.units.tolist()
    assert at_once.baselines == in_batches.baselines


@given(grids(), st.lists(changes(), max_size=6))
def test_of_two_that_meet_the_latest_wins_wholly(grid, many):
    laid = lay(grid, many)
    got, winner = laid.at(every_row(grid))

    for row in every_row(grid):
        meeting = [i for i, change in enumerate(many) if row in grid.touched(change)]
        assert winner[row] == (meeting[-1] if meeting else -1)
        if meeting:
            alone = lay(grid, [many[meeting[-1]]]).at(np.array([row]))[0]
            assert got[row] == alone[0]
        else:
            assert np.isnan(got[row])


@given(grids(), st.lists(changes(), max_size=4))
def test_where_no_change_is_laid_the_plan_is_the_baseline(grid, many):
    laid = lay(grid, many)
    final, (_, winner) = laid.final(grid, every_row(grid)), laid.at(every_row(grid))

    assert np.array_equal(final[winner < 0], grid.baseline[winner < 0])
    assert np.isfinite(final).all()
    assert (final >= 0).all()


@given(grids(), st.lists(changes(), max_size=4))
def test_the_baseline_is_not_altered(grid, many):
    before = grid.baseline.tolist()
    lay(grid, many)

    assert grid.baseline.tolist() == before
    with pytest.raises(ValueError, match="read-only"):
        grid.baseline[0] = 1.0


@given(grids(), changes())
def test_a_change_touches_its_series_and_days_alone(grid, change):
    touched = set(grid.touched(change).tolist())
    series = np.repeat(np.arange(len(grid.periods)), grid.periods)

    for row in every_row(grid):
        i, begin = series[row], day_of(int(grid.dates[row]))
        is_node = all(grid.hierarchy.codes[level][i] == code for level, code in change.node.items())
        is_then = begin <= change.last and begin + timedelta(grid.days - 1) >= change.first
        assert (row in touched) == (is_node and is_then)


@given(grids())
@settings(max_examples=30)
def test_no_percent_change_is_no_change(grid):
    laid = lay(grid, [Change(MONDAY, MONDAY + timedelta(60), "percent", 0.0)])

    assert np.array_equal(laid.final(grid, every_row(grid)), grid.baseline)


def test_a_percentage_of_a_baseline_of_nothing_is_nothing():
    grid = Grid(_of("P-1"), [1], np.array([days_since_1970(MONDAY)]), np.array([0.0]), 1)

    assert lay(grid, [Change(MONDAY, MONDAY, "percent", 50.0)]).units.tolist() == [0.0]


def test_units_over_baselines_of_nothing_are_laid_evenly():
    grid = Grid(_of("P-1", "P-2"), [1, 1], np.array([days_since_1970(MONDAY)] * 2), np.zeros(2), 1)

    assert lay(grid, [Change(MONDAY, MONDAY, "units", 9.0)]).units.tolist() == [4.5, 4.5]


def test_a_week_is_touched_by_a_change_of_one_of_its_days():
    dates = np.array([days_since_1970(MONDAY), days_since_1970(MONDAY) + 7])
    grid = Grid(_of("P-1"), [2], dates, np.array([70.0, 70.0]), 7)
    thursday = MONDAY + timedelta(3)

    assert lay(grid, [Change(thursday, thursday, "units", 80.0)]).final(grid, every_row(grid)).tolist() == [80.0, 70.0]


def _of(*products):
    nothing = [None] * len(products)
    codes = {"site": ["ankara"] * len(products), "product": list(products)}
    return Hierarchy(codes | dict.fromkeys(("product_group", "product_sub_group"), nothing))
