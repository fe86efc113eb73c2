from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from otklik.decisions.audience import action_values, affordable, audience, is_control, with_rank
from otklik.lake.tables import ACTIONS
from otklik.models.bootstrap import Floats
from otklik.models.evaluate import evaluate

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCORES = "key string, as_of timestamp, probability double, expected_profit double, run_id string"


def scores(spark: SparkSession, probabilities: dict[str, float]) -> DataFrame:
    """cost 3, value 11."""
    rows = [(key, NOON, p, p * 11 - 3, "run") for key, p in probabilities.items()]
    return spark.createDataFrame(rows, SCORES)


def listed(frame: DataFrame, **changes: Any) -> list[tuple[Any, ...]]:
    settings = {
        "cost": 3.0,
        "value": 11.0,
        "budget": None,
        "control_share": 0.0,
        "campaign": "spring",
        "salt": "control",
    }
    actions = audience(frame, **{**settings, **changes})
    return [(row["rank"], row["key"], row["arm"]) for row in actions.orderBy("rank").collect()]


def test_the_list_is_whoever_brings_profit_best_first(spark: SparkSession) -> None:
    frame = scores(spark, {"a": 0.30, "b": 0.9, "c": 3 / 11, "d": 0.1, "e": 0.3004})
    assert listed(frame) == [(1, "b", "contact"), (2, "e", "contact"), (3, "a", "contact")]
    actions = audience(frame, cost=3, value=11, budget=None, control_share=0.1, campaign="spring", salt="control")
    assert actions.columns == [column.name for column in ACTIONS.columns]


def test_the_budget_cuts_the_end_of_the_list(spark: SparkSession) -> None:
    frame = scores(spark, {"a": 0.30, "b": 0.9, "e": 0.5})
    assert [key for _, key, _ in listed(frame, budget=8.99)] == ["b", "e"]


def test_a_budget_is_a_decimal() -> None:
    assert affordable(0.3, 0.1) == 3
    assert affordable(2.99, 3.0) == 0


def test_ties_are_ranked_by_key_on_any_layout(spark: SparkSession) -> None:
    frame = scores(spark, {f"k{i}": (0.5, 0.5001, 1.0)[i % 3] for i in range(300)})
    ranks = listed(frame.repartition(1))
    assert listed(frame.repartition(7)) == ranks
    assert [rank for rank, *_ in ranks] == list(range(1, 301))
    keys = [key for _, key, _ in ranks]
    assert keys[:100] != sorted(keys[:100])
    assert {int(key[1:]) % 3 for key in keys[:100]} == {2}
    assert {int(key[1:]) % 3 for key in keys[200:]} == {0}


def test_ranks_are_those_of_one_global_order(spark: SparkSession) -> None:
    probabilities = {f"k{i}": float(p) for i, p in enumerate(np.random.default_rng(0).beta(1, 30, 2_000))}
    ranked = with_rank(scores(spark, probabilities), "salt").select("key", "rank").collect()
    best_first = sorted(probabilities, key=lambda key: -probabilities[key])
    assert {row["key"]: row["rank"] for row in ranked} == {key: rank for rank, key in enumerate(best_first, start=1)}


def test_control_is_drawn_by_key_and_campaign(spark: SparkSession) -> None:
    frame = scores(spark, {f"k{i}": 0.3 + i / 10_000 for i in range(2_000)})
    arms = frame.select(
        "key",
        is_control(0.2, "spring", "control").alias("spring"),
        is_control(0.3, "spring", "control").alias("more"),
        is_control(0.2, "autumn", "control").alias("autumn"),
        is_control(0.0, "spring", "control").alias("nobody"),
    ).toPandas()
    assert 330 < arms["spring"].sum() < 470
    assert (arms["spring"] <= arms["more"]).all()
    assert (arms["spring"] & arms["autumn"]).sum() < 0.5 * arms["spring"].sum()
    assert not arms["nobody"].any()
    drawn = {key for _, key, arm in listed(frame, control_share=0.2) if arm == "control"}
    assert drawn == set(arms.loc[arms["spring"], "key"])


def values(probability: Floats, label: Floats, **changes: Any) -> dict[str, dict[str, Any]]:
    rows = action_values(
        probability,
        label,
        np.arange(len(label)),
        changes.pop("listed", probability > 3 / 11),
        changes.pop("control", np.zeros(len(label), dtype=bool)),
        cost=3.0,
        value=11.0,
        replicates=200,
        salt="bootstrap",
    )
    return {str(row["policy"]): row for row in rows}


def test_values_by_hand() -> None:
    probability, label = np.array([0.9, 0.5, 0.2, 0.1]), np.array([1.0, 0.0, 1.0, 0.0])
    found = values(probability, label, control=np.array([False, True, False, True]))
    assert {policy: row["customers"] for policy, row in found.items()} == {"list": 2, "all": 4, "none": 0, "oracle": 2}
    profits = {policy: row["out_of_fold_profit"] for policy, row in found.items()}
    assert profits == {"list": 5.0, "all": 10.0, "none": 0.0, "oracle": 16.0}
    assert found["list"]["expected_profit"] == pytest.approx(1.4 * 11 - 6)
    assert found["all"]["expected_profit"] == pytest.approx(1.7 * 11 - 12)
    assert found["oracle"]["expected_profit"] == pytest.approx(1.1 * 11 - 6)
    assert found["list"]["control_cost"] == pytest.approx(0.5 * 11 - 3)
    assert (found["none"]["low"], found["none"]["high"]) == (0.0, 0.0)
    assert found["list"]["low"] <= 5 <= found["list"]["high"]


def test_without_labels_there_is_a_promise_only() -> None:
    found = values(np.array([0.9, 0.1]), np.array([1.0, np.nan]))
    assert found["list"]["expected_profit"] == pytest.approx(6.9)
    for row in found.values():
        assert row["out_of_fold_profit"] is row["low"] is row["high"] is None
    assert found["oracle"]["customers"] is found["oracle"]["expected_profit"] is None


def test_the_list_is_worth_what_the_scoreboard_says() -> None:
    random = np.random.default_rng(1)
    probability = random.beta(1, 5, 500)
    label = (random.random(500) < probability).astype(float)
    unit = np.arange(500)
    row = evaluate(
        label,
        np.zeros(500),
        unit,
        probability=probability,
        margin=probability,
        training_rate=0.2,
        cost=3.0,
        value=11.0,
        replicates=200,
        salt="bootstrap",
    )
    of_list = values(probability, label)["list"]
    assert [row["profit"], row["profit_low"], row["profit_high"]] == [
        of_list["out_of_fold_profit"],
        of_list["low"],
        of_list["high"],
    ]
