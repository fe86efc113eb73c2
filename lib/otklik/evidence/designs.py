"""Units as input of models: arms and outcomes are checked, features become numbers."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.kind import Frame
from otklik.models.prepare import Feature, Rules, Slot, features_of, fit_preparation, slot_array

#: How features become numbers; as the defaults of a classify task.
_RARE_SHARE, _MOST_LEVELS, _CORRELATION = 0.005, 50, 0.98


def features_of_units(units: DataFrame, frame: Frame, log_scale: Sequence[str]) -> tuple[Feature, ...]:
    """The columns that the kind does not declare: features of a unit before treatment.

    Args:
        units: the frame's rows.
        frame: the frame that the kind declares.
        log_scale: features to take the logarithm of.

    Raises:
        ConfigurationError: if there are none, or log_scale names an unknown one.
    """
    declared = {column.name for column in frame.columns}
    features = features_of(units, {name: False for name in units.columns if name not in declared})
    numbers = [feature.name for feature in features if feature.feature_type == "number"]
    unknown = [name for name in log_scale if name not in numbers]
    if unknown:
        raise ConfigurationError(
            f"log_scale names what is not a numeric column of the frame units: {', '.join(map(repr, unknown))}",
            where="log_scale",
            hint=f"its numbers are: {', '.join(numbers)}",
        )
    if not features:
        raise ConfigurationError(
            f"the frame units has no column other than {', '.join(sorted(declared))}",
            where="[frames.units]",
            hint="add what is known about a unit before the contact under columns",
        )
    return features


def outcomes_by_arm(units: DataFrame) -> dict[str, tuple[int, int]]:
    """Arm → units, and units with the outcome.

    Raises:
        RefusedError: if an outcome is neither 1 nor 0.
    """
    found = units.groupBy("arm").agg(
        F.count("*").alias("units"),
        F.sum("outcome").alias("yes"),
        F.count_if(~F.col("outcome").isin(0.0, 1.0)).alias("odd"),
    )
    rows = found.collect()
    if any(row["odd"] for row in rows):
        raise RefusedError(
            "outcome: neither 1 nor 0 in some rows",
            where="frame units",
            hint="give it as 1 or 0 under columns of [frames.units]",
        )
    return {row["arm"]: (row["units"], int(row["yes"])) for row in rows}


def laid_out(
    units: DataFrame, features: Sequence[Feature], arms: Sequence[str], log_scale: Sequence[str]
) -> tuple[DataFrame, tuple[Slot, ...]]:
    """unit, place INT (of the arm among `arms`), y DOUBLE and x ARRAY<DOUBLE>, and what each number of x is."""
    rules = Rules(
        _RARE_SHARE, _MOST_LEVELS, _CORRELATION, ("constant", "duplicate"), frozenset(log_scale), frozenset(), {}
    )
    keyed = units.select(F.col("unit").alias("key"), F.lit(0).alias("as_of"), *(feature.name for feature in features))
    slots = fit_preparation(keyed, features, rules).slots
    place = F.array_position(F.array(*map(F.lit, arms)), F.col("arm")).cast("int") - 1
    rows = units.select("unit", place.alias("place"), F.col("outcome").alias("y"), slot_array(slots).alias("x"))
    return rows, slots


def share_apart(rows: DataFrame, least: float) -> float:
    """Share of the units with a propensity below `least` for one of the arms: they have no comparable units.

    Args:
        rows: chances ARRAY<DOUBLE>, the propensity of each arm.
        least: the lowest acceptable propensity.
    """
    return float(rows.agg(F.avg((F.array_min("chances") < least).cast("double"))).collect()[0][0])
