"""The models: estimators by name and setting, and their predictions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from pyspark.ml import Estimator, Model, Pipeline
from pyspark.ml.classification import (
    LinearSVC,
    LogisticRegression,
    MultilayerPerceptronClassifier,
    NaiveBayes,
)
from pyspark.ml.feature import StandardScaler
from pyspark.ml.functions import vector_to_array
from pyspark.ml.regression import DecisionTreeRegressor, RandomForestRegressor
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.models.boosting import Boosting
from otklik.models.sequence import SequenceNetwork
from otklik.task import (
    EVENTS,
    FIXED_WITH,
    TRIED_WITH,
    BoostSettings,
    ModelSettings,
    PerceptronSettings,
    SequenceSettings,
)

Setting = Mapping[str, Any]

MAJORITY = "majority"
TREES = ("decision_tree", "random_forest")
XGBOOST = "xgboost"
SEQUENCE = "sequence"
#: The models that are the project's own; all they say is log-odds.
NOT_OF_MLLIB = (XGBOOST, SEQUENCE)


def settings_to_try(
    model: str, values: ModelSettings | BoostSettings | PerceptronSettings | SequenceSettings
) -> tuple[Setting, ...]:
    """Every combination of a model's values, as plain data."""
    knobs = TRIED_WITH[model]
    fixed = {name: getattr(values, name) for name in FIXED_WITH[model] if name != EVENTS}
    return tuple(
        {**dict(zip(knobs, chosen, strict=True)), **fixed}
        for chosen in itertools.product(*(getattr(values, knob) for knob in knobs))
    )


def estimator(model: str, setting: Setting, seed: int, features: str, weight: str | None = None) -> Estimator[Any]:
    """The estimator of a model with one setting.

    Args:
        model: its name.
        setting: from `settings_to_try`.
        seed: of forests.
        features: the vector column.
        weight: the column of row weights, if rows are weighted; linear_svc and the challengers take none.
    """
    if model in _CHALLENGERS:
        challenger: Estimator[Any] = _CHALLENGERS[model](setting, seed, features)
        return challenger
    columns: dict[str, Any] = {"featuresCol": features, "labelCol": "label"}
    if weight is not None:
        columns["weightCol"] = weight
    if model == "logistic_regression":
        return LogisticRegression(
            **columns,
            regParam=setting["reg_param"],
            elasticNetParam=setting["elastic_net"],
            maxIter=setting["max_iter"],
            # Convergence far below the sixth decimal of a probability costs a third more iterations for nothing.
            tol=1e-6,
        )
    if model == "naive_bayes":
        return NaiveBayes(**columns, modelType="gaussian")
    # On 0 and 1 a regression tree is the classification tree whose leaves stay apart: docs/decisions/007.
    trees: dict[str, Any] = {
        "maxDepth": setting["max_depth"],
        "minInstancesPerNode": setting["min_leaf"],
        "maxBins": setting["max_bins"],
        "seed": seed,
        "maxMemoryInMB": 1024,
    }
    if model == "decision_tree":
        return DecisionTreeRegressor(**columns, **trees)
    return RandomForestRegressor(
        **columns,
        **trees,
        numTrees=setting["trees"],
        featureSubsetStrategy=setting["features_per_split"],
        # The same trees; of 100 with depth 10 in half the time (docs/performance.md), of 16 with depth 5 in the same. A
        # single tree takes longer by it.
        cacheNodeIds=True,
    )


class _Svc(Estimator[Model]):
    """MLlib's linear SVC with balanced class weights.

    The hinge loss depends only on the side of the line on which a row lies. If positives are rare, the best line leaves
    nearly all rows on the negative side, and their order is arbitrary: .65 to .74 AUC on bank_full, whatever the
    iterations and the penalty (.51 to .68 in scikit-learn); with balanced weights .76, in half the iterations.
    """

    def __init__(self, setting: Setting, _seed: int, features: str) -> None:
        super().__init__()
        self.setting, self.features = setting, features

    def _fit(self, dataset: DataFrame) -> Model:
        share = dataset.agg(F.avg("label")).collect()[0][0]
        balanced = dataset.withColumn("_weight", F.when(F.col("label") == 1, 0.5 / share).otherwise(0.5 / (1 - share)))
        svc = LinearSVC(
            featuresCol=self.features,
            labelCol="label",
            weightCol="_weight",
            regParam=self.setting["reg_param"],
            maxIter=self.setting["max_iter"],
        )
        fitted: Model = svc.fit(balanced)
        return fitted


class _Perceptron(Estimator[Model]):
    """MLlib's network with one hidden layer (sigmoid, softmax, L-BFGS) on standardised numbers."""

    def __init__(self, setting: Setting, seed: int, features: str) -> None:
        super().__init__()
        self.setting, self.seed, self.features = setting, seed, features

    def _fit(self, dataset: DataFrame) -> Model:
        inputs = dataset.schema[self.features].metadata["ml_attr"]["num_attrs"]
        scaler = StandardScaler(inputCol=self.features, outputCol="_standardised", withMean=True)
        network = MultilayerPerceptronClassifier(
            featuresCol="_standardised",
            labelCol="label",
            layers=[inputs, self.setting["hidden"], 2],
            maxIter=self.setting["max_iter"],
            seed=self.seed,
        )
        return Pipeline(stages=[scaler, network]).fit(dataset)


_CHALLENGERS: Mapping[str, Any] = {
    "linear_svc": _Svc,
    XGBOOST: Boosting,
    "perceptron": _Perceptron,
    SEQUENCE: SequenceNetwork,
}


def with_prediction(rows: DataFrame, fitted: Model, model: str) -> DataFrame:
    """Add margin DOUBLE and raw DOUBLE (the model's own probability of yes; null for linear_svc)."""
    return fitted.transform(rows).withColumns({"margin": _margin(model), "raw": _probability(model)})


def _probability(model: str) -> Column:
    if model == "linear_svc":
        return F.lit(None).cast("double")
    if model in NOT_OF_MLLIB:
        return F.lit(1.0) / (F.lit(1.0) + F.exp(-F.col("prediction")))
    return F.col("prediction") if model in TREES else vector_to_array(F.col("probability"))[1]


def _margin(model: str) -> Column:
    if model in TREES or model in NOT_OF_MLLIB:
        return F.col("prediction")
    raw = vector_to_array(F.col("rawPrediction"))
    return raw[1] - raw[0] if model in ("naive_bayes", "perceptron") else raw[1]
