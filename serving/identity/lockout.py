"""Slows guessing down: after some failures a name, known or not, and an address wait, each time twice as long."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, delete, select, update

from serving.state.database import State, insert_or
from serving.state.tables import FAILURES

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)  # who guesses at a name must not keep its owner out for good
FORGOTTEN = timedelta(hours=24)


@dataclass(frozen=True)
class Allowance:
    """Failures that cost nothing; an address may be a whole office."""

    user: int = 5
    address: int = 50


class LockedError(Exception):
    """Too many failures: wait `seconds`. Said of a name that nobody has as of any other."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many failed sign-ins: try again in {seconds} s")
        self.seconds = seconds


class Lockout:
    """Counts failures by name and by address."""

    def __init__(self, state: State, now: Callable[[], datetime], allowance: Allowance | None = None) -> None:
        self._state = state
        self._now = now
        allowance = allowance or Allowance()
        self._allowed = {"user": allowance.user, "address": allowance.address}

    def begin(self, name: str, address: str) -> None:
        """Count a try as failed before it is judged: many at once gain nothing. Raises LockedError."""
        with self._state.write() as connection:
            for subject in _subjects(name, address):
                self._count(connection, subject)

    def succeeded(self, name: str, address: str) -> None:
        """The try was right after all: the name is clean, the address has one failure less."""
        user, place = _subjects(name, address)
        fewer = FAILURES.c.failures - 1
        with self._state.write() as connection:
            connection.execute(delete(FAILURES).where(FAILURES.c.subject == user))
            until = case((fewer < self._allowed["address"], None), else_=FAILURES.c.locked_until)
            query = update(FAILURES).where(FAILURES.c.subject == place, FAILURES.c.failures > 0)
            connection.execute(query.values(failures=fewer, locked_until=until))
            # Whoever is being counted at this moment is left for the next time: two that wait for each other end badly.
            stale = select(FAILURES.c.subject).where(FAILURES.c.last_at < self._now() - FORGOTTEN)
            free = stale.with_for_update(skip_locked=True)
            connection.execute(delete(FAILURES).where(FAILURES.c.subject.in_(free)))

    def _count(self, connection: Connection, subject: str) -> None:
        """Count first, then look: of several at once each sees the one before. A refusal takes the count back."""
        now = self._now()
        again = case((FAILURES.c.last_at < now - FORGOTTEN, 1), else_=FAILURES.c.failures + 1)
        counted = (
            insert_or(connection, FAILURES)
            .values(subject=subject, failures=1, last_at=now)
            .on_conflict_do_update(index_elements=[FAILURES.c.subject], set_={"failures": again, "last_at": now})
            .returning(FAILURES.c.failures, FAILURES.c.locked_until)
        )
        failures, until = connection.execute(counted).one()
        if until and until > now:
            raise LockedError(math.ceil((until - now).total_seconds()))
        over = failures - self._allowed[subject.partition(":")[0]]
        until = now + min(FIRST_WAIT * 2 ** min(over, 20), LONGEST_WAIT) if over >= 0 else None
        connection.execute(update(FAILURES).where(FAILURES.c.subject == subject).values(locked_until=until))


def _subjects(name: str, address: str) -> tuple[str, str]:
    return f"user:{name}"[:110], f"address:{address}"[:110]
