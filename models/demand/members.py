"""The fitted members under their names, and what all of them say of some origins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from models.demand.arrays import Floats
from models.demand.autogluon import AutoGluon
from models.demand.calendar import Calendar
from models.demand.frame import build_all
from models.demand.history import History
from models.demand.lstm import Lstm
from models.demand.naive import SeasonalNaive
from models.demand.origins import Origins
from models.demand.parameters import (
    AUTOGLUON,
    HISTORY,
    LIGHTGBM,
    LSTM,
    PATHS,
    QUANTILES,
    REGRESSION,
    SEASONAL_NAIVE,
    TSB,
)
from models.demand.paths import Paths
from models.demand.regression import Regression
from models.demand.trees import Trees
from models.demand.tsb import Tsb
from models.demand.vocabulary import Vocabulary

M = TypeVar("M")
CHUNK = 3_000  # origins whose frame is in memory at once: 15,000 x 28 rows at once would take half a gigabyte


@dataclass(frozen=True)
class Members:
    """None for a member that was not fitted, or has no weight."""

    words: Vocabulary
    naive: SeasonalNaive
    horizon: int
    history: History | None = None
    trees: Trees | None = None
    lstm: Lstm | None = None
    regression: Regression | None = None
    tsb: Tsb | None = None
    paths: Mapping[str, Paths] = field(default_factory=dict)
    autogluon: AutoGluon | None = None
    threads: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        there = {
            HISTORY: self.history,
            LIGHTGBM: self.trees,
            LSTM: self.lstm,
            REGRESSION: self.regression,
            TSB: self.tsb,
            AUTOGLUON: self.autogluon,
        }
        fitted = (name for name, member in there.items() if member is not None)
        return (SEASONAL_NAIVE, *fitted, *(m for m in PATHS if m in self.paths))

    def stack(self, names: tuple[str, ...], origins: Origins, calendar: Calendar) -> Floats:
        """What `names` say, (n, horizon, 3, names) in pieces; NaN where a member says nothing."""
        say: dict[str, Callable[[], Floats]] = {
            SEASONAL_NAIVE: lambda: self.naive.predict(origins, self.horizon),
            HISTORY: lambda: _asked(self.history, HISTORY).predict(origins, self.horizon),
            LIGHTGBM: lambda: self._trees(origins, calendar),
            LSTM: lambda: _asked(self.lstm, LSTM).predict(origins, calendar, self.words, self.horizon),
            REGRESSION: lambda: _asked(self.regression, REGRESSION).predict(origins, calendar, self.horizon),
            TSB: lambda: _asked(self.tsb, TSB).predict(origins, self.horizon),
            AUTOGLUON: lambda: _asked(self.autogluon, AUTOGLUON).predict(origins, calendar, self.horizon),
            **{m: partial(p.predict, origins, self.horizon) for m, p in self.paths.items()},
        }
        if not names:
            return np.zeros((len(origins), self.horizon, len(QUANTILES), 0))
        return np.stack([say[name]() for name in names], axis=-1)

    def _trees(self, origins: Origins, calendar: Calendar) -> Floats:
        trees = _asked(self.trees, LIGHTGBM)
        parts = [np.zeros((0, self.horizon, len(QUANTILES)))]
        for begin in range(0, len(origins), CHUNK):
            some = origins.take(np.arange(begin, min(begin + CHUNK, len(origins))))
            scaled = trees.predict(build_all(some, calendar, self.words, self.horizon), self.threads)
            parts.append(scaled.reshape(len(some), self.horizon, -1) * some.scale[:, None, None])
        return np.concatenate(parts)

    def save(self, folder: Path) -> None:
        known = {
            "members": list(self.names),
            "words": self.words.to_dict(),
            "naive": self.naive.to_dict(),
            "horizon": self.horizon,
        }
        (folder / "members.json").write_text(json.dumps(known, indent=1))
        for member in (self.trees, self.lstm):
            if member is not None:
                member.save(folder)
        if self.history is not None:
            self.history.save(folder / f"{HISTORY}.npz")
        if self.regression is not None:
            self.regression.save(folder / f"{REGRESSION}.npz")
        if self.tsb is not None:
            self.tsb.save(folder / f"{TSB}.npz")
        if self.autogluon is not None:
            self.autogluon.save(folder / AUTOGLUON)
        for name, paths in self.paths.items():
            paths.save(folder / f"{name}.npz")

    @classmethod
    def load(cls, folder: Path, threads: int = 0) -> Members:
        known = json.loads((folder / "members.json").read_text())
        names = known["members"]
        return cls(
            words=Vocabulary.from_dict(known["words"]),
            naive=SeasonalNaive.from_dict(known["naive"]),
            horizon=known["horizon"],
            history=History.load(folder / f"{HISTORY}.npz") if HISTORY in names else None,
            trees=Trees.load(folder) if LIGHTGBM in names else None,
            lstm=Lstm.load(folder) if LSTM in names else None,
            regression=Regression.load(folder / f"{REGRESSION}.npz") if REGRESSION in names else None,
            tsb=Tsb.load(folder / f"{TSB}.npz") if TSB in names else None,
            paths={m: Paths.load(folder / f"{m}.npz") for m in PATHS if m in names},
            autogluon=AutoGluon.load(folder / AUTOGLUON) if AUTOGLUON in names else None,
            threads=threads,
        )


def _asked(member: M | None, name: str) -> M:
    if member is None:
        raise ValueError(f"{name} was asked and is not among the fitted members")
    return member
