"""The hazard of leaving in each period: logistic regression on person-periods.

Allison 1982, "Discrete-time methods for the analysis of event histories"; Singer & Willett 1993. The baseline hazard
is a step function of duration. Periods of a customer within one step differ in the label only, so they are one row
weighted by their number: the likelihood is the same as with a row for each period.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.forecasts.survival.curves import Counts, Floats
from otklik.session import without_stage_code

_ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of the baseline hazard.

    Attributes:
        ends: the last period of each step, ascending; customers who stay longer have the hazard of the last step.
        begin: the first period in which anybody left.
    """

    ends: Floats
    begin: float

    @property
    def begins(self) -> Floats:
        """The first period of each step."""
        return np.concatenate([[self.begin], self.ends[:-1] + 1])

    @property
    def lengths(self) -> Floats:
        """Periods of each step."""
        return self.ends - self.begins + 1

    def periods_until(self, duration: float) -> Floats:
        """Periods of each step up to and including a duration."""
        lengths = np.concatenate([self.lengths[:-1], [np.inf]])
        found: Floats = np.minimum(np.maximum(duration - self.begins + 1, 0.0), lengths)
        return found


def steps_of(counts: Counts, most: int) -> Steps:
    """Steps with about as many departures each."""
    some = counts.left > 0
    durations, left = counts.duration[some], counts.left[some].cumsum()
    wanted = np.linspace(0, left[-1], most + 1)[1:]
    places = np.unique(np.minimum(np.searchsorted(left, wanted - 1e-9), len(durations) - 1))
    return Steps(durations[places], float(durations[0]))


def person_periods(customers: DataFrame, steps: Steps) -> DataFrame:
    """One row per customer, step and label.

    Args:
        customers: fold, _since, duration, has_left and numbers (an array): what held of a customer from the period
            `_since` to the period `duration`, and whether the customer left in the last one.
        steps: of the baseline hazard.

    Returns:
        fold, label, weight (periods) and features (a vector: the marks of all steps but the first, then numbers).
    """
    last = len(steps.ends) - 1
    rows = []
    for place, (begin, end) in enumerate(zip(steps.begins, steps.ends, strict=True)):
        # The last step is open-ended.
        until = F.col("duration") if place == last else F.least(F.col("duration"), F.lit(end))
        entered = F.greatest(F.lit(begin), F.col("_since"))
        is_in = until >= entered
        leaves = is_in & F.col("has_left") & ((F.col("duration") <= F.lit(end)) if place < last else F.lit(True))
        stays = until - entered + 1 - leaves.cast("double")
        marks = F.array(*(F.lit(1.0 if place == other else 0.0) for other in range(1, last + 1))).cast("array<double>")
        for label, weight in ((0.0, F.when(is_in, stays)), (1.0, leaves.cast("double"))):
            rows.append(F.struct(F.lit(label).alias("label"), weight.alias("weight"), marks.alias("marks")))
    return (
        customers.select("fold", "numbers", F.inline(F.array(*rows)))
        .where("weight > 0")
        .select("fold", "label", "weight", array_to_vector(F.concat("marks", "numbers")).alias("features"))
    )


@dataclass(frozen=True, eq=False)
class Hazard:
    """A fitted model.

    Attributes:
        steps: steps of the baseline.
        baseline: log-odds of leaving in a period of each step if all features are 0.
        coefficients: coefficients of the features.
    """

    steps: Steps
    baseline: Floats
    coefficients: Floats


def with_models(customers: DataFrame, models: Mapping[int, Hazard]) -> DataFrame:
    """Add the model of each customer's fold: baseline and coefficients, ARRAY<DOUBLE>; a row per fold is broadcast."""
    rows = [(fold, list(map(float, one.baseline)), list(map(float, one.coefficients))) for fold, one in models.items()]
    by_fold = customers.sparkSession.createDataFrame(
        rows, "fold int, baseline array<double>, coefficients array<double>"
    )
    return customers.join(F.broadcast(by_fold), "fold")


def survival(steps: Steps, durations: Floats) -> Column:
    """Probabilities of not leaving up to and including each duration (an array), from the columns of `with_models`."""
    periods = F.array(*(F.array(*map(F.lit, map(float, steps.periods_until(one)))) for one in durations))
    return F.transform(periods, lambda inside: F.exp(-_dot(_per_period(), inside)))


