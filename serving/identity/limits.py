"""How many requests a minute: counted in this process, or in Redis for several together. The window slides.

The library `limits` does the same, but starts a thread for its memory each 10 ms in which somebody asks, and by a clock of
its own.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

SECONDS = 60
REDIS_PATIENCE = 0.25  # seconds: a counter must not hold up what it counts
REDIS_REST = 5.0  # seconds for which one that did not answer is not asked


class Counts(Protocol):
    """Counts by window, of which the present one and the one before are kept."""

    async def add(self, key: str, window: int) -> tuple[int, int]:
        """One more in `window`: the counts of it and of the one before."""


class Memory:
    """Counts of this process."""

    def __init__(self) -> None:
        self._windows: dict[int, Counter[str]] = {}

    async def add(self, key: str, window: int) -> tuple[int, int]:
        if window not in self._windows:
            self._windows = {window: Counter(), window - 1: self._windows.get(window - 1, Counter())}
        self._windows[window][key] += 1
        return self._windows[window][key], self._windows[window - 1][key] if window - 1 in self._windows else 0


class InRedis:
    """Counts that several processes share. While Redis is away each counts for itself."""

    def __init__(self, address: str, seconds: Callable[[], float] = time.monotonic) -> None:
        self._redis = Redis.from_url(
            address, socket_timeout=REDIS_PATIENCE, socket_connect_timeout=REDIS_PATIENCE, retry=None
        )
        self._meanwhile = Memory()
        self._seconds = seconds
        self._is_away = False
        self._ask_at = seconds()

    async def add(self, key: str, window: int) -> tuple[int, int]:
        if self._seconds() < self._ask_at:
            return await self._meanwhile.add(key, window)
        name = f"uretimiq:rate:{key}:"
        try:
            async with self._redis.pipeline(transaction=False) as asked:
                asked.incr(f"{name}{window}")
                asked.expire(f"{name}{window}", 2 * SECONDS)
                asked.get(f"{name}{window - 1}")
                now, _, before = await asked.execute()
        except (RedisError, OSError) as error:
            if not self._is_away:
                log.warning("Redis does not answer (%s): each process counts requests for itself", error)
            self._is_away = True
            self._ask_at = self._seconds() + REDIS_REST
            return await self._meanwhile.add(key, window)
        self._is_away = False
        return int(now), int(before or 0)


class Limits:
    """Says who has to wait."""

    def __init__(self, counts: Counts, now: Callable[[], datetime]) -> None:
        self._counts = counts
        self._now = now

    async def wait(self, key: str, most: int) -> int:
        """Count one request of `key`: 0, or seconds to wait where the last minute had more than `most`."""
        at = self._now().timestamp()
        window, into = int(at // SECONDS), at % SECONDS
        now, before = await self._counts.add(key, window)
        if now + before * (1 - into / SECONDS) <= most:
            return 0
        return max(1, math.ceil(SECONDS - into))
