"""What either way of segmenting gives to the rest of the stage."""

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
        log1p: the properties that are compared by their logarithm.
        stability: how far the segments stay when customers are drawn anew.
        model: rows of gold.<task>_model: part, segment, property, place, value.
        before: customer and segment at the earlier moment, if there is one.
        new: customer and segment of those who did not shape the segments, if any.
        valued: segment and value DOUBLE, by which the segments are judged, if there is anything.
        scores: rows of gold.<task>_scores, of rfm only.
        has_structure: whether customers fall into groups more than points without clusters would; None = not asked.
        measures: further ones.
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
    """The mean adjusted Rand index over resamples, and where 95 % of them lie; random groups reach 0."""
    low, high = interval(agreements)
    return Measure("stability", float(agreements.mean()), subject, "resamples", low, high, 0.0, rows)
