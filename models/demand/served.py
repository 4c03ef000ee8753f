"""How MLflow loads a demand model (`mlflow.pyfunc.load_model`): from its own files, with the code installed here.

Nothing is pickled, so a stored model cannot run code of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from models.demand.calendar import empty_calendar
from models.demand.forecast import forecast
from models.demand.model import DemandModel, OtherPeriod
from models.demand.periods import DAY


class Served:
    """`predict` takes the DEMAND_FEATURES of one night; without a calendar the days ahead count as ordinary ones."""

    def __init__(self, model: DemandModel) -> None:
        self.model = model

    def predict(self, features: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002  MLflow gives it
        if self.model.parameters.counts != DAY:
            raise OtherPeriod(
                f"the model counts {self.model.parameters.period}s: `uretimiq run forecast-demand` makes what it takes"
            )
        found = forecast(features, empty_calendar(), self.model)
        return found.drop(columns="cut_off")


def _load_pyfunc(path: str) -> Served:
    """The entry point that MLflow calls."""
    return Served(DemandModel.load(Path(path)))
