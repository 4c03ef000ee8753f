"""Reads a night's sums over the hierarchy, of the night whose forecasts are served."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from expectations.tables import DEMAND_FORECAST_SUMS
from serving.forecasts import Forecasts, Found, GoneError
from serving.lake import AnswerError, Lake, NotThereError, Snapshot
from serving.nights import NightKey, Shelf, Summary, SumsNight
from serving.rows import NOT_IN_ROWS, SUMMARY, compact, files_of, month_of

SHELF_BYTES = 512 * 2**20  # one tenant of 30,000 series has 770,000 sums, which take 90 MB
SUM_COLUMNS = tuple(c.name for c in DEMAND_FORECAST_SUMS.columns if c.name not in NOT_IN_ROWS)
# Of the very runs that wrote the forecasts: the sums of an older writing of the night would be of other numbers.
_ROWS = """
    SELECT * FROM files WHERE tenant = $tenant AND night = $night AND list_contains($runs, run_id)
    ORDER BY period, level, site, product_group, product_sub_group, product, date
"""


class NoSumsError(AnswerError):
    """The night is served, and has no sums."""

    kind = "no-sums"

    def __init__(self, tenant: str, night: date) -> None:
        super().__init__(
            f"the night of {night} of '{tenant}' has no sums: they need a champion that knows them (run "
            f"`uretimiq run monthly --tenant {tenant}`); if the night was written just now, ask again in a minute"
        )


class Sums:
    """Reads `demand_forecast_sums`; which night is served, `forecasts` says."""

    def __init__(self, lake: Lake, forecasts: Forecasts) -> None:
        self._lake = lake
        self._forecasts = forecasts
        self._table = lake.table(DEMAND_FORECAST_SUMS)
        self._shelf: Shelf[SumsNight] = Shelf(SHELF_BYTES)

    def night(self, tenant: str, night: date | None = None) -> Found[SumsNight]:
        """The sums of the last good night of `tenant`, or of that of date `night`.

        Raises NoSumsError, and what `Forecasts.night` raises.
        """
        served = self._forecasts.night(tenant, night)
        key = served.night.key

        def work(snapshot: Snapshot) -> Found[SumsNight]:
            return Found(self._read(snapshot, key), snapshot.version, served.runs)

        try:
            return self._lake.read(self._table, work)
        except NotThereError as error:
            raise NoSumsError(tenant, key.night) from error

    def pinned(self, key: NightKey, version: int) -> Found[SumsNight]:
        """The sums that a cursor began with, though a newer night has come since. Raises GoneError, UnreadableError."""
        runs = self._forecasts.good(key)
        try:
            return Found(self._lake.read(self._table, lambda now: self._read(now, key)), version, runs)
        except NoSumsError:  # written anew since
            try:
                return Found(self._read(self._table.at(version), key), version, runs)
            except Exception as error:
                raise GoneError(key.night) from error

    def _read(self, snapshot: Snapshot, key: NightKey) -> SumsNight:
        return self._shelf.get(key, lambda: self._rows(snapshot, key))

    def _rows(self, snapshot: Snapshot, key: NightKey) -> SumsNight:
        params: dict[str, object] = {"tenant": key.tenant, "night": key.night, "runs": list(key.runs)}
        files = files_of(snapshot, key.tenant, month_of(key.night))
        rows = self._lake.query(_ROWS, params, files=files)
        if not rows.num_rows:
            raise NoSumsError(key.tenant, key.night)
        summary = Summary(**self._lake.query(SUMMARY, {}, rows=rows).to_pylist()[0])
        answered = pa.table({name: compact(name, rows[name]) for name in SUM_COLUMNS})
        return SumsNight(key, answered, summary)
