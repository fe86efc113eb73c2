"""Spark as a tutorial has it: a schema guessed from the file, each model a pipeline of its own over raw rows.

Its trees are MLlib's classifiers. They throw leaves together that answer alike, so that where yes is rare most
probabilities are one, and the gate may not let them pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.ml import Pipeline
from pyspark.ml.classification import DecisionTreeClassifier, LinearSVC, NaiveBayes, RandomForestClassifier
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scripts.benchmarks.contenders.bare_spark import as_numbers, logistic, preparation, tree_settings, yes
from scripts.benchmarks.inputs import columns
from scripts.benchmarks.work import (
    FOREST,
    SMALL_FOREST,
    SMALL_TREE,
    TREE,
    Case,
    Outcome,
    Repetition,
    Work,
    said,
)


def train(work: Work) -> Repetition:
    """Two pipelines; each prepares the rows itself and reads the file for every stage that is fitted."""
    return lambda _: _trained(work, {"logistic_regression": logistic(), "decision_tree": _tree(TREE)})


def forest(work: Work) -> Repetition:
    """The same with a random forest alone."""
    return lambda _: _trained(work, {"random_forest": _forest(FOREST)})


def pipeline(work: Work) -> Repetition:
    """From the file to scores: five models on one split, the best one predicts all rows.

    Rows of a customer that comes twice are dropped at random but one. No folds, no calibration, no reasons, no report.
    """

    def once(out: Path) -> Outcome:
        outcome = Outcome()
        with outcome.part("ingest"):
            guessed = work.spark.read.csv(str(work.inputs["file"]), sep=";", header=True, inferSchema=True)
            guessed.dropDuplicates(["customer_id"]).write.format("delta").save(str(out / "rows"))
            rows = work.spark.read.format("delta").load(str(out / "rows"))
        with outcome.part("features"):
            number = F.substring("customer_id", 2, 9).cast("bigint")
            typed = rows.withColumns({name: F.col(name).cast("double") for name in columns.NUMBERS})
            named = typed.withColumns(
                {"label": (F.col("y") == "yes").cast("double"), "is_held_out": number % columns.HELD_OUT_EVERY == 0}
            )
        models = {
            "logistic_regression": logistic(),
            "decision_tree": _tree(SMALL_TREE),
            "random_forest": _forest(SMALL_FOREST),
            "naive_bayes": NaiveBayes(modelType="gaussian"),
            "linear_svc": LinearSVC(regParam=0.01, maxIter=50),
        }
        with outcome.part("train"):
            fitted = {name: _fitted(outcome, named, name, model) for name, model in models.items()}
        with outcome.part("score"):
            scores = fitted["logistic_regression"].transform(named).select("customer_id", yes().alias("probability"))
            scores.write.format("delta").save(str(out / "scores"))
        return outcome

    return once


CASES: dict[str, Case] = {"train": train, "forest": forest, "pipeline": pipeline}


def _trained(work: Work, models: dict[str, Any]) -> Outcome:
    outcome = Outcome()
    rows = as_numbers(work.spark.read.parquet(str(work.inputs["rows"])))
    for name, model in models.items():
        with outcome.part(name):
            _fitted(outcome, rows, name, model)
    return outcome


def _fitted(outcome: Outcome, rows: DataFrame, name: str, model: Any) -> Any:
    fitted = Pipeline(stages=[*preparation(), model]).fit(rows.where("NOT is_held_out"))
    judged = fitted.transform(rows.where("is_held_out")).select("label", _score(name).alias("score")).toPandas()
    outcome.said[name] = said(judged["label"], judged["score"])
    return fitted


def _tree(setting: dict[str, int]) -> Any:
    return DecisionTreeClassifier(**tree_settings(setting))


def _forest(setting: dict[str, int]) -> Any:
    return RandomForestClassifier(numTrees=setting["trees"], **tree_settings(setting))


def _score(name: str) -> Column:
    return vector_to_array(F.col("rawPrediction"))[1] if name == "linear_svc" else yes()
