import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.regression import DecisionTreeRegressor, RandomForestRegressor
from pyspark.sql import DataFrame, SparkSession

from otklik.errors import DamagedError
from otklik.models.bootstrap import Floats
from otklik.models.evaluate import auc
from otklik.models.portable import (
    LinearModel,
    PortableModel,
    Slots,
    TreeModel,
    from_dict,
    from_logistic,
    from_spark_trees,
    partial_dependence,
    permutation_importance,
    top_reasons,
    value_text,
)
from otklik.models.zoo import with_prediction

SLOTS = Slots(names=("age", "job=cook", "job=smith", "visits"), sources=("age", "job", "job", "visits"))


@pytest.fixture(scope="module")
def features() -> Floats:
    random = np.random.default_rng(5)
    job = random.integers(0, 3, 300)
    return np.stack([random.integers(18, 80, 300), job == 0, job == 1, random.exponential(2, 300)], axis=1).astype(
        float
    )


@pytest.fixture(scope="module")
def label(features: Floats) -> Floats:
    pull = features @ np.array([0.03, 1.0, -0.5, 0.6]) - 2.5
    return (np.random.default_rng(6).random(len(features)) < 1 / (1 + np.exp(-pull))).astype(float)


@pytest.fixture(scope="module")
def rows(spark: SparkSession, features: Floats, label: Floats) -> DataFrame:
    names = [f"x{i}" for i in range(4)]
    frame = pd.DataFrame(features, columns=names).assign(row=range(len(features)), label=label)
    assembled = VectorAssembler(inputCols=names, outputCol="features").transform(spark.createDataFrame(frame))
    return assembled.select("row", "label", "features").coalesce(1).sortWithinPartitions("row").cache()


def mllib_probability(fitted: Any, rows: DataFrame, model: str) -> Floats:
    scored = with_prediction(rows, fitted, model).select("row", "raw").toPandas()
    return scored.sort_values("row")["raw"].to_numpy()


def nodes_of(model: Any, folder: Path, spark: SparkSession) -> pd.DataFrame:
    model.write().overwrite().save(str(folder))
    return spark.read.parquet(str(folder / "data")).toPandas()


def assert_adds_up(model: PortableModel, features: Floats) -> None:
    base, contributions = model.contributions(features)
    assert contributions.shape == (len(features), 3)
    assert base + contributions.sum(axis=1) == pytest.approx(model.raw_score(features), abs=1e-12)


def assert_survives_json(model: PortableModel, features: Floats) -> None:
    text = json.dumps(model.to_dict())
    again = from_dict(json.loads(text))
    assert json.dumps(again.to_dict()) == text
    assert np.array_equal(again.probability(features), model.probability(features))


def test_logistic_regression_is_mllibs(rows: DataFrame, features: Floats) -> None:
    fitted = LogisticRegression(regParam=0.01, elasticNetParam=0.5).fit(rows)
    model = from_logistic(SLOTS, fitted.coefficients.toArray(), fitted.intercept, features.mean(axis=0))
    assert model.probability(features) == pytest.approx(
        mllib_probability(fitted, rows, "logistic_regression"), abs=1e-12
    )
    assert_adds_up(model, features)
    assert_survives_json(model, features)


def test_a_tree_is_mllibs(rows: DataFrame, features: Floats, tmp_path: Path, spark: SparkSession) -> None:
    fitted = DecisionTreeRegressor(maxDepth=6, seed=1).fit(rows)
    model = from_spark_trees(SLOTS, nodes_of(fitted, tmp_path / "tree", spark))
    assert model.probability(features) == pytest.approx(mllib_probability(fitted, rows, "decision_tree"), abs=1e-12)
    assert_adds_up(model, features)
    assert_survives_json(model, features)


def test_a_forest_is_mllibs(rows: DataFrame, features: Floats, tmp_path: Path, spark: SparkSession) -> None:
    fitted = RandomForestRegressor(numTrees=7, maxDepth=5, seed=1).fit(rows)
    nodes = nodes_of(fitted, tmp_path / "forest", spark)
    model = from_spark_trees(SLOTS, nodes.sample(frac=1, random_state=0))
    assert len(model.roots) == 7
    assert model.probability(features) == pytest.approx(mllib_probability(fitted, rows, "random_forest"), abs=1e-12)
    assert_adds_up(model, features)
    assert_survives_json(model, features)


def test_a_tree_without_a_question_is_its_rate(
    rows: DataFrame, features: Floats, tmp_path: Path, spark: SparkSession
) -> None:
    fitted = DecisionTreeRegressor(maxDepth=0).fit(rows)
    model = from_spark_trees(SLOTS, nodes_of(fitted, tmp_path / "stump", spark))
    assert model.probability(features) == pytest.approx(mllib_probability(fitted, rows, "decision_tree"), abs=1e-12)
    assert_adds_up(model, features)


def small_tree() -> TreeModel:
    """visits ≤ 2? no → .8; yes → cook? no → .2, yes → .5; at the root .5."""
    return TreeModel(
        SLOTS,
        roots=np.array([0]),
        slot=np.array([3, 1, -1, -1, -1]),
        threshold=np.array([2.0, 0.5, 0.0, 0.0, 0.0]),
        left=np.array([1, 2, 2, 3, 4]),
        right=np.array([4, 3, 2, 3, 4]),
        yes_share=np.array([0.5, 0.3, 0.2, 0.5, 0.8]),
    )


