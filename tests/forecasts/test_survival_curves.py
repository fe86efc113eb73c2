"""Curves and the log-rank test against lifelines on the same rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from scipy import stats

from otklik.forecasts.survival.curves import Counts, kaplan_meier, log10_of_p, log_rank

DRAW = np.random.default_rng(4)
GROUP = DRAW.integers(0, 3, 900)
DURATION = np.floor(DRAW.exponential(np.array([12, 18, 30])[GROUP])) + 0.0
HAS_LEFT = DRAW.random(900) < 0.6


def counts_of(durations: np.ndarray, has_left: np.ndarray) -> Counts:
    distinct = np.unique(durations)
    left = np.array([(has_left & (durations == one)).sum() for one in distinct], float)
    return Counts(distinct, left, np.array([(~has_left & (durations == one)).sum() for one in distinct], float))


def counts_in(groups: np.ndarray, one: int) -> Counts:
    return counts_of(DURATION[groups == one], HAS_LEFT[groups == one])


def test_the_curve_and_its_interval_are_those_of_lifelines() -> None:
    reference = KaplanMeierFitter().fit(DURATION, HAS_LEFT)

    curve = kaplan_meier(counts_of(DURATION, HAS_LEFT))

    np.testing.assert_allclose(curve.survival, reference.survival_function_at_times(curve.duration), rtol=1e-12)
    bounds = reference.confidence_interval_.loc[curve.duration].to_numpy()
    inside = np.isfinite(curve.low)
    np.testing.assert_allclose(np.column_stack([curve.low, curve.high])[inside], bounds[inside], rtol=1e-9)
    assert curve.median() == reference.median_survival_time_


def test_the_log_rank_test_is_that_of_lifelines() -> None:
    reference = multivariate_logrank_test(DURATION, GROUP, HAS_LEFT)

    test = log_rank([counts_in(GROUP, one) for one in range(3)])

    assert test.chi2 == pytest.approx(reference.test_statistic, rel=1e-10)
    assert test.log10_p == pytest.approx(math.log10(reference.p_value), rel=1e-9)


def test_groups_that_leave_alike_are_not_told_apart() -> None:
    shuffled = DRAW.permutation(GROUP)

    test = log_rank([counts_in(shuffled, one) for one in range(3)])

    assert test.log10_p > math.log10(0.05)


@pytest.mark.parametrize(("chi2", "degrees"), [(1300.0, 1), (1325.0, 2), (1330.0, 5)])
def test_small_probabilities_go_on_where_doubles_end(chi2: float, degrees: int) -> None:
    """Just before doubles end, both ways are there."""
    assert log10_of_p(chi2, degrees) == pytest.approx(math.log10(stats.chi2.sf(chi2, degrees)), rel=1e-12)


def test_with_two_degrees_of_freedom_the_tail_is_an_exponential() -> None:
    assert log10_of_p(2352.87, 2) == pytest.approx(-2352.87 / 2 / math.log(10), rel=1e-12)
