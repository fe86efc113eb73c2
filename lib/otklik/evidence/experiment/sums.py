"""From units to sums per arm, computed by Spark: all that the tests need.

The driver collects one row per arm, pattern of missing values and subgroup level (or day): some hundreds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from otklik.evidence.experiment.moments import CAPPED, Columns, Floats, Moments


@dataclass(frozen=True)
class Overview:
    """Statistics from one pass over all units.

    Attributes:
        units: number per arm.
        missing: number column → arm → units without a value.
        centre: number column → mean over all arms, which also fills missing covariates.
        caps: revenue column → maximum to which larger values are cut.
    """

    units: Mapping[str, int]
    missing: Mapping[str, Mapping[str, int]]
    centre: Mapping[str, float]
    caps: Mapping[str, float]


def overview(units: DataFrame, numbers: Sequence[str], revenues: Sequence[str], quantile: float) -> Overview:
    """Count the units of each arm and find means and caps.

    Args:
        units: arm and number columns.
        numbers: the number columns.
        revenues: those that are winsorised.
        quantile: of their positive values; larger ones are cut.
    """
    per_arm = units.groupBy("arm").agg(
        F.count("*").alias("units"),
        *(F.count(F.col(f"`{name}`")).alias(f"known {name}") for name in numbers),
        *(F.sum(F.col(f"`{name}`")).alias(f"total {name}") for name in numbers),
    )
    arms = {row["arm"]: row for row in per_arm.collect()}
    caps: dict[str, float] = {}
    if revenues:
        # Exact, so that the cap does not depend on partitioning.
        found = units.agg(
            *(
                F.percentile(F.when(F.col(f"`{name}`") > 0, F.col(f"`{name}`")), F.lit(quantile)).alias(name)
                for name in revenues
            )
        ).collect()[0]
        caps = {name: found[name] if found[name] is not None else 0.0 for name in revenues}
    return Overview(
        units={arm: row["units"] for arm, row in arms.items()},
        missing={name: {arm: row["units"] - row[f"known {name}"] for arm, row in arms.items()} for name in numbers},
        centre={name: _mean(arms.values(), name) for name in numbers},
        caps=caps,
    )


def with_values(units: DataFrame, columns: Columns, known: Overview) -> DataFrame:
    """Add winsorised metrics, fill covariates with their mean, and centre every number.

    A missing value stays missing; `_missing` has a bit for each column without a value in the row.
    """
    capped = {f"{CAPPED}{name}": F.least(F.col(f"`{name}`"), F.lit(cap)) for name, cap in known.caps.items()}
    units = units.withColumns(capped)
    centred: dict[str, Column] = {name: F.col(f"`{name}`") - F.lit(centre_of(name, known)) for name in columns.all}
    filled = {name: F.coalesce(centred[name], F.lit(0.0)) for name in columns.all}
    bits = [F.when(centred[name].isNull(), F.lit(1 << place)).otherwise(0) for place, name in enumerate(columns.values)]
    missing = sum(bits[1:], bits[0])
    return units.withColumn("_missing", missing).withColumns(filled)


def centre_of(name: str, known: Overview) -> float:
    """What is subtracted from a column before its values are summed."""
    return known.centre[name.removeprefix(CAPPED)]


def sums(
    rows: DataFrame, columns: Columns, centre: Floats, by: Sequence[str]
) -> dict[tuple[str, ...], dict[int, Moments]]:
    """Sums per group.

    Args:
        rows: from `with_values`, with the columns of `by`.
        columns: what to sum.
        centre: (columns,) of `columns.all`.
        by: what to group by.

    Returns:
        Values of `by` as texts → bits of the missing columns → sums.
    """
    names = columns.all
    pairs = [pair for pair in combinations_with_replacement(names, 2) if columns.are_paired(*pair)]
    grouped = rows.groupBy(*by, "_missing").agg(
        F.count("*").alias("units"),
        *(F.sum(F.col(f"`{name}`")).alias(f"total {place}") for place, name in enumerate(names)),
        *(
            F.sum(F.col(f"`{first}`") * F.col(f"`{second}`")).alias(f"product {place}")
            for place, (first, second) in enumerate(pairs)
        ),
    )
    found: dict[tuple[str, ...], dict[int, Moments]] = {}
    for row in grouped.collect():
        group = tuple(str(row[name]) for name in by)
        found.setdefault(group, {})[row["_missing"]] = _moments(row, names, pairs, centre)
    return found


def by_cell(rows: DataFrame, dimensions: Mapping[str, Column]) -> DataFrame:
    """Each row once per dimension, with `_dimension` and `_level`; rows without a level are left out."""
    cells = [
        F.struct(F.lit(name).alias("dimension"), level.cast("string").alias("level"))
        for name, level in dimensions.items()
    ]
    exploded = rows.withColumn("_cell", F.explode(F.array(*cells)))
    return exploded.where(F.col("_cell.level").isNotNull()).withColumns(
        {"_dimension": F.col("_cell.dimension"), "_level": F.col("_cell.level")}
    )


def level_of(name: str, dtype: str) -> Column:
    """The level of a subgroup column: texts as they are, whole numbers without a decimal point."""
    column = F.col(f"`{name}`")
    if dtype != "double":
        return column.cast("string")
    is_whole = column == F.floor(column)
    return F.when(is_whole, column.cast("bigint").cast("string")).otherwise(column.cast("string"))


def _mean(arms: object, name: str) -> float:
    rows = list(arms)  # type: ignore[call-overload]
    known = sum(row[f"known {name}"] for row in rows)
    return float(sum(row[f"total {name}"] or 0.0 for row in rows) / known) if known else 0.0


def _moments(row: Row, names: Sequence[str], pairs: Sequence[tuple[str, str]], centre: Floats) -> Moments:
    products = np.full((len(names), len(names)), np.nan)
    for place, (first, second) in enumerate(pairs):
        i, j = names.index(first), names.index(second)
        products[i, j] = products[j, i] = row[f"product {place}"]
    totals = np.array([row[f"total {place}"] for place in range(len(names))], dtype=np.float64)
    return Moments(tuple(names), centre, row["units"], totals, products)
