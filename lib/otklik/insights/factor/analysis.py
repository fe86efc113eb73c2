"""Factor analysis of sums of products: number of factors, loadings, stability. Imports no Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otklik.insights.factor import rotation
from otklik.insights.factor.rotation import Floats, Rotated
from otklik.kind import Measure

_ALMOST_NOTHING = 1e-9
#: Maximum number of properties in the name of a factor.
_NAMING = 3


@dataclass(frozen=True)
class Analysis:
    """Factors of some properties.

    Attributes:
        properties: their names.
        rows: customers that were summed.
        eigenvalues: (properties,) of the correlation matrix, largest first.
        eigenvalue_ends: (2, properties) their 95 % intervals.
        chance: (properties,) 95th percentiles of eigenvalues of unrelated properties.
        carrying: number of eigenvalues above that, up to the first that is not.
        rotated: the factors shown.
        loading_ends: (2, properties, factors) 95 % intervals of the loadings.
        congruence: (3, factors) between halves: median, 2.5th and 97.5th percentile.
        congruence_chance: median for unrelated properties.
        share: share of the variance explained by the factors shown.
    """

    properties: Sequence[str]
    rows: int
    eigenvalues: Floats
    eigenvalue_ends: Floats
    chance: Floats
    carrying: int
    rotated: Rotated
    loading_ends: Floats
    congruence: Floats
    congruence_chance: float
    share: Measure

    @property
    def carries(self) -> npt.NDArray[np.bool_]:
        """(properties,) which components are retained."""
        return np.arange(len(self.eigenvalues)) < self.carrying

    def names(self, named_from: float) -> list[str]:
        """Name each factor by its properties with large loadings, or by the largest one."""
        names = []
        for loadings in self.rotated.loadings.T:
            order = np.argsort(-np.abs(loadings), kind="stable")[:_NAMING]
            chosen = [place for place in order if abs(loadings[place]) >= named_from] or [order[0]]
            names.append(
                ", ".join(f"{'' if loadings[place] >= 0 else '−'}{self.properties[place]}" for place in chosen)
            )
        return names


def analysed(products: Floats, properties: Sequence[str], factors: int | None, seed: int) -> Analysis:
    """Find factors.

    Args:
        products: (groups, 1 + properties, 1 + properties) sums of products of a constant 1 and the standardised
            properties over random groups of customers.
        properties: their names.
        factors: how many are rotated; None: as many as are retained, but at least one.
        seed: seed of the halves, of resampling and of the noise.
    """
    whole = products.sum(axis=0)
    rows, count = int(whole[0, 0]), len(properties)
    correlation = rotation.correlations(whole)
    eigenvalues = rotation.components(correlation)[0]
    noise = rotation.noise_eigenvalues(rows, count, seed)
    chance = np.quantile(noise, 0.95, axis=0)
    carrying = rotation.carrying(eigenvalues, chance)
    shown = min(factors or max(1, carrying), int((eigenvalues > _ALMOST_NOTHING).sum()))
    rotated = rotation.rotated_components(correlation, shown)
    halves = rotation.congruence_of_halves(products, rotated.loadings, seed)
    values, loadings = rotation.resampled(products, rotated.loadings, seed)
    shares = values[:, :shown].sum(axis=1) / count
    low, high = (float(end) for end in np.quantile(shares, [0.025, 0.975]))
    share = float(eigenvalues[:shown].sum() / count)
    by_chance = float(noise[:, :shown].sum(axis=1).mean() / count)
    return Analysis(
        properties,
        rows,
        eigenvalues,
        np.quantile(values, [0.025, 0.975], axis=0),
        chance,
        carrying,
        rotated,
        np.quantile(loadings, [0.025, 0.975], axis=0),
        np.quantile(halves, [0.5, 0.025, 0.975], axis=0),
        rotation.noise_congruence(rows, count, shown, seed),
        Measure("share", share, low=low, high=high, baseline=by_chance, rows=rows),
    )
