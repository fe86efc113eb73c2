"""Metrics of predicted classes and their intervals, from counts of (class, prediction).

As customers have one row each, a bootstrap sample is a multinomial draw of the counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otklik.models.bootstrap import Floats, interval

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Figures:
    """Metrics of a confusion matrix; arrays have one value per bootstrap sample.

    Attributes:
        accuracy: share of correct predictions.
        macro_f1: F1 averaged over classes; 0 for a class that neither occurs nor is predicted.
        f1: (…, classes) F1 of each class.
    """

    accuracy: Floats
    macro_f1: Floats
    f1: Floats


def figures_of(confusion: npt.NDArray[np.number]) -> Figures:
    """Metrics of confusion matrices, (…, classes, predictions)."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    f1 = 2 * right / np.maximum(both, 1)
    return Figures(right.sum(axis=-1) / np.maximum(confusion.sum(axis=(-1, -2)), 1), f1.mean(axis=-1), f1)


@dataclass(frozen=True)
class Compared:
    """A model compared with two naive rules on the same customers.

    Attributes:
        confusion: model, nearest_centroid or majority → (classes, predictions).
        figures: likewise, metrics.
        draws: likewise, metrics of bootstrap samples.
    """

    confusion: dict[str, Counts]
    figures: dict[str, Figures]
    draws: dict[str, Figures]

    @property
    def better_rule(self) -> str:
        """The naive rule with the higher macro-F1."""
        return max(("majority", "nearest_centroid"), key=lambda who: float(self.figures[who].macro_f1))

    @property
    def gain(self) -> tuple[float, float, float]:
        """Macro-F1 of the model minus that of the better naive rule, with its 95 % interval."""
        own, rule = self.draws["model"].macro_f1, self.draws[self.better_rule].macro_f1
        low, high = interval(own - rule)
        gained = float(self.figures["model"].macro_f1 - self.figures[self.better_rule].macro_f1)
        # A constant difference has no spread.
        return gained, gained if low is None else low, gained if high is None else high


def compare(counts: Counts, majority: int, replicates: int, seed: int) -> Compared:
    """Compare a model with the naive rules.

    Args:
        counts: (classes, predictions of the model, predictions of the nearest centroid) customers.
        majority: the class that the other rule always predicts.
        replicates: number of bootstrap samples of customers.
        seed: seed of the bootstrap.
    """
    total = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(total, counts.ravel() / total, size=replicates)
    confusion = _confusions(counts, majority)
    return Compared(
        confusion,
        {who: figures_of(one) for who, one in confusion.items()},
        {who: figures_of(one) for who, one in _confusions(drawn.reshape(replicates, *counts.shape), majority).items()},
    )


def _confusions(counts: Counts, majority: int) -> dict[str, Counts]:
    by_majority = np.zeros(counts.shape[:-1], dtype=counts.dtype)
    by_majority[..., majority] = counts.sum(axis=(-1, -2))
    return {
        "model": counts.sum(axis=-1),
        "nearest_centroid": counts.sum(axis=-2),
        "majority": by_majority,
    }
