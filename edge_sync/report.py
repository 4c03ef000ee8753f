"""What the command line prints for people: outcomes, first rows, progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime

import click
import pyarrow as pa

from edge_sync.importer import Outcome
from edge_sync.land import UNREAD

_EVERY_SECONDS = 5.0
_WIDEST = 28


class Progress:
    """Tells on standard error how far a long file is; a short one ends before it says anything."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._next = clock() + _EVERY_SECONDS

    def __call__(self, rows: int, share: float) -> None:
        if self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY_SECONDS
        done = f", {share:.0%}" if share else ""
        click.echo(f"{self._name}: {rows:,} rows read{done}", err=True)


def show_outcome(outcome: Outcome) -> None:
    """One line of what happened, then what a person has to look at."""
    tally = outcome.tally
    if outcome.status == "already imported":
        click.echo(
            f"{outcome.file}: already imported at {outcome.earlier}; nothing done (--again imports it once more)"
        )
        return
    left_out = [
        f"{count:,} {what}"
        for count, what in (
            (tally.filtered, "filtered out"),
            (tally.blank, "blank"),
            (tally.merged, "added to another of their key"),
            (tally.empty, "empty cells"),
        )
        if count
    ]
    where = f" in {plural(len(outcome.manifests), 'object')}" if outcome.manifests else ""
    more = f" ({', '.join(left_out)})" if left_out else ""
    click.echo(
        f"{outcome.file}: {outcome.status}: {plural(tally.read, 'row')} read, {tally.landed:,} landed{where}{more}"
    )
    for line in warnings(outcome):
        click.echo(f"warning: {line}", err=True)
    if outcome.first is not None:
        click.echo(as_grid(outcome.first))


def warnings(outcome: Outcome) -> list[str]:
    """What a person should look at in a file that was imported all the same."""
    tally = outcome.tally
    lines = []
    for column, count in tally.unread.items():
        lines.append(
            f"{outcome.file}: {count:,} cells for {column!r} could not be read; their text is kept in {UNREAD}"
        )
    if tally.ragged:
        lines.append(f"{outcome.file}: {tally.ragged:,} rows don't fit the header; their text is kept in {UNREAD}")
    lines += [f"{outcome.file}:{p.row}: {p.column}: {p.text[:200]!r}" for p in tally.places]
    if outcome.duplicate_keys:
        lines.append(
            f"{outcome.file}: {outcome.duplicate_keys:,} rows share their key with another row of the file;"
            " of each key only one row will be the current one"
        )
    return lines


def as_grid(table: pa.Table) -> str:
    """Rows as text in columns."""
    names = table.column_names
    rows = [names, *([_cell(row[name]) for name in names] for row in table.to_pylist())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def plural(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    text = value.isoformat() if isinstance(value, date | datetime) else str(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."
