"""Fit the models to parts of the customers, and predict the held-out parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.ml.classification import LogisticRegression, RandomForestClassifier
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.insights.multiclass.kind import MulticlassTask
from otklik.insights.multiclass.temperature import fit_exponent, scaled
from otklik.kind import Finding, StageContext
from otklik.models import prepare
from otklik.models.bootstrap import Floats

_NO_FEATURES = ("customer", "class", "moment")
_MICROS_PER_DAY = 86_400_000_000
#: Customers without a class, or whose class was known too late; those used for training only; and the part of a split
#: by time that is predicted for calibration only.
NEW, _NEVER, _CALIBRATES = -3, -2, -1
#: Number of customers, sampled by a hash, to which an exponent is fitted.
_CALIBRATION_ROWS = 20_000


@dataclass(frozen=True)
class Fit:
    """The training customers of a fit, and the part that it predicts."""

    learns_from: Column
    part: int


def prepared_for(
    customers: DataFrame, classes: Sequence[str], task: MulticlassTask, context: StageContext
) -> tuple[DataFrame, int, list[Finding]]:
    """customer, class, label INT, part INT, vector; the number of slots; the findings of properties."""
    features = prepare.features_of(customers, {name: False for name in customers.columns if name not in _NO_FEATURES})
    if not features:
        raise ConfigurationError(
            "the frame has no property of customers",
            where="frames.customers.columns",
            hint="add the columns to learn from",
        )
    settings = task.preparation
    known = {feature.name for feature in features}
    unknown = sorted({*settings.log_scale, *settings.categorical, *settings.bands} - known)
    if unknown:
        raise ConfigurationError(
            f"{unknown[0]!r} is not a column of the frame",
            where="preparation",
            hint=f"columns: {', '.join(sorted(known))}",
        )
    rules = prepare.Rules(
        settings.rare_level_share, settings.maximum_levels, settings.maximum_correlation, tuple(settings.drop),
        frozenset(settings.log_scale), frozenset(settings.categorical), settings.bands,
    )  # fmt: skip
    position = F.array_position(F.array(*map(F.lit, classes)), F.col("class")) - 1
    rows = customers.withColumns({"label": position.cast("int"), "part": _part(customers, task)})
    partitions = settings.partitions_of(customers.count())
    laid_out = context.keep(rows.repartition(partitions, "customer").sortWithinPartitions("customer"))
    learnt = laid_out.where(learns_anything(task)).withColumns({"key": F.col("customer"), "as_of": F.lit(0)})
    preparation = prepare.fit_preparation(learnt, features, rules)
    if not preparation.slots:
        raise RefusedError(
            f"all {len(features)} properties are the same for every customer",
            where="frames.customers.columns",
            hint="use properties that differ between customers",
        )
    vectors = prepare.with_vectors(laid_out, {"features": preparation.slots})
    findings = [_noticed(one) for one in preparation.findings]
    kept = context.keep(vectors.select("customer", "class", "label", "part", "features"))
    return kept, len(preparation.slots), findings


def _noticed(found: prepare.FeatureFinding) -> Finding:
    """The preparation's finding about a property, as a code."""
    parameters = {"n": int(found.value)} if found.kind == "rare_levels" else found.parameters
    return Finding(f"property_{found.kind}_{found.action}", found.feature, parameters, found.value)


def _part(customers: DataFrame, task: MulticlassTask) -> Column:
    """The part in which a customer is predicted.

    Raises:
        ConfigurationError: if a split by time has no moments.
        RefusedError: if too many customers have the latest moment.
    """
    fold = F.pmod(F.xxhash64(F.col("customer"), F.lit("fold")), F.lit(task.split.folds)).cast("int")
    if task.split.way == "folds":
        return F.when(F.col("class").isNull(), F.lit(NEW)).otherwise(fold)
    if "moment" not in customers.columns:
        raise ConfigurationError(
            "a split by time needs the column moment",
            where="frames.customers.columns",
            hint="say when the properties were known, or set split.way = 'folds'",
        )
    dated = customers.where("class IS NOT NULL AND moment IS NOT NULL")
    micros = F.unix_micros("moment")
    cut = dated.agg(F.percentile_approx(micros, F.lit(1 - task.split.test_share), F.lit(10_000))).collect()[0][0]
    if cut is None or dated.where(micros > F.lit(cut)).isEmpty():
        raise RefusedError(
            "the customers with a class cannot be split by time: too many have the latest moment",
            where="frames.customers.columns.moment",
            hint="give more distinct moments, or set split.way = 'folds'",
        )
    return (
        F.when(F.col("class").isNull(), F.lit(NEW))
        .when(micros > F.lit(cut), F.lit(0))
        .when(micros.isNull() | (micros > F.lit(cut - task.split.label_days * _MICROS_PER_DAY)), F.lit(NEW))
        .when(fold == 0, F.lit(_CALIBRATES))
        .otherwise(F.lit(_NEVER))
    )


def learns_anything(task: MulticlassTask) -> Column:
    """The rows from which properties are prepared: all with a class or, by time, the earlier ones."""
    return F.col("part") >= 0 if task.split.way == "folds" else F.col("part").isin(_NEVER, _CALIBRATES)


