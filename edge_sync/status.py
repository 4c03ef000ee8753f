"""How a gateway stands."""

from __future__ import annotations

from typing import Any

from edge_sync.journal import READY, SENT, STAGED
from edge_sync.outbox import Outbox, read_pair
from edge_sync.sync import LAST_ERROR, LAST_SYNC


def status_of(outbox: Outbox) -> dict[str, Any]:
    """Objects, rows and bytes that wait and that were sent, when the oldest that waits was made, and the last words."""
    with outbox.journal() as journal:
        outbox.recover(journal)
        waiting = outbox.waiting()
        error = journal.noted(LAST_ERROR)
        last = journal.noted(LAST_SYNC)
        return {
            "gateway": outbox.name,
            "waiting": vars(journal.totals(STAGED, READY)),
            "sent": vars(journal.totals(SENT)),
            "oldest_waiting": read_pair(waiting[0])[0].created_at.isoformat() if waiting else None,
            "last_sync": last[1] if last else None,
            "last_error": f"{error[1]}: {error[0]}" if error and error[0] else None,
        }
