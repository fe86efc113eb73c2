"""Gradient boosting and the perceptron: what they learn, and that reasons sum to the score."""

from __future__ import annotations

import itertools
import json
import math
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from otklik.errors import ConfigurationError
from otklik.models import boosting
from otklik.models.boosting import Boosted, Boosting
from otklik.models.portable import BoostedModel, Slots, from_dict
from otklik.models.prepare import Feature, Rules, fit_preparation, slot_array, with_vectors
from otklik.models.zoo import estimator, settings_to_try, with_prediction
from otklik.task import BoostSettings, ModelSettings, PerceptronSettings

EVERYTHING = Rules(0.0, 50, 1.0, (), frozenset(), frozenset(), {})
SETTING = {"trees": 60, "max_depth": 3, "learning_rate": 0.3}


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """Yes where exactly one of x and y is positive, nine times in ten: no line tells it."""
    draw = np.random.default_rng(4)
    x, y, z = draw.normal(size=(3, 600))
    yes = ((x > 0) != (y > 0)) != (draw.random(600) < 0.1)
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    made = [(f"{n}", moment, f"u{n}", float(yes[n]), *map(float, (x[n], y[n], z[n]))) for n in range(600)]
    frame = spark.createDataFrame(
        made, "key string, as_of timestamp, unit string, label double, x double, y double, z double"
    ).selectExpr("*", "xxhash64(key, as_of) AS row_hash")
    preparation = fit_preparation(frame, [Feature(name, "number", False) for name in "xyz"], EVERYTHING)
    seen = frame.select("*", slot_array(preparation.slots).alias("numbers"))
    return with_vectors(seen, {"features": preparation.slots}).coalesce(1).cache()


@pytest.fixture(scope="module")
def fitted(rows: DataFrame) -> Boosted:
    return Boosting(SETTING, 7, "features").fit(rows)


def portable(fitted: Boosted) -> BoostedModel:
    return BoostedModel(Slots(("x", "y", "z=1"), ("x", "y", "y")), fitted.booster)


@pytest.mark.long
def test_what_no_line_tells_is_learnt_by_both_challengers(rows: DataFrame) -> None:
    found = {}
    for name, values in (
        ("logistic_regression", ModelSettings()),
        ("xgboost", BoostSettings(trees=[60], max_depth=[3], learning_rate=[0.3])),
        ("perceptron", PerceptronSettings(hidden=[8])),
    ):
        model = estimator(name, settings_to_try(name, values)[0], 7, "features").fit(rows)
        said = with_prediction(rows, model, name).select("margin", "raw", "label").toPandas()
        assert said["raw"].to_numpy() == pytest.approx(1 / (1 + np.exp(-said["margin"].to_numpy())), abs=1e-9)
        found[name] = float(((said["raw"] > 0.5) == (said["label"] == 1)).mean())
    assert found["logistic_regression"] < 0.6
    assert found["xgboost"] > 0.85
    assert found["perceptron"] > 0.8


def test_the_same_rows_give_the_same_trees_in_any_layout(rows: DataFrame, fitted: Boosted) -> None:
    again = Boosting(SETTING, 7, "features").fit(rows.repartition(3, "z"))

    assert again.booster == fitted.booster


def test_rounds_end_where_units_held_out_gain_nothing(rows: DataFrame) -> None:
    noise = rows.selectExpr("* EXCEPT (label)", "CAST(pmod(xxhash64(key, 'noise'), 2) AS DOUBLE) AS label")

    found = Boosting({**SETTING, "trees": 300}, 7, "features").fit(noise)

    assert boosting.read_booster(found.booster).num_boosted_rounds() < 30


def test_reasons_are_exact_shapley_values_and_sum_to_the_score(rows: DataFrame, fitted: Boosted) -> None:
    """Against the definition, over all orders in which the features become known (Lundberg et al. 2020, alg. 1)."""
    model = portable(fitted)
    numbers = np.vstack(list(rows.limit(5).toPandas()["numbers"]))
    base, added = model.contributions(numbers)
    trees = [
        json.loads(text) for text in boosting.read_booster(fitted.booster).get_dump(with_stats=True, dump_format="json")
    ]

    def known(node: dict, row: np.ndarray, slots: frozenset[int]) -> float:
        if "leaf" in node:
            return float(node["leaf"])
        yes, no = node["children"] if node["children"][0]["nodeid"] == node["yes"] else node["children"][::-1]
        slot = int(node["split"][1:])
        if slot in slots:
            return known(yes if np.float32(row[slot]) < np.float32(node["split_condition"]) else no, row, slots)
        weights = [child["cover"] for child in (yes, no)]
        return (weights[0] * known(yes, row, slots) + weights[1] * known(no, row, slots)) / sum(weights)

    def all_known(row: np.ndarray, slots: frozenset[int]) -> float:
        return sum(known(tree, row, slots) for tree in trees)

    for place, row in enumerate(numbers):
        exact = np.zeros(3)
        for order in itertools.permutations(range(3)):
            for position, slot in enumerate(order):
                before = frozenset(order[:position])
                exact[slot] += (all_known(row, before | {slot}) - all_known(row, before)) / math.factorial(3)
        assert added[place] == pytest.approx([exact[0], exact[1] + exact[2]], abs=1e-4)
    assert base + added.sum(axis=1) == pytest.approx(model.raw_score(numbers), abs=1e-4)


def test_what_is_saved_scores_as_what_was_fitted(rows: DataFrame, fitted: Boosted) -> None:
    model = portable(fitted)
    again = from_dict(json.loads(json.dumps(model.to_dict())))
    said = with_prediction(rows, fitted, "xgboost").select("raw", "numbers").toPandas()
    numbers = np.vstack(list(said["numbers"]))

    assert again.probability(numbers) == pytest.approx(said["raw"].to_numpy(), abs=1e-12)


def test_without_the_package_that_is_one_line(fitted: Boosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)

    with pytest.raises(ConfigurationError, match=r"xgboost needs the package xgboost.*otklik\[boost\]"):
        portable(fitted).raw_score(np.zeros((1, 3)))
