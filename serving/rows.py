"""The rows of a night: where they lie in the lake, and how they are read."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from expectations.tables import DEMAND_FORECAST
from serving.laid import Tables
from serving.lake import Lake, Snapshot
from serving.nights import NightKey

# What a row of an answer leaves out: it is the same in all rows (and in the answer's head), or is asked by id.
NOT_IN_ROWS = ("tenant", "table_versions", "run_id", "available_at", "night_month", "units_hierarchy")
ROW_COLUMNS = tuple(c.name for c in DEMAND_FORECAST.columns if c.name not in NOT_IN_ROWS)

_ROWS = f"""
    SELECT {", ".join(ROW_COLUMNS)}, available_at FROM files WHERE tenant = $tenant AND night = $night
    ORDER BY site, product, date
"""  # noqa: S608 - names of ours
_SERIES = """
    SELECT site, product, min(date) AS first_date, max(date) AS last_date, count(*) AS periods,
        sum(count(*)) OVER (ORDER BY site, product)::BIGINT - count(*) AS offset
    FROM rows GROUP BY site, product ORDER BY site, product
"""
SUMMARY = """
    SELECT max(cut_off) AS cut_off, max(available_at) AS available_at, mode(period) AS period,
        mode(model_name) AS model_name, mode(model_version) AS model_version FROM rows
"""


def month_of(night: date) -> str:
    return night.strftime("%Y-%m")


def files_of(snapshot: Snapshot, tenant: str, month: str) -> ds.Dataset:
    return snapshot.dataset([("tenant", "=", tenant), ("night_month", "=", month)])


def tables_of(lake: Lake, snapshot: Snapshot, key: NightKey) -> Tables:
    """The summary of a night, its series, and its rows, as `Summary` and `Night` want them."""
    params: dict[str, object] = {"tenant": key.tenant, "night": key.night}
    rows = lake.query(_ROWS, params, files=files_of(snapshot, key.tenant, month_of(key.night)))
    series = lake.query(_SERIES, {}, rows=rows)
    summary = lake.query(SUMMARY, {}, rows=rows)
    return summary, series, pa.table({name: compact(name, rows[name]) for name in ROW_COLUMNS})


def compact(name: str, column: pa.ChunkedArray) -> pa.Array:
    """Times become text as they are answered; what repeats is kept once."""
    column = column.combine_chunks()
    is_time = pa.types.is_timestamp(column.type)
    if not is_time and (not pa.types.is_string(column.type) or name == "forecast_id"):
        return column
    repeats = column.dictionary_encode()
    values = repeats.dictionary
    if is_time:
        values = pc.strftime(values.cast(pa.timestamp("s", "UTC"), safe=False), "%Y-%m-%dT%H:%M:%SZ")
    places = next((kind for kind in (pa.int8(), pa.int16()) if len(values) < 2 ** (kind.bit_width - 1)), pa.int32())
    return pa.DictionaryArray.from_arrays(repeats.indices.cast(places), values)
