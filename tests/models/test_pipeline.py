"""Loading a model runs no class that its folder names."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from otklik.models.pipeline import champion_pipeline


@pytest.fixture(scope="module")
def saved(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A logistic regression as MLlib saves it, whose metadata say that it is of another class."""
    folder = tmp_path_factory.mktemp("models") / "model"
    rows = spark.range(10).select(
        F.col("id").cast("double").alias("label") % 2,
        array_to_vector(F.array(F.col("id").cast("double"))).alias("features"),
    )
    LogisticRegression(maxIter=1, labelCol=rows.columns[0]).fit(rows).save(str(folder))
    [metadata] = (folder / "metadata").glob("part-*")
    named = json.loads(metadata.read_text(encoding="utf-8"))
    assert named["class"] == "org.apache.spark.ml.classification.LogisticRegressionModel"
    metadata.write_text(json.dumps({**named, "class": "org.apache.spark.ml.PipelineModel"}) + "\n", encoding="utf-8")
    (metadata.parent / f".{metadata.name}.crc").unlink()
    return folder


def loaded(spark: SparkSession, saved: Path, model: str) -> None:
    serving: Any = SimpleNamespace(model=model)
    champion_pipeline(serving, str(saved), spark.range(1))


def test_a_class_that_the_folder_names_is_not_run(spark: SparkSession, saved: Path) -> None:
    with pytest.raises(
        PySparkException, match=r"Expected class name .*LogisticRegressionModel but found .*PipelineModel"
    ):
        loaded(spark, saved, "logistic_regression")


def test_a_kind_of_model_that_is_not_on_the_list_is_not_loaded(spark: SparkSession, saved: Path) -> None:
    with pytest.raises(KeyError):
        loaded(spark, saved, "org.apache.spark.ml.PipelineModel")
