"""What users of other tools have asked, tried here: each test names the question it answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.tsa.stattools import grangercausalitytests
from tests.evidence.test_lead_lag import a_world as sales_and_talk
from tests.evidence.test_lead_lag import series_of
from tests.evidence.test_region_effect import START, a_task, a_world, indexed, is_own

from otklik.errors import ConfigurationError
from otklik.evidence.lead_lag import regression
from otklik.evidence.region_effect import designs


def many(count: int, effect: float = 0.0, others: int = 24) -> list[designs.Found]:
    """One region with a change beside others, in several worlds."""
    worlds = [indexed(a_world(seed, effect, own=1, others=others)) for seed in range(count)]
    return [designs.synthetic_control(one, is_own(one, 1), START, 0.05) for one in worlds]


def test_two_series_that_are_the_same_have_no_effect() -> None:
    """tfcausalimpact 73: the p-value of two equal series is .37, and never above .5."""
    values = indexed(a_world(1, own=1))
    values[0] = values[3]
    found = designs.synthetic_control(values, is_own(values, 1), START, 0.05)

    assert found.effect.value == pytest.approx(0, abs=1e-6)
    assert found.weights[3] == pytest.approx(1, abs=1e-5)


def test_p_is_spread_evenly_where_nothing_was_done() -> None:
    """causalimpact 49 (jamalsenouci) and GeoLift 171 and 48: p = 0, or power = 1, with no effect at all."""
    ps = [one.effect.p for one in many(100)]

    assert 0.3 < np.mean(ps) < 0.7 and max(ps) > 0.9
    assert np.mean(np.array(ps) <= 0.05) <= 0.12


def test_interval_and_p_say_the_same() -> None:
    """causalimpact 38 and 58 (dafiti): a report calls an effect significant whose interval holds 0, and the reverse."""
    for one in [*many(40), *many(40, 0.03)]:
        assert one.effect.is_beyond_nought == (one.effect.p <= 0.05)


def test_an_effect_that_is_not_shown_may_still_be_there() -> None:
    """tfcausalimpact 41: does p = .32 say that there is no effect? No: the interval holds effects as well."""
    open_ones = [one for one in many(40, 0.02) if one.effect.p > 0.05]

    assert open_ones
    assert np.mean([one.effect.low < 0.02 < one.effect.high for one in open_ones]) > 0.85


def test_test_regions_may_be_chosen_beforehand_with_their_partners() -> None:
    """GeoLift 102: the cities of the campaign are already chosen; can they be more than one?"""
    task = a_task(design="geo", treated=["r00", "r01"], pairs={"r00": "r07", "r01": "r09"})
    assert task.pairs == {"r00": "r07", "r01": "r09"}
    with pytest.raises(ConfigurationError, match="each with a partner of its own"):
        a_task(design="geo", treated=["r00", "r01"], pairs={"r00": "r07", "r01": "r07"})


def test_how_many_regions_it_takes() -> None:
    """GeoLift 98: 20 regions; how many in the test? With fewer than 19 beside it one region's p cannot reach .05."""
    few = [one.effect for one in many(5, 0.5, others=12)]
    enough = [one.effect for one in many(5, 0.5, others=19)]

    assert {one.p for one in few} == {1 / 13} and all(np.isinf(one.high) for one in few)
    assert {one.p for one in enough} == {1 / 20} and all(one.is_beyond_nought for one in enough)


def test_the_effect_is_the_interaction_of_group_and_time() -> None:
    """CausalPy 390: is the impact the coefficient of group × after, or a difference of predictions?"""
    values = indexed(a_world(2, 0.1))
    rows = pd.DataFrame(
        [(one < 6, t >= START, value) for (one, t), value in np.ndenumerate(values)], columns=["group", "after", "y"]
    ).astype(float)
    coefficient = smf.ols("y ~ group * after", rows).fit().params["group:after"]

    found = designs.difference_in_differences(values, is_own(values), START, 0.05)

    assert found.effect.value == pytest.approx(coefficient)


def test_the_mean_before_the_change_is_surer_than_each_period() -> None:
    """csdid 13 (stpackages): all coefficients before the change are within chance, their mean is not."""
    of_mean, of_periods = [], []
    for seed in range(20):
        values = 1 + 0.02 * np.random.default_rng(seed).normal(size=(30, START))
        values[:6, 16:] += 0.015
        found = designs.difference_in_differences(values, is_own(values), 16, 0.05)
        of_mean.append(found.effect.p < 0.05)
        of_periods += [*(found.low[16:] > 0)]

    assert np.mean(of_mean) > 0.8
    assert np.mean(of_periods) < 0.5


def test_the_small_p_is_that_of_the_signal_that_comes_before() -> None:
    """statsmodels 305, 6795, 7173: which of two series comes first where p is small?"""
    sales, talk = sales_and_talk(5, 0.4)
    before = regression.effects(series_of(sales, talk), 0.05)
    after = regression.effects(series_of(talk, sales), 0.05)
    # Of statsmodels the second column is the one that may come first.
    says = grangercausalitytests(np.column_stack([sales, talk]), [7])[7][0]["ssr_ftest"][1]

    assert before[1] < 0.001 and says < 0.001
    assert after[1] > 0.01


def test_a_series_says_nothing_of_itself_that_it_does_not_say() -> None:
    """statsmodels 2340: two series that are the same; the one adds nothing to the other's own past."""
    sales, _ = sales_and_talk(6)
    series = series_of(sales, sales)

    gain = regression.gain(series, 125, 7, 1)

    assert gain.value == pytest.approx(0, abs=1e-3)
    assert not gain.p < 0.05
