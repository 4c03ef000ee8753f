"""What can go wrong, as the command line tells it: one line, with the place and the remedy."""

from __future__ import annotations

from collections.abc import Mapping


class JobError(RuntimeError):
    """The whole job cannot go on (server away, bad argument); exit status 1."""


class TenantError(RuntimeError):
    """One tenant cannot go on; the others do."""


class Blocked(TenantError):
    """A blocking rule stopped a tenant; its last good result stays."""


class TenantsFailed(RuntimeError):
    """Some tenants failed, after the others were done; exit status 3."""

    def __init__(self, job: str, reasons: Mapping[str, str]) -> None:
        self.job = job
        self.reasons = dict(reasons)
        super().__init__("\n".join(f"{job}: tenant {t}: {why}" for t, why in sorted(self.reasons.items())))
