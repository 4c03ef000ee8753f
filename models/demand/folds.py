"""Rolling origins: forecasts of the past that no member had seen when it was fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.demand import sampling
from models.demand.arrays import Floats, Ints, Strings
from models.demand.calendar import Calendar
from models.demand.ensemble import segments
from models.demand.evaluate import naive_scale
from models.demand.members import Members
from models.demand.model import has_path
from models.demand.origins import Origins
from models.demand.panel import Panel
from models.demand.parameters import Parameters
from models.demand.periods import Period


class TooLittleHistory(ValueError):
    """A tenant whose history is too short to judge a model by; one line that says how much it lacks."""


@dataclass(frozen=True)
class Data:
    """All that a training is given: feature rows, calendar, and what happened, of one tenant up to `last_day`."""

    origins: Origins
    calendar: Calendar
    panel: Panel
    last_day: int

    def cut_off(self, day: int) -> int:
        """By when something was known that may be learned from on `day`."""
        return int(self.origins.cut_off[self.origins.day == day].max(initial=0))


@dataclass(frozen=True)
class Fold:
    """What the members said of the days after `last_day`, in pieces. The first `judged` rows have `last_day` as origin."""

    last_day: int
    members: tuple[str, ...]
    keys: Strings  # (n,)
    actual: Floats  # (n, horizon), NaN where unknown
    stack: Floats  # (n, horizon, 3, members)
    segment: Ints  # (n,)
    size: Floats  # (n,): mean absolute one-day difference of the history
    history: Floats  # (judged, days): units up to `last_day`
    judged: int
    origins: Origins  # of the rows

    @property
    def period(self) -> Period:
        return self.origins.period

    @property
    def season(self) -> int:
        return self.period.season

    @property
    def until(self) -> str:
        """The date of its last day: by it the fold is named."""
        return self.period.end(self.last_day).isoformat()

    def of(self, names: tuple[str, ...]) -> Floats:
        """What `names` said, (n, horizon, 3, names)."""
        return self.stack[..., [self.members.index(n) for n in names]]


def last_days(data: Data, given: Parameters) -> list[int]:
    """Last day that each fold may know, oldest first. Raises TooLittleHistory where there is not even one fold."""
    first = data.panel.first_day + given.min_history_days - 1
    steps = range(given.folds, 0, -1)
    found = [d for d in (data.last_day - given.fold_days * k for k in steps) if d >= first]
    if not found:
        there = data.last_day - data.panel.first_day + 1
        needed = given.min_history_days + given.fold_days
        unit = given.period
        raise TooLittleHistory(
            f"{there} {unit}s of sales are known, a first model needs {needed}: it is not trained yet"
        )
    return found


def windows(data: Data, last_day: int, given: Parameters) -> tuple[Origins, Floats]:
    """Origins to learn from up to `last_day`, and the units of the 28 days after each as far as known by then."""
    o = data.origins
    rows = (o.day < last_day) & (o.day > last_day - given.history_days) & o.enough & ~o.dead
    some = o.take(np.flatnonzero(rows))
    targets = data.panel.after(some.key, some.day, given.horizon, until=last_day)
    known = np.flatnonzero(~np.isnan(targets).all(axis=1))
    return some.take(known), targets[known]


def ask(data: Data, last_day: int, members: Members, names: tuple[str, ...], given: Parameters) -> Fold:
    """Let members fitted up to `last_day` forecast from it and from the weeks after, and note what happened."""
    judged, *later = _all_evaluated(data, last_day, given)
    rows = np.concatenate([judged, *later])
    origins = data.origins.take(rows)
    until = last_day + given.fold_days  # the next fold begins there: what it is judged by must not be learned from here
    known = data.panel.until(last_day)
    stack = members.stack(names, origins, data.calendar)
    history = known.units[known.rows_of(origins.key)]
    return Fold(
        last_day=last_day,
        members=names,
        keys=origins.key,
        actual=data.panel.after(origins.key, origins.day, given.horizon, until=until),
        stack=stack,
        segment=segments(origins.sparse, origins.level, has_path(stack, names)),
        size=np.nan_to_num(naive_scale(history, 1, 1)),
        history=history[: len(judged)],
        judged=len(judged),
        origins=origins,
    )


def asked(data: Data, last_day: int, given: Parameters) -> Strings:
    """Keys of the series that `ask` asks for: a member that is fitted series by series needs no others for a fold."""
    rows = np.concatenate(_all_evaluated(data, last_day, given))
    return np.unique(data.origins.key[rows].astype(str)).astype(object)


def _all_evaluated(data: Data, last_day: int, given: Parameters) -> list[Ints]:
    """Rows that are judged: of the last day, and of the weeks after it."""
    later = [o for o in given.counts.offsets if 0 < o < given.fold_days]
    return [_evaluated(data, last_day + offset, given) for offset in (0, *later)]


def evaluated(data: Data, last_day: int, given: Parameters) -> Origins:
    """The origins that are judged on `last_day`."""
    return data.origins.take(_evaluated(data, last_day, given))


def _evaluated(data: Data, day: int, given: Parameters) -> Ints:
    o = data.origins
    rows = np.flatnonzero((o.day == day) & o.enough & ~o.dead)
    known = rows[data.panel.rows_of(o.key[rows]) >= 0]
    # by series and not by day: the same series are judged in every fold
    chosen = sampling.some(o.key[known], np.zeros(len(known), dtype=np.int64), given.evaluation_max_series, given.seed)
    return known[chosen]
