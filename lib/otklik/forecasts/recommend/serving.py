"""Everybody's list: scores of the candidates, the rules on items, reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from otklik.forecasts.recommend.kind import RecommendTask
from otklik.forecasts.recommend.scoring import METHODS, Candidates, Weights, candidates_of
from otklik.kind import Finding, Measure, StageContext

#: What a method's score says of an item.
REASONS = {
    "own": "bought_before", "popularity": "popular", "item_item": "bought_with", "als": "similar_customers",
    "segment": "popular_in_segment",
}  # fmt: skip


@dataclass(frozen=True)
class Served:
    """The lists: customer, rank, item, score, reason, because; and what is said of them."""

    rows: DataFrame
    measures: Sequence[Measure]
    findings: Sequence[Finding]


def lists_of_all(
    pairs: DataFrame,
    names: Mapping[str, DataFrame],
    items: DataFrame | None,
    task: RecommendTask,
    context: StageContext,
    weights: Weights,
    cold: Weights,
    segments: DataFrame | None,
    parts: int = 0,
) -> Served:
    """The lists of all customers, from all purchases.

    Args:
        pairs: customer, item (whole numbers), times.
        names: customer → customer, customer_number; item → item, item_number.
        items: item (its name) and perhaps in_stock, category, margin; None: all may be recommended.
        task: see `RecommendTask`.
        context: of the stage.
        weights: for warm customers.
        cold: for cold ones.
        segments: customer (whole numbers), segment; None: there are none.
        parts: that pairs are cut into by customer; see `candidates_of`.
    """
    past = pairs.select("customer", "item", "times")
    allowed = None if items is None else context.keep(_allowed(items, names["item"], task))
    used = {method for place, method in enumerate(METHODS) if weights[place] or cold[place]}
    customers = past.select("customer")
    if segments is not None:
        customers = customers.unionByName(segments.select("customer"))
    # Where nothing is taken out, no list reaches further down than its own length.
    most_popular = task.list_length if task.buy_again and task.category_cap is None else None
    found = candidates_of(
        past, customers.distinct(), task, context.seed, context.keep, used,
        None if allowed is None else allowed.select("item"), segments, most_popular, parts,
    )  # fmt: skip
    rows = found.rows if task.buy_again else found.rows.where(~F.col("is_own"))
    score, reason = _scored(weights, cold)
    rows = rows.select("customer", "item", "buyers", F.round(score, 9).alias("score"), reason.alias("reason"))
    order = [F.desc("score"), F.desc("buyers"), F.asc("item")]
    if allowed is not None and task.category_cap is not None:
        place = F.row_number().over(Window.partitionBy("customer", "category").orderBy(*order))
        # An item without a category is under no cap.
        is_free = F.col("category").isNull()
        rows = (
            rows.join(allowed, "item").withColumn("place", place).where(is_free | (F.col("place") <= task.category_cap))
        )
    rank = F.row_number().over(Window.partitionBy("customer").orderBy(*order))
    listed = context.keep(rows.withColumn("rank", rank).where(F.col("rank") <= task.list_length))
    named = context.keep(_named(_with_because(listed, found), names))
    return Served(named, *_told(named, customers, task))


def _allowed(items: DataFrame, numbers: DataFrame, task: RecommendTask) -> DataFrame:
    """The items that may be recommended, by number: item, category."""
    rows = items.join(numbers, "item")
    if "in_stock" in items.columns:
        rows = rows.where(F.coalesce("in_stock", F.lit(True)))
    if task.minimum_margin is not None:
        rows = rows.where(F.col("margin") >= task.minimum_margin)
    category = F.col("category") if "category" in items.columns else F.lit(None).cast("string")
    return rows.select(F.col("item_number").alias("item"), category.alias("category"))


def _scored(weights: Weights, cold: Weights) -> tuple[Column, Column]:
    """The score of a candidate, and the reason of what counts most in it."""
    parts = [
        (method, F.when(F.col("is_warm"), F.lit(warm) * F.col(method)).otherwise(F.lit(otherwise) * F.col(method)))
        for method, warm, otherwise in zip(METHODS, weights, cold, strict=True)
    ]
    total = sum((part for _, part in parts), start=F.lit(0.0))
    # Where nothing counts the order is by popularity.
    most = F.array_max(
        F.array(*(F.struct(part.alias("part"), F.lit(method == "popularity"), F.lit(REASONS[method]).alias("reason"))
                  for method, part in parts))
    )  # fmt: skip
    return total, most["reason"]


def _with_because(listed: DataFrame, found: Candidates) -> DataFrame:
    """With because: the customer's item of greatest similarity, for the reason `bought_with`."""
    if found.neighbours is None:
        return listed.withColumn("because", F.lit(None).cast("int"))
    nearest = F.max_by(F.col("neighbour"), F.struct("similarity", "neighbour"))
    of_listed = found.neighbours.select(F.col("item").alias("neighbour"), F.col("other").alias("item"), "similarity")
    liked = found.liked.select("customer", F.col("item").alias("neighbour"))
    because = (
        listed.where(F.col("reason") == REASONS["item_item"]).select("customer", "item")
        .join(of_listed, "item").join(liked, ["customer", "neighbour"])
        .groupBy("customer", "item").agg(nearest.alias("because"))
    )  # fmt: skip
    return listed.join(because, ["customer", "item"], "left")


def _named(listed: DataFrame, names: Mapping[str, DataFrame]) -> DataFrame:
    """With names instead of numbers."""
    customers = names["customer"].select(F.col("customer").alias("name"), F.col("customer_number").alias("customer"))
    items = names["item"].select(F.col("item").alias("item_name"), F.col("item_number").alias("item"))
    others = names["item"].select(F.col("item").alias("because_name"), F.col("item_number").alias("because"))
    joined = listed.join(customers, "customer").join(items, "item").join(others, "because", "left")
    return joined.select(
        F.col("name").alias("customer"), "rank", F.col("item_name").alias("item"), "score", "reason",
        F.col("because_name").alias("because"),
    )  # fmt: skip


def _told(named: DataFrame, wanted: DataFrame, task: RecommendTask) -> tuple[list[Measure], list[Finding]]:
    """How many items were listed, for which reasons, and for how many customers a list is short."""
    customers = wanted.agg(F.countDistinct("customer")).collect()[0][0]
    reasons = {row["reason"]: row["count"] for row in named.groupBy("reason").count().collect()}
    listed = sum(reasons.values())
    full = named.where(F.col("rank") == task.list_length).count()
    measures = [
        Measure("customers", customers, split="served"),
        Measure("listed", listed, split="served", rows=customers),
        *(
            Measure("reason_share", reasons[reason] / listed, reason, "served", rows=listed)
            for reason in REASONS.values()
            if reason in reasons
        ),
    ]
    if full == customers:
        return measures, []
    short = {"n": customers - full, "customers": customers, "length": task.list_length}
    return measures, [Finding("short_lists", parameters=short, value=customers - full)]
