"""The figures of a training that stand beside those of others: one set of numbers, and curves as tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from models.demand.promotion import METRIC, Decision
from models.demand.training import ENSEMBLE, Training


def metrics(training: Training, decision: Decision) -> dict[str, Any]:
    """Of the ensemble in the last fold and on the mean of all folds, beside those it must beat; no NaN."""
    of_folds = [fold[ENSEMBLE] for fold in training.scores.values() if ENSEMBLE in fold]
    compared: Any = decision.evidence["last_fold"]
    found = {
        "last_fold": of_folds[-1],
        "all_folds": {name: float(np.mean([fold[name] for fold in of_folds])) for name in of_folds[-1]},
        "seasonal_naive": {METRIC: compared["seasonal_naive"][METRIC]},
        "champion": {METRIC: compared["champion"][METRIC]} if compared["champion"] else {},
    }
    known = {who: {n: v for n, v in of.items() if math.isfinite(v)} for who, of in found.items()}
    return {who: of for who, of in known.items() if of} | {"would_be": decision.role}


def curves(training: Training) -> dict[str, pd.DataFrame]:
    """`by_fold`: the ensemble's metrics by last day known. `by_day`: units and sums of quantiles of the last fold's days.

    Sums of quantiles 0.1 and 0.9 are wider than the quantiles of the sum: they show where a forecast lies, not a band.
    """
    rows = [{"last_day_known": day} | fold[ENSEMBLE] for day, fold in training.scores.items() if ENSEMBLE in fold]
    fold, said = training.judged, training.quantiles[: training.judged.judged]
    known = ~np.isnan(fold.actual[: fold.judged])
    sums = {"units": fold.actual[: fold.judged], **{f"q{q}": said[..., i] for i, q in enumerate((10, 50, 90))}}
    days = [fold.period.end(fold.last_day + ahead + 1).isoformat() for ahead in range(known.shape[1])]
    by_day = {name: np.where(known, values, 0.0).sum(axis=0).round(6) for name, values in sums.items()}
    return {"by_fold": pd.DataFrame(rows), "by_day": pd.DataFrame({"date": days, **by_day})}
