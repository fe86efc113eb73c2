"""Portable models: exact scores of champions without a JVM, and the contribution of every feature to each score.

A portable model is plain numbers. Logistic regression is a vector of coefficients; a tree or a forest is a table of
nodes; trees of xgboost stay in its own format. In all of them, base value + one contribution per source column = raw
score.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from otklik.errors import DamagedError
from otklik.models import boosting, sequence
from otklik.models.bootstrap import Floats, draw_hash, mixed
from otklik.models.calibrate import probability_of

Ints = npt.NDArray[np.intp]
#: From a matrix of features (rows, slots) to probabilities (rows,).
Predict = Callable[[Floats], Floats]

#: Mark of a node that asks no question.
LEAF = -1
#: Contributions are compared to this many decimals, so that a last bit never decides between two reasons.
_DECIMALS = 12
#: Of a row's events the newest that a reason names.
_EVENTS_TOLD = 8


@dataclass(frozen=True)
class Slots:
    """The places of the feature vector.

    Attributes:
        names: name of each slot (`marital=single`, `age`).
        sources: the source column of each slot (`marital`, `age`): its dummies are added up.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The source columns, each once, in order of their first slot."""
        return tuple(dict.fromkeys(self.sources))

    def column_of_slot(self) -> Ints:
        """(slots,) index of each slot's source column in `columns`."""
        place = {column: index for index, column in enumerate(self.columns)}
        return np.array([place[source] for source in self.sources], dtype=np.intp)

    def added_up(self, of_slots: Floats) -> Floats:
        """Numbers of slots, (rows, slots or more), added up per source column, (rows, columns)."""
        added = np.zeros((len(of_slots), len(self.columns)))
        for slot, column in enumerate(self.column_of_slot()):
            added[:, column] += of_slots[:, slot]
        return added

    def per_column(self) -> dict[str, list[int]]:
        """Source column → its slots."""
        return {column: [i for i, source in enumerate(self.sources) if source == column] for column in self.columns}


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Logistic regression; its raw score is the log-odds.

    Attributes:
        slots: the places of the feature vector.
        coefficients: (slots,) per unit of the feature in the vector.
        intercept: log-odds where every feature is 0.
        means: (slots,) mean of each feature in training; contributions are relative to it.
    """

    slots: Slots
    coefficients: Floats
    intercept: float
    means: Floats

    def raw_score(self, features: Floats) -> Floats:
        """Log-odds, (rows, slots) → (rows,)."""
        return features @ self.coefficients + self.intercept

    def probability(self, features: Floats) -> Floats:
        """The model's own probability of yes, (rows, slots) → (rows,)."""
        return probability_of(self.raw_score(features))

    def contributions(self, features: Floats) -> tuple[float, Floats]:
        """Base value (log-odds of the mean row) and what each source column adds, (rows, columns)."""
        base = self.intercept + float(self.means @ self.coefficients)
        return base, self.slots.added_up((features - self.means) * self.coefficients)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON values; floats survive to the last bit."""
        return {
            "kind": "logistic_regression",
            "slots": list(self.slots.names),
            "sources": list(self.slots.sources),
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept,
            "means": self.means.tolist(),
        }


@dataclass(frozen=True, eq=False)
class TreeModel:
    """A decision tree or a forest; its raw score is the share of yes in the leaf, averaged over trees.

    All trees are in one table of nodes. A node sends a row left if the feature is ≤ the threshold.

    Attributes:
        slots: the places of the feature vector.
        roots: (trees,) each tree's first node.
        slot: (nodes,) the slot that a node splits on; LEAF for a leaf.
        threshold: (nodes,) the greatest value that goes left; 0 for a leaf.
        left: (nodes,) the left child; for a leaf the leaf itself.
        right: (nodes,) the right child; for a leaf the leaf itself.
        yes_share: (nodes,) share of yes among the training rows of the node.
    """

    slots: Slots
    roots: Ints
    slot: Ints
    threshold: Floats
    left: Ints
    right: Ints
    yes_share: Floats

    def raw_score(self, features: Floats) -> Floats:
        """Mean share of yes in the leaves, (rows, slots) → (rows,)."""
        total = np.zeros(len(features))
        for root in self.roots:
            node = np.full(len(features), root)
            while (asking := np.flatnonzero(self.slot[node] != LEAF)).size:
                node[asking] = self._next(features, asking, node[asking])
            total += self.yes_share[node]
        return total / len(self.roots)

    def probability(self, features: Floats) -> Floats:
        """The model's own probability of yes: the raw score."""
        return self.raw_score(features)

    def contributions(self, features: Floats) -> tuple[float, Floats]:
        """Base value (mean share of yes in the roots) and the contribution of each source column, (rows, columns).

        Each step down a tree changes the share of yes; the change is attributed to the column of that split (Saabas
        2014, "Interpreting random forests").
        """
        column_of_slot = self.slots.column_of_slot()
        added = np.zeros((len(features), len(self.slots.columns)))
        for root in self.roots:
            node = np.full(len(features), root)
            while (asking := np.flatnonzero(self.slot[node] != LEAF)).size:
                parent = node[asking]
                child = self._next(features, asking, parent)
                # A row occurs once in `asking`, so that no addition is lost.
                added[asking, column_of_slot[self.slot[parent]]] += self.yes_share[child] - self.yes_share[parent]
                node[asking] = child
        return float(self.yes_share[self.roots].mean()), added / len(self.roots)

    def _next(self, features: Floats, rows: Ints, nodes: Ints) -> Ints:
        goes_left = features[rows, self.slot[nodes]] <= self.threshold[nodes]
        return np.where(goes_left, self.left[nodes], self.right[nodes])

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON values; floats survive to the last bit."""
        return {
            "kind": "trees",
            "slots": list(self.slots.names),
            "sources": list(self.slots.sources),
            "roots": self.roots.tolist(),
            "slot": self.slot.tolist(),
            "threshold": self.threshold.tolist(),
            "left": self.left.tolist(),
            "right": self.right.tolist(),
            "yes_share": self.yes_share.tolist(),
        }


@dataclass(frozen=True, eq=False)
class BoostedModel:
    """Trees of xgboost; their raw score is the log-odds. To score takes the package.

    Attributes:
        slots: the places of the feature vector.
        booster: the trees as xgboost writes them (UBJSON), which hold no code.
    """

    slots: Slots
    booster: bytes

    def raw_score(self, features: Floats) -> Floats:
        """Log-odds, (rows, slots) → (rows,)."""
        return boosting.margins(boosting.read_booster(self.booster), features)

    def probability(self, features: Floats) -> Floats:
        """The model's own probability of yes, (rows, slots) → (rows,)."""
        return probability_of(self.raw_score(features))

    def contributions(self, features: Floats) -> tuple[float, Floats]:
        """Base value (mean log-odds in training) and what each source column adds, (rows, columns): exact TreeSHAP.

        xgboost adds up in single precision: the sum is the raw score to some six digits.
        """
        of_slots = boosting.shares(boosting.read_booster(self.booster), features)
        return float(of_slots[0, -1]), self.slots.added_up(of_slots)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON values."""
        return {
            "kind": "xgboost",
            "slots": list(self.slots.names),
            "sources": list(self.slots.sources),
            "booster": base64.b64encode(self.booster).decode(),
        }


@dataclass(frozen=True, eq=False)
class SequenceModel:
    """The network over the order of events; its raw score is the log-odds. Scoring needs numpy only.

    Attributes:
        slots: the slots of the feature vector; those of events come last.
        weights: see `sequence.log_odds`.
    """

    slots: Slots
    weights: sequence.Weights

    def raw_score(self, features: Floats) -> Floats:
        """Log-odds, (rows, slots) → (rows,)."""
        return sequence.log_odds(self.weights, features)

    def probability(self, features: Floats) -> Floats:
        """The model's own probability of yes, (rows, slots) → (rows,)."""
        return probability_of(self.raw_score(features))

    def contributions(self, features: Floats) -> tuple[float, Floats]:
        """Base value (mean log-odds in training) and the contribution of each source column, (rows, columns).

        Numbers contribute as in a logistic regression; events contribute relative to their mean in training.
        """
        of_line, of_events = sequence.parts(self.weights, features)
        mean = float(self.weights["mean_of_events"])
        of_slots = np.zeros(np.shape(features))
        of_slots[:, : of_line.shape[1]] = of_line
        of_slots[:, -1] = of_events - mean
        return float(self.weights["bias"]) + mean, self.slots.added_up(of_slots)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON values; floats survive to the last bit."""
        return {
            "kind": "sequence",
            "slots": list(self.slots.names),
            "sources": list(self.slots.sources),
            "weights": {name: values.tolist() for name, values in self.weights.items()},
        }


PortableModel = LinearModel | TreeModel | BoostedModel | SequenceModel


def from_logistic(slots: Slots, coefficients: Floats, intercept: float, means: Floats) -> LinearModel:
    """The portable form of an MLlib LogisticRegressionModel.

    Args:
        slots: the places of its feature vector.
        coefficients: `model.coefficients.toArray()`.
        intercept: `model.intercept`.
        means: (slots,) means of the training features.

    Raises:
        ValueError: if there is not one coefficient and one mean per slot.
    """
    if not len(slots.names) == len(coefficients) == len(means):
        raise ValueError("one coefficient and one mean are needed for each slot")
    return LinearModel(slots, np.asarray(coefficients, float), float(intercept), np.asarray(means, float))


def from_spark_trees(slots: Slots, rows: pd.DataFrame) -> TreeModel:
    """The portable form of an MLlib DecisionTreeRegressionModel or RandomForestRegressionModel on a 0/1 label.

    Args:
        slots: the places of its feature vector.
        rows: the `data` folder of the saved model, one row per node: id, impurityStats (rows, sum and sum of squares
            of the label), leftChild, rightChild, split (featureIndex, leftCategoriesOrThreshold, numCategories); for a
            forest treeID and nodeData of the same.

    Raises:
        ValueError: if a split is categorical, or a node's statistics are not those of variance.
    """
    nodes = rows
    if "nodeData" in rows.columns:
        nodes = pd.DataFrame([_as_mapping(node) for node in rows["nodeData"]]).assign(tree=rows["treeID"].to_numpy())
    nodes = nodes if "tree" in nodes.columns else nodes.assign(tree=0)
    nodes = nodes.sort_values(["tree", "id"], ignore_index=True)
    tree, node_id = nodes["tree"].to_numpy(), nodes["id"].to_numpy()
    # Within a tree ids run from 0 without a gap, so a node's place is its tree's first place plus its id.
    roots = np.flatnonzero(node_id == 0)
    first = roots[np.searchsorted(tree[roots], tree)]
    if not np.array_equal(first + node_id, np.arange(len(nodes))):
        raise ValueError("the nodes of a tree are not numbered from 0 without a gap")
    splits = [_as_mapping(split) for split in nodes["split"]]
    is_leaf = nodes["leftChild"].to_numpy() < 0
    if any(split["numCategories"] != -1 for split, leaf in zip(splits, is_leaf, strict=True) if not leaf):
        raise ValueError("a split is categorical")
    statistics = np.array([list(stats) for stats in nodes["impurityStats"]], dtype=np.float64)
    if statistics.shape != (len(nodes), 3):
        raise ValueError("a node's statistics are not rows, sum and sum of squares")
    itself = np.arange(len(nodes))
    return TreeModel(
        slots,
        roots=roots,
        slot=np.where(is_leaf, LEAF, [int(split["featureIndex"]) for split in splits]),
        threshold=np.array(
            [
                0.0 if leaf else split["leftCategoriesOrThreshold"][0]
                for split, leaf in zip(splits, is_leaf, strict=True)
            ]
        ),
        left=np.where(is_leaf, itself, first + nodes["leftChild"].to_numpy()),
        right=np.where(is_leaf, itself, first + nodes["rightChild"].to_numpy()),
        yes_share=statistics[:, 1] / statistics[:, 0],
    )


def from_dict(values: Mapping[str, Any]) -> PortableModel:
    """The model that `to_dict` wrote.

    Raises:
        DamagedError: if it is not one: a part missing, lengths that differ, nodes that lead nowhere or in a circle.
    """
    try:
        model = _READERS[values["kind"]](values)
    except (KeyError, TypeError, ValueError, IndexError):
        raise DamagedError("the model is not readable", hint="train again, or roll back") from None
    if not _is_sound(model):
        raise DamagedError("the model contains invalid values", hint="train again, or roll back")
    return model


def top_reasons(
    columns: Sequence[str], contributions: Floats, values: pd.DataFrame, count: int
) -> tuple[list[list[tuple[str, str | None, float]]], Floats]:
    """The strongest contributions of each row, and what all the others add up to.

    Args:
        columns: names of the source columns, one per column of the contributions.
        contributions: (rows, columns).
        values: (rows) the source columns as a person knows them, in the same order of rows.
        count: how many reasons a row has at most; a contribution of 0 is not a reason.

    Returns:
        For each row its (column, value as text, contribution), strongest first, ties by name; and (rows,) the sum of
        the contributions left out.
    """
    by_name = np.argsort(np.array(columns, dtype=object))
    strength = np.round(np.abs(contributions[:, by_name]), _DECIMALS)
    chosen = by_name[np.argsort(-strength, axis=1, kind="stable")[:, :count]]
    given = np.take_along_axis(contributions, chosen, axis=1)
    given = np.where(np.round(np.abs(given), _DECIMALS) > 0, given, 0.0)
    texts = {column: [value_text(value) for value in values[column]] for column in columns}
    reasons = [
        [(columns[place], texts[columns[place]][row], float(part)) for place, part in pairs if part != 0]
        for row, pairs in enumerate(map(_zipped, chosen, given))
    ]
    return reasons, contributions.sum(axis=1) - given.sum(axis=1)


#: From here on six digits of a number are all before its point.
_ALL_DIGITS_WHOLE = 100_000


def value_text(value: Any) -> str | None:
    """A feature's value as text: whole numbers without a point, others to 6 digits, none as a power of ten.

    Of events in their order the newest.
    """
    if isinstance(value, np.ndarray | list):
        events = [str(event) for event in value]
        return " → ".join(["…", *events[-_EVENTS_TOLD:]] if len(events) > _EVENTS_TOLD else events)
    if (
        value is None
        or value is pd.NaT
        or value is pd.NA
        or (isinstance(value, float | np.floating) and math.isnan(value))
    ):
        return None
    if isinstance(value, float | np.floating):
        number = float(value)
        if number.is_integer() or abs(number) >= _ALL_DIGITS_WHOLE:
            return f"{number:.0f}"
        return np.format_float_positional(number, precision=6, fractional=False, trim="-")
    return str(value)


def permutation_importance(
    predict: Predict,
    features: Floats,
    slots: Slots,
    *,
    metric: Callable[[Floats], float | None],
    keys: npt.NDArray[Any],
    salt: str,
    repeats: int = 5,
) -> pd.DataFrame:
    """Decrease in a metric when the values of one source column are permuted among the rows.

    Breiman 2001, with all slots of a column permuted together (Fisher, Rudin & Dominici 2019). The permutation depends
    on the rows' keys, not on their order.

    Args:
        predict: the model.
        features: (rows, slots) unseen rows.
        slots: the slots of the feature vector.
        metric: probabilities (rows,) → a number, higher is better.
        keys: (rows,) unique keys of the rows.
        salt: salt of the permutation.
        repeats: permutations per column.

    Returns:
        One row per source column: feature, value (mean decrease), low, high (minimum and maximum decrease).

    Raises:
        ValueError: if keys are not unique, or the metric is undefined for these rows.
    """
    seeds = draw_hash(keys, salt)
    if len(np.unique(seeds)) < len(seeds):
        raise ValueError("two rows have the same key")
    before = _measured(metric, predict(features))
    rows = np.argsort(seeds)
    found = []
    for number, (column, places) in enumerate(slots.per_column().items()):
        losses = []
        for repeat in range(repeats):
            others = np.argsort(mixed(seeds, np.array([number * repeats + repeat], dtype=np.uint64))[0])
            dealt = features.copy()
            for place in places:
                dealt[rows, place] = features[others, place]
            losses.append(before - _measured(metric, predict(dealt)))
        found.append({"feature": column, "value": float(np.mean(losses)), "low": min(losses), "high": max(losses)})
    return pd.DataFrame(found, columns=["feature", "value", "low", "high"])


def partial_dependence(predict: Predict, features: Floats, points: Sequence[Mapping[int, float]]) -> Floats:
    """Mean probability when one feature is set to the same value in all rows (Friedman 2001).

    Args:
        predict: the model.
        features: (rows, slots).
        points: each point as slot → value: all slots of the source column, dummies included.

    Returns:
        (points,) mean probabilities.
    """
    means = np.empty(len(points))
    for number, point in enumerate(points):
        alike = features.copy()
        for slot, value in point.items():
            alike[:, slot] = value
        means[number] = predict(alike).mean()
    return means


def _measured(metric: Callable[[Floats], float | None], probability: Floats) -> float:
    value = metric(probability)
    if value is None:
        raise ValueError("the metric does not exist for these rows")
    return value


def _zipped(places: Ints, parts: Floats) -> list[tuple[int, float]]:
    return list(zip(places.tolist(), parts.tolist(), strict=True))


def _as_mapping(node: Any) -> Mapping[str, Any]:
    """A struct as Spark's collect (Row) or pandas and Arrow (dict) hand it over."""
    return node if isinstance(node, Mapping) else node.asDict()


