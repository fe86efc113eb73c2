"""Effects from sums: the same numbers as reference libraries, and the rates of error that they promise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportions_ztest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW
from tests.evidence.conftest import moments

from otklik.evidence.arms import sample_ratio_p
from otklik.evidence.experiment import effects
from otklik.evidence.experiment.effects import Sides
from otklik.inference import q_values

ALPHA = 0.05


def two_arms(units: int = 400) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(1)
    return draws.normal(2, 1, units), draws.normal(2.3, 3, 2 * units)


def sides(**columns: Sequence[np.ndarray] | np.ndarray) -> Sides:
    """Sums of a control and an arm, from the values of each."""
    first, second = (moments(**{name: values[i] for name, values in columns.items()}) for i in (0, 1))
    return first, second


def test_means_are_welchs() -> None:
    first, second = two_arms()

    effect = effects.mean_effect(sides(y=(first, second)), "y")

    reference = CompareMeans(DescrStatsW(second), DescrStatsW(first))
    assert effect.effect == pytest.approx(second.mean() - first.mean())
    assert effect.p_value == pytest.approx(reference.ttest_ind(usevar="unequal")[1])
    assert effect.interval(ALPHA) == pytest.approx(reference.tconfint_diff(usevar="unequal"))


def test_sums_add_up_wherever_they_are_centred() -> None:
    first, second = two_arms()
    parts = moments(y=second[:100]) + moments(y=second[100:])

    assert effects.mean_effect((moments(y=first), parts), "y").error == pytest.approx(
        effects.mean_effect(sides(y=(first, second)), "y").error
    )


def test_shares_have_the_pooled_z_test() -> None:
    first, second = np.repeat([1, 0], [30, 470]), np.repeat([1, 0], [55, 445])

    effect = effects.share_effect(sides(y=(first, second)), "y")

    assert effect.p_value == pytest.approx(proportions_ztest([55, 30], [500, 500])[1])
    assert not effects.is_thin_share(sides(y=(first, second)), "y")
    assert effects.is_thin_share(sides(y=(first[21:], second)), "y")


def test_a_ratio_has_the_interval_of_resampled_units() -> None:
    draws = np.random.default_rng(2)
    below = draws.poisson(4, (2, 500)) + 1.0
    above = draws.poisson(below * [[0.2], [0.3]])

    effect = effects.ratio_effect(sides(a=above, b=below), "a", "b")

    drawn = draws.integers(0, 500, (2, 4000, 500))
    ratios = [above[i][drawn[i]].sum(1) / below[i][drawn[i]].sum(1) for i in (0, 1)]
    assert effect.effect == pytest.approx(above[1].sum() / below[1].sum() - above[0].sum() / below[0].sum())
    assert effect.error == pytest.approx((ratios[1] - ratios[0]).std(), rel=0.05)


def test_cuped_is_the_regression_on_arm_and_covariates() -> None:
    draws = np.random.default_rng(3)
    x = draws.normal(10, 2, (2, 300))
    y = 3 * x + draws.normal(0, 1, (2, 300)) + [[0], [0.5]]

    effect = effects.cuped_effect(sides(y=y, x=x), ["y"], ["x"])

    design = np.column_stack([np.ones(600), np.repeat([0, 1], 300), x.ravel()])
    assert effect.effect == pytest.approx(np.linalg.lstsq(design, y.ravel(), rcond=None)[0][1])
    assert effect.variance_reduction == pytest.approx(1 - 1 / 37, abs=0.01)


def test_a_covariate_given_twice_changes_nothing() -> None:
    draws = np.random.default_rng(4)
    x, y = draws.normal(size=(2, 2, 200))
    twice = sides(y=y, x=x, z=2 * x, one=np.ones((2, 200)))

    effect = effects.cuped_effect(twice, ["y"], ["x", "z", "one"])

    assert effect.effect == pytest.approx(effects.cuped_effect(twice, ["y"], ["x"]).effect)


def test_lift_has_the_error_of_a_ratio_of_means() -> None:
    first, second = two_arms(units=3000)
    effect = effects.mean_effect(sides(y=(first, second)), "y")

    lift, low, high = effect.lift(ALPHA)

    rows = np.concatenate([first, second])
    is_second = np.repeat([0.0, 1.0], [len(first), len(second)])
    # The lift is a ratio of means minus 1: the variance of its influence function, written out unit by unit.
    influence = np.where(
        is_second == 1, (rows - second.mean()) / len(second), -(1 + lift) * (rows - first.mean()) / len(first)
    )
    error = math.sqrt((influence**2).sum()) / first.mean()
    assert lift == pytest.approx(second.mean() / first.mean() - 1)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=1e-3)


def test_several_metrics_are_adjusted_together_and_no_test_is_none() -> None:
    p = [0.01, 0.04, 0.03, 0.6]

    assert q_values(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert q_values([0.01, math.nan])[0] == 0.01
    assert math.isnan(q_values([0.01, math.nan])[1])


def test_the_plan_is_that_of_the_z_test() -> None:
    units = effects.units_needed(variance=4.0, effect=0.25, alpha=ALPHA, power=0.8, control_share=1 / 3)

    per_control = NormalIndPower().solve_power(0.25 / 2, alpha=ALPHA, power=0.8, ratio=2)
    assert units == pytest.approx(3 * per_control, abs=1)
    assert effects.detectable(4.0, units, ALPHA, 0.8, 1 / 3) == pytest.approx(0.25, rel=1e-3)


def test_the_spread_behind_an_effect_is_found_again() -> None:
    draws = np.random.default_rng(5)
    effect = effects.mean_effect(sides(y=(draws.normal(0, 3, 4000), draws.normal(0, 3, 8000))), "y")

    assert effects.unit_variance(effect, 1 / 3) == pytest.approx(9, rel=0.05)


def test_a_split_is_tested_by_chi_squared() -> None:
    assert sample_ratio_p([1000, 1100], [1, 1]) == pytest.approx(stats.chisquare([1000, 1100]).pvalue)
    assert sample_ratio_p([1000, 2000], [1, 2]) == 1


def test_nothing_is_said_of_a_metric_without_spread() -> None:
    same = effects.mean_effect(sides(y=np.ones((2, 50))), "y")

    assert math.isnan(same.p_value)
    assert all(map(math.isnan, same.interval(ALPHA)))


def test_equal_arms_are_called_different_one_time_in_twenty() -> None:
    draws = np.random.default_rng(0)
    values = {"share": draws.random(4000) < 0.1, "tail": draws.lognormal(0, 1.5, 4000) * (draws.random(4000) < 0.2)}
    found = dict.fromkeys(values, 0)
    for _ in range(1000):
        order = draws.permutation(4000)
        for name, value in values.items():
            test = effects.share_effect if name == "share" else effects.mean_effect
            found[name] += test(sides(y=value[order].reshape(2, 2000)), "y").p_value < ALPHA

    assert {name: 30 <= count <= 70 for name, count in found.items()} == {"share": True, "tail": True}


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    draws = np.random.default_rng(6)
    covered = dict.fromkeys(["mean", "ratio", "cuped"], 0)
    for _ in range(500):
        x = draws.normal(5, 1, (2, 600))
        y = draws.poisson(x.clip(0.1) * [[1.0], [1.1]])
        arms = sides(y=y, x=x)
        for name, effect, truth in (
            ("mean", effects.mean_effect(arms, "y"), 0.5),
            ("ratio", effects.ratio_effect(arms, "y", "x"), 0.1),
            ("cuped", effects.cuped_effect(arms, ["y"], ["x"]), 0.5),
        ):
            low, high = effect.interval(ALPHA)
            covered[name] += low <= truth <= high

    assert all(465 <= count <= 485 for count in covered.values()), covered


def always_wrong(looks: range, worlds: int) -> tuple[float, float]:
    """Share of worlds without effect in which an interval excludes 0 at any look: always-valid ones, plain ones."""
    draws = np.random.default_rng(7)
    always = plain = 0
    for _ in range(worlds):
        y = (draws.random((2, looks[-1])) < 0.2).astype(float)
        seen = [effects.mean_effect(sides(y=y[:, :n]), "y") for n in looks]
        always += any(low > 0 or high < 0 for low, high in (one.always(ALPHA, 4000) for one in seen))
        plain += any(low > 0 or high < 0 for low, high in (one.interval(ALPHA) for one in seen))
    return always / worlds, plain / worlds


def test_looking_every_day_costs_nothing_with_always_valid_intervals() -> None:
    always, plain = always_wrong(range(200, 4001, 200), 300)

    assert always <= ALPHA
    assert plain > 3 * ALPHA
