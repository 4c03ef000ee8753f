"""Overrides that should be looked at again, as exceptions of the overview."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from serving.board.exceptions import SEVERITIES, Source

MUCH = 0.5  # of the forecast: what has moved so far may turn an override's sense round
_ABOUT = ("override_id", "site", "product", "product_group", "product_sub_group", "name", "made_by")
_NUMBERS = ("share", "expires_at", "period")


def stale_overrides(found: Callable[[str], Sequence[dict[str, Any]]]) -> Source:
    """From the overrides of a tenant that warn, the last said first: each with what it is about and why, in `stale`."""

    def exceptions(tenant: str) -> list[dict[str, Any]]:
        rows = [_exception(override) for override in found(tenant)]
        return sorted(rows, key=lambda row: SEVERITIES.index(row["severity"]))

    return exceptions


def _exception(override: dict[str, Any]) -> dict[str, Any]:
    """By the first of its reasons: high where it has no effect any more or the forecast has moved by MUCH, low where it only ends."""
    why = override["stale"][0]
    is_far = why["kind"] == "baseline_moved" and abs(why["share"] if why["share"] is not None else 1.0) >= MUCH
    severity = "high" if is_far or why["kind"] == "period_changed" else "medium"
    return {
        "kind": "stale_override",
        "severity": "low" if why["kind"] in {"expires_soon", "past"} else severity,
        **{name: override[name] for name in _ABOUT},
        "why": why["kind"],
        **{name: why.get(name) for name in _NUMBERS},
    }
