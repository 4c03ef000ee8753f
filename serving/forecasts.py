"""Finds and reads the forecasts of a tenant: which night is the last good one, its rows, one forecast by its id."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic

from expectations.tables import DEMAND_FORECAST
from serving.laid import LaidFolder
from serving.lake import AnswerError, Lake, NotThereError, Snapshot
from serving.nights import H, Night, NightKey, Shelf, Summary
from serving.rows import files_of, month_of, tables_of
from serving.runs import Ledger, Runs

SHELF_BYTES = 512 * 2**20  # of a process; 2,000 nights that are mapped, 15 of 10,000 series that are not
FOUND_KEPT = 5000  # answers to "which night" kept

_NIGHTS = """
    SELECT night, list(DISTINCT run_id) AS runs FROM files WHERE tenant = $tenant GROUP BY night ORDER BY night DESC
"""
_ONE = "SELECT * EXCLUDE (night_month) FROM files WHERE tenant = $tenant AND forecast_id = $forecast_id"


class UnknownTenantError(AnswerError):
    """Neither the gold table nor the jobs' notes know the tenant."""

    kind = "unknown-tenant"

    def __init__(self, tenant: str) -> None:
        super().__init__(
            f"nothing is known of tenant '{tenant}': check the spelling, or load its files and run "
            "`uretimiq run nightly --tenant` with it"
        )


class NoGoodNightError(AnswerError):
    """The tenant is known, but none of its nights may be served; `failed` is the run that stopped the newest."""

    kind = "no-good-night"

    def __init__(self, tenant: str, failed: dict[str, Any] | None) -> None:
        why = "none has been forecast yet, see /v1/status"
        if failed:
            why = f"{failed['job']} of {failed['date']} {failed['status']}: {failed['reason']}"
        super().__init__(f"no night of '{tenant}' can be served: {why}")


class UnknownNightError(AnswerError):
    """The tenant has good nights, the `newest` among them, but none of the date asked for."""

    kind = "unknown-night"

    def __init__(self, tenant: str, night: date, newest: date) -> None:
        super().__init__(f"'{tenant}' has no good night of {night}; the newest is {newest}")


class UnknownForecastError(AnswerError):
    """No good night of the tenant has a forecast of that id."""

    kind = "unknown-forecast"

    def __init__(self, tenant: str, forecast_id: str) -> None:
        super().__init__(f"'{tenant}' has no forecast {forecast_id}: take the id from a row of its forecasts")


class GoneError(AnswerError):
    """The night that a cursor holds on to was written anew, withheld or deleted."""

    kind = "cursor-gone"

    def __init__(self, night: date) -> None:
        super().__init__(f"the night of {night} was written anew or deleted: begin again without cursor")


@dataclass(frozen=True)
class Found(Generic[H]):
    """A night, the table's version that it was found in, and the runs by which it was judged."""

    night: H
    version: int
    runs: Runs


