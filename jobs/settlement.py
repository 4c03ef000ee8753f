"""Who serves from now on: by what nights tell of champion, challenger and seasonal naive. The ledger first, the alias last.

Only nights count on which a model could not know what came after: those from the one on at which it was decided about, which
stands in the ledger. A night that is run again later decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from expectations.contract import Zone
from expectations.tables import HORIZON_DAYS, SALES
from jobs import promotions
from jobs.context import Context
from jobs.demand_data import CALENDAR_BACK_DAYS, calendar_of, factors_of, features_of, to_pandas
from jobs.lake import in_set
from models.demand.arrays import Floats, day, nan_mean
from models.demand.calendar import Calendar
from models.demand.evidence import compare
from models.demand.origins import Origins
from models.demand.promotion import (
    CHALLENGER,
    CHAMPION,
    KEPT,
    NO_SKILL_CHANCE,
    REFUSED,
    ROLLED_BACK,
    TRIAL_AHEAD,
    Decision,
    behind_floor,
    trial,
)
from models.demand.scores import Said, actual, score
from models.registry import ModelRef, Registry

TRIAL_DAYS = 90  # after which a trial ends in any case: nights may be missing
ASKED_WEEKS = 4  # before the night, from whose origins a former champion is asked


@dataclass(frozen=True)
class _Past:
    """What the ledger says of a tenant's models, the oldest first."""

    rows: Sequence[Mapping[str, Any]]

    def last(self, ref: ModelRef) -> str | None:
        """The last decision about a version."""
        return next((str(r["decision"]) for r in reversed(self.rows) if r["model_version"] == ref.version), None)

    def since(self, ref: ModelRef, role: str) -> date:
        """The night at which a version was last given a role."""
        nights = [_evidence(r).get("night") for r in self.rows if self._is(r, ref, role)]
        return date.fromisoformat(nights[-1]) if nights and nights[-1] else date.min

    def looks(self, ref: ModelRef) -> int:
        """How often its trial was looked at."""
        return max((_evidence(r).get("look", 0) for r in self.rows if self._is(r, ref, KEPT)), default=0)

    def ended(self, ref: ModelRef) -> bool:
        return any(_evidence(r).get("ended") for r in self.rows if self._is(r, ref, KEPT))

    def former(self, champion: ModelRef) -> str | None:
        """The version that was champion before, and was not rolled back itself."""
        fallen = {r["model_version"] for r in self.rows if r["decision"] == ROLLED_BACK} | {champion.version}
        before = [r["model_version"] for r in self.rows if r["decision"] == CHAMPION]
        return next((str(v) for v in reversed(before) if v not in fallen), None)

    @staticmethod
    def _is(row: Mapping[str, Any], ref: ModelRef, role: str) -> bool:
        return bool(row["model_version"] == ref.version and row["decision"] == role)


def _evidence(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(row["evidence"]))


def settle(
    ctx: Context, tenant: str, losses: pd.DataFrame, rows: Sequence[Mapping[str, Any]], registry: Registry
) -> None:
    """Decide on a tenant's champion and challenger.

    `losses` has a row a night: model_version, challenger_version, and mean losses pinball, challenger_pinball and
    naive_pinball. `rows` are the ledger's of the tenant, the oldest first.
    """
    past = _Past(rows)
    champion, challenger = _healed(registry.champion(tenant), registry.challenger(tenant), past, registry)
    if champion is None or losses["night"].max() > ctx.night - timedelta(days=TRIAL_AHEAD):
        return
    mine = losses[losses["model_version"] == champion.version]
    mine = mine[mine["night"] >= past.since(champion, CHAMPION)]
    together = mine.iloc[:0]
    if challenger:
        of_both = (mine["challenger_version"] == challenger.version) & (
            mine["night"] >= past.since(challenger, CHALLENGER)
        )
        together = mine[of_both]
        if _tried(ctx, tenant, champion, challenger, together, past, registry):
            return
    behind = behind_floor(_column(mine, "pinball"), _column(mine, "naive_pinball"))
    if behind or past.last(champion) == ROLLED_BACK:
        _roll_back(ctx, tenant, champion, behind, registry.challenger(tenant), together, past, registry)


def _healed(
    champion: ModelRef | None, challenger: ModelRef | None, past: _Past, registry: Registry
) -> tuple[ModelRef | None, ModelRef | None]:
    """Champion and challenger, after what a crash between the ledger and the alias has left undone."""
    if challenger is None:
        return champion, None
    if (champion and challenger.version == champion.version) or past.ended(challenger):
        registry.retire(challenger)
        return champion, None
    if past.last(challenger) == CHAMPION:
        registry.promote(challenger)
        return challenger, None
    return champion, challenger


