"""Segments of customers, their properties, transitions between them, and their value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.insights.segment.clustering import segment_by_clusters
from otklik.insights.segment.features import level, properties_of
from otklik.insights.segment.kind import KIND, SegmentTask
from otklik.insights.segment.rfm import segment_by_rfm
from otklik.insights.segment.segmentation import Segmentation
from otklik.insights.segment.worth import Values, Worth, worth
from otklik.kind import Finding, StageContext, StageResult, Verdict

_TABLES = {table.name.rpartition(">_")[2]: table for table in KIND.stages[0].tables}


def run(frames: Mapping[str, DataFrame], task: SegmentTask, context: StageContext) -> StageResult:
    """Segment customers.

    Collected data grow with the number of segments (at most 51), properties and bootstrap samples, and with
    `evaluation.sample`, not with the number of customers.

    Args:
        frames: purchases for rfm; otherwise customers and optionally customers_before and new_customers.
        task: the settings.
        context: of the stage.

    Raises:
        RefusedError: if there are no customers, or too few different ones for the number of segments.
        ConfigurationError: if the task names an unknown feature.
    """
    found = (segment_by_rfm if task.method == "rfm" else segment_by_clusters)(frames, task, context)
    sizes = {row["segment"]: row["count"] for row in found.customers.groupBy("segment").count().collect()}
    values = {} if found.valued is None else _values_by_segment(found.valued)
    judged = worth(values, task.seed) if values else None
    return StageResult(
        tables={
            "segments": _rows(_segments(sizes, values), "segments", context),
            "assignments": _assignments(found),
            "scores": _rows([], "scores", context) if found.scores is None else found.scores,
            "profiles": _rows(_profiles(found), "profiles", context),
            "transitions": _rows([], "transitions", context) if found.before is None else _transitions(found),
            "model": _rows(found.model, "model", context),
        },
        measures=[found.stability, *found.measures, *([] if judged is None else judged.measures)],
        verdict=_verdict(task, sum(sizes.values()), found, judged),
        findings=found.findings,
    )


def _rows(rows: Sequence[Sequence[Any]], table: str, context: StageContext) -> DataFrame:
    """A few rows as a table of the stage; the runner adds the run."""
    return context.spark.createDataFrame([tuple(row) for row in rows], _TABLES[table].own_ddl)


def _values_by_segment(valued: DataFrame) -> dict[str, Values]:
    rows = valued.groupBy("segment").agg(
        F.count("*").alias("customers"), F.avg("value").alias("mean"), F.var_pop("value").alias("variance")
    )
    return {row["segment"]: Values(row["customers"], row["mean"], row["variance"]) for row in rows.collect()}


def _segments(sizes: Mapping[str, int], values: Mapping[str, Values]) -> list[tuple[Any, ...]]:
    """The rows of gold.<task>_segments, including segments that had customers at the earlier moment only."""
    customers, total = sum(sizes.values()), sum(one.customers * one.mean for one in values.values())
    rows = []
    for segment in sorted({*sizes, *values}, key=lambda name: (-sizes.get(name, 0), name)):
        size, value = sizes.get(segment, 0), values.get(segment)
        of_value: tuple[Any, ...] = (None, None, None)
        if value is not None:
            share = value.customers * value.mean / total if total > 0 else None
            of_value = (value.customers, value.mean, share)
        rows.append((segment, size, size / customers, *of_value))
    return rows


def _assignments(found: Segmentation) -> DataFrame:
    """One row per customer with a current segment."""
    now = found.customers.select("customer", "segment")
    if found.before is None:
        with_before = now.withColumn("segment_before", F.lit(None).cast("string"))
    else:
        earlier = found.before.withColumnRenamed("segment", "segment_before")
        with_before = now.join(earlier, "customer", "left")
    assigned = with_before.withColumn("is_new", F.lit(False))
    if found.new is None:
        return assigned
    others = found.new.join(now, "customer", "left_anti")
    return assigned.unionByName(
        others.select(
            "customer", "segment", F.lit(None).cast("string").alias("segment_before"), F.lit(True).alias("is_new")
        )
    )


def _transitions(found: Segmentation) -> DataFrame:
    assert found.before is not None
    earlier = found.before.select("customer", F.col("segment").alias("segment_before"))
    moved = found.customers.select("customer", "segment").join(earlier, "customer", "full")
    names = (F.coalesce(name, F.lit("")).alias(name) for name in ("segment_before", "segment"))
    return moved.groupBy(*names).agg(F.count("*").alias("customers"))


def _profiles(found: Segmentation) -> list[tuple[Any, ...]]:
    """Means of every property by segment, and those of all customers."""
    properties = [name for name in properties_of(found.customers) if name != "segment"]
    means = [
        figure
        for name in properties
        for figure in (
            F.avg(name).alias(name),
            F.avg(level(name, found.log1p)).alias(f"{name}_level"),
            F.stddev_pop(level(name, found.log1p)).alias(f"{name}_deviation"),
        )
    ]
    overall = found.customers.agg(*means).collect()[0]
    rows = []
    for row in found.customers.groupBy("segment").agg(*means).orderBy("segment").collect():
        for name in properties:
            deviation = overall[f"{name}_deviation"]
            is_apart = deviation and row[f"{name}_level"] is not None
            difference = (row[f"{name}_level"] - overall[f"{name}_level"]) / deviation if is_apart else None
            rows.append((row["segment"], name, name in found.features, row[name], overall[name], difference))
    return rows


def _verdict(task: SegmentTask, customers: int, found: Segmentation, judged: Worth | None) -> Verdict:
    """The verdict by the number of customers, then stability, then the value or the existence of the segments."""
    evaluation, stability = task.evaluation, found.stability
    known = customers if judged is None else judged.spread.rows or 0
    if min(customers, known) < evaluation.minimum_customers:
        few = Finding(
            "few_customers", parameters={"n": min(customers, known), "minimum": evaluation.minimum_customers},
            value=float(min(customers, known)),
        )  # fmt: skip
        return Verdict("too_little_data", [few], stability)
    parameters = {"stability": stability.value or 0.0, "minimum": evaluation.minimum_stability}
    if (stability.value or 0.0) < evaluation.minimum_stability:
        return Verdict("no_gain", [Finding("unstable", parameters=parameters, value=stability.value)], stability)
    stable = Finding("stable", parameters=parameters, value=stability.value)
    structure = [] if found.has_structure is None else [_of_silhouette(found)]
    if judged is not None:
        code, verdict = ("values_differ", "gain") if judged.p <= evaluation.maximum_p else ("values_alike", "no_gain")
        spread: dict[str, int | float] = {
            "percent": round(100 * (judged.spread.value or 0.0)),
            "random": round(100 * (judged.spread.baseline or 0.0)),
            "reached": round(10_000 * judged.p) - 1,
        }
        return Verdict(verdict, [Finding(code, parameters=spread, value=judged.p), stable, *structure], judged.spread)  # type: ignore[arg-type]
    if found.has_structure is False:
        return Verdict("no_gain", [*structure, stable], stability)
    return Verdict("descriptive", [Finding("no_value"), stable, *structure], stability)


def _of_silhouette(found: Segmentation) -> Finding:
    silhouette = next(one for one in found.measures if one.measure == "silhouette" and not one.subject)
    parameters = {"silhouette": silhouette.value or 0.0, "random": silhouette.baseline or 0.0}
    return Finding(
        "structure" if found.has_structure else "no_structure", parameters=parameters, value=silhouette.value
    )
