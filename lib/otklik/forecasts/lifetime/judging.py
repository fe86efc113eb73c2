"""Predicted against actual purchases in the hold-out: in total, per customer and by deciles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from otklik.forecasts.lifetime.purchasing import Floats
from otklik.inference import Estimate


@dataclass(frozen=True, eq=False)
class Expectation:
    """The hold-out by distinct history and later purchases, (cells,) each.

    Attributes:
        customers: number of customers.
        expected: purchases per customer that the model predicts.
        naive: purchases at the customer's rate so far.
        actual: actual purchases.
        replicates: (replicates, cells) customers of each bootstrap replicate.
        expected_by_replicate: (replicates, cells) predictions of each replicate's model.
    """

    customers: Floats
    expected: Floats
    naive: Floats
    actual: Floats
    replicates: Floats
    expected_by_replicate: Floats

    def totals(self) -> tuple[Estimate, float, float]:
        """Total expected purchases with their interval; actual purchases; purchases at each customer's rate so far."""
        actual = float(self.customers @ self.actual)
        expected = float(self.customers @ self.expected)
        by_replicate = (self.replicates * self.expected_by_replicate).sum(axis=1)
        return _estimate(expected, by_replicate), actual, float(self.customers @ self.naive)

    def ratio(self) -> Estimate:
        """Predicted over actual purchases; the bootstrap resamples customers and refits the model."""
        by_replicate = (self.replicates * self.expected_by_replicate).sum(axis=1) / (self.replicates @ self.actual)
        return _estimate(float(self.customers @ self.expected) / float(self.customers @ self.actual), by_replicate)

    def mean_error(self) -> tuple[Estimate, float]:
        """Mean absolute error of purchases per customer; the naive rule's."""
        by_replicate = (self.replicates * np.abs(self.expected_by_replicate - self.actual)).sum(axis=1)
        value = float(np.average(np.abs(self.expected - self.actual), weights=self.customers))
        naive = float(np.average(np.abs(self.naive - self.actual), weights=self.customers))
        return _estimate(value, by_replicate / self.replicates.sum(axis=1)), naive

    def correlations(self) -> tuple[float, float]:
        """Pearson's and Spearman's correlation of expected and actual purchases over customers."""
        return (
            _correlation(self.expected, self.actual, self.customers),
            _correlation(_ranks(self.expected, self.customers), _ranks(self.actual, self.customers), self.customers),
        )

    def deciles(self) -> pd.DataFrame:
        """Means by decile of customers, most expected first: decile, customers, expected, actual, low, high, naive.

        Customers with equal expectations are divided between two deciles in proportion.
        """
        order = np.argsort(-self.expected, kind="stable")
        edges = np.linspace(0, self.customers.sum(), 11)
        end = self.customers[order].cumsum()
        begin = end - self.customers[order]
        rows = []
        for decile in range(10):
            inside = np.clip(np.minimum(end, edges[decile + 1]) - np.maximum(begin, edges[decile]), 0, None)
            count = float(inside.sum())
            expected, actual, naive = (
                float(inside @ values[order]) / count for values in (self.expected, self.actual, self.naive)
            )
            spread = np.sqrt(max(float(inside @ (self.actual[order] - actual) ** 2), 0.0) / max(count - 1, 1) / count)
            reach = 1.96 * float(spread)
            rows.append((decile + 1, count, expected, actual, max(actual - reach, 0.0), actual + reach, naive))
        return pd.DataFrame(rows, columns=["decile", "customers", "expected", "actual", "low", "high", "naive"])


def draws(customers: Floats, replicates: int, seed: int) -> Floats:
    """Multinomial bootstrap weights of sorted cells, (replicates, cells)."""
    total = int(customers.sum())
    generator = np.random.default_rng(seed)
    return generator.multinomial(total, customers / customers.sum(), size=replicates).astype(float)


def _estimate(value: float, by_replicate: Floats) -> Estimate:
    known = by_replicate[np.isfinite(by_replicate)]
    if 2 * len(known) <= len(by_replicate):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.percentile(known, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Mean rank of each value, weighted by customers."""
    _, place = np.unique(values, return_inverse=True)
    count = np.bincount(place, weights=weights)
    return (count.cumsum() - (count - 1) / 2)[place]


def _correlation(one: Floats, other: Floats, weights: Floats) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = np.cov(one, other, aweights=weights)
        return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
