"""Purchases → one history per customer → the distinct histories with the number of their customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError
from otklik.forecasts.lifetime.purchasing import Floats, Histories
from otklik.forecasts.lifetime.spending import Means

#: The columns that make a history.
HISTORY = ("frequency", "recency_days", "age_days")
#: Amounts are summed as decimals, so that the sum does not depend on the order of rows.
_MONEY = "decimal(28,6)"
#: Candidate numbers of days per group; the last one puts all days into one group.
_STEPS = (2, 4, 7, *(14 * 2**n for n in range(11)))
#: Relative standard error of an approximate count: 1.04 / √4096, and a little more.
_COUNT_ERROR = 0.02
#: Groups of mean amounts per unit of the logarithm, the finest first.
_GRAINS = (1000, 100, 10)


def customers_until(purchases: DataFrame, boundary: date, end: date) -> DataFrame:
    """One row per customer, with the purchase days up to a boundary and those after it.

    All purchases of a customer on one calendar day (UTC) count as one.

    Args:
        purchases: customer, moment and perhaps amount.
        boundary: last day of the first part.
        end: last day that counts.

    Returns:
        customer STRING, first_day DATE, first_amount, days_before BIGINT, last_before DATE, spent_before, days BIGINT,
        last_day DATE, spent; amounts DOUBLE, null without amounts.
    """
    amount = F.col("amount").cast(_MONEY) if "amount" in purchases.columns else F.lit(None).cast(_MONEY)
    # Partitioned by customer first: there are two groupings, and rows are shuffled once.
    days = (
        purchases.withColumn("day", F.to_date("moment"))
        .where(F.col("day") <= F.lit(end))
        .repartition("customer")
        .groupBy("customer", "day")
        .agg(F.sum(amount).alias("amount"))
    )
    is_before = F.col("day") <= F.lit(boundary)
    return days.groupBy("customer").agg(
        F.min("day").alias("first_day"),
        F.min_by("amount", "day").cast("double").alias("first_amount"),
        F.count_if(is_before).alias("days_before"),
        F.max(F.when(is_before, F.col("day"))).alias("last_before"),
        F.sum(F.when(is_before, F.col("amount"))).cast("double").alias("spent_before"),
        F.count("*").alias("days"),
        F.max("day").alias("last_day"),
        F.sum("amount").cast("double").alias("spent"),
    )


def histories_before(customers: DataFrame, boundary: date) -> DataFrame:
    """Purchase histories up to the boundary, and the purchases after it.

    Returns:
        customer, frequency, recency_days, age_days, spent, mean_amount (per repeat purchase day), later_purchases,
        later_spend.
    """
    later = {
        "later_purchases": F.col("days") - F.col("days_before"),
        "later_spend": F.col("spent") - F.coalesce("spent_before", F.lit(0.0)),
    }
    return customers.where("days_before > 0").select(
        "customer", *_history("days_before", "last_before", "spent_before", boundary),
        *(column.alias(name) for name, column in later.items()),
    )  # fmt: skip


def histories_at_end(customers: DataFrame, end: date) -> DataFrame:
    """Histories of all customers at the end: customer, frequency, recency_days, age_days, spent, mean_amount."""
    return customers.select("customer", *_history("days", "last_day", "spent", end))


def _history(days: str, last: str, spent: str, until: date) -> list[Column]:
    repeats = F.col(days) - 1
    return [
        repeats.alias("frequency"),
        F.datediff(F.col(last), F.col("first_day")).cast("bigint").alias("recency_days"),
        F.datediff(F.lit(until), F.col("first_day")).cast("bigint").alias("age_days"),
        F.col(spent).alias("spent"),
        F.when(repeats > 0, (F.col(spent) - F.col("first_amount")) / repeats).alias("mean_amount"),
    ]


@dataclass(frozen=True, eq=False)
class Cells:
    """Distinct histories on the driver.

    Attributes:
        rows: frequency, recency_days, age_days (of the middle of each step), any additional columns, and
            customers; sorted.
        step_days: number of days per step; 1 = exact.
    """

    rows: pd.DataFrame
    step_days: int

    def histories(self, unit_days: float) -> Histories:
        """The input of the models: each distinct history once, times in units of `unit_days` days."""
        by_history = self.by_history()
        columns = [by_history[name].to_numpy(float) for name in (*HISTORY, "customers")]
        return Histories(columns[0], columns[1] / unit_days, columns[2] / unit_days, columns[3])

    def by_history(self) -> pd.DataFrame:
        """Customers of each distinct history."""
        return self.rows.groupby(list(HISTORY), sort=True)["customers"].sum().reset_index()

    def history_of_row(self) -> np.ndarray:
        """Index into `by_history` of each row."""
        return self.rows.groupby(list(HISTORY), sort=True).ngroup().to_numpy()


def cells(histories: DataFrame, maximum: int, beside: Sequence[str] = ()) -> Cells:
    """The distinct histories, collected: at most `maximum` rows.

    If there are more, days are grouped in steps of 2, 4, 7, 14, 28 …, until they fit.

    Args:
        histories: customer, frequency, recency_days, age_days.
        maximum: maximum number of rows on the driver.
        beside: additional integer columns to group by.

    Raises:
        ConfigurationError: if they do not fit even in one step.
    """
    step, coarser = 1, list(_STEPS)
    while True:
        grouped = with_step(histories, step).groupBy(*HISTORY, *beside).agg(F.count("*").alias("customers"))
        rows = grouped.limit(maximum + 1).toPandas()
        if len(rows) <= maximum:
            return Cells(rows.sort_values([*HISTORY, *beside], ignore_index=True), step)
        if step == 1:
            coarser = _not_clearly_too_fine(histories, maximum, beside)
        if not coarser:
            raise ConfigurationError(
                f"customers have more than {maximum:,} distinct histories, even with days grouped",
                where="maximum_groups",
                hint="raise maximum_groups",
            )
        step = coarser.pop(0)


def _not_clearly_too_fine(histories: DataFrame, maximum: int, beside: Sequence[str]) -> list[int]:
    """The steps that may be coarse enough, from one pass over all customers, because each grouping takes a shuffle.

    Counts are approximate: steps within five standard errors of the maximum are tried.
    """
    of_step = [_middles(step) for step in _STEPS]
    keys = [F.xxhash64("frequency", part["recency_days"], part["age_days"], *beside) for part in of_step]
    hashed = histories.select(*(key.alias(f"step_{step}") for step, key in zip(_STEPS, keys, strict=True)))
    # A sketch is one value; approx_count_distinct has hundreds of buffer columns, which are compiled for each task.
    counts = hashed.agg(*(F.hll_sketch_estimate(F.hll_sketch_agg(name)) for name in hashed.columns)).collect()[0]
    return [step for step, count in zip(_STEPS, counts, strict=True) if count <= maximum * (1 + 5 * _COUNT_ERROR)]


def with_step(histories: DataFrame, step: int) -> DataFrame:
    """Group days: each becomes the midpoint of its step, DOUBLE; the day of the first purchase stays 0."""
    return histories.withColumns(_middles(step))


def _middles(step: int) -> dict[str, Column]:
    def middle(name: str) -> Column:
        return F.floor(F.col(name) / step) * step + F.lit((step - 1) / 2)

    return {
        "age_days": middle("age_days"),
        "recency_days": F.when(F.col("frequency") > 0, middle("recency_days")).otherwise(F.lit(0.0)),
    }


def means(histories: DataFrame, maximum: int) -> tuple[Means, int, float | None]:
    """Mean amounts of repeat customers, in groups of nearly equal values; collects at most `maximum` rows.

    Returns:
        The groups; the number of customers excluded because their mean is not positive; the correlation of frequency
        and mean amount, which the Gamma-Gamma model assumes to be near 0.
    """
    repeaters = histories.where("frequency > 0")
    positive = repeaters.where("mean_amount > 0").withColumn("log_mean", F.ln("mean_amount"))
    for grain in _GRAINS:
        grouped = positive.groupBy("frequency", F.floor(F.col("log_mean") * grain).alias("place")).agg(
            F.avg("log_mean").alias("log_mean"), F.count("*").alias("customers")
        )
        rows = grouped.limit(maximum + 1).toPandas()
        if len(rows) <= maximum:
            break
    rows = rows.sort_values(["frequency", "place"], ignore_index=True)
    said = repeaters.agg(
        F.count_if(~(F.col("mean_amount") > 0)).alias("without"), F.corr("frequency", "mean_amount").alias("together")
    ).first()
    assert said is not None
    columns: list[Floats] = [rows[name].to_numpy(float) for name in ("frequency", "log_mean", "customers")]
    return Means(*columns), int(said["without"]), said["together"]
