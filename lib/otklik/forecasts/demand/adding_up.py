"""Reconcile forecasts of series, groups and the total, so that they add up.

Weighted least squares with the variances of earlier errors (Hyndman, Lee & Wang 2016; Wickramasuriya, Athanasopoulos &
Hyndman 2019, "WLS"). With two levels above the series there is a closed form: sums are averaged upwards with each
level's own forecast by precision, and the adjustments are distributed downwards by the shares of variance.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

#: The name of the total, and the prefix of group names.
ALL, GROUP = "all", "group "


def totals_of(rows: DataFrame, groups: DataFrame, last: int) -> DataFrame:
    """Sales of each group and in total: series (`group …`, `all`), place, quantity.

    Args:
        rows: of form `series.ROWS`: the status of each series, with its values in `actual`.
        groups: series, group.
        last: place of the last period.
    """
    values = rows.where("status = 'forecast'").select(
        "series", F.posexplode("actual").alias("at", "quantity"), "periods"
    )
    placed = values.select("series", (F.col("at") + last + 1 - F.col("periods")).alias("place"), "quantity")
    sums = F.sum(F.col("quantity").cast("decimal(28,6)")).cast("double").alias("quantity")
    of_groups = placed.join(groups, "series").groupBy(name_of_group().alias("series"), "place").agg(sums)
    return of_groups.unionByName(placed.groupBy(F.lit(ALL).alias("series"), "place").agg(sums))


def variances_of(steps: DataFrame, earlier: DataFrame, part: str) -> DataFrame:
    """Add variance: mean squared earlier error of the series or, without one, its squared mean change."""
    squares = earlier.where(F.col("part") == part).groupBy("series").agg(F.avg(F.col("error") ** 2).alias("square"))
    least = (F.lit(0.01) * F.col("scale")) ** 2
    variance = F.greatest(F.coalesce("square", F.col("scale") ** 2), least)
    return steps.join(squares, "series", "left").withColumn("variance", variance).drop("square")


def adding_up(steps: DataFrame, totals: DataFrame, groups: DataFrame) -> DataFrame:
    """Reconcile the quantities of series with the forecasts of groups and of the total.

    Args:
        steps: series, step, quantity, variance and others.
        totals: the same for groups and the total, by their names.
        groups: series, group.

    Returns:
        The rows of `steps`; `alone` is the unreconciled quantity. No quantity of 0 or more becomes negative.
    """
    own = totals.select("series", "step", F.col("quantity").alias("own"), F.col("variance").alias("own_variance"))
    of_series = steps.join(groups, "series").withColumn("name", name_of_group())
    sums = of_series.groupBy("name", "step").agg(F.sum("quantity").alias("sum"), F.sum("variance").alias("spread"))
    met = sums.join(own, (F.col("name") == own["series"]) & (sums["step"] == own["step"])).select(
        "name", sums["step"], "sum", "spread", *_average("sum", "spread")
    )
    everything = met.groupBy("step").agg(F.sum("mean").alias("sum"), F.sum("variance").alias("spread"))
    change = (
        everything.join(own.where(F.col("series") == ALL), "step")
        .select("step", *_average("sum", "spread"), "sum", "spread")
        .select("step", ((F.col("mean") - F.col("sum")) / F.col("spread")).alias("per_variance"))
    )
    of_groups = met.join(F.broadcast(change), "step").select(
        "name",
        "step",
        ((F.col("mean") + F.col("variance") * F.col("per_variance") - F.col("sum")) / F.col("spread")).alias("change"),
    )
    changed = F.col("quantity") + F.col("variance") * F.col("change")
    floor = F.when(F.col("quantity") >= 0, F.lit(0.0)).otherwise(F.lit(float("-inf")))
    return (
        of_series.join(of_groups, ["name", "step"])
        .withColumns({"alone": F.col("quantity"), "quantity": F.greatest(changed, floor)})
        .drop("name", "change", "group")
    )


def name_of_group() -> Column:
    """Series name of the sum of a group."""
    return F.concat(F.lit(GROUP), "group")


def _average(value: str, variance: str) -> tuple[Column, Column]:
    """Mean and variance of a sum combined with its own forecast, weighted by precision."""
    total = F.col(variance) + F.col("own_variance")
    mean = (F.col(value) * F.col("own_variance") + F.col("own") * F.col(variance)) / total
    return mean.alias("mean"), (F.col(variance) * F.col("own_variance") / total).alias("variance")
