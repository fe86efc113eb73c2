"""Slopes and bursts of counts, one item at a time, and which of many are significant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Slope:
    """A robust slope of ln(1 + count) per period.

    Attributes:
        value: Theil-Sen: the median of the slopes of all pairs of periods (Sen 1968, JASA 63).
        error: its standard error, from the same pairs.
        p: two-sided, by the test of Mann and Kendall (normal approximation with ties).
    """

    value: float
    error: float
    p: float


def slope_of(counts: Floats) -> Slope:
    """The slope of a window of counts."""
    logs = np.log1p(counts)
    first, second = np.triu_indices(len(logs), 1)
    steps = (logs[second] - logs[first]) / (second - first)
    sign = float(np.sign(logs[second] - logs[first]).sum())
    count = len(logs)
    _, ties = np.unique(logs, return_counts=True)
    variance = (count * (count - 1) * (2 * count + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    spread = float(np.sqrt(variance)) if variance > 0 else 0.0
    z = (sign - np.sign(sign)) / spread if spread > 0 else 0.0
    # The values of S at z = ±1: the slopes at these ranks are one standard error away (Sen).
    ordered = np.sort(steps)
    below, above = (len(ordered) - spread) / 2, (len(ordered) + spread) / 2
    low = ordered[int(np.clip(np.floor(below), 0, len(ordered) - 1))]
    high = ordered[int(np.clip(np.ceil(above), 0, len(ordered) - 1))]
    return Slope(float(np.median(steps)), float(high - low) / 2, float(2 * stats.norm.sf(abs(z))))


def shrunken(values: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Slopes shrunk towards their mean by their uncertainty (normal empirical Bayes), and their standard errors.

    The variance between items is that of the slopes minus the mean squared error (DerSimonian & Laird 1986).
    """
    between = max(float(values.var(ddof=1)) - float((errors**2).mean()), 0.0) if len(values) > 1 else 0.0
    # With equal error everywhere the mean is the plain one; an error of 0 is a constant series.
    weights = 1 / (between + np.maximum(errors, 1e-6) ** 2)
    middle = float(np.average(values, weights=weights))
    share = between / (between + np.maximum(errors, 1e-6) ** 2)
    # A slope shrunk to the mean is as uncertain as the mean.
    return middle + share * (values - middle), np.sqrt(share * errors**2 + (1 - share) ** 2 / weights.sum())


def burst_p(counts: Floats, history: int) -> tuple[Floats, Floats]:
    """For each period the median of those before it, and the probability of at least as many events.

    Negative binomial with the mean and the spread of the periods before (median and median absolute deviation, so that
    an earlier burst does not hide the next), never less spread than Poisson's. Without `history` / 2 periods: NaN.
    """
    usual, p = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    for place in range(max(history // 2, 2), len(counts)):
        before = counts[max(0, place - history) : place]
        middle = float(np.median(before))
        spread = 1.4826 * float(np.median(np.abs(before - middle)))
        mean = max(middle, 0.5)
        # The next period also drifts from the last one.
        variance = max(spread**2 + float(np.median(np.abs(np.diff(before)))) ** 2, mean * (1 + 1e-6))
        size = mean**2 / (variance - mean) if variance > mean else np.inf
        usual[place] = middle
        p[place] = (
            stats.nbinom.sf(counts[place] - 1, size, size / (size + mean))
            if np.isfinite(size) and size < 1e6
            else stats.poisson.sf(counts[place] - 1, mean)
        )
    return usual, p
