"""The kind `region_effect`: planted changes are found by each design, and nothing where nothing was planted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import optimize, stats
from tests.bench import stage_context
from tests.evidence.conftest import pages_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.evidence.region_effect import designs
from otklik.evidence.region_effect.kind import RegionEffectTask
from otklik.evidence.region_effect.method import run
from otklik.evidence.region_effect.section import TEXTS, section
from otklik.settings import validate

PERIODS, START = 36, 24
START_OF = date(2024, 12, 30)
TASK = {
    "name": "towns", "kind": "region_effect", "title": {"en": "", "ru": ""}, "question": {"en": "", "ru": ""},
    "inputs": {"sales": "silver.sales"}, "design": "did", "treated": ["r00", "r01", "r02", "r03", "r04", "r05"],
    "start": date(2025, 6, 16),
}  # fmt: skip


def a_task(**changes) -> RegionEffectTask:
    return validate(RegionEffectTask, {**TASK, **changes}, "test")


def a_world(seed: int, effect: float = 0.0, own: int = 6, others: int = 24, slope: float = 0.0) -> np.ndarray:
    """Regions of different sizes that share two movements, each to its own degree; the first `own` have the change."""
    draws = np.random.default_rng(seed)
    time = np.arange(PERIODS)
    common = np.array([np.sin(time / 4), draws.normal(size=PERIODS).cumsum() / 10])
    values = 1 + 0.1 * draws.uniform(0.5, 1.5, (own + others, 2)) @ common
    values += 0.02 * draws.normal(size=values.shape)
    values[:own] += slope * time
    values[:own, START:] *= 1 + effect
    return values * draws.uniform(50, 500, (own + others, 1))


def indexed(values: np.ndarray) -> np.ndarray:
    return values / values[:, :START].mean(axis=1, keepdims=True)


def is_own(values: np.ndarray, own: int = 6) -> np.ndarray:
    return np.arange(len(values)) < own


def answered(spark, tmp_path, values: np.ndarray, task: RegionEffectTask) -> Any:
    weeks = pd.date_range("2024-12-30", periods=values.shape[1], freq="7D")
    rows = [
        (f"r{place:02d}", week.to_pydatetime(), float(value))
        for place, row in enumerate(values)
        for week, value in zip(weeks, row, strict=True)
    ]
    frame = spark.createDataFrame(pd.DataFrame(rows, columns=["region", "moment", "outcome"]))
    return run({"results": frame}, task, stage_context(spark, tmp_path))


def test_difference_in_differences_is_the_regression_with_errors_clustered_by_region() -> None:
    values = indexed(a_world(1, 0.05, own=8, others=8))
    found = designs.difference_in_differences(values, is_own(values, 8), START, 0.05)
    rows = pd.DataFrame(
        [
            (region, period, value, float(region < 8 and period >= START))
            for (region, period), value in np.ndenumerate(values)
        ],
        columns=["region", "period", "y", "d"],
    )
    fitted = smf.ols("y ~ C(region) + C(period) + d", rows).fit(
        cov_type="cluster", cov_kwds={"groups": rows["region"], "use_correction": False}
    )

    assert found.effect.value == pytest.approx(fitted.params["d"], abs=1e-10)
    # Of eight regions each, the sums of squares are divided by 7 in the place of 8.
    error = fitted.bse["d"] * np.sqrt(8 / 7)
    change = values[:, START:].mean(axis=1) - values[:, :START].mean(axis=1)
    freedom = stats.ttest_ind(change[:8], change[8:], equal_var=False).df
    assert found.effect.high - found.effect.value == pytest.approx(stats.t.ppf(0.975, freedom) * error, rel=1e-8)
    assert found.effect.p == pytest.approx(stats.ttest_ind(change[:8], change[8:], equal_var=False).pvalue)
    # By period it is the same regression of that period against all before.
    assert found.gaps[START:].mean() == pytest.approx(found.effect.value)
    assert found.gaps[:START].mean() == pytest.approx(0, abs=1e-12)


def test_the_mix_is_the_best_one_of_all() -> None:
    """By hand: a region that is two thirds of one and a third of another; and beside a general optimiser."""
    others = np.random.default_rng(2).normal(1, 0.1, (5, PERIODS))
    own = (2 * others[1] + others[4]) / 3
    own[START:] += 0.2
    values = np.vstack([own, others])
    found = designs.synthetic_control(values, is_own(values, 1), START, 0.05)
    assert found.weights == pytest.approx([0, 0, 2 / 3, 0, 0, 1 / 3], abs=1e-6)
    assert found.effect.value == pytest.approx(0.2, abs=1e-6)
    assert np.isinf(found.effect.high) and found.effect.p >= 1 / 6

    noisy = indexed(a_world(3, own=1, others=12))
    best = optimize.minimize(
        lambda w: 1e3 * ((noisy[0, :START] - w @ noisy[1:, :START]) ** 2).sum(), np.full(12, 1 / 12), method="SLSQP",
        bounds=[(0, 1)] * 12, constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"ftol": 1e-12},
    )  # fmt: skip
    weights = designs.synthetic_control(noisy, is_own(noisy, 1), START, 0.05).weights
    assert weights[1:] == pytest.approx(best.x, abs=2e-3) and weights.sum() == pytest.approx(1)


def test_pairs_by_hand() -> None:
    change = np.array([3.0, 1.0, 2.0, -1.0, 4.0, 2.0])
    values = np.ones((12, 4))
    values[:6, 2:] += change[:, np.newaxis]
    values[6:] += np.linspace(0, 0.5, 4)
    values[:6] += np.linspace(0, 0.5, 4)
    found = designs.paired(values, [(place, place + 6) for place in range(6)], 2, 0.05, 7)

    oracle = stats.permutation_test((change,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert found.effect.p == pytest.approx(oracle.pvalue)
    low, high = stats.t.interval(0.95, 5, change.mean(), stats.sem(change))
    assert (found.effect.value, found.effect.low, found.effect.high) == pytest.approx((change.mean(), low, high))
    mixed = values[[0, 1, 7, 6, 2, 3]] + np.array([[0.0], [5], [5.1], [0.2], [9], [20]])
    assert designs.pairs_most_alike(mixed, np.array([1, 1, 0, 0, 0, 0], dtype=bool), 2) == [(0, 3), (1, 2)]


def judged(design: str, seed: int, effect: float) -> tuple[bool, bool]:
    """Whether the interval holds the truth, and whether an effect is called, in a world."""
    own = 1 if design == "synthetic_control" else 6
    values = indexed(a_world(seed, effect, own=own))
    treated = is_own(values, own)
    if design == "did":
        found = designs.difference_in_differences(values, treated, START, 0.05)
    elif design == "synthetic_control":
        found = designs.synthetic_control(values, treated, START, 0.05)
    else:
        found = designs.paired(values, designs.pairs_most_alike(values, treated, START), START, 0.05, seed)
    came = values[treated, START:].mean()
    return found.effect.low <= came - came / (1 + effect) <= found.effect.high, found.effect.p <= 0.05


@pytest.mark.parametrize("design", ["did", "synthetic_control", "geo"])
def test_a_planted_change_is_found_and_none_where_there_is_none(design: str) -> None:
    without, planted = (np.array([judged(design, seed, effect) for seed in range(30)]) for effect in (0.0, 0.08))

    assert without[:, 1].mean() <= 0.15 and planted[:, 1].mean() >= 0.9
    assert min(without[:, 0].mean(), planted[:, 0].mean()) >= 0.85


@pytest.mark.long
@pytest.mark.parametrize("design", ["did", "synthetic_control", "geo"])
def test_intervals_hold_the_truth_as_often_as_they_say(design: str) -> None:
    without, planted = (np.array([judged(design, seed, effect) for seed in range(400)]) for effect in (0.0, 0.08))

    assert [without[:, 0].mean(), planted[:, 0].mean()] == pytest.approx([0.95, 0.95], abs=0.03)
    assert without[:, 1].mean() == pytest.approx(0.05, abs=0.03)


def test_a_change_that_works_goes_all_the_way(spark, tmp_path) -> None:
    values = a_world(4, 0.1)
    for design in ("did", "geo"):
        task = a_task(design=design)
        result = answered(spark, tmp_path, values, task)

        assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("gain", "better")
        total = next(one for one in result.measures if one.measure == "total")
        truth = values[:6, START:].sum() * (1 - 1 / 1.1)
        assert total.low < truth < total.high
        pages = pages_of(section, TEXTS, result, task)
        assert "The change works" in pages["en"] and "Изменение действует" in pages["ru"]
    regions = result.tables["regions"].toPandas()
    assert (regions["role"] == "treated").sum() == (regions["role"] == "compared").sum() == 6
    assert regions.loc[regions["role"] == "treated", "partner"].nunique() == 6


def test_one_region_beside_its_mix(spark, tmp_path) -> None:
    task = a_task(design="synthetic_control", treated=["r00"])
    result = answered(spark, tmp_path, a_world(5, 0.15, own=1), task)
    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("gain", "better")
    # 24 other regions: the least p that there can be.
    assert result.verdict.reasons[0].parameters["p"] == pytest.approx(1 / 25)
    assert pages_of(section, TEXTS, result, task)

    few = answered(spark, tmp_path, a_world(5, 0.15, own=1, others=10), task)
    assert (few.verdict.verdict, few.verdict.reasons[0].code) == ("too_little_data", "few_regions")
    assert pages_of(section, TEXTS, few, task)
    odd = a_world(6, 0.0, own=1)
    odd[0] *= 1 + np.linspace(-0.8, 0.8, PERIODS)
    refused = answered(spark, tmp_path, odd, task)
    assert refused.verdict.verdict == "invalid" and "poor_fit" in [one.code for one in refused.verdict.reasons]
    assert pages_of(section, TEXTS, refused, task)


def test_regions_that_moved_apart_before_are_not_compared(spark, tmp_path) -> None:
    result = answered(spark, tmp_path, a_world(7, 0.0, slope=0.01), a_task())

    assert result.verdict.verdict == "invalid"
    assert {"trends_differ", "placebo_moved"} == {one.code for one in result.verdict.reasons}
    assert "same trend" in pages_of(section, TEXTS, result, a_task())["en"]


def test_nothing_planted_is_nothing_shown_and_cut_periods_are_left_out(spark, tmp_path) -> None:
    values = a_world(8, 0.0)
    # The week in which the change comes, and the last one, which the end cuts, are as they may be.
    values[:6, START] *= 5
    values[:6, -1] *= 5
    task = a_task(start=date(2025, 6, 18), end=date(2025, 9, 3))

    result = answered(spark, tmp_path, values, task)

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("no_gain", "nothing_shown")
    assert result.tables["periods"].count() == PERIODS - 2
    assert pages_of(section, TEXTS, result, task)
    worse = a_task(better="down")
    harmed = answered(spark, tmp_path, a_world(4, 0.1), worse)
    assert (harmed.verdict.verdict, harmed.verdict.reasons[0].code) == ("no_gain", "worse")
    assert pages_of(section, TEXTS, harmed, worse)


def test_rows_may_say_which_regions_have_the_change(spark, tmp_path) -> None:
    weeks = [(f"r{place}", START_OF + timedelta(weeks=n)) for place in range(4) for n in range(PERIODS)]
    rows = [
        (name, week, 100.0 + (10.0 if name < "r2" and week >= TASK["start"] else 0.0) + place % 3, name < "r2")
        for place, (name, week) in enumerate(weeks)
    ]
    frame = spark.createDataFrame(rows, "region string, moment date, outcome double, is_treated boolean")

    found = run({"results": frame}, a_task(treated=[]), stage_context(spark, tmp_path))

    regions = {row.region: row.role for row in found.tables["regions"].collect()}
    assert regions == {"r0": "treated", "r1": "treated", "r2": "compared", "r3": "compared"}
    with pytest.raises(ConfigurationError, match="no region is declared as treated"):
        run({"results": frame.drop("is_treated")}, a_task(treated=[]), stage_context(spark, tmp_path))


def test_bad_rows_and_settings(spark, tmp_path) -> None:
    values = a_world(9)
    with pytest.raises(RefusedError, match="no rows for 'r99'"):
        answered(spark, tmp_path, values, a_task(treated=["r00", "r99"]))
    with_gap = spark.createDataFrame(
        [("a", date(2025, 1, 6), 1.0), ("b", date(2025, 1, 6), 1.0), ("b", date(2025, 1, 13), 1.0)],
        "region string, moment date, outcome double",
    )
    with pytest.raises(RefusedError, match="1 regions have no rows in some periods: 'a'"):
        run({"results": with_gap}, a_task(treated=["a"]), stage_context(spark, tmp_path))
    values[3, :START] = 0
    with pytest.raises(RefusedError, match="1 regions had a total of 0 before the change: 'r03'"):
        answered(spark, tmp_path, values, a_task())
    many = spark.range(501).selectExpr("CAST(id AS string) region", "DATE '2025-01-06' moment", "1D outcome")
    with pytest.raises(RefusedError, match="more than 500 regions"):
        run({"results": many}, a_task(treated=["1"]), stage_context(spark, tmp_path))
    short = answered(spark, tmp_path, a_world(9)[:, :30], a_task(start=date(2025, 1, 20)))
    assert (short.verdict.verdict, short.verdict.reasons[0].code) == ("too_little_data", "few_periods")
    for changes, said in (
        ({"pairs": {"r00": "r10"}}, "pairs is for design = 'geo'"),
        ({"design": "geo", "pairs": {"r00": "r10"}}, "pairs must name every region of treated"),
        ({"end": date(2025, 1, 1)}, "end must be later than start"),
        ({"treated": ["a", "a"]}, "treated names a region twice"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            a_task(**changes)
