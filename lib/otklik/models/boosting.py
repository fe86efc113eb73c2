"""Gradient boosting by xgboost as an MLlib stage: fitted in one task, applied on the executors.

xgboost.spark needs RDDs in barrier mode and a SparkContext, and its trees depend on the number of workers. Here one
task receives the rows ordered by their hash, so that the same rows give the same trees in any partitioning, also on
Spark Connect (docs/decisions/015).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyspark.ml import Estimator, Model
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from otklik.models.extras import library
from otklik.models.one_task import learn_in_one_task

Floats = npt.NDArray[np.float64]

#: Maximum number of rows, sampled by their hash: one task holds them with four bytes per number.
MOST_ROWS = 1_000_000
#: One unit in this many is held out for early stopping.
_HELD_OUT = 10
#: Rounds without a lower log loss on the held-out units, after which fitting stops.
_PATIENCE = 30


class Boosting(Estimator["Boosted"]):
    """Gradient-boosted trees for log-odds (Chen & Guestrin 2016), histogram method, with early stopping.

    A tenth of the units of the rows that it is fitted on is held out: rounds end when their log loss does not fall any
    more. Rows need row_hash, unit, label and the vector of features.
    """

    def __init__(self, setting: Mapping[str, Any], seed: int, features: str) -> None:
        """Of one setting: trees, max_depth, learning_rate."""
        super().__init__()
        self.setting, self.seed, self.features = dict(setting), seed, features

    def _fit(self, dataset: DataFrame) -> Boosted:
        columns = [
            F.col("label").cast("double").alias("label"),
            (F.pmod(F.xxhash64("unit", F.lit("early stopping")), F.lit(_HELD_OUT)) == 0).alias("is_held_out"),
            vector_to_array(F.col(self.features), "float32").alias("numbers"),
        ]
        setting, seed = self.setting, self.seed
        booster = learn_in_one_task(dataset, columns, MOST_ROWS, lambda rows: _learn(rows, setting, seed))
        return Boosted(booster, self.features)


class Boosted(Model):
    """Fitted trees, as xgboost writes them down; `prediction` is the log-odds."""

    def __init__(self, booster: bytes, features: str) -> None:
        """Of a booster's bytes and the vector column that it reads."""
        super().__init__()
        self.booster, self.features = booster, features

    def _transform(self, dataset: DataFrame) -> DataFrame:
        booster = self.booster

        def log_odds(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
            read = read_booster(booster)
            for batch in batches:
                numbers = np.vstack(list(batch)) if len(batch) else np.empty((0, read.num_features()))
                yield pd.Series(margins(read, numbers))

        said = pandas_udf(log_odds, "double")  # type: ignore[call-overload]
        return dataset.withColumn("prediction", said(vector_to_array(F.col(self.features), "float32")))


def read_booster(booster: bytes) -> Any:
    """Load a booster from bytes.

    Raises:
        ConfigurationError: if xgboost is not installed.
        ValueError: if the bytes are not a booster.
    """
    read = library("xgboost").Booster({"nthread": 1})
    read.load_model(bytearray(booster))
    return read


def margins(booster: Any, numbers: npt.NDArray[Any]) -> Floats:
    """Log-odds, (rows, slots) → (rows,)."""
    return np.asarray(booster.predict(_matrix(numbers), output_margin=True), np.float64)


def shares(booster: Any, numbers: npt.NDArray[Any]) -> Floats:
    """Exact Shapley values of the trees (Lundberg et al. 2020, TreeSHAP), (rows, slots) → (rows, slots + 1).

    The last column is the mean log-odds of the training rows; a row's values sum to its log-odds.
    """
    return np.asarray(booster.predict(_matrix(numbers), pred_contribs=True), np.float64)


def _matrix(numbers: npt.NDArray[Any], label: npt.NDArray[Any] | None = None) -> Any:
    return library("xgboost").DMatrix(np.asarray(numbers, np.float32), label=label, nthread=1)


def _learn(rows: pa.Table, setting: Mapping[str, Any], seed: int) -> bytes:
    xgboost = library("xgboost")
    numbers = rows["numbers"].combine_chunks().flatten().to_numpy().reshape(rows.num_rows, -1)
    label, is_held_out = (rows[name].to_numpy() for name in ("label", "is_held_out"))
    # One unit, or two: then there is nothing to hold out, and all rounds are made.
    stops = 0 < is_held_out.sum() < len(label)
    learns_from = ~is_held_out if stops else np.full(len(label), True)
    booster = xgboost.train(
        {
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "tree_method": "hist",
            "max_depth": setting["max_depth"],
            "learning_rate": setting["learning_rate"],
            "seed": seed,
            # The sums of several threads differ in their last bits.
            "nthread": 1,
        },
        _matrix(numbers[learns_from], label[learns_from]),
        num_boost_round=setting["trees"],
        evals=[(_matrix(numbers[is_held_out], label[is_held_out]), "held_out")] if stops else [],
        early_stopping_rounds=_PATIENCE if stops else None,
        verbose_eval=False,
    )
    if stops:
        booster = booster[: booster.best_iteration + 1]
    return bytes(booster.save_raw("ubj"))
