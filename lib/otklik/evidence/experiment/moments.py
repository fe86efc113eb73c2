"""Sufficient statistics of an arm's units for all tests. Imports no Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Before the name of a winsorised metric.
CAPPED = "capped "


@dataclass(frozen=True)
class Columns:
    """The numeric columns that are summed.

    Attributes:
        values: metrics, denominators and winsorised metrics; may be missing.
        covariates: never missing after filling.
        pairs: values whose product is needed: numerators and denominators.
    """

    values: tuple[str, ...]
    covariates: tuple[str, ...]
    pairs: frozenset[tuple[str, str]]

    @property
    def all(self) -> tuple[str, ...]:
        """Both."""
        return self.values + self.covariates

    def are_paired(self, first: str, second: str) -> bool:
        """Whether the product of two columns is needed."""
        is_known = first == second or (first, second) in self.pairs or (second, first) in self.pairs
        return is_known or first in self.covariates or second in self.covariates


@dataclass(frozen=True)
class Moments:
    """Sums over an arm's units around a common centre, which can be added.

    Attributes:
        names: names of the columns.
        centre: (columns,) subtracted from each value before summing.
        units: their number.
        totals: (columns,) sums.
        products: (columns, columns) sums of products; NaN for pairs that are not needed.
    """

    names: tuple[str, ...]
    centre: Floats
    units: int
    totals: Floats
    products: Floats

    def __add__(self, other: Moments) -> Moments:
        return replace(
            self,
            units=self.units + other.units,
            totals=self.totals + other.totals,
            products=self.products + other.products,
        )

    def of(self, *names: str) -> tuple[Floats, Floats]:
        """Means and covariances (denominator units − 1) of some columns."""
        places = [self.names.index(name) for name in names]
        totals, products = self.totals[places], self.products[np.ix_(places, places)]
        means = totals / self.units
        spread = max(self.units - 1, 1)
        return self.centre[places] + means, (products - np.outer(totals, means)) / spread


def present(parts: Mapping[int, Moments], columns: Columns, wanted: Sequence[str]) -> Moments | None:
    """Sums over the units with values in all required columns; None if there are none."""
    mask = sum(1 << columns.values.index(name) for name in wanted)
    kept = [moments for missing, moments in sorted(parts.items()) if not missing & mask]
    return sum(kept[1:], kept[0]) if kept else None
