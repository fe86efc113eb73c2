"""Assign arms by hashes: people keep their arm, whoever is added later, in any partitioning of the rows.

Without strata an arm depends on the person and the salt only. With strata, new people take the next places of their
stratum in the order of their hashes, and place p belongs to the arm whose interval contains the fractional part of
start + p × golden ratio: of any number of consecutive places each arm gets its share to within a person or two, while
independent draws miss it by the square root of the number. Source of the sequence: Kuipers & Niederreiter 1974,
"Uniform distribution of sequences".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.evidence.arms import check_columns
from otklik.lake.identity import hash_of

_PARTS = 1_000_000_000
_GOLDEN = (math.sqrt(5) - 1) / 2


def design_of(arms: Mapping[str, float], salt: str, strata: Sequence[str]) -> str:
    """Identifies a method of assignment: people assigned by different methods are not comparable."""
    return hash_of([sorted(arms.items()), salt, list(strata)])[:16]


def drawn(
    people: DataFrame,
    earlier: DataFrame,
    others: DataFrame,
    arms: Mapping[str, float],
    salt: str,
    strata: Sequence[str],
) -> DataFrame:
    """Assign arms to new people.

    Args:
        people: unit, and the columns of the strata; one row per person.
        earlier: unit, stratum: people who already have an arm.
        others: unit: people in another experiment that excludes this one.
        arms: arm → its relative size.
        salt: salt of the assignment.
        strata: names of columns.

    Returns:
        unit, stratum, arm.

    Raises:
        ConfigurationError: if there is no such column.
        RefusedError: if a person has several rows.
    """
    check_columns(people, {"assignment.strata": strata}, only_numbers=False, frame="people")
    counts = people.agg(F.count("*").alias("rows"), F.count_distinct("unit").alias("units")).collect()[0]
    if counts["rows"] > counts["units"]:
        raise RefusedError(
            f"{counts['rows']:,} rows for {counts['units']:,} people",
            where="frame people",
            hint="give one row per person: where or a SELECT in [frames.people]",
        )
    levels = [F.coalesce(F.col(f"`{name}`").cast("string"), F.lit("")) for name in strata]
    named = people.select("unit", F.concat_ws("|", *levels).alias("stratum") if levels else F.lit("").alias("stratum"))
    new = named.join(earlier.select("unit"), "unit", "left_anti").join(others.select("unit"), "unit", "left_anti")
    if not levels:
        return new.withColumn("arm", _arm(_part(F.col("unit"), salt), arms))
    taken = earlier.groupBy("stratum").agg(F.count("*").alias("_taken"))
    by_hash = Window.partitionBy("stratum").orderBy(F.xxhash64("unit", F.lit(salt)), "unit")
    placed = new.withColumn("_place", F.row_number().over(by_hash)).join(taken, "stratum", "left")
    place = F.col("_place") - 1 + F.coalesce("_taken", F.lit(0))
    part = _part(F.col("stratum"), salt) + place * _GOLDEN
    return placed.select("unit", "stratum", _arm(part - F.floor(part), arms).alias("arm"))


def _part(key: Column, salt: str) -> Column:
    """A number in [0, 1) that depends on the key only."""
    return F.pmod(F.xxhash64(key, F.lit(salt)), F.lit(_PARTS)) / _PARTS


def _arm(part: Column, arms: Mapping[str, float]) -> Column:
    """The arm whose interval in [0, 1) contains a number; arms are ordered by name."""
    names, total, end = sorted(arms), sum(arms.values()), 0.0
    chosen = F.lit(names[-1])
    ends = []
    for name in names[:-1]:
        end += arms[name] / total
        ends.append((name, end))
    for name, end in reversed(ends):
        chosen = F.when(part < end, F.lit(name)).otherwise(chosen)
    return chosen
