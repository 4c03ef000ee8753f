"""The parameters of a demand training: frozen, logged whole, and enough with the data to repeat it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from expectations.tables import HORIZON_DAYS, MAX_HORIZON
from models.demand.factors import MAX_FACTORS
from models.demand.periods import DAY, PERIODS, WEEK, Period

SEASONAL_NAIVE, HISTORY, LIGHTGBM, LSTM = "seasonal_naive", "history", "lightgbm", "lstm"
REGRESSION = "regression"
TSB = "tsb"  # for series that are sold now and then
AUTOGLUON = "autogluon"  # in no usual set-up: see `models.demand.autogluon`
PROPHET, MSTL, ETS, THETA = "prophet", "mstl", "ets", "theta"
PATHS = (PROPHET, MSTL, ETS, THETA)  # fitted series by series
OF_LARGEST = (*PATHS, AUTOGLUON)  # they know only the series with the most units
FLOORS = (SEASONAL_NAIVE, HISTORY)  # without skill: each model must beat both
DAILY_ONLY = (PROPHET,)  # it knows weeks and years of days
MEMBERS = (*FLOORS, LIGHTGBM, LSTM, REGRESSION, *PATHS, TSB, AUTOGLUON)
QUANTILES = (0.1, 0.5, 0.9)
QUANTILE_COLUMNS = ("units_q10", "units_q50", "units_q90")  # of the tables of forecasts
MEDIAN = 0.5
FETCHED = ("Chronos", "Toto")  # families of AutoGluon's models
T = TypeVar("T")


class ParameterError(ValueError):
    """A parameter that does not exist or cannot be; one line with its name, its value and the remedy."""


@dataclass(frozen=True)
class TreeParameters:
    """The global LightGBM: three boosters, one a quantile. Size is for large tenants; `fitting` makes it smaller."""

    rounds: int = 400
    learning_rate: float = 0.07
    tail_rounds: int = 120  # the tails are widened or narrowed by what the folds show anyhow
    tail_learning_rate: float = 0.08
    leaves: int = 48
    min_days_in_leaf: int = 12  # of one series: each day is in up to 28 rows of the frame
    column_share: float = 0.6
    row_share: float = 0.7
    l2: float = 5.0

    def fitting(self, days: int) -> TreeParameters:
        """Fewer and smaller trees where there are few `days` (of all series) to learn from.

        Measured on origins before the last 28 days: 5,000 days of the factory like 150 trees of 16 leaves (pinball loss
        0.136 against 0.143), 50,000 of M5 like 400 of 48 (0.263 against 0.264 with 250).
        """
        rounds, leaves = max(120, days // 100), max(12, days // 400)
        return dataclasses.replace(
            self,
            rounds=min(self.rounds, rounds),
            tail_rounds=min(self.tail_rounds, rounds),
            leaves=min(self.leaves, leaves),
        )


@dataclass(frozen=True)
class PathParameters:
    """Prophet and the statistical methods, one fit a series: only the series with the most units have one."""

    max_series: int = 100
    min_days: int = 120  # below, a trend follows noise; in periods, as all that is called days here
    history_days: int = 731  # as far back as the calendar of features goes: before it no day would be a holiday
    changepoint_prior_scale: float = 0.05
    path_days: int = 120  # how far ahead its path is stored: a champion that old should have been replaced
    max_sums: int = 60  # sums of series with a fit of their own, by which the series are reconciled; 0 for none


@dataclass(frozen=True)
class RegressionParameters:
    """The regression on the calendar, one a series. Measured on Rossmann's and M5's folds before the test."""

    history_days: int = 731  # as far back as the calendar of features goes
    half_life_days: int = 500  # a period so long ago counts half
    min_days: int = 56
    ridge: float = 2.0  # in days: so many say that a series is as the others are


@dataclass(frozen=True)
class LstmParameters:
    """The global LSTM: reads four weeks, writes 28 days of three quantiles."""

    units: int = 32
    hidden: int = 48
    epochs: int = 12
    batch: int = 256
    learning_rate: float = 3e-3
    max_windows: int = 12_000
    patience: int = 3
    min_windows: int = 300  # below, it has nothing to learn a network from


@dataclass(frozen=True)
class AutoGluonParameters:
    """AutoGluon: minutes a fit, and a training has a fit a fold and one more.

    Its presets would fetch weights at run time; `models` are those of `medium_quality` that need none.
    """

    models: tuple[str, ...] = ("SeasonalNaive", "ETS", "Theta", "RecursiveTabular", "DirectTabular")
    seconds: int = 600  # of a fit
    max_series: int = 500
    min_days: int = 84  # below, it has nothing to validate its models by; in periods
    history_days: int = 731

    def __post_init__(self) -> None:
        for model in self.models:
            if model.startswith(FETCHED):
                raise ParameterError(f"autogluon.models: {model} fetches its weights at run time; name others")
        for name in ("seconds", "max_series"):
            if getattr(self, name) < 1:
                raise ParameterError(f"autogluon.{name}={getattr(self, name)}: give at least 1")


@dataclass(frozen=True)
class Parameters:
    """All of it. The defaults serve 41 products of half a year and 15,000 series of five years alike.

    What is called days here counts in `period`; of weeks `parameters` has other defaults (OF_WEEKS).
    """

    # Of days the statistical methods bring nothing beside these (no weight on M5 or the factory); of weeks they do.
    members: tuple[str, ...] = (*FLOORS, LIGHTGBM, LSTM, REGRESSION, TSB, PROPHET)
    period: str = DAY.name
    horizon: int = HORIZON_DAYS  # periods ahead
    seed: int = 7
    threads: int = 0  # of LightGBM and the LSTM; 0 for as many as the machine has cores
    history_days: int = 730  # origins older than that are not learned from
    max_origins: int = 60_000  # feature rows (series and day) that are read of a tenant with more
    max_rows: int = 250_000  # of the supervised frame: a core fits that in half a minute
    folds: int = 3
    fold_days: int = 28
    min_history_days: int = 56  # what the first fold must have to learn from
    evaluation_max_series: int = 1_500  # beyond, the folds are judged on a fixed sample of the series
    factors: tuple[str, ...] = ()  # numbers from outside to learn from; empty for all that the tenant has
    challenger: str = ""  # a member that the monthly training tries by itself, as a second model: autogluon
    trees: TreeParameters = field(default_factory=TreeParameters)
    paths: PathParameters = field(default_factory=PathParameters)
    lstm: LstmParameters = field(default_factory=LstmParameters)
    regression: RegressionParameters = field(default_factory=RegressionParameters)
    autogluon: AutoGluonParameters = field(default_factory=AutoGluonParameters)

    def __post_init__(self) -> None:
        if self.period not in PERIODS:
            raise ParameterError(f"period={self.period!r}: a tenant counts in one of {', '.join(PERIODS)}")
        if not isinstance(self.horizon, int) or not 1 <= self.horizon <= MAX_HORIZON:
            raise ParameterError(f"horizon={self.horizon!r}: give a whole number of {self.period}s, 1 to {MAX_HORIZON}")
        self._check_members()
        if len(self.factors) > MAX_FACTORS:
            raise ParameterError(f"factors: {len(self.factors)} are named, a model takes {MAX_FACTORS}")
        for name in ("folds", "fold_days", "max_rows", "history_days"):
            if getattr(self, name) < 1:
                raise ParameterError(f"{name}={getattr(self, name)}: give at least 1")

    def _check_members(self) -> None:
        for member in self.members:
            if member not in MEMBERS:
                raise ParameterError(f"members: no member {member!r}; there are {', '.join(MEMBERS)}")
        if self.challenger not in ("", AUTOGLUON):
            raise ParameterError(f"challenger={self.challenger!r}: {AUTOGLUON}, or leave it out")
        for member in DAILY_ONLY if self.counts != DAY else ():
            if member in self.members:
                raise ParameterError(f"members: {member} knows days alone; leave it out for {self.period}s")

    @property
    def pool(self) -> tuple[str, ...]:
        """The members, and the floors whether they were named or not."""
        return (*FLOORS, *(m for m in self.members if m not in FLOORS))

    @property
    def rival(self) -> Parameters | None:
        """Of the second model of a monthly training: the challenger's member beside the floors; None without one."""
        alone = (*FLOORS, self.challenger)
        return dataclasses.replace(self, members=alone, challenger="") if self.challenger else None

    @property
    def counts(self) -> Period:
        return PERIODS[self.period]

    @property
    def panel_days(self) -> int:
        """Periods of sales before a night that a training reads."""
        return max(self.paths.history_days, self.history_days + self.folds * self.fold_days) + self.horizon

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; `parameters` reads it back."""
        values = dataclasses.asdict(self)
        values["autogluon"]["models"] = list(self.autogluon.models)
        return values | {"members": list(self.members), "factors": list(self.factors)}


# Weekly series are short and many of their years are needed; the statistical methods bring much (M4), and are cheap.
OF_WEEKS: Mapping[str, Any] = {
    "members": (SEASONAL_NAIVE, LIGHTGBM, LSTM, REGRESSION, MSTL, ETS, THETA),
    "horizon": 13,
    "history_days": 260,
    "fold_days": 13,
    "min_history_days": 26,
    "regression": {"history_days": 520, "half_life_days": 150, "min_days": 26},
    "paths": {"max_series": 400, "min_days": 52, "history_days": 520, "path_days": 65},
    "autogluon": {"min_days": 52, "history_days": 520},
}


def parameters(given: Mapping[str, Any]) -> Parameters:
    """Parameters from a mapping (nested as in `to_dict`). Raises ParameterError for an unknown name or a bad value.

    Without `fold_days` a fold is as long as the horizon, so that all of it is judged.
    """
    values = dict(given)
    if values.get("period") == WEEK.name:
        parts = {name: {**OF_WEEKS[name], **(values.get(name) or {})} for name in ("paths", "regression", "autogluon")}
        values = {**OF_WEEKS, **values, **parts}
    if "horizon" in values and "fold_days" not in given:
        values["fold_days"] = values["horizon"]
    kinds = {
        "trees": TreeParameters,
        "paths": PathParameters,
        "lstm": LstmParameters,
        "regression": RegressionParameters,
        "autogluon": AutoGluonParameters,
    }
    if "models" in (values.get("autogluon") or {}):
        values["autogluon"] = {**values["autogluon"], "models": tuple(values["autogluon"]["models"])}
    for name, kind in kinds.items():
        if name in values:
            values[name] = _filled(kind, values[name], name + ".")
    for name in ("members", "factors"):
        if name in values:
            values[name] = tuple(values[name])
    return _filled(Parameters, values, "")


def _filled(kind: type[T], values: Mapping[str, Any], prefix: str) -> T:
    known = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise ParameterError(f"{prefix}{name}: no such parameter; there are {', '.join(known)}")
    return kind(**values)
