"""The value of a customer's purchase: the Gamma-Gamma model, fitted to grouped means.

A customer's amounts are Gamma(p, nu), nu is Gamma(q, v) over customers, independent of how often they buy. Fader &
Hardie 2013, "The Gamma-Gamma model of monetary value"; Fader, Hardie, Lee 2005, Journal of Marketing Research 42(4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Means:
    """Mean amounts per purchase, in groups of equal frequency and nearly equal mean, (groups,) each.

    Attributes:
        frequency: purchases that the mean is over.
        log_mean: mean of the logarithms of the means in the group.
        customers: how many.
    """

    frequency: Floats
    log_mean: Floats
    customers: Floats


@dataclass(frozen=True)
class SpendModel:
    """A fitted Gamma-Gamma model: p and q are shapes, v has the unit of money."""

    p: float
    q: float
    v: float
    log_likelihood: float

    @property
    def parameters(self) -> Mapping[str, float]:
        """Parameters by name."""
        return {"p": self.p, "q": self.q, "v": self.v}

    @property
    def population_mean(self) -> float:
        """The mean amount of a customer without history; infinite unless q is above 1."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else float("inf")

    def expected(self, frequency: Floats, mean: Floats) -> Floats:
        """Expected mean amount of a customer, given frequency and observed mean: equation 5 of the note."""
        return self.p * (self.v + frequency * mean) / (self.p * frequency + self.q - 1)


def fit(means: Means) -> SpendModel:
    """Maximum likelihood by L-BFGS-B on the logarithms of p, q and v.

    Each group is represented by its mean: with logarithms at most .001 apart this changes the log-likelihood by less
    than 1e-7 per customer.
    """
    total = float(means.customers.sum())
    share = means.customers / total
    x, log_mean = means.frequency, means.log_mean
    # Money in units of its geometric mean, so that the search starts near 1 in any currency.
    scale = float(share @ log_mean)
    log_sum = np.log(x) + log_mean - scale

    def loss(logs: Floats) -> tuple[float, Floats]:
        p, q, v = np.exp(logs)
        both = np.logaddexp(np.log(v), log_sum)
        found = special.gammaln(p * x + q) - special.gammaln(p * x) - special.gammaln(q) + q * np.log(v)
        found = found + p * x * log_sum - (log_mean - scale) - (p * x + q) * both
        by_p = x * (special.digamma(p * x + q) - special.digamma(p * x) + log_sum - both)
        by_q = special.digamma(p * x + q) - special.digamma(q) + np.log(v) - both
        by_v = q / v - (p * x + q) * np.exp(-both)
        return -float(share @ found), -np.array([p * (share @ by_p), q * (share @ by_q), v * (share @ by_v)])

    ends = [
        optimize.minimize(
            loss, np.log(start), jac=True, method="L-BFGS-B", bounds=[(-10.0, 10.0)] * 3,
            options={"maxiter": 500, "ftol": 1e-15, "gtol": 1e-9},
        )
        for start in ((2.0, 3.0, 1.0), (6.0, 4.0, 1.0), (1.0, 1.5, 1.0))
    ]  # fmt: skip
    best = min(ends, key=lambda end: float(end.fun))
    p, q, v = np.exp(best.x)
    # The density of the mean itself, not of the mean in other units.
    return SpendModel(float(p), float(q), float(v * np.exp(scale)), -total * (float(best.fun) + scale))
