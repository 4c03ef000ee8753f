"""A door judges each tenant by itself, in one pass over all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from expectations.contract import KEYS_UNIQUE, Between, Contract, OneOf, Zone
from expectations.tables import CALENDAR_FEATURES, CHECK_RESULTS, DEMAND_FEATURES, DEMAND_FORECAST, SALES
from jobs import doors
from jobs.doors import DoorDisagreement, DoorResult, check, check_fresh

KNOWN = datetime(2026, 3, 1, 3, tzinfo=UTC)
NIGHT = date(2026, 3, 1)
COLUMNS = ("tenant", "site", "product", "date", "units", "unit_price")


def drawn(table: str) -> list[dict[str, Any]]:
    """Rows of a drawn table with COLUMNS; "-" is null."""
    kinds: dict[str, Callable[[str], Any]] = {"date": date.fromisoformat, "units": float, "unit_price": float}
    cells = [line.split() for line in table.strip().splitlines()]
    rows = [dict(zip(COLUMNS, line, strict=True)) for line in cells]
    return [{k: None if v == "-" else kinds.get(k, str)(v) for k, v in row.items()} for row in rows]


def sales(ctx: Any, table: str) -> Any:
    more = {"available_at": KNOWN, "content_hash": "h", "row_index": 0, "year": 2026}
    return ctx.lake.rows(SALES, [row | more for row in drawn(table)], Zone.SILVER)


THREE_TENANTS = """
    good   A  pump   2026-02-28   3   10
    good   A  pump   2026-03-01   0   -
    bad    A  pump   2026-02-28  -1   10
    bad    A  valve  2026-03-01  nan  10
    dear   A  pump   2026-03-01   1  -10
    twice  A  pump   2026-03-01   1   10
    twice  A  pump   2026-03-01   2   10
    twice  B  pump   2026-03-01   2   10
"""


@pytest.fixture
def three(ctx: Any) -> DoorResult:
    return check(ctx, sales(ctx, THREE_TENANTS), SALES, Zone.SILVER, tenants=("good", "absent"))


def test_the_door_of_sales(ctx: Any, three: DoorResult) -> None:
    # One check, many facts: a check takes seconds.
    assert three.rows == {"absent": 0, "bad": 2, "dear": 1, "good": 2, "twice": 3}

    # a tenant is blocked by its own rows alone, in one line with rule, count, rows and reason
    assert three.blocked.keys() == {"bad", "twice"}
    assert three.blocked["bad"].startswith(
        "sales: units_not_negative: 2 of 2 rows (as A/pump/2026-02-28; A/valve/2026-03-01): A day's quantity"
    )
    assert three.blocked["twice"].startswith("sales: keys_unique: 2 of 3 rows (as A/pump/2026-03-01): ")
    assert not [line for line in three.blocked.values() if "\n" in line]

    # a warning is told and blocks nobody
    assert three.warnings.keys() == {"dear"}
    assert "unit_price_plausible: 1 of 1 rows" in three.warnings["dear"][0]

    # every verdict of every tenant lands in the table of check results, with the keys of failing rows
    noted = ctx.lake.read(CHECK_RESULTS).where("rows_failed > 0").orderBy("tenant").collect()
    assert [(r["tenant"], r["rule"], r["severity"], r["rows_checked"], r["rows_failed"]) for r in noted] == [
        ("bad", "units_not_negative", "blocks", 2, 2),
        ("dear", "unit_price_plausible", "warns", 1, 1),
        ("twice", KEYS_UNIQUE, "blocks", 3, 2),
    ]
    assert '"product": "valve"' in noted[0]["sample"]
    rules = len(SALES.rules_in(Zone.SILVER)) + 1
    assert ctx.lake.read(CHECK_RESULTS).count() == 5 * rules

    # Data Docs are built, and name no tenant
    pages = list((ctx.settings.home / "data_docs" / "validations").rglob("*.html"))
    assert len(pages) == 1
    assert not [p for p in (ctx.settings.home / "gx").rglob("*.json") if "valve" in p.read_text()]


def test_a_tenant_with_old_sales_is_blocked(make_ctx: Callable[..., Any]) -> None:
    ctx = make_ctx(date=NIGHT)
    newest = {"allowed": date(2026, 2, 15), "old": date(2026, 2, 14), "other": date(2020, 1, 1)}
    found = check_fresh(ctx, SALES, newest, ("allowed", "old", "absent"))
    assert found.blocked == {
        "old": "sales: fresh: newest known day is 2026-02-14, 15 days before the night of 2026-03-01 (at most 14): "
        "send the missing days, then run the night again",
        "absent": "sales: fresh: no day up to the night of 2026-03-01 is known: "
        "send the missing days, then run the night again",
    }
    noted = {r["tenant"]: r["rows_failed"] for r in ctx.lake.read(CHECK_RESULTS).where("rule = 'fresh'").collect()}
    assert noted == {"absent": 1, "allowed": 0, "old": 1}


def test_at_most_twenty_failing_rows_are_noted_and_three_told(ctx: Any) -> None:
    table = "\n".join(f"t A p{n:02d} 2026-03-01 -1 -" for n in range(25))
    found = check(ctx, sales(ctx, table), SALES, Zone.SILVER)
    failed = next(v for v in found.verdicts if v.failed)
    assert (failed.failed, len(failed.sample)) == (25, doors.SAMPLE)
    assert found.blocked["t"].count("A/p") == doors.SHOWN


def _blank(contract: Contract, **given: Any) -> dict[str, Any]:
    """A row of a derived table in which whatever may not be null is something."""
    kinds = {"string": "x", "double": 1.0, "int32": 1, "int64": 1, "bool": False, "date32[day]": NIGHT}
    fill = {c.name: kinds.get(str(c.type), KNOWN if "timestamp" in str(c.type) else []) for c in contract.columns}
    fill |= {rule.column: rule.values[0] for rule in contract.rules if isinstance(rule, OneOf)}
    return {c.name: fill[c.name] for c in contract.columns if not c.nullable} | given


@pytest.mark.parametrize(
    ("contract", "bad", "rule"),
    [
        (DEMAND_FEATURES, {"units_zero_share_28": 1.5}, "units_zero_share_28_is_a_share"),
        (CALENDAR_FEATURES, {"day_of_week": 8}, "day_of_week_is_iso"),
        (DEMAND_FORECAST, {"units_q10": 2.0, "units_q50": 1.0, "units_q90": 3.0}, "q10_at_most_q50"),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_the_doors_of_features_and_forecasts(ctx: Any, contract: Contract, bad: dict[str, Any], rule: str) -> None:
    rows = [_blank(contract, tenant="good"), _blank(contract, tenant="bad", **bad)]
    found = check(ctx, ctx.lake.rows(contract, rows), contract, contract.zone)
    assert found.blocked.keys() == {"bad"}
    assert f"{contract.name}: {rule}: 1 of 1 rows" in found.blocked["bad"]


def test_nothing_passes_when_split_and_suite_disagree(ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crooked(Between):
        @property
        def sql(self) -> str:
            return "true"

    crooked = Crooked(name="units_not_negative", column="units", low=0, reason="-")
    contract = replace(SALES, rules=(crooked,))
    with pytest.raises(DoorDisagreement, match="units_not_negative: the split counts 0 and the suite 1"):
        check(ctx, sales(ctx, "t A pump 2026-03-01 -1 -"), contract, Zone.SILVER)


def test_an_empty_frame_blocks_nobody(ctx: Any) -> None:
    found = check(ctx, ctx.lake.read(SALES, Zone.SILVER), SALES, Zone.SILVER)
    assert (found.blocked, found.rows) == ({}, {})
