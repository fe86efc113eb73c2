"""Models of repeat purchases by customers without a contract, fitted by maximum likelihood from grouped histories.

A history is three numbers (Fader & Hardie): how many repeat purchases (x), when the last one was (t_x) and how long
the customer has been observed (T), both from the first purchase. Customers with the same numbers have the same
likelihood, so the models see each distinct history once, with the number of its customers.

- `nbd`: customers never leave. Purchases are Poisson, rates Gamma(r, alpha) (Ehrenberg 1959).
- `bg_nbd`: after each purchase a customer leaves with probability p, p is Beta(a, b). Fader, Hardie, Lee 2005,
  "Counting your customers the easy way", Marketing Science 24(2).
- `pareto_nbd`: customers leave at any time, at an exponential rate that is Gamma(s, beta). Schmittlein, Morrison,
  Colombo 1987, Management Science 33(1); formulas of Hardie 2005, "A note on deriving the Pareto/NBD model".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]

#: Shapes stay within e^±8, times within as much of the mean time between purchases; a parameter at a bound is not
#: identified by the data.
_LIMIT = 8.0
#: Starting values of each parameter; the best optimum is used.
_STARTS = (1.0, 0.3, 3.0)
#: Step of the logarithm of a parameter, for second derivatives.
_STEP = 1e-4
#: Two formulas are 0 / 0 at a parameter of 1, but smooth around it.
_NEAR_1 = 1e-6
#: The parameters with the unit of time.
_TIMES = ("alpha", "beta")
_NODES, _NODE_WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(48))
_NODES = _NODES + 0.5


@dataclass(frozen=True, eq=False)
class Histories:
    """Distinct purchase histories, (groups,) each; times in one unit.

    Attributes:
        frequency: repeat purchases, x.
        recency: time of the last purchase since the first, t_x.
        age: time since the first purchase, T.
        customers: how many customers have this history.
    """

    frequency: Floats
    recency: Floats
    age: Floats
    customers: Floats

    def weighted(self, customers: Floats) -> Histories:
        """The same histories with other numbers of customers; those without customers are left out."""
        some = customers > 0
        return Histories(self.frequency[some], self.recency[some], self.age[some], customers[some])


@dataclass(frozen=True)
class Family:
    """A model of purchases; every function takes its parameters in the order of `names`.

    Attributes:
        name: of the model.
        names: of its parameters, all positive.
        likelihood: log-likelihood of one customer of each history, and its derivatives by the logarithms of the
            parameters (parameters, groups).
        alive: probability that a customer with each history is still active at the end of T.
        expected: purchases of a customer with each history in a period after T.
    """

    name: str
    names: tuple[str, ...]
    likelihood: Callable[[Floats, Histories], tuple[Floats, Floats]]
    alive: Callable[[Floats, Histories], Floats]
    expected: Callable[[Floats, Histories, float], Floats]


@dataclass(frozen=True, eq=False)
class PurchaseModel:
    """A fitted model.

    Attributes:
        family: which.
        values: of its parameters.
        log_likelihood: of all customers together, natural logarithm; times in the unit of the histories.
    """

    family: Family
    values: Floats
    log_likelihood: float

    @property
    def parameters(self) -> Mapping[str, float]:
        """Parameters by name."""
        return dict(zip(self.family.names, map(float, self.values), strict=True))

    def alive(self, histories: Histories) -> Floats:
        """Probability that a customer with each history is still active."""
        return self.family.alive(self.values, histories)

    def expected(self, histories: Histories, time: float) -> Floats:
        """Expected purchases of a customer with each history in a period from now on."""
        return self.family.expected(self.values, histories, time)


def fit(family: Family, histories: Histories) -> PurchaseModel:
    """Maximum likelihood by L-BFGS-B on the logarithms of the parameters, from several starts.

    Args:
        family: the model.
        histories: distinct histories with their customers.
    """
    total = float(histories.customers.sum())
    share = histories.customers / total

    def loss(logs: Floats) -> tuple[float, Floats]:
        values, slopes = family.likelihood(np.exp(logs), histories)
        return -float(share @ values), -(slopes @ share)

    # The mean rate is r / alpha; the search starts near it, whatever the unit of time.
    rate = float(histories.customers @ histories.frequency + 1) / float(histories.customers @ histories.age + 1)
    middle = np.array([-np.log(rate) if name in _TIMES else 0.0 for name in family.names])
    bounds = [(one - _LIMIT, one + _LIMIT) for one in middle]
    ends = [
        optimize.minimize(
            loss, np.clip(np.log(one), middle - _LIMIT, middle + _LIMIT), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-8},
        )
        for one in (_start(family, scale, rate) for scale in _STARTS)
    ]  # fmt: skip
    best = min(ends, key=lambda end: float(end.fun))
    return PurchaseModel(family, np.exp(best.x), -float(best.fun) * total)


def replicates(model: PurchaseModel, histories: Histories, customers: Floats) -> list[PurchaseModel]:
    """The model of each bootstrap replicate, by one Newton step from the fitted one.

    As good as a new fit up to terms that vanish faster than the interval itself (Davidson & MacKinnon 1999, "Bootstrap
    testing in nonlinear models", International Economic Review 40(2)), for the price of one product of matrices.

    Args:
        model: fitted to the histories.
        histories: distinct histories.
        customers: (replicates, groups) numbers of customers of each replicate.
    """
    logs = np.log(model.values)
    slopes = model.family.likelihood(model.values, histories)[1]
    units = _STEP * np.eye(len(logs))

    def total(at: Floats) -> Floats:
        return model.family.likelihood(np.exp(at), histories)[1] @ histories.customers

    curvature = np.array([(total(logs + unit) - total(logs - unit)) / (2 * _STEP) for unit in units])
    moves = np.linalg.lstsq(-(curvature + curvature.T) / 2, slopes @ customers.T, rcond=1e-10)[0]
    # A step longer than e² would leave the region in which the likelihood is close to a parabola.
    return [PurchaseModel(model.family, np.exp(logs + np.clip(move, -2.0, 2.0)), float("nan")) for move in moves.T]


def _start(family: Family, scale: float, rate: float) -> Floats:
    """Parameters with the mean rate; drop-out of one in two for Beta(1, 1), in the mean time between purchases."""
    first = [scale, scale / rate]
    rest = {"nbd": [], "bg_nbd": [scale, 2 * scale], "pareto_nbd": [scale, 10 * scale / rate]}[family.name]
    return np.array(first + rest)


# --- customers never leave


def _nbd_likelihood(values: Floats, histories: Histories) -> tuple[Floats, Floats]:
    r, alpha = values
    x, age = histories.frequency, histories.age
    found = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + age)
    by_r = special.digamma(r + x) - special.digamma(r) + np.log(alpha) - np.log(alpha + age)
    by_alpha = r / alpha - (r + x) / (alpha + age)
    return found, np.array([r * by_r, alpha * by_alpha])


def _nbd_expected(values: Floats, histories: Histories, time: float) -> Floats:
    r, alpha = values
    found: Floats = (r + histories.frequency) / (alpha + histories.age) * time
    return found


# --- customers leave after a purchase


def _bg_terms(values: Floats, histories: Histories) -> tuple[Floats, Floats]:
    """Log-likelihoods of being active at T, and of having left right after the last purchase.

    Without what they share: ln Γ(r+x) − ln Γ(r) + r ln α − ln B(a, b).
    """
    r, alpha, a, b = values
    x, recency, age = histories.frequency, histories.recency, histories.age
    stays = special.betaln(a, b + x) - (r + x) * np.log(alpha + age)
    # Nobody leaves after the first purchase.
    left = special.betaln(a + 1, b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + recency)
    return stays, np.where(x > 0, left, -np.inf)


def _bg_likelihood(values: Floats, histories: Histories) -> tuple[Floats, Floats]:
    r, alpha, a, b = values
    x, recency, age = histories.frequency, histories.recency, histories.age
    stays, left = _bg_terms(values, histories)
    both = np.logaddexp(stays, left)
    found = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) - special.betaln(a, b) + both
    is_alive = np.exp(stays - both)
    is_left = 1 - is_alive
    by_r = special.digamma(r + x) - special.digamma(r) + np.log(alpha)
    by_r = by_r - is_alive * np.log(alpha + age) - is_left * np.log(alpha + recency)
    by_alpha = r / alpha - (r + x) * (is_alive / (alpha + age) + is_left / (alpha + recency))
    sums = special.digamma(a + b) - special.digamma(a + b + x)
    by_a = sums + is_left / a
    after = special.digamma(b + x)
    # ψ(b + x − 1) = ψ(b + x) − 1 / (b + x − 1)
    by_b = after - is_left / (b + np.maximum(x, 1) - 1) - special.digamma(b) + sums
    return found, np.array([r * by_r, alpha * by_alpha, a * by_a, b * by_b])


def _bg_alive(values: Floats, histories: Histories) -> Floats:
    stays, left = _bg_terms(values, histories)
    found: Floats = np.exp(stays - np.logaddexp(stays, left))
    return found


def _bg_expected(values: Floats, histories: Histories, time: float) -> Floats:
    """Equation 10 of the paper, its hypergeometric function by Euler's transformation: no overflow for any x."""
    r, alpha, a, b = values
    a = a if abs(a - 1) > _NEAR_1 else 1 + _NEAR_1
    x, age = histories.frequency, histories.age
    share = time / (alpha + age + time)
    series = special.hyp2f1(a - 1, a + b - 1 - r, a + b + x - 1, share)
    if_alive = (a + b + x - 1) / (a - 1) * (1 - np.exp((a - 1) * np.log1p(-share)) * series)
    found: Floats = _bg_alive(values, histories) * if_alive
    return found


# --- customers leave at any time


def _pareto_terms(values: Floats, histories: Histories) -> tuple[Floats, Floats, Floats, Floats]:
    """Log-likelihoods of being active at T, and of having left between the last purchase and T.

    Without what they share: ln Γ(r+x) − ln Γ(r) + r ln α + s ln β. The second is s ∫ (α+τ)^−(r+x) (β+τ)^−(s+1) dτ from
    t_x to T, by Gauss-Legendre quadrature over ln(min(α, β) + τ): exact to the tenth digit, without the hypergeometric
    functions that overflow or take minutes where α and β are far apart.

    Returns:
        stays, left; and the quadrature's (groups, nodes) times τ with their shares of the integral.
    """
    r, alpha, s, beta = values
    x, recency, age = histories.frequency, histories.recency, histories.age
    stays = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
    offset = min(alpha, beta)
    begin, end = np.log(offset + recency)[:, np.newaxis], np.log(offset + age)[:, np.newaxis]
    place = begin + (end - begin) * _NODES
    times = np.maximum(np.exp(place) - offset, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = place - (r + x)[:, np.newaxis] * np.log(alpha + times) - (s + 1) * np.log(beta + times)
        parts += np.log(_NODE_WEIGHTS * (end - begin))
        whole = special.logsumexp(parts, axis=1)
        shares = np.where(np.isfinite(whole)[:, np.newaxis], np.exp(parts - whole[:, np.newaxis]), 0.0)
    return stays, np.log(s) + whole, times, shares


def _pareto_likelihood(values: Floats, histories: Histories) -> tuple[Floats, Floats]:
    r, alpha, s, beta = values
    x, age = histories.frequency, histories.age
    stays, left, times, shares = _pareto_terms(values, histories)
    both = np.logaddexp(stays, left)
    likelihood = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) + s * np.log(beta) + both
    is_alive = np.exp(stays - both)
    is_left = 1 - is_alive

    def mean(of_times: Floats, at_age: Floats) -> Floats:
        found: Floats = is_alive * at_age + is_left * np.einsum("gn,gn->g", shares, of_times)
        return found

    by_r = special.digamma(r + x) - special.digamma(r) + np.log(alpha)
    by_r = by_r - mean(np.log(alpha + times), np.log(alpha + age))
    by_alpha = r / alpha - (r + x) * mean(1 / (alpha + times), 1 / (alpha + age))
    by_s = np.log(beta) + is_left / s - mean(np.log(beta + times), np.log(beta + age))
    by_beta = s / beta - mean((s + 1) / (beta + times), s / (beta + age))
    return likelihood, np.array([r * by_r, alpha * by_alpha, s * by_s, beta * by_beta])


def _pareto_alive(values: Floats, histories: Histories) -> Floats:
    stays, left, _, _ = _pareto_terms(values, histories)
    found: Floats = np.exp(stays - np.logaddexp(stays, left))
    return found


def _pareto_expected(values: Floats, histories: Histories, time: float) -> Floats:
    r, alpha, s, beta = values
    s = s if abs(s - 1) > _NEAR_1 else 1 + _NEAR_1
    longer = np.log1p(time / (beta + histories.age))
    lifetime = (beta + histories.age) / (s - 1) * -np.expm1(-(s - 1) * longer)
    rate = (r + histories.frequency) / (alpha + histories.age)
    found: Floats = _pareto_alive(values, histories) * rate * lifetime
    return found


NBD = Family("nbd", ("r", "alpha"), _nbd_likelihood, lambda _, histories: np.ones(len(histories.age)), _nbd_expected)
BG_NBD = Family("bg_nbd", ("r", "alpha", "a", "b"), _bg_likelihood, _bg_alive, _bg_expected)
PARETO_NBD = Family("pareto_nbd", ("r", "alpha", "s", "beta"), _pareto_likelihood, _pareto_alive, _pareto_expected)
