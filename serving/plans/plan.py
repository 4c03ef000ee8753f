"""The plan of a tenant: the last good night's forecast, and on top of it what overrides in force make of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa

from serving.forecasts import Forecasts, Found
from serving.nights import Night, Shelf
from serving.plans.arithmetic import LEVELS, PERIOD_DAYS, Change, Floats, Grid, Hierarchy, Ints, Laid, lay
from serving.plans.catalogue import Catalogue, Entry, Known
from serving.plans.overrides import Override, Overrides, Said
from serving.plans.staleness import Stale, reasons
from serving.problems import Problem

GRIDS_BYTES = 256 * 2**20  # one tenant of 10,000 series takes 8 MB
GRID_SERIES_BYTES = 350  # of a series' codes in lists and sets
LAID_BYTES = 256 * 2**20  # 5000 overrides of a week each take 6 MB
LAID_DAY_BYTES = 150  # of a period of an override in its dictionary
T = TypeVar("T")
SCHEMA = pa.schema(
    [
        ("site", pa.string()),
        ("product", pa.string()),
        ("date", pa.date32()),
        ("baseline", pa.float64()),
        ("override", pa.float64()),
        ("final", pa.float64()),
        ("override_id", pa.string()),
        ("is_stale", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class _Kept(Generic[T]):
    """A grid or what is laid on it, as a shelf holds it."""

    key: Hashable
    made: T
    bytes: int


@dataclass(frozen=True)
class Plan:
    """`overrides` are those in force, the earliest said first; `stale` says of each why it may be out of date."""

    found: Found[Night]
    known: Known
    grid: Grid
    plan_version: int
    overrides: tuple[Override, ...]
    laid: Laid
    stale: tuple[list[Stale], ...]

    @property
    def tag(self) -> str:
        """Names what this plan was made from: another one has other numbers, or may have."""
        marks = sum(1 << i for i, found in enumerate(self.stale) if found)
        runs = "-".join(self.found.night.key.runs)
        return f"{self.known.version}-{runs}-{self.plan_version}-{len(self.overrides)}-{marks:x}"

    def stale_of(self, override_id: str) -> list[Stale]:
        """Why an override may be out of date; nothing of one that is not in force."""
        return self._stale.get(override_id, [])

    @cached_property
    def _stale(self) -> dict[str, list[Stale]]:
        return {o.override_id: found for o, found in zip(self.overrides, self.stale, strict=True)}

    def rows(
        self,
        sites: Collection[str] = (),
        products: Collection[str] = (),
        groups: Collection[str] = (),
        first: date | None = None,
        last: date | None = None,
    ) -> Ints:
        """Positions of the rows asked for, in order of site, product and date; what is empty asks for all."""
        chosen = np.array(self.found.night.select_series(tuple(sites), tuple(products)), np.int64)
        if groups:
            wanted = set(groups)
            codes = self.grid.hierarchy.codes["product_group"]
            chosen = chosen[[codes[i] in wanted for i in chosen]]
        return self.grid.rows(chosen, first, last)

    def table(self, rows: Ints) -> pa.Table:
        """These rows as they are answered: `override` is null where none is laid, `final` is what the plan says."""
        units, winner = self.laid.at(rows)
        is_laid = winner >= 0
        baseline = self.grid.baseline[rows]
        ids = pa.array([o.override_id for o in self.overrides], pa.string())
        stale = pa.array([bool(found) for found in self.stale], pa.bool_())
        index = pa.array(winner, pa.int64(), mask=~is_laid)
        keys = self.found.night.rows.select(["site", "product", "date"]).take(pa.array(rows))
        columns = [
            *(keys[name] for name in ("site", "product", "date")),
            pa.array(baseline),
            pa.array(units, mask=~is_laid),
            pa.array(np.where(is_laid, units, baseline)),
            ids.take(index),
            stale.take(index).fill_null(False),
        ]
        return pa.table(columns, names=SCHEMA.names)

    def sums(self, change: Change) -> tuple[dict[date, float], dict[date, float]]:
        """Baseline and plan of a change's node, by the dates that it touches."""
        rows = self.grid.touched(change)
        return self.grid.sums(rows, self.grid.baseline[rows]), self.grid.sums(rows, self.laid.final(self.grid, rows))


