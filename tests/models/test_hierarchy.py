"""The hierarchy: its laws over made-up tenants, and the levels of plain ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.demand.hierarchy import COLUMNS, Hierarchy

_NAMES = st.sampled_from(["", "A", "B", "C"])
_SERIES = st.lists(st.tuples(st.sampled_from("XYZ"), _NAMES, _NAMES, st.sampled_from("pqrs")), min_size=1, max_size=30)


def hierarchy(*rows: tuple[str, str, str, str]) -> Hierarchy:
    """Of series given as (site, group, sub-group, product)."""
    return Hierarchy.of({c: np.array([r[i] for r in rows], dtype=object) for i, c in enumerate(COLUMNS)})


@given(_SERIES)
def test_the_sums_of_a_level_partition_the_series(rows: list[tuple[str, str, str, str]]) -> None:
    for level in hierarchy(*rows).levels:
        assert (level.matrix.sum(axis=0) == 1).all()


@given(_SERIES)
def test_all_series_of_a_sum_share_its_key(rows: list[tuple[str, str, str, str]]) -> None:
    for level in hierarchy(*rows).levels:
        for column, values in level.keys.items():
            assert [rows[i][COLUMNS.index(column)] for i in range(len(rows))] == values[level.of].tolist()


@given(_SERIES)
def test_no_two_sums_of_a_level_have_the_same_key(rows: list[tuple[str, str, str, str]]) -> None:
    for level in hierarchy(*rows).levels:
        keys = list(zip(*level.keys.values(), strict=True)) or [()]
        assert len(set(keys)) == len(keys) == len(level)


@given(_SERIES)
def test_no_level_is_the_same_as_another_or_as_the_series(rows: list[tuple[str, str, str, str]]) -> None:
    partitions = [tuple(level.of) for level in hierarchy(*rows).levels]
    assert len(set(partitions)) == len(partitions)
    assert tuple(range(len(rows))) not in partitions


@given(_SERIES)
def test_sums_of_every_level_add_up_to_the_same(rows: list[tuple[str, str, str, str]]) -> None:
    tree = hierarchy(*rows)
    values = np.random.default_rng(3).gamma(2.0, size=(len(rows), 4))
    sums = tree.sum(values)
    for number in range(len(tree.levels)):
        np.testing.assert_allclose(sums[tree.level_of == number].sum(axis=0), values.sum(axis=0), rtol=1e-12)


def test_two_sites_have_levels_of_each_site_and_of_the_tenant() -> None:
    rows = [(s, g, g + n, g + n + p) for s in "XY" for g in "AB" for n in "12" for p in "pq"]
    tree = hierarchy(*rows)
    assert {level.name: len(level) for level in tree.levels} == {
        "site/sub_group": 8,
        "site/group": 4,
        "site": 2,
        "tenant/product": 8,
        "tenant/sub_group": 4,
        "tenant/group": 2,
        "tenant": 1,
    }


def test_one_site_has_no_level_of_the_tenant() -> None:
    tree = hierarchy(("X", "A", "A1", "p"), ("X", "A", "A1", "q"), ("X", "A", "A2", "r"), ("X", "B", "B1", "s"))
    assert [level.name for level in tree.levels] == ["site", "site/group", "site/sub_group"]


def test_series_without_groups_have_their_site_alone() -> None:
    tree = hierarchy(("X", "", "", "p"), ("X", "", "", "q"))
    assert {level.name: len(level) for level in tree.levels} == {"site": 1}


def test_one_series_alone_has_no_sums() -> None:
    tree = hierarchy(("X", "A", "A1", "p"))
    assert tree.levels == ()
    assert tree.sum(np.ones((1, 28))).shape == (0, 28)
