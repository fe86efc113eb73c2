"""A small recurrent network over the order of events, as an MLlib stage (extra `deep`).

log-odds = bias + line · standardised numbers + readout · state after the last event

A gated recurrent unit (Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder") reads the events,
oldest first. A linear part over the features of the other models is added to it (wide and deep, Cheng et al. 2016), so
that any gain over logistic regression comes from the events. torch is needed for fitting only; the fitted weights are
plain numbers, which numpy applies on the executors.

The last slots of a row's vector are its events as numbers (`prepare.event_slots`): 0 is no event, 1 an unknown one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyspark.ml import Estimator, Model
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from scipy.special import expit

from otklik.models.extras import library
from otklik.models.one_task import learn_in_one_task

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Weights = Mapping[str, Floats]

#: Maximum number of rows, sampled by their hash: with 50 events and 60 numbers each they take 0.5 GB.
MOST_ROWS = 500_000
_NONE, _UNKNOWN = 0, 1
#: One in this many rows, the latest ones, is held out for early stopping.
_HELD_OUT = 10
#: Epochs without a lower log loss on the held-out rows, after which fitting stops.
_PATIENCE = 4
_BATCH = 256
#: Rows that are worked out at once.
_AT_ONCE = 10_000


class SequenceNetwork(Estimator["FittedSequence"]):
    """The network with early stopping on the latest tenth of the rows that it is fitted on.

    Rows need row_hash, as_of, label and the vector of features.
    """

    def __init__(self, setting: Mapping[str, Any], seed: int, features: str) -> None:
        """Of one setting: hidden, learning_rate, epochs, last (how many places of the vector are events)."""
        super().__init__()
        self.setting, self.seed, self.features = dict(setting), seed, features

    def _fit(self, dataset: DataFrame) -> FittedSequence:
        columns = [
            F.col("label").cast("double").alias("label"),
            F.unix_micros("as_of").alias("moment"),
            vector_to_array(F.col(self.features), "float32").alias("numbers"),
        ]
        setting, seed = self.setting, self.seed
        found = json.loads(learn_in_one_task(dataset, columns, MOST_ROWS, lambda rows: _learn(rows, setting, seed)))
        return FittedSequence({name: np.asarray(values, np.float64) for name, values in found.items()}, self.features)


class FittedSequence(Model):
    """A fitted network; `prediction` is the log-odds."""

    def __init__(self, weights: Weights, features: str) -> None:
        """Of what `_learn` has found, and the vector column that it reads."""
        super().__init__()
        self.weights, self.features = weights, features

    def _transform(self, dataset: DataFrame) -> DataFrame:
        weights = self.weights

        def said(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
            for batch in batches:
                yield pd.Series(log_odds(weights, np.vstack(list(batch))) if len(batch) else [], dtype=float)

        log_odds_of = pandas_udf(said, "double")  # type: ignore[call-overload]
        return dataset.withColumn("prediction", log_odds_of(vector_to_array(F.col(self.features))))


def log_odds(weights: Weights, features: npt.NDArray[Any]) -> Floats:
    """Log-odds of rows, (rows, slots) → (rows,)."""
    of_line, of_events = parts(weights, features)
    return np.asarray(weights["bias"] + of_line.sum(axis=1) + of_events, np.float64)


def parts(weights: Weights, features: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """What each number adds to the log-odds, (rows, slots without events), and what the events do, (rows,)."""
    numbers = len(weights["line"])
    known = len(weights["event"])
    tokens = np.asarray(features)[:, numbers:].astype(np.int64)
    # One that no row that was learnt from had.
    tokens = np.where(tokens < known, tokens, _UNKNOWN)
    standard = (np.asarray(features, np.float64)[:, :numbers] - weights["mean"]) / weights["scale"]
    state = np.zeros((len(tokens), len(weights["readout"])))
    return standard * weights["line"], _read(weights, tokens, state, expit, np.tanh) @ weights["readout"]


def is_sound(weights: Weights, slots: int) -> bool:
    """Whether these are valid weights of a network with this number of slots."""
    hidden, numbers = weights["readout"].size, weights["line"].size
    shapes = {
        "event": (len(weights["event"]), 3 * hidden),
        "recurrent": (hidden, 3 * hidden),
        "recurrent_bias": (3 * hidden,),
        "readout": (hidden,),
        **dict.fromkeys(("line", "mean", "scale"), (numbers,)),
        **dict.fromkeys(("bias", "mean_of_events"), ()),
    }
    return (
        {name: values.shape for name, values in weights.items()} == shapes
        and len(weights["event"]) > _UNKNOWN
        and numbers < slots
        and all(bool(np.isfinite(values).all()) for values in weights.values())
        and bool((weights["scale"] > 0).all())
    )


def _read(weights: Mapping[str, Any], tokens: Any, state: Any, sigmoid: Any, tanh: Any) -> Any:
    """The state after the last event, in numpy or torch alike: what is fitted is what is applied."""
    hidden = state.shape[1]
    for place in range(tokens.shape[1]):
        token = tokens[:, place]
        if not (token > _NONE).any():
            # So it is at most places where rows have few events.
            continue
        given = weights["event"][token]
        own = state @ weights["recurrent"] + weights["recurrent_bias"]
        reset = sigmoid(given[:, :hidden] + own[:, :hidden])
        keep = sigmoid(given[:, hidden : 2 * hidden] + own[:, hidden : 2 * hidden])
        new = tanh(given[:, 2 * hidden :] + reset * own[:, 2 * hidden :])
        # Where there is no event, the state stays what it was.
        state = state + (token > _NONE)[:, None] * (1 - keep) * (new - state)
    return state


def _learn(rows: pa.Table, setting: Mapping[str, Any], seed: int) -> bytes:
    torch = library("sequence")
    # Sums of several threads differ in their last bits.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    draws = torch.Generator().manual_seed(seed)
    rows = rows.sort_by([("moment", "ascending"), ("row_hash", "ascending")]).combine_chunks()
    count, hidden = rows.num_rows, setting["hidden"]
    learnt_from = count - count // _HELD_OUT
    features = rows["numbers"].combine_chunks().flatten().to_numpy().reshape(count, -1)
    numbers, events = np.split(features, [features.shape[1] - setting["last"]], axis=1)
    known = int(events[:learnt_from].max(initial=_UNKNOWN)) + 1
    tokens = torch.from_numpy(np.where(events < known, events, _UNKNOWN).astype(np.int64))
    label = torch.from_numpy(rows["label"].to_numpy().astype(np.float32))
    mean, scale = numbers[:learnt_from].mean(axis=0), numbers[:learnt_from].std(axis=0)
    scale[scale == 0] = 1
    standard = torch.from_numpy((numbers - mean) / scale)
    weights = _drawn(torch, draws, known, hidden, standard.shape[1])
    steps = torch.optim.AdamW(weights.values(), lr=setting["learning_rate"])
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits

    def of_events(some: Any) -> Any:
        state = torch.zeros((len(tokens[some]), hidden))
        return _read(weights, tokens[some], state, torch.sigmoid, torch.tanh) @ weights["readout"]

    def loss(some: Any, reduction: str) -> Any:
        return loss_of(
            weights["bias"] + standard[some] @ weights["line"] + of_events(some), label[some], reduction=reduction
        )

    def pieces(start: int, end: int) -> list[slice]:
        return [slice(first, min(first + _AT_ONCE, end)) for first in range(start, end, _AT_ONCE)]

    best, least, waited = _values(weights), np.inf, 0
    for _ in range(setting["epochs"]):
        for some in torch.randperm(learnt_from, generator=draws).split(_BATCH):
            steps.zero_grad()
            loss(some, "mean").backward()
            torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
            steps.step()
        with torch.no_grad():
            held_out = sum(float(loss(piece, "sum")) for piece in pieces(learnt_from, count))
        waited = 0 if held_out < least else waited + 1
        # With nothing held out all passes are made, and the last one counts.
        if held_out < least or learnt_from == count:
            best, least = _values(weights), held_out
        if waited == _PATIENCE and learnt_from < count:
            break
    fixed = {"mean": mean.tolist(), "scale": scale.tolist(), "mean_of_events": 0.0}
    found = {name: np.asarray(values, np.float64) for name, values in (best | fixed).items()}
    said = [parts(found, features[piece])[1].sum() for piece in pieces(0, learnt_from)]
    return json.dumps(best | fixed | {"mean_of_events": float(sum(said) / learnt_from)}).encode()


def _drawn(torch: Any, draws: Any, events: int, hidden: int, slots: int) -> dict[str, Any]:
    """The weights before the first step; the line over the numbers begins at 0."""

    def normal(*shape: int) -> Any:
        return torch.empty(shape).normal_(generator=draws) / hidden**0.5

    weights = {
        "event": normal(events, 3 * hidden),
        "recurrent": normal(hidden, 3 * hidden),
        "recurrent_bias": torch.zeros(3 * hidden),
        "readout": normal(hidden),
        "line": torch.zeros(slots),
        "bias": torch.zeros(()),
    }
    return {name: values.requires_grad_() for name, values in weights.items()}


def _values(weights: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values.tolist() for name, values in weights.items()}
