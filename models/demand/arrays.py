"""Array types, and the day as a number: days since 1970-01-01, as Arrow and Parquet store a date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.object_]

EPOCH = date(1970, 1, 1)


def days(dates: pd.Series | Sequence[Any]) -> Ints:
    """Days since 1970-01-01 of dates (`date` objects, timestamps or datetime64)."""
    return np.asarray(pd.to_datetime(pd.Series(dates)).to_numpy(), dtype="datetime64[D]").astype(np.int64)


def day(when: date) -> int:
    return (when - EPOCH).days


def to_date(number: int) -> date:
    return EPOCH + timedelta(days=int(number))


def micros(times: pd.Series) -> Ints:
    """Microseconds since 1970 UTC; a missing time is the greatest number there is ("never yet")."""
    stamps = pd.to_datetime(times, utc=True).dt.tz_localize(None)
    numbers = stamps.to_numpy(dtype="datetime64[us]").astype(np.int64)
    return np.where(stamps.isna().to_numpy(), np.iinfo(np.int64).max, numbers)


def strings(values: pd.Series) -> Strings:
    """Text with "" where it is missing."""
    return values.astype(object).where(values.notna(), "").to_numpy(dtype=object)


def nan_mean(values: Floats, axis: int = -1) -> Floats:
    """Mean without the unknown values; NaN where all are unknown (and no warning about it)."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return divide(total, count)


def divide(above: Floats, below: Floats | Ints) -> Floats:
    """Quotient; NaN where it would be divided by nothing, or by less."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    out: Floats = np.full(shape, np.nan)
    np.divide(above, below, out=out, where=np.nan_to_num(below) > 0)
    return out


def codes(values: Strings, words: Sequence[str] | Strings) -> Ints:
    """Position of each value in `words`, which are sorted; -1 for a word unknown."""
    if not len(words):
        return np.full(len(values), -1)
    known = np.array(words, dtype=object)
    at = np.clip(np.searchsorted(known, values), 0, len(known) - 1)
    return np.where(known[at] == values, at, -1).astype(np.int64)
