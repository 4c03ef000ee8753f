"""The ledger of decisions about models: every promotion, trial, refusal and rollback, with its evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from expectations.contract import Zone
from expectations.tables import PROMOTIONS
from jobs.context import Context
from jobs.delta_reader import read_rows
from models.demand.promotion import Decision
from models.registry import ModelRef


def note(ctx: Context, tenant: str, ref: ModelRef, champion: ModelRef | None, decision: Decision) -> None:
    """Write down what `ref` is from now on. Before the alias is set: whatever fails between leaves the old champion."""
    row = {
        "run_id": ctx.run_id,
        "tenant": tenant,
        "model_name": ref.name,
        "model_version": ref.version,
        "champion_version": champion.version if champion else None,
        "promoted": decision.promoted,
        "decision": decision.role,
        "reason": decision.reason,
        "evidence": json.dumps({"night": ctx.night.isoformat(), **decision.evidence}, sort_keys=True),
        "decided_at": ctx.now(),
    }
    ctx.lake.append(ctx.lake.table(PROMOTIONS, [row]), PROMOTIONS, Zone.OPERATIONS)


def decisions(ctx: Context, tenants: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The decisions about the models of each of `tenants`, the oldest first."""
    columns = ["tenant", "model_name", "model_version", "champion_version", "decision", "evidence", "decided_at"]
    rows = read_rows(ctx.settings, PROMOTIONS, columns=columns, filters=[("tenant", "in", list(tenants))]).to_pylist()
    found: dict[str, list[dict[str, Any]]] = {tenant: [] for tenant in tenants}
    for row in sorted(rows, key=lambda r: r["decided_at"]):
        found[row["tenant"]].append(row)
    return found