def _tried(
    ctx: Context,
    tenant: str,
    champion: ModelRef,
    challenger: ModelRef,
    together: pd.DataFrame,
    past: _Past,
    registry: Registry,
) -> bool:
    """Look at the trial if that is due; whether the challenger is champion now."""
    decision = trial(_column(together, "pinball"), _column(together, "challenger_pinball"), past.looks(challenger))
    since = past.since(challenger, CHALLENGER)
    if decision is None and since > date.min and (ctx.night - since).days > TRIAL_DAYS:
        reason = f"Kept the champion: {len(together)} nights in {TRIAL_DAYS} days do not tell; the trial ends."
        decision = Decision(KEPT, reason, {"look": past.looks(challenger), "nights": len(together), "ended": True})
    if decision is None:
        return False
    _note(ctx, tenant, challenger, champion, decision)
    if decision.promoted:
        registry.promote(challenger)
    elif decision.evidence["ended"]:
        registry.retire(challenger)
    return decision.promoted


def _roll_back(
    ctx: Context,
    tenant: str,
    champion: ModelRef,
    decision: Decision | None,
    challenger: ModelRef | None,
    together: pd.DataFrame,
    past: _Past,
    registry: Registry,
) -> None:
    """In the champion's place: the challenger or a former champion that beats seasonal naive, else seasonal naive.

    Who follows is settled before anything is noted. Without a `decision` it has been noted, and a crash came after.
    """
    ref, why = _follower(ctx, tenant, champion, challenger, together, past, registry)
    if decision:
        _note(ctx, tenant, champion, champion, decision)
    if challenger and challenger != ref:
        _note(ctx, tenant, challenger, champion, Decision(REFUSED, "Refused: its trial ends with the champion's.", {}))
        registry.retire(challenger)
    if ref:
        _note(ctx, tenant, ref, champion, why)
        registry.promote(ref)
    else:
        registry.stand_down(champion)


def _follower(
    ctx: Context,
    tenant: str,
    champion: ModelRef,
    challenger: ModelRef | None,
    together: pd.DataFrame,
    past: _Past,
    registry: Registry,
) -> tuple[ModelRef | None, Decision]:
    found = compare(_column(together, "challenger_pinball"), _column(together, "naive_pinball"))
    if challenger and found.shows(NO_SKILL_CHANCE):
        reason = (
            f"Promoted: over {found.pairs} nights its pinball loss was {found.gain:.1%} below that of seasonal naive."
        )
        return challenger, Decision(CHAMPION, reason, {"gain": found.gain, "chance": found.chance})
    version = past.former(champion)
    try:
        former = registry.version(champion.name, version) if version else None
        gain = _gain(ctx, tenant, former, registry) if former else float("nan")
    except Exception as error:  # noqa: BLE001  a former champion that cannot be asked is none
        ctx.progress(f"  {tenant}: version {version} cannot be asked: {' '.join(str(error).split())[:200]}")
        former, gain = None, float("nan")
    reason = f"Promoted again: over {ASKED_WEEKS} weeks its pinball loss is {gain:.1%} below that of seasonal naive."
    return (former if gain > 0 else None), Decision(CHAMPION, reason, {"gain": gain})


def _gain(ctx: Context, tenant: str, ref: ModelRef, registry: Registry) -> float:
    """By what share the loss of `ref` lies below that of seasonal naive, had it forecast the last weeks; NaN if it knew them."""
    model = registry.load(ref)
    nights = [ctx.night - timedelta(days=7 * week) for week in range(1, ASKED_WEEKS + 1)]
    if model.last_day > day(nights[-1]):
        return float("nan")
    origins = Origins.from_features(features_of(ctx.lake, [tenant], nights))
    origins = origins.take(origins.enough & ~origins.dead)
    sold = ctx.lake.read(SALES, Zone.SILVER).where(in_set("tenant", [tenant])).where("superseded_at IS NULL")
    sold = sold.where(f"date > DATE'{nights[-1]}' AND date <= DATE'{ctx.night}'")
    sales = to_pandas(sold.select("site", "product", "date", "units"))
    first, last = nights[-1] - timedelta(days=CALENDAR_BACK_DAYS), ctx.night + timedelta(days=HORIZON_DAYS)
    factors = factors_of(ctx.lake, [tenant], nights[-1]).drop(columns="tenant")
    calendar = Calendar.from_features(calendar_of(ctx.lake, [tenant], first, last), factors)
    each = [pd.DataFrame({"pinball": [], "naive_pinball": []})]
    for night in nights:
        some = origins.take(origins.day == day(night))
        some = some.take(np.argsort(some.key, kind="stable"))
        if len(some):
            nobody = np.full(len(some), None, dtype=object)
            said = Said(some.key, model.quantiles(some, calendar)[:, :TRIAL_AHEAD], nobody, nobody)
            units = actual(sales, some.key, day(night), TRIAL_AHEAD)
            each.append(score(said, said.take(some.key[:0]), some, units))
    loss, naive = (np.concatenate([s[c].to_numpy(dtype=float) for s in each]) for c in ("pinball", "naive_pinball"))
    return float(1 - nan_mean(loss[None])[0] / nan_mean(naive[None])[0]) if len(loss) else float("nan")


def _note(ctx: Context, tenant: str, ref: ModelRef, champion: ModelRef, decision: Decision) -> None:
    promotions.note(ctx, tenant, ref, champion, decision)
    ctx.progress(f"  {tenant}: version {ref.version}: {decision.reason}")


def _column(losses: pd.DataFrame, name: str) -> Floats:
    return np.asarray(losses[name], dtype=float)
