"""The outcome at each level of a property, with intervals. Imports no Spark."""

from __future__ import annotations

from typing import Any

import numpy as np

from otklik.inference import NORMAL_95, wilson
from otklik.insights.dependency.association import Counts, coarse, midranks
from otklik.insights.dependency.coding import Coding


def profile_rows(fine: Counts, one: Coding, other: Coding) -> list[tuple[Any, ...]]:
    """Rows of gold.<task>_profiles for a property and an outcome.

    For an outcome with two levels the share of the larger one, with more levels the share of each, both with
    Wilson's interval; for a number with more values the mean rank with a normal interval.

    Args:
        fine: counts by grade.
        one: encoding of the property.
        other: encoding of the outcome.
    """
    by_part = coarse(fine, (one.parts, np.arange(other.grades)))
    by_part = by_part if other.cuts is not None else coarse(fine, (one.parts, other.parts))
    found = []
    for place, counts in enumerate(by_part):
        if counts.sum():
            fixed = (one.name, place, one.labels[place], other.name)
            found += [(*fixed, *row) for row in _of_level(counts, by_part.sum(axis=0), other)]
    return found


def _of_level(counts: Counts, overall: Counts, other: Coding) -> list[tuple[Any, ...]]:
    rows, all_rows = int(counts.sum()), int(overall.sum())
    if other.cuts is not None and other.grades > 2:
        ranks = midranks(overall)
        value = float((counts * ranks).sum() / rows)
        reach = NORMAL_95 * float(np.sqrt(float((counts * (ranks - value) ** 2).sum()) / rows / max(rows - 1, 1)))
        return [("", rows, value, max(0.0, value - reach), min(1.0, value + reach), 0.5)]
    levels = [1] if other.grades == 2 else range(other.grades)
    found = []
    for level in levels:
        low, high = (float(end) for end in wilson(counts[level], rows))
        share, whole = float(counts[level] / rows), float(overall[level] / all_rows)
        found.append((other.labels[level], rows, share, low, high, whole))
    return found
