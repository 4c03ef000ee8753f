"""A tenant's failure is its own: one line for people, the stack trace for the log, and the next tenant goes on."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.context import Context
from jobs.errors import Blocked, JobError


@contextmanager
def own_failure(ctx: Context, tenant: str, work: str) -> Iterator[None]:
    """What is raised inside fails (or blocks) `tenant` and no more. A JobError is the whole job's and passes."""
    try:
        yield
    except JobError:
        raise
    except Blocked as error:
        ctx.block(tenant, str(error))
    except Exception as error:  # noqa: BLE001  whatever it is, the other tenants are not to suffer by it
        log_failure(ctx, tenant, work, error)
        known = isinstance(error, (RuntimeError, ValueError, ArithmeticError)) and str(error).strip()
        ctx.fail(tenant, str(error) if known else f"{work}: {type(error).__name__}: {error}")


def log_failure(ctx: Context, tenant: str, work: str, error: BaseException) -> None:
    """The stack trace, into the home's log."""
    folder = ctx.settings.home / "log"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "uretimiq.log").open("a") as log:
        log.write(f"{ctx.now().isoformat()} {work}: tenant {tenant}\n")
        traceback.print_exception(error, file=log)
