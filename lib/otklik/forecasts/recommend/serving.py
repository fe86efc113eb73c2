"""The lists of all customers: scores of the candidates, rules on items, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.forecasts.recommend.candidates import METHODS, ItemTables, blocks, candidates, rank_within
from otklik.forecasts.recommend.kind import RecommendTask
from otklik.forecasts.recommend.scoring import Weights, learned_from, limits_of
from otklik.kind import Finding, Measure, StageContext
from otklik.session import checkpointed

#: Reason of each method; of methods with equal contributions, the first is named.
REASONS = {
    "popularity": "popular", "als": "similar_customers", "segment": "popular_in_segment", "item_item": "bought_with",
    "own": "bought_before",
}  # fmt: skip
_LISTED = "customer INT, rank INT, item INT, score DOUBLE, reason STRING, because INT"
_LISTED_COLUMNS = [column.partition(" ")[0] for column in _LISTED.split(", ")]


@dataclass(frozen=True)
class Served:
    """The lists: customer, rank, item, score, reason, because; and findings about them."""

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
) -> Served:
    """The lists of all customers, from all purchases.

    Args:
        pairs: customer, item (whole numbers), times.
        names: customer → customer, customer_number; item → item, item_number.
        items: item (its name) and optionally in_stock, category, margin; None: all may be recommended.
        task: see `RecommendTask`.
        context: context of the stage.
        weights: weights for warm customers.
        cold: weights for cold customers.
        segments: customer (an integer), segment; None: there are none.
    """
    allowed = None if items is None else context.keep(_allowed(items, names["item"], task))
    used = {method for place, method in enumerate(METHODS) if weights[place] or cold[place]}
    customers = pairs.select("customer")
    if segments is not None:
        customers = customers.unionByName(segments.select("customer"))
    # If no items are excluded, a list needs no more candidates than its length.
    most_popular = task.list_length if task.buy_again and task.category_cap is None else None
    learned = learned_from(
        pairs.select("customer", "item", "times"), customers.distinct(), task, context.seed, context.keep, used,
        allowed=allowed, categories=allowed, segments=segments, most_popular=most_popular,
    )  # fmt: skip
    tables, limits = learned.items, limits_of(task)

    def listed(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for block in blocks(batch, tables, limits):
                found = lists_of_block(block, tables, task, weights, cold)
                yield found.assign(customer=block["customer"].to_numpy()[found["place"]])[_LISTED_COLUMNS]

    # Without its plan, which contains the tables of items.
    of_all = checkpointed(_named(learned.customers.mapInPandas(listed, _LISTED), names))
    return Served(of_all, *_told(of_all, customers, task))


def lists_of_block(
    block: pd.DataFrame, tables: ItemTables, task: RecommendTask, weights: Weights, cold: Weights
) -> pd.DataFrame:
    """The lists of some customers: the columns of `candidates`, rank, score and reason; `because` for some reasons."""
    rows = candidates(block, tables, limits_of(task))
    if not task.buy_again:
        rows = rows[~rows["is_own"]]
    of_method = rows[list(METHODS)].to_numpy() * np.where(rows[["is_warm"]].to_numpy(), weights, cold)
    # Of reasons with equal contributions, the first; without any, the order is by popularity.
    by_reason = [METHODS.index(method) for method in REASONS]
    most = of_method[:, by_reason].argmax(axis=1)
    reason = np.array(list(REASONS.values()), dtype=object)[most]
    rows = rows.assign(
        score=np.round(of_method.sum(axis=1), 9),
        reason=reason,
        because=np.where(reason == REASONS["item_item"], rows["because"], -1),
    ).sort_values(["place", "score", "buyers", "item"], ascending=[True, False, False, True])
    if task.category_cap is not None and tables.category is not None:
        category = pd.Series(tables.category[rows["item"]], index=rows.index)
        # An item without a category is not capped.
        rows = rows[category.isna() | (rows.groupby([rows["place"], category]).cumcount() < task.category_cap)]
    rank = rank_within(rows["place"].to_numpy()) + 1
    return rows.assign(rank=rank)[rank <= task.list_length]


def _allowed(items: DataFrame, numbers: DataFrame, task: RecommendTask) -> DataFrame:
    """The items that may be recommended, by number: item, category."""
    rows = items.join(numbers, "item")
    if "in_stock" in items.columns:
        rows = rows.where(F.coalesce("in_stock", F.lit(True)))
    if task.minimum_margin is not None:
        rows = rows.where(F.col("margin") >= task.minimum_margin)
    category = F.col("category") if "category" in items.columns else F.lit(None).cast("string")
    return rows.select(F.col("item_number").alias("item"), category.alias("category"))


def _named(listed: DataFrame, names: Mapping[str, DataFrame]) -> DataFrame:
    """Replace numbers by names."""
    customers = names["customer"].select(F.col("customer").alias("name"), F.col("customer_number").alias("customer"))
    items = names["item"].select(F.col("item").alias("item_name"), F.col("item_number").alias("item"))
    others = names["item"].select(F.col("item").alias("because_name"), F.col("item_number").alias("because"))
    # There are few items compared with the rows of all lists.
    joined = listed.join(customers, "customer").join(F.broadcast(items), "item")
    joined = joined.join(F.broadcast(others), "because", "left")
    return joined.select(
        F.col("name").alias("customer"), "rank", F.col("item_name").alias("item"), "score", "reason",
        F.col("because_name").alias("because"),
    )  # fmt: skip


def _told(named: DataFrame, wanted: DataFrame, task: RecommendTask) -> tuple[list[Measure], list[Finding]]:
    """Number of listed items, by reason, and number of customers with a short list."""
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