def leaves_within(steps: Steps, ahead: int) -> Column:
    """Probability that a customer who is still there after `duration` periods leaves within the next ones."""
    now, then = _periods_until(steps, F.col("duration")), _periods_until(steps, F.col("duration") + ahead)
    return 1 - F.exp(_dot(_per_period(), now) - _dot(_per_period(), then))


def _per_period() -> Column:
    """−ln(1 − hazard) in a period of each step: ln(1 + e^(log-odds))."""
    margin = _dot(F.col("numbers"), F.col("coefficients"))
    return F.transform("baseline", lambda one: F.log1p(F.exp(margin + one)))


def _periods_until(steps: Steps, until: Column) -> Column:
    """Periods of each step up to and including a period; the last step is open-ended."""
    begins = F.array(*map(F.lit, map(float, steps.begins)))
    lengths = F.array(*map(F.lit, [*map(float, steps.lengths[:-1]), float("inf")]))
    return F.zip_with(begins, lengths, lambda begin, length: F.least(F.greatest(until - begin + 1, F.lit(0.0)), length))


def _dot(one: Column, other: Column) -> Column:
    products = F.zip_with(one, other, lambda left, right: left * right)
    return F.aggregate(products, F.lit(0.0), lambda total, product: total + product)


def fit(rows: DataFrame, steps: Steps, penalty: float) -> Hazard:
    """Logistic regression of MLlib with a ridge penalty.

    Args:
        rows: from `person_periods`.
        steps: the same.
        penalty: on coefficients of standardised columns.
    """
    if len(steps.ends) == 1 and rows.select(F.size(vector_to_array(F.col("features"))) == 0).first() == (True,):
        return Hazard(steps, _same_for_all(rows), np.zeros(0))
    estimator = LogisticRegression(
        featuresCol="features", labelCol="label", weightCol="weight", regParam=penalty, maxIter=_ITERATIONS, tol=1e-8
    )
    with without_stage_code(rows.sparkSession):
        model = estimator.fit(rows)
    found = model.coefficients.toArray()
    marks = len(steps.ends) - 1
    baseline = float(model.intercept) + np.concatenate([[0.0], found[:marks]])
    return Hazard(steps, baseline, found[marks:])


def _same_for_all(rows: DataFrame) -> Floats:
    """Log-odds of leaving in a period with neither duration nor features."""
    left, all_periods = rows.agg(F.sum(F.col("label") * F.col("weight")), F.sum("weight")).collect()[0]
    return np.array([np.log(left / (all_periods - left))])


def log_losses(rows: DataFrame, models: Mapping[int, Hazard]) -> pd.DataFrame:
    """Log loss of the person-periods of each fold by the model of that fold: fold, loss (the sum), periods."""
    marks = {fold: one.baseline[1:] - one.baseline[0] for fold, one in models.items()}
    weights = [
        (fold, float(one.baseline[0]), [*map(float, marks[fold]), *map(float, one.coefficients)])
        for fold, one in models.items()
    ]
    by_fold = rows.sparkSession.createDataFrame(weights, "fold int, intercept double, weights array<double>")
    margin = F.col("intercept") + _dot(vector_to_array(F.col("features")), F.col("weights"))
    loss = F.col("weight") * (F.log1p(F.exp(margin)) - F.col("label") * margin)
    each = rows.join(F.broadcast(by_fold), "fold").groupBy("fold")
    return each.agg(F.sum(loss).alias("loss"), F.sum("weight").alias("periods")).toPandas().sort_values("fold")


def standard_errors(rows: DataFrame, hazard: Hazard) -> Floats:
    """Standard errors from the information matrix; each partition returns one matrix of (features + 1)²."""
    marks = len(hazard.steps.ends) - 1
    weights = np.concatenate([[hazard.baseline[0]], hazard.baseline[1:] - hazard.baseline[0], hazard.coefficients])

    def informations(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        total = np.zeros((len(weights), len(weights)))
        for batch in batches:
            if len(batch):
                features = np.column_stack([np.ones(len(batch)), np.array(batch["features"].tolist())])
                p = 1 / (1 + np.exp(-features @ weights))
                total += (features * (batch["weight"].to_numpy() * p * (1 - p))[:, np.newaxis]).T @ features
        yield pd.DataFrame({"information": [total.ravel()]})

    plain = rows.select(vector_to_array(F.col("features")).alias("features"), "weight")
    parts = plain.mapInPandas(informations, "information array<double>").collect()
    information = np.sum([part.information for part in parts], axis=0).reshape(len(weights), -1)
    found: Floats = np.sqrt(np.diag(np.linalg.pinv(information)))
    return found[1 + marks :]
