"""Conditions on many columns as one, in halves of halves: a chain of a thousand is deeper than Spark's planner goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import and_, or_

from pyspark.sql import Column


def all_of(conditions: Iterable[Column]) -> Column:
    """Whether all of at least one condition hold."""
    return _joined([*conditions], and_)


def any_of(conditions: Iterable[Column]) -> Column:
    """Whether one of at least one condition holds."""
    return _joined([*conditions], or_)


def _joined(conditions: list[Column], join: Callable[[Column, Column], Column]) -> Column:
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return join(_joined(conditions[:half], join), _joined(conditions[half:], join))
