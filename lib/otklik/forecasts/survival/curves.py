"""Survival curves from counts: Kaplan-Meier with intervals, and the log-rank test of several groups.

Everything is computed from the numbers of customers who left and who were censored at each duration, so the driver
holds a row per group and duration, whatever the number of customers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from otklik.inference import NORMAL_95

Floats = npt.NDArray[np.float64]

#: Half the width of a 95 % interval, in standard errors.


@dataclass(frozen=True, eq=False)
class Counts:
    """Customers of one group by duration, (durations,) each, in ascending order.

    Attributes:
        duration: whole periods.
        left: customers who left at that duration.
        censored: customers last observed at that duration, who had not left.
    """

    duration: Floats
    left: Floats
    censored: Floats

    @property
    def at_risk(self) -> Floats:
        """Customers who had neither left nor been censored before each duration."""
        ending = self.left + self.censored
        found: Floats = ending[::-1].cumsum()[::-1]
        return found

    def reversed(self) -> Counts:
        """Censoring as the event: the weights of uncensored customers."""
        return Counts(self.duration, self.censored, self.left)


@dataclass(frozen=True, eq=False)
class Curve:
    """A Kaplan-Meier curve at each duration.

    Attributes:
        duration: whole periods.
        survival: share that has not left up to and including it (Kaplan & Meier 1958).
        low: lower bound of the 95 % interval on the scale ln(−ln S), with Greenwood's variance; NaN where S is 0 or 1.
        high: upper bound.
        at_risk: customers at risk.
    """

    duration: Floats
    survival: Floats
    low: Floats
    high: Floats
    at_risk: Floats

    def at(self, durations: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Survival with its interval at any durations; 1 before the first one, the last value after the last one."""
        place = np.searchsorted(self.duration, np.asarray(durations, float), side="right") - 1
        before = place < 0
        survival, low, high = (values[np.maximum(place, 0)] for values in (self.survival, self.low, self.high))
        return np.where(before, 1.0, survival), np.where(before, np.nan, low), np.where(before, np.nan, high)

    def median(self) -> float | None:
        """The first duration at which half have left; None if fewer have."""
        half = np.flatnonzero(self.survival <= 0.5)
        return float(self.duration[half[0]]) if len(half) else None


def kaplan_meier(counts: Counts) -> Curve:
    """The curve of one group; those who leave or are censored at a duration are at risk there."""
    at_risk, left = counts.at_risk, counts.left
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(1 - left / at_risk).astype(np.float64)
        greenwood = np.cumsum(left / (at_risk * (at_risk - left)))
        spread = NORMAL_95 * np.sqrt(greenwood) / np.log(survival)
        middle = np.log(-np.log(survival))
        low, high = np.exp(-np.exp(middle - spread)), np.exp(-np.exp(middle + spread))
    inside = (survival > 0) & (survival < 1)
    return Curve(counts.duration, survival, np.where(inside, low, np.nan), np.where(inside, high, np.nan), at_risk)


@dataclass(frozen=True)
class LogRank:
    """The log-rank test that all groups leave at the same rates.

    Attributes:
        chi2: its statistic.
        degrees: of freedom: groups − 1.
        log10_p: logarithm to base 10 of the p-value, which itself is 0 in doubles below 1e-308.
    """

    chi2: float
    degrees: int
    log10_p: float


def log_rank(groups: list[Counts]) -> LogRank:
    """Mantel 1966, Peto & Peto 1972: observed against expected departures, over all durations at which some left."""
    durations = np.unique(np.concatenate([one.duration for one in groups]))
    at_risk, left = np.zeros((len(groups), len(durations))), np.zeros((len(groups), len(durations)))
    for place, one in enumerate(groups):
        where = np.searchsorted(durations, one.duration)
        left[place, where] = one.left
        ending = np.zeros(len(durations))
        ending[where] = one.left + one.censored
        at_risk[place] = ending[::-1].cumsum()[::-1]
    risk, events = at_risk.sum(axis=0), left.sum(axis=0)
    some = (risk > 1) & (events > 0)
    at_risk, left, risk, events = at_risk[:, some], left[:, some], risk[some], events[some]
    share = at_risk / risk
    surplus = (left - events * share).sum(axis=1)
    scale = events * (risk - events) / (risk - 1)
    covariance = np.diag((scale * share).sum(axis=1)) - np.einsum("it,jt,t->ij", share, share, scale)
    chi2 = float(surplus[:-1] @ np.linalg.pinv(covariance[:-1, :-1]) @ surplus[:-1])
    degrees = len(groups) - 1
    return LogRank(chi2, degrees, log10_of_p(chi2, degrees))


def log10_of_p(chi2: float, degrees: int) -> float:
    """log10 of P(chi² > value), even if the probability underflows a double.

    In that case by the continued fraction of the upper incomplete gamma function (Abramowitz & Stegun 6.5.31).
    """
    p = float(stats.chi2.sf(chi2, degrees))
    if p > 1e-290:
        return math.log10(p)
    shape, x = degrees / 2, chi2 / 2
    fraction = 0.0
    for step in range(60, 0, -1):
        fraction = step * (step - shape) / (x + 2 * step + 1 - shape - fraction)
    natural = -x + shape * math.log(x) - math.log(x + 1 - shape - fraction) - math.lgamma(shape)
    return natural / math.log(10)
