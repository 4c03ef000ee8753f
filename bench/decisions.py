"""How often the platform's decisions about models are wrong, by simulation: promotion, trial, drift. Minutes.

python -m bench.decisions
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.demand.arrays import Floats
from models.demand.calendar import Calendar, empty_calendar
from models.demand.evidence import compare
from models.demand.folds import Data
from models.demand.monitor import PACES, watch
from models.demand.panel import Panel
from models.demand.parameters import FLOORS, parameters
from models.demand.periods import DAY, WEEK
from models.demand.promotion import NO_SKILL_CHANCE, RULES, Rules, decide, trial
from models.demand.training import ENSEMBLE, train
from models.demand.windows import origins_at

SEED = 2026
SMALL = {
    "members": ["lightgbm"],
    "max_rows": 15_000,
    "trees": {"rounds": 40, "tail_rounds": 40, "leaves": 15, "learning_rate": 0.15, "tail_learning_rate": 0.15},
}


def noise(chance: np.random.Generator, n: int, memory: float) -> Floats:
    """Numbers with a standard deviation of 1, each of which carries a share of the one before."""
    found = chance.standard_normal(n + 50)
    for t in range(1, len(found)):
        found[t] += memory * found[t - 1]
    return np.asarray(found[50:] * np.sqrt(1 - memory**2))


def of_comparisons(chance: np.random.Generator) -> list[str]:
    """Share of comparisons without a difference in which one is seen."""
    lines = []
    for days in (28, 56):
        for memory in (0.0, 0.3, 0.5):
            base = 1 + 0.3 * np.abs(chance.standard_normal((2000, days)))
            seen = [compare(b + 0.05 * noise(chance, days, memory), b).shows(NO_SKILL_CHANCE) for b in base]
            lines.append(
                f"comparison of {days} days, memory {memory}: {np.mean(seen):.1%} false (level {NO_SKILL_CHANCE:.0%})"
            )
    return lines


def of_trials(chance: np.random.Generator) -> list[str]:
    """Share of trials that end in a promotion; a night's losses are those of a week and overlap the next night's.

    Of a tenant that counts in weeks the nights of one forecast the same week: told as one, and, to show why, as seven.
    """
    lines = []
    for name, rules in RULES.items():
        overlap, times = (7, 1) if name == DAY.name else (1, 7)
        for memory in (0.0, 0.4):
            for gain in (0.0, 0.03, 0.06, 0.1):
                promoted, as_seven = 0, 0
                for _ in range(1000):
                    drawn = noise(chance, rules.looks[-1] + overlap - 1, memory)
                    weeks = np.convolve(drawn, np.ones(overlap) / overlap, "valid")
                    its = 1 - gain + 0.05 * np.sqrt(overlap) * weeks
                    promoted += _promoted(its, rules)
                    as_seven += times > 1 and _promoted(np.repeat(its, times), RULES[DAY.name])
                line = f"trial of {rules.unit}, a challenger {gain:.0%} better, memory {memory}: promoted in {promoted / 1000:.1%}"
                lines.append(line + (f" (each week as seven nights: {as_seven / 1000:.1%})" if times > 1 else ""))
    return lines


def _promoted(its: Floats, rules: Rules) -> bool:
    looks = (trial(np.ones(k), its[:k], i, rules) for i, k in enumerate(rules.looks))
    return any(d.promoted for d in looks if d)


def of_drift(chance: np.random.Generator) -> list[str]:
    """Alarms a year without a change, and how soon a shift is told."""
    lines = []
    for name, pace in PACES.items():
        for memory in (0.0, 0.3, 0.5, 0.7):
            alarms = sum(watch(noise(chance, 800, memory), pace).alarm.sum() for _ in range(200))
            often = alarms / (200 * (800 - pace.least) / pace.alarm)
            lines.append(f"drift of {name}s, memory {memory}: {often:.2f} false alarms a year and measure")
    lines.append(
        f"drift of weeks, shift of 2 standard deviations after two years: told after {_delay(chance):.0f} weeks (median)"
    )
    for shift in (1, 2, 3):
        delays = []
        for _ in range(200):
            values = noise(chance, 300, 0.0)
            values[180:] += shift
            alarms = np.flatnonzero(watch(values).alarm[180:])
            delays.append(int(alarms[0]) + 1 if len(alarms) else 999)
        soon = np.mean(np.array(delays) <= 28)
        lines.append(
            f"drift, shift of {shift} standard deviations: told after {np.median(delays):.0f} nights (median), within 28 in {soon:.0%}"
        )
    return lines


def _delay(chance: np.random.Generator) -> float:
    values = [noise(chance, 160, 0.0) + 2.0 * (np.arange(160) >= 104) for _ in range(200)]
    alarms = [np.flatnonzero(watch(v, PACES[WEEK.name]).alarm[104:]) for v in values]
    return float(np.median([a[0] + 1 if len(a) else 999 for a in alarms]))


def of_training(chance: np.random.Generator, tenants: int = 40) -> list[str]:
    """Tenants of independent draws whose first model is promoted."""
    promoted = history = 0
    for number in range(tenants):
        series, days = 1 + number % 6, 200
        if number % 2:
            units = chance.poisson(20, (series, days)).astype(float)
        else:
            units = np.round(50 * np.exp(chance.normal(0, 0.6, (series, days))), 1)
        training = train(_data(units), parameters(SMALL))
        last = list(training.scores.values())[-1]
        decision = decide(last[ENSEMBLE], {name: last[name] for name in FLOORS}, training.skill, None, {})
        promoted += decision.promoted
        history += training.model.floor == "history"
    return [
        (
            f"training on independent draws: {promoted} of {tenants} tenants had a model promoted; "
            f"in {history} the distribution of the past year was the better floor"
        )
    ]


def _data(units: Floats) -> Data:
    products = [f"P{i}" for i in range(len(units))]
    panel = Panel(np.array([f"a/{p}" for p in products], dtype=object), 20_000, units)
    series = pd.DataFrame(
        {"site": "a", "product": products, "product_group": "g", "product_sub_group": "g", "level": ""}
    )
    row, day = (
        part.reshape(-1) for part in np.meshgrid(np.arange(len(units)), np.arange(30, units.shape[1]), indexing="ij")
    )
    order = np.lexsort((row, day))
    origins = origins_at(panel, series, row[order], panel.first_day + day[order], DAY, 28)
    return Data(origins, Calendar.from_features(empty_calendar()), panel, panel.last_day)


def main() -> None:
    chance = np.random.default_rng(SEED)
    for part in (of_comparisons, of_trials, of_drift, of_training):
        for line in part(chance):
            print(line, flush=True)


if __name__ == "__main__":
    main()
