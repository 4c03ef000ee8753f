"""The model card of a version, in Markdown, from the figures of its own training alone.

Sections as in Mitchell and others 2019, "Model Cards for Model Reporting" (FAT* 2019).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from models.demand import evaluate
from models.demand.arrays import Bools
from models.demand.ensemble import SEGMENTS
from models.demand.fallback import dead_reason
from models.demand.folds import Fold
from models.demand.manifest import TrainingManifest
from models.demand.parameters import AUTOGLUON, QUANTILES, SEASONAL_NAIVE
from models.demand.promotion import Decision
from models.demand.reconcile_training import ALONE, RECONCILED
from models.demand.training import ENSEMBLE, Training

METRICS = ("rmsse", "mase", "wape", "mape", "bias", "pinball", "coverage")
NONE = "–"
READING = """\
Lower is better, but for two: `bias` is best at 0 (above it, forecasts are too high) and `coverage`, the share of days
between the quantiles 0.1 and 0.9, at 0.8. `mape` misleads: a day of one unit weighs as much as one of a thousand, days
without units are left out, and what makes it least is a forecast that is too low; read it beside `wape` and `bias`."""


def card(name: str, version: str, training: Training, manifest: TrainingManifest, decision: Decision | None) -> str:
    """The card of version `version` of the registered model `name`. Without a `decision` it says that there is none yet."""
    parts = (
        (f"# {name}, version {version}", ""),
        ("## Model details", _details(training, manifest)),
        ("## Intended use", _use(training)),
        ("## Factors", _factors(training)),
        ("## Metrics", READING),
        ("## Evaluation data", _evaluation(training)),
        ("## Training data", _data(training, manifest)),
        ("## Quantitative analyses", _analyses(training)),
        ("## Ethical considerations", "The data is a factory's units by product, site and day: it tells of no person."),
        ("## Caveats and recommendations", _caveats(training)),
        ("## Decision", _decided(decision)),
    )
    return "\n\n".join(text for part in parts for text in part if text) + "\n"


def figure(value: float) -> str:
    """A figure as the tables of a card show it."""
    return f"{value:.4f}" if math.isfinite(value) else NONE


def _details(training: Training, manifest: TrainingManifest) -> str:
    model = training.model
    seconds = [(work, f"{took:.1f}") for work, took in sorted(training.seconds.items())]
    given = [(k, f"`{json.dumps(v)}`") for k, v in model.parameters.to_dict().items()]
    return "\n\n".join(
        (
            (
                f"A blend of {', '.join(model.blend.members)}: forecasts of the next {model.members.horizon} {model.parameters.period}s as the "
                f"quantiles {', '.join(map(str, QUANTILES))}. Trained by code {manifest.code_version}, seed "
                f"{model.parameters.seed}."
            ),
            "Weights of the members by segment:",
            _table(("segment", *model.blend.members), _weights(training)),
            "Parameters:",
            _table(("parameter", "value"), given),
            "Seconds of the training:",
            _table(("work", "seconds"), seconds),
            "Packages: " + ", ".join(f"{k} {v}" for k, v in sorted(manifest.packages.items())) + ".",
        )
    )


def _weights(training: Training) -> Iterable[Sequence[str]]:
    for segment, weights in zip(SEGMENTS, training.model.blend.weights, strict=True):
        yield segment, *(figure(w) for w in weights)


def _use(training: Training) -> str:
    period = training.model.parameters.period
    return (
        f"For planners: units that customers order of a product at a site, each of the next {training.model.members.horizon} "
        f"{period}s, to plan production and stock by. For this tenant alone: it has learned from no other.\n\n"
        f"Not for: single orders or customers; {period}s further ahead; judging people; other quantities than it has learned."
    )


def _factors(training: Training) -> str:
    judged = training.judged.segment[: training.judged.judged]
    counts = ", ".join(f"{SEGMENTS[k]} {n}" for k, n in enumerate(np.bincount(judged, minlength=len(SEGMENTS))) if n)
    return (
        f"A series is *sparse* if half of its last 28 {training.model.parameters.period}s or more have no units, a *sum* if it stands for several, else "
        f"*regular*; *with path* if a method was fitted to it alone. Series judged in the last fold: {counts or NONE}."
    )


def _evaluation(training: Training) -> str:
    folds = ", ".join(training.scores)
    return (
        f"Rolling origins: members fitted on what was known on {folds} forecast what came after. The blend of each fold is "
        f"fitted on the folds before it; the last fold, of {training.judged.judged} series, has been seen by none."
    )


def _data(training: Training, manifest: TrainingManifest) -> str:
    rows = (
        ("tenant", manifest.tenant),
        ("last day", manifest.night),
        ("rows of the frame", str(manifest.rows)),
        ("SHA-256 of the frame", f"`{manifest.frame_hash}`"),
        *((f"Delta version of {table}", str(version)) for table, version in sorted(manifest.table_versions.items())),
    )
    learned = training.model.members.words
    named = f"Names that it has learned: {len(learned.kinds)} kinds of events, {len(learned.occasions)} holidays and events."
    told = (
        f"Factors that it looks at: {', '.join(learned.factors) or 'none; none were known, or they saved too little'}."
    )
    return _table(("what", "value"), rows) + "\n\n" + named + "\n\n" + told


def _analyses(training: Training) -> str:
    parts = []
    for fold, scores in training.scores.items():
        parts.append(f"Days after {fold}:")
        parts.append(_table(("model", *METRICS), _scores(scores)))
    if training.reconciled:
        parts.append(_reconciled(training))
    parts.append(f"The {ENSEMBLE} in the last fold, by segment:")
    parts.append(_table(("segment", "series", *METRICS), _by_segment(training)))
    return "\n\n".join(parts)


def _reconciled(training: Training) -> str:
    """What forecasts of sums bring, over all levels of the hierarchy."""
    kept = training.model.reconciliation
    used = f"kept, with forecasts of {len(kept.keys)} sums" if kept else "not kept"
    names = [(name, how) for name in ("levels", "series") for how in (ALONE, RECONCILED)]
    rows = [(fold, *(figure(of[how][name]) for name, how in names)) for fold, of in training.reconciled.items()]
    told = (
        f"What forecasts of sums bring, by which the series are reconciled ({used}): RMSSE over all levels, from the series to "
        "the whole, and the series' own pinball loss, without and with them; each fold by what the others tell:"
    )
    head = ("days after", *(f"{'RMSSE' if name == 'levels' else 'pinball'}, {how}" for name, how in names))
    return told + "\n\n" + _table(head, rows)


def _scores(scores: Mapping[str, Mapping[str, float]]) -> Iterable[Sequence[str]]:
    first = (ENSEMBLE, SEASONAL_NAIVE)
    for model in sorted(scores, key=lambda m: (m not in first, first.index(m) if m in first else m)):
        yield model, *(figure(scores[model].get(metric, math.nan)) for metric in METRICS)


def _by_segment(training: Training) -> Iterable[Sequence[str]]:
    for segment, scores in by_segment(training).items():
        of = training.judged.segment[: training.judged.judged] == SEGMENTS.index(segment)
        yield segment, str(int(of.sum())), *(figure(scores[metric]) for metric in METRICS)


def by_segment(training: Training) -> dict[str, dict[str, float]]:
    """What the ensemble scored in the last fold in each segment that it has."""
    fold = training.judged
    segment = fold.segment[: fold.judged]
    found = {}
    for number in np.unique(segment):
        of: Bools = segment == number
        found[SEGMENTS[number]] = _of(fold, training, of)
    return found


def _of(fold: Fold, training: Training, rows: Bools) -> dict[str, float]:
    said, actual = training.quantiles[: fold.judged][rows], fold.actual[: fold.judged][rows]
    return evaluate.table(actual, said, fold.history[rows], fold.season)


def _caveats(training: Training) -> str:
    period = training.judged.period
    lines = [
        (
            f"A series first sold less than {period.min_age} {period.name}s ago, or of whose last 28 {period.name}s fewer than "
            f"{period.min_known} are known, is forecast by a stated fallback, as is one with {dead_reason(period)}."
        ),
        (
            "What no day of the training has shown, as a first campaign or a strike, it cannot foresee; planned events help "
            "only if they stand in the calendar before the cut-off."
        ),
        "A sale that failed for want of stock counts as no demand: it forecasts what was sold, not what was wanted.",
        "A quantile is right for many days together, not for each product by itself.",
        f"It stands for {training.model.parameters.fold_days} {training.model.parameters.period}s by its evidence; train again after that.",
    ]
    if AUTOGLUON in training.model.blend.members:
        lines.append("AutoGluon's part is not the same bit for bit when it is trained again.")
    if training.model.members.trees is None:
        lines.append("No member looks at prices.")
    return "\n".join(f"- {line}" for line in lines)


def _decided(decision: Decision | None) -> str:
    return decision.reason if decision else "Not judged yet."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
