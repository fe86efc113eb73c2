"""Fit to purchases: popularity of items, similarity between items, factors of items and customers.

The driver collects tables of items, never of customers. Customers and items are integers here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from otklik.forecasts.recommend.candidates import METHODS, ItemTables, Limits, Whole
from otklik.forecasts.recommend.kind import RecommendTask
from otklik.session import checkpointed, has_checkpoint_folder

#: ALS iterations without checkpoints before Java's stack overflows.
_WITHOUT_CHECKPOINTS = 5
#: A weight for each of METHODS.
Weights = tuple[float, float, float, float, float]
#: Weights of each method alone.
ALONE: dict[str, Weights] = {
    "own": (1, 0, 0, 0, 0),
    "popularity": (0, 1, 0, 0, 0),
    "item_item": (0, 0, 1, 0, 0),
    "als": (0, 0, 0, 1, 0),
    "segment": (0, 0, 0, 0, 1),
}


@dataclass(frozen=True, eq=False)
class Learned:
    """The fitted methods.

    Attributes:
        items: see `ItemTables`.
        customers: one row each: customer, items and times (arrays, most purchased first), segment, factors (an array;
            null without purchases).
    """

    items: ItemTables
    customers: DataFrame


def learned_from(
    history: DataFrame,
    wanted: DataFrame,
    task: RecommendTask,
    seed: int,
    keep: Callable[[DataFrame], DataFrame],
    methods: Collection[str] = METHODS,
    allowed: DataFrame | None = None,
    categories: DataFrame | None = None,
    segments: DataFrame | None = None,
    most_popular: int | None = None,
) -> Learned:
    """Fit the methods to all purchases, for all items and some customers.

    Args:
        history: customer, item, times.
        wanted: customer: those who get a list.
        task: see `RecommendTask`.
        seed: seed of the initial factors.
        keep: persists a frame.
        methods: methods to fit.
        allowed: item: items that may be recommended; None: all.
        categories: item, category; None: there are none.
        segments: customer, segment; None: customers have none.
        most_popular: number of popular items that are candidates for everybody; None: `candidates`.
    """
    of_items = keep(history.groupBy("item").agg(F.count("*").alias("buyers")))
    sold = of_items.toPandas()
    total = int(sold["item"].max()) + 1 if len(sold) else 0
    buyers = np.zeros(total, dtype=np.int64)
    buyers[sold["item"]] = sold["buyers"]
    may_be_shown = buyers > 0
    if allowed is not None:
        may_be_shown &= np.isin(np.arange(total), allowed.select("item").toPandas()["item"])
    by_buyers = np.lexsort((np.arange(total), -buyers))
    popular = by_buyers[may_be_shown[by_buyers]][: most_popular or task.candidates]
    of_each = keep(bought_by_each(history.join(F.broadcast(of_items), "item")))
    similar = pd.DataFrame({"item": [], "other": [], "similarity": []})
    if "item_item" in methods:
        liked = of_each.select(F.slice("items", 1, task.largest_history).alias("items"))
        similar = neighbours_of_items(liked, task.neighbours).toPandas().sort_values(["item", "other"])
    rated, factors = np.empty(0, dtype=np.int32), np.empty((0, 0), dtype=np.float32)
    nothing = F.array().cast("array<bigint>")
    customers = wanted.join(of_each, "customer", "left").select(
        "customer", *(F.coalesce(name, nothing).alias(name) for name in ("items", "times"))
    )
    if "als" in methods:
        model = _factorised(history, task, seed)
        found = model.itemFactors.orderBy("id").toPandas()
        rated, factors = found["id"].to_numpy(np.int32), np.stack(list(found["features"]))
        of_customers = model.userFactors.select(F.col("id").alias("customer"), F.col("features").alias("factors"))
        customers = customers.join(of_customers, "customer", "left")
    else:
        customers = customers.withColumn("factors", F.lit(None).cast("array<float>"))
    of_segments: dict[str, tuple[Whole, Whole]] = {}
    if segments is None:
        customers = customers.withColumn("segment", F.lit(None).cast("string"))
    else:
        customers = customers.join(segments, "customer", "left")
        if "segment" in methods:
            of_segments = _popular_in_segments(history.join(segments, "customer"), may_be_shown, task.candidates)
    return Learned(
        ItemTables(
            buyers,
            may_be_shown,
            None if categories is None else _by_number(categories, total),
            popular,
            np.searchsorted(similar["item"], np.arange(total + 1)),
            similar["other"].to_numpy(np.int32),
            similar["similarity"].to_numpy(float),
            rated,
            factors,
            of_segments,
        ),
        customers,
    )


def limits_of(task: RecommendTask) -> Limits:
    """The task's maximum numbers of items."""
    return Limits(task.candidates, task.largest_history, task.minimum_items)


