"""Who serves from now on: by what nights tell of champion, challenger and seasonal naive. The ledger first, the alias last.

Only nights count on which a model could not know what came after: those from the one on at which it was decided about, which
stands in the ledger. A night that is run again later decides nothing. Nights that forecast from the same week (of a
tenant that counts in weeks) are one: their mean is compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from jobs import promotions
from jobs.context import Context
from jobs.demand_data import CALENDAR_BACK_DAYS
from jobs.demand_known import Known
from models.demand.arrays import Floats, day, days, nan_mean
from models.demand.evidence import compare
from models.demand.periods import Period
from models.demand.promotion import (
    CHALLENGER,
    CHAMPION,
    KEPT,
    NO_SKILL_CHANCE,
    REFUSED,
    ROLLED_BACK,
    RULES,
    TRIAL_AHEAD,
    Decision,
    behind_floor,
    trial,
)
from models.demand.scores import Said, score
from models.registry import ModelRef, Registry

LOSSES = ("pinball", "challenger_pinball", "naive_pinball")
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
    ctx: Context,
    tenant: str,
    losses: pd.DataFrame,
    rows: Sequence[Mapping[str, Any]],
    registry: Registry,
    known: Known,
) -> None:
    """Decide on a tenant's champion and challenger.

    `losses` has a row a night: model_version, challenger_version, and mean losses pinball, challenger_pinball and
    naive_pinball. `rows` are the ledger's of the tenant, the oldest first.
    """
    past, counts = _Past(rows), known.counts(tenant)
    champion, challenger = _healed(registry.champion(tenant), registry.challenger(tenant), past, registry)
    newest = counts.over(day(losses["night"].max())) + TRIAL_AHEAD // counts.days
    if champion is None or newest > counts.over(day(ctx.night)):
        return
    mine = losses[losses["model_version"] == champion.version]
    mine = mine[mine["night"] >= past.since(champion, CHAMPION)]
    together = pd.DataFrame(columns=list(LOSSES))
    if challenger:
        of_both = (mine["challenger_version"] == challenger.version) & (
            mine["night"] >= past.since(challenger, CHALLENGER)
        )
        together = _paired(mine[of_both], counts, *LOSSES)
        if _tried(ctx, tenant, champion, challenger, together, past, registry, counts):
            return
    mine = _paired(mine, counts, "pinball", "naive_pinball")
    behind = behind_floor(_column(mine, "pinball"), _column(mine, "naive_pinball"), RULES[counts.name])
    if behind or past.last(champion) == ROLLED_BACK:
        _roll_back(ctx, tenant, champion, behind, registry.challenger(tenant), together, past, registry, known)


def _paired(losses: pd.DataFrame, counts: Period, *names: str) -> pd.DataFrame:
    """A row with the losses `names` for each period that was forecast from, in order: the mean of its nights with all of them."""
    there = losses.dropna(subset=list(names))
    return there[list(names)].astype(float).groupby(counts.over(days(there["night"]))).mean()


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
    counts: Period,
) -> bool:
    """Look at the trial if that is due; whether the challenger is champion now."""
    rules, looks = RULES[counts.name], past.looks(challenger)
    decision = trial(_column(together, "pinball"), _column(together, "challenger_pinball"), looks, rules)
    since = past.since(challenger, CHALLENGER)
    if decision is None and since > date.min and (ctx.night - since).days > rules.days:
        reason = f"Kept the champion: {len(together)} {rules.unit} in {rules.days} days do not tell; the trial ends."
        decision = Decision(KEPT, reason, {"look": looks, rules.unit: len(together), "ended": True})
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
    known: Known,
) -> None:
    """In the champion's place: the challenger or a former champion that beats seasonal naive, else seasonal naive.

    Who follows is settled before anything is noted. Without a `decision` it has been noted, and a crash came after.
    """
    ref, why = _follower(ctx, tenant, champion, challenger, together, past, registry, known)
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
    known: Known,
) -> tuple[ModelRef | None, Decision]:
    found = compare(_column(together, "challenger_pinball"), _column(together, "naive_pinball"))
    if challenger and found.shows(NO_SKILL_CHANCE):
        reason = f"Promoted: over {found.pairs} {RULES[known.counts(tenant).name].unit} its pinball loss was {found.gain:.1%} below that of seasonal naive."
        return challenger, Decision(CHAMPION, reason, {"gain": found.gain, "chance": found.chance})
    version = past.former(champion)
    try:
        former = registry.version(champion.name, version) if version else None
        gain = _gain(ctx, tenant, former, registry, known) if former else float("nan")
    except Exception as error:  # noqa: BLE001  a former champion that cannot be asked is none
        ctx.progress(f"  {tenant}: version {version} cannot be asked: {' '.join(str(error).split())[:200]}")
        former, gain = None, float("nan")
    reason = f"Promoted again: over {ASKED_WEEKS} weeks its pinball loss is {gain:.1%} below that of seasonal naive."
    return (former if gain > 0 else None), Decision(CHAMPION, reason, {"gain": gain})


def _gain(ctx: Context, tenant: str, ref: ModelRef, registry: Registry, known: Known) -> float:
    """By what share the loss of `ref` lies below that of seasonal naive, had it forecast the last weeks; NaN if it knew them."""
    model, counts = registry.load(ref), known.counts(tenant)
    ahead = TRIAL_AHEAD // counts.days
    nights = [ctx.night - timedelta(days=7 * week) for week in range(1, ASKED_WEEKS + 1)]
    if model.last_day > counts.over(day(nights[-1])):
        return float("nan")
    origins = known.origins((tenant, night) for night in nights)
    calendar = known.calendar(tenant, nights[-1] - timedelta(days=CALENDAR_BACK_DAYS))
    each = [pd.DataFrame({"pinball": [], "naive_pinball": []})]
    for (_, night), every in sorted(origins.items()):
        some = every.take(every.enough & ~every.dead)
        some = some.take(np.argsort(some.key, kind="stable"))
        if len(some):
            nobody = np.full(len(some), None, dtype=object)
            said = Said(some.key, model.quantiles(some, calendar)[:, :ahead], nobody, nobody)
            units = known.units(tenant, some.key, counts.over(day(night)), ahead)
            each.append(score(said, said.take(some.key[:0]), some, units))
    loss, naive = (np.concatenate([s[c].to_numpy(dtype=float) for s in each]) for c in ("pinball", "naive_pinball"))
    return float(1 - nan_mean(loss[None])[0] / nan_mean(naive[None])[0]) if len(loss) else float("nan")


def _note(ctx: Context, tenant: str, ref: ModelRef, champion: ModelRef, decision: Decision) -> None:
    promotions.note(ctx, tenant, ref, champion, decision)
    ctx.progress(f"  {tenant}: version {ref.version}: {decision.reason}")


def _column(losses: pd.DataFrame, name: str) -> Floats:
    return np.asarray(losses[name], dtype=float)
