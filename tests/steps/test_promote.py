"""When a new model takes the champion's place."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyspark
import pytest
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.bench import job_on
from tests.steps.test_train import task_with

from otklik.errors import DamagedError, RefusedError
from otklik.lake.folder import Folder
from otklik.lake.store import Lake
from otklik.models.choice import choose
from otklik.models.portable import LinearModel, Slots
from otklik.models.training import WITHOUT, Labelled, Predicted
from otklik.steps import promote
from otklik.steps.promote import (
    _calibrator,
    _finals,
    _free_folder,
    _permutation,
    library_version,
    require_same_answers,
    serves_from_now_on,
    values_of,
)
from otklik.task import ChampionSettings


@pytest.mark.parametrize(
    ("value", "margin", "serves"),
    [(0.73, 0.02, True), (0.71, 0.02, False), (0.7, 0.0, False), (0.69, 0.0, False), (0.701, 0.0, True)],
)
def test_a_new_model_serves_only_where_it_is_better_by_the_margin(value: float, margin: float, serves: bool) -> None:
    found, reason = serves_from_now_on(ChampionSettings(margin=margin), value, {"metric": "auc", "value": 0.7})

    assert found == serves
    assert reason.startswith(
        "better than the champion by 0.0" if serves else f"not better than the champion by {margin}"
    )


@pytest.mark.parametrize(("value", "serves"), [(0.37, True), (0.41, False), (0.43, False)])
def test_of_log_loss_less_is_better(value: float, serves: bool) -> None:
    settings = ChampionSettings(metric="log_loss", margin=0.02)

    assert serves_from_now_on(settings, value, {"metric": "log_loss", "value": 0.42})[0] == serves


def test_a_library_that_the_cluster_brings_has_no_package_that_says_its_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_package(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(promote, "installed_version", no_package)

    assert library_version("pyspark") == pyspark.__version__
    assert library_version("delta-spark") == "the cluster's own"


def test_without_a_champion_to_compare_with_the_new_model_serves() -> None:
    assert serves_from_now_on(ChampionSettings(), 0.4, None) == (True, "there was no champion to beat")
    assert serves_from_now_on(ChampionSettings(metric="log_loss"), 0.4, {"metric": "auc", "value": 0.7}) == (
        True,
        "the champion was judged by auc",
    )


def test_a_champion_cannot_be_chosen_by_pairs_that_the_deciding_rows_do_not_have() -> None:
    task = task_with(champion__metric="auc_within")
    rows = np.arange(4)
    # Two rows share a moment; the first of them is not among those that models are chosen by.
    labelled = Labelled(rows, np.array([1, 1, 2, 3]), rows.astype(str), rows % 2)
    inner = Predicted(rows[1:], np.zeros(3), None)
    judgements: Any = [
        SimpleNamespace(
            candidate=SimpleNamespace(model=model),
            plan=SimpleNamespace(split="time"),
            inner=SimpleNamespace(by_fit=lambda: [inner]),
        )
        for model in task.champion.candidates
    ]
    values = values_of(task, labelled, judgements)
    training: Any = SimpleNamespace(
        judged={"without": judgements}, labelled=labelled, values=values, chosen=choose(values)
    )
    job: Any = SimpleNamespace(lake=SimpleNamespace(spark=None))
    question: Any = SimpleNamespace(task=task)
    executor: Any = None

    with pytest.raises(RefusedError, match=r"champion\.metric auc_within is not available on the rows"):
        _finals(job, question, training, "models/marketing_campaign/0123", executor)


def contest_of(spark: SparkSession, label: npt.NDArray[np.int64], calibration: str = "platt") -> Any:
    """What the end of a training looks at, of rows whose one feature is their label."""
    rows = spark.createDataFrame(
        [(str(n), n, int(answer), [float(answer)]) for n, answer in enumerate(label)],
        "key STRING, as_of LONG, label INT, numbers ARRAY<DOUBLE>",
    )
    vectors = rows.select("*", F.col("as_of").alias("row_hash"), array_to_vector(F.col("numbers")).alias(WITHOUT))
    fold = SimpleNamespace(number=0, outer=SimpleNamespace(predicts=F.lit(True)))
    judgement = SimpleNamespace(
        candidate=SimpleNamespace(model="logistic_regression", vector=WITHOUT, scale="log_odds"),
        plan=SimpleNamespace(split="random", folds=[fold]),
        tested=SimpleNamespace(places=np.arange(len(label)), margin=2.0 * label - 1),
        fold=np.zeros(len(label), dtype=np.int64),
        calibrators={0: SimpleNamespace(method=calibration)},
    )
    slots = [SimpleNamespace(name="age", source="age")]
    return SimpleNamespace(
        judged={"without": [judgement]},
        preparations={"random": SimpleNamespace(only=lambda with_leaks, in_order: slots)},
        prepared={"random": vectors},
        labelled=SimpleNamespace(label=label),
    )


FINALS: Any = SimpleNamespace(
    chosen="logistic_regression",
    past=None,
    folds={0: SimpleNamespace(probability=lambda numbers: numbers[:, 0])},
)
QUESTION: Any = SimpleNamespace(task=SimpleNamespace(splits=SimpleNamespace(permutation_salt="permutation")))


def test_a_rare_answer_is_in_the_sample_on_which_models_are_explained(spark: SparkSession) -> None:
    label = (np.arange(20_000) < 3).astype(np.int64)

    found = _permutation(QUESTION, contest_of(spark, label), FINALS)

    assert found["feature"].tolist() == ["age"]
    assert 0.3 < found["value"].item() <= 0.51


def test_where_only_one_answer_was_seen_nothing_is_explained(spark: SparkSession) -> None:
    found = _permutation(QUESTION, contest_of(spark, np.zeros(30, dtype=np.int64)), FINALS)

    assert found.columns.tolist() == ["feature", "value", "low", "high"]
    assert found.empty


def test_the_serving_calibrator_is_of_the_declared_kind_whatever_the_folds_had(spark: SparkSession) -> None:
    training = contest_of(spark, np.arange(60) % 2, calibration="identity")

    assert _calibrator(training, FINALS, "isotonic").method == "isotonic"
    assert _calibrator(training, FINALS, "platt").method == "platt"


def test_what_a_killed_training_left_is_not_taken_for_the_new_model(lake: Lake, tmp_path: Path) -> None:
    question = SimpleNamespace(task=SimpleNamespace(name="calls"), run_ids={"train": "0123"})
    left = Folder(lake.folder("models", "calls", "0123"))
    left.write("manifest.json.partial", b"{")

    job = job_on(lake, tmp_path)

    # Where others may write at once, it may be the one that another training is writing.
    assert _free_folder(replace(job, is_alone=False), question) == ("models/calls/0123-2", [])  # type: ignore[arg-type]
    assert left.exists()

    assert _free_folder(replace(job, is_alone=True), question) == ("models/calls/0123", [])  # type: ignore[arg-type]
    assert not left.exists()


def test_a_model_that_would_score_otherwise_than_it_was_judged_is_no_champion(spark: SparkSession) -> None:
    half = LinearModel(Slots(("age",), ("age",)), np.array([0.0]), 0.0, np.array([0.0]))
    said = "raw DOUBLE, numbers ARRAY<DOUBLE>"

    require_same_answers(spark.createDataFrame([(0.5, [7.0]), (0.5, [8.0])], said), half)
    for other in (0.6, math.nan):
        with pytest.raises(DamagedError, match="differs from the fitted one"):
            require_same_answers(spark.createDataFrame([(0.5, [7.0]), (other, [8.0])], said), half)