def _slots(values: Mapping[str, Any]) -> Slots:
    return Slots(tuple(map(str, values["slots"])), tuple(map(str, values["sources"])))


def _linear(values: Mapping[str, Any]) -> LinearModel:
    return LinearModel(
        _slots(values),
        np.array(values["coefficients"], dtype=np.float64),
        float(values["intercept"]),
        np.array(values["means"], dtype=np.float64),
    )


def _trees(values: Mapping[str, Any]) -> TreeModel:
    def whole(name: str) -> Ints:
        return np.array(values[name], dtype=np.intp)

    return TreeModel(
        _slots(values),
        roots=whole("roots"),
        slot=whole("slot"),
        threshold=np.array(values["threshold"], dtype=np.float64),
        left=whole("left"),
        right=whole("right"),
        yes_share=np.array(values["yes_share"], dtype=np.float64),
    )


def _boosted(values: Mapping[str, Any]) -> BoostedModel:
    return BoostedModel(_slots(values), base64.b64decode(values["booster"], validate=True))


def _sequence(values: Mapping[str, Any]) -> SequenceModel:
    weights = {name: np.array(each, dtype=np.float64) for name, each in values["weights"].items()}
    slots = _slots(values)
    if not sequence.is_sound(weights, len(slots.names)):
        raise ValueError("no weights of a network")
    return SequenceModel(slots, weights)


