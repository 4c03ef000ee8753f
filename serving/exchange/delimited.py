"""CSV as a spreadsheet of one language reads it: Turkish has `;` between fields and `,` before decimals.

Arrow writes neither a decimal comma nor numbers as text without quotes, so the lines are joined here, column by column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from serving.render import BOM, PIECE_ROWS

Language = Literal["tr", "en"]
_MARKS = {"tr": (";", ","), "en": (",", ".")}
_FORMULA = r"^([=+\-@\t\r])"  # what a spreadsheet that opens the file would run


def pieces(rows: pa.Table, language: Language, bom: bool) -> Iterator[bytes]:
    """`rows` as CSV, header first, piece by piece. A text that would be taken as a formula gets a `'` before it."""
    separator, decimal = _MARKS[language]
    if bom:
        yield BOM
    yield (separator.join(rows.column_names) + "\n").encode()
    for batch in rows.to_batches(max_chunksize=PIECE_ROWS):
        fields = [_texts(column, decimal) for column in batch.columns]
        lines = pc.binary_join_element_wise(*fields, separator)
        yield ("\n".join(lines.to_pylist()) + "\n").encode()


def _texts(column: pa.Array, decimal: str) -> Any:
    """The values as fields; null is an empty one."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        finite = pc.if_else(pc.is_finite(column), column, None)
        texts = pc.replace_substring(finite.cast(pa.string()), ".", decimal)
    elif pa.types.is_string(column.type):
        safe = pc.replace_substring_regex(column, _FORMULA, r"'\1")
        texts = pc.binary_join_element_wise('"', pc.replace_substring(safe, '"', '""'), '"', "")
    else:
        texts = column.cast(pa.string())
    return pc.fill_null(texts, "")
