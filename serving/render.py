"""Rows as JSON and CSV, and how a caller says which."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
from pydantic_core import to_json

CSV = "text/csv; charset=utf-8"
CSV_ROWS = 8192  # rows of one piece of the stream
BOM = "\ufeff".encode()  # tells Excel that the file is UTF-8


def json_bytes(value: dict[str, Any]) -> bytes:
    """`value` as JSON; dates and times as ISO 8601, what is not a number as null."""
    return to_json(value, inf_nan_mode="null")


def csv_pieces(rows: pa.Table, bom: bool) -> Iterator[bytes]:
    """`rows` as CSV (RFC 4180, UTF-8, header first, null as an empty field), piece by piece."""
    if bom:
        yield BOM
    first = True
    for piece in rows.to_batches(max_chunksize=CSV_ROWS) or [pa.RecordBatch.from_pylist([], schema=rows.schema)]:
        buffer = io.BytesIO()
        pa_csv.write_csv(piece, buffer, pa_csv.WriteOptions(include_header=first))
        first = False
        yield buffer.getvalue()


def wants_csv(asked: str | None, accept: str) -> bool:
    """`format` decides; without it the Accept header, in which CSV must be named to be meant."""
    if asked:
        return asked == "csv"
    weights = dict(_weight(part) for part in accept.split(",") if part.strip())
    json_weight = max(weights.get(kind, 0.0) for kind in ("application/json", "application/*"))
    return weights.get("text/csv", 0.0) > json_weight


def _weight(part: str) -> tuple[str, float]:
    kind, *parameters = (p.strip().lower() for p in part.split(";"))
    weight = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 0.0
