"""Difference in differences, synthetic control and pairs of regions. Imports no Spark.

Every design takes an array (regions, periods), each region divided by its mean before the change, so that large and
small regions have the same weight and effects are relative.

Sources: Bertrand, Duflo & Mullainathan 2004, "How much should we trust differences-in-differences estimates?", for
aggregating each region's periods before and after, which removes serial correlation; Abadie, Diamond & Hainmueller
2010, "Synthetic control methods for comparative case studies", for the weights and the placebo tests on other regions;
Vaver & Koehler 2011, "Measuring ad effectiveness using geo experiments"; Fisher 1935 for the permutation of signs
within pairs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment, nnls

from otklik.inference import Estimate

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Weight of the condition that weights add up to 1, compared with values near 1.
_SUM = 1e4
#: Number of pairs up to which all 2 ** 12 patterns of signs are tried; with more, as many random ones.
_EXACT_PAIRS, _PATTERNS = 12, 4096


@dataclass(frozen=True)
class Found:
    """Results of a design.

    Attributes:
        effect: mean difference from the expectation since the change.
        gaps: (periods,) the difference in each period, with the ends of its interval.
        weights: (regions,) weights in the expectation; 0 for regions with the change.
        fit: error of the expectation before the change, relative to that of other regions; NaN if not computed.
    """

    effect: Estimate
    gaps: Floats
    low: Floats
    high: Floats
    weights: Floats
    fit: float = math.nan


Design = Callable[[Floats, Bools, int, float], Found]


def difference_in_differences(values: Floats, treated: Bools, start: int, alpha: float) -> Found:
    """Change of the regions with the change − change of those without; Welch's interval over regions.

    The value is that of a regression with effects of regions and periods; its error is the one clustered by region,
    with the correction for few clusters in each group.

    Args:
        values: (regions, periods).
        treated: (regions,) whether a region had the change; at least two have it and two do not.
        start: index of the first period of the change.
        alpha: 1 − confidence.
    """
    centred = values - values[:, :start].mean(axis=1, keepdims=True)
    effect = _welch(centred[:, start:].mean(axis=1), treated, alpha)
    gaps = [_welch(column, treated, alpha) for column in centred.T]
    weights = np.where(treated, 0.0, 1 / (~treated).sum())
    return Found(effect, *_columns(gaps), weights)


def slopes_apart(values: Floats, treated: Bools, start: int, alpha: float) -> Estimate:
    """How much faster the regions with the change grew before it, per period; 0 with parallel trends."""
    time = np.arange(start) - (start - 1) / 2
    return _welch(values[:, :start] @ time / (time @ time), treated, alpha)


def synthetic_control(values: Floats, treated: Bools, start: int, alpha: float) -> Found:
    """Synthetic control: compare the treated regions with the weighted mean of the others closest to them before.

    Each other region serves once as a placebo: p is the rank of effect ÷ pre-period error among theirs, and the
    interval contains the effects that this test does not reject.

    Args:
        values: (regions, periods).
        treated: (regions,) averaged if there are several.
        start: index of the first period of the change.
        alpha: 1 − confidence; with fewer than 1 ÷ alpha − 1 other regions the interval is unbounded.
    """
    others = values[~treated]
    weights, gap = _mixed(values[treated].mean(axis=0), others, start)
    placebos = np.array([_mixed(row, np.delete(others, place, axis=0), start)[1] for place, row in enumerate(others)])
    errors = np.maximum(np.sqrt((placebos[:, :start] ** 2).mean(axis=1)), 1e-9)
    own = max(float(np.sqrt((gap[:start] ** 2).mean())), 1e-9)
    chance = np.abs(placebos[:, start:].mean(axis=1)) / errors
    effect = float(gap[start:].mean())
    p = (1 + int((chance >= abs(effect) / own).sum())) / (1 + len(chance))
    reach = own * _quantile(chance, alpha)
    by_period = np.abs(placebos) / errors[:, np.newaxis]
    reaches = own * np.array([_quantile(column, alpha) for column in by_period.T])
    whole = np.zeros(len(values))
    whole[~treated] = weights
    return Found(
        Estimate(effect, effect - reach, effect + reach, p),
        gap, gap - reaches, gap + reaches, whole, own / max(float(np.median(errors)), 1e-9),
    )  # fmt: skip


def _mixed(target: Floats, others: Floats, start: int) -> tuple[Floats, Floats]:
    """Non-negative weights that add up to 1, and the residual of the target in each period."""
    rows = np.vstack([others[:, :start].T, np.full((1, len(others)), _SUM)])
    found, _ = nnls(rows, np.append(target[:start], _SUM))
    weights = np.asarray(found / found.sum(), dtype=np.float64)
    return weights, target - weights @ others


def _quantile(chance: Floats, alpha: float) -> float:
    """The 1 − alpha quantile of draws, including the observed one; infinite if there are too few."""
    place = math.ceil((1 - alpha) * (len(chance) + 1)) - 1
    return float(np.sort(chance)[place]) if place < len(chance) else math.inf


def paired(values: Floats, pairs: Sequence[tuple[int, int]], start: int, alpha: float, seed: int) -> Found:
    """Difference of each pair, since the change − before; p by permuting signs of pairs, the interval by Student's t.

    Args:
        values: (regions, periods).
        pairs: places of the region with the change and of its partner.
        start: index of the first period of the change.
        alpha: 1 − confidence.
        seed: seed of the random patterns if there are too many pairs to enumerate.
    """
    apart = np.array([values[one] - values[other] for one, other in pairs])
    centred = apart - apart[:, :start].mean(axis=1, keepdims=True)
    change = centred[:, start:].mean(axis=1)
    if len(pairs) <= _EXACT_PAIRS:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(pairs))))
        extra = 0
    else:
        signs, extra = np.random.default_rng(seed).choice((-1.0, 1.0), size=(_PATTERNS, len(pairs))), 1
    reached = int((np.abs(signs @ change) >= abs(change.sum()) - 1e-12).sum())
    p = (reached + extra) / (len(signs) + extra)
    effect = _student(change, alpha)
    gaps = [_student(column, alpha) for column in centred.T]
    weights = np.zeros(len(values))
    weights[[other for _, other in pairs]] = 1 / len(pairs)
    return Found(Estimate(effect.value, effect.low, effect.high, p), *_columns(gaps), weights)


def pairs_most_alike(values: Floats, treated: Bools, start: int) -> list[tuple[int, int]]:
    """Each region with the change, and the other region most similar to it before; no partner is used twice."""
    own, others = np.flatnonzero(treated), np.flatnonzero(~treated)
    apart = ((values[own, np.newaxis, :start] - values[np.newaxis, others, :start]) ** 2).mean(axis=2)
    rows, columns = linear_sum_assignment(apart)
    return [(int(own[row]), int(others[column])) for row, column in zip(rows, columns, strict=True)]


def _welch(values: Floats, treated: Bools, alpha: float) -> Estimate:
    groups = (values[treated], values[~treated])
    value = float(groups[0].mean() - groups[1].mean())
    parts = [float(group.var(ddof=1)) / len(group) for group in groups]
    freedom = math.inf
    if sum(parts) > 0:
        freedom = sum(parts) ** 2 / sum(part**2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True))
    return Estimate.around(value, math.sqrt(sum(parts)), alpha, freedom)


def _student(values: Floats, alpha: float) -> Estimate:
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate.around(float(values.mean()), error, alpha, len(values) - 1)


def _columns(found: Sequence[Estimate]) -> tuple[Floats, Floats, Floats]:
    values = np.array([(one.value, one.low, one.high) for one in found])
    return values[:, 0], values[:, 1], values[:, 2]
