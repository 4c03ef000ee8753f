"""A rule means the same to Spark's split, to Great Expectations and to DuckDB."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from expectations.contract import (
    KEYS_UNIQUE,
    AtMost,
    Between,
    Column,
    Contract,
    Matches,
    NotNull,
    OneOf,
    Rule,
    Zone,
    in_duckdb,
)
from expectations.tables import CALENDAR_FEATURES, DEMAND_FEATURES, DEMAND_FORECAST, TABLES

TEXTS = (
    "", " ", "a", "a\n", "\n", "a\nb", "a\r\n", "a\u0085", "a\u2028", "a b", "a/b", "a=b", " a", "a ", "\x0b", "a\x0b",
    "\x7f", "\u00a0a", "İ", "TR", "tr", "TR\n", "UTC", "UTC\n", "Europe/Istanbul", "x" * 100, "x" * 101, "😀" * 100,
    "😀" * 101, "it's", "back\\slash", "*", "champion", "null", "day",
)  # fmt: skip
NUMBERS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e9,
    math.nextafter(1e9, 2e9),
    -5e-324,
    1.7976931348623157e308,
    math.inf,
    -math.inf,
    math.nan,
)
DAYS = (date(1989, 12, 31), date(1990, 1, 1), date(2026, 3, 29), date(2100, 1, 1), date(2100, 1, 2), date(1, 1, 1))
TIMES = tuple(datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of an Arrow type, its awkward ones often."""
    if pa.types.is_string(kind):
        return st.sampled_from(TEXTS) | st.text(max_size=4)
    if pa.types.is_floating(kind):
        return st.sampled_from(NUMBERS) | st.floats()
    if pa.types.is_integer(kind):
        return st.integers(-2, 70)
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_date(kind):
        return st.sampled_from(DAYS)
    if pa.types.is_timestamp(kind):
        return st.sampled_from(TIMES)
    if pa.types.is_list(kind):
        return st.lists(values(kind.value_type), max_size=2)
    raise NotImplementedError(kind)


def rows_of(contract: Contract, zone: Zone) -> st.SearchStrategy[list[dict[str, Any]]]:
    used = {*contract.unique_in(zone), *(c for rule in contract.rules_in(zone) for c in rule.columns)}
    columns = {c.name: st.none() | values(c.type) for c in contract.columns_in(zone) if c.name in used}
    return st.lists(st.fixed_dictionaries(columns), min_size=60, max_size=100)


def frame_of(spark: Any, contract: Contract, zone: Zone, rows: list[dict[str, Any]]) -> tuple[Any, pa.Table]:
    schema = pa.schema([f.with_nullable(True) for f in contract.schema_in(zone) if f.name in rows[0]])
    table = pa.Table.from_pylist(rows, schema=schema)
    return spark.createDataFrame(table), table


def by_spark(frame: Any, rules: tuple[Rule, ...]) -> dict[str, int]:
    from pyspark.sql import functions as F

    row = frame.agg(*(F.count_if(F.expr(f"NOT {rule.sql}")).alias(rule.name) for rule in rules)).collect()[0]
    return dict(row.asDict())


def by_duckdb(table: pa.Table, rules: tuple[Rule, ...]) -> dict[str, int]:
    with duckdb.connect() as con:
        con.register("rows_given", table)
        wanted = ", ".join("count(*) FILTER (NOT " + in_duckdb(rule.sql) + ")" for rule in rules)
        counts = con.execute(f"SELECT {wanted} FROM rows_given").fetchall()[0]
    return {rule.name: count for rule, count in zip(rules, counts, strict=True)}


def by_suite(frame: Any, contract: Contract, zone: Zone, **more: Any) -> dict[str, int]:
    from expectations import suites

    return dict(suites.validate(frame, contract, zone, **more).failed)


# Bronze has all rules of a landed table, silver those whose columns are left.
DOORS = [(c, Zone.BRONZE) for c in TABLES.landed]
DOORS += [(c, c.zone) for c in (DEMAND_FEATURES, CALENDAR_FEATURES, DEMAND_FORECAST)]


