"""Units and their arms: what every kind of evidence checks before it compares anything."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import stats

from otklik.errors import ConfigurationError, RefusedError

#: Maximum number of names in a message.
_NAMED = 5


def check_columns(
    units: DataFrame, wanted: Mapping[str, Collection[str]], *, only_numbers: bool = True, frame: str = "units"
) -> None:
    """Check that the frame has every column that the task names.

    Args:
        units: the frame.
        wanted: key in the task → names of columns.
        only_numbers: whether they must be numeric.
        frame: its name.

    Raises:
        ConfigurationError: naming all columns that are missing or not numeric, with their keys.
    """
    fit = {name for name, kind in units.dtypes if not only_numbers or kind == "double"}
    faults = [f"{place} names {name!r}" for place, names in wanted.items() for name in names if name not in fit]
    if faults:
        raise ConfigurationError(
            f"{', '.join(faults)}: no such {'numeric ' if only_numbers else ''}column in the frame {frame}",
            where=f"[frames.{frame}]",
            hint=f"give the column under columns of [frames.{frame}], or correct its name in the task",
        )


def check_units(units: DataFrame) -> None:
    """Check that each unit has one row.

    Args:
        units: unit, arm.

    Raises:
        RefusedError: if a unit is in several arms, or several times in one.
    """
    is_mixed = F.min("arm") < F.max("arm")
    per_unit = units.groupBy("unit").agg(F.count("*").alias("rows"), is_mixed.alias("is_mixed"))
    found = per_unit.agg(F.count_if(F.col("rows") > 1).alias("repeated"), F.count_if("is_mixed").alias("mixed"))
    counts = found.collect()[0]
    if counts["mixed"]:
        raise RefusedError(
            f"{counts['mixed']:,} units are in more than one arm",
            where="frame units",
            hint="give each unit the one arm that it was assigned to, and leave out units that were reassigned",
        )
    if counts["repeated"]:
        raise RefusedError(
            f"{counts['repeated']:,} units have more than one row",
            where="frame units",
            hint="add the rows of a unit up to one row with a SELECT ([frames.units] sql)",
        )


def check_arms(found: Collection[str], declared: Collection[str]) -> None:
    """Check that the task declares every arm of the units.

    Raises:
        RefusedError: if there are others.
    """
    others = sorted(set(found) - set(declared))
    if others:
        raise RefusedError(
            f"units are in arms that the task does not declare: {', '.join(map(repr, others[:_NAMED]))}",
            where="frame units",
            hint="declare every arm in [arms], or filter out their units with where",
        )


def sample_ratio_p(counts: Sequence[int], planned: Sequence[float]) -> float:
    """p-value of the chi-squared test that units were split as planned; NaN without units.

    Source: Fabijan et al. 2019, "Diagnosing sample ratio mismatch in online controlled experiments".

    Args:
        counts: units of each arm.
        planned: the arms' planned sizes, in any unit.
    """
    total = sum(counts)
    if not total:
        return math.nan
    expected = [total * share / sum(planned) for share in planned]
    return float(stats.chisquare(counts, expected).pvalue)
