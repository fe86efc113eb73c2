"""How well a score ranks customers by later spend: normalised Gini with its interval, compared with a naive score.

The Gini coefficient is the area between the Lorenz curve of later spend, customers sorted by a score, and the
diagonal, over the same area for customers sorted by the later spend itself: 1 = a perfect order, 0 = a random one. Its
interval is the jackknife over groups of customers (Efron & Tibshirani 1993, chapter 11), with the same groups for model
and naive rule, so that their difference has its own interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.forecasts.lifetime.purchasing import Floats
from otklik.inference import Estimate

#: Number of jackknife groups of customers.
_GROUPS = 32
#: Bins per unit of the logarithm of scores: scores within .2 % count as equal.
_PLACES = 500


@dataclass(frozen=True)
class Ranking:
    """A score compared with the naive one.

    Attributes:
        gini: Gini of the score.
        naive_gini: Gini of the naive score.
        gain: the difference.
        top_tenth: share of later spend of the top decile by score.
        naive_top_tenth: likewise by the naive score.
    """

    gini: Estimate
    naive_gini: Estimate
    gain: Estimate
    top_tenth: Estimate
    naive_top_tenth: Estimate


def ranked(customers: DataFrame, seed: int) -> Ranking:
    """Evaluate a score.

    Args:
        customers: customer, score, naive and actual; less than 0 counts as 0.
        seed: seed of the groups.

    Collects a row per group and bin of the score: at most 32 × 500 per factor e between the lowest and the highest.
    """
    grouped = customers.withColumn("group", F.pmod(F.xxhash64("customer", F.lit(seed)), F.lit(_GROUPS)))
    score, naive, actual = (_curves(grouped, name) for name in ("score", "naive", "actual"))
    ginis, naive_ginis = score[0] / actual[0], naive[0] / actual[0]
    return Ranking(
        Estimate.by_jackknife(ginis),
        Estimate.by_jackknife(naive_ginis),
        Estimate.by_jackknife(ginis - naive_ginis),
        Estimate.by_jackknife(score[1]),
        Estimate.by_jackknife(naive[1]),
    )


def _curves(grouped: DataFrame, name: str) -> tuple[Floats, Floats]:
    """Area of the Lorenz curve by one column, and the share of its top decile: of all, then without each group.

    Returns:
        Two arrays of (1 + groups,); areas up to a factor that is the same for every column.
    """
    rows = (
        grouped.groupBy("group", _place(name).alias("place"))
        .agg(F.count("*").alias("customers"), F.sum(_at_least_0("actual")).alias("actual"))
        .toPandas()
    )
    by_group = {
        what: rows.pivot_table(what, "place", "group", aggfunc="sum", fill_value=0.0).sort_index().to_numpy(float)
        for what in ("customers", "actual")
    }
    counts, sums = (
        np.column_stack([whole := table.sum(axis=1), whole[:, np.newaxis] - table]) for table in by_group.values()
    )
    up_to = counts.cumsum(axis=0)
    total, everything = counts.sum(axis=0), sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Customers of equal score share the mean of their ranks.
        areas = (sums * (up_to - (counts - 1) / 2)).sum(axis=0) - everything * (total + 1) / 2
        in_tenth = np.clip((total / 10 - (total - up_to)) / counts, 0.0, 1.0)
        first_tenth = np.where(counts > 0, sums * in_tenth, 0.0).sum(axis=0) / everything
        return areas / (everything * total), first_tenth


def _at_least_0(name: str) -> Column:
    return F.greatest(F.col(name), F.lit(0.0))


def _place(name: str) -> Column:
    """Bins of a score on a logarithmic scale; 0 comes last."""
    value = _at_least_0(name)
    return F.when(value > 0, F.floor(F.ln(value) * _PLACES)).otherwise(F.lit(-(2**31)))
