"""Rows as JSON, CSV and Arrow, and how a caller says which."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from pyarrow import ipc
from pydantic_core import to_json

from expectations.contract import Contract

CSV = "text/csv; charset=utf-8"
ARROW = "application/vnd.apache.arrow.stream"
FORMS = {"json": ("application/json", "application/*"), "csv": ("text/csv",), "arrow": (ARROW,)}
PIECE_ROWS = 8192  # rows of one piece of the stream
CHUNK_ROWS = 65_536  # an Arrow array of strings holds 2 GB at most
ESCAPED = r'["\\\x00-\x1f]'  # what JSON writes otherwise than it is
BOM = "\ufeff".encode()  # tells Excel that the file is UTF-8


def json_bytes(value: dict[str, Any]) -> bytes:
    """`value` as JSON; dates and times as ISO 8601, what is not a number as null."""
    return to_json(value, inf_nan_mode="null")


def _json_lines(rows: pa.Table) -> Iterator[pa.Array]:
    """Each row as the text of a JSON object and a comma: neighbours make a list as they lie in memory."""
    names = [json.dumps(name) for name in rows.column_names]
    for batch in rows.combine_chunks().to_batches(max_chunksize=CHUNK_ROWS):
        parts: list[Any] = []
        for i, name in enumerate(names):
            parts += [f"{',' if i else '{'}{name}:", _json_values(batch.column(i))]
        yield pc.binary_join_element_wise(*parts, "},", "")


def _json_values(column: pa.Array) -> pa.Array:
    """The values of a column as JSON texts; what is no number is null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        texts = pc.if_else(pc.is_finite(column), column, None).cast(pa.string())
    elif pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        texts = column.cast(pa.string())
    elif pa.types.is_string(column.type) and pc.any(pc.match_substring_regex(column, ESCAPED)).as_py():
        texts = pa.array([json.dumps(value, ensure_ascii=False) for value in column.to_pylist()], pa.string())
    else:
        texts = pc.binary_join_element_wise('"', column.cast(pa.string()), '"', "")
    return pc.fill_null(texts, "null")


def json_page(head: dict[str, Any], name: str, rows: pa.Table) -> bytes:
    """`head` as a JSON object with one member more: `name`, the list of `rows`."""
    texts = b"".join(_text(chunk) for chunk in _json_lines(rows))
    return b"%b,%b:[%b]}" % (json_bytes(head)[:-1], json.dumps(name).encode(), texts[:-1])


def _text(strings: pa.Array) -> memoryview:
    """The text of neighbouring strings as it lies in memory."""
    _, offsets, text = strings.buffers()
    bounds = memoryview(offsets).cast("i")
    return memoryview(text or b"")[bounds[strings.offset] : bounds[strings.offset + len(strings)]]


def csv_pieces(rows: pa.Table, bom: bool) -> Iterator[bytes]:
    """`rows` as CSV (RFC 4180, UTF-8, header first, null as an empty field), piece by piece."""
    if bom:
        yield BOM
    first = True
    for piece in rows.to_batches(max_chunksize=PIECE_ROWS) or [pa.RecordBatch.from_pylist([], schema=rows.schema)]:
        buffer = io.BytesIO()
        pa_csv.write_csv(_with_texts(piece), buffer, pa_csv.WriteOptions(include_header=first))
        first = False
        yield buffer.getvalue()


def _with_texts(rows: pa.RecordBatch) -> pa.RecordBatch:
    """`rows`, of which moments are texts in ISO's form, in UTC."""
    for i, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            texts = pc.strftime(rows.column(i).cast(pa.timestamp("us", "UTC")), "%Y-%m-%dT%H:%M:%SZ")
            rows = rows.set_column(i, field.name, texts)
    return rows


def arrow_pieces(rows: pa.Table, contract: Contract) -> Iterator[bytes]:
    """`rows`, columns of `contract`, as a stream of Arrow's IPC format; text that repeats comes as dictionaries."""
    rows, buffer = rows.unify_dictionaries(), io.BytesIO()
    moments = {c.name: c.type for c in contract.columns if pa.types.is_timestamp(c.type)}
    empty = pa.RecordBatch.from_pylist([], schema=rows.schema)
    with ipc.new_stream(buffer, _with_moments(empty, moments).schema) as writer:
        for piece in rows.to_batches(max_chunksize=PIECE_ROWS):
            writer.write_batch(_with_moments(piece, moments))
            yield _taken(buffer)
    yield _taken(buffer)  # how it ends


def _with_moments(rows: pa.RecordBatch, moments: dict[str, pa.DataType]) -> pa.RecordBatch:
    """`rows`, of which moments became text: as moments again."""
    for name, kind in moments.items():
        if name in rows.schema.names and pa.types.is_dictionary(rows[name].type):
            column = rows[name]
            restored = column.dictionary.cast(kind).take(column.indices)
            rows = rows.set_column(rows.schema.get_field_index(name), name, restored)
    return rows


def _taken(buffer: io.BytesIO) -> bytes:
    written = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return written


def form_of(asked: str | None, accept: str) -> str:
    """json, csv or arrow: `format` decides; without it the Accept header, in which CSV or Arrow must be named to be meant."""
    if asked or not accept or accept == "*/*":
        return asked or "json"
    weights = dict(_weight(part) for part in accept.split(",") if part.strip())
    of_form = {form: max(weights.get(kind, 0.0) for kind in kinds) for form, kinds in FORMS.items()}
    return max(of_form, key=lambda form: of_form[form])  # of equals the first


def _weight(part: str) -> tuple[str, float]:
    kind, *parameters = (p.strip().lower() for p in part.split(";"))
    weight = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 0.0