def test_contributions_of_a_tree_by_hand() -> None:
    base, contributions = small_tree().contributions(np.array([[40.0, 1, 0, 2], [40.0, 0, 1, 2.001]]))
    assert base == 0.5
    assert contributions == pytest.approx(np.array([[0, 0.2, -0.2], [0, 0, 0.3]]))


def test_contributions_of_a_line_add_dummies_up() -> None:
    model = from_logistic(SLOTS, np.array([0.1, 1.0, -1.0, 0.0]), -3.0, np.array([40.0, 0.3, 0.3, 1.0]))
    base, contributions = model.contributions(np.array([[50.0, 1, 0, 9]]))
    assert base == pytest.approx(1.0)
    assert contributions == pytest.approx(np.array([[1.0, 0.7 + 0.3, 0.0]]))


def test_reasons_are_the_strongest_and_ties_go_by_name() -> None:
    contributions = np.array([[0.1, -0.5, 0.1 + 1e-15], [0.0, 0.0, -0.2]])
    values = pd.DataFrame({"zeal": [1.0, 2.5], "job": ["cook", None], "age": [30, 31]})
    reasons, other = top_reasons(["zeal", "job", "age"], contributions, values, 2)
    assert reasons[0] == [("job", "cook", -0.5), ("age", "30", pytest.approx(0.1))]
    assert reasons[1] == [("age", "31", -0.2)]
    assert other == pytest.approx([0.1, 0.0])
    kept = [sum(part for *_, part in of_row) for of_row in reasons]
    assert kept + other == pytest.approx(contributions.sum(axis=1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (7, "7"),
        (0.1 + 0.2, "0.3"),
        (0.029_825_8, "0.0298258"),
        (2e-5, "0.00002"),
        (1_010_427.3, "1010427"),
        (np.float64(1e7), "10000000"),
        ("да", "да"),
        (True, "True"),
    ],
)
def test_values_as_text(value: Any, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize("value", [None, float("nan"), pd.NaT, pd.NA])
def test_missing_values_have_no_text(value: Any) -> None:
    assert value_text(value) is None


def test_permutation_importance_follows_keys(features: Floats, label: Floats) -> None:
    model = LinearModel(SLOTS, np.array([0.03, 1.0, -0.5, 0.6]), -2.5, features.mean(axis=0))
    keys = np.array([f"k{i}" for i in range(len(features))], dtype=object)
    settings: dict[str, Any] = {"salt": "permutation", "repeats": 3}
    found = permutation_importance(
        model.probability, features, SLOTS, metric=lambda p: auc(label, p), keys=keys, **settings
    ).set_index("feature")
    assert found.index.tolist() == ["age", "job", "visits"]
    assert found.loc["visits", "value"] > found.loc["job", "value"] > 0
    assert (found["low"] <= found["value"]).all()
    order = np.random.default_rng(0).permutation(len(keys))
    again = permutation_importance(
        model.probability, features[order], SLOTS, metric=lambda p: auc(label[order], p), keys=keys[order], **settings
    )
    assert again.set_index("feature").to_numpy() == pytest.approx(found.to_numpy(), abs=1e-12)


def test_an_unused_column_has_no_importance(features: Floats, label: Floats) -> None:
    found = permutation_importance(
        small_tree().probability,
        features,
        SLOTS,
        metric=lambda p: auc(label, p),
        keys=np.arange(300),
        salt="s",
        repeats=1,
    )
    assert found.set_index("feature").loc["age", "value"] == 0


def test_permutation_needs_keys_and_a_metric(features: Floats) -> None:
    predict = small_tree().probability
    with pytest.raises(ValueError, match="same key"):
        permutation_importance(predict, features, SLOTS, metric=np.mean, keys=np.zeros(300), salt="s")
    with pytest.raises(ValueError, match="does not exist"):
        permutation_importance(predict, features, SLOTS, metric=lambda p: None, keys=np.arange(300), salt="s")


def test_partial_dependence_sets_all_slots_of_a_column() -> None:
    features = np.array([[40.0, 1, 0, 2], [40.0, 0, 1, 2]])
    assert partial_dependence(
        small_tree().probability, features, [{1: 1, 2: 0}, {1: 0, 2: 1}, {3: 5}]
    ) == pytest.approx([0.5, 0.2, 0.8])


@pytest.mark.parametrize(
    "changes",
    [
        {"left": [0, 2, 2, 3, 4]},
        {"right": [9, 3, 2, 3, 4]},
        {"slot": [4, 1, -1, -1, -1]},
        {"yes_share": [0.5]},
        {"yes_share": [0.5, 0.3, 0.2, 0.5, 1.8]},
        {"threshold": [float("nan"), 0.5, 0, 0, 0]},
        {"roots": []},
        {"roots": "x"},
        {"sources": ["age"]},
    ],
)
def test_a_damaged_tree_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DamagedError, match="model"):
        from_dict({**small_tree().to_dict(), **changes})


def test_a_damaged_line_is_refused() -> None:
    values = LinearModel(SLOTS, np.ones(4), 0.0, np.zeros(4)).to_dict()
    for changes in ({"means": [0.0]}, {"intercept": None}, {"coefficients": [1, 1, 1, float("inf")]}):
        with pytest.raises(DamagedError, match="model"):
            from_dict({**values, **changes})
    with pytest.raises(DamagedError):
        from_dict({})
