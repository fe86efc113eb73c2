"""The result of both ways of segmenting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame

from otklik.kind import Finding, Measure
from otklik.models.bootstrap import Floats, interval

ModelRow = tuple[str, str, str, int, float]


@dataclass(frozen=True)
class Segmentation:
    """Segments of customers.

    Attributes:
        customers: customer, segment, their properties.
        features: the properties by which segments were made.
        log1p: the properties that are log-transformed.
        stability: agreement of the segments between bootstrap samples.
        model: rows of gold.<task>_model: part, segment, property, place, value.
        before: customer and segment at the earlier moment, if there is one.
        new: customer and segment of customers not used in the fit, if any.
        valued: segment and value DOUBLE for the evaluation, if there are values.
        scores: rows of gold.<task>_scores; rfm only.
        has_structure: whether customers are more clustered than random points; None = not tested.
        measures: additional measures.
        findings: the findings.
    """

    customers: DataFrame
    features: Sequence[str]
    log1p: frozenset[str]
    stability: Measure
    model: Sequence[ModelRow]
    before: DataFrame | None = None
    new: DataFrame | None = None
    valued: DataFrame | None = None
    scores: DataFrame | None = None
    has_structure: bool | None = None
    measures: Sequence[Measure] = ()
    findings: Sequence[Finding] = ()


def stability(agreements: Floats, rows: int, subject: str = "") -> Measure:
    """Mean adjusted Rand index over bootstrap samples, and its 95 % range; random groups have 0."""
    low, high = interval(agreements)
    return Measure("stability", float(agreements.mean()), subject, "resamples", low, high, 0.0, rows)
