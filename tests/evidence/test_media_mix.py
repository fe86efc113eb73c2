"""The kind `media_mix`: planted carry-over and ROI are found again, and nothing where nothing is planted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.bench import run_kind, stage_context
from tests.evidence.conftest import pages_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.evidence.media_mix import method
from otklik.evidence.media_mix import response as model
from otklik.evidence.media_mix.fitting import errors_of_last_weeks
from otklik.evidence.media_mix.kind import KIND, MediaMixTask
from otklik.evidence.media_mix.method import interval_of
from otklik.evidence.media_mix.response import Form, Response, Weeks
from otklik.evidence.media_mix.section import TEXTS, section
from otklik.evidence.media_mix.weeks import Data
from otklik.page.words import Voice
from otklik.settings import validate

TASK = {
    "name": "mix", "kind": "media_mix", "title": {"en": "", "ru": ""}, "question": {"en": "", "ru": ""},
    "inputs": {"weeks": "silver.weeks"}, "replicates": 20,
}  # fmt: skip
#: As the built-in world has it: usual spend, share of weeks without; radio brings nothing.
USUAL, PAUSES = np.array([2.0, 0.6, 0.8, 0.7]), np.array([0.35, 0.1, 0.2, 0.4])
PLANTED = Response(
    carry_over=np.array([0.6, 0.1, 0.3, 0.0]), half=np.array([4.0, 0.7, 1.0, 1.0]),
    shape=np.array([2.0, 1.0, 1.5, 1.0]), effect=np.array([9.0, 5.0, 4.0, 0.0]), base=np.empty(0),
)  # fmt: skip


def a_task(**changes) -> MediaMixTask:
    return validate(MediaMixTask, {**TASK, **changes}, "test")


def a_world(seed: int, planted: Response = PLANTED, count: int = 156) -> Weeks:
    draws = np.random.default_rng(seed)
    spend = np.where(draws.random((count, 4)) < PAUSES, 0, USUAL * np.exp(0.5 * draws.normal(size=(count, 4))))
    t = np.arange(count)
    base = 20 + 0.015 * t + 2.5 * np.cos(2 * np.pi * (t - 24) / 52)
    revenue = base + planted.contributions(spend).sum(axis=1) + 0.6 * draws.normal(size=count)
    return Weeks(revenue, spend, model.calendar(count, 0, 2))


def roi(response: Response, weeks: Weeks) -> np.ndarray:
    return weeks.total(response.contributions(weeks.spend)) / weeks.total(weeks.spend)


def answered(spark, tmp_path, weeks: Weeks, task: MediaMixTask) -> Any:
    days = pd.date_range("2023-01-02", periods=len(weeks.revenue), freq="7D")
    spends = [
        (day.to_pydatetime(), channel, float(weeks.spend[w, c]))
        for w, day in enumerate(days)
        for c, channel in enumerate(["tv", "search", "social", "radio"])
    ]
    frames = {
        "weeks": spark.createDataFrame(
            [(day.to_pydatetime(), float(revenue)) for day, revenue in zip(days, weeks.revenue, strict=True)],
            "moment timestamp, revenue double",
        ),
        "spends": spark.createDataFrame(spends, "moment timestamp, channel string, spend double"),
    }
    return run_kind(KIND, frames, task, stage_context(spark, tmp_path))


def test_carry_over_and_saturation_by_hand() -> None:
    assert model.carried(np.array([[4.0], [0.0], [2.0]]), np.array([0.5])).ravel().tolist() == [4, 2, 3]
    shares = model.saturated(np.array([0.0, 2.0, 6.0]), np.array([2.0]), np.array([1.0]))
    assert shares.tolist() == pytest.approx([0, 0.5, 0.75])


def test_the_planted_response_is_found_again() -> None:
    found = [model.fit(a_world(seed)) for seed in range(6)]

    carry_over = np.mean([one.carry_over for one in found], axis=0)
    ratios = np.mean([roi(one, a_world(seed)) for seed, one in enumerate(found)], axis=0)
    truth = np.mean([roi(PLANTED, a_world(seed)) for seed in range(6)], axis=0)
    # What a channel without effect carries over means nothing.
    assert carry_over[:3] == pytest.approx(PLANTED.carry_over[:3], abs=0.05)
    assert ratios[:3] == pytest.approx(truth[:3], rel=0.15)
    assert ratios[3] < 0.5


def coverage(worlds: Iterable[Weeks], replicates: int, planted: Response = PLANTED) -> np.ndarray:
    """Share of the intervals of revenue per unit spent that hold the truth, of each channel."""
    held = []
    for seed, weeks in enumerate(worlds):
        found = model.fit(weeks)
        drawn = model.redrawn(weeks, found, replicates, 8, seed)
        low, high = interval_of([roi(one, weeks) for one in (found, *drawn)])
        held.append((low - 1e-9 <= roi(planted, weeks)) & (roi(planted, weeks) <= high))
    return np.mean(held, axis=0)


@pytest.mark.long
def test_intervals_of_roi_hold_the_truth_in_two_hundred_worlds() -> None:
    assert coverage((a_world(seed) for seed in range(200)), 60).min() >= 0.9


def test_the_best_split_has_equal_marginal_returns() -> None:
    low, high = np.full(4, 0.05), np.full(4, 4.0)

    plan = model.best_split(PLANTED, 4.0, low, high)

    marginal = PLANTED.marginal(plan)
    inside = (plan > low + 1e-6) & (plan < high - 1e-6)
    assert plan.sum() == pytest.approx(4.0)
    assert plan[3] == pytest.approx(0.05, abs=1e-6)
    assert marginal[inside] == pytest.approx(np.full(inside.sum(), marginal[inside].mean()), rel=0.02)
    tried = np.random.default_rng(1).dirichlet(np.ones(4), 2000) * (4.0 - 0.2) + 0.05
    assert PLANTED.steady(plan).sum() >= PLANTED.steady(tried).sum(axis=1).max() - 1e-6


def test_media_that_work_are_worth_a_plan(spark, tmp_path) -> None:
    task = a_task()

    result = answered(spark, tmp_path, a_world(1), task)

    channels = result.tables["channels"].toPandas().set_index("channel")
    budget = result.tables["budget"].toPandas()
    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("gain", "media_explain")
    assert channels.loc["tv", "roi_low"] < channels.loc["tv", "roi"] < channels.loc["tv", "roi_high"]
    assert budget["planned"].sum() == pytest.approx(budget["spend"].sum())
    assert budget["planned"].between(budget["lowest"] - 1e-9, budget["highest"] + 1e-9).all()
    pages = pages_of(section, TEXTS, result, task)
    assert "Media explain part of the revenue" in pages["en"] and "Медиа" not in pages["ru"]


@pytest.mark.long
def test_media_without_effect_are_seldom_said_to_explain_revenue() -> None:
    """With an interval of 95 %, one world of forty; with media that bring something, all."""
    nothing, task = Response(PLANTED.carry_over, PLANTED.half, PLANTED.shape, np.zeros(4), PLANTED.base), a_task()

    def gains(planted: Response, count: int) -> int:
        worlds = (a_world(1000 + seed, planted) for seed in range(count))
        errors = (errors_of_last_weeks(world, Form(), task.holdout_weeks) for world in worlds)
        held_out = (method._held_out(*of_world, task) for of_world in errors)
        return sum((one.low or 0.0) > 0 for one in held_out)

    assert gains(nothing, 100) <= 6
    assert gains(PLANTED, 10) == 10


@pytest.mark.long
def test_media_without_effect_explain_nothing(spark, tmp_path) -> None:
    nothing = Response(PLANTED.carry_over, PLANTED.half, PLANTED.shape, np.zeros(4), PLANTED.base)

    result = answered(spark, tmp_path, a_world(3, nothing), a_task())

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("no_gain", "media_explain_nothing")


@pytest.mark.long
def test_a_budget_beyond_what_was_observed_is_not_planned(spark, tmp_path) -> None:
    task = a_task(weekly_budget=50.0)

    result = answered(spark, tmp_path, a_world(1), task)

    assert result.tables["budget"].isEmpty()
    assert [finding.code for finding in result.findings] == ["budget_outside"]
    assert "no plan is made for it" in pages_of(section, TEXTS, result, task)["en"]


def test_few_weeks_are_too_little_data(spark, tmp_path) -> None:
    result = answered(spark, tmp_path, a_world(1, count=30), a_task())

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("too_little_data", "few_weeks")
    assert pages_of(section, TEXTS, result, a_task())


def test_weeks_that_are_missing_are_refused(spark, tmp_path) -> None:
    days = pd.to_datetime(["2026-01-05", "2026-01-12", "2026-01-26"]).to_pydatetime()
    frames = {
        "weeks": spark.createDataFrame([(day, 1.0) for day in days], "moment timestamp, revenue double"),
        "spends": spark.createDataFrame([(days[0], "tv", 1.0)], "moment timestamp, channel string, spend double"),
    }

    with pytest.raises(RefusedError, match="weeks are missing or duplicated"):
        run_kind(KIND, frames, a_task(), stage_context(spark, tmp_path))


def test_a_decay_by_hand_and_geometric_where_it_is_one() -> None:
    spend = np.array([[4.0], [0.0], [0.0], [2.0]])
    left = model.carried(spend, np.array([0.5]), np.array([2.0])).ravel()
    assert left.tolist() == pytest.approx([4, 2, 4 * 0.5**4, 4 * 0.5**9 + 2])
    steady = Response(np.array([0.5]), np.array([1.0]), np.array([1.0]), np.array([1.0]), np.empty(0))
    same = replace(steady, decay=np.array([1.0]))
    assert same.contributions(spend) == pytest.approx(steady.contributions(spend))
    assert same.steady(np.array([3.0])) == pytest.approx(steady.steady(np.array([3.0])))


@pytest.mark.long
def test_a_long_tail_is_found_where_it_is_planted() -> None:
    """Of one strong channel, as decay and carry-over are two numbers for one thing."""
    planted = replace(PLANTED, decay=np.array([0.6, 1.0, 1.0, 1.0]), carry_over=np.array([0.7, 0.1, 0.3, 0.0]))
    worlds = [a_world(seed, planted, count=520) for seed in range(6)]
    weibull = [model.fit(one, form=Form(is_weibull=True)) for one in worlds]

    assert np.mean([one.decay[0] for one in weibull if one.decay is not None]) == pytest.approx(0.6, abs=0.15)
    errors = [
        [np.abs(roi(one, weeks) - roi(planted, weeks))[0] for one, weeks in zip(found, worlds, strict=True)]
        for found in (weibull, [model.fit(one) for one in worlds])
    ]
    assert np.mean(errors[0]) < np.mean(errors[1])


def test_what_an_experiment_has_measured_counts_by_its_error() -> None:
    weeks = a_world(3)
    truth, alone = roi(PLANTED, weeks)[1], roi(model.fit(weeks), weeks)[1]

    def measured(value: float, error: float) -> float:
        form = Form(roi=np.array([np.nan, value, np.nan, np.nan]), roi_error=np.array([np.nan, error, np.nan, np.nan]))
        return float(roi(model.fit(weeks, form=form), weeks)[1])

    assert measured(truth, 0.02) == pytest.approx(truth, abs=0.03)
    assert abs(measured(truth, 0.02) - truth) < abs(alone - truth)
    assert measured(0.0, 100.0) == pytest.approx(alone, abs=0.02)


def carry_over_found(count: int, seeds: range) -> np.ndarray:
    """In how many of the worlds the carry-over of tv, search and social is found within ± .05."""
    found = np.array([model.fit(a_world(seed, count=count)).carry_over[:3] for seed in seeds])
    return (np.abs(found - PLANTED.carry_over[:3]) <= 0.05).mean(axis=0)


def least_errors(count: int) -> np.ndarray:
    """The least standard error of a carry-over that any unbiased method can have (Cramér and Rao), tv, search, social.

    Also where half, shape and effect of every channel are known: then all weeks are spent on carry-over and base.
    """
    weeks = a_world(0, count=count)

    def revenue(carry_over: np.ndarray) -> np.ndarray:
        return replace(PLANTED, carry_over=carry_over).contributions(weeks.spend).sum(axis=1)

    steps = 1e-5 * np.eye(4)[:3]
    slopes = [(revenue(PLANTED.carry_over + step) - revenue(PLANTED.carry_over - step)) / 2e-5 for step in steps]
    columns = np.column_stack([*slopes, weeks.base])
    spread = 0.6**2 * np.linalg.inv(columns.T @ columns)
    return np.sqrt(np.diag(spread)[:3])


def test_in_three_years_only_a_strong_carry_over_can_be_told_within_a_twentieth() -> None:
    """Nine in ten within ± .05 takes a standard error of .0304; search and social cannot have it before ten years."""
    enough = 0.05 / stats.norm.ppf(0.95)

    assert (least_errors(156) < enough).tolist() == [True, False, False]
    assert (least_errors(520) < enough).all()
    assert carry_over_found(156, range(8))[0] >= 0.9
    assert (carry_over_found(520, range(20)) >= 0.9).all()


@pytest.mark.long
def test_the_planted_carry_over_is_found_in_nine_of_ten_worlds_that_can_tell_it() -> None:
    assert carry_over_found(156, range(200))[0] >= 0.9
    assert (carry_over_found(520, range(200)) >= 0.9).all()


def data_of(weeks: Weeks) -> Data:
    days = [date(2023, 1, 2) + timedelta(days=7 * place) for place in range(len(weeks.revenue))]
    return Data(days, ["tv", "search", "social", "radio"], weeks)


def test_bounds_inside_of_what_was_observed_are_kept_and_others_make_no_plan() -> None:
    data = data_of(a_world(1))
    found = model.fit(data.weeks)
    spend = pd.DataFrame(data.weeks.spend).rolling(4).mean()
    highest, most = float(spend[0].quantile(0.6)), float(spend.quantile(0.9).sum())

    rows, _, findings = method._budget(data, found, [found, found], a_task(bounds={"tv": {"highest": highest}}))
    none, _, outside = method._budget(data, found, [found, found], a_task(bounds={"tv": {"highest": 50.0}}))

    assert rows[0][2] <= highest + 1e-9 and not findings
    assert sum(row[2] for row in rows) == pytest.approx(sum(row[1] for row in rows))
    assert none == [] and [(one.code, one.subject) for one in outside] == [("bounds_outside", "tv")]
    tight = a_task(bounds={"tv": {"highest": highest}}, weekly_budget=most - 0.01)
    _, _, short = method._budget(data, found, [found, found], tight)
    assert [one.code for one in short] == ["budget_outside"]
    with pytest.raises(ConfigurationError, match="bounds names 'press': no such channel"):
        method._check_bounds(data, a_task(bounds={"press": {"lowest": 1.0}}))
    with pytest.raises(ConfigurationError, match="low, roi and high must rise"):
        a_task(experiments={"tv": {"roi": 1.0, "low": 2.0, "high": 3.0}})


def test_an_experiment_that_the_weeks_contradict_is_said_to_be_right() -> None:
    data = data_of(a_world(1))
    task = a_task(experiments={"tv": {"roi": 0.1, "low": 0.0, "high": 0.2}})
    alone = [model.fit(data.weeks)] * 2

    [found] = method._disagreements(data, alone[0], alone, task)

    assert (found.code, found.subject, found.is_warning) == ("experiment_disagrees", "tv", True)
    assert "Trust the experiment" in Voice("en", TEXTS).told(found)
    rows = list(method._channel_rows(data, alone[0], alone, task))
    assert [row[-2:] for row in rows] == [(1.0, 0.1), (1.0, None), (1.0, None), (1.0, None)]
