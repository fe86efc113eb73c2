"""The kind `effect`: what was confounded on purpose is put right, and a changed placebo forbids a conclusion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F
from tests.bench import stage_context
from tests.evidence.conftest import pages_of

from otklik.errors import ConfigurationError
from otklik.evidence.effect.kind import EffectTask
from otklik.evidence.effect.method import e_value, run
from otklik.evidence.effect.section import TEXTS, section
from otklik.settings import validate

TASK = {
    "name": "mail", "kind": "effect", "title": {"en": "", "ru": ""}, "question": {"en": "", "ru": ""},
    "inputs": {"units": "silver.units"}, "control": "no", "contacted": "yes", "folds": 3,
}  # fmt: skip


def a_task(**changes) -> EffectTask:
    return validate(EffectTask, {**TASK, **changes}, "test")


def a_world(count: int = 6000, effect: float = 0.1) -> pd.DataFrame:
    """Whoever has a great x is contacted more often, and has the outcome more often anyhow."""
    draws = np.random.default_rng(3)
    x = draws.uniform(-1, 1, count)
    is_contacted = draws.random(count) < 0.5 + 0.4 * x
    return pd.DataFrame(
        {
            "unit": [f"u{number}" for number in range(count)],
            "arm": np.where(is_contacted, "yes", "no"),
            "outcome": (draws.random(count) < 0.4 + 0.3 * x + effect * is_contacted).astype(float),
            "before": (draws.random(count) < 0.4 + 0.3 * x).astype(float),
            "x": x,
        }
    )


def answered(spark, tmp_path, units, task) -> Any:
    return run({"units": spark.createDataFrame(units)}, task, stage_context(spark, tmp_path))


def measures(result) -> dict[str, Any]:
    return {measure.measure: measure for measure in result.measures}


def test_a_recorded_cause_is_taken_out_of_the_effect(spark, tmp_path) -> None:
    task = a_task()

    result = answered(spark, tmp_path, a_world().drop(columns="before"), task)

    found = measures(result)
    assert found["effect_on_all"].low < 0.1 < found["effect_on_all"].high
    assert found["effect_on_contacted"].low < 0.1 < found["effect_on_contacted"].high
    assert found["effect_on_all"].baseline > 0.15
    assert found["e_value"].value > found["e_value"].low > 1
    balance = result.tables["balance"].toPandas().set_index("feature")
    assert balance.loc["x", "before"] > 0.5
    assert abs(balance.loc["x", "after"]) < 0.1
    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("gain", "better")
    assert "The contact works" in pages_of(section, TEXTS, result, task)["en"]


@pytest.mark.long
def test_a_placebo_that_does_not_move_forbids_nothing(spark, tmp_path) -> None:
    task = a_task(placebos=["before"])

    result = answered(spark, tmp_path, a_world(), task)

    effects = result.tables["effects"].where("outcome = 'before' AND estimate = 'all'").toPandas().iloc[0]
    assert effects["low"] < 0 < effects["high"]
    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("gain", "better")
    assert pages_of(section, TEXTS, result, task)


@pytest.mark.long
def test_a_hidden_cause_moves_the_placebo_and_nothing_is_concluded(spark, tmp_path) -> None:
    units = a_world().rename(columns={"x": "hidden"}).drop(columns="hidden").assign(noise=np.arange(6000) % 7.0)
    task = a_task(placebos=["before"])

    result = answered(spark, tmp_path, units, task)

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("invalid", "placebo_moved")
    assert "not recorded" in pages_of(section, TEXTS, result, task)["en"]


@pytest.mark.long
def test_no_effect_is_no_gain(spark, tmp_path) -> None:
    verdict = answered(spark, tmp_path, a_world(effect=0.0).drop(columns="before"), a_task()).verdict

    assert (verdict.verdict, verdict.reasons[0].code) == ("no_gain", "nothing_shown")


def test_few_outcomes_are_too_little_data(spark, tmp_path) -> None:
    units = pd.DataFrame({"unit": ["a", "b"], "arm": ["yes", "no"], "outcome": [1.0, 0.0], "x": [1.0, 2.0]})

    result = answered(spark, tmp_path, units, a_task())

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("too_little_data", "few_outcomes")
    assert pages_of(section, TEXTS, result, a_task())


def test_the_e_value_is_the_published_one() -> None:
    """VanderWeele & Ding 2017: a risk ratio of 3.9 has the E-value 7.26."""
    assert e_value(0.1, 0.29) == pytest.approx(7.26, abs=0.005)
    assert e_value(0.39, -0.29) == pytest.approx(7.26, abs=0.005)
    assert e_value(0.1, 0.0) == 1


def test_one_arm_cannot_be_both() -> None:
    with pytest.raises(ConfigurationError, match="control and contacted are the same arm"):
        a_task(contacted="no")


@pytest.mark.long
def test_the_public_experiment_is_found_again_where_it_was_confounded_on_purpose(
    spark, hillstrom, hillstrom_units, tmp_path
) -> None:
    """Whoever bought much lately is dropped from the control more often, others from the contacted."""
    pair = hillstrom_units.where(F.col("arm").isin("No E-Mail", "Mens E-Mail"))
    eager = 1 / (1 + F.exp(-(F.log1p("history") - 5 + 0.15 * (6 - F.col("recency")) + 0.5 * (F.col("newbie") - 0.5))))
    chance = F.when(F.col("arm") == "Mens E-Mail", eager).otherwise(1 - eager)
    drawn = F.pmod(F.xxhash64("unit", F.lit("confounded")), F.lit(1_000_000)) / 1_000_000
    units = pair.where(drawn < chance).withColumnRenamed("visit", "outcome")
    features = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
    task = a_task(control="No E-Mail", contacted="Mens E-Mail", log_scale=["history"], folds=4)

    result = run({"units": units.select("unit", "arm", "outcome", *features)}, task, stage_context(spark, tmp_path))

    found = measures(result)["effect_on_all"]
    assert found.value == pytest.approx(0.0766, abs=0.01)
    assert abs(found.value - 0.0766) < abs(found.baseline - 0.0766)
