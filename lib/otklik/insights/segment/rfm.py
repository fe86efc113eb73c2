"""Recency, frequency and monetary value: scores by a declared rule, and the named segments based on them.

Hughes 1994, "Strategic Database Marketing". The quantile rule is numpy's default, linear interpolation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.insights.segment.agreement import adjusted_rand_index
from otklik.insights.segment.kind import OTHER, NamedSegment, Rfm, SegmentTask
from otklik.insights.segment.segmentation import Segmentation, stability
from otklik.kind import Finding, StageContext
from otklik.models.bootstrap import Floats, poisson_weights

NUMBERS = ("recency", "frequency", "monetary")
#: Approximate number of buckets of values, so that one task can rank the customers of a bucket.
_BUCKETS = 100
#: Orders and amounts are skewed.
_COMPARED_BY_LOGARITHM = frozenset({"frequency", "monetary"})
#: A score with this many times its expected share is a finding.
_CROWDED = 1.5

Cuts = Mapping[str, Sequence[float]]


def with_amount(purchases: DataFrame) -> DataFrame:
    """Amounts as exact decimals, so that sums do not depend on the order of rows; null if not finite."""
    return purchases.withColumn("amount", F.expr("try_cast(amount AS DECIMAL(28, 6))"))


def rfm_per_customer(purchases: DataFrame, now: datetime, before: datetime) -> DataFrame:
    """Recency, frequency and monetary value of customers at two moments.

    Args:
        purchases: customer, moment, amount DECIMAL without null, and optionally order.
        now: the moment; no purchase is later.
        before: an earlier moment.

    Returns:
        customer, recency BIGINT (calendar days, UTC), frequency BIGINT (distinct orders), monetary DOUBLE; likewise
        with the suffix _before, null without earlier purchases; value DOUBLE, the amounts after `before`.
    """
    by_then = F.col("moment") <= F.lit(before)
    rows = purchases if "order" in purchases.columns else purchases.withColumn("order", F.lit(None).cast("string"))
    orders = rows.groupBy("customer", "order").agg(
        F.max("moment").alias("last"),
        F.max(F.when(by_then, F.col("moment"))).alias("last_before"),
        F.sum("amount").alias("amount"),
        F.sum(F.when(by_then, F.col("amount"))).alias("amount_before"),
        # Rows without an order count one each.
        F.when(F.col("order").isNull(), F.count("*")).otherwise(1).alias("orders"),
        F.when(F.col("order").isNull(), F.count_if(by_then))
        .otherwise(F.max(by_then.cast("int")))
        .alias("orders_before"),
    )
    customers = orders.groupBy("customer").agg(
        *(F.max(name).alias(name) for name in ("last", "last_before")),
        *(F.sum(name).alias(name) for name in ("amount", "amount_before", "orders", "orders_before")),
    )
    return customers.select(
        "customer",
        _days("last", now).alias("recency"),
        F.col("orders").cast("bigint").alias("frequency"),
        F.col("amount").cast("double").alias("monetary"),
        _days("last_before", before).alias("recency_before"),
        F.when(F.col("last_before").isNotNull(), F.col("orders_before").cast("bigint")).alias("frequency_before"),
        F.col("amount_before").cast("double").alias("monetary_before"),
        (F.col("amount") - F.coalesce("amount_before", F.lit(0))).cast("double").alias("value"),
    )


def _days(last: str, moment: datetime) -> Column:
    return F.datediff(F.to_date(F.lit(moment)), F.to_date(last)).cast("bigint")


def with_placed(customers: DataFrame, settings: Rfm) -> DataFrame:
    """Add the values to cut, `<number>_placed` DOUBLE: the number itself, or its rank for scores by rank."""
    if settings.scores == "quantile_cuts":
        return customers.withColumns({f"{name}_placed": F.col(name).cast("double") for name in NUMBERS})
    return reduce(_with_rank, NUMBERS, customers)


def _with_rank(customers: DataFrame, name: str) -> DataFrame:
    """Rank from 1, smallest first, ties by customer; each bucket of values starts after those below."""
    shares = F.array(*(F.lit(place / _BUCKETS) for place in range(1, _BUCKETS)))
    borders = customers.agg(F.percentile_approx(name, shares, F.lit(10_000)).alias("_borders"))
    bucketed = (
        customers.crossJoin(F.broadcast(borders))
        .withColumn("_bucket", F.size(F.filter(F.coalesce("_borders", F.array()), lambda border: border < F.col(name))))
        .drop("_borders")
    )
    below = Window.partitionBy(F.lit(0)).orderBy("_bucket")
    sizes = bucketed.groupBy("_bucket").agg(F.count("*").alias("_size"))
    starts = sizes.select("_bucket", (F.sum("_size").over(below) - F.col("_size")).alias("_start"))
    within = F.row_number().over(Window.partitionBy("_bucket").orderBy(name, "customer"))
    return (
        bucketed.withColumn("_place", within)
        .join(F.broadcast(starts), "_bucket")
        .withColumn(f"{name}_placed", (F.col("_start") + F.col("_place")).cast("double"))
        .drop("_bucket", "_place", "_start")
    )


def cuts_of(placed: DataFrame, levels: int) -> Cuts:
    """The exact quantiles 1/levels, 2/levels … of placed values, by linear interpolation.

    Spark counts distinct values, so an executor holds all of them; only the cuts are collected.
    """
    shares = F.array(*(F.lit(place / levels) for place in range(1, levels)))
    row = placed.agg(*(F.percentile(f"{name}_placed", shares).alias(name) for name in NUMBERS)).collect()[0]
    return {name: [float(cut) for cut in row[name]] for name in NUMBERS}


def with_cuts(placed: DataFrame, cuts: Cuts) -> DataFrame:
    """Add the same cuts to every row, `<number>_cuts` ARRAY<DOUBLE>."""
    return placed.withColumns({f"{name}_cuts": F.array(*map(F.lit, cuts[name])) for name in NUMBERS})


def with_segment(rows: DataFrame, settings: Rfm) -> DataFrame:
    """Add scores, 1 … levels, and segment STRING.

    A score is 1 plus the number of cuts strictly below; that of recency is reversed, because fewer days are better.

    Args:
        rows: `<number>_placed` and `<number>_cuts`.
        settings: levels and named segments.
    """
    steps = {name: _cuts_below(name) for name in NUMBERS}
    scores = {
        "recency_score": F.lit(settings.levels) - steps["recency"],
        "frequency_score": steps["frequency"] + 1,
        "monetary_score": steps["monetary"] + 1,
    }
    return rows.withColumns(scores).withColumn("segment", _named(settings.segments))


def _cuts_below(name: str) -> Column:
    return F.size(F.filter(f"{name}_cuts", lambda cut: cut < F.col(f"{name}_placed")))


def _named(segments: Mapping[str, NamedSegment]) -> Column:
    fits = (
        (name, F.expr(" AND ".join(f"{number}_score BETWEEN {low} AND {high}" for number, (low, high) in ranges)))
        for name, one in segments.items()
        for ranges in [(("recency", one.recency), ("frequency", one.frequency), ("monetary", one.monetary))]
    )
    name, condition = next(fits)
    chain = reduce(lambda so_far, one: so_far.when(one[1], F.lit(one[0])), fits, F.when(condition, F.lit(name)))
    return chain.otherwise(F.lit(OTHER))


def agreements(segmented: DataFrame, sample: pd.DataFrame, settings: Rfm, resamples: int) -> Floats:
    """Adjusted Rand index between the segments and those by the cuts of each bootstrap sample.

    The cuts of a bootstrap sample come from Poisson(1) weights of the sample's customers; then all customers are
    segmented again, and (resample, segment, segment) are counted in Spark: at most resamples · 51² rows are collected.

    Args:
        segmented: customer, `<number>_placed`, segment.
        sample: customer and `<number>_placed` of a bounded number of customers.
        settings: levels and named segments.
        resamples: number of bootstrap samples.

    Returns:
        (resamples,)
    """
    redrawn = segmented.sparkSession.createDataFrame(
        list(_cuts_of_resamples(sample, settings.levels, resamples)),
        "resample INT, recency_cuts ARRAY<DOUBLE>, frequency_cuts ARRAY<DOUBLE>, monetary_cuts ARRAY<DOUBLE>",
    )
    placed = segmented.select(F.col("segment").alias("_segment"), *(f"{name}_placed" for name in NUMBERS))
    again = with_segment(placed.crossJoin(F.broadcast(redrawn)), settings)
    counts = again.groupBy("resample", "_segment", "segment").count().toPandas()
    tables = (rows.pivot_table("count", "_segment", "segment", fill_value=0) for _, rows in counts.groupby("resample"))
    return np.array([adjusted_rand_index(table.to_numpy(dtype=np.float64)) for table in tables])


def _cuts_of_resamples(sample: pd.DataFrame, levels: int, resamples: int) -> Iterator[tuple[object, ...]]:
    shares = np.arange(1, levels) / levels
    weights = poisson_weights(sample["customer"].to_numpy(), resamples, "segment resample").astype(int)
    for number, of_customers in enumerate(weights):
        # An empty resample has no cuts: the original customers are used instead.
        times = of_customers if of_customers.any() else np.ones_like(of_customers)
        drawn = sample.loc[np.repeat(sample.index, times)]
        yield (number, *(np.quantile(drawn[f"{name}_placed"], shares).tolist() for name in NUMBERS))


def segment_by_rfm(frames: Mapping[str, DataFrame], task: SegmentTask, context: StageContext) -> Segmentation:
    """Segments now and, if configured, at an earlier moment, with the amounts of the days in between.

    Raises:
        RefusedError: if there are no purchases.
    """
    settings, purchases = task.rfm, with_amount(frames["purchases"])
    earlier = context.as_of - timedelta(days=settings.compare_days_before or 0)
    usable = purchases.where(F.col("amount").isNotNull())
    both = context.keep(rfm_per_customer(usable, context.as_of, earlier))
    if both.isEmpty():
        raise RefusedError(
            "no purchases with an amount are left",
            where="frames.purchases",
            hint="check that frames.purchases.where keeps some rows, and that amount is a number",
        )
    placed = context.keep(with_placed(both.select("customer", *NUMBERS), settings))
    cuts = cuts_of(placed, settings.levels)
    segmented = context.keep(with_segment(with_cuts(placed, cuts), settings))
    sample = (
        placed.select("customer", *(f"{name}_placed" for name in NUMBERS))
        .orderBy(F.xxhash64("customer"), "customer")
        .limit(task.evaluation.sample)
        .toPandas()
    )
    then = None if settings.compare_days_before is None else _earlier(both, settings, context)
    part = "cut" if settings.scores == "quantile_cuts" else "rank_cut"
    return Segmentation(
        customers=segmented.select("customer", "segment", *NUMBERS),
        features=NUMBERS,
        log1p=_COMPARED_BY_LOGARITHM,
        stability=stability(agreements(segmented, sample, settings, task.evaluation.resamples), len(sample)),
        model=[(part, "", name, place, cut) for name, of in cuts.items() for place, cut in enumerate(of, start=1)],
        before=None if then is None else then.select("customer", "segment"),
        valued=None if then is None else then.select("segment", "value"),
        scores=segmented.select("customer", *NUMBERS, *(f"{name}_score" for name in NUMBERS)),
        findings=[*_unusual_amounts(purchases), *_crowded_scores(segmented, settings.levels)],
    )


def _earlier(both: DataFrame, settings: Rfm, context: StageContext) -> DataFrame | None:
    """customer, segment and value of those who had bought by the earlier moment; its own cuts."""
    then = both.where("recency_before IS NOT NULL").select(
        "customer", "value", *(F.col(f"{name}_before").alias(name) for name in NUMBERS)
    )
    if then.isEmpty():
        return None
    placed = context.keep(with_placed(then, settings))
    return context.keep(with_segment(with_cuts(placed, cuts_of(placed, settings.levels)), settings))


def _unusual_amounts(purchases: DataFrame) -> list[Finding]:
    """Amounts that are negative or not finite."""
    counts = purchases.agg(
        F.count_if(F.col("amount").isNull()).alias("unusable"), F.count_if(F.col("amount") < 0).alias("negative")
    ).collect()[0]
    return [
        Finding(f"{name}_amounts", "amount", {"n": counts[name]}, float(counts[name]), is_warning=True)
        for name in ("unusable", "negative")
        if counts[name]
    ]


def _crowded_scores(segmented: DataFrame, levels: int) -> list[Finding]:
    """Scores that do not divide customers evenly, because many have the same value."""
    grid = segmented.groupBy(*(f"{name}_score" for name in NUMBERS)).count().toPandas()
    shares = {name: grid.groupby(f"{name}_score")["count"].sum() / grid["count"].sum() for name in NUMBERS}
    return [
        Finding("crowded_score", name, {"percent": round(100 * most), "score": int(share.idxmax())}, most)
        for name, share in shares.items()
        if (most := float(share.max())) * levels > _CROWDED
    ]
