"""Slopes, bursts and false discoveries, against scipy and against nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from otklik.forecasts.trend.slopes import burst_p, shrunken, slope_of
from otklik.inference import q_values

DRAW = np.random.default_rng(6)


def test_the_slope_is_that_of_theil_and_sen() -> None:
    counts = DRAW.poisson(20 * np.exp(0.05 * np.arange(30))).astype(float)
    known = stats.theilslopes(np.log1p(counts), alpha=0.6827)

    slope = slope_of(counts)

    assert slope.value == pytest.approx(known.slope, rel=1e-12)
    assert slope.error == pytest.approx((known.high_slope - known.low_slope) / 2, rel=0.1)
    assert slope.p < 1e-4


def test_the_p_value_is_that_of_kendall() -> None:
    """Without the continuity correction of Mann and Kendall they would be equal."""
    counts = DRAW.permutation(np.arange(100.0))[:25]

    known = stats.kendalltau(np.arange(25), counts, method="asymptotic").pvalue

    assert slope_of(counts).p == pytest.approx(known, abs=0.02)


def test_a_series_that_stands_still_has_no_slope() -> None:
    slope = slope_of(np.full(12, 3.0))

    assert (slope.value, slope.p) == (0.0, 1.0)


def test_q_values_are_those_of_scipy() -> None:
    p = DRAW.uniform(size=40) ** 3

    np.testing.assert_allclose(q_values(p), stats.false_discovery_control(p), rtol=1e-12)
    np.testing.assert_allclose(q_values(np.sort(p)[:5], 40), np.sort(stats.false_discovery_control(p))[:5], rtol=1e-9)


def test_uncertain_slopes_are_drawn_to_the_mean_most() -> None:
    values, errors = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.01, 0.5, 0.01, 0.5])

    drawn, _ = shrunken(values, errors)

    assert drawn[0] == pytest.approx(0.0, abs=0.01)
    assert abs(drawn[1] - 0.5) < abs(drawn[0] - 0.5)
    assert (drawn[3] - drawn[1]) < 0.7


def test_slopes_that_differ_by_chance_alone_are_one_and_as_uncertain_as_their_mean() -> None:
    drawn, errors = shrunken(np.array([0.1, -0.1, 0.05, -0.05]), np.full(4, 1.0))

    np.testing.assert_allclose(drawn, 0, atol=1e-12)
    np.testing.assert_allclose(errors, 0.5)


def test_a_planted_burst_is_found_and_the_quiet_before_it_is_not() -> None:
    counts = DRAW.poisson(30, 80).astype(float)
    counts[60] = 110

    usual, p = burst_p(counts, 24)

    assert int(np.nanargmin(p)) == 60
    assert usual[60] == pytest.approx(30, abs=4)
    assert np.isnan(p[:12]).all()


@pytest.mark.parametrize("level", [0.3, 4.0, 200.0])
def test_where_nothing_bursts_few_periods_are_unlikely(level: float) -> None:
    p = np.concatenate([burst_p(DRAW.poisson(level, 120).astype(float), 24)[1] for _ in range(40)])

    assert np.nanmean(p <= 0.01) <= 0.02
