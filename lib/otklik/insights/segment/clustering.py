"""Segments by clustering: from the customers' numbers to numbered segments, the largest first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pyspark.ml import Model
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.insights.customers import refuse_copies
from otklik.insights.segment import clusters
from otklik.insights.segment.features import Scaling, chosen_features, only_complete, scaling_of
from otklik.insights.segment.kind import SegmentTask
from otklik.insights.segment.segmentation import ModelRow, Segmentation, stability
from otklik.kind import Finding, Measure, StageContext
from otklik.models.bootstrap import Floats

_NORMAL_95 = 1.959964
#: Frames of customers who are assigned to segments but not used to build them.
_OTHERS = ("customers_before", "new_customers")


def segment_by_clusters(frames: Mapping[str, DataFrame], task: SegmentTask, context: StageContext) -> Segmentation:
    """Cluster customers, and assign those of the other frames.

    Raises:
        RefusedError: if no customer has all features, one has several rows, or too few differ.
        ConfigurationError: if a frame lacks a feature.
    """
    settings, evaluation, given = task.clusters, task.evaluation, frames["customers"]
    features = chosen_features(given, settings.features, settings.log1p)
    for frame in _OTHERS:
        _require_features(frames, frame, features)
    refuse_copies(given, "customers")
    complete, missing = _complete(given, features, "customers", context)
    scaling, constant = scaling_of(complete, features, settings.log1p)
    scaled = context.keep(complete.withColumn("scaled", scaling.scaled()))
    sample = _sample(scaled.select("customer", "scaled"), evaluation.sample).toPandas()
    points = np.array(sample["scaled"].tolist())
    context.step.under_way("choosing the number of segments")
    candidates = clusters.judged(
        points, sample["customer"].to_numpy(), task.method, settings.k, settings.starts, evaluation.resamples, task.seed
    )
    chosen = clusters.best(candidates, evaluation.minimum_stability)
    flat = clusters.silhouettes_without_structure(points, task.method, chosen.k, settings.starts, task.seed)
    context.step.under_way("fitting the segments")
    model = clusters.fit(scaled, task.method, chosen.k, settings.starts, settings.partitions, task.seed)
    labelled = context.keep(clusters.with_label(scaled, model))
    # The same customers in the same order as the points.
    labels = _sample(labelled.select("customer", "label"), evaluation.sample).toPandas()["label"].to_numpy()
    silhouettes = clusters.silhouettes(points, labels)
    centres = clusters.centres(model)
    names = _numbered(labelled, len(centres))
    named = labelled.withColumn("segment", _name(names)).drop("scaled", "label")
    moved, missing_before = _assigned(frames, "customers_before", scaling, model, names, context)
    new, missing_new = _assigned(frames, "new_customers", scaling, model, names, context)
    is_finite = "value IS NOT NULL AND NOT isnan(value) AND abs(value) < DOUBLE('Infinity')"
    return Segmentation(
        customers=named,
        features=scaling.features,
        log1p=scaling.log1p,
        stability=stability(clusters.agreements(labels, chosen.redrawn), len(points)),
        model=_model_rows(scaling, centres, names),
        before=moved,
        new=new,
        valued=named.select("segment", "value").where(is_finite) if "value" in given.columns else None,
        has_structure=bool(silhouettes.mean() > flat.max()),
        measures=[
            _silhouette(silhouettes, "", float(flat.mean())),
            *(_silhouette(one.silhouettes, f"k={one.k}") for one in candidates),
            *(stability(one.agreements, len(points), f"k={one.k}") for one in candidates),
        ],
        findings=[*missing, *constant, *missing_before, *missing_new],
    )


def _require_features(frames: Mapping[str, DataFrame], frame: str, features: list[str]) -> None:
    lacking = [name for name in features if frame in frames and name not in frames[frame].columns]
    if lacking:
        raise ConfigurationError(
            f"the frame lacks the feature {lacking[0]!r}",
            where=f"frames.{frame}",
            hint="add the features of frames.customers to it",
        )


def _complete(
    customers: DataFrame, features: list[str], frame: str, context: StageContext
) -> tuple[DataFrame, list[Finding]]:
    """Customers with all features, and the number of customers without."""
    complete = context.keep(only_complete(customers, features))
    rows, used = customers.count(), complete.count()
    if not used:
        raise RefusedError(
            f"none of {rows:,} customers has all features",
            where=f"frames.{frame}",
            hint="fill missing values in its columns, or leave out features that are often missing",
        )
    missing = rows - used
    return complete, [
        Finding("incomplete_customers", frame, {"n": missing, "rows": rows}, float(missing))
    ] if missing else []


def _sample(customers: DataFrame, size: int) -> DataFrame:
    """A sample of customers by hash, the same in any partitioning."""
    return customers.orderBy(F.xxhash64("customer"), "customer").limit(size)


def _numbered(labelled: DataFrame, k: int) -> list[str]:
    """The name of each label: 1 for the largest segment, and so on."""
    sizes = {row["label"]: row["count"] for row in labelled.groupBy("label").count().collect()}
    order = sorted(range(k), key=lambda label: (-sizes.get(label, 0), label))
    return [str(order.index(label) + 1) for label in range(k)]


def _name(names: list[str]) -> Column:
    return F.element_at(F.array(*map(F.lit, names)), F.col("label") + 1)


def _assigned(
    frames: Mapping[str, DataFrame], frame: str, scaling: Scaling, model: Model, names: list[str], context: StageContext
) -> tuple[DataFrame | None, list[Finding]]:
    """customer and segment of a frame that was not used to fit the segments; None if the task does not have it."""
    if frame not in frames:
        return None, []
    refuse_copies(frames[frame], frame)
    complete, missing = _complete(frames[frame], list(scaling.features), frame, context)
    labelled = clusters.with_label(complete.select("customer", scaling.scaled().alias("scaled")), model)
    return labelled.select("customer", _name(names).alias("segment")), missing


def _silhouette(silhouettes: Floats, subject: str, baseline: float | None = None) -> Measure:
    mean, rows = float(silhouettes.mean()), len(silhouettes)
    reach = float(_NORMAL_95 * silhouettes.std() / np.sqrt(rows))
    return Measure("silhouette", mean, subject, "sample", mean - reach, mean + reach, baseline, rows)


def _model_rows(scaling: Scaling, centres: Floats, names: list[str]) -> list[ModelRow]:
    shared = [
        (part, "", name, 0, of[name])
        for part, of in (("mean", scaling.means), ("deviation", scaling.deviations))
        for name in scaling.features
    ]
    return shared + [
        ("centre", segment, name, 0, float(number))
        for segment, centre in zip(names, centres, strict=True)
        for name, number in zip(scaling.features, centre, strict=True)
    ]
