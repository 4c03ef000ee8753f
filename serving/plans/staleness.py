"""When an override may be out of date: what it warns of. Pure: the baseline and the clock are given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from serving.plans.overrides import Override

Stale = dict[str, Any]
MOVED_SHARE = 0.15  # the forecast moves by a few percent each night; what moves it so far is news
MOVED_UNITS = 1.0  # a fraction of a piece is no news, whatever share it is
SOON = timedelta(days=3)
ONE_DAY = timedelta(days=1)


def reasons(
    override: Override, baseline: Mapping[date, float], begin: date, days: int, now: datetime, period: str
) -> list[Stale]:
    """Why an override in force may be out of date; nothing if it is as it was meant.

    `baseline` has its node's units by date as they are forecast now, of periods of `days` days; the plan begins at `begin`.

    - `period_changed`: it was said of days where weeks are forecast now, or the other way about: it has no effect
    - `past`: its periods are over
    - `baseline_moved`: the forecast moved by MOVED_SHARE and MOVED_UNITS, over the periods that were and are forecast
    - `expires_soon`: it ends within SOON, before the last day that it is about begins: what ends on that day, wherever
      on earth a planner's day ends, ends as it was meant
    """
    if override.period != period:
        return [{"kind": "period_changed", "period": override.period}]
    if override.change.last < begin:
        return [{"kind": "past"}]
    both = override.baseline.keys() & baseline.keys()
    before, after = sum(override.baseline[day] for day in both), sum(baseline[day] for day in both)
    moved = abs(after - before)
    found: list[Stale] = []
    if moved >= MOVED_UNITS and moved > MOVED_SHARE * before:
        found.append({"kind": "baseline_moved", "share": (after - before) / before if before else None})
    end = period_end(max(baseline), days) if baseline else None
    if end and override.expires_at < end - ONE_DAY and override.expires_at - now <= SOON:
        found.append({"kind": "expires_soon", "expires_at": override.expires_at})
    return found


def period_end(first: date, days: int) -> datetime:
    """The end, in UTC, of the period of `days` days that begins at `first`."""
    return datetime.combine(first + timedelta(days), time(), UTC)


def natural_end(last: date, days: int) -> datetime:
    """Until when an override holds of which nobody said it: the end of the period of its last day."""
    monday = last - timedelta(last.weekday()) if days == 7 else last
    return period_end(monday, days)
