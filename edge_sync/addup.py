"""Adds up rows of one key, for an ERP that exports order lines where the contract wants the day's quantity."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from edge_sync.land import UNREAD
from edge_sync.tally import Tally
from expectations.contract import Contract

_HOLD = 500_000  # rows to collect before the next adding-up, at least; more as the result grows


def add_up(tables: Iterator[pa.Table], contract: Contract, summed: tuple[str, ...], tally: Tally) -> Iterator[pa.Table]:
    """The rows with one row a key: `summed` columns added, the latest known time, of other columns the first value.

    Memory grows with the number of keys and not of rows. A row without its key or quantity, or with a cell that could
    not be read, goes on as it is. Each landed row that went into another is counted in `tally.merged`.
    """
    held: list[pa.Table] = []
    result = 0
    for table in tables:
        whole = _whole(table, contract, summed)
        yield table.filter(pc.invert(whole))
        held.append(table.filter(whole).select(contract.landing_schema.names))
        if sum(t.num_rows for t in held) > max(_HOLD, 2 * result):
            held = [_added(held, contract, summed, tally)]
            result = held[0].num_rows
    if held:
        yield _added(held, contract, summed, tally)


def _whole(table: pa.Table, contract: Contract, summed: tuple[str, ...]) -> pa.Array:
    """True for the rows that can be added up."""
    needed = [name for name in (*contract.keys, *summed) if name in table.column_names]
    valid = [pc.is_valid(table[name]) for name in needed]
    if UNREAD in table.column_names:
        valid.append(pc.is_null(table[UNREAD]))
    return reduce(pc.and_, valid)


def _added(tables: list[pa.Table], contract: Contract, summed: tuple[str, ...], tally: Tally) -> pa.Table:
    table = pa.concat_tables(tables)
    names = contract.landing_schema.names
    keys = [k for k in contract.keys if k in names]
    how = {name: "sum" if name in summed else "max" if name == contract.known_time else "first" for name in names}
    pairs = [(name, how[name]) for name in names if name not in keys]
    # In one thread: the order of additions, and with it the last digit, is the same in every run.
    added = table.group_by(keys, use_threads=False).aggregate(pairs)
    merged = table.num_rows - added.num_rows
    tally.merged += merged
    tally.landed -= merged
    return added.rename_columns([*keys, *[name for name, _ in pairs]]).select(names)
