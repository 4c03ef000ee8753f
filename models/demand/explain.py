"""The explanation of a night's forecasts, a row a series: what drives it, the nearest past cases, and what changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from models.demand import words
from models.demand.arrays import Floats, Strings, codes, day, strings, to_date
from models.demand.attribution import medians, repeated_weeks, without_skill
from models.demand.calendar import Calendar
from models.demand.cases import Cases
from models.demand.drivers import DRIVERS, HIERARCHY, by_factor
from models.demand.fallback import CHAMPION
from models.demand.model import DemandModel
from models.demand.origins import Origins
from models.demand.parameters import HISTORY
from models.demand.periods import Period

DIGITS = 4  # of a piece a day (or week) in `by_day`
WHOLE = 1e-6  # of the forecast: nearer, nothing has changed
FORECAST = (
    "site",
    "product",
    "date",
    "horizon",
    "units_q50",
    "units_hierarchy",
    "method",
    "fallback_reason",
    "model_name",
    "model_version",
)
BEFORE = ("site", "product", "night", "by_day", "factors", "method", "model_version")
COLUMNS = (
    "site",
    "product",
    "units_q50",
    *(f"units_{d}" for d in DRIVERS),
    "by_day",
    "factors",
    "cases",
    "night_before",
    "units_change",
    "changes",
    "method",
    "fallback_reason",
    "model_name",
    "model_version",
    "text_tr",
    "text_en",
)


def explain(
    forecasts: pd.DataFrame,
    origins: Origins,
    calendar: Calendar,
    model: DemandModel | None,
    near: tuple[Strings, Cases],
    before: pd.DataFrame,
) -> pd.DataFrame:
    """A row with COLUMNS for each series of `forecasts` (FORECAST, of one tenant and night).

    `origins` and `calendar` are what the night's forecast was made from, `model` the version that made it, `near` the cases
    of its series (`cases.nearest`), `before` explanations of an earlier night, from an earlier period (BEFORE). Raises
    ValueError where a series has no origin: the forecast was made from others.
    """
    counts = origins.period
    series = _Series.of(forecasts, counts)
    at = codes(series.key, np.sort(origins.key))
    if (at < 0).any():
        raise ValueError(f"{series.key[at < 0][0]} was forecast and has no features now: run the night again")
    origins = origins.take(np.argsort(origins.key, kind="stable")[at])
    pieces = repeated_weeks(series.units)
    own = np.full(len(series.key), {}, dtype=object)  # by factor, each day's pieces
    by_history = np.flatnonzero(series.columns["method"] == HISTORY)
    pieces[by_history] = without_skill(origins.take(by_history), series.units[by_history])
    by_model = np.flatnonzero(series.columns["method"] == CHAMPION)
    if len(by_model) and model is not None:
        with_factors = medians(model, origins.take(by_model), calendar, series.units[by_model])
        pieces[by_model], outside = by_factor(with_factors, model.members.words.factors)
        own[by_model] = [{name: of[i] for name, of in outside.items()} for i in range(len(by_model))]
    pieces[..., DRIVERS.index(HIERARCHY)] = series.moved
    keys, cases_of = near
    row_of_case = dict(zip(keys.tolist(), range(len(keys)), strict=True))
    keys_before = (strings(before["site"]) + "/" + strings(before["product"])).tolist()
    records = ({str(n): v for n, v in r.items()} for r in before.to_dict("records"))
    known = dict(zip(keys_before, records, strict=True))
    rows = []
    for i, key in enumerate(series.key.tolist()):
        change = (
            changes(series.record(i), pieces[i], own[i], series.first - 1, known[key], counts) if key in known else None
        )
        found = cases_of.records(row_of_case[key]) if key in row_of_case else []
        rows.append(_row(series.record(i), pieces[i], own[i], found, change, counts.name))
    return pd.DataFrame(rows, columns=list(COLUMNS))


class _Series:
    """The night's medians as (n, horizon), sorted by key: `units` before, and `moved` what forecasts of sums added."""

    def __init__(self, key: Strings, units: Floats, moved: Floats, first: int, columns: Mapping[str, Strings]) -> None:
        self.key, self.units, self.moved, self.first, self.columns = key, units, moved, first, columns

    @classmethod
    def of(cls, forecasts: pd.DataFrame, counts: Period) -> _Series:
        key = strings(forecasts["site"]) + "/" + strings(forecasts["product"])
        ahead = forecasts["horizon"].to_numpy(dtype=np.int64)
        row, keys = pd.factorize(key, sort=True)
        first = np.full(len(keys), -1)
        first[row[::-1]] = np.arange(len(row))[::-1]
        units, moved = (np.full((len(keys), int(ahead.max())), np.nan) for _ in range(2))
        units[row, ahead - 1] = forecasts["units_q50"].to_numpy(dtype=float)
        # a forecast of before there was any has none
        moved[row, ahead - 1] = np.nan_to_num(forecasts["units_hierarchy"].to_numpy(dtype=float))
        if np.isnan(units).any():
            raise ValueError(
                f"{keys[np.isnan(units).any(axis=1)][0]}: {counts.name}s of its forecast are missing: run the night again"
            )
        first_period = counts.of(day(pd.Timestamp(forecasts["date"].iloc[0]).date())) - int(ahead[0]) + 1
        named = ("site", "product", "method", "fallback_reason", "model_name", "model_version")
        columns = {n: forecasts[n].to_numpy(dtype=object)[first] for n in named}
        return cls(keys, units - moved, moved, first_period, columns)

    def record(self, i: int) -> dict[str, Any]:
        return {name: values[i] if isinstance(values[i], str) else None for name, values in self.columns.items()}


