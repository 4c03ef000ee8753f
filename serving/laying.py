"""The last good night of every tenant, laid before anybody asks for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from serving.forecasts import Forecasts
from serving.laid import LaidFolder
from serving.lake import AnswerError

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
GIVE_WAY_SECONDS = 0.1


class Laying:
    """Looks for new nights in a thread of its own while the app runs. Of several processes one lays, the others find it done."""

    def __init__(self, forecasts: Forecasts, laid: LaidFolder) -> None:
        self._forecasts = forecasts
        self._laid = laid
        self._seen: object = None
        self._stop = threading.Event()

    def look(self) -> None:
        """Lay and open the last good night of each tenant, where there is anything new since the last look."""
        try:
            version, tenants = self._forecasts.newest()
        except AnswerError:  # told to whom it concerns: to requests that need the store, and to /readyz
            return
        if version == self._seen:
            return
        with self._laid.alone("newest"):
            for tenant in tenants:
                if self._gives_way():
                    return
                with suppress(AnswerError):
                    self._forecasts.night(tenant)
        self._seen = version

    def _gives_way(self) -> bool:
        """Wait until no request reads a night: those come first. Whether the app has ended."""
        while not self._stop.is_set() and self._forecasts.is_wanted:
            self._stop.wait(GIVE_WAY_SECONDS)
        return self._stop.is_set()

    def running(self) -> Callable[[object], AbstractAsyncContextManager[None]]:
        """The lifespan of an app: it looks until the app ends."""

        @asynccontextmanager
        async def lifespan(_: object) -> AsyncIterator[None]:
            self._stop.clear()
            threading.Thread(target=self._run, name="lay", daemon=True).start()
            yield
            self._stop.set()

        return lifespan

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # the next look may go better, and requests lay what they need
                log.exception("cannot lay the newest nights")
            if self._stop.wait(LOOK_SECONDS):
                return
