"""The kind `experiment`: a few thousand units in, a judgement out; what the data do not allow is refused."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from tests.bench import stage_context
from tests.evidence.conftest import moments, pages_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.evidence.experiment.conclusions import evaluate, find_verdict, plan
from otklik.evidence.experiment.kind import ExperimentTask
from otklik.evidence.experiment.method import run
from otklik.evidence.experiment.moments import Columns
from otklik.evidence.experiment.section import TEXTS, section
from otklik.kind import Verdict
from otklik.settings import validate

TASK = {
    "name": "trial", "kind": "experiment", "title": {"en": "", "ru": ""}, "question": {"en": "", "ru": ""},
    "inputs": {"units": "silver.units"}, "control": "old", "arms": {"old": 1, "new": 1},
    "metrics": {"bought": {"type": "share"}},
}  # fmt: skip


def a_task(**changes) -> ExperimentTask:
    return validate(ExperimentTask, {**TASK, **changes}, "test")


def many_units(count: int = 4000, effect: float = 0.1, harm: float = 0.0) -> pd.DataFrame:
    draws = np.random.default_rng(1)
    is_new = np.arange(count) % 2
    return pd.DataFrame(
        {
            "unit": [f"u{number}" for number in range(count)],
            "arm": np.where(is_new == 1, "new", "old"),
            "moment": pd.Timestamp("2026-01-01 12:00") + pd.to_timedelta(np.arange(count) // 2 % 10, unit="D"),
            "bought": (draws.random(count) < 0.2 + effect * is_new).astype(float),
            "complaints": draws.poisson(0.5 + harm * is_new).astype(float),
            "spent": draws.lognormal(1, 1.5, count),
            "orders": draws.poisson(3, count) + 1.0,
            "before": draws.normal(size=count),
            "city": np.where(np.arange(count) // 20 % 2 == 1, "A", "B"),
        }
    )


def tiny(*rows: tuple[str, str | None, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["unit", "arm", "bought"])


def judged(spark, tmp_path, units: pd.DataFrame, task: ExperimentTask, partitions: int = 2):
    schema = ", ".join(
        f"{name} {'string' if name in ('unit', 'arm', 'city') else 'timestamp' if name == 'moment' else 'double'}"
        for name in units.columns
    )
    frame = spark.createDataFrame(units.astype(object).replace({math.nan: None}), schema).repartition(partitions)
    return run({"units": frame}, task, stage_context(spark, tmp_path))


def test_a_planted_effect_is_found_and_looked_at_every_day(spark, tmp_path) -> None:
    metrics = {
        "bought": {"type": "share", "worth": 0.05},
        "spent": {"type": "ratio", "denominator": "orders"},
        "complaints": {"type": "mean", "role": "guardrail", "better": "down", "tolerated": 0.2},
    }

    task = a_task(metrics=metrics, covariates=["before"], subgroups=["city"])

    result = judged(spark, tmp_path, many_units(), task)

    lines = result.tables["effects"].toPandas().set_index(["metric", "estimate"])
    looks = result.tables["looks"].toPandas()
    plan = result.tables["plan"].toPandas().set_index("metric")
    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("gain", "better")
    assert lines.loc[("bought", "plain"), "low"] < 0.1 < lines.loc[("bought", "plain"), "high"]
    assert lines["status"].to_dict() == {
        ("bought", "plain"): "better", ("bought", "cuped"): "better", ("spent", "plain"): "open",
        ("spent", "cuped"): "open", ("complaints", "plain"): "safe", ("complaints", "cuped"): "safe",
    }  # fmt: skip
    assert looks["units"].to_list() == [400 * day for day in range(1, 11)]
    assert (looks["always_low"] < looks["low"]).all()
    assert looks.iloc[-1]["effect"] == pytest.approx(lines.loc[("bought", "plain"), "effect"])
    # 16 × p (1 − p) ÷ 0.05² units per arm, some 1,200; they came on 10 days at 400 a day.
    assert plan.loc["bought", "units_needed"] == pytest.approx(2 * 16 * 0.19 / 0.05**2, rel=0.1)
    assert plan.loc["bought", "days_needed"] == pytest.approx(plan.loc["bought", "units_needed"] / 400)
    assert result.tables["subgroups"].select("level").toPandas()["level"].to_list() == ["A", "B"]
    pages = pages_of(section, TEXTS, result, task)
    assert "new: worth introducing" in pages["en"] and "Subgroups: hypotheses only" in pages["en"]
    assert "new: стоит внедрить" in pages["ru"] and "Подгруппы: только гипотезы" in pages["ru"]


def verdict_of(units: pd.DataFrame, task: ExperimentTask) -> Verdict:
    """What the sums of these units come to, without Spark."""
    names = list(task.metrics)
    arms = {
        arm: {0: moments(**{name: units.loc[units["arm"] == arm, name].to_numpy() for name in names})}
        for arm in task.arms
    }
    lines = evaluate(arms, Columns(tuple(names), (), frozenset()), task)
    return find_verdict(lines, plan(lines, {arm: len(units) // 2 for arm in task.arms}, 0, task), task)


def test_a_guardrail_forbids_the_gain() -> None:
    metrics = {"bought": {"type": "share"}, "complaints": {"type": "mean", "role": "guardrail", "better": "down"}}

    verdict = verdict_of(many_units(harm=0.3), a_task(metrics=metrics))

    assert (verdict.verdict, [reason.code for reason in verdict.reasons]) == ("no_gain", ["harmed"])


@pytest.mark.parametrize(
    ("effect", "settings", "verdict", "code"),
    [
        (0.0, {}, "no_gain", "nothing_shown"),
        (0.0, {"worth": 0.02}, "too_little_data", "undecided"),
        (0.0, {"worth": 0.1}, "no_gain", "below_worth"),
        (0.1, {"better": "down"}, "no_gain", "worse"),
        (-0.1, {"better": "down"}, "gain", "better"),
        (-0.2, {}, "too_little_data", "thin"),
    ],
)
def test_what_the_first_goal_comes_to(effect, settings, verdict, code) -> None:
    found = verdict_of(many_units(effect=effect), a_task(metrics={"bought": {"type": "share", **settings}}))

    assert (found.verdict, found.reasons[0].code) == (verdict, code)


def test_of_a_broken_split_nothing_is_concluded(spark, tmp_path) -> None:
    units = many_units()
    lost = units[(units["arm"] == "old") | (units.index % 10 != 1)]

    result = judged(spark, tmp_path, lost, a_task())

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("invalid", "broken_split")
    assert [measure.measure for measure in result.measures] == ["sample_ratio_p"]
    assert result.measures[0].value < 0.001
    assert [what for what, table in result.tables.items() if not table.isEmpty()] == ["arms"]
    page = pages_of(section, TEXTS, result, a_task())["en"]
    assert "Sample ratio mismatch: no conclusion is possible" in page and "What each arm changed" not in page


@pytest.mark.long
def test_the_same_answer_on_every_number_of_partitions(spark, tmp_path) -> None:
    task = a_task(metrics={"bought": {"type": "share"}, "spent": {"type": "revenue"}}, covariates=["before"])
    found = [
        judged(spark, tmp_path, many_units(1000), task, partitions).tables["effects"].toPandas()
        for partitions in (1, 2, 4)
    ]

    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0], other, rtol=1e-9)


def test_missing_numbers_are_left_out_and_counted(spark, tmp_path) -> None:
    units = many_units(1000)
    units.loc[:3, "spent"] = math.nan
    units.loc[10:14, "before"] = math.nan
    task = a_task(metrics={"bought": {"type": "share"}, "spent": {"type": "mean"}}, covariates=["before"])

    result = judged(spark, tmp_path, units, task)

    effects = result.tables["effects"].toPandas().set_index(["metric", "estimate"])
    known = units.dropna(subset="spent")
    means = known.groupby("arm")["spent"].mean()
    assert [(finding.code, finding.subject, finding.value) for finding in result.findings] == [
        ("missing", "spent", 4), ("missing", "before", 5),
    ]  # fmt: skip
    assert effects.loc[("spent", "plain"), "units"] == 996
    assert effects.loc[("spent", "plain"), "effect"] == pytest.approx(means["new"] - means["old"])
    assert effects.loc[("bought", "cuped"), "units"] == 1000


def test_values_that_one_arm_lacks_more_often_are_a_warning(spark, tmp_path) -> None:
    units = many_units(1000)
    units.loc[units["arm"] == "new", "spent"] = np.where(np.arange(500) % 2, 1.0, math.nan)

    findings = judged(spark, tmp_path, units, a_task(metrics={"spent": {"type": "mean"}})).findings

    assert [(finding.code, finding.is_warning) for finding in findings] == [("missing_differs", True)]


def test_a_covariate_that_the_experiment_has_changed_is_a_warning(spark, tmp_path) -> None:
    findings = judged(spark, tmp_path, many_units(1000, effect=0.5), a_task(
        metrics={"spent": {"type": "mean"}}, covariates=["bought"]
    )).findings  # fmt: skip

    assert [(finding.code, finding.subject, finding.is_warning) for finding in findings] == [
        ("covariate_differs", "bought", True)
    ]


@pytest.mark.parametrize("units", [tiny(), tiny(("a", "old", 1.0))], ids=["none", "one"])
def test_a_few_units_are_too_few(spark, tmp_path, units) -> None:
    verdict = judged(spark, tmp_path, units, a_task()).verdict

    assert (verdict.verdict, verdict.reasons[0].code) == ("too_little_data", "few_units")


@pytest.mark.parametrize(
    ("units", "changes", "said"),
    [
        (tiny(("a", "old", 1), ("a", "new", 0)), {}, "1 units are in more than one arm"),
        (tiny(("a", "old", 1), ("a", "old", 1)), {}, "1 units have more than one row"),
        (tiny(("a", "old", 1), ("b", "third", 1)), {}, "arms that the task does not declare: 'third'"),
        (tiny(("a", "old", 2)), {}, "bought: neither 1 nor 0"),
        (many_units(100), {"subgroups": ["spent"]}, r"more than 20 levels in spent \(100\)"),
    ],
    ids=["mixed", "repeated", "undeclared", "no-share", "levels"],
)
def test_units_that_are_not_what_the_task_says_are_refused(spark, tmp_path, units, changes, said) -> None:
    with pytest.raises(RefusedError, match=said):
        judged(spark, tmp_path, units, a_task(minimum_units=10, **changes))


def test_columns_that_are_not_there_or_hold_texts_are_all_named(spark, tmp_path) -> None:
    task = a_task(metrics={"spent": {"type": "mean"}, "city": {"type": "mean"}}, covariates=["age"])

    with pytest.raises(ConfigurationError) as fault:
        judged(spark, tmp_path, many_units(10)[["unit", "arm", "city"]], task)

    assert fault.value.what == (
        "metrics names 'spent', metrics names 'city', covariates names 'age': no such numeric column in the frame units"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"control": "older"}, "control is not one of"),
        ({"metrics": {"bought": {"type": "share", "role": "guardrail"}}}, "at least one must be a goal"),
        ({"metrics": {"bought": {"type": "ratio"}}}, "a ratio needs one"),
        ({"metrics": {"bought": {"type": "share", "tolerated": 0.1}}}, "tolerated is for guardrails"),
        ({"decide_by": "cuped"}, "needs covariates"),
        ({"covariates": ["bought"]}, "covariates cannot be metrics"),
        ({"subgroups": ["city", "city"]}, "name a column twice"),
    ],
)
def test_settings_that_do_not_go_together_are_said(changes, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        a_task(**changes)