def changes(
    row: Mapping[str, Any],
    pieces: Floats,
    own: Mapping[str, Floats],
    origin: int,
    before: Mapping[str, Any],
    counts: Period,
) -> dict[str, Any] | None:
    """Tonight's forecast, from the period `origin`, against an earlier night's, of the periods that both have; None without any.

    Pieces by driver add up to `units`; `own` are those by factor. Where the model's version is another, they say where the two
    models differ.
    """
    then = day(pd.Timestamp(before["night"]).date())
    said = json.loads(before["by_day"])
    nothing = [0.0] * len(next(iter(said.values())))  # of a driver that was not told yet
    old = np.array([said.get(d, nothing) for d in DRIVERS]).T
    shift = origin - counts.over(then)
    common = min(len(old) - shift, len(pieces))
    if shift < 1 or common < 1:
        return None
    now_pieces, old_pieces = pieces[:common].sum(axis=0), old[shift : shift + common].sum(axis=0)
    units, units_before = float(now_pieces.sum()), float(old_pieces.sum())
    away = {d: round(float(v), DIGITS) for d, v in zip(DRIVERS, now_pieces - old_pieces, strict=True)}
    return {
        "night": to_date(then).isoformat(),
        "periods": int(common),
        "units_before": round(units_before, DIGITS),
        "units_now": round(units, DIGITS),
        "units": round(units - units_before, DIGITS),
        "share": (units - units_before) / units_before if units_before > WHOLE else None,
        "drivers": away,
        "factors": _factors_away(own, json.loads(before.get("factors") or "{}"), shift, common),
        "method_changed": row["method"] != before["method"],
        "model_changed": row["method"] == before["method"] and row["model_version"] != before["model_version"],
        "model_version": row["model_version"],
        "model_version_before": before["model_version"],
    }


def _factors_away(
    now: Mapping[str, Floats], before: Mapping[str, list[float]], shift: int, common: int
) -> dict[str, float]:
    """What changed by each factor; one that a model does not know moves nothing in it."""
    found = {}
    for name in sorted({*now, *before}):
        of_now, of_before = now.get(name, np.zeros(0)), np.array(before.get(name, []))
        found[name] = round(float(of_now[:common].sum() - of_before[shift : shift + common].sum()), DIGITS)
    return found


def _row(
    record: Mapping[str, Any],
    pieces: Floats,
    own: Mapping[str, Floats],
    found: list[dict[str, object]],
    change: Mapping[str, Any] | None,
    period: str,
) -> dict[str, Any]:
    total = dict(zip(DRIVERS, pieces.sum(axis=0).tolist(), strict=True))
    by_day = {d: np.round(pieces[:, i], DIGITS).tolist() for i, d in enumerate(DRIVERS)}
    said = {
        f"text_{language}": words.text(
            language,
            series=f"{record['site']}/{record['product']}",
            drivers=total,
            factors={name: float(of.sum()) for name, of in own.items()},
            periods=(len(pieces), period),
            method=record["method"],
            change=change,
            cases=found,
        )
        for language in words.LANGUAGES
    }
    return {
        **record,
        **said,
        "units_q50": sum(total.values()),
        **{f"units_{d}": v for d, v in total.items()},
        "by_day": json.dumps(by_day, separators=(",", ":")),
        "factors": json.dumps({n: np.round(of, DIGITS).tolist() for n, of in own.items()}, separators=(",", ":")),
        "cases": json.dumps(found, separators=(",", ":"), ensure_ascii=False),
        "night_before": pd.Timestamp(change["night"]).date() if change else None,
        "units_change": change["units"] if change else None,
        "changes": json.dumps(change, separators=(",", ":"), ensure_ascii=False) if change else None,
    }
