"""A tenant's night in memory: its forecasts in order, found by series, or its sums; and the nights read last, within bounds."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

JSON = "json"  # column of a night's rows: each of them as JSON text
READS = 2
SERIES_BYTES = 450  # memory of one series' entry, measured; the rows count themselves


@dataclass(frozen=True)
class NightKey:
    """Which night of which tenant, as which runs wrote it: a repeated night is another one."""

    tenant: str
    night: date
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """What a caller asks of a night. Empty sites or products mean all; both dates are included."""

    sites: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Series:
    """One product at one site, and where its rows lie."""

    site: str
    product: str
    first_date: date
    last_date: date
    periods: int
    offset: int


@dataclass(frozen=True)
class Summary:
    """What all rows of the night share.

    `cut_off` is the latest of its sites', `available_at` when the rows could be known, `period` what a row forecasts, a day
    or a week; the model is that of most rows, None where fallbacks stood in for all.
    """

    cut_off: datetime
    available_at: datetime
    period: str
    model_name: str | None
    model_version: str | None


class Held:
    """The rows of one night: `rows` is an Arrow table of the answer's columns and of JSON."""

    def __init__(self, key: NightKey, rows: pa.Table, summary: Summary) -> None:
        self.key = key
        self.rows = rows
        self.summary = summary
        self.bytes = rows.nbytes


H = TypeVar("H", bound=Held)


class SumsNight(Held):
    """The sums of one night, in the order of their keys."""

    def select(self, wanted: Mapping[str, tuple[str, ...]]) -> pa.Table:
        """The rows of which each column named has one of the values, in order. No values mean all."""
        found = self.rows
        for column, values in wanted.items():
            if values:
                found = found.filter(pc.is_in(found[column], pa.array(values, pa.string())))
        return found


class Night(Held):
    """The forecasts of one night, ordered by site, product and date. `series`: ordered by site and product."""

    def __init__(self, key: NightKey, rows: pa.Table, series: pa.Table, summary: Summary) -> None:
        super().__init__(key, rows, summary)
        periods = series["periods"].to_pylist()
        offsets = accumulate(periods, initial=0)
        columns = [series[name].to_pylist() for name in ("site", "product", "first_date", "last_date")]
        self.series = [Series(*values) for values in zip(*columns, periods, offsets, strict=False)]
        self._by_code = {(s.site, s.product): i for i, s in enumerate(self.series)}
        self.bytes += SERIES_BYTES * len(self.series)

    def select_series(self, sites: tuple[str, ...], products: tuple[str, ...]) -> list[int]:
        """Positions in `series` of those asked for, in order."""
        if sites and products:
            pairs = ((site, product) for site in set(sites) for product in set(products))
            return sorted(self._by_code[pair] for pair in pairs if pair in self._by_code)
        if sites:
            return [i for site in sorted(set(sites)) for i in self._of_site(site)]
        if products:
            wanted = set(products)
            return [i for i, s in enumerate(self.series) if s.product in wanted]
        return list(range(len(self.series)))

    def select(self, selection: Selection) -> pa.Table:
        """The rows asked for, in order; slices of `rows`, copied only where dates are cut."""
        if selection.sites or selection.products:
            chosen = self.select_series(selection.sites, selection.products)
            found = self.rows.slice(0, 0)
            if chosen:
                found = pa.concat_tables([self.rows.slice(*span) for span in self._spans(chosen)])
        else:
            found = self.rows
        if selection.first:
            found = found.filter(pc.field("date") >= selection.first)
        if selection.last:
            found = found.filter(pc.field("date") <= selection.last)
        return found

    def _of_site(self, site: str) -> range:
        return range(
            bisect_left(self.series, site, key=lambda s: s.site), bisect_right(self.series, site, key=lambda s: s.site)
        )

    def _spans(self, chosen: Iterable[int]) -> list[tuple[int, int]]:
        """(offset, rows) of the chosen series, neighbours joined."""
        spans: list[tuple[int, int]] = []
        for i in chosen:
            series = self.series[i]
            if spans and sum(spans[-1]) == series.offset:
                spans[-1] = (spans[-1][0], spans[-1][1] + series.periods)
            else:
                spans.append((series.offset, series.periods))
        return spans


class Kept(Protocol):
    """What a shelf keeps: `key` names it, `bytes` is the memory that it takes."""

    @property
    def key(self) -> Hashable: ...
    @property
    def bytes(self) -> int: ...


K = TypeVar("K", bound=Kept)


class Shelf(Generic[K]):
    """The nights used last, at most `max_bytes` of them; each is read by one thread while others for it wait.

    At most READS are read at a time: reading takes several times the memory of what is kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._nights: OrderedDict[Hashable, K] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._reading: dict[Hashable, threading.Lock] = {}
        self._reads = threading.BoundedSemaphore(READS)

    @property
    def bytes(self) -> int:
        return self._bytes

    def find(self, key: Hashable) -> K | None:
        """The night if it is here."""
        with self._lock:
            night = self._nights.get(key)
            if night:
                self._nights.move_to_end(key)
            return night

    def get(self, key: Hashable, read: Callable[[], K]) -> K:
        """The night, read if it is not here. A night above `max_bytes` by itself is given but not kept."""
        night = self.find(key)
        if night:
            return night
        with self._lock:
            reading = self._reading.setdefault(key, threading.Lock())
        with reading:
            try:
                night = self.find(key)
                if night is None:
                    with self._reads:
                        night = self._keep(read())
            finally:
                with self._lock:
                    self._reading.pop(key, None)
        return night

    def _keep(self, night: K) -> K:
        if night.bytes > self._max_bytes:
            return night
        with self._lock:
            before = self._nights.pop(night.key, None)
            self._nights[night.key] = night
            self._bytes += night.bytes - (before.bytes if before else 0)
            while self._bytes > self._max_bytes:
                _, dropped = self._nights.popitem(last=False)
                self._bytes -= dropped.bytes
        return night
