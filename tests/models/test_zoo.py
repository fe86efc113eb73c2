import pytest
from pyspark.sql import SparkSession

from otklik.models.prepare import Feature, Rules, fit_preparation, with_vectors
from otklik.models.zoo import TREES, estimator, settings_to_try, with_prediction
from otklik.task import ModelSettings

EVERYTHING = Rules(0.0, 50, 1.0, (), frozenset(), frozenset(), {})


@pytest.mark.parametrize("model", TREES)
def test_leaves_that_answer_no_keep_their_own_probabilities(spark: SparkSession, model: str) -> None:
    """5 % and 20 % are both "no", and far from the same thing."""
    answers = [(0.0, float(n < 10)) for n in range(200)] + [(1.0, float(n < 40)) for n in range(200)]
    rows = spark.createDataFrame(
        [(f"{n}", *row) for n, row in enumerate(answers)], "key string, x double, label double"
    )
    preparation = fit_preparation(
        rows.selectExpr("*", "TIMESTAMP'2025-01-01' AS as_of"), [Feature("x", "number", False)], EVERYTHING
    )
    setting = settings_to_try(model, ModelSettings(max_depth=[2], min_leaf=[10], trees=[5]))[0]
    laid = with_vectors(rows, {"features": preparation.slots}).coalesce(1)
    fitted = estimator(model, setting, 7, "features").fit(laid)
    said = {(row.x, row.raw) for row in with_prediction(laid, fitted, model).select("x", "raw").distinct().collect()}
    of = dict(said)
    assert len(said) == 2
    assert of[0.0] == pytest.approx(0.05, abs=0.03)
    assert of[1.0] == pytest.approx(0.20, abs=0.06)
