"""The sums of a night's forecast: rows over all series that are served, whatever method each of them has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.demand.arrays import Floats, Strings, day
from models.demand.fallback import CHAMPION
from models.demand.hierarchy import BOTTOM, Hierarchy
from models.demand.hierarchy import COLUMNS as NAMES
from models.demand.parameters import QUANTILE_COLUMNS
from models.demand.periods import PERIODS
from models.demand.spans import spans
from models.demand.sums import Piece, Sums

COLUMNS = (
    "period",
    "level",
    *NAMES,
    "date",
    "days",
    "units_point",
    *QUANTILE_COLUMNS,
    "series",
    "series_by_fallback",
)


def sums(rows: pd.DataFrame, columns: Mapping[str, Strings], model: Sums, seed: int) -> pd.DataFrame:
    """Rows with COLUMNS of `rows`, which are those of `models.demand.forecast.forecast` of one tenant and night.

    `columns` are those of the hierarchy, of each series in the order of the rows. The same rows, model and seed give the same sums.
    """
    if rows.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    horizon = int(rows["horizon"].max())
    first = rows.iloc[::horizon]
    quantiles = rows[list(QUANTILE_COLUMNS)].to_numpy(dtype=float).reshape(-1, horizon, 3)
    point = rows["units_point"].to_numpy(dtype=float).reshape(-1, horizon)
    counts = PERIODS[first["period"].iloc[0]]
    pieces = spans(counts.of(day(first["date"].iloc[0])) - 1, horizon, counts)
    of_level = _counts(Hierarchy.of(columns), np.asarray(first["method"] != CHAMPION, dtype=float))
    parts = [_rows(piece, *of_level[piece.level]) for piece in model.forecast(quantiles, point, columns, pieces, seed)]
    return pd.concat(parts, ignore_index=True)


def _counts(tree: Hierarchy, fallback: Floats) -> dict[str, tuple[Floats, Floats]]:
    """By level, how many series each sum holds, and how many of them a fallback forecast."""
    both = np.stack([np.ones(tree.series), fallback], axis=1)
    found = {level.name: (level.matrix @ both) for level in tree.levels} | {BOTTOM: both}
    return {name: (counts[:, 0], counts[:, 1]) for name, counts in found.items()}


def _rows(piece: Piece, series: Floats, fallback: Floats) -> pd.DataFrame:
    many, long = piece.points.shape
    each = np.repeat(np.arange(many), long)
    nothing = np.full(many, "", dtype=object)
    names = {c: np.asarray(piece.keys.get(c, nothing), dtype=object)[each] for c in NAMES}
    return pd.DataFrame(
        {
            "period": piece.spans.period,
            "level": piece.level,
            **{c: [value or None for value in values] for c, values in names.items()},
            "date": np.tile(piece.spans.first.astype("datetime64[s]"), many),
            "days": np.tile(piece.spans.days, many).astype(np.int32),
            "units_point": piece.points.reshape(-1),
            **{name: piece.quantiles[..., k].reshape(-1) for k, name in enumerate(QUANTILE_COLUMNS)},
            "series": series[each].astype(np.int32),
            "series_by_fallback": fallback[each].astype(np.int32),
        },
        columns=list(COLUMNS),
    )
