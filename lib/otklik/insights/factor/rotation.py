"""Principal components of a correlation matrix, rotated by varimax, and how stable they are; no Spark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Floats = npt.NDArray[np.float64]

_ROUNDS = 1000
_CLOSE_ENOUGH = 1e-14
_HALVES = 200
_NOISE_REPLICATES = 200


@dataclass(frozen=True)
class Rotated:
    """Rotated principal components.

    Attributes:
        loadings: (properties, factors) correlation of each property with each factor; the factor with the most variance
            first, and each with a positive sum of loadings.
        weights: (properties, factors) of the standardised properties in the factors' scores, which have variance 1.
    """

    loadings: Floats
    weights: Floats

    @property
    def shares(self) -> Floats:
        """(factors,) share of the variance of all properties."""
        shares: Floats = (self.loadings**2).mean(axis=0)
        return shares


def correlations(products: Floats) -> Floats:
    """Correlation matrix from sums of products of a constant 1 and the properties."""
    centred = products[1:, 1:] - np.outer(products[0, 1:], products[0, 1:]) / products[0, 0]
    spread = np.sqrt(np.diagonal(centred))
    return np.asarray(centred / np.outer(spread, spread))


def components(correlation: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues, largest first, and their eigenvectors as columns."""
    values, vectors = np.linalg.eigh(correlation)
    return values[::-1], vectors[:, ::-1]


def rotated_components(correlation: Floats, factors: int) -> Rotated:
    """The first principal components, rotated by varimax with Kaiser's normalisation (Kaiser 1958)."""
    values, vectors = components(correlation)
    plain = vectors[:, :factors] * np.sqrt(values[:factors])
    turn = varimax(plain)
    loadings = plain @ turn
    order = np.argsort(-(loadings**2).sum(axis=0), kind="stable")
    signs = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)[order]
    weights = (vectors[:, :factors] / np.sqrt(values[:factors])) @ turn
    return Rotated(loadings[:, order] * signs, weights[:, order] * signs)


def varimax(loadings: Floats) -> Floats:
    """The rotation that makes the squared loadings of each factor differ most, rows scaled to length 1.

    Pairs of factors are rotated by Kaiser's closed-form angle until convergence.
    """
    factors = loadings.shape[1]
    lengths = np.linalg.norm(loadings, axis=1, keepdims=True)
    turned = loadings / np.where(lengths > 0, lengths, 1.0)
    turn = np.eye(factors)
    for _ in range(_ROUNDS):
        largest = 0.0
        for one in range(factors):
            for other in range(one + 1, factors):
                real = turned[:, one] ** 2 - turned[:, other] ** 2
                imaginary = 2 * turned[:, one] * turned[:, other]
                above = 2 * (real @ imaginary - real.sum() * imaginary.sum() / len(real))
                below = real @ real - imaginary @ imaginary - (real.sum() ** 2 - imaginary.sum() ** 2) / len(real)
                angle = float(np.arctan2(above, below)) / 4
                cosine, sine = np.cos(angle), np.sin(angle)
                step = np.array([[cosine, -sine], [sine, cosine]])
                turned[:, [one, other]] = turned[:, [one, other]] @ step
                turn[:, [one, other]] = turn[:, [one, other]] @ step
                largest = max(largest, abs(angle))
        if largest < _CLOSE_ENOUGH:
            break
    return turn


def congruence(first: Floats, second: Floats) -> Floats:
    """(factors of the first, factors of the second) Tucker's coefficient between columns of loadings."""
    lengths = np.linalg.norm(first, axis=0)[:, None] * np.linalg.norm(second, axis=0)
    return np.asarray(first.T @ second / np.where(lengths > 0, lengths, 1.0))


def matched(loadings: Floats, target: Floats) -> Floats:
    """Loadings with the order and signs of their factors matched to a target."""
    likeness = congruence(target, loadings)
    _, order = linear_sum_assignment(-np.abs(likeness))
    signs = np.sign(likeness[np.arange(len(order)), order])
    return loadings[:, order] * np.where(signs == 0, 1.0, signs)


def congruence_of_halves(products: Floats, target: Floats, seed: int) -> Floats:
    """Tucker's congruence of each factor between halves of the customers, (halvings, factors).

    Args:
        products: see `correlations`, of each of some random groups of customers.
        target: loadings of all customers, to which both halves are matched.
        seed: seed of the halves.
    """
    groups, factors = len(products), target.shape[1]
    draw = np.random.default_rng(seed)
    found = np.empty((_HALVES, factors))
    for place in range(_HALVES):
        half = draw.permutation(groups) < groups // 2
        loadings = [
            matched(rotated_components(correlations(products[which].sum(axis=0)), factors).loadings, target)
            for which in (half, ~half)
        ]
        found[place] = np.diagonal(congruence(*loadings))
    return found


def resampled(products: Floats, target: Floats, seed: int) -> tuple[Floats, Floats]:
    """Bootstrap of groups: eigenvalues (replicates, properties), matched loadings (replicates, properties, factors)."""
    groups, factors = len(products), target.shape[1]
    weights = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=_HALVES)
    found = [correlations(np.tensordot(drawn, products, axes=1)) for drawn in weights]
    values = np.array([components(one)[0] for one in found])
    return values, np.array([matched(rotated_components(one, factors).loadings, target) for one in found])


def noise_products(rows: int, properties: int, draw: np.random.Generator) -> Floats:
    """Sums of products of a constant and unrelated normal numbers over `rows` rows (Bartlett's decomposition)."""
    lower = np.tril(draw.normal(size=(properties, properties)), -1)
    lower[np.diag_indices(properties)] = np.sqrt(draw.chisquare(rows - 1 - np.arange(properties)))
    products = np.zeros((properties + 1, properties + 1))
    products[0, 0], products[1:, 1:] = rows, lower @ lower.T
    return products


def noise_eigenvalues(rows: int, properties: int, seed: int) -> Floats:
    """Eigenvalues of unrelated properties, (replicates, properties): Horn's parallel analysis (1965)."""
    draw = np.random.default_rng(seed)
    found = [correlations(noise_products(rows, properties, draw)) for _ in range(_NOISE_REPLICATES)]
    return np.array([components(one)[0] for one in found])


def noise_congruence(rows: int, properties: int, factors: int, seed: int) -> float:
    """Median congruence between halves of unrelated properties, caused by matching factors alone."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(_NOISE_REPLICATES // 4):
        halves = [noise_products(rows // 2, properties, draw) for _ in range(2)]
        target = rotated_components(correlations(halves[0] + halves[1]), factors).loadings
        one, other = (matched(rotated_components(correlations(half), factors).loadings, target) for half in halves)
        found.append(np.diagonal(congruence(one, other)))
    return float(np.median(found))


def carrying(values: Floats, chance: Floats) -> int:
    """Number of eigenvalues above those of noise, up to the first that is not."""
    is_above = values > chance
    return len(values) if is_above.all() else int(np.argmin(is_above))
