"""Makes, edits and opens workbooks of a plan in memory."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from typing import Any

from openpyxl import load_workbook

from serving.exchange import edits
from serving.exchange.origin import Origin, opened
from serving.exchange.reading import Sheets
from serving.exchange.workbook import Line, write
from serving.identity.secret import Secret

SECRET = Secret(("k7Zt0pQ2vXw9LrB4mN8cY1sD6fG3hJ5a",))
NIGHT = date(2026, 3, 1)
DATES = tuple(NIGHT + timedelta(days=i) for i in range(1, 5))
MADE_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LINES = (
    Line("ankara", "P-1", "Pompa", [10.0, 11.0, 12.0, 13.0], [10.0, 99.0, 12.0, 13.0], [False, True, False, False]),
    Line("ankara", "P-2", None, [1.5, 2.5, 3.5, 4.5], [1.5, 2.5, 3.5, 4.5], [False] * 4),
    Line("bursa", "007", "=1+1", [5.0, None, 7.0, 8.0], [5.0, None, 7.0, 8.0], [False] * 4),
)


def made(lines=LINES, language="en", tenant="acme", secret=SECRET, dates=DATES) -> bytes:
    return write(Origin(tenant, NIGHT, 3, dates), lines, language, MADE_AT, secret)


def edited(body: bytes, change: Any, sheet: str = "Plan") -> bytes:
    """The workbook after `change` of a sheet, saved by openpyxl."""
    book = load_workbook(io.BytesIO(body))
    change(book[sheet])
    return saved(book)


def cells(**values: Any) -> Any:
    """A change that gives cells new values."""

    def change(sheet: Any) -> None:
        for cell, value in values.items():
            sheet[cell] = value

    return change


def saved(book: Any) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def found(body: bytes, tenant: str = "acme") -> tuple[list[edits.Edit], list[edits.Bad]]:
    """Edits and what cannot be taken."""
    sheets = Sheets(body)
    return edits.find(sheets, opened(edits.hidden_rows(sheets), tenant, SECRET))


def repacked(body: bytes, how: int = zipfile.ZIP_DEFLATED, **parts: bytes) -> bytes:
    """The same archive with some of its parts replaced, or others added; `__` stands for a slash, `_0` for a dot."""
    out, replaced = (
        io.BytesIO(),
        {name.replace("__", "/").replace("_0", "."): content for name, content in parts.items()},
    )
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", how) as new:
        for name in old.namelist():
            new.writestr(name, replaced.pop(name) if name in replaced else old.read(name))
        for name, content in replaced.items():
            new.writestr(name, content)
    return out.getvalue()


def part(body: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        return packed.read(name)
