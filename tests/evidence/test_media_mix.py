"""The kind `media_mix`: planted carry-over and ROI are found again, and nothing where nothing is planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.bench import stage_context
from tests.evidence.conftest import pages_of

from otklik.errors import RefusedError
from otklik.evidence.media_mix import response as model
from otklik.evidence.media_mix.kind import MediaMixTask
from otklik.evidence.media_mix.method import run
from otklik.evidence.media_mix.response import Response, Weeks
from otklik.evidence.media_mix.section import TEXTS, section
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
    return Weeks(revenue, spend, model.base_columns(count, 0, np.empty((count, 0)), 2))


def roi(response: Response, weeks: Weeks) -> np.ndarray:
    return response.contributions(weeks.spend).sum(axis=0) / weeks.spend.sum(axis=0)


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
    return run(frames, task, stage_context(spark, tmp_path))


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


@pytest.mark.long
def test_intervals_of_roi_hold_the_truth() -> None:
    held = []
    for seed in range(20):
        weeks = a_world(seed)
        drawn = [roi(one, weeks) for one in model.redrawn(weeks, model.fit(weeks), 60, 8, seed)]
        low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
        held.append((low - 1e-9 <= roi(PLANTED, weeks)) & (roi(PLANTED, weeks) <= high))

    assert np.mean(held) >= 0.9


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
    assert "Media explain a part of the revenue" in pages["en"] and "Медиа" not in pages["ru"]


@pytest.mark.long
def test_media_without_effect_explain_nothing(spark, tmp_path) -> None:
    nothing = Response(PLANTED.carry_over, PLANTED.half, PLANTED.shape, np.zeros(4), PLANTED.base)

    result = answered(spark, tmp_path, a_world(2, nothing), a_task())

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

    with pytest.raises(RefusedError, match="weeks are missing or stand twice"):
        run(frames, a_task(), stage_context(spark, tmp_path))