def _by_number(categories: DataFrame, total: int) -> npt.NDArray[np.object_]:
    found = np.full(total, None, dtype=object)
    rows = categories.toPandas()
    rows = rows[rows["item"] < total]
    found[rows["item"]] = rows["category"]
    return found


def bought_by_each(history: DataFrame) -> DataFrame:
    """One row per customer: items and times, those bought most often first, then the most popular.

    Args:
        history: customer, item, times, buyers (of the item).
    """
    order = F.struct((-F.col("times")).alias("seldom"), (-F.col("buyers")).alias("rare"), "item")
    listed = history.groupBy("customer").agg(F.sort_array(F.collect_list(order)).alias("bought"))
    return listed.select(
        "customer",
        F.col("bought.item").cast("array<bigint>").alias("items"),
        F.transform("bought.seldom", lambda seldom: -seldom).alias("times"),
    )


def neighbours_of_items(liked: DataFrame, count: int) -> DataFrame:
    """The items bought by the same customers: item, other, similarity; at most `count` others per item.

    Cosine of the binary columns of the customer × item matrix (Sarwar, Karypis, Konstan, Riedl 2001, "Item-based
    collaborative filtering recommendation algorithms").

    Args:
        liked: items (an array) of each customer. Few enough to enumerate pairs: a wholesaler with 10,000 items
            would add 50,000,000.
        count: maximum number of others.
    """
    single = liked.select(F.explode("items").alias("item"), "items")
    sizes = single.groupBy("item").agg(F.count("*").alias("customers"))
    together = (
        single.select("item", F.explode("items").alias("other")).where(F.col("item") < F.col("other"))
        .groupBy("item", "other").agg(F.count("*").alias("both"))
    )  # fmt: skip
    both_ways = together.unionAll(together.select(F.col("other").alias("item"), F.col("item").alias("other"), "both"))
    cosine = F.col("both") / F.sqrt(F.col("customers") * F.col("customers_other"))
    of_other = sizes.select(F.col("item").alias("other"), F.col("customers").alias("customers_other"))
    similar = both_ways.join(sizes, "item").join(of_other, "other").select("item", "other", cosine.alias("similarity"))
    place = F.row_number().over(Window.partitionBy("item").orderBy(F.desc("similarity"), "other"))
    return similar.withColumn("place", place).where(F.col("place") <= count).drop("place")


def _popular_in_segments(
    bought: DataFrame, may_be_shown: npt.NDArray[np.bool_], count: int
) -> dict[str, tuple[Whole, Whole]]:
    """Segment → the items bought by most of its customers, and by how many."""
    sold = bought.groupBy("segment", "item").agg(F.count("*").alias("count")).toPandas()
    sold = sold[may_be_shown[sold["item"]]].sort_values(["segment", "count", "item"], ascending=[True, False, True])
    return {
        str(segment): (rows["item"].to_numpy(np.int64)[:count], rows["count"].to_numpy(np.int64)[:count])
        for segment, rows in sold.groupby("segment", sort=True)
    }


def iterations(spark: SparkSession, task: RecommendTask) -> int:
    """ALS iterations: each carries the plan of all earlier ones unless checkpointed, and Java's stack is limited."""
    return task.als_iterations if has_checkpoint_folder(spark) else min(task.als_iterations, _WITHOUT_CHECKPOINTS)


def _factorised(history: DataFrame, task: RecommendTask, seed: int) -> ALSModel:
    """Implicit ALS (Hu, Koren, Volinsky 2008).

    Rows are put into a fixed order, as the factors depend on it.
    """
    als = ALS(
        rank=task.als_rank, maxIter=iterations(history.sparkSession, task), checkpointInterval=4,
        regParam=task.als_regularisation, alpha=task.als_alpha,
        implicitPrefs=True, nonnegative=False, userCol="customer", itemCol="item", ratingCol="times", seed=seed,
    )  # fmt: skip
    ordered = history.select("customer", "item", F.col("times").cast("float").alias("times"))
    # Checkpointed, because every iteration would carry their plan.
    return als.fit(checkpointed(ordered.repartition("customer").sortWithinPartitions("customer", "item")))
