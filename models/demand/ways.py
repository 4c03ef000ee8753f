"""What a method that is fitted series by series says of one."""

from __future__ import annotations

from typing import NamedTuple

from models.demand.arrays import Floats


class Way(NamedTuple):
    """n fitted values of a series of n periods and `path_days` more, and how far the quantiles 0.1 and 0.9 lie off them.

    `low` and `high` have a value for each period ahead, or one for all.
    """

    path: Floats
    low: Floats
    high: Floats
