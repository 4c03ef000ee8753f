"""The forward pass of the global LSTM, in numpy: a night needs no TensorFlow, and no seconds to import it.

The network reads four weeks of a series (units / scale), then writes each of the 28 days ahead from what it has read,
from the origin's own numbers and from what is known beforehand of that day. It says how far the three quantiles lie
from the mean of the last same weekdays. `lstm_training` fits it in Keras; a test holds both to the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from models.demand.arrays import Floats, Singles
from models.demand.calendar import Calendar
from models.demand.frame import CATEGORIES, ORIGIN_COLUMNS, USUAL, build_all
from models.demand.origins import Origins
from models.demand.vocabulary import Vocabulary

MAX_ONE_HOT = 40  # names of a category, up to which each has an input of its own
CLIP = 6.0  # standard deviations, beyond which an input says no more
CHUNK = 2_000  # origins at a time: 15,000 at once would need gigabytes


@dataclass(frozen=True)
class Inputs:
    """`past` (n, 28, p), oldest day first; `static` (n, s); `future` (n, 28, f); `base` (n, 28): all about units / scale."""

    past: Singles
    static: Singles
    future: Singles
    base: Singles


def inputs(origins: Origins, calendar: Calendar, words: Vocabulary, horizon: int) -> Inputs:
    """What the network sees of `origins`, not yet standardised; unknown is NaN."""
    frame = build_all(origins, calendar, words, horizon)
    n, split = len(origins), len(ORIGIN_COLUMNS)
    cube = frame.x.reshape(n, horizon, -1)
    weekday = cube[:, :, frame.names.index("weekday")]
    numbers = cube[:, :, split : len(frame.names) - len(CATEGORIES)]
    base = cube[:, :, frame.names.index(USUAL)]
    lags = origins.lags[:, ::-1] / origins.scale[:, None]
    season = origins.period.season
    # whole seasons end with the origin: its past has the weekdays of the days ahead
    places = np.tile(weekday[:, :season], lags.shape[1] // season)
    past = np.stack([lags, *_one_hot(places, season)], axis=2)
    static = np.concatenate([cube[:, 0, :split], *_names(cube[:, 0], frame.names, words)], axis=1)
    future = np.concatenate([numbers, np.stack(_one_hot(weekday, season), axis=2)], axis=2)
    return Inputs(*(a.astype(np.float32) for a in (past, static, future, base)))


def _one_hot(codes: Singles, size: int) -> list[Singles]:
    return [(codes == k).astype(np.float32) for k in range(size)]


def _names(rows: Singles, names: tuple[str, ...], words: Vocabulary) -> list[Singles]:
    """One column a site, product and group, where there are few of them; a name unknown has none set."""
    parts = []
    for name, known in (
        ("site", words.sites),
        ("product", words.products),
        ("group", words.groups),
        ("level", words.levels),
    ):
        if 1 < len(known) <= MAX_ONE_HOT:
            parts.append(np.stack(_one_hot(rows[:, names.index(name)], len(known)), axis=1))
    return parts


@dataclass(frozen=True)
class Lstm:
    """The weights, named as they are used. `*_mean` and `*_std` standardise the inputs."""

    past_mean: Singles
    past_std: Singles
    static_mean: Singles
    static_std: Singles
    future_mean: Singles
    future_std: Singles
    kernel: Singles  # (p, 4u), gates in the order of Keras: input, forget, cell, output
    recurrent: Singles  # (u, 4u)
    bias: Singles
    context_w: Singles
    context_b: Singles
    hidden_w: Singles
    hidden_b: Singles
    out_w: Singles
    out_b: Singles

    def standardise(self, given: Inputs) -> Inputs:
        return Inputs(
            standard(given.past, self.past_mean, self.past_std),
            standard(given.static, self.static_mean, self.static_std),
            standard(given.future, self.future_mean, self.future_std),
            given.base,
        )

    def predict(self, origins: Origins, calendar: Calendar, words: Vocabulary, horizon: int) -> Floats:
        """(n, horizon, 3) in pieces, not sorted."""
        parts = [np.zeros((0, horizon, 3))]
        for begin in range(0, len(origins), CHUNK):
            some = origins.take(np.arange(begin, min(begin + CHUNK, len(origins))))
            out = self.forward(self.standardise(inputs(some, calendar, words, horizon)))
            parts.append(out.astype(float) * some.scale[:, None, None])
        return np.concatenate(parts)

    def forward(self, x: Inputs) -> Singles:
        """The network itself on standardised inputs, (n, 28, 3) of units / scale."""
        context = np.concatenate([self._read(x.past), x.static], axis=1)
        context = np.maximum(context @ self.context_w + self.context_b, 0)
        spread = np.repeat(context[:, None, :], x.future.shape[1], axis=1)
        hidden = np.concatenate([spread, x.future], axis=2) @ self.hidden_w + self.hidden_b
        return np.asarray(x.base[:, :, None] + np.maximum(hidden, 0) @ self.out_w + self.out_b)

    def _read(self, past: Singles) -> Singles:
        """Last state of the LSTM over `past`."""
        units = self.recurrent.shape[0]
        state, cell = np.zeros((2, len(past), units), dtype=np.float32)
        for t in range(past.shape[1]):
            gates = past[:, t] @ self.kernel + state @ self.recurrent + self.bias
            enter, forget, new, leave = np.split(gates, 4, axis=1)
            cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(new)
            state = _sigmoid(leave) * np.tanh(cell)
        return state

    def save(self, folder: Path) -> None:
        np.savez(folder / "lstm.npz", **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, folder: Path) -> Lstm:
        with np.load(folder / "lstm.npz") as saved:
            return cls(**{f.name: saved[f.name] for f in fields(cls)})


def standard(x: Singles, mean: Singles, std: Singles) -> Singles:
    """Mean 0 and deviation 1 in training; what is unknown stands at the mean."""
    return np.asarray(np.clip(np.nan_to_num((x - mean) / std), -CLIP, CLIP), dtype=np.float32)


def _sigmoid(x: Singles) -> Singles:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30, 30))), dtype=np.float32)