def fits_of(task: MulticlassTask) -> list[Fit]:
    """One fit per part that is predicted."""
    part = F.col("part")
    if task.split.way == "folds":
        return [Fit((part >= 0) & (part != fold), fold) for fold in range(task.split.folds)]
    return [Fit(part == _NEVER, _CALIBRATES), Fit(part.isin(_NEVER, _CALIBRATES), 0)]


def predicted_by(
    prepared: DataFrame, fit: Fit, slots: int, classes: int, task: MulticlassTask, context: StageContext
) -> DataFrame:
    """customer, class, label, part, a column of probabilities per model, and nearest_centroid INT, of one part.

    Raises:
        RefusedError: if a class is missing from the training customers.
    """
    train = prepared.where(fit.learns_from)
    missing = classes - train.select("label").distinct().count()
    if missing:
        raise RefusedError(
            f"{missing} of {classes} classes have no customer in the training part",
            where="split",
            hint="set split.way = 'folds', or leave out classes that are new",
        )
    rows = prepared.where(F.col("part") == fit.part)
    for model in task.models:
        context.step.under_way(f"{model}, part {fit.part}")
        rows = with_probabilities(rows, train, model, task)
    return _with_nearest_centroid(rows, train, slots, classes).drop("features")


def with_probabilities(rows: DataFrame, train: DataFrame, model: str, task: MulticlassTask) -> DataFrame:
    """Add the model's probabilities of the classes, ARRAY<DOUBLE>, under its name."""
    columns: dict[str, Any] = {"featuresCol": "features", "labelCol": "label", "probabilityCol": "_probability"}
    if model == "logistic_regression":
        linear = task.logistic_regression
        estimator: Any = LogisticRegression(
            **columns, family="multinomial", regParam=linear.reg_param, maxIter=linear.max_iter, tol=1e-6
        )
    else:
        forest = task.random_forest
        estimator = RandomForestClassifier(
            **columns, numTrees=forest.trees, maxDepth=forest.max_depth, minInstancesPerNode=forest.min_leaf,
            seed=task.seed, maxBins=64, cacheNodeIds=True,
        )  # fmt: skip
    fitted = estimator.fit(train)
    said: DataFrame = fitted.transform(rows).withColumn(model, vector_to_array(F.col("_probability")))
    return said.drop("_probability", "rawPrediction", "prediction")


def _with_nearest_centroid(rows: DataFrame, train: DataFrame, slots: int, classes: int) -> DataFrame:
    """Add nearest_centroid INT: the class with the nearest mean, on features standardised by the training part."""
    numbers = vector_to_array(F.col("features"))
    sums = train.groupBy("label").agg(
        F.count("*").alias("rows"),
        F.array(*(F.avg(numbers[place]) for place in range(slots))).alias("means"),
        F.array(*(F.var_pop(numbers[place]) for place in range(slots))).alias("variances"),
    )
    counts, means, variances = np.zeros(classes), np.zeros((classes, slots)), np.zeros((classes, slots))
    for row in sums.collect():
        counts[row["label"]], means[row["label"]], variances[row["label"]] = row["rows"], row["means"], row["variances"]
    share = (counts / counts.sum())[:, np.newaxis]
    overall = (share * means).sum(axis=0)
    deviations = np.sqrt((share * (variances + (means - overall) ** 2)).sum(axis=0))
    scale = np.where(deviations > 0, deviations, 1.0)
    centroids = means / scale
    # The nearest has the largest value: minus half the squared distance, without the term shared by all classes.
    nearness = (
        _weighted_sum(numbers, centroid / scale) - F.lit(float(centroid @ centroid) / 2) for centroid in centroids
    )
    return rows.withColumn("nearest_centroid", top_of(F.array(*nearness)))


def _weighted_sum(numbers: Column, weights: Floats) -> Column:
    products = F.zip_with(numbers, F.array(*map(F.lit, weights.tolist())), lambda number, weight: number * weight)
    return F.aggregate(products, F.lit(0.0), lambda total, product: total + product)


def top_of(numbers: Column) -> Column:
    """The index of the largest number of an array; the first of equals."""
    return (F.array_position(numbers, F.array_max(numbers)) - 1).cast("int")


def exponents_of(predicted: DataFrame, model: str, parts: Sequence[int]) -> dict[int, float]:
    """The exponent of the probabilities of each part, fitted to the other parts; for NEW, to all."""
    sample = (
        predicted.select("customer", "part", "label", model)
        .orderBy(F.xxhash64("customer", F.lit("calibration")), "customer")
        .limit(_CALIBRATION_ROWS)
        .toPandas()
    )
    probabilities: Floats = np.stack(sample[model].tolist())
    labels = sample["label"].to_numpy(dtype=np.int64)
    of_part = sample["part"].to_numpy()
    found = {NEW: fit_exponent(probabilities, labels)}
    for part in parts:
        others = of_part != part
        if part >= 0:
            found[part] = fit_exponent(probabilities[others], labels[others])
    return found


def calibrated(judged: DataFrame, exponents: Mapping[str, Mapping[int, float]], task: MulticlassTask) -> DataFrame:
    """Probabilities to the power of their part's exponent; the raw ones stay as `<model>_raw`."""
    rows = judged
    for model in task.models:
        by_part = [F.lit(one) for part, exponent in exponents[model].items() for one in (part, exponent)]
        exponent = F.element_at(F.create_map(*by_part), F.col("part"))
        rows = rows.withColumns({f"{model}_raw": F.col(model), model: scaled(F.col(model), exponent)})
    return rows
