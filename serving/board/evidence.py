"""What auditors and engineers look up: each run of a job, each result of a check, what is in quarantine; newest first, in pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from expectations.contract import Contract
from expectations.tables import CHECK_RESULTS, JOB_RUNS, QUARANTINE
from serving.lake import Lake, NotThereError, Snapshot
from serving.paging import MOST, fingerprint, moment_of, pack, unpack_as


@dataclass(frozen=True)
class Log:
    """A table of what happened: its rows in the order of `at`, then of the rest of its key, the newest first."""

    contract: Contract
    at: str
    key: tuple[str, ...]
    told: tuple[str, ...]

    def sql(self, filters: list[str], is_next: bool) -> str:
        order = (self.at, *self.key)
        where = ["tenant = $tenant", *filters]
        if is_next:
            where.append(f"({', '.join(order)}) < ({', '.join(f'$after_{name}' for name in order)})")
        return (
            f"SELECT {', '.join(self.told)} FROM files WHERE {' AND '.join(where)} "  # noqa: S608 - names are ours
            f"ORDER BY {', '.join(f'{name} DESC' for name in order)} LIMIT $most"
        )


RUNS = Log(
    JOB_RUNS,
    "ended_at",
    ("run_id", "job"),
    ("run_id", "job", "date", "status", "reason", "rows", "seconds", "started_at", "ended_at", "code_version"),
)
CHECKS = Log(
    CHECK_RESULTS,
    "checked_at",
    ("run_id", "door", "contract", "rule"),
    ("run_id", "door", "contract", "rule", "severity", "rows_checked", "rows_failed", "sample", "checked_at"),
)
_QUARANTINE = """
    SELECT contract, rule, sum(rows)::BIGINT AS rows, max(quarantined_at) AS last_at
    FROM (SELECT contract, unnest(rules) AS rule, rows, quarantined_at FROM files
        WHERE tenant = $tenant AND replayed_at IS NULL)
    GROUP BY contract, rule ORDER BY last_at DESC, contract, rule
"""


class Evidence:
    """Reads it, of one tenant at a time."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def page(
        self, log: Log, tenant: str, wanted: Mapping[str, object], limit: int, cursor: str | None, only: str = ""
    ) -> tuple[list[dict[str, Any]], str | None]:
        """At most `limit` rows of the log after `cursor`, and the cursor of the next page, if there is one.

        `wanted` are values by column, None for all; `only` is a condition besides. Raises Problem, UnreadableError.
        """
        order = (log.at, *log.key)
        asked = fingerprint(log.contract.name, tenant, dict(wanted), only)
        given = {name: value for name, value in wanted.items() if value is not None}
        params: dict[str, object] = {"tenant": tenant, "most": limit + 1, **given}
        if cursor:
            params |= dict(zip((f"after_{name}" for name in order), _place(cursor, asked, len(order)), strict=True))
        filters = [f"{name} = ${name}" for name in given] + ([only] if only else [])
        rows = self._read(log.contract, log.sql(filters, bool(cursor)), params)
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], pack(asked, last[log.at].isoformat(), *(last[name] for name in log.key))

    def whole(self, log: Log, tenant: str, wanted: Mapping[str, object], only: str = "") -> pa.Table:
        """All rows of the log that `wanted` and `only` name, as `page` has them. Raises UnreadableError."""
        given = {name: value for name, value in wanted.items() if value is not None}
        filters = [f"{name} = ${name}" for name in given] + ([only] if only else [])
        return self._table(log.contract, log.sql(filters, False), {"tenant": tenant, "most": MOST, **given}, log.told)

    def quarantine(self, tenant: str) -> list[dict[str, Any]]:
        """Rows that are refused and not yet replayed, by contract and rule. Raises UnreadableError."""
        return self._read(QUARANTINE, _QUARANTINE, {"tenant": tenant})

    def _read(self, contract: Contract, sql: str, params: dict[str, object]) -> list[dict[str, Any]]:
        return self._table(contract, sql, params, ()).to_pylist()

    def _table(self, contract: Contract, sql: str, params: dict[str, object], told: Sequence[str]) -> pa.Table:
        """What `sql` gives; where the table is not there, no rows of the columns `told`."""

        def work(snapshot: Snapshot) -> pa.Table:
            return self._lake.query(sql, params, files=snapshot.dataset())

        try:
            return self._lake.read(self._lake.table(contract), work)
        except NotThereError:
            return pa.schema([contract.by_name[name].field for name in told]).empty_table()


def _place(cursor: str, asked: str, length: int) -> list[Any]:
    """Where the page before ended: the moment, then the key."""
    at, *key = unpack_as(cursor, asked, *[str] * length)
    return [moment_of(at), *key]
