"""Final models: which metric chooses them, their explanations, their calibrator, and their portable form."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.steps.test_train import task_with

from otklik.errors import DamagedError, RefusedError
from otklik.models.choice import choose
from otklik.models.final import _calibrator, _permutation, fit_final_models, require_same_answers, values_of
from otklik.models.portable import LinearModel, Slots
from otklik.models.training import WITHOUT, Labelled, Predicted


def test_a_champion_cannot_be_chosen_by_pairs_that_the_deciding_rows_do_not_have() -> None:
    task = task_with(champion__metric="auc_within")
    rows = np.arange(4)
    # Two rows share a moment; the first of them is not among those that models are chosen by.
    labelled = Labelled(rows, np.array([1, 1, 2, 3]), rows.astype(str), rows % 2)
    inner = Predicted(rows[1:], np.zeros(3), None)
    results: Any = [
        SimpleNamespace(
            candidate=SimpleNamespace(model=model),
            plan=SimpleNamespace(split="time"),
            inner=SimpleNamespace(by_fit=lambda: [inner]),
        )
        for model in task.champion.candidates
    ]
    values = values_of(task, labelled, results)
    training: Any = SimpleNamespace(
        judged={"without": results}, labelled=labelled, values=values, chosen=choose(values)
    )
    executor: Any = None

    with pytest.raises(RefusedError, match=r"champion\.metric auc_within is not available on the rows"):
        fit_final_models(task, training, executor, saved_to="", temporary="", only_chosen=False)


def training_of(spark: SparkSession, label: npt.NDArray[np.int64], calibration: str = "platt") -> Any:
    """What final models are made from, of rows whose one feature is their label."""
    rows = spark.createDataFrame(
        [(str(n), n, int(answer), [float(answer)]) for n, answer in enumerate(label)],
        "key STRING, as_of LONG, label INT, numbers ARRAY<DOUBLE>",
    )
    vectors = rows.select("*", F.col("as_of").alias("row_hash"), array_to_vector(F.col("numbers")).alias(WITHOUT))
    fold = SimpleNamespace(number=0, outer=SimpleNamespace(predicts=F.lit(True)))
    result = SimpleNamespace(
        candidate=SimpleNamespace(model="logistic_regression", vector=WITHOUT, scale="log_odds"),
        plan=SimpleNamespace(split="random", folds=[fold]),
        tested=SimpleNamespace(places=np.arange(len(label)), margin=2.0 * label - 1),
        fold=np.zeros(len(label), dtype=np.int64),
        calibrators={0: SimpleNamespace(method=calibration)},
    )
    slots = [SimpleNamespace(name="age", source="age")]
    return SimpleNamespace(
        judged={"without": [result]},
        preparations={"random": SimpleNamespace(only=lambda with_leaks, in_order: slots)},
        prepared={"random": vectors},
        labelled=SimpleNamespace(label=label),
    )


FINAL_MODELS: Any = SimpleNamespace(
    chosen="logistic_regression",
    past=None,
    folds={0: SimpleNamespace(probability=lambda numbers: numbers[:, 0])},
)
PERMUTED: Any = SimpleNamespace(splits=SimpleNamespace(permutation_salt="permutation"))


def test_a_rare_answer_is_in_the_sample_on_which_models_are_explained(spark: SparkSession) -> None:
    label = (np.arange(20_000) < 3).astype(np.int64)

    found = _permutation(PERMUTED, training_of(spark, label), FINAL_MODELS)

    assert found["feature"].tolist() == ["age"]
    assert 0.3 < found["value"].item() <= 0.51


def test_where_only_one_answer_was_seen_nothing_is_explained(spark: SparkSession) -> None:
    found = _permutation(PERMUTED, training_of(spark, np.zeros(30, dtype=np.int64)), FINAL_MODELS)

    assert found.columns.tolist() == ["feature", "value", "low", "high"]
    assert found.empty


def test_the_serving_calibrator_is_of_the_declared_kind_whatever_the_folds_had(spark: SparkSession) -> None:
    training = training_of(spark, np.arange(60) % 2, calibration="identity")

    assert _calibrator(training, FINAL_MODELS, "isotonic").method == "isotonic"
    assert _calibrator(training, FINAL_MODELS, "platt").method == "platt"


def test_a_model_that_would_score_otherwise_than_it_was_judged_is_no_champion(spark: SparkSession) -> None:
    half = LinearModel(Slots(("age",), ("age",)), np.array([0.0]), 0.0, np.array([0.0]))
    said = "raw DOUBLE, numbers ARRAY<DOUBLE>"

    require_same_answers(spark.createDataFrame([(0.5, [7.0]), (0.5, [8.0])], said), half)
    for other in (0.6, math.nan):
        with pytest.raises(DamagedError, match="differs from the fitted one"):
            require_same_answers(spark.createDataFrame([(0.5, [7.0]), (other, [8.0])], said), half)
