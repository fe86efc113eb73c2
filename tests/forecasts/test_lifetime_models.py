"""The purchase models against their definitions, integrated numerically."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from otklik.forecasts.lifetime import purchasing, spending
from otklik.forecasts.lifetime.judging import draws
from otklik.forecasts.lifetime.purchasing import BG_NBD, NBD, PARETO_NBD, Family, Histories

HISTORIES = Histories(
    np.array([0.0, 1.0, 4.0, 30.0]), np.array([0.0, 3.0, 20.0, 8.0]), np.array([10.0, 30.0, 21.0, 40.0]),
    np.array([5.0, 3.0, 2.0, 1.0]),
)  # fmt: skip


Parts = tuple[float, float, float]
NODES, WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(300))
#: Uniform numbers in the square with their weights: people are drawn by the inverse of their distributions.
ONE, OTHER = np.meshgrid(NODES + 0.5, NODES + 0.5)
WEIGHT = np.outer(WEIGHTS, WEIGHTS)


def bg_by_definition(values: tuple[float, ...], x: float, recency: float, age: float, time: float) -> Parts:
    """Likelihood, that of being a customer at T, and purchases expected in a time after it times the likelihood."""
    r, alpha, a, b = values
    rate, p = stats.gamma.ppf(ONE, r, scale=1 / alpha), stats.beta.ppf(OTHER, a, b)
    stays = rate**x * (1 - p) ** x * np.exp(-rate * age)
    left = rate**x * p * (1 - p) ** (x - 1) * np.exp(-rate * recency) if x > 0 else 0.0
    later = -np.expm1(-rate * p * time) / p
    return (WEIGHT * (stays + left)).sum(), (WEIGHT * stays).sum(), (WEIGHT * stays * later).sum()


def pareto_by_definition(values: tuple[float, ...], x: float, recency: float, age: float, time: float) -> Parts:
    """The same for Pareto/NBD."""
    r, alpha, s, beta = values
    rate, end = stats.gamma.ppf(ONE, r, scale=1 / alpha), stats.gamma.ppf(OTHER, s, scale=1 / beta)
    stays = rate**x * np.exp(-(rate + end) * age)
    left = rate**x * end / (rate + end) * (np.exp(-(rate + end) * recency) - np.exp(-(rate + end) * age))
    later = rate * -np.expm1(-end * time) / end
    return (WEIGHT * (stays + left)).sum(), (WEIGHT * stays).sum(), (WEIGHT * stays * later).sum()


@pytest.mark.parametrize(
    ("family", "values", "by_definition"),
    [
        (BG_NBD, (1.4, 3.0, 1.3, 2.5), bg_by_definition),
        (PARETO_NBD, (1.4, 3.0, 1.6, 5.0), pareto_by_definition),
        (PARETO_NBD, (1.4, 5.0, 1.6, 3.0), pareto_by_definition),
    ],
)
def test_likelihood_alive_and_expectation_are_the_integrals_that_define_them(
    family: Family, values: tuple[float, ...], by_definition: Callable[..., Parts]
) -> None:
    found = np.array(values)
    for place in range(3):
        one = HISTORIES.weighted(np.eye(4)[place])
        x, recency, age = one.frequency[0], one.recency[0], one.age[0]
        likelihood, stays, expected = by_definition(values, x, recency, age, 12.0)
        assert family.likelihood(found, one)[0][0] == pytest.approx(np.log(likelihood), abs=1e-5)
        assert family.alive(found, one)[0] == pytest.approx(stays / likelihood, rel=1e-5)
        assert family.expected(found, one, 12.0)[0] == pytest.approx(expected / likelihood, rel=1e-5)


@pytest.mark.parametrize("family", [NBD, BG_NBD, PARETO_NBD], ids=lambda family: family.name)
def test_slopes_are_those_of_the_likelihood(family: Family) -> None:
    logs = np.log([0.7, 5.0, 1.2, 9.0][: len(family.names)])
    step = 1e-6 * np.eye(len(logs))

    numeric = [
        (family.likelihood(np.exp(logs + one), HISTORIES)[0] - family.likelihood(np.exp(logs - one), HISTORIES)[0])
        / 2e-6
        for one in step
    ]

    np.testing.assert_allclose(family.likelihood(np.exp(logs), HISTORIES)[1], numeric, atol=1e-7)


def random_histories(count: int) -> Histories:
    draw = np.random.default_rng(3)
    age = draw.integers(20, 60, count).astype(float)
    rate = draw.gamma(0.8, 1 / 5, count)
    stays = np.minimum(draw.exponential(1 / draw.gamma(0.7, 1 / 8, count)), age)
    frequency = draw.poisson(rate * stays).astype(float)
    recency = np.where(frequency > 0, stays * draw.beta(np.maximum(frequency, 1), 1), 0.0)
    return Histories(frequency, recency, age, np.ones(count))


@pytest.mark.parametrize("family", [BG_NBD, PARETO_NBD], ids=lambda family: family.name)
def test_one_newton_step_comes_as_near_as_a_new_fit(family: Family) -> None:
    """The spread of parameters over replicates, by one step and by fitting each replicate."""
    histories = random_histories(1500)
    model = purchasing.fit(family, histories)
    customers = draws(histories.customers, 25, 11)

    steps = np.log([one.values for one in purchasing.replicates(model, histories, customers)])
    fits = np.log([purchasing.fit(family, histories.weighted(some)).values for some in customers])

    assert np.corrcoef(steps[:, 0], fits[:, 0])[0, 1] > 0.97
    np.testing.assert_allclose(steps.std(axis=0), fits.std(axis=0), rtol=0.25)


def test_gamma_gamma_recovers_planted_parameters() -> None:
    draw = np.random.default_rng(1)
    count = 40_000
    x = draw.integers(1, 12, count).astype(float)
    mean = draw.gamma(6.0 * x, 1 / (x * draw.gamma(4.0, 1 / 15.0, count)))

    model = spending.fit(spending.Means(x, np.log(mean), np.ones(count)))

    assert (model.p, model.q, model.v) == pytest.approx((6.0, 4.0, 15.0), rel=0.05)
    assert model.population_mean == pytest.approx(30.0, rel=0.02)
