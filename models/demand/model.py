"""The model as it is stored and used at night: its members, their weights and bands. One folder, no TensorFlow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.demand.arrays import Bools, Floats
from models.demand.calendar import Calendar
from models.demand.ensemble import Blend, segments
from models.demand.members import Members
from models.demand.origins import Origins
from models.demand.parameters import HISTORY, OF_LARGEST, SEASONAL_NAIVE, Parameters, parameters
from models.demand.reconcile import Reconciliation
from models.demand.sums import Sums

FORMAT = 3


class ModelFormatError(ValueError):
    """A stored model that this code cannot read; one line with its place and the remedy."""


class OtherPeriod(ValueError):
    """A model that learned from days is asked of weeks, or the other way; one line with the remedy."""


@dataclass(frozen=True)
class DemandModel:
    """`last_day` is the last day that it learned from; `sums` is None for one of before there were any.

    `reconciliation` is None where sums of a tenant have no forecasts of their own, or where these brought nothing.
    """

    parameters: Parameters
    last_day: int
    members: Members
    blend: Blend
    floor: str = SEASONAL_NAIVE  # of the two forecasts without skill, the better one
    sums: Sums | None = None
    reconciliation: Reconciliation | None = None

    def quantiles(self, origins: Origins, calendar: Calendar) -> Floats:
        """(n, horizon, 3): quantiles 0.1, 0.5 and 0.9 in pieces; in order, not negative and finite.

        Raises OtherPeriod for origins that count in another period.
        """
        if origins.period.name != self.parameters.period:
            raise OtherPeriod(
                f"the model counts {self.parameters.period}s, the series {origins.period.name}s: train again"
            )
        stack = self.members.stack(self.blend.members, origins, calendar)
        found = self.blend.combine(stack, segments(origins.sparse, origins.level, has_path(stack, self.blend.members)))
        if not np.isfinite(found).all():
            raise FloatingPointError(
                f"the model of {self.parameters.counts.end(self.last_day)} gives numbers that are not finite"
            )
        return found

    def knows_history(self, origins: Origins) -> Bools:
        """Which origins are better forecast by the distribution of their past year than by seasonal naive, (n,)."""
        same = origins.period == self.parameters.counts
        history = self.members.history if self.floor == HISTORY and same else None
        return history.knows(origins) if history else np.zeros(len(origins), dtype=bool)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.members.save(folder)
        if self.sums is not None:
            self.sums.save(folder)
        if self.reconciliation is not None:
            self.reconciliation.save(folder)
        known = {
            "format": FORMAT,
            "last_day": self.last_day,
            "parameters": self.parameters.to_dict(),
            "blend": self.blend.to_dict(),
            "floor": self.floor,
        }
        (folder / "model.json").write_text(json.dumps(known, indent=1))

    @classmethod
    def load(cls, folder: Path, threads: int = 0) -> DemandModel:
        """Raises ModelFormatError where the folder holds no model of this format."""
        try:
            known = json.loads((folder / "model.json").read_text())
        except (OSError, ValueError) as error:
            raise ModelFormatError(f"{folder}: no demand model there ({error}); train again") from error
        if known.get("format") != FORMAT:
            raise ModelFormatError(f"{folder}: format {known.get('format')!r}, this code reads {FORMAT}; train again")
        blend = Blend.from_dict(known["blend"])
        members = Members.load(folder, threads)
        return cls(
            parameters(known["parameters"]),
            known["last_day"],
            members,
            blend,
            known["floor"],
            Sums.load(folder),
            Reconciliation.load(folder),
        )


def has_path(stack: Floats, members: tuple[str, ...]) -> Bools:
    """Which rows of (n, horizon, 3, members) have a whole path of some method, or of AutoGluon."""
    there = np.zeros(len(stack), dtype=bool)
    for member in members:
        if member in OF_LARGEST:
            there |= ~np.isnan(stack[..., members.index(member)]).reshape(len(stack), -1).any(axis=1)
    return there
