"""The champion as one MLlib pipeline, to be loaded without Otklik: named features in, probability out.

Stock stages only: SQLTransformer turns features into numbers, VectorAssembler makes the vector, then MLlib's model, and
SQLTransformer turns its score into the calibrated probability, as `otklik score` does for a row without a label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from pyspark.ml import Model, Pipeline
from pyspark.ml.classification import LogisticRegressionModel
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.ml.regression import DecisionTreeRegressionModel, RandomForestRegressionModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from otklik.models.drift import Bins
from otklik.models.registry import ServingModel
from otklik.models.zoo import TREES

#: The classes that a champion may be of; a folder never names one itself.
_CLASSES: Mapping[str, Any] = {
    "logistic_regression": LogisticRegressionModel,
    "decision_tree": DecisionTreeRegressionModel,
    "random_forest": RandomForestRegressionModel,
}
#: SQL cannot look into a vector, but into its JSON; doubles come out of it to the last bit.
_LOG_ODDS = "CAST(get_json_object(to_json(struct(rawPrediction)), '$.rawPrediction.values[1]') AS DOUBLE)"


def champion_pipeline(serving: ServingModel, folder: str, rows: DataFrame) -> Model:
    """The pipeline of a model whose folder has been verified.

    Args:
        serving: the model.
        folder: where its MLlib form is saved.
        rows: any rows with its features; nothing is fitted to them.

    Returns:
        The pipeline; it adds prediction DOUBLE, the calibrated probability, to rows with the champion's source columns.
    """
    fitted = _CLASSES[serving.model].load(folder)
    slots = serving.slots
    names = [f"_slot_{number}" for number in range(len(slots))]
    numbers = ", ".join(f"{slot.expression} AS {name}" for slot, name in zip(slots, names, strict=True))
    vector = fitted.getFeaturesCol()
    score = "prediction" if serving.model in TREES else _LOG_ODDS
    between = [*names, vector, "prediction"]
    if serving.model not in TREES:
        between += ["rawPrediction", "probability"]
    columns = ", ".join(f"`{name}`" for name in between)
    stages = Pipeline(
        stages=[
            SQLTransformer(statement=f"SELECT *, {numbers} FROM __THIS__"),
            VectorAssembler(inputCols=names, outputCol=vector),
            fitted,
            SQLTransformer(statement=f"SELECT * EXCEPT ({columns}), {score} AS _score FROM __THIS__"),
            SQLTransformer(
                statement=f"SELECT * EXCEPT (_score), {serving.calibrator.sql('_score')} AS prediction FROM __THIS__"
            ),
        ]
    )
    return stages.fit(rows)


def typical_row(spark: SparkSession, serving: ServingModel, schema: StructType) -> DataFrame:
    """A row of the most frequent levels and the median numbers in training: an example that belongs to nobody.

    Args:
        spark: the session.
        serving: the model, which knows how often each value was met.
        schema: of the feature table.

    Returns:
        One row of the champion's source columns, with the types of the feature table.
    """
    bins = {each.feature: each for each in serving.bins}
    types = {field.name: field.dataType for field in schema}

    def example(name: str) -> Column:
        value = F.lit(_usual(bins[name], serving.expected[name]))
        # The task may have dropped the feature since.
        return (value.cast(types[name]) if name in types else value).alias(name)

    return spark.range(1).select(*(example(name) for name in serving.champion.slots.columns))


def _usual(bins: Bins, counts: Sequence[int]) -> str | float:
    """The commonest level of a name; of a number the end of the bin in which half of the rows are reached."""
    if bins.levels is None:
        known = counts[:-1]
        place = next(p for p, so_far in enumerate(accumulate(known)) if 2 * so_far >= sum(known))
        return bins.edges[min(place, len(bins.edges) - 1)] if bins.edges else 0.0
    met = dict(zip(bins.levels, counts, strict=False))
    return max(met, key=lambda name: met[name], default="")
