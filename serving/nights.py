"""A tenant's night in memory: its forecasts in order, found by series, or its sums; and the nights read last, within bounds."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Generic, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

READS = 2
MAPPED_BYTES = 250_000  # memory of a night whose tables are mapped from a file, of 10,000 series, measured


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


class SeriesList(Sequence[Series]):
    """The series of a night as they lie in a table: an entry is made when it is asked for."""

    def __init__(self, table: pa.Table) -> None:
        columns = {name: _whole(table[name]) for name in (f.name for f in fields(Series))}
        self.table = pa.table(columns)
        self._products: pa.StringArray = columns["product"]
        self._periods, self._offsets = columns["periods"], columns["offset"]
        self._of_site: dict[str, range] = {}
        begin = 0
        for count in pc.value_counts(columns["site"]).to_pylist():  # in the order in which they come
            self._of_site[count["values"]] = range(begin, begin + count["counts"])
            begin += count["counts"]

    def __len__(self) -> int:
        return len(self._products)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            raise TypeError("series are asked for one by one, or all of them by their table")
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        return Series(*(column[i].as_py() for column in self.table.columns))

    def __iter__(self) -> Iterator[Series]:
        return map(Series, *(column.to_pylist() for column in self.table.columns))

    @property
    def first_date(self) -> date | None:
        """Of the series that begins first; None without series."""
        first: date | None = pc.min(self.table["first_date"]).as_py()
        return first

    def select(self, sites: tuple[str, ...], products: tuple[str, ...]) -> list[int]:
        """Positions of those asked for, in order; nothing asked is all."""
        if not sites:
            if not products:
                return list(range(len(self)))
            found: list[int] = pc.indices_nonzero(pc.is_in(self._products, pa.array(products, pa.string()))).to_pylist()
            return found
        of_sites = [self._of_site.get(site, range(0)) for site in sorted(set(sites))]
        if not products:
            return [i for of_site in of_sites for i in of_site]
        wanted = sorted(set(products))
        return [i for of_site in of_sites for product in wanted if (i := self._place(of_site, product)) is not None]

    def _place(self, of_site: range, product: str) -> int | None:
        i = bisect_left(self._products, product, of_site.start, of_site.stop, key=pa.StringScalar.as_py)
        return i if i < of_site.stop and self._products[i].as_py() == product else None

    def spans(self, chosen: Iterable[int]) -> list[tuple[int, int]]:
        """(offset, rows) of the chosen series, neighbours joined."""
        spans: list[tuple[int, int]] = []
        for i in chosen:
            offset, periods = self._offsets[i].as_py(), self._periods[i].as_py()
            if spans and sum(spans[-1]) == offset:
                spans[-1] = (spans[-1][0], spans[-1][1] + periods)
            else:
                spans.append((offset, periods))
        return spans


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array; that of a single chunk as it lies in its file, where combining would copy it."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


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
    """The rows of one night: `rows` is an Arrow table of the answer's columns."""

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
    """The forecasts of one night, ordered by site, product and date.

    `series` are ordered by site and product: site, product, first_date, last_date, periods, and the offset of the first row.
    """

    def __init__(self, key: NightKey, rows: pa.Table, series: pa.Table, summary: Summary) -> None:
        super().__init__(key, rows, summary)
        self.series = SeriesList(series)
        self.bytes += series.nbytes

    @classmethod
    def mapped(cls, key: NightKey, rows: pa.Table, series: pa.Table, summary: Summary) -> Night:
        """A night whose tables lie in a file: its pages are not the process's own."""
        night = cls(key, rows, series, summary)
        night.bytes = MAPPED_BYTES
        return night

    def select_series(self, sites: tuple[str, ...], products: tuple[str, ...]) -> list[int]:
        """Positions in `series` of those asked for, in order."""
        return self.series.select(sites, products)

    def select(self, selection: Selection) -> pa.Table:
        """The rows asked for, in order; slices of `rows`, copied only where dates are cut."""
        if selection.sites or selection.products:
            chosen = self.series.select(selection.sites, selection.products)
            found = self.rows.slice(0, 0)
            if chosen:
                found = pa.concat_tables([self.rows.slice(*span) for span in self.series.spans(chosen)])
        else:
            found = self.rows
        if selection.first:
            found = found.filter(pc.field("date") >= selection.first)
        if selection.last:
            found = found.filter(pc.field("date") <= selection.last)
        return found


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

    @property
    def is_wanted(self) -> bool:
        """Whether anybody reads a night, or waits for one, at this moment."""
        return bool(self._reading)

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
