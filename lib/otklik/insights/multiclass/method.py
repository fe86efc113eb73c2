"""Classify customers into given classes, evaluated on unseen customers.

Every fit predicts one part of the customers. The exponents that calibrate the probabilities of a part come from
predictions of the other parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.insights.customers import refuse_copies
from otklik.insights.multiclass.fitting import (
    NEW,
    calibrated,
    exponents_of,
    fits_of,
    learns_anything,
    predicted_by,
    prepared_for,
    top_of,
    with_probabilities,
)
from otklik.insights.multiclass.judging import Compared, Counts, compare
from otklik.insights.multiclass.kind import MOST_CLASSES, MulticlassTask
from otklik.insights.multiclass.temperature import scaled
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict
from otklik.models.bootstrap import interval

#: The naive rules.
_RULES = ("nearest_centroid", "majority")


def run(frames: Mapping[str, DataFrame], task: MulticlassTask, context: StageContext) -> StageResult:
    """Fit and evaluate the models, and classify customers without a class.

    The driver collects counts of classes and predictions (at most 30³ per model), a hundred bins of probabilities, the
    centroids, and 20,000 out-of-fold predictions for calibration.

    Raises:
        RefusedError: if there are too few or too many classes, a class is too small, or there are no usable features.
        ConfigurationError: if a split by time has no moments, or the frame has no properties.
    """
    customers = frames["customers"]
    refuse_copies(customers, "customers")
    classes = _classes(customers, task)
    prepared, slots, found = prepared_for(customers, list(classes), task, context)
    fits = fits_of(task)
    parts = [predicted_by(prepared, fit, slots, len(classes), task, context) for fit in fits]
    predicted = context.keep(reduce(DataFrame.unionByName, parts))
    names = list(classes)
    exponents: dict[str, dict[int, float]] = {
        model: exponents_of(predicted, model, [fit.part for fit in fits]) for model in task.models
    }
    judged = context.keep(calibrated(predicted.where(F.col("part") >= 0), exponents, task))
    majority = _majority(prepared, task)
    compared: dict[str, Compared] = {
        model: compare(_counts(judged, model, len(names)), majority, task.bootstrap_replicates, task.seed)
        for model in task.models
    }
    scores: dict[str, dict[str, float]] = {model: _probability_figures(judged, model) for model in task.models}
    best = min(task.models, key=lambda model: scores[model]["log_loss"])
    new = _assigned(prepared, predicted, best, task, context)
    own = compared[best]
    return StageResult(
        tables={
            "predictions": _predictions(judged, new, best, names),
            "confusion": _confusion_rows(compared, best, names, context),
            "abstention": context.spark.createDataFrame(
                _abstention(judged, best),
                "threshold DOUBLE, customers BIGINT, coverage DOUBLE, accuracy DOUBLE, expected DOUBLE",
            ),
        },
        measures=_measures(compared, scores, best, names),
        verdict=_verdict(own, best),
        findings=found,
    )


def _classes(customers: DataFrame, task: MulticlassTask) -> dict[str, int]:
    """Class → customers, the largest first, ties by name.

    Raises:
        RefusedError: if there are fewer than two or too many, or one is too small.
    """
    counted = customers.where(F.col("class").isNotNull()).groupBy("class").count()
    rows = counted.orderBy(F.desc("count"), "class").limit(MOST_CLASSES + 1).collect()
    classes = {row["class"]: int(row["count"]) for row in rows}
    where = "frames.customers.columns.class"
    if len(classes) < 2:
        raise RefusedError(
            f"{len(classes)} classes; at least 2 are needed", where=where, hint="use a column with several classes"
        )
    if len(classes) > MOST_CLASSES:
        raise RefusedError(
            f"more than {MOST_CLASSES} classes", where=where, hint="merge the rare ones with a CASE expression"
        )
    small = {name: count for name, count in classes.items() if count < task.minimum_class_rows}
    if small:
        said = ", ".join(f"{name} ({count:,})" for name, count in small.items())
        raise RefusedError(
            f"classes with fewer than {task.minimum_class_rows:,} customers: {said}",
            where=where,
            hint="merge them with others in the expression, filter them out with frames.customers.where, or "
            "lower minimum_class_rows",
        )
    return classes


def _majority(prepared: DataFrame, task: MulticlassTask) -> int:
    """The most common class of the training customers; ties go to the first name."""
    counts = prepared.where(learns_anything(task)).groupBy("label").count()
    return int(counts.orderBy(F.desc("count"), "label").collect()[0]["label"])


def _counts(judged: DataFrame, model: str, classes: int) -> Counts:
    """(classes, predictions of the model, of the nearest centroid) customers."""
    counts: npt.NDArray[np.int64] = np.zeros((classes, classes, classes), dtype=np.int64)
    grouped = judged.groupBy("label", top_of(F.col(model)).alias("model"), "nearest_centroid").count()
    for row in grouped.collect():
        counts[row["label"], row["model"], row["nearest_centroid"]] = row["count"]
    return counts


def _probability_figures(judged: DataFrame, model: str) -> dict[str, float]:
    """Log loss and Brier score, calibrated and raw, and those of the class frequencies."""
    figures = {}
    for name, column in (("", model), ("_raw", f"{model}_raw")):
        own = F.element_at(F.col(column), F.col("label") + 1)
        squares = F.aggregate(F.col(column), F.lit(0.0), lambda total, p: total + p * p)
        figures[f"log_loss{name}"] = F.avg(-F.ln(F.greatest(own, F.lit(1e-15))))
        figures[f"brier{name}"] = F.avg(squares - 2 * own + 1)
    row = judged.agg(*(figure.alias(name) for name, figure in figures.items())).collect()[0]
    shares = judged.groupBy("label").count().toPandas()["count"].to_numpy(dtype=np.float64)
    shares /= shares.sum()
    return {
        **{name: float(row[name]) for name in figures},
        "log_loss_shares": float(-(shares * np.log(shares)).sum()),
        "brier_shares": float(1 - (shares**2).sum()),
    }


def _abstention(judged: DataFrame, model: str) -> list[tuple[float, int, float, float, float]]:
    """For each hundredth of probability: the share of customers with at least that confidence, and their accuracy."""
    sure = F.array_max(model)
    bins = judged.groupBy(F.least(F.floor(sure * 100), F.lit(99)).cast("int").alias("bin")).agg(
        F.count("*").alias("rows"),
        F.count_if(top_of(F.col(model)) == F.col("label")).alias("right"),
        F.sum(sure).alias("expected"),
    )
    counted = bins.toPandas().sort_values("bin", ascending=False)
    rows, right, expected = (counted[name].cumsum() for name in ("rows", "right", "expected"))
    total = rows.iloc[-1]
    return [
        (int(least) / 100, int(n), float(n / total), float(hits / n), float(mean / n))
        for least, n, hits, mean in zip(counted["bin"], rows, right, expected, strict=True)
    ]


def _assigned(
    prepared: DataFrame, predicted: DataFrame, best: str, task: MulticlassTask, context: StageContext
) -> DataFrame | None:
    """Calibrated probabilities of customers without a class, by the model of all that have one; None without such."""
    new = prepared.where(F.col("class").isNull())
    if new.isEmpty():
        return None
    context.step.under_way(f"{best}, customers without a class")
    train = prepared.where(F.col("class").isNotNull())
    rows = with_probabilities(new, train, best, task)
    return rows.withColumn(best, scaled(F.col(best), F.lit(exponents_of(predicted, best, [])[NEW])))


def _predictions(judged: DataFrame, new: DataFrame | None, best: str, names: Sequence[str]) -> DataFrame:
    """Rows of gold.<task>_predictions."""
    known = F.array(*map(F.lit, names))

    def rows(of: DataFrame, *, is_new: bool) -> DataFrame:
        return of.select(
            "customer",
            "class",
            F.element_at(known, top_of(F.col(best)) + 1).alias("predicted"),
            F.array_max(best).alias("probability"),
            F.map_from_arrays(known, F.col(best)).alias("probabilities"),
            F.lit(is_new).alias("is_new"),
        )

    seen = rows(judged, is_new=False)
    return seen if new is None else seen.unionByName(rows(new, is_new=True))


def _confusion_rows(
    compared: Mapping[str, Compared], best: str, names: Sequence[str], context: StageContext
) -> DataFrame:
    matrices = {model: one.confusion["model"] for model, one in compared.items()}
    matrices |= {rule: compared[best].confusion[rule] for rule in _RULES}
    rows = [
        (who, names[i], names[j], int(matrix[i, j]))
        for who, matrix in matrices.items()
        for i, j in np.ndindex(*matrix.shape)
        if matrix[i, j]
    ]
    return context.spark.createDataFrame(rows, "model STRING, class STRING, predicted STRING, customers BIGINT")


def _measures(
    compared: Mapping[str, Compared], scores: Mapping[str, Mapping[str, float]], best: str, names: Sequence[str]
) -> list[Measure]:
    """Measures of each model and naive rule; subjects are models, and classes for the F1 of the best model."""
    own, measures = compared[best], []
    rows = int(own.confusion["model"].sum())
    for who, one in [*((m, (c, "model")) for m, c in compared.items()), *((rule, (own, rule)) for rule in _RULES)]:
        of, key = one
        for name in ("macro_f1", "accuracy"):
            low, high = interval(getattr(of.draws[key], name))
            baseline = float(getattr(own.figures[own.better_rule], name))
            value = float(getattr(of.figures[key], name))
            measures.append(Measure(name, value, who, "test", low, high, baseline, rows))
    for model, figures in scores.items():
        for name in ("log_loss", "brier"):
            measures.append(Measure(name, figures[name], model, "test", baseline=figures[f"{name}_shares"], rows=rows))
            measures.append(Measure(f"{name}_raw", figures[f"{name}_raw"], model, "test", rows=rows))
    gained, low, high = own.gain
    measures.append(Measure("macro_f1_gain", gained, best, "test", low, high, 0.0, rows))
    for place, name in enumerate(names):
        low_f1, high_f1 = interval(own.draws["model"].f1[:, place])
        rule = float(own.figures[own.better_rule].f1[place])
        count = int(own.confusion["model"][place].sum())
        measures.append(
            Measure("f1", float(own.figures["model"].f1[place]), name, "test", low_f1, high_f1, rule, count)
        )
    return measures


def _verdict(own: Compared, best: str) -> Verdict:
    """Whether the best model is significantly better than the better naive rule."""
    low, high = interval(own.draws["model"].macro_f1)
    macro_f1, rule = float(own.figures["model"].macro_f1), float(own.figures[own.better_rule].macro_f1)
    key = Measure("macro_f1", macro_f1, best, "test", low, high, rule, int(own.confusion["model"].sum()))
    gained, least, most = own.gain
    parameters = {"macro_f1": macro_f1, "rule": rule, "gain": gained, "low": least, "high": most}
    code = "better" if least > 0 else "not_better"
    return Verdict("gain" if least > 0 else "no_gain", [Finding(code, own.better_rule, parameters, gained)], key)
