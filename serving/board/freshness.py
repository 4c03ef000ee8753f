"""How old each table is, and whether it is late."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from expectations.tables import (
    DEMAND_FEATURES,
    DEMAND_FORECAST,
    DEMAND_SERIES,
    DEMAND_SHADOW,
    PROMOTIONS,
    QUARANTINE,
)
from serving.lake import Snapshot
from serving.status import EachTable

NIGHTLY = {DEMAND_FEATURES.name, DEMAND_FORECAST.name, DEMAND_SERIES.name}
WHEN_NEEDED = {QUARANTINE.name, PROMOTIONS.name, DEMAND_SHADOW.name}  # nothing new in them is no bad sign
CUT_OFF, DUE = time(3, tzinfo=UTC), time(5, tzinfo=UTC)  # six and eight in the morning in Türkiye
BURST = timedelta(hours=1)  # commits that follow each other within it are one of the table's rhythm
LEAST_GAPS = 2  # that tell a rhythm
PATIENCE = 2  # times the longest gap


def is_late(contract: str, commits: Sequence[datetime], now: datetime) -> bool:
    """Whether a table, committed at `commits` (newest first), should have been committed since.

    What each night writes (NIGHTLY) is late from DUE on if nothing was committed after that morning's CUT_OFF. Any
    other is late by its own rhythm: after PATIENCE times the longest gap between its last commits, bursts taken as one.
    Without a rhythm yet, and of what is written when something happens (WHEN_NEEDED), nothing is late.
    """
    if not commits or contract in WHEN_NEEDED:
        return False
    if contract in NIGHTLY:
        morning = now.date() if now.timetz() >= DUE else now.date() - timedelta(days=1)
        return commits[0] < datetime.combine(morning, CUT_OFF)
    gaps = [gap for later, earlier in itertools.pairwise(commits) if (gap := later - earlier) > BURST]
    return len(gaps) >= LEAST_GAPS and now - commits[0] > PATIENCE * max(gaps)


def freshness(tables: EachTable, now: datetime) -> list[dict[str, Any]]:
    """Each table: contract, zone, state, last_commit, age_seconds, is_late."""
    found = tables.tell(_commits, "commits")
    return [
        {
            **{name: row[name] for name in ("contract", "zone", "state")},
            "last_commit": last,
            "age_seconds": int((now - last).total_seconds()) if last else None,
            "is_late": is_late(row["contract"], row["commits"] or (), now),
        }
        for row in found
        for last in [next(iter(row["commits"] or ()), None)]
    ]


def _commits(snapshot: Snapshot) -> dict[str, Any]:
    return {"commits": snapshot.commits}
