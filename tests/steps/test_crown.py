"""When a new model takes the champion's place."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import SparkSession

from otklik.errors import DamagedError
from otklik.models.portable import LinearModel, Slots
from otklik.steps.crown import require_same_answers, serves_from_now_on
from otklik.task import Champion


@pytest.mark.parametrize(
    ("value", "margin", "serves"),
    [(0.73, 0.02, True), (0.71, 0.02, False), (0.7, 0.0, False), (0.69, 0.0, False), (0.701, 0.0, True)],
)
def test_a_new_model_serves_only_where_it_is_better_by_the_margin(value: float, margin: float, serves: bool) -> None:
    found, reason = serves_from_now_on(Champion(margin=margin), value, {"metric": "auc", "value": 0.7})

    assert found == serves
    assert reason.startswith(
        "better than the champion by 0.0" if serves else f"not better than the champion by {margin}"
    )


def test_without_a_champion_to_compare_with_the_new_model_serves() -> None:
    assert serves_from_now_on(Champion(), 0.4, None) == (True, "no sound champion before it")
    assert serves_from_now_on(Champion(metric="log_loss"), -0.4, {"metric": "auc", "value": 0.7}) == (
        True,
        "the champion was judged by auc",
    )


def test_a_model_that_would_score_otherwise_than_it_was_judged_is_no_champion(spark: SparkSession) -> None:
    half = LinearModel(Slots(("age",), ("age",)), np.array([0.0]), 0.0, np.array([0.0]))
    numbers = np.array([[7.0], [8.0]])
    said = "row_hash BIGINT, raw DOUBLE"

    require_same_answers(spark.createDataFrame([(1, 0.5), (2, 0.5)], said), half, numbers)
    with pytest.raises(DamagedError, match="differs from MLlib"):
        require_same_answers(spark.createDataFrame([(1, 0.5), (2, 0.6)], said), half, numbers)
