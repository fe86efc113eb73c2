"""What each method thinks of an item for a customer: candidates with one score per method, all between 0 and 1.

Nothing comes to the driver. Customers and items are whole numbers here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pyspark.ml.recommendation import ALS
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from otklik.forecasts.recommend.kind import RecommendTask
from otklik.session import checkpointed, has_checkpoint_folder

#: The methods, in the order of every vector of weights.
METHODS = ("own", "popularity", "item_item", "als", "segment")
#: Iterations of ALS that Java's stack bears without checkpoints.
_WITHOUT_CHECKPOINTS = 5
#: Items whose factors are multiplied with those of customers at once; 8 MB at 64 factors.
_ITEMS_PER_BLOCK = 32_768
#: A weight for each of METHODS.
Weights = tuple[float, float, float, float, float]
#: What a method alone is.
ALONE: dict[str, Weights] = {
    "own": (1, 0, 0, 0, 0),
    "popularity": (0, 1, 0, 0, 0),
    "item_item": (0, 0, 1, 0, 0),
    "als": (0, 0, 0, 1, 0),
    "segment": (0, 0, 0, 0, 1),
}


@dataclass(frozen=True)
class Candidates:
    """Items that may stand in a customer's list.

    Attributes:
        rows: customer, item, METHODS (0 to 1), buyers, is_own, is_warm.
        neighbours: see `neighbours_of_items`; None where item-item was not asked for.
        liked: customer, item, buyers: see `most_bought`.
    """

    rows: DataFrame
    neighbours: DataFrame | None
    liked: DataFrame


def candidates_of(
    history: DataFrame,
    wanted: DataFrame,
    task: RecommendTask,
    seed: int,
    keep: Callable[[DataFrame], DataFrame],
    methods: Collection[str] = METHODS,
    allowed: DataFrame | None = None,
    segments: DataFrame | None = None,
    most_popular: int | None = None,
    parts: int = 0,
) -> Candidates:
    """Candidates of some customers, from what everybody has bought.

    Args:
        history: customer, item, times.
        wanted: customer: whose candidates.
        task: see `RecommendTask`.
        seed: of the factorisation's first factors.
        keep: persists a frame.
        methods: that are needed; the others score 0.
        allowed: item: the only items that may be recommended; None: all.
        segments: customer, segment; None: customers have none.
        most_popular: how many popular items are candidates of everybody; None: `candidates`, too.
        parts: that history is cut into by customer, and so are candidates; 0: as Spark cuts them.

    Returns:
        For each customer what he has bought, the most popular items, and the best ones of each method; so at most
        `candidates` × 4 beside his own.
    """
    buyers = _computed(keep(history.groupBy("item").agg(F.count("*").alias("buyers"))))
    may_be_shown = buyers if allowed is None else buyers.join(allowed, "item", "left_semi")
    popular = may_be_shown.orderBy(F.desc("buyers"), "item").limit(most_popular or task.candidates)
    most = buyers.agg(F.max("buyers").alias("most"))
    of_wanted = history.join(wanted, "customer")
    liked = keep(most_bought(history.join(buyers, "item"), task.largest_history))
    found = [
        _scored(of_wanted, "own", "times"),
        _scored(wanted.crossJoin(F.broadcast(popular)), "popularity", "buyers"),
    ]
    neighbours = None
    if "item_item" in methods:
        neighbours = _computed(keep(neighbours_of_items(liked, task.neighbours)))
        similar = similar_items(liked.join(wanted, "customer"), neighbours)
        found.append(_scored(_best(similar, "similarity", task.candidates), "item_item", "similarity"))
    if "als" in methods:
        found.append(_scored(_factorised(history, of_wanted, task, seed), "als", "rating"))
    if segments is not None and "segment" in methods:
        bought = history.join(segments, "customer").join(may_be_shown.select("item"), "item")
        of_segments = bought.groupBy("segment", "item").agg(F.count("*").alias("count"))
        top = _best(of_segments, "count", task.candidates, "segment")
        found.append(_scored(wanted.join(segments, "customer").join(top, "segment"), "segment", "count"))
    score = F.col("score")
    each = [F.coalesce(F.max(F.when(F.col("method") == name, score)), F.lit(0.0)).alias(name) for name in METHODS]
    joined = found[0]
    for more in found[1:]:
        joined = joined.unionAll(more)
    rows = by_customer(joined, parts).groupBy("customer", "item").agg(*each)
    in_list = Window.partitionBy("customer")
    is_own = F.col("own") > 0
    rows = (
        rows.withColumns({"is_own": is_own, "is_warm": F.count_if(is_own).over(in_list) >= task.minimum_items})
        .withColumns({name: _of_greatest(name, F.max(name).over(in_list)) for name in METHODS if name != "popularity"})
        .join(may_be_shown, "item").crossJoin(F.broadcast(most))
        .withColumn("popularity", F.col("buyers") / F.col("most")).drop("most")
    )  # fmt: skip
    return Candidates(rows, neighbours, liked)


def by_customer(rows: DataFrame, parts: int) -> DataFrame:
    """Rows cut into parts by their customer; 0: as they are."""
    return rows.repartition(parts, "customer") if parts else rows


def _computed(kept: DataFrame) -> DataFrame:
    """Rows that are kept, computed now: Spark then knows how few they are, and joins them without moving the others."""
    kept.count()
    return kept


def _scored(rows: DataFrame, method: str, score: str) -> DataFrame:
    return rows.select("customer", "item", F.lit(method).alias("method"), F.col(score).cast("double").alias("score"))


def _of_greatest(name: str, greatest: Column) -> Column:
    """A share of the greatest value; nothing below 0."""
    return F.when(greatest > 0, F.greatest(F.col(name) / greatest, F.lit(0.0))).otherwise(F.lit(0.0))


def _best(rows: DataFrame, score: str, count: int, group: str = "customer", item: str = "item") -> DataFrame:
    """The rows of greatest score of each group; of equal ones, those of the lower number."""
    place = F.row_number().over(Window.partitionBy(group).orderBy(F.desc(score), item))
    return rows.withColumn("place", place).where(F.col("place") <= count).drop("place")


def most_bought(history: DataFrame, count: int) -> DataFrame:
    """So many items of each customer, those bought most often; of equal ones, the popular: customer, item, buyers.

    It bounds the pairs of items that a customer adds: a wholesaler with 10,000 items would add 50,000,000.
    """
    order = Window.partitionBy("customer").orderBy(F.desc("times"), F.desc("buyers"), "item")
    ranked = history.withColumn("place", F.row_number().over(order)).where(F.col("place") <= count)
    return ranked.select("customer", "item", "buyers")


def neighbours_of_items(liked: DataFrame, count: int) -> DataFrame:
    """The items that the same customers have bought: item, other, similarity; at most `count` others of an item.

    Cosine of the binary columns of the customer × item matrix (Sarwar, Karypis, Konstan, Riedl 2001, "Item-based
    collaborative filtering recommendation algorithms").
    """
    sizes = liked.groupBy("item").agg(F.count("*").alias("customers"))
    others = liked.select("customer", F.col("item").alias("other"))
    together = (
        liked.join(others, "customer").where(F.col("item") < F.col("other"))
        .groupBy("item", "other").agg(F.count("*").alias("both"))
    )  # fmt: skip
    both_ways = together.unionAll(together.select(F.col("other").alias("item"), F.col("item").alias("other"), "both"))
    cosine = F.col("both") / F.sqrt(F.col("customers") * F.col("customers_other"))
    of_other = sizes.select(F.col("item").alias("other"), F.col("customers").alias("customers_other"))
    similar = both_ways.join(sizes, "item").join(of_other, "other").select("item", "other", cosine.alias("similarity"))
    return _best(similar, "similarity", count, "item", "other")


def similar_items(liked: DataFrame, neighbours: DataFrame) -> DataFrame:
    """Similarity of items to all that a customer has bought: customer, item, similarity (the sum).

    Rounded, for sums of floating-point numbers depend on their order.
    """
    return (
        liked.select("customer", "item").join(neighbours, "item")
        .groupBy("customer", F.col("other").alias("item")).agg(F.round(F.sum("similarity"), 9).alias("similarity"))
    )  # fmt: skip


def iterations(spark: SparkSession, task: RecommendTask) -> int:
    """Of ALS: each carries the plan of all before it, unless that is written down; Java's stack bears a few."""
    return task.als_iterations if has_checkpoint_folder(spark) else min(task.als_iterations, _WITHOUT_CHECKPOINTS)


def _factorised(history: DataFrame, of_wanted: DataFrame, task: RecommendTask, seed: int) -> DataFrame:
    """Best items of implicit ALS (Hu, Koren, Volinsky 2008), for customers with purchases: customer, item, rating.

    Rows lie in an order of their own, for the factors depend on it.
    """
    als = ALS(
        rank=task.als_rank, maxIter=iterations(history.sparkSession, task), checkpointInterval=4,
        regParam=task.als_regularisation, alpha=task.als_alpha,
        implicitPrefs=True, nonnegative=False, userCol="customer", itemCol="item", ratingCol="times", seed=seed,
    )  # fmt: skip
    ordered = history.select("customer", "item", F.col("times").cast("float").alias("times"))
    # Without their plan, which every iteration would carry along.
    model = als.fit(checkpointed(ordered.repartition("customer").sortWithinPartitions("customer", "item")))
    # One block of items instead of several, each of which would give every customer its own best ones.
    found = model.setBlockSize(_ITEMS_PER_BLOCK).recommendForUserSubset(
        of_wanted.select("customer").distinct(), task.candidates
    )
    return found.select("customer", F.inline("recommendations"))
