"""Trains the global LSTM in TensorFlow/Keras; on a GPU where there is one. Only a training imports this."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.demand.arrays import Floats, Singles
from models.demand.calendar import Calendar
from models.demand.lstm import Inputs, Lstm, inputs, standard
from models.demand.origins import Origins
from models.demand.parameters import QUANTILES, LstmParameters
from models.demand.vocabulary import Vocabulary

TARGET_CLIP = 8.0  # times the scale: one day of a hundred times the usual must not turn the network over
# In Keras's order.
WEIGHTS = ("kernel", "recurrent", "bias", "context_w", "context_b", "hidden_w", "hidden_b", "out_w", "out_b")
VALIDATION_EVERY = 10  # each tenth window is kept to see when to stop


@dataclass(frozen=True)
class Trained:
    network: Lstm
    epochs: int
    loss: float  # pinball loss of the windows kept, in units / scale


def fit(
    origins: Origins,
    calendar: Calendar,
    words: Vocabulary,
    targets: Floats,
    given: LstmParameters,
    *,
    seed: int,
    threads: int,
) -> Trained:
    """Fit on windows: `targets` is (n, horizon) in pieces, NaN where unknown. The same input and seed give the same weights."""
    keras = _keras(threads)
    keras.utils.set_random_seed(seed)
    raw = inputs(origins, calendar, words, targets.shape[1])
    scales = _scales(raw)
    past, static, future = (standard(getattr(raw, k), *scales[k]) for k in ("past", "static", "future"))
    ready = Inputs(past, static, future, raw.base)
    y = np.minimum(targets / origins.scale[:, None], TARGET_CLIP).astype(np.float32)
    model = keras_model(ready, given)
    keep = np.arange(len(y)) % VALIDATION_EVERY == VALIDATION_EVERY - 1
    best = _train(keras, model, ready, y, keep, given)
    weights = dict(zip(WEIGHTS, (np.asarray(w) for w in model.get_weights()), strict=True))
    norm = {
        f"{k}_{what}": value for k, pair in scales.items() for what, value in zip(("mean", "std"), pair, strict=True)
    }
    return Trained(Lstm(**norm, **weights), *best)


def _keras(threads: int) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # with them sums are added up in an order of the processor's own: the same training elsewhere gives other weights
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import keras
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    if threads:
        with contextlib.suppress(RuntimeError):  # already started with other threads: only the speed differs
            tf.config.threading.set_intra_op_parallelism_threads(threads)
    return keras


def _scales(raw: Inputs) -> dict[str, tuple[Singles, Singles]]:
    """Mean and standard deviation of each column of past, static and future."""
    found = {}
    for name in ("past", "static", "future"):
        columns = getattr(raw, name).reshape(-1, getattr(raw, name).shape[-1]).astype(float)
        known = ~np.isnan(columns)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, columns, 0).sum(axis=0) / count
        deviation = np.sqrt(np.where(known, (columns - mean) ** 2, 0).sum(axis=0) / count)
        found[name] = (mean.astype(np.float32), np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32))
    return found


def keras_model(x: Inputs, given: LstmParameters) -> Any:
    """The network in Keras, for inputs shaped as `x`."""
    import keras

    layers = keras.layers
    past = keras.Input(x.past.shape[1:])
    static = keras.Input(x.static.shape[1:])
    future = keras.Input(x.future.shape[1:])
    base = keras.Input(x.base.shape[1:])
    read = layers.LSTM(given.units, name="read")(past)
    context = layers.Dense(given.hidden, activation="relu", name="context")(layers.Concatenate()([read, static]))
    each_day = layers.Concatenate()([layers.RepeatVector(x.future.shape[1])(context), future])
    hidden = layers.Dense(given.hidden, activation="relu", name="hidden")(each_day)
    # nothing learned yet is no difference from the same weekdays: the network begins as a fair forecast
    away = layers.Dense(len(QUANTILES), kernel_initializer="zeros", name="out")(hidden)
    out = layers.Add()([away, layers.Reshape((x.base.shape[1], 1))(base)])
    return keras.Model([past, static, future, base], out)


def weights_of(network: Lstm) -> list[Singles]:
    """As Keras's `set_weights` takes them."""
    return [getattr(network, name) for name in WEIGHTS]


def _loss(keras: Any) -> Any:
    levels = np.array(QUANTILES, dtype=np.float32)
    ops = keras.ops

    def pinball(y: Any, quantiles: Any) -> Any:
        known = ops.logical_not(ops.isnan(y))
        error = ops.expand_dims(ops.where(known, y, 0.0), -1) - quantiles
        loss = ops.mean(ops.maximum(levels * error, (levels - 1) * error), axis=-1)
        return ops.sum(ops.where(known, loss, 0.0)) / ops.maximum(ops.sum(ops.cast(known, "float32")), 1.0)

    return pinball


def _train(
    keras: Any, model: Any, x: Inputs, y: Singles, keep: np.ndarray[Any, Any], given: LstmParameters
) -> tuple[int, float]:
    """Fit in place; the best epoch by the windows kept stays. Returns how many epochs ran and its loss."""
    every = [x.past, x.static, x.future, x.base]
    learn = ~keep
    steps = max(1, int(np.ceil(learn.sum() / given.batch))) * given.epochs
    rate = keras.optimizers.schedules.CosineDecay(given.learning_rate, steps)
    model.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=1.0), loss=_loss(keras))
    stop = keras.callbacks.EarlyStopping(patience=given.patience, restore_best_weights=True)
    story = model.fit(
        [a[learn] for a in every],
        y[learn],
        validation_data=([a[keep] for a in every], y[keep]),
        batch_size=given.batch,
        epochs=given.epochs,
        callbacks=[stop],
        verbose=0,
    )
    losses = story.history["val_loss"]
    return len(losses), float(min(losses))
