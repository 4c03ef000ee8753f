"""What a series counts in: days or weeks, and the windows by which it is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from expectations.tables import ROLLING_MEANS, ROLLING_STDS


@dataclass(frozen=True)
class Period:
    """`season` periods make the shortest rhythm, `year` is a whole number of seasons; `means` and `stds` are windows."""

    name: str
    season: int
    year: int
    means: tuple[int, ...]
    stds: tuple[int, ...]
    frequency: str  # as pandas calls it

    def seasons(self, horizon: int) -> int:
        """How many seasons, begun ones among them, `horizon` periods have."""
        return -(-horizon // self.season)


DAY = Period("day", 7, 364, ROLLING_MEANS, ROLLING_STDS, "D")
WEEK = Period("week", 1, 52, (2, 4, 8, 13, 26, 52), (4, 13, 26), "W-MON")
PERIODS = {p.frequency: p for p in (DAY, WEEK)}