class Forecasts:
    """Reads `demand_forecast`. Every query is of one tenant: by partition, and again in SQL."""

    def __init__(self, lake: Lake, ledger: Ledger, laid: LaidFolder) -> None:
        self._lake = lake
        self._ledger = ledger
        self._laid = laid
        self.table = lake.table(DEMAND_FORECAST)
        self._shelf: Shelf[Night] = Shelf(SHELF_BYTES)
        self._found: OrderedDict[tuple[object, ...], NightKey] = OrderedDict()
        self._listed: OrderedDict[tuple[str, str], tuple[object, list[NightKey]]] = OrderedDict()
        self._before: OrderedDict[tuple[object, ...], NightKey | None] = OrderedDict()
        self._lock = threading.Lock()
        self._looker = ThreadPoolExecutor(1, "look")
        self._looking: Future[None] = self._looker.submit(lambda: None)

    def night(self, tenant: str, night: date | None = None) -> Found[Night]:
        """The last good night of `tenant`, or that of date `night`.

        Raises UnknownTenantError, NoGoodNightError, UnknownNightError, NotThereError, UnreadableError.
        """
        runs = self._ledger.runs()

        def work(snapshot: Snapshot) -> Found[Night]:
            key = self._find(snapshot, runs, tenant, night)
            return Found(self._shelf.get(key, lambda: self._read(snapshot, key)), snapshot.version, runs)

        return self._lake.read(self.table, work)

    def newest(self) -> tuple[object, list[str]]:
        """What changes when any night does, and the tenants that have nights. Raises NotThereError, UnreadableError."""
        runs, snapshot = self._ledger.runs(), self.table.snapshot()
        return (snapshot.identity, runs.version), sorted(snapshot.months_by_tenant)

    @property
    def is_wanted(self) -> bool:
        """Whether any request reads a night, or waits for one, at this moment."""
        return self._shelf.is_wanted

    def at_hand(self, tenant: str, night: date | None) -> Found[Night] | None:
        """What `night()` gives, if that is in memory and was so within WAIT_SECONDS.

        Where a look into storage is due, a thread does it meanwhile: under load no request waits for it.
        """
        held, runs = self.table.held, self._ledger.at_hand
        if held is None or runs is None or not self.table.is_recent:
            return None
        key = self._found.get((held.identity, runs.version, tenant, night))
        found = self._shelf.find(key) if key else None
        if self.table.is_due and self._looking.done():
            self._looking = self._looker.submit(self._look)
        return Found(found, held.version, runs) if found else None

    def pinned(self, key: NightKey, version: int) -> Found[Night]:
        """The night that a cursor began with, though a newer one has come since. Raises GoneError, UnreadableError."""
        runs = self.good(key)
        night = self._lake.read(self.table, lambda snapshot: self._read_if_there(snapshot, key))
        if night is None:  # written anew since: the version that the cursor names still has it, until the next vacuum
            try:
                night = self._read_if_there(self.table.at(version), key)
            except Exception as error:
                raise GoneError(key.night) from error
        if night is None:
            raise GoneError(key.night)
        return Found(night, version, runs)

    def good(self, key: NightKey) -> Runs:
        """The runs by which a night that was served before still may be. Raises GoneError, UnreadableError."""
        runs = self._ledger.runs()
        if not _is_good(key.runs, key.tenant, runs):
            raise GoneError(key.night)
        return runs

    def before(self, key: NightKey) -> NightKey | None:
        """The last good night before the night `key`, to compare it with: of its month or the one before. Raises UnreadableError."""
        runs = self._ledger.runs()

        def work(snapshot: Snapshot) -> NightKey | None:
            asked = (snapshot.identity, runs.version, key)
            with self._lock:
                if asked in self._before:
                    return self._before[asked]
            months = [m for m in snapshot.months_by_tenant.get(key.tenant, ()) if m <= month_of(key.night)]
            nights = (other for month in months[:2] for other in self._nights(snapshot, key.tenant, month))
            good = (other for other in nights if other.night < key.night and _is_good(other.runs, key.tenant, runs))
            found = next(good, None)
            with self._lock:
                self._before[asked] = found
                while len(self._before) > FOUND_KEPT:
                    self._before.popitem(last=False)
            return found

        return self._lake.read(self.table, work)

    def one(self, tenant: str, forecast_id: str) -> dict[str, Any]:
        """The whole row of one forecast, of whichever good night.

        Raises UnknownTenantError, NoGoodNightError, UnknownForecastError, NotThereError, UnreadableError.
        """
        runs = self._ledger.runs()

        def work(snapshot: Snapshot) -> dict[str, Any]:
            row: dict[str, Any]
            params: dict[str, object] = {"tenant": tenant, "forecast_id": forecast_id}
            for month in _months(snapshot, tenant, runs):  # newest first: a planner asks about what he sees
                for row in self._lake.query(_ONE, params, files=files_of(snapshot, tenant, month)).to_pylist():
                    if _is_good((row["run_id"],), tenant, runs):
                        return row
            raise UnknownForecastError(tenant, forecast_id)

        return self._lake.read(self.table, work)

    def _look(self) -> None:
        with suppress(AnswerError):  # told to whom it concerns: to requests that need the store, and to /readyz
            self.table.snapshot()
            self._ledger.runs()

    def _find(self, snapshot: Snapshot, runs: Runs, tenant: str, night: date | None) -> NightKey:
        """The last good night, or that of a date; found once for each version of forecasts and runs."""
        asked = (snapshot.identity, runs.version, tenant, night)
        with self._lock:
            if asked in self._found:
                self._found.move_to_end(asked)
                return self._found[asked]
        months = [month_of(night)] if night else _months(snapshot, tenant, runs)
        good = (
            key
            for month in months
            for key in self._nights(snapshot, tenant, month)
            if night in (None, key.night) and _is_good(key.runs, tenant, runs)
        )
        key = next(good, None)
        if key is None and night:
            raise UnknownNightError(tenant, night, self._find(snapshot, runs, tenant, None).night)
        if key is None:
            raise NoGoodNightError(tenant, runs.failed_since(tenant, None))
        with self._lock:
            self._found[asked] = key
            while len(self._found) > FOUND_KEPT:
                self._found.popitem(last=False)
        return key

    def _nights(self, snapshot: Snapshot, tenant: str, month: str) -> list[NightKey]:
        """The tenant's nights of one month, newest first, good or not."""
        # Another tenant's night makes a new version of the table, and leaves these files as they were.
        asked = (snapshot.identity[0], snapshot.files_by_month.get((tenant, month)))
        with self._lock:
            listed = self._listed.get((tenant, month))
        if listed and listed[0] == asked:
            return listed[1]
        rows = self._lake.query(_NIGHTS, {"tenant": tenant}, files=files_of(snapshot, tenant, month)).to_pylist()
        nights = [NightKey(tenant, row["night"], tuple(sorted(row["runs"]))) for row in rows]
        with self._lock:
            self._listed[tenant, month] = asked, nights
            while len(self._listed) > FOUND_KEPT:
                self._listed.popitem(last=False)
        return nights

    def _read_if_there(self, snapshot: Snapshot, key: NightKey) -> Night | None:
        found = self._shelf.find(key)
        if found is None and key in self._nights(snapshot, key.tenant, month_of(key.night)):
            found = self._shelf.get(key, lambda: self._read(snapshot, key))
        return found

    def _read(self, snapshot: Snapshot, key: NightKey) -> Night:
        """The night, mapped from the file in which the first process to want it has laid it."""
        table, _ = snapshot.identity
        (summary, series, rows), is_mapped = self._laid.get((table, key), lambda: tables_of(self._lake, snapshot, key))
        make = Night.mapped if is_mapped else Night
        return make(key, rows, series, Summary(**summary.to_pylist()[0]))


def _is_good(run_ids: tuple[str, ...], tenant: str, runs: Runs) -> bool:
    return not any((tenant, run) in runs.withheld for run in run_ids)


def _months(snapshot: Snapshot, tenant: str, runs: Runs) -> list[str]:
    """The months of the tenant's nights, newest first. Raises UnknownTenantError, NoGoodNightError, NotThereError."""
    months = snapshot.months_by_tenant.get(tenant)
    if months:
        return months
    if tenant in runs.by_tenant:
        raise NoGoodNightError(tenant, runs.failed_since(tenant, None))
    if not snapshot.months_by_tenant:  # the first night is under way: its table is made before its rows
        raise NotThereError
    raise UnknownTenantError(tenant)