_READERS: Mapping[str, Callable[[Mapping[str, Any]], PortableModel]] = {
    "logistic_regression": _linear,
    "trees": _trees,
    "xgboost": _boosted,
    "sequence": _sequence,
}


def _is_sound(model: PortableModel) -> bool:
    slots = len(model.slots.names)
    if len(model.slots.sources) != slots:
        return False
    if isinstance(model, BoostedModel):
        return bool(model.booster)
    if isinstance(model, SequenceModel):
        # Its reader has looked at its weights.
        return True
    if isinstance(model, LinearModel):
        numbers = np.concatenate([model.coefficients, model.means, [model.intercept]])
        return model.coefficients.shape == model.means.shape == (slots,) and bool(np.isfinite(numbers).all())
    nodes = len(model.slot)
    itself = np.arange(nodes)
    is_leaf = model.slot == LEAF
    children = np.stack([model.left, model.right]) if model.left.shape == model.right.shape == (nodes,) else None
    return (
        nodes > 0
        and children is not None
        and model.threshold.shape == model.yes_share.shape == (nodes,)
        and len(model.roots) > 0
        and bool(((model.roots >= 0) & (model.roots < nodes)).all())
        and bool(((model.slot >= LEAF) & (model.slot < slots)).all())
        # A child comes after its parent, so that every path ends.
        and bool(np.where(is_leaf, children == itself, (children > itself) & (children < nodes)).all())
        and bool(np.isfinite(model.threshold).all())
        and bool(((model.yes_share >= 0) & (model.yes_share <= 1)).all())
    )
