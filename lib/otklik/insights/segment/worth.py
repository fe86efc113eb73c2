"""Whether segments separate customers of different value better than random groups of the same sizes.

Everything follows from the number of customers, the mean and the variance of each segment: of random groups drawn
without replacement from all customers the means have known variances and covariances, and are close to normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from otklik.kind import Measure
from otklik.models.bootstrap import Floats, interval

#: Draws of random groups; the smallest p-value is 1 / (draws + 1).
_DRAWS = 9_999
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Values:
    """Statistics of the values of one segment's customers."""

    customers: int
    mean: float
    variance: float


@dataclass(frozen=True)
class Worth:
    """How well segments separate values.

    Attributes:
        lifts: one measure `value_lift` per segment: its mean value, as a multiple of the mean of all; baseline 1.
        chance: segment → the range of 95 % of random groups of its size.
        spread: measure `value_spread`: the mean over customers of |lift of their segment − 1|; its baseline is the mean
            of random groups of the same sizes.
        p: probability that random groups reach that spread.
    """

    lifts: tuple[Measure, ...]
    chance: Mapping[str, tuple[float, float]]
    spread: Measure
    p: float

    @property
    def measures(self) -> list[Measure]:
        """All measures; the ranges of random groups are measures `random_lift`."""
        chance = [
            Measure("random_lift", 1.0, name, "next", low, high, rows=None) for name, (low, high) in self.chance.items()
        ]
        return [self.spread, Measure("random_p", self.p, "", "next", rows=self.spread.rows), *self.lifts, *chance]


def worth(segments: Mapping[str, Values], seed: int) -> Worth | None:
    """The lift of each segment and the spread; None if the mean value is not positive, or all values are equal.

    The interval of a lift is by the delta method, as the overall mean includes the segment. The interval of the spread
    and the random groups are drawn from normal distributions of segment means.

    Args:
        segments: at least one, none empty.
        seed: seed of the draws.
    """
    names = sorted(segments)
    count = np.array([segments[name].customers for name in names], dtype=np.float64)
    mean = np.array([segments[name].mean for name in names])
    variance = np.array([segments[name].variance for name in names])
    total = count.sum()
    share = count / total
    overall = float(share @ mean)
    all_variance = float(share @ (variance + (mean - overall) ** 2))
    if overall <= 0 or all_variance <= 0 or len(names) < 2:
        return None
    lift = mean / overall
    slopes = (np.eye(len(names)) - lift[:, np.newaxis] * share) / overall
    error = np.sqrt(slopes**2 @ (variance / count))
    by_chance = np.sqrt(all_variance / count * (total - count) / max(total - 1, 1.0)) / overall

    draws = np.random.default_rng(seed).standard_normal((_DRAWS, len(names)))
    random_means = draws * np.sqrt(all_variance / count)
    random_means -= (random_means @ share)[:, np.newaxis]
    random_spread = _spread(1 + random_means / overall, share)
    drawn_means = mean + draws * np.sqrt(variance / count)
    drawn_spread = _spread(drawn_means / (drawn_means @ share)[:, np.newaxis], share)
    spread = float(_spread(lift[np.newaxis, :], share)[0])
    low, high = interval(drawn_spread)
    return Worth(
        lifts=tuple(
            Measure("value_lift", float(one), name, "next", float(one - reach), float(one + reach), 1.0, int(customers))
            for name, one, reach, customers in zip(names, lift, _NORMAL_95 * error, count, strict=True)
        ),
        chance={
            name: (max(0.0, float(1 - reach)), float(1 + reach))
            for name, reach in zip(names, _NORMAL_95 * by_chance, strict=True)
        },
        spread=Measure("value_spread", spread, "", "next", low, high, float(random_spread.mean()), int(total)),
        p=float((1 + (random_spread >= spread).sum()) / (_DRAWS + 1)),
    )


def _spread(lifts: Floats, share: Floats) -> Floats:
    """(draws, segments) → (draws,)"""
    return np.asarray(np.abs(lifts - 1) @ share)
