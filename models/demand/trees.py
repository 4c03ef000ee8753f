"""One global LightGBM for all series of a tenant: a booster a quantile, on the scale-free frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.demand.arrays import Floats
from models.demand.frame import USUAL, Frame
from models.demand.parameters import MEDIAN, QUANTILES, TreeParameters

if TYPE_CHECKING:
    import lightgbm


# Learned is the logarithm of units / scale against the mean of the same weekdays: quantiles go through a logarithm
# unharmed, and one day of a hundred times the usual is no longer all that a leaf sees. On the factory it takes a third
# off the pinball loss, on M5 half a per cent.
SMALL = 0.05
MAX_LOG = 8.0


def _usual(frame: Frame) -> Floats:
    return np.asarray(np.log(np.maximum(frame.column(USUAL).astype(float), 0.0) + SMALL))


@dataclass(frozen=True)
class Trees:
    """Three boosters, in the order of QUANTILES."""

    boosters: tuple[lightgbm.Booster, ...]

    @classmethod
    def fit(cls, frame: Frame, target: Floats, given: TreeParameters, *, seed: int, threads: int) -> Trees:
        """`target` is (rows,) units / scale, all known. The same input and seed give the same trees."""
        import lightgbm

        days = len(np.unique(frame.origin))
        given = given.fitting(days)
        least = given.min_days_in_leaf * max(1, len(target) // days)

        data = lightgbm.Dataset(
            frame.x,
            np.log(target + SMALL) - _usual(frame),
            feature_name=[f"f{i}" for i in range(len(frame.names))],
            categorical_feature=frame.categories,
            free_raw_data=False,
            params={"verbose": -1, "max_bin": 127, "num_threads": threads, "seed": seed},
        )
        boosters = []
        for quantile in QUANTILES:
            rounds = given.rounds if quantile == MEDIAN else given.tail_rounds
            boosters.append(
                lightgbm.train(_settings(given, quantile, least, seed, threads), data, num_boost_round=rounds)
            )
        return cls(tuple(boosters))

    def predict(self, frame: Frame, threads: int = 0) -> Floats:
        """(rows, 3) of units / scale."""
        found = np.stack([np.asarray(b.predict(frame.x, num_threads=threads)) for b in self.boosters], axis=1)
        return np.asarray(np.exp(np.minimum(found + _usual(frame)[:, None], MAX_LOG)) - SMALL, dtype=float)

    def save(self, folder: Path) -> None:
        for booster, q in zip(self.boosters, QUANTILES, strict=True):
            booster.save_model(str(folder / _file(q)))

    @classmethod
    def load(cls, folder: Path) -> Trees:
        import lightgbm

        return cls(tuple(lightgbm.Booster(model_file=str(folder / _file(q))) for q in QUANTILES))


def _file(quantile: float) -> str:
    return f"trees_q{round(quantile * 100):02d}.txt"


def _settings(given: TreeParameters, quantile: float, least: int, seed: int, threads: int) -> dict[str, object]:
    return {
        "objective": "quantile",
        "alpha": quantile,
        "learning_rate": given.learning_rate if quantile == MEDIAN else given.tail_learning_rate,
        "num_leaves": given.leaves,
        "min_data_in_leaf": least,
        "feature_fraction": given.column_share,
        "bagging_fraction": given.row_share,
        "bagging_freq": 1,
        "lambda_l2": given.l2,
        "cat_smooth": 30.0,
        "max_bin": 127,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
