"""Columns as text, and functions of text applied once to each different value."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc


def plain(array: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One array in place of chunks; a dictionary becomes its values, a decimal or large text the common type."""
    whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    kind = whole.type
    if pa.types.is_dictionary(kind):
        return plain(whole.cast(kind.value_type))
    if pa.types.is_decimal(kind):
        return whole.cast(pa.float64())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return whole.cast(pa.string())
    return whole


def as_text(array: pa.ChunkedArray | pa.Array, decimal: str, empty_values: tuple[str, ...] = ()) -> pa.Array:
    """The cells as trimmed text, null where nothing is in them. A typed number gets the sign `decimal`."""
    whole = plain(array)
    kind = whole.type
    if pa.types.is_floating(kind):
        text = pc.replace_substring(whole.cast(pa.float64()).cast(pa.string()), ".", decimal)
        text = pc.if_else(pc.is_nan(whole), None, text)
    elif pa.types.is_timestamp(kind):
        text = pc.replace_substring_regex(whole.cast(pa.string()), r"[ T]00:00:00(\.0+)?$", "")
    else:
        text = whole if pa.types.is_string(kind) else whole.cast(pa.string())
    text = pc.utf8_trim_whitespace(text)
    nothing = pc.is_in(text, pa.array(["", *empty_values]))
    return pc.if_else(nothing, None, text)


def by_value(text: pa.Array, function: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    """`function` of each text, computed once for each different one; null stays null."""
    if not len(text):
        return pa.array([], kind)
    encoded = text.dictionary_encode()
    return pa.array([function(t) for t in encoded.dictionary.to_pylist()], kind).take(encoded.indices)
