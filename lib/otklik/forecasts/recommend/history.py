"""Who has bought what, and how often, before and within each period, with integers for customers and items."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

#: Customers and items are numbered in hash groups, so that no single task sorts all of them.
_NUMBERING_GROUPS = 64


def counted(purchases: DataFrame, periods: Mapping[str, tuple[datetime, datetime]]) -> DataFrame:
    """One row per customer and item ever bought.

    Args:
        purchases: customer, item, moment and perhaps basket; without one, a day is a basket.
        periods: name → start and end of a period.

    Returns:
        customer, item; times (baskets with the item) and, per period, times_<name> (before its start) and is_in_<name>
        (whether it was bought within it).
    """
    day = F.to_date("moment").cast("string")
    basket = F.coalesce("basket", day) if "basket" in purchases.columns else day
    per_basket = purchases.groupBy("customer", "item", basket.alias("basket")).agg(F.min("moment").alias("moment"))
    moment = F.col("moment")
    of_periods: list[Column] = []
    for name, (start, end) in periods.items():
        is_before = moment < F.lit(start)
        is_in = ~is_before & (moment < F.lit(end))
        of_periods += [F.count_if(is_before).alias(f"times_{name}"), F.max(is_in).alias(f"is_in_{name}")]
    return per_basket.groupBy("customer", "item").agg(F.count("*").alias("times"), *of_periods)


def numbered(rows: DataFrame, key: str) -> DataFrame:
    """Each distinct key with a whole number from 0 on (MLlib's ALS takes 32-bit numbers only): key, <key>_number."""
    keys = rows.select(key).distinct().withColumn("bucket", F.pmod(F.xxhash64(key), F.lit(_NUMBERING_GROUPS)))
    sizes = keys.groupBy("bucket").agg(F.count("*").alias("keys"))
    before = F.sum("keys").over(Window.orderBy("bucket")) - F.col("keys")
    place = F.row_number().over(Window.partitionBy("bucket").orderBy(key)) - 1
    return keys.join(F.broadcast(sizes.select("bucket", before.alias("before"))), "bucket").select(
        key, (F.col("before") + place).cast("int").alias(f"{key}_number")
    )
