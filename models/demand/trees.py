"""One global LightGBM for all series of a tenant: a booster a quantile, on the scale-free frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.demand.arrays import Floats
from models.demand.frame import Frame
from models.demand.parameters import MEDIAN, QUANTILES, TreeParameters

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True)
class Trees:
    """Three boosters, in the order of QUANTILES. Their output is units / scale."""

    boosters: tuple[lightgbm.Booster, ...]

    @classmethod
    def fit(cls, frame: Frame, target: Floats, given: TreeParameters, *, seed: int, threads: int) -> Trees:
        """`target` is (rows,) units / scale, all known. The same input and seed give the same trees."""
        import lightgbm

        data = lightgbm.Dataset(
            frame.x,
            target,
            feature_name=[f"f{i}" for i in range(len(frame.names))],
            categorical_feature=frame.categories,
            free_raw_data=False,
            params={"verbose": -1, "max_bin": 127, "num_threads": threads, "seed": seed},
        )
        boosters = []
        for quantile in QUANTILES:
            rounds = given.rounds if quantile == MEDIAN else given.tail_rounds
            boosters.append(lightgbm.train(_settings(given, quantile, seed, threads), data, num_boost_round=rounds))
        return cls(tuple(boosters))

    def predict(self, frame: Frame, threads: int = 0) -> Floats:
        """(rows, 3) of units / scale."""
        found = [b.predict(frame.x, num_threads=threads) for b in self.boosters]
        return np.stack([np.asarray(f, dtype=float) for f in found], axis=1)

    def save(self, folder: Path) -> None:
        for booster, q in zip(self.boosters, QUANTILES, strict=True):
            booster.save_model(str(folder / _file(q)))

    @classmethod
    def load(cls, folder: Path) -> Trees:
        import lightgbm

        return cls(tuple(lightgbm.Booster(model_file=str(folder / _file(q))) for q in QUANTILES))


def _file(quantile: float) -> str:
    return f"trees_q{round(quantile * 100):02d}.txt"


def _settings(given: TreeParameters, quantile: float, seed: int, threads: int) -> dict[str, object]:
    return {
        "objective": "quantile",
        "alpha": quantile,
        "learning_rate": given.learning_rate if quantile == MEDIAN else given.tail_learning_rate,
        "num_leaves": given.leaves,
        "min_data_in_leaf": given.min_rows_in_leaf,
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
