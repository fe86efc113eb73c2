"""Attributes of customers → an array of numbers, and what each number means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

#: Level for all but the most common ones.
OTHER = "(other)"
#: Level for an empty string.
EMPTY = "(empty)"


@dataclass(frozen=True)
class Slot:
    """One number that the model sees.

    Attributes:
        feature: the column it comes from.
        level: the level of a string; for a number `+1 SD`, or `(empty)` for the missing-value indicator.
        reference: the reference level of strings; None for numbers.
        value: as a column expression over the customers.
        mean: over all customers, so that contributions are relative to the average customer.
    """

    feature: str
    level: str
    reference: str | None
    value: Column
    mean: float


def slots_of(customers: DataFrame, names: Sequence[str], maximum_levels: int) -> list[Slot]:
    """Numeric features of all attributes: dummies of strings, standardised numbers.

    The most common level of a string is the reference; levels beyond `maximum_levels` are `(other)`. A missing number
    becomes the mean, with an indicator. Constant attributes have no slot. Collects a row per attribute, and at most
    `maximum_levels` + 1 levels per string.
    """
    texts = [name for name, kind in customers.dtypes if name in names and kind == "string"]
    numbers = [name for name in names if name not in texts]
    found: list[Slot] = []
    for name in texts:
        found += _levels(customers, name, maximum_levels)
    return found + _numbers(customers, numbers)


def without_copies(customers: DataFrame, slots: Sequence[Slot]) -> tuple[list[Slot], list[tuple[Slot, Slot]]]:
    """Slots without duplicates of earlier ones, and each duplicate with its original.

    For example `no internet service` of several services, which a model cannot separate. Duplicates are found by the
    sum of their values, each multiplied by a hash of the customer.
    """
    if not slots:
        return [], []
    mark = F.pmod(F.xxhash64("customer"), F.lit(1_000_003))
    row = customers.agg(*(F.sum(slot.value * mark).alias(f"slot_{place}") for place, slot in enumerate(slots))).first()
    assert row is not None
    kept: dict[float, Slot] = {}
    copies: list[tuple[Slot, Slot]] = []
    for slot, total in zip(slots, row, strict=True):
        original = kept.setdefault(round(total, 3), slot)
        if original is not slot:
            copies.append((slot, original))
    return list(kept.values()), copies


def _levels(customers: DataFrame, name: str, maximum: int) -> list[Slot]:
    total = customers.count()
    level = F.coalesce(F.col(f"`{name}`"), F.lit(EMPTY))
    commonest = (
        customers.groupBy(level.alias("level"))
        .agg(F.count("*").alias("customers"))
        .orderBy(F.desc("customers"), "level")
        .limit(maximum + 1)
        .collect()
    )
    kept = commonest if len(commonest) <= maximum else commonest[: maximum - 1]
    if len(commonest) < 2:
        return []
    reference = kept[0].level
    known = [row.level for row in kept]
    slots = [
        Slot(name, row.level, reference, (level == F.lit(row.level)).cast("double"), row.customers / total)
        for row in kept[1:]
    ]
    if len(kept) < len(commonest):
        rest = 1 - sum(row.customers for row in kept) / total
        slots.append(Slot(name, OTHER, reference, (~level.isin(known)).cast("double"), rest))
    return slots


def _numbers(customers: DataFrame, names: Sequence[str]) -> list[Slot]:
    if not names:
        return []
    row = customers.agg(
        *(
            part
            for name in names
            for part in (
                F.avg(f"`{name}`").alias(f"mean {name}"),
                F.stddev_pop(f"`{name}`").alias(f"spread {name}"),
                F.avg(F.col(f"`{name}`").isNull().cast("double")).alias(f"empty {name}"),
            )
        )
    ).first()
    assert row is not None
    slots = []
    for name in names:
        mean, spread, empty = row[f"mean {name}"], row[f"spread {name}"], row[f"empty {name}"]
        if spread:
            value = (F.coalesce(F.col(f"`{name}`"), F.lit(mean)) - F.lit(mean)) / F.lit(spread)
            slots.append(Slot(name, "+1 SD", None, value, 0.0))
            if 0 < empty < 1:
                slots.append(Slot(name, EMPTY, None, F.col(f"`{name}`").isNull().cast("double"), empty))
    return slots