@pytest.mark.parametrize(("contract", "zone"), DOORS, ids=lambda v: getattr(v, "name", str(v)))
def test_split_suite_and_duckdb_count_the_same_failing_rows(spark: Any, contract: Contract, zone: Zone) -> None:
    rules = contract.rules_in(zone)
    failed: Counter[str] = Counter()

    @settings(
        max_examples=2,  # the first is the simplest: nothing but nulls
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(rows_of(contract, zone))
    def agree(rows: list[dict[str, Any]]) -> None:
        frame, table = frame_of(spark, contract, zone, rows)
        split = by_spark(frame, rules)
        suite = by_suite(frame, contract, zone)
        suite.pop(KEYS_UNIQUE, None)
        assert suite == split
        assert by_duckdb(table, rules) == split
        failed.update({"rows": len(rows), **split})

    agree()
    told_apart = {name for name, count in failed.items() if 0 < count < failed["rows"]}
    assert told_apart == {rule.name for rule in rules}, "a rule that every row passes, or fails, was not tried"


# Every kind of rule, every awkward value: which of VALUES fail, drawn out.
KINDS = Contract(
    name="kinds",
    zone=Zone.FEATURES,
    meaning="One column of each type.",
    version="1.0.0",
    owner="tests",
    keys=("tenant", "number"),
    columns=(
        Column("tenant", pa.string(), "Customer", nullable=True),
        Column("number", pa.float64(), "A number", nullable=True),
        Column("other", pa.float64(), "Another", nullable=True),
        Column("text", pa.string(), "A text", nullable=True),
        Column("day", pa.date32(), "A day", nullable=True),
    ),
)
# (rule, values of its column that pass, values that fail)
DRAWN: list[tuple[Rule, list[Any], list[Any]]] = [
    (NotNull(name="given", column="text", reason="-"), ["", "a", "null"], [None]),
    (Between(name="both", column="number", low=0, high=10, reason="-"), [None, 0.0, -0.0, 10.0], [-1.0, 10.1, math.nan, math.inf, -math.inf]),
    (Between(name="low", column="number", low=0, reason="-"), [None, 0.0, 1.7976931348623157e308], [-5e-324, math.nan, math.inf, -math.inf]),
    (Between(name="high", column="number", high=10, reason="-"), [None, 10.0, -math.inf], [10.1, math.nan, math.inf]),
    (Between(name="days", column="day", low="1990-01-01", high="2100-01-01", reason="-"), [None, DAYS[1], DAYS[3]], [DAYS[0], DAYS[4], DAYS[5]]),
    (OneOf(name="set", column="text", values=("it's", "back\\slash", "İ"), reason="-"), [None, "it's", "back\\slash", "İ"], ["", "it''s", "i", "İ "]),
    (Matches(name="whole", column="text", pattern="[A-Z]{2}|UTC", reason="-"), [None, "TR", "UTC"], ["", "TR\n", "\nTR", "TRX", "UTC\u2028", "tr", "xUTC"]),
    (Matches(name="escaped", column="text", pattern=r"\.\\'", reason="-"), [None, ".\\'"], ["\\.\\'", "a\\'", "."]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "good", "bad"), DRAWN, ids=lambda v: getattr(v, "name", ""))
def test_a_rule_fails_the_drawn_values_in_every_engine(spark: Any, rule: Rule, good: list[Any], bad: list[Any]) -> None:
    rows = [{"tenant": "a", "number": None, "other": None, "text": None, "day": None} for _ in (*good, *bad)]
    for row, value in zip(rows, (*good, *bad), strict=True):
        row[rule.columns[0]] = value
    contract = replace(KINDS, rules=(rule,))
    frame, table = frame_of(spark, contract, Zone.FEATURES, rows)
    expected = {rule.name: len(bad)}
    assert by_spark(frame, (rule,)) == expected
    assert by_duckdb(table, (rule,)) == expected
    assert by_suite(frame, contract, Zone.FEATURES)[rule.name] == len(bad)
    failing = [row[rule.columns[0]] for row in frame.where(f"NOT {rule.sql}").toLocalIterator()]
    assert sorted(map(repr, failing)) == sorted(map(repr, bad))


def test_a_pair_with_a_null_passes_and_nan_is_above_every_number(spark: Any) -> None:
    rule = AtMost(name="pair", lower="number", upper="other", reason="-")
    pairs = [(None, None), (None, 1.0), (1.0, None), (1.0, 1.0), (1.0, math.nan), (math.nan, math.nan)]
    failing = [(2.0, 1.0), (math.nan, 1.0), (math.inf, 1.0), (math.nan, math.inf)]
    contract = replace(KINDS, rules=(rule,))
    rows = [{"tenant": "a", "number": n, "other": o, "text": None, "day": None} for n, o in (*pairs, *failing)]
    frame, table = frame_of(spark, contract, Zone.FEATURES, rows)
    assert by_spark(frame, (rule,)) == by_duckdb(table, (rule,)) == {"pair": len(failing)}
    assert by_suite(frame, contract, Zone.FEATURES)["pair"] == len(failing)


def test_every_row_of_a_repeated_key_counts_and_null_equals_null(spark: Any) -> None:
    keys = [("a", 1.0), ("a", 1.0), ("b", 1.0), (None, 2.0), (None, 2.0), ("a", None)]
    rows = [{"tenant": t, "number": n, "other": None, "text": None, "day": None} for t, n in keys]
    frame, _ = frame_of(spark, KINDS, Zone.FEATURES, rows)
    assert by_suite(frame, KINDS, Zone.FEATURES) == {KEYS_UNIQUE: 4}


def test_an_empty_frame_fails_nothing(spark: Any) -> None:
    contract = replace(KINDS, rules=tuple(rule for rule, _, _ in DRAWN))
    row = {"tenant": "a", "number": 99.0, "other": None, "text": None, "day": None}
    frame, _ = frame_of(spark, contract, Zone.FEATURES, [row])
    found = by_suite(frame.where("false"), contract, Zone.FEATURES)
    assert found.keys() == {*(rule.name for rule, _, _ in DRAWN), KEYS_UNIQUE}
    assert set(found.values()) == {0}


def test_a_rule_that_cannot_be_evaluated_names_table_zone_and_rule(spark: Any) -> None:
    from expectations.suites import SuiteError

    contract = replace(KINDS, rules=(Between(name="wrong_type", column="text", low=0, reason="-"),))
    row = {"tenant": "a", "number": 1.0, "other": None, "text": "x", "day": None}
    frame, _ = frame_of(spark, contract, Zone.FEATURES, [row])
    with pytest.raises(SuiteError, match="kinds in features: rule wrong_type could not be evaluated"):
        by_suite(frame, contract, Zone.FEATURES)


def pages(home: Path) -> Mapping[str, str]:
    """Every text that a report leaves under `home`."""
    written = (p for p in home.rglob("*") if p.suffix in (".html", ".json"))
    return {str(p.relative_to(home)): p.read_text() for p in written}


def test_data_docs_tell_counts_and_never_a_value(spark: Any, tmp_path: Path) -> None:
    contract = replace(KINDS, rules=(Matches(name="upper", column="text", pattern="[A-Z]", reason="It must shout."),))
    rows = [{"tenant": "secret-t", "number": 4711.25, "other": None, "text": "secret-x", "day": None}] * 2
    frame, _ = frame_of(spark, contract, Zone.FEATURES, rows)
    at = datetime(2026, 3, 2, 5, tzinfo=UTC)
    by_suite(frame, contract, Zone.FEATURES, home=tmp_path, run_id="night-1", at=at)
    found = pages(tmp_path)
    assert any(name.startswith("data_docs/validations/kinds_features/night-1/20260302T05") for name in found)
    assert "It must shout." in "".join(found.values())
    assert not [name for name, text in found.items() if "secret" in text or "4711" in text]


def test_only_the_newest_results_of_a_suite_stay(tmp_path: Path) -> None:
    from expectations.suites import keep_newest

    for run, moment in (("b", "20260101"), ("a", "20260102"), ("a", "20260104"), ("c", "20260103")):
        (tmp_path / run / moment).mkdir(parents=True)
        (tmp_path / run / moment / "result.json").touch()
    keep_newest(tmp_path, kept=2)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("*/*")) == ["a/20260104", "c/20260103"]
    assert not (tmp_path / "b").exists()