class Plans:
    """Puts plans together."""

    def __init__(
        self, forecasts: Forecasts, catalogue: Catalogue, overrides: Overrides, now: Callable[[], datetime]
    ) -> None:
        self._forecasts = forecasts
        self.catalogue = catalogue
        self.overrides = overrides
        self._now = now
        self._grids: Shelf[_Kept[Grid]] = Shelf(GRIDS_BYTES)
        self._laid: Shelf[_Kept[Laid]] = Shelf(LAID_BYTES)

    def current(self, tenant: str) -> Plan:
        """The plan over the last good night. Raises what `Forecasts.night` raises."""
        return self.over(self._forecasts.night(tenant))

    def over(self, found: Found[Night]) -> Plan:
        """The plan over a night, of what is in force now."""
        tenant = found.night.key.tenant
        known = self.catalogue.of(tenant)
        grid = self.grid(found.night, known)
        book, now = self.overrides.book(tenant), self._now()
        period = found.night.summary.period
        in_force = tuple(o for o in book.overrides if o.is_in_force(now))
        # What was said of units a day means nothing of a week.
        effective = [o for o in in_force if o.period == period]
        key = (found.night.key, known.version, book.plan_version, tuple(o.override_id for o in effective))
        held = self._held(key, grid, effective)
        begin = found.night.series.first_date or found.night.key.night
        baselines = iter(held.baselines)
        told = tuple(
            reasons(o, next(baselines) if o.period == period else {}, begin, grid.days, now, period) for o in in_force
        )
        order = {o.override_id: i for i, o in enumerate(in_force)}
        places = np.array([order[o.override_id] for o in effective], np.int64)
        laid = replace(held, winner=places[held.winner]) if effective else held
        return Plan(found, known, grid, book.plan_version, in_force, laid, told)

    def of_changes(self, tenant: str, night: date, changes: Sequence[Change]) -> Plan:
        """The forecast of a night under `changes` in place of the overrides. Raises what `Forecasts.night` raises."""
        found, known = self._forecasts.night(tenant, night), self.catalogue.of(tenant)
        grid = self.grid(found.night, known)
        return Plan(found, known, grid, 0, (), lay(grid, changes), ())

    def grid(self, night: Night, known: Known) -> Grid:
        """The baseline of a night, with the groups that are known of its series."""
        key = (night.key, known.version)

        def make() -> _Kept[Grid]:
            grid = _grid(night, known)
            size = grid.dates.nbytes + grid.baseline.nbytes + GRID_SERIES_BYTES * len(grid.periods)
            return _Kept(key, grid, size)

        return self._grids.get(key, make).made

    def say(self, plan: Plan, change: Change, reason: str, expires_at: datetime) -> Said:
        """What somebody says on seeing `plan`. Raises Problem where it would touch nothing."""
        rows = self.touched(plan, change)
        baseline = plan.grid.sums(rows, plan.grid.baseline[rows])
        night = plan.found.night
        return Said(change, reason, expires_at, night.key.night, night.summary.period, baseline)

    @staticmethod
    def touched(plan: Plan, change: Change) -> Ints:
        """The rows of a plan that a change touches, of which there must be some. Raises Problem."""
        check_groups(plan.found.night.key.tenant, plan.known, [change.product_group, change.product_sub_group])
        rows = plan.grid.touched(change)
        if not len(rows):
            series = plan.found.night.series
            ahead = f"{min(s.first_date for s in series)} to {max(s.last_date for s in series)}" if series else "no day"
            node = " ".join(f"{level}={code}" for level, code in change.node.items()) or "the whole tenant"
            why = f"no forecast of {node} from {change.first} to {change.last}: the last night has {ahead}"
            raise Problem("touches-nothing", f"{why}; take codes from /v1/tenants/{plan.found.night.key.tenant}/series")
        return rows

    def stale(self, tenant: str) -> list[dict[str, object]]:
        """The overrides in force that warn, the last said first: {override_id, site.., product.., made_by, stale}.

        Raises what `Forecasts.night` raises.
        """
        plan = self.current(tenant)
        return [
            {
                "override_id": o.override_id,
                **{level: getattr(o.change, level) for level in LEVELS},
                "name": plan.known.names.get(o.change.product or ""),
                "made_by": o.made_by,
                "stale": found,
            }
            for o, found in zip(plan.overrides[::-1], plan.stale[::-1], strict=True)
            if found
        ]

    def _held(self, key: Hashable, grid: Grid, overrides: Sequence[Override]) -> Laid:
        def make() -> _Kept[Laid]:
            laid = lay(grid, [o.change for o in overrides])
            size = 3 * laid.rows.nbytes + LAID_DAY_BYTES * sum(1 + len(of) for of in laid.baselines)
            return _Kept(key, laid, size)

        return self._laid.get(key, make).made


def check_groups(tenant: str, known: Known, groups: Collection[str | None]) -> None:
    """Raises Problem where a group is asked for and none is known."""
    if any(groups) and not known.entries:
        raise Problem(
            "no-groups",
            f"the groups of '{tenant}' are not known yet: leave product_group and product_sub_group out, or run "
            f"`uretimiq run nightly --tenant {tenant}`",
        )


def _grid(night: Night, known: Known) -> Grid:
    series = night.series.table
    sites, products = series["site"].to_pylist(), series["product"].to_pylist()
    entries = [known.entries.get(key, _UNKNOWN) for key in zip(sites, products, strict=True)]
    codes: dict[str, Sequence[str | None]] = {
        "site": sites,
        "product": products,
        "product_group": [e.product_group for e in entries],
        "product_sub_group": [e.product_sub_group for e in entries],
    }
    dates: Ints = night.rows["date"].cast(pa.int32()).to_numpy().astype(np.int64)
    baseline: Floats = night.rows["units_point"].to_numpy()
    return Grid(Hierarchy(codes), series["periods"].to_pylist(), dates, baseline, PERIOD_DAYS[night.summary.period])


_UNKNOWN = Entry()
